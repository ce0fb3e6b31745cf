//! What the ingest counts, listener by listener. Every point received ends in exactly one of: written, dropped with a
//! reason, or still waiting.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::trim_tally::TrimTally;
use crate::metric_name::NameError;
use crate::net::listeners::Service;

/// Why a point was not stored. Those of frames, datagrams, requests and connections as a whole count one each, as how
/// many points were in them is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum DropReason {
    /// Not a point in the protocol's form.
    Malformed,
    /// Not UTF-8.
    NotUtf8,
    /// A line longer than any may be; read on from the next line break.
    LineTooLong,
    /// The connection ended within a line, a frame or a request. A sender that repeats what it is not sure of loses
    /// nothing by it.
    Unfinished,
    /// A frame or request that cannot be read, as a whole.
    BadFrame,
    /// A frame or request larger than allowed, as a whole.
    FrameTooLong,
    /// The name is longer than `ingest.max_name_bytes`.
    NameTooLong,
    /// The name holds a blank or a control character, or its tags are not `key=value`.
    BadName,
    /// NaN or an infinity.
    NotFinite,
    /// Prometheus' mark for a series that has ended.
    StaleMarker,
    /// The time is not positive or not finite.
    BadTime,
    /// Older than `ingest.max_age`.
    TooOld,
    /// Further ahead than `ingest.max_future`.
    TooFarAhead,
    /// Picked by `ingest.skip`.
    Skipped,
    /// One metric more than `ingest.max_metrics`.
    TooManyMetrics,
    /// A native histogram, which is no single number.
    Unsupported,
    /// Points of a request for which the queue had no room; its sender was asked to send it again.
    TurnedAway,
    /// A datagram's points, for which the queue had no room.
    QueueFull,
    /// A datagram for which the kernel had no room, as a whole.
    KernelBufferFull,
    /// Something else is stored under the metric's name.
    RefusedByStore,
    /// The store did not take it before we had to stop.
    LostAtStop,
}

impl From<NameError> for DropReason {
    fn from(error: NameError) -> Self {
        match error {
            NameError::TooLong => Self::NameTooLong,
            NameError::Bad => Self::BadName,
        }
    }
}

impl DropReason {
    /// All reasons, in the order of their counters.
    pub const ALL: [Self; 21] = [
        Self::Malformed,
        Self::NotUtf8,
        Self::LineTooLong,
        Self::Unfinished,
        Self::BadFrame,
        Self::FrameTooLong,
        Self::NameTooLong,
        Self::BadName,
        Self::NotFinite,
        Self::StaleMarker,
        Self::BadTime,
        Self::TooOld,
        Self::TooFarAhead,
        Self::Skipped,
        Self::TooManyMetrics,
        Self::Unsupported,
        Self::TurnedAway,
        Self::QueueFull,
        Self::KernelBufferFull,
        Self::RefusedByStore,
        Self::LostAtStop,
    ];

    /// The reason as it stands in counters and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::NotUtf8 => "not_utf8",
            Self::LineTooLong => "line_too_long",
            Self::Unfinished => "unfinished",
            Self::BadFrame => "bad_frame",
            Self::FrameTooLong => "frame_too_long",
            Self::NameTooLong => "name_too_long",
            Self::BadName => "bad_name",
            Self::NotFinite => "not_finite",
            Self::StaleMarker => "stale_marker",
            Self::BadTime => "bad_time",
            Self::TooOld => "too_old",
            Self::TooFarAhead => "too_far_ahead",
            Self::Skipped => "skipped",
            Self::TooManyMetrics => "too_many_metrics",
            Self::Unsupported => "unsupported",
            Self::TurnedAway => "turned_away",
            Self::QueueFull => "queue_full",
            Self::KernelBufferFull => "kernel_buffer_full",
            Self::RefusedByStore => "refused_by_store",
            Self::LostAtStop => "lost_at_stop",
        }
    }
}

/// What is counted of one listener. Relaxed: it is read for people, and nothing hangs on its order.
#[derive(Debug, Default)]
struct ListenerCounters {
    /// Points that reached us, dropped or not.
    received: AtomicU64,
    /// Points put into the queue.
    accepted: AtomicU64,
    written: AtomicU64,
    retried: AtomicU64,
    dropped: [AtomicU64; DropReason::ALL.len()],
    connections: AtomicU64,
    refused_connections: AtomicU64,
    evicted_connections: AtomicU64,
    failed_accepts: AtomicU64,
    failed_binds: AtomicU64,
}

