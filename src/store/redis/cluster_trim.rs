//! Trimming in a cluster: a value and the set of names are on two nodes, and no script reaches both.
//!
//! A value that has nothing left goes first, then its name, and then it is looked at again: a writer that has made the value anew
//! meanwhile puts the name back itself, but may have done so just before it was taken out. Between the two a name may be missing for
//! a moment that has a value; if this process dies just then, until a writer of ours names it again, within ten minutes.

use std::ops::ControlFlow;
use std::time::Duration;

use super::cluster_store::ClusterStore;
use super::trim::claim_key;
use super::{Names as _, StoreError};
use crate::store::trim::{Trim, TrimLimits, Trimmed, Watch};

impl Trim for ClusterStore {
    /// What a node sends elsewhere is left for the next turn.
    fn trim(
        &mut self,
        metrics: &[&str],
        limits: TrimLimits,
        watch: &mut dyn Watch,
    ) -> Result<(), StoreError> {
        let slots = self.slots_of(metrics.iter().copied());
        let mut answered = vec![false; metrics.len()];
        let (mut removed, mut is_over, mut moved) = (Vec::new(), false, None);
        let outcome = self.spread(&slots, &mut answered, &mut |store, places, answered| {
            if is_over {
                return Ok(());
            }
            let names: Vec<&str> = places.iter().map(|place| metrics[*place]).collect();
            let mut part = NodeWatch {
                places,
                answered,
                removed: &mut removed,
                is_over: &mut is_over,
                watch: &mut *watch,
            };
            let outcome = store.trim(&names, limits, &mut part);
            for (index, redirect) in store.redirected.take() {
                part.trimmed(index, Trimmed::Raced);
                moved = Some(redirect);
            }
            outcome
        });
        let names: Vec<&str> = removed.iter().map(|(place, _)| metrics[*place]).collect();
        self.unname(&names)?;
        for (place, trimmed) in removed {
            watch.trimmed(place, trimmed);
        }
        outcome?;
        match moved {
            None => Ok(()),
            moved => self.look_again(moved.as_ref()),
        }
    }

    fn remove_empty(&mut self, metrics: &[&str]) -> Result<u64, StoreError> {
        let empty = self.are_empty(metrics)?;
        let names = metrics.iter().zip(empty).filter(|(_, empty)| *empty);
        let names: Vec<&str> = names.map(|(name, _)| *name).collect();
        self.unname(&names)
    }

    fn claim(&mut self, minute: u64, kept: Duration) -> Result<bool, StoreError> {
        let key = claim_key(&self.namespace, minute);
        self.at_key(("", &key), |store| store.claim(minute, kept))
    }
}

impl ClusterStore {
    /// Takes names out of the set, but for those under which there is something by then. How many went.
    fn unname(&mut self, names: &[&str]) -> Result<u64, StoreError> {
        if names.is_empty() {
            return Ok(0);
        }
        self.nodes
            .values_mut()
            .for_each(|store| store.known.forget(names));
        let set = self.unique_metrics.clone();
        let removed = self
            .at_key(("", &set), |store| store.change_set(&[], names))?
            .removed;
        let empty = self.are_empty(names)?;
        let back: Vec<&str> = names
            .iter()
            .zip(empty)
            .filter(|(_, empty)| !empty)
            .map(|(name, _)| *name)
            .collect();
        self.change(&back, &[])?;
        Ok(removed.saturating_sub(back.len() as u64))
    }

    fn are_empty(&mut self, metrics: &[&str]) -> Result<Vec<bool>, StoreError> {
        let slots = self.slots_of(metrics.iter().copied());
        self.gather(&slots, metrics, |store, part| store.are_empty(part))
    }
}

/// Follows the work at one node.
struct NodeWatch<'a> {
    places: &'a [usize],
    answered: &'a mut [bool],
    /// Whose names are still to be taken out, and who is to be reported then.
    removed: &'a mut Vec<(usize, Trimmed)>,
    is_over: &'a mut bool,
    watch: &'a mut dyn Watch,
}

impl Watch for NodeWatch<'_> {
    fn trimmed(&mut self, index: usize, trimmed: Trimmed) {
        let place = self.places[index];
        self.answered[place] = true;
        match trimmed {
            Trimmed::Removed { .. } => self.removed.push((place, trimmed)),
            trimmed => self.watch.trimmed(place, trimmed),
        }
    }

    fn worked(&mut self, time: Duration) -> ControlFlow<()> {
        let flow = self.watch.worked(time);
        *self.is_over |= flow.is_break();
        flow
    }
}
