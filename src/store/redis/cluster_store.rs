//! One handle on a Redis Cluster: a handle on each node that is asked, and who is to be asked for what.
//!
//! The decision a reader would question: the cluster client of the library is not used. What is read in bulk goes over connections of our
//! own and needs the slots at hand; a second map inside the library would say something else at times.
//!
//! A question about many keys is asked in rounds. In each, every node is asked for what it has of what is not answered yet. What a node
//! sends elsewhere is asked there in the next round; what a node does not answer, only if another one has its slots by then. A node that
//! is away is the caller's to wait for, who has all that the others know meanwhile.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use skywatch_settings::HostPort;

use super::StoreError;
use super::connect::RedisConnect;
use super::failure;
use super::hash_slot::hash_slot;
use super::partly_stored::PartlyStored;
use super::redirect::Redirect;
use super::server_store::ServerStore;
use super::slot_map::SlotMap;
use super::slots::ClusterSlots;

/// Rounds after which keys that are sent from node to node are given up: the pauses between them come to a second.
const ROUNDS: u32 = 9;
/// The pause before the third round; it doubles. A slot that changes hands is nobody's for milliseconds.
const FIRST_PAUSE: Duration = Duration::from_millis(8);

/// Asks one node about some places of a question. On an error it has noted in the last argument what was answered; else all is, but what
/// the node has sent elsewhere.
pub(super) type AskNode<'a> =
    dyn FnMut(&mut ServerStore, &[usize], &mut [bool]) -> Result<(), StoreError> + 'a;

/// A handle on a cluster.
pub(super) struct ClusterStore {
    connect: RedisConnect,
    slots: Arc<ClusterSlots>,
    /// A handle on each node that was asked.
    pub(super) nodes: HashMap<HostPort, ServerStore>,
    pub(super) namespace: String,
    pub(super) unique_metrics: String,
    /// The last batch, if not all of it is stored.
    pub(super) partly: Option<PartlyStored>,
}

/// What one node is asked in a round.
struct Share {
    node: HostPort,
    /// Whether the slots are on their way to it.
    asking: bool,
    places: Vec<usize>,
}

impl ClusterStore {
    pub(super) fn new(connect: RedisConnect, slots: Arc<ClusterSlots>) -> Self {
        let namespace = connect.options().namespace.clone();
        Self {
            connect,
            slots,
            nodes: HashMap::new(),
            unique_metrics: format!("{namespace}unique_metrics"),
            namespace,
            partly: None,
        }
    }

    /// The cluster, for people.
    pub(super) fn place(&self) -> &str {
        self.connect.place()
    }

