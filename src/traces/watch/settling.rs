//! Changes that last: what a deploy has brought is unusual at first and usual after an hour.
//!
//! A single unusual trace is learnt like any other, or what is called normal would shrink with each fit. While a kind of request
//! has many of them they teach nothing, so that what is wrong stays wrong while it lasts; after an hour without a break detectors
//! are fitted anew with some of these among the others. Traces with a call that failed have no part in that: an outage does not
//! become usual by lasting.

use std::collections::HashMap;
use std::sync::Arc;

use skywatch_algorithms::traces::TraceSpan;

use super::sample::TraceSample;
use crate::traces::ids::TraceId;

/// Seconds that a change must last.
const LASTS: f64 = 3_600.0;
/// Weight of one trace in the share of unusual ones: that of the last fifty.
const WEIGHT: f64 = 1.0 / 50.0;
/// Share of unusual traces from which on a kind counts as changed: this, or so many times what is allowed …
const CHANGED: [f64; 2] = [0.05, 3.0];
/// … and the part of that below which it does no longer.
const BACK: f64 = 0.6;
/// Kinds that are followed.
const KINDS: usize = 2_000;
/// Traces of changes that are kept, and spans of all of them.
const KEPT: [usize; 2] = [1_000, 60_000];

/// Which kinds of requests have changed, and some of their unusual traces.
#[derive(Debug)]
pub(super) struct ChangeTracker {
    kinds: HashMap<String, KindShare>,
    unusual: TraceSample,
}

#[derive(Debug, Default)]
struct KindShare {
    /// Of unusual traces among the last ones.
    unusual: f64,
    /// Since when it counts as changed, Unix seconds.
    since: Option<f64>,
    /// Unusual traces since then, or since it was last taken for usual …
    seen: u64,
    /// … and those among them in which no call failed.
    without_failure: u64,
}

impl KindShare {
    /// Whether it has changed for long enough, and not by failing: most of what is unusual about it has no failed call.
    fn has_lasted(&self, now: f64) -> bool {
        self.since.is_some_and(|since| now - since >= LASTS) && 2 * self.without_failure > self.seen
    }
}

/// Changes that have lasted.
#[derive(Debug, Default)]
pub(super) struct LastingChange {
    /// The kinds of requests that have changed.
    pub(super) kinds: Vec<String>,
    /// Traces of them that were unusual.
    pub(super) traces: Vec<Arc<[TraceSpan]>>,
}

impl Default for ChangeTracker {
    fn default() -> Self {
        Self {
            kinds: HashMap::new(),
            unusual: TraceSample::of(KEPT[0], KEPT[1]),
        }
    }
}

impl ChangeTracker {
    /// Notes whether a judged trace of a kind is unusual, at `now`, where the share `allowed` of normal ones is. Answers whether
    /// the kind counts as changed.
    pub(super) fn note(&mut self, kind: &str, is_unusual: bool, allowed: f64, now: f64) -> bool {
        if !self.kinds.contains_key(kind) && (self.kinds.len() >= KINDS || !is_unusual) {
            return false;
        }
        let share = self.kinds.entry(kind.to_owned()).or_default();
        share.unusual += (f64::from(u8::from(is_unusual)) - share.unusual) * WEIGHT;
        let [least, times] = CHANGED;
        let from = (allowed * times).clamp(least, 0.5);
        if share.unusual > from {
            if share.since.is_none() {
                (share.seen, share.without_failure) = (0, 0);
            }
            share.since.get_or_insert(now);
            share.seen += u64::from(is_unusual);
        } else if share.unusual < from * BACK {
            share.since = None;
        }
        share.since.is_some()
    }

    /// Keeps an unusual trace of a kind that has changed, as far as it may become usual.
    pub(super) fn keep(&mut self, kind: &str, id: TraceId, spans: Vec<TraceSpan>) {
        if spans.iter().all(|span| !span.failed) {
            if let Some(share) = self.kinds.get_mut(kind) {
                share.without_failure += 1;
            }
            self.unusual.offer(id, spans);
        }
    }

    /// How many of these there are.
    pub(super) fn kept(&self) -> usize {
        self.unusual.len()
    }

    /// What has changed an hour before `now`, and not been taken since, if anything has.
    pub(super) fn take_lasting(&mut self, now: f64) -> Option<LastingChange> {
        if self.unusual.len() == 0 || !self.kinds.values().any(|share| share.has_lasted(now)) {
            return None;
        }
        let lasting = self.kinds.iter_mut().filter(|(_, share)| share.has_lasted(now));
        let kinds = lasting.map(|(kind, share)| {
            // What is still unusual once these are learnt has to last anew.
            *share = KindShare::default();
            kind.clone()
        });
        let kinds = kinds.collect();
        let traces = self.unusual.traces();
        self.unusual.begin_anew();
        Some(LastingChange { kinds, traces })
    }
}
