//! What one handle knows of the set of names, so that not every point puts its name in.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, BuildHasherDefault};
use std::time::{Duration, Instant};

use crate::hash::Hashed;

/// A name is put into the set again after between one and two of these, so that one a trimmer has
/// removed comes back within ten minutes, and not all in the same second.
const REASSERT: Duration = Duration::from_secs(300);

/// Names put into the set by this handle, by hash, with the time it was done.
///
/// Hashes are keyed at random, so that a collision, which would keep a name out of the set, is
/// both one in 10¹³ for a million names and gone after a restart.
pub(super) struct KnownNames {
    state: RandomState,
    since: Instant,
    names: HashMap<u64, u32, BuildHasherDefault<Hashed>>,
    swept: u32,
}

impl Default for KnownNames {
    fn default() -> Self {
        Self {
            state: RandomState::new(),
            since: Instant::now(),
            names: HashMap::default(),
            swept: 0,
        }
    }
}

impl KnownNames {
    pub(super) fn hash(&self, name: &str) -> u64 {
        self.state.hash_one(name)
    }

    pub(super) fn seconds(&self) -> u32 {
        u32::try_from(self.since.elapsed().as_secs()).unwrap_or(u32::MAX)
    }

    pub(super) fn is_due(&self, hash: u64, now: u32) -> bool {
        let wait = REASSERT.as_secs() + hash % REASSERT.as_secs();
        self.names
            .get(&hash)
            .is_none_or(|put| u64::from(now.saturating_sub(*put)) >= wait)
    }

    pub(super) fn assert(&mut self, hashes: &[u64], now: u32) {
        self.names.extend(hashes.iter().map(|hash| (*hash, now)));
    }

    /// Drops the names nothing was written to for so long that they are due anyway.
    pub(super) fn forget_old(&mut self) {
        let now = self.seconds();
        let limit = 2 * REASSERT.as_secs() as u32;
        if now.saturating_sub(self.swept) >= limit {
            self.swept = now;
            self.names.retain(|_, put| now.saturating_sub(*put) < limit);
        }
    }

    pub(super) fn forget_hashes(&mut self, hashes: impl Iterator<Item = u64>) {
        hashes.for_each(|hash| {
            self.names.remove(&hash);
        });
    }

    /// After a removal: the next point puts the name back at once.
    pub(super) fn forget(&mut self, names: &[&str]) {
        for name in names {
            self.names.remove(&self.state.hash_one(name));
        }
    }
}
