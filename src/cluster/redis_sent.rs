//! Which notices are on their way, and which are there: a key in a Redis for each, for all nodes.
//!
//! A node marks a notice before it hands it over, in the same step as the check that it leads, and again when it was taken. A node
//! that leads after it sends what bears no mark, does not send what was taken, and knows of what bears only the first mark that it
//! may have been taken.

use std::time::Duration;

use ::redis::cmd;

use super::lease_store::FencingToken;
use super::redis_link::{RedisLink, text};
use crate::store::StoreError;
use crate::store::redis::RedisConnect;

/// How long a mark is kept, milliseconds: longer than any notice is tried.
const KEPT_MS: u64 = 7 * 86_400_000;
/// How long a replica is waited for, milliseconds: a notice is late by that if there is one that does not answer.
const REPLICA_MS: u64 = 200;
const SENT: &str = "sent";

/// KEYS lead mark; ARGV token kept.
///
/// A Redis at its `maxmemory` takes it all the same (from 7 on), as it does a heartbeat.
const MARK: &str = "#!lua flags=allow-oom
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'refused' end
local before = redis.call('GET', KEYS[2])
if before == 'sent' then return 'sent' end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
if before and before ~= ARGV[1] then return 'again' end
return 'new'";

/// KEYS mark; ARGV the token it was marked with.
const CLEAR: &str = "
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1";

/// What a mark found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendMark {
    /// Nobody has tried to send it.
    New,
    /// A node that led before was about to send it, and has not said what came of it.
    Again,
    /// It was sent.
    Sent,
    /// Another node leads.
    Refused,
}

/// A handle of the marks.
pub struct RedisSent {
    link: RedisLink,
}

impl RedisSent {
    /// Those of all nodes that watch the metrics of one namespace; connects at the first call. No wait is longer than `limit`.
    #[must_use]
    pub fn new(connect: &RedisConnect, namespace: &str, limit: Duration) -> Self {
        Self {
            link: RedisLink::new(connect, namespace, limit),
        }
    }

    /// Marks a notice that is about to be sent, and lets a replica of the store have the mark if there is one.
    ///
    /// # Errors
    /// The store's own; whether it was marked is not known then.
    pub fn mark(&mut self, token: &FencingToken, notice: &str) -> Result<SendMark, StoreError> {
        let mut command = self.link.script(MARK, &["lead", &key(notice)]);
        command.arg(token.to_string()).arg(KEPT_MS);
        let reply = self.link.ask(&command)?;
        let mark = match text(&reply) {
            Some("new") => SendMark::New,
            Some("again") => SendMark::Again,
            Some("sent") => SendMark::Sent,
            Some("refused") => SendMark::Refused,
            _ => return Err(self.link.unreadable("mark of a notice")),
        };
        if matches!(mark, SendMark::New | SendMark::Again) {
            self.link.replicated(Duration::from_millis(REPLICA_MS));
        }
        Ok(mark)
    }

    /// Notes that a notice was taken.
    ///
    /// # Errors
    /// The store's own.
    pub fn sent(&mut self, notice: &str) -> Result<(), StoreError> {
        let mut command = cmd("SET");
        command
            .arg(self.link.key(&key(notice)))
            .arg(SENT)
            .arg("PX")
            .arg(KEPT_MS);
        self.link.ask(&command).map(drop)
    }

    /// Takes the mark of a notice back that was not taken.
    ///
    /// # Errors
    /// The store's own.
    pub fn failed(&mut self, token: &FencingToken, notice: &str) -> Result<(), StoreError> {
        let mut command = self.link.script(CLEAR, &[&key(notice)]);
        command.arg(token.to_string());
        self.link.ask(&command).map(drop)
    }
}

/// The mark of a notice, among the keys of the cluster.
fn key(notice: &str) -> String {
    format!("sent.{notice}")
}
