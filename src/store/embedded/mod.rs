//! The store for a machine without Redis: fjall, a log-structured engine, in the state folder.
//!
//! A keyspace a day, and in it a key a point: metric, time, value, all in order-preserving bytes
//! ([`key`]). So duplicates vanish as they are written, a series comes back sorted, and trimming is
//! dropping a day whole. Writes reach the operating system at once and the disk each second.
//!
//! Tails do not touch the engine at all: the last few arrivals of every metric are kept in memory
//! and numbered ([`recent`]), and a cursor is such a number. A cursor from before the store was
//! opened, or too far behind, is lost, and the series is read whole.
//!
//! After a failed write the engine is opened anew ([`shared`]).
//!
//! One process only; a second one gets [`StoreError::InUse`]. What outlives its day is dropped by
//! [`EmbeddedConnect::drop_before`], which the trimming thread has to call.

mod days;
mod engine;
mod failure;
mod key;
mod keys;
mod metrics;
mod names;
mod options;
mod recent;
mod shared;
mod sync;

use std::sync::Arc;

use skywatch_algorithms::Series;

use super::{Connect, DecodeReport, EachFetched, EachTail, Fetched, Points, Sample, Store, StoreError, Tail};
use engine::Engine;
use shared::SharedEngine;

pub use engine::Dropped;
pub use options::EmbeddedOptions;
pub use recent::EmbeddedCursor;

/// An open store; clones and handles share it, and the last one to go closes it.
#[derive(Clone)]
pub struct EmbeddedConnect(Arc<SharedEngine>);

impl EmbeddedConnect {
    /// Opens the folder, and reads all names into memory.
    ///
    /// # Errors
    ///
    /// [`StoreError::InUse`] if another process has it open; others if it cannot be read.
    pub fn open(options: &EmbeddedOptions) -> Result<Self, StoreError> {
        SharedEngine::open(options).map(|engine| Self(Arc::new(engine)))
    }

    /// Drops every day that ended at or before `time` (Unix seconds), the names of which no point
    /// is left then, and the keys that have expired. Cheap while there is nothing to drop.
    ///
    /// # Errors
    ///
    /// As any write.
    pub fn drop_before(&self, time: f64) -> Result<Dropped, StoreError> {
        self.0.engine()?.drop_before(time)
    }
}

impl Connect for EmbeddedConnect {
    type Store = EmbeddedStore;

    fn connect(&self) -> Result<EmbeddedStore, StoreError> {
        let mut store = EmbeddedStore {
            shared: Arc::clone(&self.0),
        };
        store.ping()?;
        Ok(store)
    }

    fn describe(&self) -> String {
        self.0.place()
    }
}

/// One handle on an open store.
pub struct EmbeddedStore {
    shared: Arc<SharedEngine>,
}

impl EmbeddedStore {
    /// The engine, for one call.
    fn engine(&self) -> Result<Arc<Engine>, StoreError> {
        self.shared.engine()
    }
}

impl Points for EmbeddedStore {
    type Cursor = EmbeddedCursor;

    fn append(&mut self, batch: &[Sample<'_>]) -> Result<(), StoreError> {
        self.engine()?.append(batch)
    }

    fn fetch(
        &mut self,
        metrics: &[&str],
        into: &mut Series,
        each: &mut EachFetched<'_, EmbeddedCursor>,
    ) -> Result<(), StoreError> {
        let engine = self.engine()?;
        for (index, metric) in metrics.iter().enumerate() {
            into.clear();
            let fetched = match engine.read(metric, into)? {
                Some(cursor) if !into.times.is_empty() => Fetched::Found {
                    cursor,
                    report: clean(into.times.len()),
                },
                _ => Fetched::Missing,
            };
            each(index, into, fetched);
        }
        Ok(())
    }

    fn fetch_tails(
        &mut self,
        asks: &[(&str, &EmbeddedCursor)],
        into: &mut Series,
        each: &mut EachTail<'_, EmbeddedCursor>,
    ) -> Result<(), StoreError> {
        let engine = self.engine()?;
        for (index, (metric, cursor)) in asks.iter().enumerate() {
            into.clear();
            let tail = match engine.recent(metric, cursor, into) {
                recent::Since::Unchanged => Tail::Unchanged,
                recent::Since::New(cursor) => Tail::New {
                    cursor,
                    report: clean(into.times.len()),
                },
                recent::Since::Lost => Tail::Lost,
                recent::Since::Missing => Tail::Missing,
            };
            each(index, into, tail);
        }
        Ok(())
    }
}

/// Nothing is ever stored here that cannot be read back.
fn clean(points: usize) -> DecodeReport {
    DecodeReport {
        points,
        ..DecodeReport::default()
    }
}

impl Store for EmbeddedStore {
    fn ping(&mut self) -> Result<(), StoreError> {
        let engine = self.engine()?;
        match engine.healthy() {
            Err(_) if engine.has_failed() => {
                drop(engine);
                self.engine()?.healthy()
            }
            outcome => outcome,
        }
    }
}
