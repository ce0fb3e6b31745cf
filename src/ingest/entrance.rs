//! A way in for points that another role makes or is sent: the gate, the queue and the writing thread that the listeners'
//! points have, without a listener.
//!
//! Points are taken all at once or, when the queue has no room, not at all, so that whoever sent them can be asked to send
//! them again.

use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::unbounded;
use tokio::sync::Semaphore;

use super::arrivals::Arrivals;
use super::counters::Counters;
use super::gate::Gate;
use super::intake::Intake;
use super::writer::Writer;
use super::{IngestError, IntakePolicy, LAST_WRITE, UNPACKING};
use crate::clock::unix_now;
use crate::net::listeners::Service;
use crate::net::slots::ConnectionSlots;
use crate::observer::Observer;
use crate::stop::Stop;
use crate::store::{Connect, Sample};

/// What is counted of points that come by no connection, beside what is dropped.
const COUNTED: [&str; 6] = [
    "received",
    "accepted",
    "written",
    "retried",
    "waiting",
    "oldest_waiting_ms",
];

/// A queue of points that is open to a role.
pub struct PointEntrance {
    /// Taken at the end, so that the queue closes. Written to only then.
    intake: RwLock<Option<Intake>>,
    gate: Arc<Gate>,
    counters: Arc<Counters>,
    service: &'static Service,
    writing: JoinHandle<()>,
    /// Time after stop in which the store may still come back.
    grace: Duration,
}

/// How an entrance works.
#[derive(Debug, Clone)]
pub struct EntranceOptions {
    /// Whose its points are counted as.
    pub service: &'static Service,
    /// What is let in, and the bounds of the queue.
    pub policy: IntakePolicy,
    /// Time after stop in which the store may still come back.
    pub grace: Duration,
    /// Where it is said how the store answers.
    pub observer: Observer,
}

/// What became of points that were handed in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PointsTaken {
    /// In the queue; they will be stored.
    pub taken: u64,
    /// Dropped at the gate and counted by reason.
    pub dropped: u64,
}

/// The queue had no room, or is closed: none of the points was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the queue is full: the store does not keep up or does not answer")]
pub struct PointQueueFull;

impl PointEntrance {
    /// Changes which points are let in, while it runs.
    pub fn changing(&self) -> impl Fn(IntakePolicy) + Send + Sync + 'static {
        let gate = Arc::clone(&self.gate);
        move |policy| gate.change(policy)
    }

    /// Opens a queue into the store.
    ///
    /// # Errors
    /// [`IngestError::Start`]: the system refuses the thread.
    pub fn open<K: Connect>(connect: K, options: EntranceOptions, stop: &Stop) -> Result<Self, IngestError> {
        let EntranceOptions {
            service,
            policy,
            grace,
            observer,
        } = options;
        let counters = Arc::new(Counters::of_services(&[service]));
        let kilobytes = policy.settings.queue_bytes.div_ceil(1_024);
        let (queue_points, idle_timeout) = (policy.settings.queue_points, policy.settings.idle_timeout);
        let gate = Arc::new(Gate::new(policy));
        let (queue, receive) = unbounded();
        let writer = Writer::new(
            connect,
            grace,
            Arc::clone(&counters),
            Arc::clone(&gate),
            &observer,
            stop.clone(),
        );
        let writing = std::thread::Builder::new()
            .name(format!("{}-write", service.name))
            .spawn(move || writer.run(&receive))
            .map_err(IngestError::Start)?;
        let intake = Intake {
            service,
            peer: None,
            queue,
            room: Arc::new(Semaphore::new(queue_points)),
            bound: queue_points,
            room_bytes: Arc::new(Semaphore::new(kilobytes)),
            bound_kilobytes: kilobytes,
            unpacking: Arc::new(Semaphore::new(UNPACKING)),
            counters: Arc::clone(&counters),
            gate,
            // Who sent a point is known to the role that hands it over.
            arrivals: Arc::new(Arrivals::new(Observer::off())),
            connections: ConnectionSlots::new(0),
            idle_timeout,
            max_frame: 0,
            max_request: 0,
        };
        Ok(Self {
            gate: Arc::clone(&intake.gate),
            intake: RwLock::new(Some(intake)),
            counters,
            service,
            writing,
            grace,
        })
    }

    /// Takes points, names in any spelling. Does not wait.
    ///
    /// # Errors
    /// [`PointQueueFull`].
    pub fn take<'p>(&self, points: impl Iterator<Item = Sample<'p>>) -> Result<PointsTaken, PointQueueFull> {
        let intake = self.intake.read().unwrap_or_else(PoisonError::into_inner);
        let intake = intake.as_ref().ok_or(PointQueueFull)?;
        let mut builder = intake.begin();
        let mut given = 0;
        for Sample { metric, time, value } in points {
            given += 1;
            builder.point(metric, time, value, metric.as_bytes());
        }
        let batch = builder.finish();
        let taken = batch.len() as u64;
        if !intake.offer(batch) {
            intake.drop_points(super::DropReason::TurnedAway, taken, b"");
            return Err(PointQueueFull);
        }
        let dropped = given - taken;
        Ok(PointsTaken { taken, dropped })
    }

    /// Name and value of every counter of these points; none of connections, which are not ours.
    pub fn counters(&self) -> Vec<(String, u64)> {
        let mut all = self.counters.snapshot(&[], unix_now());
        all.retain(|(name, _)| COUNTED.contains(&&**name) || name.starts_with("dropped."));
        all
    }

    /// Closes the queue and waits until what is in it is stored, or stop has been said and the grace is over.
    pub fn close(self) {
        drop(self.intake.into_inner().unwrap_or_else(PoisonError::into_inner));
        let due = Instant::now() + self.grace + LAST_WRITE;
        while !self.writing.is_finished() && Instant::now() < due {
            std::thread::sleep(Duration::from_millis(10));
        }
        if self.writing.is_finished() {
            let _ = self.writing.join();
        } else {
            let waiting = self.counters.give_up_waiting();
            tracing::error!(
                "{} :: {waiting} accepted points lost :: the store did not answer until the end",
                self.service.name
            );
        }
    }
}