    /// Slots of metrics.
    pub(super) fn slots_of<'m>(&self, metrics: impl Iterator<Item = &'m str>) -> Vec<u16> {
        metrics.map(|metric| hash_slot(&self.namespace, metric)).collect()
    }

    /// Who has what.
    pub(super) fn map(&self) -> Result<Arc<SlotMap>, StoreError> {
        self.connect.slot_map()
    }

    /// Asks who has what now, first a node that is said to have something.
    pub(super) fn look_again(&self, redirect: Option<&Redirect>) -> Result<(), StoreError> {
        let first = match redirect {
            Some(Redirect::Moved(node)) => Some(node),
            Some(Redirect::Ask(_)) | None => None,
        };
        self.connect.refresh_slots(first)
    }

    /// Asks about keys in these slots, but for those that `answered` says need no asking. All are answered in the end, or there is an error.
    pub(super) fn spread(
        &mut self,
        slots: &[u16],
        answered: &mut [bool],
        ask: &mut AskNode<'_>,
    ) -> Result<(), StoreError> {
        let mut elsewhere: HashMap<usize, Redirect> = HashMap::new();
        for round in 0..ROUNDS {
            if answered.iter().all(|answered| *answered) {
                return Ok(());
            }
            pause(round);
            let map = self.map()?;
            let (shares, homeless) = share(&map, slots, answered, &elsewhere);
            elsewhere.clear();
            let no_node = |slot| self.unavailable(format!("no node of the cluster has slot {slot}"));
            let mut failure = homeless.map(no_node);
            let mut silent = Vec::new();
            for part in shares {
                if let Err(error) = self.ask_share(&part, answered, &mut elsewhere, ask) {
                    silent.push(part.node);
                    failure = Some(error);
                }
            }
            let moved = elsewhere
                .values()
                .find(|redirect| matches!(redirect, Redirect::Moved(_)));
            match failure {
                None if moved.is_none() => {}
                // Where to ask next is known, whatever comes of it.
                None => drop(self.look_again(moved)),
                Some(error) => {
                    if !error.is_retryable() || self.look_again(moved).is_err() {
                        return Err(error);
                    }
                    let map = self.map()?;
                    let is_left = |place: &usize| {
                        let node = map.primary(slots[*place]);
                        !elsewhere.contains_key(place) && node.is_none_or(|node| silent.contains(node))
                    };
                    // Others may have taken over what was to be answered; only then is there anybody to ask.
                    if (0..slots.len()).any(|place| !answered[place] && is_left(&place)) {
                        return Err(error);
                    }
                }
            }
        }
        match answered.iter().all(|answered| *answered) {
            true => Ok(()),
            false => Err(self.unavailable("keys are sent from node to node".to_owned())),
        }
    }

    /// Asks about `items`, one a slot, and gathers the answers: `ask` asks one node about some of them, and answers each.
    pub(super) fn gather<I: Copy, T: Clone + Default>(
        &mut self,
        slots: &[u16],
        items: &[I],
        mut ask: impl FnMut(&mut ServerStore, &[I]) -> Result<Vec<T>, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut gathered = vec![T::default(); items.len()];
        let mut answered = vec![false; items.len()];
        self.spread(slots, &mut answered, &mut |store, places, _| {
            let part: Vec<I> = places.iter().map(|place| items[*place]).collect();
            for (place, answer) in places.iter().zip(ask(store, &part)?) {
                gathered[*place] = answer;
            }
            Ok(())
        })?;
        Ok(gathered)
    }

    fn ask_share(
        &mut self,
        part: &Share,
        answered: &mut [bool],
        elsewhere: &mut HashMap<usize, Redirect>,
        ask: &mut AskNode<'_>,
    ) -> Result<(), StoreError> {
        let outcome = self.ask_node(&part.node, part.asking, |store| {
            ask(store, &part.places, answered)
        });
        if outcome.is_ok() {
            part.places.iter().for_each(|place| answered[*place] = true);
        }
        let redirected = self
            .nodes
            .get_mut(&part.node)
            .map(|store| store.redirected.take());
        for (index, redirect) in redirected.into_iter().flatten() {
            let place = part.places[index];
            answered[place] = false;
            elsewhere.insert(place, redirect);
        }
        outcome
    }

    /// Asks for something that is under one key, or keys of the same slot.
    pub(super) fn at_key<T>(
        &mut self,
        (prefix, name): (&str, &str),
        mut ask: impl FnMut(&mut ServerStore) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let slot = hash_slot(prefix, name);
        let mut next = None;
        for round in 0..ROUNDS {
            pause(round);
            let (node, asking) = match next.take() {
                Some(Redirect::Moved(node)) => (node, false),
                Some(Redirect::Ask(node)) => (node, true),
                None => (self.primary(slot)?, false),
            };
            match self.ask_node(&node, asking, &mut ask) {
                Err(StoreError::Elsewhere { place, reason }) => {
                    next = Redirect::read(&reason, &node.host);
                    if next.is_none() || self.look_again(next.as_ref()).is_err() {
                        return Err(StoreError::Elsewhere { place, reason });
                    }
                }
                Err(error) if error.is_retryable() => {
                    if self.look_again(None).is_err() || self.primary(slot)? == node {
                        return Err(error);
                    }
                }
                outcome => return outcome,
            }
        }
        Err(self.unavailable(format!("slot {slot} is sent from node to node")))
    }

    fn primary(&self, slot: u16) -> Result<HostPort, StoreError> {
        let primary = self.map()?.primary(slot).cloned();
        primary.ok_or_else(|| self.unavailable(format!("no node of the cluster has slot {slot}")))
    }

    /// Asks one node, unless it has just kept somebody waiting for nothing.
    pub(super) fn ask_node<T>(
        &mut self,
        node: &HostPort,
        asking: bool,
        ask: impl FnOnce(&mut ServerStore) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if let Some(error) = self.slots.resting(node) {
            return Err(error);
        }
        if !self.nodes.contains_key(node) {
            let store = ServerStore::new(self.connect.member(node)?);
            self.nodes.insert(node.clone(), store);
        }
        let Some(store) = self.nodes.get_mut(node) else {
            return Err(self.unavailable(format!("no way to {node}")));
        };
        store.redirected.take();
        store.wire.asking = asking;
        let begun = Instant::now();
        let outcome = ask(store);
        store.wire.asking = false;
        if let Err(error) = &outcome
            && failure::is_timeout(error)
        {
            self.slots.rest(node, begun.elapsed(), error);
        }
        outcome
    }

    fn unavailable(&self, reason: String) -> StoreError {
        self.connect.unavailable(reason)
    }
}

/// Divides what is not answered among the nodes: those that have it, or that it was sent on to. Also a slot that no node has, if there is one.
fn share(
    map: &SlotMap,
    slots: &[u16],
    answered: &[bool],
    elsewhere: &HashMap<usize, Redirect>,
) -> (Vec<Share>, Option<u16>) {
    let primaries = map.primaries();
    let mut shares: Vec<Share> = primaries.iter().map(|node| Share::of(node, false)).collect();
    let mut homeless = None;
    for (place, slot) in slots.iter().enumerate().filter(|(place, _)| !answered[*place]) {
        let index = match elsewhere.get(&place) {
            None => map.owner(*slot),
            Some(Redirect::Moved(node)) => Some(index_of(&mut shares, node, false)),
            Some(Redirect::Ask(node)) => Some(index_of(&mut shares, node, true)),
        };
        match index {
            Some(index) => shares[index].places.push(place),
            None => homeless = Some(*slot),
        }
    }
    shares.retain(|share| !share.places.is_empty());
    (shares, homeless)
}

fn index_of(shares: &mut Vec<Share>, node: &HostPort, asking: bool) -> usize {
    let known = shares
        .iter()
        .position(|share| share.node == *node && share.asking == asking);
    known.unwrap_or_else(|| {
        shares.push(Share::of(node, asking));
        shares.len() - 1
    })
}

impl Share {
    fn of(node: &HostPort, asking: bool) -> Self {
        Self {
            node: node.clone(),
            asking,
            places: Vec::new(),
        }
    }
}

fn pause(round: u32) {
    if round >= 2 {
        std::thread::sleep(FIRST_PAUSE * 2_u32.pow(round - 2));
    }
}
