//! Small values, each behind eight bytes that say when it expires.

use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::engine::Engine;
use super::{EmbeddedStore, StoreError};
use crate::store::Keys;

/// Stands for a value that never expires.
const NEVER: u64 = u64::MAX;

impl Keys for EmbeddedStore {
    fn get(&mut self, keys: &[&str]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let now = unix_milliseconds();
        let engine = self.engine()?;
        let get = |key: &&str| {
            let stored = engine.keys.get(key).map_err(|error| engine.failed(error))?;
            Ok(stored.and_then(|stored| living(&stored, now).map(<[u8]>::to_vec)))
        };
        keys.iter().map(get).collect()
    }

    fn set(&mut self, entries: &[(&str, &[u8])], expires_in: Option<Duration>) -> Result<(), StoreError> {
        let expires = expires_in.map_or(NEVER, |time| {
            unix_milliseconds().saturating_add(milliseconds(time))
        });
        let engine = self.engine()?;
        let _setting = engine.setting();
        for (key, value) in entries {
            let stored = [&expires.to_be_bytes()[..], value].concat();
            let inserted = engine.keys.insert(*key, stored);
            inserted.map_err(|error| engine.failed(error))?;
        }
        engine.written();
        Ok(())
    }

    fn remove(&mut self, keys: &[&str]) -> Result<(), StoreError> {
        let engine = self.engine()?;
        for key in keys {
            engine.keys.remove(*key).map_err(|error| engine.failed(error))?;
        }
        engine.written();
        Ok(())
    }
}

impl Engine {
    fn setting(&self) -> MutexGuard<'_, ()> {
        self.setting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes what has expired.
    pub(super) fn purge_keys(&self) -> Result<(), StoreError> {
        let now = unix_milliseconds();
        for entry in self.keys.iter() {
            let (key, stored) = entry.into_inner().map_err(|error| self.failed(error))?;
            if living(&stored, now).is_some() {
                continue;
            }
            let _setting = self.setting();
            let stored = self.keys.get(&key).map_err(|error| self.failed(error))?;
            if stored.is_some_and(|stored| living(&stored, now).is_none()) {
                self.keys.remove(key).map_err(|error| self.failed(error))?;
                self.written();
            }
        }
        Ok(())
    }
}

/// The value, if it has not expired.
fn living(stored: &[u8], now: u64) -> Option<&[u8]> {
    let (expires, value) = stored.split_first_chunk()?;
    (now < u64::from_be_bytes(*expires)).then_some(value)
}

fn unix_milliseconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, milliseconds)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX - 1)
}
