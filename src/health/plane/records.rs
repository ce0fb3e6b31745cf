//! What goes into a plane and what comes out of it: reports, what became of them, and changes to be written down.

use std::sync::Arc;

use skywatch_algorithms::verdicts::{HealthEvidence, HealthObservation, Status, Transition};

/// A report, checked but not kept yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming<'m> {
    /// Who saw it.
    pub observer: &'m str,
    /// Of whom.
    pub subject: &'m str,
    /// When, in Unix nanoseconds.
    pub at: i64,
    /// What: names, statuses, scores.
    pub metrics: Vec<(&'m str, Status, f32)>,
}

/// Where a learned report came from: the server, and its number there (0 for none).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportOrigin {
    /// The id of the server.
    pub source: Arc<str>,
    /// Its number there.
    pub sequence: u64,
}

/// What became of a report.
#[derive(Debug, Clone, PartialEq)]
pub enum Taken {
    /// It is kept.
    Accepted(Accepted),
    /// It was kept before.
    Repeat,
    /// Nobody is interested; it is held for a while.
    Ignored,
}

/// A report that is kept, for others to be told.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// Its number.
    pub sequence: u64,
    /// Of whom it is.
    pub subject: Arc<str>,
    /// Who saw it.
    pub observer: Arc<str>,
    /// What was seen.
    pub observation: Arc<HealthObservation>,
    /// Whether the subject is watched since this report only.
    pub is_new: bool,
    /// Servers that do not want it.
    pub ignored_by: Vec<Arc<str>>,
}

/// A change of a subject's state, with what led to it.
#[derive(Debug, Clone, PartialEq)]
pub struct PlaneChange {
    /// Of whom.
    pub subject: Arc<str>,
    /// From what to what.
    pub transition: Transition,
    /// The deciding votes.
    pub evidence: Vec<HealthEvidence>,
}

/// One change of what is known, to be written down.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    /// A report was added to its view.
    Observation {
        /// Its number.
        sequence: u64,
        /// Of whom.
        subject: Arc<str>,
        /// By whom.
        observer: Arc<str>,
        /// What.
        observation: Arc<HealthObservation>,
        /// From which server, if it was learned.
        origin: Option<ReportOrigin>,
    },
    /// A newer report has taken the place of the one with this number.
    Superseded(u64),
    /// Reports that are no longer known.
    Forgotten(Vec<u64>),
    /// A subject is watched since this time.
    Watched(Arc<str>, i64),
    /// A subject is no longer watched.
    Unwatched(Arc<str>),
    /// An observer of a module got a handle.
    Registered {
        /// The handle.
        handle: u64,
        /// The module.
        module: Arc<str>,
        /// The observer.
        observer: Arc<str>,
        /// When, in Unix nanoseconds.
        at: i64,
    },
    /// A server does not want to hear of a subject.
    Ignoring(Arc<str>, Arc<str>),
    /// A server wants to hear of a subject again.
    Attending(Arc<str>, Arc<str>),
    /// A subject's state changed.
    Changed(PlaneChange),
}

/// Which observations are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// Those made at this time or before. Unix nanoseconds.
    MadeBefore(i64),
    /// Those made so long before the newest of their view, which stays. Nanoseconds.
    BehindNewest(i64),
    /// Those that came before this time. Unix nanoseconds.
    CameBefore(i64),
}
