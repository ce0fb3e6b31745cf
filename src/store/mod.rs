//! Where points, names and small keys are kept: a Redis in Skyline's own layout, or an embedded
//! engine in the state folder. Both stand behind the same traits and pass the same suite
//! (`tests/store`).
//!
//! The decision a reader would question: reads hand out what is *stored*, duplicates and disorder
//! included, and the canonical order and cut are the caller's (`Series::canonicalise`). Only so
//! can the tail of a series be read alone and still add up to the window a full read would give.
//!
//! Retry and back-off are not here; they belong to the callers that loop, as does when to trim ([`trim`]).

// Before those that use its macro.
#[macro_use]
mod either;

mod any;
pub mod codec;
pub mod embedded;
mod error;
mod probe;
pub mod redis;
pub mod trim;

use std::fmt;
use std::time::{Duration, Instant};

use skywatch_algorithms::Series;

pub use any::{AnyConnect, AnyCursor, AnyStore};
pub use codec::{DecodeReport, Malformed};
pub use error::StoreError;
pub(crate) use probe::probe;
pub use trim::Trim;

/// One point of one metric on its way into the store.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample<'a> {
    /// Name without namespace prefix.
    pub metric: &'a str,
    /// Unix seconds. Must be finite, as must `value`: a point that is not can be stored but never
    /// read back.
    pub time: f64,
    /// The measured value.
    pub value: f64,
}

/// The points of metrics: written in batches, read whole or from where a reader stopped.
///
/// Calls block on the network or the disk. A handle belongs to one thread; [`Connect`] makes as
/// many as are wanted. After an error that [is retryable](StoreError::is_retryable) the same
/// handle may be used again: it reconnects by itself at its next call.
pub trait Points: Send {
    /// How far a reader has read one metric: small, without heap, and meaningful only to the
    /// backend that made it.
    type Cursor: Send + SavedCursor;

    /// Stores a batch and makes its metrics' names known.
    ///
    /// `Ok` says that every sample is stored. A retryable error says that any of them may be
    /// missing: send the whole batch again, as duplicates vanish on reading (at least once).
    /// [`StoreError::Refused`] names metrics that cannot take points; the others are stored.
    fn append(&mut self, batch: &[Sample<'_>]) -> Result<(), StoreError>;

    /// Reads whole series. `each` is called exactly once a metric with its index and, if found,
    /// with the points in `into` as they are stored, undisturbed by sorting; mostly in the order of
    /// `metrics`, but one that needs a second look comes late. Buffers are bounded by bytes, so any
    /// number of metrics may be asked for.
    ///
    /// On an error, the metrics for which `each` was called are good and the others unread.
    fn fetch(
        &mut self,
        metrics: &[&str],
        into: &mut Series,
        each: &mut EachFetched<'_, Self::Cursor>,
    ) -> Result<(), StoreError>;

    /// Reads at least the last `points` stored points of each series, as far as there are so many: for who needs a tail of
    /// very many metrics once and keeps no cursor. Calls back and fails as [`fetch`](Self::fetch) does, which it is for a store in
    /// which the whole costs no more.
    fn fetch_last(
        &mut self,
        metrics: &[&str],
        points: usize,
        into: &mut Series,
        each: &mut EachFetched<'_, Self::Cursor>,
    ) -> Result<(), StoreError> {
        let _ = points;
        self.fetch(metrics, into, each)
    }

    /// Reads what was stored after each cursor was made. Points that the reader knows already may
    /// come again; once merged and made canonical they change nothing. Calls back and fails as
    /// [`fetch`](Self::fetch) does.
    fn fetch_tails(
        &mut self,
        asks: &[(&str, &Self::Cursor)],
        into: &mut Series,
        each: &mut EachTail<'_, Self::Cursor>,
    ) -> Result<(), StoreError>;
}

/// A cursor as bytes, for a later process that goes on where this one stopped.
pub trait SavedCursor: Sized {
    /// Appends it; nothing if a later process could not use it.
    fn write(&self, bytes: &mut Vec<u8>);

    /// Reads what [`write`](Self::write) wrote; `None` for anything else. One that was made of another store's bytes, or of a
    /// series that has changed since, finds its tail [lost](Tail::Lost).
    fn read(bytes: &[u8]) -> Option<Self>;
}

/// Takes one metric that was read whole: its index in the question, the buffer with its points (to
/// be changed as the caller likes), and what was found.
pub type EachFetched<'e, C> = dyn FnMut(usize, &mut Series, Fetched<C>) + 'e;

/// Takes one metric that was read from a cursor on, in the same way.
pub type EachTail<'e, C> = dyn FnMut(usize, &mut Series, Tail<C>) + 'e;

/// What a whole read of one metric found.
#[derive(Debug)]
pub enum Fetched<C> {
    /// The series is in the buffer. It may be empty: a stream of nothing but unusable points.
    Found {
        /// Where a later tail goes on.
        cursor: C,
        /// What decoding met on the way.
        report: DecodeReport,
    },
    /// Nothing is stored under that name: removed by a trimmer, or never written.
    Missing,
    /// Something is stored that is no series.
    Unreadable(Unreadable),
}

/// What a read from a cursor on found.
#[derive(Debug)]
pub enum Tail<C> {
    /// Nothing new; the cursor stays good.
    Unchanged,
    /// New points are in the buffer, perhaps after some that were known.
    New {
        /// Takes the place of the cursor that was asked with.
        cursor: C,
        /// What decoding met on the way.
        report: DecodeReport,
    },
    /// What the cursor remembers is no longer there: fetch the series whole.
    Lost,
    /// Nothing is stored under that name any more.
    Missing,
    /// Something is stored that is no series.
    Unreadable(Unreadable),
}

/// Why what lies under a metric's name cannot be read as its series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// The key is of another type, which is named as Redis names it.
    WrongType(String),
    /// The bytes are not a stream of points.
    Malformed(Malformed),
    /// The value is larger than the reader is set to take.
    TooLarge {
        /// The limit it exceeds, in bytes.
        limit: usize,
    },
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongType(found) => write!(f, "wrong type `{found}`"),
            Self::Malformed(malformed) => malformed.fmt(f),
            Self::TooLarge { limit } => write!(f, "larger than {limit} bytes"),
        }
    }
}

