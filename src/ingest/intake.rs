//! The way from a listener into the queue.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;
use tokio::sync::Semaphore;

use super::arrivals::Arrivals;
use super::batch::PointBatch;
use super::counters::{Counters, DropReason};
use super::gate::{Gate, OpenGate};
use crate::clock::unix_now;
use crate::log::is_shown;
use crate::metric_name;
use crate::net::http::ConnectionEvents;
use crate::net::listeners::Service;
use crate::net::slots::ConnectionSlots;
use crate::sender_mark::{MarkKind, SenderMark};

/// How many times the largest frame or request its points may take in memory: four bytes of a number become sixteen.
const EXPANSION: usize = 4;
/// What a batch may always take, bytes: small limits of frames must not refuse honest ones.
const LEAST_EXPANSION: usize = 4 << 20;

/// What all listeners share: clone it for each.
#[derive(Clone)]
pub(super) struct Intake {
    /// The listener's own.
    pub service: &'static Service,
    /// The client's own, while one is served.
    pub peer: Option<SocketAddr>,
    /// Told who sends.
    pub arrivals: Arc<Arrivals>,
    /// Bounded by `room`, not by itself.
    pub queue: Sender<PointBatch>,
    /// One permit a point that may wait in the queue.
    pub room: Arc<Semaphore>,
    /// Permits in all.
    pub bound: usize,
    /// One permit a kilobyte that may wait in the queue.
    pub room_bytes: Arc<Semaphore>,
    /// Of these, permits in all.
    pub bound_kilobytes: usize,
    /// One permit a request that may be unpacked and wait for its place in the queue.
    pub unpacking: Arc<Semaphore>,
    /// What is counted.
    pub counters: Arc<Counters>,
    /// What is let in.
    pub gate: Arc<Gate>,
    /// One slot a connection, over all listeners.
    pub connections: Arc<ConnectionSlots>,
    /// A client silent for so long is disconnected.
    pub idle_timeout: Duration,
    /// Longest frame of a framed protocol, bytes.
    pub max_frame: usize,
    /// Largest request, bytes.
    pub max_request: usize,
}

impl Intake {
    /// Begins to take the points of one read.
    pub(super) fn begin(&self) -> BatchBuilder<'_> {
        let now = unix_now();
        BatchBuilder {
            intake: self,
            now,
            peer: self.peer,
            gate: self.gate.open(now),
            batch: PointBatch::new(self.service, now),
            most_bytes: self.most_bytes(),
            received: 0,
        }
    }

    /// Longest name accepted, bytes.
    pub(super) fn max_name(&self) -> usize {
        self.gate.policy().settings.max_name_bytes
    }

    /// Permits a batch needs. One larger than the whole queue gets in when the queue is empty.
    fn share(&self, batch: &PointBatch) -> [u32; 2] {
        let kilobytes = batch.bytes().div_ceil(1_024);
        [(batch.weight(), self.bound), (kilobytes, self.bound_kilobytes)]
            .map(|(wanted, bound)| u32::try_from(wanted.min(bound)).unwrap_or(u32::MAX))
    }

    /// Bytes that one batch may take: what a frame or a request of the largest size honestly holds, several times. Beyond it
    /// a client makes a few bytes stand for many.
    fn most_bytes(&self) -> usize {
        let longest = if self.service == Service::PICKLE {
            self.max_frame
        } else if self.service == Service::REMOTE_WRITE {
            self.max_request
        } else {
            // Nothing stands for more than itself there.
            return usize::MAX;
        };
        (longest * EXPANSION).max(LEAST_EXPANSION)
    }

    /// Queues a batch once there is room for it: the policy of connections: TCP makes their senders wait.
    pub(super) async fn wait_in(&self, mut batch: PointBatch) {
        if batch.is_empty() {
            return;
        }
        if let Some(peer) = self.peer {
            self.arrivals.note(peer.ip());
        }
        let [points, kilobytes] = self.share(&batch);
        // The semaphores are never closed; without a permit the batch is queued all the same. Always in this order, and
        // what has both is in the queue, so two batches never wait for each other.
        let points = Arc::clone(&self.room).acquire_many_owned(points).await;
        let kilobytes = Arc::clone(&self.room_bytes).acquire_many_owned(kilobytes).await;
        batch.permits = points
            .ok()
            .zip(kilobytes.ok())
            .map(|(points, kilobytes)| [points, kilobytes]);
        self.queue(batch);
    }

    /// Queues a batch if there is room, or drops and counts it: the policy of datagrams: their senders cannot be made to wait.
    pub(super) fn try_in(&self, batch: PointBatch) {
        let points = batch.len() as u64;
        if !self.offer(batch) {
            self.drop_points(DropReason::QueueFull, points, b"");
        }
    }

    /// Queues a batch if there is room for it, and says whether there was. One without points always has room.
    pub(super) fn offer(&self, mut batch: PointBatch) -> bool {
        if batch.is_empty() {
            return true;
        }
        let [points, kilobytes] = self.share(&batch);
        let points = Arc::clone(&self.room).try_acquire_many_owned(points);
        let kilobytes = Arc::clone(&self.room_bytes).try_acquire_many_owned(kilobytes);
        let Some((points, kilobytes)) = points.ok().zip(kilobytes.ok()) else {
            return false;
        };
        batch.permits = Some([points, kilobytes]);
        self.queue(batch);
        true
    }

    fn queue(&self, batch: PointBatch) {
        self.counters
            .accepted(self.service, batch.len() as u64, batch.came);
        // The queue lives until the last intake is dropped.
        let _ = self.queue.send(batch);
    }

    /// Counts what is not taken, and shows some of it.
    pub(super) fn drop_points(&self, reason: DropReason, points: u64, shown: &[u8]) {
        self.drop_points_of(self.peer, reason, points, shown);
    }

    fn drop_points_of(&self, peer: Option<SocketAddr>, reason: DropReason, points: u64, shown: &[u8]) {
        let before = self.counters.dropped(self.service, reason, points);
        let after = before + points;
        if is_shown(before, points) {
            let shown = String::from_utf8_lossy(&shown[..shown.len().min(80)]);
            let from = peer.map_or(String::new(), |peer| format!(", from {peer}"));
            tracing::warn!(
                "{} :: point dropped, {} ({after} so far){from} :: {shown:?}",
                self.service.name,
                reason.name(),
            );
        }
    }
}

