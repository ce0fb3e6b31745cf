//! How a worker's pass asks the store: the two strides, a chunk of metrics at a time, tried again after a lost connection.

use std::time::{Duration, Instant};

use super::super::adaptive_metric::AdaptiveMetric;
use super::super::counter_class::CounterClass;
use super::super::metric_pass::MetricPass;
use super::super::reading_position;
use super::super::scored::judged_window;
use super::super::shard_pass::ShardPass;
use super::super::tracked::TrackedMetric;
use super::{CursorOf, Worker};
use crate::store::{Connect, Fetched, Keys as _, Points as _, StoreError};

/// Metrics asked for in one call of the store. The store sizes its replies by bytes; this bounds what is
/// asked again after a lost connection.
const CHUNK: usize = 2_000;
/// One cached metric in so many is read whole in a pass: each once in four hours at a pass a minute, for 0.4 % of the cost of
/// reading all whole.
const REREAD_ONE_IN: usize = 256;
/// Time between tries at a lost store, and how many tries make a pass give up what it is at: two seconds, less than a pass may take,
/// more than a connection that was only cut.
const RETRY_AFTER: Duration = Duration::from_millis(250);
const TRIES: u32 = 8;
/// States that memory is got ready for at once: less than the 128 kB from which glibc asks the kernel for each block by itself.
const STATES_AHEAD: usize = 30;

impl<K: Connect> Worker<K> {
    /// All strides; what an error or the deadline prevents is simply not done.
    pub(super) fn look_at_all(&mut self, pass: &mut ShardPass) -> Result<(), StoreError> {
        // The adaptive profile knows counters by itself.
        if self.context.options.counters_as_rates && self.context.options.adaptive.is_none() {
            let unknown = self.select(|metric| metric.known.class.is_none());
            self.in_chunks(&unknown, pass, Self::learn_classes)?;
        }
        let never_seen = self.select(|metric| metric.done_in == 0 && metric.known.state.is_none());
        self.in_chunks(&never_seen, pass, Self::look_at_resumed)?;
        self.choose_for_rereading(pass);
        let number = pass.number;
        let cached = self.select(|metric| metric.cursor.is_some() && !metric.is_done(number));
        self.in_chunks(&cached, pass, Self::look_at_tails)?;
        let others = self.select(|metric| metric.cursor.is_none() && !metric.is_done(number));
        self.in_chunks(&others, pass, Self::look_at_whole)?;
        if let Err(error) = self.add_windows(pass) {
            // They are for people to look at; whoever shows them reads them then.
            tracing::debug!("anomalies go without their windows :: {error}");
            self.store = None;
        }
        pass.unread.take().map_or(Ok(()), Err)
    }

    /// Lets a few metrics be read whole though cached, others each pass. A tail alone cannot show everything another
    /// trimmer may do to a key (`store/redis/cursor.rs` says what); this bounds how long a difference can last.
    fn choose_for_rereading(&mut self, pass: &mut ShardPass) {
        let number = usize::try_from(pass.number).unwrap_or(0);
        for (index, metric) in self.metrics.iter_mut().enumerate() {
            if (index + number).is_multiple_of(REREAD_ONE_IN) && metric.cursor.take().is_some() {
                pass.report.tally.refetched += 1;
            }
        }
    }

    fn select(&self, wanted: impl Fn(&TrackedMetric<CursorOf<K>>) -> bool) -> Vec<usize> {
        (0..self.metrics.len())
            .filter(|&index| wanted(&self.metrics[index]))
            .collect()
    }

