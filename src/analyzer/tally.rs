//! What a pass counted.
//!
//! Workers fill one tally each and the supervisor adds them up; counts are kept in detector order, as
//! the ensemble gives it, so that adding needs no look-up by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use skywatch_algorithms::{Ballot, BallotMark, Exception};

use crate::status::{PassSummary, Timing};

/// How many metrics are named in the log for one reason of `Other`; the rest are only counted.
const NAMED_PER_REASON: usize = 5;
/// How many different reasons of `Other` are kept apart; the rest fall under one heading.
const REASONS: usize = 50;

/// Counts of one pass, or of one worker's part in it.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Metrics looked at, whatever came of it.
    pub looked_at: u64,
    /// Metrics whose verdict is "anomalous".
    pub anomalous: u64,
    /// Metrics not analyzed, by exception, in the order of [`Exception::ALL`].
    pub exceptions: [u64; Exception::ALL.len()],
    /// Votes for "anomalous" among anomalous metrics, a detector each.
    pub breakdown: Vec<u64>,
    /// Times each detector was asked.
    pub times_run: Vec<u64>,
    /// The same among metrics judged by the adaptive profile, by its detectors' names.
    pub adaptive: BTreeMap<&'static str, u64>,
    /// Metrics the adaptive profile is still learning.
    pub warming: u64,
    /// Metrics judged by classic votes until the adaptive profile has learnt their windows.
    pub unlearnt: u64,
    /// When the first of those it is learning has been learnt, Unix seconds, as far as that is known.
    pub first_ready: Option<f64>,
    /// Why metrics were counted as [`Exception::Other`].
    pub reasons: BTreeMap<String, Reason>,
    /// Keys read whole although their window was cached.
    pub refetched: u64,
    /// Points that came when later ones had been learnt; they change windows only.
    pub late_points: u64,
    /// Points a stored stream held that no window can use: nil, not a number, cut off at the end.
    pub unusable_points: u64,
}

/// How often one reason occurred, and with which metrics first.
#[derive(Debug, Clone, Default)]
pub struct Reason {
    /// Metrics concerned.
    pub count: u64,
    /// The first few of them by name.
    pub metrics: Vec<Arc<str>>,
}

impl Tally {
    /// An empty tally for an ensemble of `detectors`.
    pub fn new(detectors: usize) -> Self {
        Self {
            breakdown: vec![0; detectors],
            times_run: vec![0; detectors],
            ..Self::default()
        }
    }

    /// Counts one judged metric.
    pub fn judged(&mut self, anomalous: bool, ballot: Ballot) {
        self.looked_at += 1;
        for (times_run, mark) in self.times_run.iter_mut().zip(ballot.marks()) {
            *times_run += u64::from(mark != BallotMark::NotCast);
        }
        if anomalous {
            self.anomalous += 1;
            for (votes, mark) in self.breakdown.iter_mut().zip(ballot.marks()) {
                *votes += u64::from(mark == BallotMark::Anomalous);
            }
        }
    }

    /// Counts one metric that the adaptive profile found anomalous, by the names of the detectors that say so.
    pub fn found(&mut self, voters: impl Iterator<Item = &'static str>) {
        self.looked_at += 1;
        self.anomalous += 1;
        for detector in voters {
            *self.adaptive.entry(detector).or_default() += 1;
        }
    }

    /// Counts one metric that the adaptive profile is still learning.
    pub fn warming(&mut self, ready_at: Option<f64>) {
        self.warming += 1;
        self.first_ready = earlier(self.first_ready, ready_at);
    }

    /// Counts one metric that was not analyzed.
    pub fn excepted(&mut self, exception: Exception) {
        self.looked_at += 1;
        self.exceptions[exception.index()] += 1;
    }

    /// Counts one metric that was not analyzed for a reason of its own.
    pub fn other(&mut self, metric: &Arc<str>, reason: String) {
        self.excepted(Exception::Other);
        let full = self.reasons.len() >= REASONS && !self.reasons.contains_key(&reason);
        let reason = if full {
            "further reasons".to_owned()
        } else {
            reason
        };
        let entry = self.reasons.entry(reason).or_default();
        entry.count += 1;
        if entry.metrics.len() < NAMED_PER_REASON {
            entry.metrics.push(Arc::clone(metric));
        }
    }

