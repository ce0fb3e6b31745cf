//! What the plane has taken and refused since it started.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::health::limits::HealthRefusal;

/// HealthCounters of one server.
#[derive(Debug, Default)]
pub struct HealthCounters {
    accepted: AtomicU64,
    learned: AtomicU64,
    ignored: AtomicU64,
    repeated: AtomicU64,
    unkept: AtomicU64,
    sent: AtomicU64,
    unsent: AtomicU64,
    /// By reason. A mutex, as nothing here happens often.
    refused: Mutex<BTreeMap<&'static str, u64>>,
}

impl HealthCounters {
    pub(super) fn accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn learned(&self) {
        self.learned.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn ignored(&self) {
        self.ignored.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn repeated(&self) {
        self.repeated.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn unkept(&self) {
        self.unkept.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn unsent(&self, count: usize) {
        self.unsent.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(super) fn refused(&self, refusal: &HealthRefusal) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        *refused.entry(refusal.name()).or_default() += 1;
    }

    /// Every counter by name.
    #[must_use]
    pub fn all(&self) -> Vec<(String, u64)> {
        let plain = [
            ("accepted", &self.accepted),
            ("learned", &self.learned),
            ("ignored", &self.ignored),
            ("repeated", &self.repeated),
            ("unkept", &self.unkept),
            ("sent", &self.sent),
            ("unsent", &self.unsent),
        ];
        let plain = plain
            .into_iter()
            .map(|(name, count)| (name.to_owned(), count.load(Ordering::Relaxed)));
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = refused
            .iter()
            .map(|(reason, count)| (format!("refused.{reason}"), *count));
        plain.chain(refused).collect()
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, name: &str) -> u64 {
        let found = self.all().into_iter().find(|(known, _)| known == name);
        found.map_or(0, |(_, count)| count)
    }
}