impl ListenerCounters {
    fn add_to(&self, sums: &mut ListenerSums) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let plain = [
            &self.received,
            &self.accepted,
            &self.written,
            &self.retried,
            &self.connections,
            &self.refused_connections,
            &self.evicted_connections,
            &self.failed_accepts,
            &self.failed_binds,
        ];
        sums.plain
            .iter_mut()
            .zip(plain)
            .for_each(|(sum, counter)| *sum += read(counter));
        sums.dropped
            .iter_mut()
            .zip(&self.dropped)
            .for_each(|(sum, counter)| *sum += read(counter));
    }
}

/// Names of [`ListenerSums::plain`].
const PLAIN: [&str; 9] = [
    "received",
    "accepted",
    "written",
    "retried",
    "connections",
    "connections_refused",
    "connections_evicted",
    "accepts_failed",
    "binds_failed",
];

#[derive(Default)]
struct ListenerSums {
    plain: [u64; PLAIN.len()],
    dropped: [u64; DropReason::ALL.len()],
}

/// Counters since start.
#[derive(Debug)]
pub struct Counters {
    /// By the name of the listener's service; one for each that takes points.
    tallies: BTreeMap<&'static str, ListenerCounters>,
    /// Points in the queue and with the writer.
    waiting: AtomicU64,
    /// Unix milliseconds at which the oldest point the writer holds came; 0 for none.
    oldest: AtomicU64,
    /// Unix milliseconds of the last accepted point; 0 for none yet.
    last_point: AtomicU64,
    /// Since when the store does not take points, Unix seconds, and why. Held for the moment of a read or a write.
    held_up: Mutex<Option<(f64, String)>>,
    /// What the trimming thread has done.
    pub(super) trim: TrimTally,
}

impl Default for Counters {
    fn default() -> Self {
        let of_points = Service::ALL
            .iter()
            .copied()
            .filter(|service| service.takes_points);
        Self::of_services(&of_points.collect::<Vec<_>>())
    }
}

