//! One subject, and what it costs in memory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use skywatch_algorithms::verdicts::{HealthObservation, HealthView, Track};

use super::records::{Expiry, ReportOrigin};

/// Nanoseconds; numbers of reports count microseconds.
pub(super) const MICROSECOND: i64 = 1_000;
/// Estimated bytes an observation takes with its place in a view, and what each metric adds.
const OBSERVATION_BYTES: usize = 120;
const METRIC_BYTES: usize = 24;
/// Estimated bytes of a view and of a subject, with their places in maps.
pub(super) const VIEW_BYTES: usize = 250;
pub(super) const SUBJECT_BYTES: usize = 450;

/// All that is known of one subject.
#[derive(Debug, Default)]
pub(super) struct PlaneSubject {
    /// Since when it is watched; `None` for one that only others told us not to tell them of.
    pub(super) watched: Option<i64>,
    pub(super) views: BTreeMap<Arc<str>, Kept>,
    pub(super) ignored_by: BTreeSet<Arc<str>>,
    pub(super) track: Option<Track>,
    /// When its assessment is due; `i64::MAX` for never. There may be older entries in the heap.
    pub(super) due: i64,
}

/// A view, and the number of each of its observations.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) view: HealthView,
    pub(super) numbers: VecDeque<(u64, bool)>,
    /// The last number of each server that has told us of this.
    pub(super) learned: Vec<ReportOrigin>,
}

impl Kept {
    /// Drops observations and adds their numbers to `gone`.
    pub(super) fn expire(&mut self, expiry: Expiry, gone: &mut Vec<u64>) {
        let newest = self.view.len().saturating_sub(1);
        let newest_at = self.view.newest().map_or(0, HealthObservation::at);
        let numbers = &self.numbers;
        let before = gone.len();
        self.view.retain(|position, seen| {
            let number = numbers.get(position).map_or(0, |(number, _)| *number);
            let stays = match expiry {
                Expiry::MadeBefore(limit) => seen.at() > limit,
                Expiry::BehindNewest(span) => {
                    position == newest || newest_at.saturating_sub(seen.at()) < span
                }
                Expiry::CameBefore(limit) => number >= u64::try_from(limit / MICROSECOND).unwrap_or(0),
            };
            if !stays {
                gone.push(number);
            }
            stays
        });
        let dropped = &gone[before..];
        self.numbers.retain(|(number, _)| !dropped.contains(number));
    }
}

/// Estimated bytes of an observation.
pub(super) fn cost(observation: &HealthObservation) -> usize {
    OBSERVATION_BYTES + METRIC_BYTES * observation.metrics().len()
}

/// Estimated bytes of a view.
pub(super) fn bytes_of(observer: &str, kept: &Kept) -> usize {
    VIEW_BYTES + observer.len() + kept.view.iter().map(cost).sum::<usize>()
}