    /// Runs `stride` over the metrics a chunk at a time. A lost store is tried again, for those of the
    /// chunk that are not done; it is given up after `TRIES`, at the deadline, or when told to stop. A store of several servers may
    /// go on answering in part: then the further chunks are asked for as well, once each, and the pass keeps why some of them are not read.
    fn in_chunks(
        &mut self,
        indices: &[usize],
        pass: &mut ShardPass,
        stride: fn(&mut Self, &[usize], &mut ShardPass) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        for chunk in indices.chunks(CHUNK) {
            while let Ok(question) = self.questions.try_recv() {
                self.answer(question);
            }
            let mut tries = if pass.unread.is_some() { TRIES - 1 } else { 0 };
            loop {
                if self.stop.is_said() || Instant::now() >= pass.deadline {
                    return Ok(());
                }
                let left: Vec<usize> = chunk
                    .iter()
                    .copied()
                    .filter(|&i| !self.metrics[i].is_done(pass.number))
                    .collect();
                let outcome = self.open().and_then(|()| stride(self, &left, pass));
                let Err(error) = outcome else { break };
                tries += 1;
                if !error.is_retryable() {
                    self.store = None;
                    return Err(error);
                }
                if tries == TRIES {
                    if chunk.iter().any(|&i| self.metrics[i].is_done(pass.number)) {
                        pass.unread = Some(error);
                        break;
                    }
                    self.store = None;
                    return Err(error);
                }
                pass.report.retried += 1;
                if tries == 1 {
                    tracing::warn!("asking the store again :: {error}");
                }
                self.stop.sleep(RETRY_AFTER);
            }
        }
        Ok(())
    }

    pub(super) fn open(&mut self) -> Result<(), StoreError> {
        if self.store.is_none() {
            self.store = Some(self.connect.connect()?);
        }
        Ok(())
    }

    /// Asks the store which metrics are known as counters.
    fn learn_classes(&mut self, indices: &[usize], pass: &mut ShardPass) -> Result<(), StoreError> {
        let Some(store) = &mut self.store else {
            return Ok(());
        };
        let keys: Vec<String> = indices
            .iter()
            .map(|&index| CounterClass::key(&self.names[index]))
            .collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let stored = store.get(&keys)?;
        for (&index, stored) in indices.iter().zip(stored) {
            let full_duration = self.context.options.full_duration;
            let class = CounterClass::read(stored.as_deref(), pass.now, full_duration);
            self.metrics[index].known.class = Some(class);
        }
        Ok(())
    }

    /// Takes up what an earlier run saved of some metrics, and looks at what is new of those whose reading it says how to go
    /// on with. A chunk at a time, so that a state is still in the processor's cache when it is shown something.
    fn look_at_resumed(&mut self, indices: &[usize], pass: &mut ShardPass) -> Result<(), StoreError> {
        let Some(adaptive) = self.context.evaluator.adaptive_mut() else {
            return Ok(());
        };
        for (nth, &index) in indices.iter().enumerate() {
            if nth.is_multiple_of(STATES_AHEAD) {
                make_room(STATES_AHEAD * size_of::<AdaptiveMetric>());
            }
            let metric = &mut self.metrics[index];
            if metric.known.state.is_none()
                && let Some((state, position)) = adaptive.resume(&self.names[index], reading_position::read)
            {
                metric.resume(state, position);
            }
        }
        self.look_at_tails(indices, pass)
    }

    fn look_at_tails(&mut self, indices: &[usize], pass: &mut ShardPass) -> Result<(), StoreError> {
        let Self {
            store: Some(store),
            context,
            names,
            metrics,
            series,
            ..
        } = self
        else {
            return Ok(());
        };
        // Asked a second time after a lost connection, some have turned out to need a whole read; they have no cursor any
        // more, and must not shift the places of those behind them.
        let indices: Vec<usize> = indices
            .iter()
            .copied()
            .filter(|&index| metrics[index].cursor.is_some())
            .collect();
        // Cursors are lent to the store while the callback changes what lies beside them.
        let lent: Vec<_> = indices
            .iter()
            .map(|&index| metrics[index].cursor.take())
            .collect();
        let asks: Vec<_> = indices
            .iter()
            .zip(&lent)
            .filter_map(|(&index, cursor)| Some((&*names[index], cursor.as_ref()?)))
            .collect();
        let mut answered = vec![false; indices.len()];
        let outcome = store.fetch_tails(&asks, series, &mut |position, series, tail| {
            answered[position] = true;
            let index = indices[position];
            let metric = MetricPass {
                context,
                pass,
                index,
                name: &names[index],
                metric: &mut metrics[index],
            };
            metric.tail(series, tail);
        });
        drop(asks);
        for (position, cursor) in lent.into_iter().enumerate() {
            let metric = &mut metrics[indices[position]];
            if metric.cursor.is_none() && (!answered[position] || metric.unchanged) {
                metric.cursor = cursor;
            }
        }
        self.store_classes(pass)?;
        outcome
    }

