//! A Redis in Skyline's own layout, so that both can work on the same one: under
//! `<namespace><name>` a string, the point stream of one metric; in the set
//! `<namespace>unique_metrics` all such keys.
//!
//! One blocking connection a handle, and a second one for reading in bulk ([`plain`]). Commands are packed by hand into one reused buffer and
//! pipelined, with the next chunk on its way while the replies to the last are read ([`wire`]).

mod append;
mod condition;
mod cursor;
mod failure;
mod fetch;
mod keys;
mod names;
mod options;
mod plain;
mod tails;
mod trim;
mod wire;

use std::time::Duration;

use ::redis::Value;
use skywatch_algorithms::Series;

use super::{
    Condition, Connect, EachFetched, EachTail, Fetched, Keys, Names, Points, Sample, Store, StoreError, Tail,
    Trim, Unreadable, codec,
};

pub use cursor::RedisCursor;
pub use options::{RedisConnect, RedisOptions};

/// Most points whose room a caller's buffer keeps after a series that needed more.
const KEPT_POINTS: usize = 1 << 19;

/// One connection to one Redis. It reconnects by itself at the next call after an error.
pub struct RedisStore {
    wire: wire::Wire,
    namespace: String,
    unique_metrics: String,
    max_value_bytes: usize,
    known: append::KnownNames,
    /// Bytes a whole series has had of late: what the next chunk of reads is sized by.
    usual_series_bytes: usize,
    /// What trimming has learned about this server.
    trimming: trim::Trimming,
}

impl RedisStore {
    fn new(connect: RedisConnect) -> Self {
        let options = connect.options();
        Self {
            namespace: options.namespace.clone(),
            unique_metrics: format!("{}unique_metrics", options.namespace),
            max_value_bytes: options.max_value_bytes,
            known: append::KnownNames::default(),
            usual_series_bytes: fetch::FIRST_GUESS_BYTES,
            trimming: trim::Trimming::default(),
            wire: wire::Wire::new(connect),
        }
    }
}

/// Asks for the types of keys that turned out to be no strings.
fn types(wire: &mut wire::Wire, namespace: &str, metrics: &[&str]) -> Result<Vec<Unreadable>, StoreError> {
    let mut packed = Vec::new();
    for metric in metrics {
        wire::pack(&mut packed, &[b"TYPE"], namespace, metric, &[]);
    }
    let replies = wire.request(&packed, metrics.len())?;
    let name = |reply| match reply {
        Value::SimpleString(name) => name,
        _ => "unknown".to_owned(),
    };
    let found = replies.into_iter().map(name);
    Ok(found.map(Unreadable::WrongType).collect())
}

impl Connect for RedisConnect {
    type Store = RedisStore;

    fn connect(&self) -> Result<RedisStore, StoreError> {
        let mut store = RedisStore::new(self.clone());
        store.ping()?;
        Ok(store)
    }

    fn describe(&self) -> String {
        self.place().to_owned()
    }

    fn within(&self, limit: Duration) -> Self {
        self.with_limits(limit)
    }

    fn trimmer(&self) -> Result<Option<Box<dyn Trim>>, StoreError> {
        Ok(Some(Box::new(self.connect()?)))
    }
}

impl Points for RedisStore {
    type Cursor = RedisCursor;

    fn append(&mut self, batch: &[Sample<'_>]) -> Result<(), StoreError> {
        self.append_batch(batch)
    }

    fn fetch(
        &mut self,
        metrics: &[&str],
        into: &mut Series,
        each: &mut EachFetched<'_, RedisCursor>,
    ) -> Result<(), StoreError> {
        self.fetch_whole(metrics, into, each)
    }

    fn fetch_tails(
        &mut self,
        asks: &[(&str, &RedisCursor)],
        into: &mut Series,
        each: &mut EachTail<'_, RedisCursor>,
    ) -> Result<(), StoreError> {
        self.fetch_ends(asks, into, each)
    }
}

impl Store for RedisStore {
    fn ping(&mut self) -> Result<(), StoreError> {
        self.wire.ping()
    }

    fn condition(&mut self) -> Result<Condition, StoreError> {
        self.ask_condition()
    }
}

/// Gives back the room an unusually long series took.
fn shrink(series: &mut Series) {
    if series.times.capacity() > KEPT_POINTS {
        series.clear();
        series.times.shrink_to(KEPT_POINTS);
        series.values.shrink_to(KEPT_POINTS);
    }
}
