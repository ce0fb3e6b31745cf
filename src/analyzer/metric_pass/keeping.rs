//! What is kept of a metric between two looks: its window, or the points that its state has not learnt.

use std::mem;
use std::sync::Arc;

use skywatch_algorithms::Series;

use super::super::adaptive_metric::AdaptiveMetric;
use super::{JudgingContext, MetricPass};

impl<C> MetricPass<'_, C> {
    /// Whether no more of the metric's window is kept than what its state has not learnt.
    pub(super) fn is_on_tail(&self) -> bool {
        self.metric.state().is_some()
            && self.metric.window.points() == 0
            && self.context.may_live_on_tail(self.name)
    }

    pub(super) fn was_taught(&self) -> bool {
        let adaptive = self.context.evaluator.adaptive();
        adaptive.is_some_and(|adaptive| adaptive.was_taught(self.name))
    }

    /// Judges a window that was read whole and has a cursor, and keeps of it what is needed.
    pub(super) fn look_at_whole(&mut self, series: &Series) {
        let window = series.sorted_window();
        if !self.context.may_live_on_tail(self.name) {
            self.keep(series);
            return self.look(window, true);
        }
        self.look(window, true);
        // Without a state it waits for more points, there was no time for it, or it panicked.
        if !self.metric.rest_on_tail(window) {
            self.keep(series);
        }
    }

    /// Judges the points that the metric's state has not learnt, with `new` ones, and keeps those that are left.
    pub(super) fn look_at_tail(&mut self, new: Option<&Series>) {
        let mut tail = mem::take(&mut self.context.tail);
        tail.clear();
        self.metric.pending.add_to(&mut tail);
        if let Some(new) = new {
            tail.times.extend_from_slice(&new.times);
            tail.values.extend_from_slice(&new.values);
        }
        let (clock, context) = (self.context.clock(self.pass), &self.context);
        tail.canonicalise_until(clock, context.options.full_duration, context.same_time);
        self.look(tail.sorted_window(), false);
        match self.metric.state().map(AdaptiveMetric::learnt) {
            Some(learnt) => self.metric.pending.keep(tail.sorted_window(), learnt),
            // It panicked, and begins anew with its whole window.
            None => self.metric.forget(),
        }
        self.context.tail = tail;
    }

    /// Adds new points to what is kept, and judges that.
    pub(super) fn append(&mut self, new: &Series) {
        // The old verdict has not seen the new points, whether or not there is time to judge them.
        let before = self.metric.last.take().map(|(_, last_time)| last_time);
        if let Some(state) = self.metric.state() {
            let late = new.times.iter().filter(|&&time| time <= state.learnt());
            self.pass.report.tally.late_points += late.count() as u64;
        }
        match self.is_on_tail() {
            true => self.look_at_tail(Some(new)),
            false => self.append_to_window(new),
        }
        if let (Some(before), Some((_, last_time))) = (before, self.metric.last)
            && last_time - before > self.metric.silent_after()
        {
            self.pass.report.back.push(Arc::clone(self.name));
        }
    }

    /// Adds new points to the cached window and judges it.
    pub(super) fn append_to_window(&mut self, new: &Series) {
        let full_duration = self.context.options.full_duration;
        if self.metric.state().is_none() && self.metric.window.outgrows(new, full_duration) {
            self.learn_cached();
        }
        let clock = self.context.clock(self.pass);
        let JudgingContext { same_time, spare, .. } = &mut *self.context;
        self.metric
            .window
            .append(new, clock, full_duration, *same_time, spare);
        self.look_at_cached();
    }

    /// Keeps a window if there is room for it; if not, the next pass reads it whole again.
    pub(super) fn keep(&mut self, series: &Series) {
        let context = &mut *self.context;
        let others = context.cached_bytes.saturating_sub(self.metric.bytes());
        self.metric.window.store(series);
        if self.metric.window.bytes() > context.options.cache_bytes.saturating_sub(others) {
            let last = self.metric.last;
            self.metric.forget();
            self.metric.last = last;
            context.cached_bytes = others;
            self.pass.report.without_room += 1;
            return;
        }
        context.cached_bytes = others + self.metric.bytes();
    }

    /// Gives a metric that had no need of one a state before its window loses points. None of them can be an alarm. One that
    /// there was no time to learn goes without: it is learnt from whatever its window holds then.
    pub(super) fn learn_cached(&mut self) {
        let Self { context, metric, .. } = self;
        let Some(adaptive) = context
            .evaluator
            .adaptive_mut()
            .filter(|_| metric.known.state.is_none() && !metric.is_unlearnt)
        else {
            return;
        };
        let window = metric.window.window(&mut context.buffer);
        if !window.times().is_empty() {
            // What panics is counted when it panics again, a moment later.
            let _ = adaptive.evaluate(self.name, &mut metric.known.state, window, true, self.pass.now);
        }
    }

    /// Judges the cached window, which gives way to the state if that comes of it.
    pub(super) fn look_at_cached(&mut self) {
        let window = mem::take(&mut self.metric.window);
        let mut buffer = mem::take(&mut self.context.buffer);
        let canonical = window.window(&mut buffer);
        self.look(canonical, true);
        if !self.context.may_live_on_tail(self.name) || !self.metric.rest_on_tail(canonical) {
            self.metric.window = window;
        }
        self.context.buffer = buffer;
    }
}
