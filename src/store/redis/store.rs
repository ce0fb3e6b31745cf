//! A handle on a Redis, be it one server or a cluster. Which of them is asked once a call, whatever a call is about.

use std::time::Duration;

use skywatch_algorithms::Series;

use super::cluster_store::ClusterStore;
use super::connect::RedisConnect;
use super::server_store::ServerStore;
use super::{Connect, EachFetched, EachTail, Points, RedisCursor, Sample, Store, StoreError, Trim};
use crate::store::trim::{TrimLimits, Watch};

/// A handle on one Redis. It reconnects by itself at the next call after an error.
pub struct RedisStore(Servers);

enum Servers {
    Server(Box<ServerStore>),
    Cluster(Box<ClusterStore>),
}

impl RedisStore {
    pub(super) fn new(connect: RedisConnect) -> Self {
        Self(match connect.slots().cloned() {
            None => Servers::Server(Box::new(ServerStore::new(connect))),
            Some(slots) => Servers::Cluster(Box::new(ClusterStore::new(connect, slots))),
        })
    }
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

/// The same call on whichever it is.
macro_rules! either {
    ($store:expr, $one:ident => $call:expr) => {
        match &mut $store.0 {
            Servers::Server($one) => $call,
            Servers::Cluster($one) => $call,
        }
    };
}

impl Points for RedisStore {
    type Cursor = RedisCursor;

    fn append(&mut self, batch: &[Sample<'_>]) -> Result<(), StoreError> {
        either!(self, store => store.append(batch))
    }

    fn fetch(
        &mut self,
        metrics: &[&str],
        into: &mut Series,
        each: &mut EachFetched<'_, RedisCursor>,
    ) -> Result<(), StoreError> {
        either!(self, store => store.fetch(metrics, into, each))
    }

    fn fetch_last(
        &mut self,
        metrics: &[&str],
        points: usize,
        into: &mut Series,
        each: &mut EachFetched<'_, RedisCursor>,
    ) -> Result<(), StoreError> {
        either!(self, store => store.fetch_last(metrics, points, into, each))
    }

    fn fetch_tails(
        &mut self,
        asks: &[(&str, &RedisCursor)],
        into: &mut Series,
        each: &mut EachTail<'_, RedisCursor>,
    ) -> Result<(), StoreError> {
        either!(self, store => store.fetch_tails(asks, into, each))
    }
}

questions_of_either!(RedisStore, either);

impl Trim for RedisStore {
    fn trim(
        &mut self,
        metrics: &[&str],
        limits: TrimLimits,
        watch: &mut dyn Watch,
    ) -> Result<(), StoreError> {
        either!(self, store => store.trim(metrics, limits, watch))
    }

    fn remove_empty(&mut self, metrics: &[&str]) -> Result<u64, StoreError> {
        either!(self, store => store.remove_empty(metrics))
    }

    fn claim(&mut self, minute: u64, kept: Duration) -> Result<bool, StoreError> {
        either!(self, store => store.claim(minute, kept))
    }
}
