//! A connection to the Redis that all nodes share.

use std::time::Duration;

use ::redis::{Cmd, Value};

use crate::store::redis::{KeyConnection, RedisConnect};
use crate::store::{Connect as _, StoreError};

/// The connection, and what all keys of the cluster begin with.
pub(super) struct RedisLink {
    keys: KeyConnection,
    pub(super) prefix: String,
}

impl RedisLink {
    /// For all nodes that watch the metrics of one namespace. No wait is longer than `limit`. All keys carry one hash tag, and are so in
    /// one slot of a Redis Cluster.
    pub(super) fn new(connect: &RedisConnect, namespace: &str, limit: Duration) -> Self {
        // Braces would end the tag early.
        let prefix = format!("skywatch.cluster.{{{}}}", namespace.replace(['{', '}'], "_"));
        Self {
            keys: KeyConnection::new(connect.within(limit), &prefix),
            prefix,
        }
    }

    /// Asks one question.
    pub(super) fn ask(&mut self, question: &Cmd) -> Result<Value, StoreError> {
        self.keys.ask(question)
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
