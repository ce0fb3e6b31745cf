//! What a worker keeps of one metric between passes.
//!
//! Beside the canonical window and what is known of the metric the last verdict is kept, and serves as long as nothing
//! new comes; only age can then change it.

use skywatch_algorithms::streaming::Adaptive;
use skywatch_algorithms::{Series, Verdict, Window};

use super::adaptive_metric::AdaptiveMetric;
use super::cache::{CachedWindow, WindowBuffer};
use super::evaluator::MetricKnowledge;
use super::inquiry::MetricSnapshot;
use super::pending_points::PendingPoints;
use super::reading_position::{self, ReadingPosition};
use super::rule::{SILENT_STEPS, stale_after};
use crate::store::SavedCursor;

/// Age of the last point from which a metric counts as falling silent, seconds, as in the original, if that is more than
/// [`SILENT_STEPS`] of its own steps.
const SILENT_AFTER: f64 = 300.0;

/// What a worker keeps of one metric; `C` is the store's cursor.
pub(super) struct TrackedMetric<C> {
    /// Where the stored stream was read up to; `None` before the first whole read.
    pub(super) cursor: Option<C>,
    pub(super) known: MetricKnowledge,
    /// All of it, or nothing where the pending points are enough.
    pub(super) window: CachedWindow,
    /// What the metric's state has not learnt, where the window is not kept.
    pub(super) pending: PendingPoints,
    /// Where the window is not kept: time of its first point when it was last read whole, Unix seconds, else NaN.
    pub(super) begins: f64,
    /// Whether it is judged by classic votes until the adaptive profile, which is the profile, has learnt its window.
    pub(super) is_unlearnt: bool,
    /// The last verdict and the time of the last point it saw, Unix seconds.
    pub(super) last: Option<(Verdict, f64)>,
    /// Mean seconds between two points, in the classic profile.
    pub(super) step: f32,
    /// Number of the last pass that was done with the metric.
    pub(super) done_in: u64,
    /// The store had nothing new: the cursor lent to it is still the right one.
    pub(super) unchanged: bool,
}

impl<C> Default for TrackedMetric<C> {
    fn default() -> Self {
        Self {
            cursor: None,
            known: MetricKnowledge::default(),
            window: CachedWindow::default(),
            pending: PendingPoints::default(),
            begins: f64::NAN,
            is_unlearnt: false,
            last: None,
            step: 0.0,
            done_in: 0,
            unchanged: false,
        }
    }
}

impl<C> TrackedMetric<C> {
    /// Whether pass `number` is done with the metric.
    pub(super) fn is_done(&self, number: u64) -> bool {
        self.done_in == number
    }

    /// Heap bytes of the cached window.
    pub(super) fn bytes(&self) -> usize {
        self.window.bytes()
    }

    /// What the adaptive profile knows of it.
    pub(super) fn state(&self) -> Option<&AdaptiveMetric> {
        self.known.state.as_deref()
    }

    /// The same, to be changed.
    pub(super) fn state_mut(&mut self) -> Option<&mut AdaptiveMetric> {
        self.known.state.as_deref_mut()
    }

    /// How far the adaptive profile, which is the profile, has learnt a metric that was looked at and is not judged yet: the
    /// share of the points it needs, and when it will have them, Unix seconds, if that can be told.
    pub(super) fn warmth(&self) -> Option<(f64, Option<f64>)> {
        match self.state() {
            Some(state) => {
                let state = state.adaptive();
                (!state.is_ready()).then(|| (state.warmth(), state.ready_at()))
            }
            None if self.last.is_none() || self.is_unlearnt => None,
            None => {
                let (enough, points) = (f64::from(Adaptive::ENOUGH), self.window.points() as f64);
                let ready_at = self.window.last_time().zip(self.window.step());
                Some((
                    (points / enough).min(1.0),
                    ready_at.map(|(last, step)| last + (enough - points) * step),
                ))
            }
        }
    }

    /// Age of the last point from which the metric counts as falling silent, seconds.
    pub(super) fn silent_after(&self) -> f64 {
        let step = match self.state() {
            Some(state) => state.adaptive().step(),
            None => self.window.step().unwrap_or(f64::from(self.step)),
        };
        SILENT_AFTER.max(SILENT_STEPS * step)
    }

    /// Age of the last point from which the metric is stale, seconds.
    pub(super) fn stale_after(&self, stale_period: f64) -> f64 {
        self.state()
            .map_or(stale_period, |state| stale_after(state.adaptive(), stale_period))
    }

    /// What is known of it, for somebody who asks.
    pub(super) fn snapshot(&self) -> MetricSnapshot {
        let window = self.cursor.is_some().then(|| {
            let mut buffer = WindowBuffer::default();
            let window = self.window.window(&mut buffer);
            let mut kept = Series::default();
            kept.times.extend_from_slice(window.times());
            kept.values.extend_from_slice(window.values());
            kept
        });
        MetricSnapshot {
            pass: self.done_in,
            verdict: self.last,
            window: window.filter(|window| !window.times.is_empty()),
            class: self.known.class,
            learnt: self.state().map(AdaptiveMetric::saved),
        }
    }

    /// Drops the window: the next look reads it whole.
    pub(super) fn forget(&mut self) {
        self.cursor = None;
        self.window = CachedWindow::default();
        self.pending = PendingPoints::default();
        self.begins = f64::NAN;
        self.last = None;
    }

    /// Lets go of a canonical window but for what the metric's state has not learnt of it; `false` without a state.
    pub(super) fn rest_on_tail(&mut self, window: Window<'_>) -> bool {
        let Some(learnt) = self.state().map(AdaptiveMetric::learnt) else {
            return false;
        };
        self.begins = window.times().first().copied().unwrap_or(f64::NAN);
        self.window = CachedWindow::default();
        self.pending.keep(window, learnt);
        true
    }

    /// Time of the newest point that is kept, Unix seconds.
    pub(super) fn last_time(&self) -> Option<f64> {
        self.window.last_time().or_else(|| self.pending.last_time())
    }
}

impl<C: SavedCursor> TrackedMetric<C> {
    /// Appends how far it was read, if that is known and its window is not needed.
    pub(super) fn write_position(&self, bytes: &mut Vec<u8>) {
        if let Some(cursor) = self.cursor.as_ref().filter(|_| self.window.points() == 0) {
            reading_position::write(bytes, cursor, &self.pending, self.begins);
        }
    }

    /// Takes up a state that an earlier run saved, and goes on reading where that stopped, if it is known.
    pub(super) fn resume(&mut self, state: Box<AdaptiveMetric>, position: Option<ReadingPosition<C>>) {
        self.known.state = Some(state);
        if let Some(ReadingPosition {
            cursor,
            pending,
            begins,
        }) = position
        {
            self.cursor = Some(cursor);
            self.pending = pending;
            self.begins = begins;
        }
    }
}
