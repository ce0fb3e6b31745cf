//! Names, small keys and the state of the nodes of a cluster.

use std::time::{Duration, Instant};

use super::cluster_store::ClusterStore;
use super::hash_slot::hash_slot;
use super::names::ADDITIONS;
use super::server_store::ServerStore;
use super::{Condition, Keys, Names, Store, StoreError};

/// What is gathered of changes, which answer nothing.
const NOTHING: Vec<()> = Vec::new();

impl Names for ClusterStore {
    fn count(&mut self) -> Result<u64, StoreError> {
        let set = self.unique_metrics.clone();
        self.at_key(("", &set), Names::count)
    }

    fn additions(&mut self) -> Result<u64, StoreError> {
        let set = self.unique_metrics.clone();
        self.at_key((ADDITIONS, &set), Names::additions)
    }

    /// Begun anew where the set has moved meanwhile, as names may come twice.
    fn list(&mut self, each: &mut dyn FnMut(&str)) -> Result<(), StoreError> {
        let set = self.unique_metrics.clone();
        self.at_key(("", &set), |store| store.list(each))
    }

    fn list_until(&mut self, due: Instant, each: &mut dyn FnMut(&str)) -> Result<(), StoreError> {
        let set = self.unique_metrics.clone();
        self.at_key(("", &set), |store| store.list_until(due, each))
    }

    fn change(&mut self, add: &[&str], remove: &[&str]) -> Result<(), StoreError> {
        self.nodes
            .values_mut()
            .for_each(|store| store.known.forget(remove));
        let set = self.unique_metrics.clone();
        let changed = self.at_key(("", &set), |store| store.change_set(add, remove))?;
        if changed.added > 0
            && let Err(error) = self.at_key((ADDITIONS, &set), |store| store.count_addition())
        {
            tracing::debug!("new names not announced :: {error}");
        }
        Ok(())
    }
}

impl Keys for ClusterStore {
    fn get(&mut self, keys: &[&str]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.gather(&slots(keys), keys, ServerStore::get_each)
    }

    fn set(&mut self, entries: &[(&str, &[u8])], expires_in: Option<Duration>) -> Result<(), StoreError> {
        let keys: Vec<&str> = entries.iter().map(|(key, _)| *key).collect();
        self.gather(&slots(&keys), entries, |store, part| {
            store.set_each(part, expires_in).map(|()| NOTHING)
        })
        .map(drop)
    }

    fn remove(&mut self, keys: &[&str]) -> Result<(), StoreError> {
        self.gather(&slots(keys), keys, |store, part| {
            store.remove_each(part).map(|()| NOTHING)
        })
        .map(drop)
    }
}

impl Store for ClusterStore {
    /// Asks the node that has the names, without which nothing can be done. Of the others [`condition`](Store::condition) tells.
    fn ping(&mut self) -> Result<(), StoreError> {
        let set = self.unique_metrics.clone();
        self.at_key(("", &set), Store::ping)
    }

    fn condition(&mut self) -> Result<Condition, StoreError> {
        let mut sum = Condition::default();
        let mut evicted = Some(0);
        for node in self.map()?.primaries() {
            match self.ask_node(node, false, Store::condition) {
                Ok(one) => {
                    evicted = evicted.zip(one.evicted).map(|(sum, one)| sum + one);
                    sum.evicts_by = sum.evicts_by.or(one.evicts_by);
                    sum.limit += one.limit;
                }
                Err(error) => sum.silent.push(error.to_string()),
            }
        }
        // Without one of them the sum would fall, and jump when it is back.
        sum.evicted = evicted.filter(|_| sum.silent.is_empty());
        Ok(sum)
    }
}

fn slots(keys: &[&str]) -> Vec<u16> {
    keys.iter().map(|key| hash_slot("", key)).collect()
}
