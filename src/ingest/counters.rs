//! What the ingest counts. Every point received ends in exactly one of: written, dropped with a reason,
//! or still waiting.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why a point was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Drop {
    /// Not `name value time`.
    Malformed,
    /// Not UTF-8.
    NotUtf8,
    /// Longer than any line may be; read on from the next line break.
    LineTooLong,
    /// The name is longer than `ingest.max_name_bytes`.
    NameTooLong,
    /// The name holds a control character.
    BadName,
    /// NaN or an infinity.
    NotFinite,
    /// The time is not positive or not finite.
    BadTime,
    /// Something else is stored under the metric's name.
    RefusedByStore,
    /// The store did not take it before we had to stop.
    LostAtStop,
}

impl Drop {
    /// All reasons, in the order of their counters.
    pub const ALL: [Self; 9] = [
        Self::Malformed,
        Self::NotUtf8,
        Self::LineTooLong,
        Self::NameTooLong,
        Self::BadName,
        Self::NotFinite,
        Self::BadTime,
        Self::RefusedByStore,
        Self::LostAtStop,
    ];

    /// The reason as it stands in counters and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::NotUtf8 => "not_utf8",
            Self::LineTooLong => "line_too_long",
            Self::NameTooLong => "name_too_long",
            Self::BadName => "bad_name",
            Self::NotFinite => "not_finite",
            Self::BadTime => "bad_time",
            Self::RefusedByStore => "refused_by_store",
            Self::LostAtStop => "lost_at_stop",
        }
    }
}

/// Counters since start. Relaxed: they are read for people, and nothing hangs on their order.
#[derive(Debug, Default)]
pub struct Counters {
    received: AtomicU64,
    accepted: AtomicU64,
    written: AtomicU64,
    retried: AtomicU64,
    dropped: [AtomicU64; Drop::ALL.len()],
    connections: AtomicU64,
    refused_connections: AtomicU64,
    /// Unix milliseconds of the last accepted point; 0 for none yet.
    last_point: AtomicU64,
}

impl Counters {
    /// Points accepted from one read, and when (Unix seconds).
    pub fn accepted(&self, points: u64, now: f64) {
        self.received.fetch_add(points, Ordering::Relaxed);
        self.accepted.fetch_add(points, Ordering::Relaxed);
        self.last_point.store((now * 1000.0) as u64, Ordering::Relaxed);
    }

    /// One point not accepted. Answers how many were dropped for that reason before it.
    pub fn refused(&self, reason: Drop) -> u64 {
        self.received.fetch_add(1, Ordering::Relaxed);
        self.dropped[reason as usize].fetch_add(1, Ordering::Relaxed)
    }

    /// Accepted points the store will never take.
    pub fn refused_by_store(&self, points: u64) {
        self.dropped[Drop::RefusedByStore as usize].fetch_add(points, Ordering::Relaxed);
    }

    /// Accepted points given up.
    pub fn lost(&self, points: u64) {
        self.dropped[Drop::LostAtStop as usize].fetch_add(points, Ordering::Relaxed);
    }

    /// Points the store has taken.
    pub fn written(&self, points: u64) {
        self.written.fetch_add(points, Ordering::Relaxed);
    }

    /// Points sent to the store once more.
    pub fn retried(&self, points: u64) {
        self.retried.fetch_add(points, Ordering::Relaxed);
    }

    /// A connection came.
    pub fn connection(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection was turned away.
    pub fn refused_connection(&self) {
        self.refused_connections.fetch_add(1, Ordering::Relaxed);
    }

    /// Unix seconds of the last accepted point.
    pub fn last_point(&self) -> Option<f64> {
        let millis = self.last_point.load(Ordering::Relaxed);
        (millis > 0).then_some(millis as f64 / 1000.0)
    }

    /// Name and value of every counter, in a stable order.
    pub fn snapshot(&self) -> Vec<(String, u64)> {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut all = vec![
            ("received".to_owned(), read(&self.received)),
            ("accepted".to_owned(), read(&self.accepted)),
            ("written".to_owned(), read(&self.written)),
            ("retried".to_owned(), read(&self.retried)),
            ("connections".to_owned(), read(&self.connections)),
            ("connections_refused".to_owned(), read(&self.refused_connections)),
        ];
        let dropped = Drop::ALL.iter().map(|&reason| {
            (
                format!("dropped.{}", reason.name()),
                read(&self.dropped[reason as usize]),
            )
        });
        all.extend(dropped);
        all
    }
}