/// The set of known metric names, always without namespace prefix.
pub trait Names: Send {
    /// How many names there are. Costs one round trip and nothing in proportion to the answer.
    fn count(&mut self) -> Result<u64, StoreError>;

    /// A number that is another one once a writer of ours has added a name that was not there, as far as that could be
    /// noted. Shows what the count does not: one name that came as another went. Costs one round trip.
    fn additions(&mut self) -> Result<u64, StoreError>;

    /// Calls `each` at least once for every name that was there throughout, in no order; a name
    /// may come twice.
    fn list(&mut self, each: &mut dyn FnMut(&str)) -> Result<(), StoreError>;

    /// The same, given up with [`StoreError::Unavailable`] once it is `due` and more names are to come. A store in this
    /// process has no need to look at the clock.
    fn list_until(&mut self, due: Instant, each: &mut dyn FnMut(&str)) -> Result<(), StoreError> {
        let _ = due;
        self.list(each)
    }

    /// Adds and removes names. Points are not touched: a name added alone has none, and points
    /// whose name is removed stay until they are trimmed.
    fn change(&mut self, add: &[&str], remove: &[&str]) -> Result<(), StoreError>;
}

/// A few small values under plain keys: up keys, cooldowns, classes that outlive a restart.
pub trait Keys: Send {
    /// One answer a key, in their order; `None` where nothing (or nothing readable) is stored.
    fn get(&mut self, keys: &[&str]) -> Result<Vec<Option<Vec<u8>>>, StoreError>;

    /// Sets every key, each to vanish after `expires_in` if that is given.
    fn set(&mut self, entries: &[(&str, &[u8])], expires_in: Option<Duration>) -> Result<(), StoreError>;

    /// Removes the keys that are there.
    fn remove(&mut self, keys: &[&str]) -> Result<(), StoreError>;
}

/// Everything a store can do, over one handle.
pub trait Store: Points + Names + Keys {
    /// Proves that the store answers; reconnects if it has to.
    fn ping(&mut self) -> Result<(), StoreError>;

    /// What the store says of itself that threatens what it holds. One that throws nothing away has nothing to say.
    fn condition(&mut self) -> Result<Condition, StoreError> {
        Ok(Condition::default())
    }
}

/// What threatens what a store holds, as far as it says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition {
    /// Keys it has thrown away to stay within its memory, since it started.
    pub evicted: Option<u64>,
    /// What it does when its memory is full, in its own words; `None` if it takes nothing more then, which loses nothing.
    pub evicts_by: Option<String>,
    /// The most memory it may take, bytes; 0 for no limit.
    pub limit: u64,
    /// Servers it consists of that do not answer, while others do: why, each.
    pub silent: Vec<String>,
}

/// Makes handles: cheap to clone, shared between threads.
pub trait Connect: Clone + Send + Sync + 'static {
    /// The handle it makes.
    type Store: Store;

    /// A handle that has answered once, so that a wrong address or password shows here.
    fn connect(&self) -> Result<Self::Store, StoreError>;

    /// Where the store is, for people; holds no secret.
    fn describe(&self) -> String;

    /// The same way in for those who would rather have no answer than wait longer than `limit` for one. A store in this
    /// process delays no other one.
    #[must_use]
    fn within(&self, limit: Duration) -> Self {
        let _ = limit;
        self.clone()
    }

    /// A handle that trims metric by metric; `None` for a store that is not trimmed in this way.
    fn trimmer(&self) -> Result<Option<Box<dyn Trim>>, StoreError> {
        Ok(None)
    }
}