    /// Metrics that were judged.
    pub fn analyzed(&self) -> u64 {
        self.looked_at - self.exceptions.iter().sum::<u64>()
    }

    /// Writes the counts into a summary; `detectors` and their sampled seconds in tally order.
    pub fn write_into(&self, summary: &mut PassSummary, detectors: &[&str], samples: &mut [Vec<f64>]) {
        summary.analyzed = self.analyzed();
        summary.anomalies = self.anomalous;
        summary.refetched = self.refetched;
        summary.unusable_points = self.unusable_points;
        summary.late_points = self.late_points;
        summary.warming = self.warming;
        summary.unlearnt = self.unlearnt;
        summary.first_verdicts_at = self.first_ready;
        for (detector, votes) in &self.adaptive {
            summary.breakdown.insert((*detector).to_owned(), *votes);
        }
        summary.exceptions = Exception::ALL
            .iter()
            .map(|e| (e.name().to_owned(), self.exceptions[e.index()]))
            .collect();
        for (index, &detector) in detectors.iter().enumerate() {
            summary
                .breakdown
                .insert(detector.to_owned(), self.breakdown[index]);
            let timing = timing(self.times_run[index], &mut samples[index]);
            summary.timings.insert(detector.to_owned(), timing);
        }
    }

    /// Adds another worker's counts.
    pub fn add(&mut self, other: &Tally) {
        self.looked_at += other.looked_at;
        self.anomalous += other.anomalous;
        self.refetched += other.refetched;
        self.unusable_points += other.unusable_points;
        self.late_points += other.late_points;
        for (detector, votes) in &other.adaptive {
            *self.adaptive.entry(detector).or_default() += votes;
        }
        self.warming += other.warming;
        self.unlearnt += other.unlearnt;
        self.first_ready = earlier(self.first_ready, other.first_ready);
        add_each(&mut self.exceptions, &other.exceptions);
        add_each(&mut self.breakdown, &other.breakdown);
        add_each(&mut self.times_run, &other.times_run);
        for (reason, theirs) in &other.reasons {
            let ours = self.reasons.entry(reason.clone()).or_default();
            ours.count += theirs.count;
            let room = NAMED_PER_REASON.saturating_sub(ours.metrics.len());
            ours.metrics.extend(theirs.metrics.iter().take(room).cloned());
        }
    }
}

fn timing(times_run: u64, samples: &mut [f64]) -> Timing {
    if samples.is_empty() {
        return Timing {
            times_run,
            ..Timing::default()
        };
    }
    let mean = samples.iter().sum::<f64>() / samples.len() as f64;
    let middle = samples.len() / 2;
    let (_, median, _) = samples.select_nth_unstable_by(middle, f64::total_cmp);
    Timing {
        times_run,
        total_time: mean * times_run as f64,
        median_time: *median,
    }
}

/// The earlier of two moments that may not be known.
fn earlier(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn add_each(ours: &mut [u64], theirs: &[u64]) {
    for (a, b) in ours.iter_mut().zip(theirs) {
        *a += b;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn analyzed_is_what_no_exception_took() {
        let mut tally = Tally::new(2);
        tally.excepted(Exception::Stale);
        tally.other(&Arc::from("a"), "panic".to_owned());
        tally.judged(false, Ballot::default());
        assert_eq!((tally.looked_at, tally.analyzed()), (3, 1));
        let mut sum = Tally::new(2);
        sum.add(&tally);
        sum.add(&tally);
        assert_eq!(sum.exceptions[Exception::Stale.index()], 2);
        assert_eq!(sum.reasons["panic"].count, 2);
        assert_eq!(sum.reasons["panic"].metrics.len(), 2);
    }

    #[test]
    fn timings_scale_the_sample_to_the_times_run() {
        let timing = timing(100, &mut [3.0, 1.0, 2.0]);
        assert_eq!(
            timing,
            Timing {
                times_run: 100,
                total_time: 200.0,
                median_time: 2.0
            }
        );
        assert_eq!(super::timing(7, &mut []).times_run, 7);
    }

    #[test]
    fn reasons_and_names_stay_bounded() {
        let mut tally = Tally::new(0);
        for n in 0..1000 {
            tally.other(&Arc::from("m"), format!("reason {n}"));
        }
        assert!(tally.reasons.len() <= REASONS + 1);
        assert_eq!(tally.reasons.values().map(|r| r.count).sum::<u64>(), 1000);
    }
}
