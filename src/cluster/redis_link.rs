//! A connection to the Redis that all nodes share, made when it is first needed and after each failure.

use std::time::{Duration, Instant};

use ::redis::{Cmd, Connection, Value};

use crate::store::redis::RedisConnect;
use crate::store::{Connect as _, StoreError};

/// The connection, and what all keys of the cluster begin with.
pub(super) struct RedisLink {
    connect: RedisConnect,
    pub(super) prefix: String,
    /// `None` before the first call and after an error.
    connection: Option<Connection>,
    /// When it was used last.
    used: Instant,
}

impl RedisLink {
    /// For all nodes that watch the metrics of one namespace. No wait is longer than `limit`. All keys carry one hash tag, and are so in one slot of a cluster.
    pub(super) fn new(connect: &RedisConnect, namespace: &str, limit: Duration) -> Self {
        Self {
            connect: connect.within(limit),
            // Braces would end the tag early.
            prefix: format!("skywatch.cluster.{{{}}}", namespace.replace(['{', '}'], "_")),
            connection: None,
            used: Instant::now(),
        }
    }

    /// Asks one question.
    pub(super) fn ask(&mut self, question: &Cmd) -> Result<Value, StoreError> {
        let rested = match self.connection.take() {
            Some(connection) => self.connect.rested(connection, self.used)?,
            None => None,
        };
        let mut connection = match rested {
            Some(connection) => connection,
            None => self.connect.open()?,
        };
        let reply = question.query(&mut connection);
        let reply = reply.map_err(|error| self.connect.failure(&error))?;
        self.connection = Some(connection);
        self.used = Instant::now();
        Ok(reply)
    }

    /// The error of an answer that is none.
    pub(super) fn unreadable(&self, what: &str) -> StoreError {
        StoreError::Corrupt {
            place: self.describe(),
            reason: format!("no {what} under `{}`", self.prefix),
        }
    }

    pub(super) fn describe(&self) -> String {
        self.connect.describe()
    }
}
