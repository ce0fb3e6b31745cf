//! From counts to the store: a thread that writes what it is given, and waits for a store that is away.

use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::backoff::Backoff;
use crate::stop::Stop;
use crate::store::{Connect, Points as _, Sample, StoreError};

/// Intervals that wait for a store that is away: an hour at one minute. Then the newest are dropped.
const WAITING: usize = 60;
/// Shortest and longest wait between two tries.
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LONGEST_BACKOFF: Duration = Duration::from_secs(10);
/// Points written at one go.
const AT_ONCE: usize = 4_096;

/// One point of a metric of ours.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CountedPoint {
    pub(super) metric: String,
    /// Unix seconds.
    pub(super) time: f64,
    pub(super) value: f64,
}

/// Where points are handed over; dropped when there are no more.
pub(super) struct PointQueue {
    queue: Sender<Vec<CountedPoint>>,
    lost: u64,
}

/// The queue, and its end for the thread that runs [`deliver`].
pub(super) fn queue() -> (PointQueue, Receiver<Vec<CountedPoint>>) {
    let (queue, taken) = bounded(WAITING);
    (PointQueue { queue, lost: 0 }, taken)
}

impl PointQueue {
    /// Hands over the points of an interval. They are lost, counted and told of if too many wait already.
    pub(super) fn hand_over(&mut self, points: Vec<CountedPoint>) {
        let count = points.len() as u64;
        match self.queue.try_send(points) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.lost += count;
                tracing::error!(
                    "logs :: {count} points lost ({} so far) :: the store takes none",
                    self.lost
                );
            }
        }
    }
}

/// Writes until there are no more points. Once `stop` is said a store that does not answer is not waited for.
pub(super) fn deliver<K: Connect>(connect: &K, queue: &Receiver<Vec<CountedPoint>>, stop: &Stop) {
    let mut store = None;
    let mut backoff = Backoff::new(FIRST_BACKOFF, LONGEST_BACKOFF);
    while let Ok(points) = queue.recv() {
        let mut complaint = None;
        while let Err(error) = write(connect, &mut store, &points) {
            store = None;
            if stop.is_said() {
                tracing::error!("logs :: {} points lost at the end :: {error}", points.len());
                break;
            }
            let reason = error.to_string();
            if complaint.as_ref() != Some(&reason) {
                tracing::error!("logs :: points wait, the store does not take them :: {reason}");
                complaint = Some(reason);
            }
            stop.sleep(backoff.pause());
        }
        backoff = Backoff::new(FIRST_BACKOFF, LONGEST_BACKOFF);
    }
}

fn write<K: Connect>(
    connect: &K,
    store: &mut Option<K::Store>,
    points: &[CountedPoint],
) -> Result<(), StoreError> {
    let store = match store {
        Some(store) => store,
        None => store.insert(connect.connect()?),
    };
    for points in points.chunks(AT_ONCE) {
        let samples: Vec<_> = points
            .iter()
            .map(|point| Sample {
                metric: &point.metric,
                time: point.time,
                value: point.value,
            })
            .collect();
        match store.append(&samples) {
            // Something else is stored under their names: sending them again would not help.
            Err(error @ StoreError::Refused { .. }) => {
                tracing::warn!("logs :: points dropped, refused by the store :: {error}")
            }
            outcome => outcome?,
        }
    }
    Ok(())
}
