//! The writing thread: from the queue into the store, by size and by time.
//!
//! At least once: a batch the store did not confirm is sent again whole, and readers let duplicates vanish.
//! While the store is away the batch waits here, the queue fills, and clients feel it as back-pressure.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::batch::PointBatch;
use super::counters::{Counters, DropReason};
use super::gate::Gate;
use crate::backoff::Backoff;
use crate::clock::unix_now;
use crate::observer::{ObservedMetric, Observer};
use crate::sender_mark;
use crate::stop::Stop;
use crate::store::{Connect, Keys as _, Points as _, Sample, Store, StoreError};

/// Shortest and longest wait between two tries.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
/// Time after which a store that still does not answer is logged again.
const REMIND_EACH: Duration = Duration::from_secs(60);
/// Names of the store made known to the gate at a time.
const NAMES_AT_A_TIME: usize = 1_000;

/// The thread's state.
pub(super) struct Writer<K: Connect> {
    connect: K,
    store: Option<K::Store>,
    /// How connecting and writing go.
    pings: ObservedMetric,
    writes: ObservedMetric,
    /// Time after stop in which the store may still come back.
    grace: Duration,
    counters: Arc<Counters>,
    gate: Arc<Gate>,
    /// Whether the gate knows the names in the store.
    introduced: bool,
    stop: Stop,
    /// The last error and when it was logged, while the store does not take points.
    failing: Option<(String, Instant)>,
    /// When, after stop, the store has been waited for long enough.
    give_up: Option<Instant>,
}

impl<K: Connect> Writer<K> {
    /// A writer without a connection yet.
    pub(super) fn new(
        connect: K,
        grace: Duration,
        counters: Arc<Counters>,
        gate: Arc<Gate>,
        observer: &Observer,
        stop: Stop,
    ) -> Self {
        let place = connect.describe();
        Self {
            connect,
            store: None,
            pings: observer.metric(&place, "ping"),
            writes: observer.metric(&place, "write"),
            grace,
            counters,
            gate,
            introduced: false,
            stop,
            failing: None,
            give_up: None,
        }
    }

    /// Writes until the queue is closed and empty.
    pub(super) fn run(mut self, queue: &Receiver<PointBatch>) {
        let mut batches = Vec::new();
        while let Ok(first) = queue.recv() {
            let due = Instant::now() + self.gate.policy().settings.flush_interval;
            let mut points = first.len();
            let mut weight = first.weight();
            batches.push(first);
            let most = self.gate.policy().settings.batch_points;
            while weight < most {
                match queue.recv_deadline(due) {
                    Ok(batch) => {
                        points += batch.len();
                        weight += batch.weight();
                        batches.push(batch);
                    }
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
                }
            }
            self.counters.writing(batches[0].came);
            self.write(&batches, points);
            self.counters.done(points as u64);
            batches.clear();
        }
    }

    fn write(&mut self, batches: &[PointBatch], points: usize) {
        if self.give_up.is_some_and(|until| Instant::now() >= until) {
            return self.give_up_on(batches, points);
        }
        let samples: Vec<Sample<'_>> = batches.iter().flat_map(PointBatch::samples).collect();
        let said: Vec<(String, String)> = batches
            .iter()
            .flat_map(PointBatch::said)
            .map(|(metric, said)| (sender_mark::key(metric), said.write()))
            .collect();
        let mut backoff = Backoff::new(FIRST_BACKOFF, LONGEST_BACKOFF);
        let refused = loop {
            let error = match self.try_write(&samples, &said) {
                Ok(refused) => break refused,
                Err(error) => error,
            };
            self.complain(&error);
            if self.stop.is_said() {
                let until = *self.give_up.get_or_insert_with(|| Instant::now() + self.grace);
                if Instant::now() >= until {
                    return self.give_up_on(batches, points);
                }
                std::thread::sleep(Duration::from_millis(100));
            } else {
                self.stop.sleep(backoff.pause());
            }
            for batch in batches {
                self.counters.retried(batch.service, batch.len() as u64);
            }
        };
        if self.failing.take().is_some() {
            self.counters.set_held_up(None, unix_now());
            tracing::info!("the store takes points again");
        }
        for batch in batches {
            let lost = match refused.len() {
                0 => 0,
                _ => batch
                    .samples()
                    .filter(|sample| refused.contains(sample.metric))
                    .count(),
            };
            self.counters
                .dropped(batch.service, DropReason::RefusedByStore, lost as u64);
            self.counters.written(batch.service, (batch.len() - lost) as u64);
        }
    }

