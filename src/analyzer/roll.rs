//! The roll of metrics: who is there, and which worker has whom.
//!
//! The store is asked for the number of names each pass, and for the names only when that number changed
//! or a minute has gone by (a name may leave as another comes).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::shard::shard_of;
use crate::store::{Names, StoreError};

/// Longest time without a full list.
const RELIST_AFTER: Duration = Duration::from_secs(60);

/// Names that came to and left one shard.
#[derive(Debug, Default)]
pub struct Change {
    /// Names new to the shard.
    pub add: Vec<Arc<str>>,
    /// Names that left it.
    pub remove: Vec<Arc<str>>,
}

/// All known names, each with the number of the listing that saw it last.
#[derive(Debug, Default)]
pub struct Roll {
    names: HashMap<Arc<str>, u64>,
    listing: u64,
    counted: u64,
    listed: Option<Instant>,
}

impl Roll {
    /// Number of metrics on the roll.
    pub fn metrics(&self) -> usize {
        self.names.len()
    }

    /// Brings the roll up to date. Answers what changed, a [`Change`] for each of `shards` workers, or
    /// nothing if the names were not listed.
    ///
    /// # Errors
    /// The store's own; the roll is then as before.
    pub fn call(&mut self, store: &mut impl Names, shards: usize) -> Result<Vec<Change>, StoreError> {
        let counted = store.count()?;
        if counted == self.counted && self.listed.is_some_and(|at| at.elapsed() < RELIST_AFTER) {
            return Ok(Vec::new());
        }
        let listing = self.listing + 1;
        let mut changes: Vec<Change> = Vec::new();
        changes.resize_with(shards, Change::default);
        let names = &mut self.names;
        store.list(&mut |name| {
            if let Some(seen) = names.get_mut(name) {
                *seen = listing;
            } else {
                let name: Arc<str> = Arc::from(name);
                changes[shard_of(&name, shards)].add.push(Arc::clone(&name));
                names.insert(name, listing);
            }
        })?;
        names.retain(|name, seen| {
            let stays = *seen == listing;
            if !stays {
                changes[shard_of(name, shards)].remove.push(Arc::clone(name));
            }
            stays
        });
        self.listing = listing;
        self.counted = counted;
        self.listed = Some(Instant::now());
        Ok(changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(Vec<&'static str>, u64);

    impl Names for Fixed {
        fn count(&mut self) -> Result<u64, StoreError> {
            Ok(self.0.len() as u64)
        }

        fn list(&mut self, each: &mut dyn FnMut(&str)) -> Result<(), StoreError> {
            self.1 += 1;
            self.0.iter().for_each(|name| each(name));
            Ok(())
        }

        fn change(&mut self, _: &[&str], _: &[&str]) -> Result<(), StoreError> {
            Ok(())
        }
    }

    #[test]
    fn lists_only_on_change_and_tells_each_shard_its_part() {
        let mut store = Fixed(vec!["a", "b", "c"], 0);
        let mut roll = Roll::default();
        let added: usize = roll
            .call(&mut store, 2)
            .expect("lists")
            .iter()
            .map(|c| c.add.len())
            .sum();
        assert_eq!((added, roll.metrics()), (3, 3));
        assert!(roll.call(&mut store, 2).expect("counts").is_empty());
        assert_eq!(store.1, 1);
        store.0 = vec!["a", "d"];
        let changes = roll.call(&mut store, 2).expect("lists");
        assert_eq!(changes.iter().map(|c| c.add.len()).sum::<usize>(), 1);
        assert_eq!(changes.iter().map(|c| c.remove.len()).sum::<usize>(), 2);
        assert_eq!(roll.metrics(), 2);
    }
}