impl Counters {
    /// For points that come by these services.
    pub(super) fn of_services(services: &[&'static Service]) -> Self {
        Self {
            tallies: services
                .iter()
                .map(|service| (service.name, ListenerCounters::default()))
                .collect(),
            waiting: AtomicU64::default(),
            oldest: AtomicU64::default(),
            last_point: AtomicU64::default(),
            held_up: Mutex::default(),
            trim: TrimTally::default(),
        }
    }

    fn of(&self, service: &Service) -> &ListenerCounters {
        self.tallies
            .get(service.name)
            .expect("whoever counts serves one of those it was made for")
    }

    /// Points read.
    pub fn received(&self, service: &Service, points: u64) {
        self.of(service).received.fetch_add(points, Ordering::Relaxed);
    }

    /// Points put into the queue, and when they came (Unix seconds).
    pub fn accepted(&self, service: &Service, points: u64, now: f64) {
        self.of(service).accepted.fetch_add(points, Ordering::Relaxed);
        self.waiting.fetch_add(points, Ordering::Relaxed);
        self.last_point.store((now * 1000.0) as u64, Ordering::Relaxed);
    }

    /// Points given up. Answers how many were dropped for that reason before.
    pub fn dropped(&self, service: &Service, reason: DropReason, points: u64) -> u64 {
        self.of(service).dropped[reason as usize].fetch_add(points, Ordering::Relaxed)
    }

    /// Points the store has taken.
    pub fn written(&self, service: &Service, points: u64) {
        self.of(service).written.fetch_add(points, Ordering::Relaxed);
    }

    /// Points sent to the store once more.
    pub fn retried(&self, service: &Service, points: u64) {
        self.of(service).retried.fetch_add(points, Ordering::Relaxed);
    }

    /// The writer turns to points, the oldest of which came at `oldest` (Unix seconds).
    pub fn writing(&self, oldest: f64) {
        self.oldest.store((oldest * 1000.0) as u64, Ordering::Relaxed);
    }

    /// The writer is done with points, written or dropped.
    pub fn done(&self, points: u64) {
        self.oldest.store(0, Ordering::Relaxed);
        self.waiting.fetch_sub(points, Ordering::Relaxed);
    }

    /// Counts everything accepted and neither written nor dropped as lost at the stop. Answers how much that is.
    pub fn give_up_waiting(&self) -> u64 {
        let lost = self.tallies.values().map(|tally| {
            let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
            let dropped = |reason: DropReason| read(&tally.dropped[reason as usize]);
            let done =
                read(&tally.written) + dropped(DropReason::RefusedByStore) + dropped(DropReason::LostAtStop);
            let lost = read(&tally.accepted).saturating_sub(done);
            tally.dropped[DropReason::LostAtStop as usize].fetch_add(lost, Ordering::Relaxed);
            lost
        });
        lost.sum()
    }

    /// A connection came.
    pub fn connection(&self, service: &Service) {
        self.of(service).connections.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection was turned away. Answers how many were before.
    pub fn refused_connection(&self, service: &Service) -> u64 {
        let refused = &self.of(service).refused_connections;
        refused.fetch_add(1, Ordering::Relaxed)
    }

    /// A connection was closed for the sake of another one. Answers how many were before.
    pub fn evicted_connection(&self, service: &Service) -> u64 {
        let evicted = &self.of(service).evicted_connections;
        evicted.fetch_add(1, Ordering::Relaxed)
    }

    /// A connection could not be accepted. Answers how many could not before.
    pub fn failed_accept(&self, service: &Service) -> u64 {
        self.of(service).failed_accepts.fetch_add(1, Ordering::Relaxed)
    }

    /// The listener's address could not be bound. Answers how often it could not before.
    pub fn failed_bind(&self, service: &Service) -> u64 {
        self.of(service).failed_binds.fetch_add(1, Ordering::Relaxed)
    }

    /// The store does not take points, and why; or does again.
    pub(super) fn set_held_up(&self, why: Option<String>, now: f64) {
        let mut held_up = self.held_up.lock().unwrap_or_else(PoisonError::into_inner);
        let since = held_up.as_ref().map_or(now, |(since, _)| *since);
        *held_up = why.map(|why| (since, why));
    }

    /// Since when the store does not take points, Unix seconds, and why.
    pub fn held_up(&self) -> Option<(f64, String)> {
        self.held_up
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Unix seconds of the last accepted point.
    pub fn last_point(&self) -> Option<f64> {
        let millis = self.last_point.load(Ordering::Relaxed);
        (millis > 0).then_some(millis as f64 / 1000.0)
    }

    /// Name and value of every counter, in a stable order: sums over all listeners first, then what waits and what was trimmed, then under
    /// `listener.NAME.` what each of `services` has counted, of drops only those that happened.
    pub fn snapshot(&self, services: &[&Service], now: f64) -> Vec<(String, u64)> {
        let mut sums = ListenerSums::default();
        self.tallies.values().for_each(|tally| tally.add_to(&mut sums));
        let mut all = Vec::new();
        push(&mut all, "", &sums, true);
        let oldest = self.oldest.load(Ordering::Relaxed);
        let age = if oldest == 0 {
            0
        } else {
            ((now * 1000.0) as u64).saturating_sub(oldest)
        };
        all.push(("waiting".to_owned(), self.waiting.load(Ordering::Relaxed)));
        all.push(("oldest_waiting_ms".to_owned(), age));
        all.extend(self.trim.snapshot());
        for &service in services {
            let mut sums = ListenerSums::default();
            self.of(service).add_to(&mut sums);
            push(&mut all, &format!("listener.{}.", service.name), &sums, false);
        }
        all
    }
}

fn push(all: &mut Vec<(String, u64)>, prefix: &str, sums: &ListenerSums, every_drop: bool) {
    all.extend(
        PLAIN
            .iter()
            .zip(sums.plain)
            .map(|(name, n)| (format!("{prefix}{name}"), n)),
    );
    let dropped = DropReason::ALL
        .iter()
        .zip(sums.dropped)
        .filter(|(_, n)| every_drop || *n > 0);
    all.extend(dropped.map(|(reason, n)| (format!("{prefix}dropped.{}", reason.name()), n)));
}
