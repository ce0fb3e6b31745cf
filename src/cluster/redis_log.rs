//! What the node that leads writes down, in an order that is the same for all nodes: a stream in a Redis.
//!
//! The check that its writer leads and the entry are one script. The stream is begun anew by each [`begin`](RedisLog::begin),
//! so that whoever does not find the entry he read last reads it from its beginning. Works from Redis 5 on.

use std::time::Duration;

use ::redis::{Value, cmd};

use super::lease_store::FencingToken;
use super::redis_link::{RedisLink, text};
use crate::store::StoreError;
use crate::store::redis::RedisConnect;

/// The stream, among the keys of the cluster.
pub(super) const KEY: &str = "log";
/// How long a log is kept to which nobody adds, milliseconds: a week, as snapshots are.
const KEPT_MS: u64 = 7 * 86_400_000;

/// KEYS lead log; ARGV token, the entry it follows or nothing for the first, entry, most entries, kept.
const APPEND: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'refused'} end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[2])
else
  local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)
  if not last[1] or last[1][1] ~= ARGV[2] then return {'gap'} end
end
local at = redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], '*', 'w', ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
return {'at', at}";

/// What became of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogAppend {
    /// It is in the log, at this place.
    At(String),
    /// The log does not end where it should: a fail-over has lost its end. Nothing was added.
    Gap,
    /// Another node leads. Nothing was added.
    Refused,
}

/// Entries of a log, in order.
pub type LogEntries = Vec<(String, Vec<u8>)>;

/// A handle of the log.
pub struct RedisLog {
    link: RedisLink,
}

impl RedisLog {
    /// That of all nodes that watch the metrics of one namespace; connects at the first call. No wait is longer than `limit`.
    #[must_use]
    pub fn new(connect: &RedisConnect, namespace: &str, limit: Duration) -> Self {
        Self {
            link: RedisLink::new(connect, namespace, limit),
        }
    }

    /// Begins the log anew with this entry.
    ///
    /// # Errors
    /// The store's own; whether it was begun is not known then.
    pub fn begin(
        &mut self,
        token: &FencingToken,
        entry: &[u8],
        most: usize,
    ) -> Result<LogAppend, StoreError> {
        self.append(token, "", entry, most)
    }

    /// Adds an entry behind the one at `after`, and lets go of the oldest where there are many more than `most`.
    ///
    /// # Errors
    /// The store's own; whether it was added is not known then.
    pub fn append(
        &mut self,
        token: &FencingToken,
        after: &str,
        entry: &[u8],
        most: usize,
    ) -> Result<LogAppend, StoreError> {
        let mut command = self.link.script(APPEND, &["lead", KEY]);
        command
            .arg(token.to_string())
            .arg(after)
            .arg(entry)
            .arg(most)
            .arg(KEPT_MS);
        let reply = self.link.ask(&command)?;
        let Value::Array(parts) = &reply else {
            return Err(self.link.unreadable("log"));
        };
        let word = |at: usize| parts.get(at).and_then(text);
        match (word(0), word(1)) {
            (Some("at"), Some(at)) => Ok(LogAppend::At(at.to_owned())),
            (Some("gap"), _) => Ok(LogAppend::Gap),
            (Some("refused"), _) => Ok(LogAppend::Refused),
            _ => Err(self.link.unreadable("log")),
        }
    }

    /// The first entries from the one at `from` on, that one included; from the beginning if there is no `from`.
    ///
    /// # Errors
    /// The store's own.
    pub fn read(&mut self, from: Option<&str>, most: usize) -> Result<LogEntries, StoreError> {
        let mut command = cmd("XRANGE");
        command
            .arg(self.link.key(KEY))
            .arg(from.unwrap_or("-"))
            .arg("+")
            .arg("COUNT")
            .arg(most);
        let reply = self.link.ask(&command)?;
        entries(&reply).ok_or_else(|| self.link.unreadable("log"))
    }
}

fn entries(reply: &Value) -> Option<LogEntries> {
    let Value::Array(entries) = reply else { return None };
    let entry = |entry: &Value| {
        let Value::Array(parts) = entry else { return None };
        let [at, Value::Array(fields)] = parts.as_slice() else {
            return None;
        };
        let Value::BulkString(bytes) = fields.get(1)? else {
            return None;
        };
        Some((text(at)?.to_owned(), bytes.clone()))
    };
    entries.iter().map(entry).collect()
}
