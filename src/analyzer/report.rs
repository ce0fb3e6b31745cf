//! What a worker reports of a pass.

use std::sync::Arc;
use std::time::Duration;

use skywatch_alerters::Anomaly;

use super::options::WorkerOptions;
use super::tally::Tally;
use crate::status::{FollowedOutcome, WARMING_SHOWN, Warming};
use crate::store::StoreError;

/// From a worker to the supervisor, one a pass.
pub(crate) struct PassReport {
    /// What was counted.
    pub tally: Tally,
    /// What was found.
    pub anomalies: Vec<Anomaly>,
    /// Followed metrics that are not anomalous.
    pub outcomes: Vec<(Arc<str>, FollowedOutcome)>,
    /// Metrics that have fallen silent and are not stale yet, with the time of their last point.
    pub silent: Vec<(Arc<str>, f64)>,
    /// Some of those that the adaptive profile is still learning.
    pub warming: Vec<Warming>,
    /// Metrics that have spoken again.
    pub back: Vec<Arc<str>>,
    /// Time of the shard's newest point, Unix seconds.
    pub newest: f64,
    /// Metrics the deadline, a lost store or a stop left over.
    pub unfinished: Vec<Arc<str>>,
    /// Thread time waiting for the store, and decoding (the store decodes as it reads).
    pub fetching: Duration,
    /// Thread time judging.
    pub judging: Duration,
    /// Length of the shard's longest window, seconds.
    pub longest: f64,
    /// Length of the canary's window, if the canary is in this shard, seconds.
    pub canary: Option<f64>,
    /// Sampled seconds of each detector.
    pub timings: Vec<Vec<f64>>,
    /// Questions asked of the store once more after it failed to answer.
    pub retried: u64,
    /// Why the store failed for good, if it did.
    pub trouble: Option<StoreError>,
    /// Bytes of cached windows.
    pub cached_bytes: usize,
    /// Metrics read whole because there is no room to keep their windows.
    pub without_room: u64,
}

impl PassReport {
    /// A report of nothing yet.
    pub(crate) fn new(options: &WorkerOptions) -> Self {
        let detectors = options.ensemble.current().detectors().len();
        Self {
            tally: Tally::new(detectors),
            anomalies: Vec::new(),
            outcomes: Vec::new(),
            silent: Vec::new(),
            warming: Vec::new(),
            back: Vec::new(),
            newest: 0.0,
            unfinished: Vec::new(),
            fetching: Duration::ZERO,
            judging: Duration::ZERO,
            longest: 0.0,
            canary: None,
            timings: vec![Vec::new(); detectors],
            retried: 0,
            trouble: None,
            cached_bytes: 0,
            without_room: 0,
        }
    }

    /// Adds another worker's report of the same pass.
    pub(crate) fn add(&mut self, mut other: Self) {
        self.tally.add(&other.tally);
        self.anomalies.append(&mut other.anomalies);
        self.outcomes.append(&mut other.outcomes);
        self.silent.append(&mut other.silent);
        self.warming.append(&mut other.warming);
        self.warming.truncate(WARMING_SHOWN);
        self.back.append(&mut other.back);
        self.newest = self.newest.max(other.newest);
        self.unfinished.append(&mut other.unfinished);
        self.fetching += other.fetching;
        self.judging += other.judging;
        self.longest = self.longest.max(other.longest);
        self.canary = self.canary.or(other.canary);
        for (ours, theirs) in self.timings.iter_mut().zip(other.timings) {
            ours.extend(theirs);
        }
        self.retried += other.retried;
        self.trouble = self.trouble.take().or(other.trouble);
        self.cached_bytes += other.cached_bytes;
        self.without_room += other.without_room;
    }

    /// Leaves out whatever is about metrics that are not `kept`, and answers how many findings that were.
    pub(super) fn retain(&mut self, kept: impl Fn(&str) -> bool) -> u64 {
        let found = |report: &Self| {
            report.anomalies.len() + report.outcomes.len() + report.silent.len() + report.back.len()
        };
        let before = found(self);
        self.anomalies.retain(|anomaly| kept(anomaly.name()));
        self.outcomes.retain(|(name, _)| kept(name));
        self.silent.retain(|(name, _)| kept(name));
        self.back.retain(|name| kept(name));
        self.warming.retain(|warming| kept(&warming.metric));
        self.unfinished.retain(|name| kept(name));
        (before - found(self)) as u64
    }

    /// Hours the canary's window spans; without a canary, the longest window's.
    pub(crate) fn canary_hours(&self, options: &WorkerOptions) -> f64 {
        let seconds = if options.canary.is_empty() {
            self.longest
        } else {
            self.canary.unwrap_or(0.0)
        };
        seconds / 3600.0
    }
}
