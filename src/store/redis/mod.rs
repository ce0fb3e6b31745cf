//! A Redis in Skyline's own layout, so that both can work on the same one: under
//! `<namespace><name>` a string, the point stream of one metric; in the set
//! `<namespace>unique_metrics` all such keys.
//!
//! One blocking connection a handle, and a second one for reading in bulk ([`plain`]). Commands are packed by hand into one reused buffer and
//! pipelined, with the next chunk on its way while the replies to the last are read ([`wire`]).

mod append;
mod condition;
mod connect;
mod cursor;
mod failure;
mod fetch;
mod keys;
mod known_names;
mod last;
mod login;
mod names;
mod options;
mod plain;
mod resp;
mod sentinel;
mod slice_sizes;
mod store;
mod tails;
mod trim;
mod wire;

use std::time::Duration;

use skywatch_algorithms::Series;

use super::{
    Condition, Connect, EachFetched, EachTail, Fetched, Keys, Names, Points, Sample, SavedCursor, Store,
    StoreError, Tail, Trim, Unreadable, codec,
};

pub use connect::RedisConnect;
pub use cursor::RedisCursor;
pub use options::RedisOptions;
pub use sentinel::SentinelOptions;
pub use store::RedisStore;

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

    fn fetch_last(
        &mut self,
        metrics: &[&str],
        points: usize,
        into: &mut Series,
        each: &mut EachFetched<'_, RedisCursor>,
    ) -> Result<(), StoreError> {
        self.fetch_last_points(metrics, points, into, each)
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
