//! How much the plane takes in, and why a report or a question is refused.

use skywatch_algorithms::verdicts::SECOND;

/// Bounds on what others send. What is beyond them is refused and counted; what is kept stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthLimits {
    /// Subjects watched at the same time.
    pub subjects: usize,
    /// Observers that may register, over the life of the file.
    pub observers: usize,
    /// Observers that may report about one subject.
    pub views: usize,
    /// Metrics in one report.
    pub metrics: usize,
    /// Bytes in a name: of a subject, an observer, a module or a metric.
    pub name: usize,
    /// Bytes of memory for all that is reported, as estimated while it comes and goes.
    pub memory: usize,
    /// How far ahead of our clock an observer's may be, in nanoseconds.
    pub ahead: i64,
}

impl Default for HealthLimits {
    fn default() -> Self {
        Self {
            subjects: 100_000,
            observers: 100_000,
            views: 1_000,
            metrics: 100,
            name: 256,
            memory: 512 << 20,
            ahead: 300 * SECOND,
        }
    }
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HealthRefusal {
    /// The handle of nobody. The text is the original's.
    #[error("Invalid submission handle")]
    UnknownHandle,
    /// The handle of another observer.
    #[error("handle {handle} was given to another observer")]
    ForeignHandle {
        /// The handle.
        handle: u64,
    },
    /// A part that must be there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A name beyond [`HealthLimits::name`].
    #[error("{what} of {length} bytes, at most {limit} are taken")]
    NameTooLong {
        /// Whose name.
        what: &'static str,
        /// Its bytes.
        length: usize,
        /// How many it may have.
        limit: usize,
    },
    /// A report beyond [`HealthLimits::metrics`].
    #[error("{given} metrics in one report, at most {limit} are taken")]
    TooManyMetrics {
        /// How many there are.
        given: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A status that is none.
    #[error("{0} is no status")]
    Status(i32),
    /// A score that is no number.
    #[error("a score is no finite number")]
    Score,
    /// A time that is none, or none that can be kept.
    #[error("a time is out of range")]
    Time,
    /// A time beyond [`HealthLimits::ahead`].
    #[error("a time is {seconds} s in the future")]
    Future {
        /// By how much.
        seconds: i64,
    },
    /// There is no room: for what, and the limit.
    #[error("no room for more {what}: {limit} are kept")]
    Full {
        /// What there are too many of.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
}

impl HealthRefusal {
    /// Whether there would be room at another time; otherwise what was sent is wrong and stays wrong.
    #[must_use]
    pub fn is_shortage(&self) -> bool {
        matches!(self, Self::Full { .. })
    }

    /// Its name as a counter.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::UnknownHandle | Self::ForeignHandle { .. } => "handle",
            Self::Missing(_) => "incomplete",
            Self::NameTooLong { .. } => "name",
            Self::TooManyMetrics { .. } => "metrics",
            Self::Status(_) | Self::Score => "value",
            Self::Time | Self::Future { .. } => "time",
            Self::Full { .. } => "full",
        }
    }
}
