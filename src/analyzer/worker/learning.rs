//! Learning between passes: windows that a pass had no time to learn, the longest first, until the next order comes.
//!
//! What is learnt is on the way to its verdict at the next look; nothing is judged here. A window that is not kept in memory is
//! read again, which takes a tenth of the time that learning it does.

use skywatch_algorithms::Window;

use super::super::cache::WindowBuffer;
use super::Worker;
use crate::store::{Connect, Fetched, Points as _, StoreError};

/// Metrics learnt at a time: some ten milliseconds, for which an order or a question has to wait.
const CHUNK: usize = 16;

impl<K: Connect> Worker<K> {
    /// Takes stock of what is to be learnt after a pass at `now`, Unix seconds.
    pub(super) fn plan_learning(&mut self, now: f64) {
        self.learning_at = now;
        let unlearnt = self
            .metrics
            .iter()
            .enumerate()
            .filter(|(_, metric)| metric.is_unlearnt);
        self.to_learn = unlearnt.map(|(index, _)| index).collect();
        // Taken from the end. One whose window found no room in the cache counts as short.
        self.to_learn
            .sort_by_key(|&index| self.metrics[index].window.points());
        if self.to_learn.is_empty() && self.was_learning {
            tracing::info!("all windows are learnt");
        }
        self.was_learning = !self.to_learn.is_empty();
    }

    /// Learns a few of the windows that are left.
    pub(super) fn learn_some(&mut self) {
        let from = self.to_learn.len().saturating_sub(CHUNK);
        let chunk = self.to_learn.split_off(from);
        let (kept, others): (Vec<usize>, Vec<usize>) = chunk
            .into_iter()
            .partition(|&index| self.metrics[index].cursor.is_some());
        for index in kept {
            self.learn_kept(index);
        }
        if !others.is_empty()
            && let Err(error) = self.learn_stored(&others)
        {
            tracing::debug!("windows are learnt later :: {error}");
            self.store = None;
            self.to_learn.clear();
        }
        if let Some(adaptive) = self.context.evaluator.adaptive_mut() {
            adaptive.flush();
        }
    }

    /// Learns a window that is kept in memory.
    fn learn_kept(&mut self, index: usize) {
        let window = std::mem::take(&mut self.metrics[index].window);
        let mut buffer = WindowBuffer::default();
        if self.learn(index, window.window(&mut buffer)) {
            self.metrics[index].window = window;
        }
    }

    /// Reads windows, and learns them.
    fn learn_stored(&mut self, indices: &[usize]) -> Result<(), StoreError> {
        self.open()?;
        let Some(mut store) = self.store.take() else {
            return Ok(());
        };
        let names: Vec<_> = indices.iter().map(|&index| self.names[index].clone()).collect();
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        let options = &self.context.options;
        let (clock, full_duration) = (options.clock(self.learning_at), options.full_duration);
        let same_time = options.same_time();
        let mut buffer = std::mem::take(&mut self.series);
        let outcome = store.fetch(&names, &mut buffer, &mut |position, series, fetched| {
            if let Fetched::Found { cursor, .. } = fetched {
                series.canonicalise_until(clock, full_duration, same_time);
                let index = indices[position];
                self.metrics[index].cursor = Some(cursor);
                if self.learn(index, series.sorted_window()) {
                    self.metrics[index].window.store(series);
                }
            }
        });
        self.series = buffer;
        self.store = Some(store);
        outcome
    }

    /// Learns a canonical window; whether it must be kept whole all the same.
    fn learn(&mut self, index: usize, window: Window<'_>) -> bool {
        let (metric, name) = (&mut self.metrics[index], &self.names[index]);
        let needs_window = !self.context.may_live_on_tail(name);
        if let Some(adaptive) = self.context.evaluator.adaptive_mut() {
            // What panics is counted when it panics again, in the next pass.
            let _ = adaptive.evaluate(name, &mut metric.known.state, window, true, self.learning_at);
        }
        if !metric.rest_on_tail(window) {
            metric.forget();
            return false;
        }
        metric.is_unlearnt = false;
        metric.known.class = None;
        // The next look asks the state.
        metric.last = None;
        needs_window
    }
}
