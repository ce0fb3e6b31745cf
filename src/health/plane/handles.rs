//! Who may submit: each observer of a module gets a number, the same one each time it asks, also after a restart. No number is
//! ever given to somebody else.

use std::collections::HashMap;
use std::sync::Arc;

use crate::health::limits::HealthRefusal;

/// The first handle, as in the original.
const FIRST: u64 = 10_000;

/// All handles that were ever given.
#[derive(Debug, Default)]
pub(super) struct Handles {
    by_observer: HashMap<(Arc<str>, Arc<str>), u64>,
    /// The observer of handle `FIRST + index`; `None` for a number that is lost.
    owners: Vec<Option<Arc<str>>>,
}

impl Handles {
    /// The handle of `observer` of `module`, and whether it is new. At most `limit` are given.
    pub(super) fn give(
        &mut self,
        module: &Arc<str>,
        observer: &Arc<str>,
        limit: usize,
    ) -> Result<(u64, bool), HealthRefusal> {
        let key = (Arc::clone(module), Arc::clone(observer));
        if let Some(handle) = self.by_observer.get(&key) {
            return Ok((*handle, false));
        }
        if self.by_observer.len() >= limit {
            return Err(HealthRefusal::Full {
                what: "observers",
                limit,
            });
        }
        let handle = FIRST + self.owners.len() as u64;
        self.owners.push(Some(Arc::clone(observer)));
        self.by_observer.insert(key, handle);
        Ok((handle, true))
    }

    /// Takes back what was given in an earlier life.
    pub(super) fn restore(&mut self, handle: u64, module: Arc<str>, observer: Arc<str>) {
        let Some(index) = handle
            .checked_sub(FIRST)
            .and_then(|index| usize::try_from(index).ok())
        else {
            return;
        };
        if self.owners.len() <= index {
            self.owners.resize(index + 1, None);
        }
        self.owners[index] = Some(Arc::clone(&observer));
        self.by_observer.insert((module, observer), handle);
    }

    /// Whether `handle` was given to `observer`.
    pub(super) fn check(&self, handle: u64, observer: &str) -> Result<(), HealthRefusal> {
        let index = handle
            .checked_sub(FIRST)
            .and_then(|index| usize::try_from(index).ok());
        match index.and_then(|index| self.owners.get(index)) {
            Some(Some(owner)) if **owner == *observer => Ok(()),
            Some(Some(_)) => Err(HealthRefusal::ForeignHandle { handle }),
            _ => Err(HealthRefusal::UnknownHandle),
        }
    }

    /// How many observers have one.
    pub(super) fn len(&self) -> usize {
        self.by_observer.len()
    }
}
