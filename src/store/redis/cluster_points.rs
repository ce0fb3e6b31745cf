//! Points in a cluster: each metric where its slot is, its name in the one set, which is on one node.

use std::collections::HashMap;

use skywatch_algorithms::Series;

use super::cluster_store::ClusterStore;
use super::partly_stored::PartlyStored;
use super::server_store::ServerStore;
use super::{EachFetched, EachTail, Names as _, Points, RedisCursor, Sample, StoreError};

impl Points for ClusterStore {
    type Cursor = RedisCursor;

    fn append(&mut self, batch: &[Sample<'_>]) -> Result<(), StoreError> {
        let mut partly = PartlyStored::of(batch, self.partly.take());
        let slots = self.slots_of(batch.iter().map(|sample| sample.metric));
        let PartlyStored {
            stored,
            unnamed,
            refused,
            refusal,
            ..
        } = &mut partly;
        let outcome = self.spread(&slots, stored, &mut |store, places, _| {
            let part: Vec<Sample<'_>> = places.iter().map(|place| batch[*place]).collect();
            match store.append_as_member(&part, unnamed) {
                Err(StoreError::Refused { metrics, reason, .. }) => {
                    if refused.is_empty() {
                        *refusal = reason;
                    }
                    refused.extend(metrics);
                }
                outcome => outcome?,
            }
            all_samples_follow(store, &part);
            Ok(())
        });
        // Also if the rest went wrong: what is stored has a name.
        let outcome = self.name(&mut partly.unnamed).and(outcome);
        if outcome.is_err() {
            self.partly = Some(partly.kept_for(batch));
            return outcome;
        }
        if partly.refused.is_empty() {
            return Ok(());
        }
        Err(StoreError::Refused {
            place: self.place().to_owned(),
            metrics: partly.refused,
            reason: partly.refusal,
        })
    }

    fn fetch(
        &mut self,
        metrics: &[&str],
        into: &mut Series,
        each: &mut EachFetched<'_, RedisCursor>,
    ) -> Result<(), StoreError> {
        let slots = self.slots_of(metrics.iter().copied());
        self.read_each(&slots, metrics, into, each, |store, names, into, each| {
            store.fetch(names, into, each)
        })
    }

    fn fetch_last(
        &mut self,
        metrics: &[&str],
        points: usize,
        into: &mut Series,
        each: &mut EachFetched<'_, RedisCursor>,
    ) -> Result<(), StoreError> {
        let slots = self.slots_of(metrics.iter().copied());
        self.read_each(&slots, metrics, into, each, |store, names, into, each| {
            store.fetch_last(names, points, into, each)
        })
    }

    fn fetch_tails(
        &mut self,
        asks: &[(&str, &RedisCursor)],
        into: &mut Series,
        each: &mut EachTail<'_, RedisCursor>,
    ) -> Result<(), StoreError> {
        let slots = self.slots_of(asks.iter().map(|(metric, _)| *metric));
        self.read_each(&slots, asks, into, each, |store, asks, into, each| {
            store.fetch_tails(asks, into, each)
        })
    }
}

impl ClusterStore {
    /// Reads series that are asked for by `asks`, one a slot: `read` asks one node for some of them.
    fn read_each<A: Copy, F>(
        &mut self,
        slots: &[u16],
        asks: &[A],
        into: &mut Series,
        each: &mut dyn FnMut(usize, &mut Series, F),
        read: impl Fn(
            &mut ServerStore,
            &[A],
            &mut Series,
            &mut dyn FnMut(usize, &mut Series, F),
        ) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut answered = vec![false; asks.len()];
        self.spread(slots, &mut answered, &mut |store, places, answered| {
            let part: Vec<A> = places.iter().map(|place| asks[*place]).collect();
            read(store, &part, into, &mut |index, series, found| {
                answered[places[index]] = true;
                each(places[index], series, found);
            })
        })
    }

    /// Puts names into the set. If that fails, nobody takes them for known.
    fn name(&mut self, unnamed: &mut Vec<String>) -> Result<(), StoreError> {
        if unnamed.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = unnamed.iter().map(String::as_str).collect();
        let named = self.change(&names, &[]);
        match named {
            Ok(()) => unnamed.clear(),
            Err(_) => self
                .nodes
                .values_mut()
                .for_each(|store| store.known.forget(&names)),
        }
        named
    }
}

/// What was sent elsewhere with the first sample of a metric was sent with all.
fn all_samples_follow(store: &mut ServerStore, part: &[Sample<'_>]) {
    let first = store.redirected.take();
    if first.is_empty() {
        return;
    }
    let first: HashMap<&str, _> = first
        .into_iter()
        .map(|(index, redirect)| (part[index].metric, redirect))
        .collect();
    for (index, sample) in part.iter().enumerate() {
        if let Some(redirect) = first.get(sample.metric) {
            store.redirected.add(index, redirect.clone());
        }
    }
}