impl ConnectionEvents for Intake {
    fn admitted(&self, instead: bool) {
        self.counters.connection(self.service);
        if instead {
            let before = self.counters.evicted_connection(self.service);
            if is_shown(before, 1) {
                tracing::warn!(
                    "{} :: the idlest connection closed for another one, `ingest.max_connections` are open ({} so far)",
                    self.service.name,
                    before + 1
                );
            }
        }
    }

    fn refused(&self, peer: SocketAddr) {
        let before = self.counters.refused_connection(self.service);
        if is_shown(before, 1) {
            tracing::warn!(
                "{} :: connection of {peer} refused, `ingest.max_connections` are open and at work ({} so far)",
                self.service.name,
                before + 1
            );
        }
    }

    fn failed(&self, error: &std::io::Error) {
        let before = self.counters.failed_accept(self.service);
        if is_shown(before, 1) {
            tracing::warn!(
                "{} :: cannot accept a connection ({} times so far) :: {error}",
                self.service.name,
                before + 1
            );
        }
    }
}

/// Points of one read on their way through the gate.
pub(super) struct BatchBuilder<'i> {
    intake: &'i Intake,
    /// Unix seconds of the read.
    now: f64,
    /// Whose points they are.
    peer: Option<SocketAddr>,
    gate: OpenGate<'i>,
    batch: PointBatch,
    most_bytes: usize,
    received: u64,
}

impl BatchBuilder<'_> {
    /// Takes a point, or drops and counts it. `shown` is what of it the log may show.
    #[inline]
    pub(super) fn point(&mut self, written: &str, time: f64, value: f64, shown: &[u8]) {
        if self.batch.bytes() > self.most_bytes {
            return self.refuse(DropReason::FrameTooLong, shown);
        }
        let taken = metric_name::canonical(written, self.intake.max_name())
            .map_err(DropReason::from)
            .and_then(|name| {
                self.gate
                    .point(&name, time, value)
                    .map(|()| self.batch.push(&name, time, value))
            });
        match taken {
            Ok(()) => self.received += 1,
            Err(reason) => {
                if reason == DropReason::NotFinite {
                    self.said(written, time, MarkKind::NoNumber);
                }
                self.refuse(reason, shown);
            }
        }
    }

    /// The mark that a series has ended: no point, but no silence either.
    pub(super) fn ended(&mut self, written: &str, time: f64, shown: &[u8]) {
        self.said(written, time, MarkKind::Ended);
        self.refuse(DropReason::StaleMarker, shown);
    }

    /// Passes on what was said of a metric of which points were taken.
    fn said(&mut self, written: &str, time: f64, kind: MarkKind) {
        if self.batch.bytes() <= self.most_bytes
            && let Ok(name) = metric_name::canonical(written, self.intake.max_name())
            && self.gate.said(&name, time, kind)
        {
            self.batch.say(&name, SenderMark { kind, time });
        }
    }

    /// Says whose points come next, where one read is of several clients.
    pub(super) fn come_from(&mut self, peer: SocketAddr) {
        // One look a host and read, not one a datagram.
        if self.peer.map(|known| known.ip()) != Some(peer.ip()) {
            self.intake.arrivals.note(peer.ip());
        }
        self.peer = Some(peer);
    }

    /// Counts something that is not taken.
    pub(super) fn refuse(&mut self, reason: DropReason, shown: &[u8]) {
        self.received += 1;
        self.intake.drop_points_of(self.peer, reason, 1, shown);
    }

    /// Unix seconds of the read.
    pub(super) fn now(&self) -> f64 {
        self.now
    }

    /// Points taken so far.
    pub(super) fn len(&self) -> usize {
        self.batch.len()
    }

    /// The points taken.
    pub(super) fn finish(self) -> PointBatch {
        self.intake.counters.received(self.intake.service, self.received);
        self.batch
    }
}
