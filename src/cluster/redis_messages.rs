//! Messages from node to node: a list in a Redis for each session, which one end adds to and the other takes from.
//!
//! Nothing of it is certain: a message is lost where the answer to the one who took it is, and a list that nobody takes from is
//! full and then expires. Whoever needs more numbers his messages, and says them again.

use std::time::Duration;

use ::redis::Value;

use super::redis_link::RedisLink;
use crate::store::StoreError;
use crate::store::redis::RedisConnect;

/// Messages that may wait for a session.
const WAITING: usize = 256;
/// Messages taken at once.
const TAKEN: usize = 8;
/// How long messages wait that nobody takes, milliseconds.
const KEPT_MS: u64 = 60_000;

/// KEYS messages; ARGV message waiting kept.
const SEND: &str = "
if redis.call('LLEN', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1";

/// KEYS messages; ARGV taken.
const TAKE: &str = "
local taken = redis.call('LRANGE', KEYS[1], 0, ARGV[1] - 1)
if #taken > 0 then redis.call('LTRIM', KEYS[1], ARGV[1], -1) end
return taken";

/// A handle of the messages.
pub struct RedisMessages {
    link: RedisLink,
}

impl RedisMessages {
    /// Those of all nodes that watch the metrics of one namespace; connects at the first call. No wait is longer than `limit`.
    #[must_use]
    pub fn new(connect: &RedisConnect, namespace: &str, limit: Duration) -> Self {
        Self {
            link: RedisLink::new(connect, namespace, limit),
        }
    }

    /// Adds a message for a session; false if too many wait for it.
    ///
    /// # Errors
    /// The store's own; whether it was added is not known then.
    pub fn send(&mut self, to: &str, message: &[u8]) -> Result<bool, StoreError> {
        let mut command = self.link.script(SEND, &[&key(to)]);
        command.arg(message).arg(WAITING).arg(KEPT_MS);
        Ok(self.link.ask(&command)? == Value::Int(1))
    }

    /// Takes the first messages for a session out.
    ///
    /// # Errors
    /// The store's own; what was taken out is lost then.
    pub fn take(&mut self, of: &str) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut command = self.link.script(TAKE, &[&key(of)]);
        command.arg(TAKEN);
        let Value::Array(taken) = self.link.ask(&command)? else {
            return Err(self.link.unreadable("messages"));
        };
        let bytes = |value: Value| match value {
            Value::BulkString(bytes) => Some(bytes),
            _ => None,
        };
        Ok(taken.into_iter().filter_map(bytes).collect())
    }
}

/// The list of a session, among the keys of the cluster.
pub(super) fn key(session: &str) -> String {
    format!("messages.{session}")
}
