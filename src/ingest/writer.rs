//! The writing thread: from the queue into the store, by size and by time.
//!
//! At least once: a batch the store did not confirm is sent again whole, and readers let duplicates vanish.
//! While the store is away the batch waits here, the queue fills, and clients feel it as back-pressure.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::batch::Batch;
use super::counters::Counters;
use crate::stop::Stop;
use crate::store::{Connect, Points as _, Sample, StoreError};

/// Longest wait between two tries.
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

/// How batches are cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct WriterOptions {
    /// Points at which a batch is written at once.
    pub batch_points: usize,
    /// Longest time a point waits for company.
    pub flush_interval: Duration,
    /// Time after stop was said in which the store may still come back.
    pub grace: Duration,
}

/// The thread's state.
pub(super) struct Writer<K: Connect> {
    connect: K,
    store: Option<K::Store>,
    options: WriterOptions,
    counters: Arc<Counters>,
    stop: Stop,
    failing: bool,
}

impl<K: Connect> Writer<K> {
    /// A writer without a connection yet.
    pub(super) fn new(connect: K, options: WriterOptions, counters: Arc<Counters>, stop: Stop) -> Self {
        Self {
            connect,
            store: None,
            options,
            counters,
            stop,
            failing: false,
        }
    }

    /// Writes until the queue is closed and empty.
    pub(super) fn run(mut self, queue: &Receiver<Batch>) {
        let mut batches = Vec::new();
        while let Ok(first) = queue.recv() {
            let due = Instant::now() + self.options.flush_interval;
            let mut points = first.len();
            batches.push(first);
            while points < self.options.batch_points {
                match queue.recv_deadline(due) {
                    Ok(batch) => {
                        points += batch.len();
                        batches.push(batch);
                    }
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
                }
            }
            self.write(&batches, points);
            batches.clear();
        }
    }

    fn write(&mut self, batches: &[Batch], points: usize) {
        let samples: Vec<Sample<'_>> = batches.iter().flat_map(Batch::samples).collect();
        let mut backoff = Duration::from_millis(100);
        let mut give_up = None;
        let refused = loop {
            let error = match self.try_write(&samples) {
                Ok(refused) => break refused,
                Err(error) => error,
            };
            self.store = None;
            if !self.failing {
                tracing::error!("points wait, the store does not take them :: {error}");
                self.failing = true;
            }
            if self.stop.is_said() {
                let until = *give_up.get_or_insert_with(|| Instant::now() + self.options.grace);
                if Instant::now() >= until {
                    self.counters.lost(points as u64);
                    tracing::error!("{points} accepted points lost :: the store stayed away until the end");
                    return;
                }
                std::thread::sleep(Duration::from_millis(100));
            } else {
                self.stop.sleep(backoff);
            }
            backoff = (backoff * 2).min(LONGEST_BACKOFF);
            self.counters.retried(points as u64);
        };
        if self.failing {
            tracing::info!("the store takes points again");
            self.failing = false;
        }
        self.counters.refused_by_store(refused as u64);
        self.counters.written((points - refused) as u64);
    }

    /// Answers how many samples the store will never take.
    fn try_write(&mut self, samples: &[Sample<'_>]) -> Result<usize, StoreError> {
        if self.store.is_none() {
            self.store = Some(self.connect.connect()?);
        }
        let Some(store) = &mut self.store else {
            return Ok(0);
        };
        match store.append(samples) {
            Ok(()) => Ok(0),
            // Something else is stored under their names: sending them again would not help.
            Err(error @ StoreError::Refused { .. }) => {
                tracing::warn!("points dropped, refused by the store :: {error}");
                let StoreError::Refused { metrics, .. } = error else {
                    return Ok(0);
                };
                let refused: HashSet<&str> = metrics.iter().map(String::as_str).collect();
                Ok(samples
                    .iter()
                    .filter(|sample| refused.contains(sample.metric))
                    .count())
            }
            Err(error) => Err(error),
        }
    }
}
