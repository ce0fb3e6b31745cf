//! One type for either store, for everybody who is not so hot that the call must be known when compiling.
//!
//! The ingest's writer and the analyzer's workers stay generic: they match on [`AnyConnect`] once, at their start, and keep a
//! small cursor a metric. Elsewhere a match a call is nothing beside the reading.

use std::time::Duration;

use skywatch_algorithms::Series;

use super::embedded::{EmbeddedConnect, EmbeddedCursor, EmbeddedStore};
use super::redis::{RedisConnect, RedisCursor, RedisStore};
use super::{Connect, EachFetched, EachTail, Fetched, Points, Sample, SavedCursor, StoreError, Tail, Trim};

/// Makes handles on the store that the settings name.
#[derive(Clone)]
pub enum AnyConnect {
    /// A Redis.
    Redis(RedisConnect),
    /// The engine in the state folder.
    Embedded(EmbeddedConnect),
}

/// A handle on either store.
pub enum AnyStore {
    /// On a Redis.
    Redis(Box<RedisStore>),
    /// On the engine in the state folder.
    Embedded(EmbeddedStore),
}

/// How far a reader has read a metric of either store.
#[derive(Debug)]
pub enum AnyCursor {
    /// Of a Redis.
    Redis(RedisCursor),
    /// Of the engine in the state folder.
    Embedded(EmbeddedCursor),
}

/// The same expression for whichever store it is.
macro_rules! either {
    ($any:expr, $one:ident => $call:expr) => {
        match $any {
            Self::Redis($one) => $call,
            Self::Embedded($one) => $call,
        }
    };
}

impl AnyCursor {
    fn redis(&self) -> Option<&RedisCursor> {
        match self {
            Self::Redis(cursor) => Some(cursor),
            Self::Embedded(_) => None,
        }
    }

    fn embedded(&self) -> Option<&EmbeddedCursor> {
        match self {
            Self::Embedded(cursor) => Some(cursor),
            Self::Redis(_) => None,
        }
    }
}

impl SavedCursor for AnyCursor {
    fn write(&self, bytes: &mut Vec<u8>) {
        either!(self, cursor => cursor.write(bytes));
    }

    /// Cursors of the embedded store are not saved.
    fn read(bytes: &[u8]) -> Option<Self> {
        RedisCursor::read(bytes).map(Self::Redis)
    }
}

impl Connect for AnyConnect {
    type Store = AnyStore;

    fn connect(&self) -> Result<AnyStore, StoreError> {
        Ok(match self {
            Self::Redis(connect) => AnyStore::Redis(Box::new(connect.connect()?)),
            Self::Embedded(connect) => AnyStore::Embedded(connect.connect()?),
        })
    }

    fn describe(&self) -> String {
        either!(self, connect => connect.describe())
    }

    fn within(&self, limit: Duration) -> Self {
        match self {
            Self::Redis(connect) => Self::Redis(connect.within(limit)),
            Self::Embedded(connect) => Self::Embedded(connect.within(limit)),
        }
    }

    fn trimmer(&self) -> Result<Option<Box<dyn Trim>>, StoreError> {
        either!(self, connect => connect.trimmer())
    }
}

impl Points for AnyStore {
    type Cursor = AnyCursor;

    fn append(&mut self, batch: &[Sample<'_>]) -> Result<(), StoreError> {
        either!(self, store => store.append(batch))
    }

    fn fetch(
        &mut self,
        metrics: &[&str],
        into: &mut Series,
        each: &mut EachFetched<'_, AnyCursor>,
    ) -> Result<(), StoreError> {
        match self {
            Self::Redis(store) => store.fetch(metrics, into, &mut |index, series, fetched| {
                each(index, series, fetched_as(fetched, AnyCursor::Redis));
            }),
            Self::Embedded(store) => store.fetch(metrics, into, &mut |index, series, fetched| {
                each(index, series, fetched_as(fetched, AnyCursor::Embedded));
            }),
        }
    }

    fn fetch_last(
        &mut self,
        metrics: &[&str],
        points: usize,
        into: &mut Series,
        each: &mut EachFetched<'_, AnyCursor>,
    ) -> Result<(), StoreError> {
        match self {
            Self::Redis(store) => store.fetch_last(metrics, points, into, &mut |index, series, fetched| {
                each(index, series, fetched_as(fetched, AnyCursor::Redis));
            }),
            Self::Embedded(store) => {
                store.fetch_last(metrics, points, into, &mut |index, series, fetched| {
                    each(index, series, fetched_as(fetched, AnyCursor::Embedded));
                })
            }
        }
    }

    fn fetch_tails(
        &mut self,
        asks: &[(&str, &AnyCursor)],
        into: &mut Series,
        each: &mut EachTail<'_, AnyCursor>,
    ) -> Result<(), StoreError> {
        // A cursor of the other store says nothing here: its series is to be read whole.
        match self {
            Self::Redis(store) => tails(
                store.as_mut(),
                asks,
                AnyCursor::redis,
                AnyCursor::Redis,
                into,
                each,
            ),
            Self::Embedded(store) => tails(store, asks, AnyCursor::embedded, AnyCursor::Embedded, into, each),
        }
    }
}

fn tails<S: Points>(
    store: &mut S,
    asks: &[(&str, &AnyCursor)],
    own: fn(&AnyCursor) -> Option<&S::Cursor>,
    wrap: fn(S::Cursor) -> AnyCursor,
    into: &mut Series,
    each: &mut EachTail<'_, AnyCursor>,
) -> Result<(), StoreError> {
    let mut places = Vec::with_capacity(asks.len());
    let mut asked = Vec::with_capacity(asks.len());
    for (index, (metric, cursor)) in asks.iter().enumerate() {
        match own(cursor) {
            Some(cursor) => {
                places.push(index);
                asked.push((*metric, cursor));
            }
            None => each(index, into, Tail::Lost),
        }
    }
    store.fetch_tails(&asked, into, &mut |index, series, tail| {
        let tail = match tail {
            Tail::Unchanged => Tail::Unchanged,
            Tail::New { cursor, report } => Tail::New {
                cursor: wrap(cursor),
                report,
            },
            Tail::Lost => Tail::Lost,
            Tail::Missing => Tail::Missing,
            Tail::Unreadable(why) => Tail::Unreadable(why),
        };
        each(places[index], series, tail);
    })
}

fn fetched_as<C>(fetched: Fetched<C>, wrap: fn(C) -> AnyCursor) -> Fetched<AnyCursor> {
    match fetched {
        Fetched::Found { cursor, report } => Fetched::Found {
            cursor: wrap(cursor),
            report,
        },
        Fetched::Missing => Fetched::Missing,
        Fetched::Unreadable(why) => Fetched::Unreadable(why),
    }
}

questions_of_either!(AnyStore, either);