    fn give_up_on(&self, batches: &[PointBatch], points: usize) {
        for batch in batches {
            self.counters
                .dropped(batch.service, DropReason::LostAtStop, batch.len() as u64);
        }
        tracing::error!("{points} accepted points lost :: the store stayed away until the end");
    }

    /// Says why points wait: once, when the reason changes, and once a minute.
    fn complain(&mut self, error: &StoreError) {
        let reason = error.to_string();
        let known = self
            .failing
            .as_ref()
            .is_some_and(|(said, at)| *said == reason && at.elapsed() < REMIND_EACH);
        if !known {
            let hint = error
                .hint()
                .map(|hint| format!("\nhint: {hint}"))
                .unwrap_or_default();
            tracing::error!("points wait, the store does not take them :: {reason}{hint}");
            self.counters.set_held_up(Some(reason.clone()), unix_now());
            self.failing = Some((reason, Instant::now()));
        }
    }

    /// Returns the metrics whose samples the store will never take.
    fn try_write(
        &mut self,
        samples: &[Sample<'_>],
        said: &[(String, String)],
    ) -> Result<HashSet<String>, StoreError> {
        let mut store = match self.store.take() {
            Some(store) => store,
            None => self.pings.watch(|| self.connect.connect())?,
        };
        let refused = self.write_to(&mut store, samples, said);
        // After what a retry may mend the handle is good, and one on a cluster knows which nodes have their part already.
        if refused.as_ref().err().is_none_or(StoreError::is_retryable) {
            self.store = Some(store);
        }
        refused
    }

    fn write_to(
        &mut self,
        store: &mut K::Store,
        samples: &[Sample<'_>],
        said: &[(String, String)],
    ) -> Result<HashSet<String>, StoreError> {
        if !self.introduced {
            introduce(store, &self.gate)?;
            self.introduced = true;
        }
        if !said.is_empty() {
            let entries: Vec<(&str, &[u8])> = said
                .iter()
                .map(|(key, said)| (key.as_str(), said.as_bytes()))
                .collect();
            let write = || store.set(&entries, Some(self.gate.policy().max_age));
            self.writes.watch(write)?;
        }
        if samples.is_empty() {
            return Ok(HashSet::new());
        }
        self.writes.watch(|| match store.append(samples) {
            Ok(()) => Ok(HashSet::new()),
            // Something else is stored under their names: sending them again would not help, and the store is well.
            Err(error @ StoreError::Refused { .. }) => {
                tracing::warn!("points dropped, refused by the store :: {error}");
                Ok(match error {
                    StoreError::Refused { metrics, .. } => metrics.into_iter().collect(),
                    _ => HashSet::new(),
                })
            }
            Err(error) => Err(error),
        })
    }
}

/// Tells the gate the names the store holds.
fn introduce(store: &mut impl Store, gate: &Gate) -> Result<(), StoreError> {
    let now = unix_now();
    let mut names = Vec::with_capacity(NAMES_AT_A_TIME);
    store.list(&mut |name| {
        names.push(name.to_owned());
        if names.len() == NAMES_AT_A_TIME {
            gate.remember(&names, now);
            names.clear();
        }
    })?;
    gate.remember(&names, now);
    Ok(())
}
