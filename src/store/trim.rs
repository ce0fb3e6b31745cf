//! Cutting away what no window reaches any more, metric by metric.
//!
//! The decision a reader would question: nothing is sorted and nothing is made unique here, as the original's trimmer
//! does. Readers make every window canonical anyway, so a trim only has to remove; what it leaves keeps its place,
//! and a reader of tails finds it again.

use std::ops::ControlFlow;
use std::time::Duration;

use super::{Keys, Names, StoreError, Unreadable};

/// A handle that trims. One thread uses it; calls block on the network.
///
/// Work is cut into slices that keep the server busy for some two milliseconds at most, as the server's own clock
/// tells; between two of them [`Watch::worked`] decides how long the store is left to others.
///
/// Others may append to a metric, trim it or replace it at any moment. Whatever is removed is compared on the server,
/// byte for byte, with what was judged, in the same step that removes it.
pub trait Trim: Names + Keys {
    /// Looks at metrics and removes their old points where that is worth it: when they are a twenty-fourth of the value.
    /// A metric of nothing but old points goes with its name. What is not a stream of points is left as it is.
    ///
    /// Every metric is reported to [`Watch::trimmed`] once, in no order, unless `watch` ends the work before. On an error,
    /// those reported are done and the others may be or not; trimming them again is harmless.
    fn trim(&mut self, metrics: &[&str], limits: TrimLimits, watch: &mut dyn Watch)
    -> Result<(), StoreError>;

    /// Takes out of the set of names those under which nothing is stored at that very moment, and says how many.
    ///
    /// A writer that makes the value again in the next moment puts the name back itself: it is the one whose append
    /// found nothing there.
    fn remove_empty(&mut self, metrics: &[&str]) -> Result<u64, StoreError>;

    /// Takes the minute of that number (since 1970) for this process, unless another one has within the last `kept`; whether
    /// it is this one's. A store that one process holds has nobody to ask.
    fn claim(&mut self, minute: u64, kept: Duration) -> Result<bool, StoreError> {
        let _ = (minute, kept);
        Ok(true)
    }
}

/// Which points are old, in Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrimLimits {
    /// Points up to this time, inclusive, are old.
    pub before: f64,
    /// The present. A point beyond it says nothing about the age of those behind it.
    pub now: f64,
}

/// Follows the work and sets its pace.
pub trait Watch {
    /// What became of one metric, by its index.
    fn trimmed(&mut self, index: usize, trimmed: Trimmed);

    /// A slice is done that took the server so long. Waits as long as it likes; `Break` ends the work.
    fn worked(&mut self, time: Duration) -> ControlFlow<()>;
}

/// What became of one metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trimmed {
    /// Nothing old, or too little to be worth it.
    Kept,
    /// So many bytes of old points are gone.
    Cut {
        /// Bytes freed.
        bytes: usize,
    },
    /// Every point was old: the value is gone, and the name with it.
    Removed {
        /// Bytes freed.
        bytes: usize,
    },
    /// Somebody else changed the front of the value in the same moment; nothing was done.
    Raced,
    /// Nothing is stored under the name.
    Missing,
    /// Something is stored that is no series. It is left alone.
    Unreadable(Unreadable),
}