    fn look_at_whole(&mut self, indices: &[usize], pass: &mut ShardPass) -> Result<(), StoreError> {
        let Self {
            store: Some(store),
            context,
            names,
            metrics,
            series,
            ..
        } = self
        else {
            return Ok(());
        };
        let asks: Vec<&str> = indices.iter().map(|&index| &*names[index]).collect();
        let outcome = store.fetch(&asks, series, &mut |position, series, fetched| {
            let index = indices[position];
            let metric = MetricPass {
                context,
                pass,
                index,
                name: &names[index],
                metric: &mut metrics[index],
            };
            metric.whole(series, fetched);
        });
        self.store_classes(pass)?;
        outcome
    }

    /// Reads the windows of anomalies that are to be described in full and were judged without.
    fn add_windows(&mut self, pass: &mut ShardPass) -> Result<(), StoreError> {
        let wanted = std::mem::take(&mut pass.without_window);
        let Some(store) = self.store.as_mut().filter(|_| Instant::now() < pass.deadline) else {
            return Ok(());
        };
        let names: Vec<&str> = wanted.iter().map(|&(_, index)| &*self.names[index]).collect();
        let options = &self.context.options;
        let (clock, same_time) = (options.clock(pass.now), options.same_time());
        store.fetch(&names, &mut self.series, &mut |position, series, fetched| {
            if !matches!(fetched, Fetched::Found { .. }) {
                return;
            }
            let (place, index) = wanted[position];
            series.canonicalise_until(clock, options.full_duration, same_time);
            // What came since is for the next pass.
            let seen = self.metrics[index].last_time().unwrap_or(f64::INFINITY);
            let points = series.times.partition_point(|&time| time <= seen);
            series.times.truncate(points);
            series.values.truncate(points);
            let anomaly = &mut pass.report.anomalies[place];
            let window = judged_window(series.sorted_window(), anomaly.window().rate);
            *anomaly = anomaly.clone().with_window(window);
        })
    }

    /// Writes the counter classes that the last stride renewed.
    fn store_classes(&mut self, pass: &mut ShardPass) -> Result<(), StoreError> {
        let Some(store) = &mut self.store else {
            return Ok(());
        };
        if pass.classes.is_empty() {
            return Ok(());
        }
        let seen = pass.now.to_string();
        let keys: Vec<String> = pass
            .classes
            .iter()
            .map(|&index| CounterClass::key(&self.names[index]))
            .collect();
        let entries: Vec<(&str, &[u8])> = keys.iter().map(|key| (key.as_str(), seen.as_bytes())).collect();
        match store.set(
            &entries,
            Some(Duration::from_secs_f64(self.context.options.full_duration)),
        ) {
            // Known here until the next look, five minutes on, writes them again.
            Err(error) if error.is_of_writes_only() => {
                tracing::warn!("{} counter classes not stored :: {error}", entries.len());
            }
            outcome => outcome?,
        }
        pass.classes.clear();
        Ok(())
    }
}

/// Leaves room on this thread's heap. glibc lets the heap of a thread grow by no more than is asked for, with a call of the kernel each
/// time, which is a sixth of the time it takes to take up states; a block that is freed at once leaves its room to what comes next.
fn make_room(bytes: usize) {
    std::hint::black_box(Vec::<u8>::with_capacity(bytes));
}
