//! How findings get from whoever finds something to the dispatch, which alone writes them down.
//!
//! A finder is any role: it keeps an [`InletClient`] and hands [`FinderReport`]s to it. The dispatch takes [`FromFinder`]s from one
//! channel, whether they come from a thread of its own process or over a Unix socket from another one. Each report has a
//! number and is kept by its client until the dispatch says that it is committed; after a break of the connection, whoever
//! died, what was not confirmed is handed over again, and what was taken already is recognised by its number.

mod client;
pub(crate) mod frames;
mod link;
pub(crate) mod socket;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::Sender;
use serde::{Deserialize, Serialize};
use skywatch_alerters::incident::Observation;

pub use client::{Answers, Inlet, InletAddress, InletClient};
pub(crate) use link::ANSWERS;

use crate::cluster::ShardSet;
use crate::status::{Examination, PassSummary};

/// Who finds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finder {
    /// Its name: that of its role. Of each name one is connected at a time.
    pub name: String,
    /// This run of it, as no other is called.
    pub run: String,
    /// The kind of subject, as [`SubjectKind::name`](skywatch_alerters::SubjectKind::name) has it, that it is to be told the
    /// live incidents of.
    pub follows: Option<String>,
}

impl Finder {
    /// A finder of this name, in a run of its own.
    pub fn new(name: &str, follows: Option<&str>) -> Self {
        // The library seeds each hasher by the system's randomness and a counter.
        let random = RandomState::new().hash_one(std::process::id());
        Self {
            name: name.to_owned(),
            run: format!("{random:016x}"),
            follows: follows.map(str::to_owned),
        }
    }
}

/// What a finder reports.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "snake_case")]
pub enum FinderReport {
    /// It has looked at its subjects.
    Seen(Box<Observations>),
    /// It can look at nothing, as the store does not answer.
    NoPass {
        /// Why.
        why: String,
        /// Since when, Unix seconds.
        since: f64,
    },
    /// The store answers again, though no pass has ended yet.
    StoreAnswers,
}

impl FinderReport {
    /// Whether a later report says all that this one says.
    fn is_brief(&self) -> bool {
        !matches!(self, Self::Seen(_))
    }
}

/// What a finder saw at one moment.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Observations {
    /// What it saw of subjects, in any order; nothing follows for those that are not among them.
    pub seen: Vec<Observation>,
    /// Kind of subject of which all were looked at: of live incidents about others of this kind nothing is known from now on.
    pub all_of: Option<String>,
    /// The virtual shards whose metrics were looked at, where there are several nodes: `all_of` speaks for these only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shards: Option<ShardSet>,
    /// What a pass over all metrics shows beyond its metrics.
    pub pass: Option<Box<PassNews>>,
}

/// What a pass over all metrics shows beyond its metrics.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PassNews {
    /// The pass in figures.
    pub summary: PassSummary,
    /// Metrics that have fallen silent and are not stale yet.
    pub silent: Vec<String>,
    /// Metrics that have spoken again after they had been silent.
    pub back: Vec<String>,
    /// Time of the newest point of any metric, Unix seconds; 0 when there is none.
    pub newest: f64,
    /// Why the store failed while the pass was under way, if it did.
    pub cut_short: Option<String>,
}

/// The number of a finder's connection, as no other has it in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId(u64);

impl ConnectionId {
    /// The next one.
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// To the dispatch.
#[derive(Debug)]
pub enum FromFinder {
    /// A finder is there, and hears on this channel; another of the same name is gone.
    Connected {
        /// Who.
        finder: Finder,
        /// Its number in this process.
        connection: ConnectionId,
        /// Where it hears. Once nobody holds this any more the connection ends, and the finder makes another one.
        answers: Sender<ToFinder>,
    },
    /// The connection has ended.
    Gone {
        /// Whose.
        finder: Arc<Finder>,
        /// Its number.
        connection: ConnectionId,
    },
    /// A report.
    Report {
        /// Whose.
        finder: Arc<Finder>,
        /// Its number, rising within a run.
        number: u64,
        /// What it says.
        report: Arc<FinderReport>,
    },
    /// The answer to a question.
    Answered {
        /// The question's number.
        question: u64,
        /// What came of it.
        answer: FinderAnswer,
    },
}

/// From the dispatch to a finder.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "to", rename_all = "snake_case")]
pub enum ToFinder {
    /// All reports up to this number are committed.
    Taken {
        /// The number.
        up_to: u64,
    },
    /// Subjects whose incidents live: what becomes of them is to be reported even when they are well.
    Followed {
        /// Their names.
        names: Vec<String>,
    },
    /// Somebody asks what it makes of a metric.
    Examine {
        /// The question's number.
        question: u64,
        /// The metric's name.
        metric: String,
        /// When it is asked, Unix seconds.
        at: f64,
    },
}

/// What a finder makes of a metric; or why it does not say.
pub type FinderAnswer = Result<Box<Examination>, String>;
