//! A connection to the Redis that all nodes share.

use std::fmt::Display;
use std::time::Duration;

use ::redis::{Cmd, Value, cmd};

use crate::store::redis::{KeyConnection, RedisConnect};
use crate::store::{Connect as _, StoreError};

/// The connection, and what all keys of the cluster begin with.
pub(super) struct RedisLink {
    keys: KeyConnection,
    prefix: String,
}

impl RedisLink {
    /// For all nodes that watch the metrics of one namespace. No wait is longer than `limit`. All keys carry one hash tag, and are so in
    /// one slot of a Redis Cluster.
    pub(super) fn new(connect: &RedisConnect, namespace: &str, limit: Duration) -> Self {
        let prefix = prefix(namespace);
        Self {
            keys: KeyConnection::new(connect.within(limit), &prefix),
            prefix,
        }
    }

    /// Asks from now on about the keys of another part of the namespace, which have a hash tag of their own.
    pub(super) fn turn_to(&mut self, namespace: &str, part: impl Display) {
        self.prefix = prefix(&format!("{namespace}/{part}"));
        self.keys.turn_to(&self.prefix);
    }

    /// A key of the cluster.
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    /// The call of a script with these keys of the cluster, to which its arguments are to be added.
    pub(super) fn script(&self, script: &str, keys: &[&str]) -> Cmd {
        let mut command = cmd("EVAL");
        command.arg(script).arg(keys.len());
        for name in keys {
            command.arg(self.key(name));
        }
        command
    }

    /// Asks one question.
    pub(super) fn ask(&mut self, question: &Cmd) -> Result<Value, StoreError> {
        self.keys.ask(question)
    }

    /// Waits until a replica of the server has what was written last, `limit` at most; not at all where there is none. An answer that
    /// does not come is no fault: what is written is written.
    pub(super) fn replicated(&mut self, limit: Duration) {
        let has_replica = matches!(
            self.ask(&cmd("ROLE")),
            Ok(Value::Array(role)) if matches!(role.get(2), Some(Value::Array(replicas)) if !replicas.is_empty())
        );
        if has_replica {
            let mut wait = cmd("WAIT");
            wait.arg(1).arg(limit.as_millis().to_string());
            let _ = self.ask(&wait);
        }
    }

    /// The error of an answer that is none.
    pub(super) fn unreadable(&self, what: &str) -> StoreError {
        StoreError::Corrupt {
            place: self.describe(),
            reason: format!("no {what} under `{}`", self.prefix),
        }
    }

    pub(super) fn describe(&self) -> String {
        self.keys.connect().describe()
    }
}

fn prefix(tag: &str) -> String {
    // Braces would end the tag early.
    format!("skywatch.cluster.{{{}}}", tag.replace(['{', '}'], "_"))
}

/// The text of an answer; `None` of one that is none.
pub(super) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}
