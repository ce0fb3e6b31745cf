//! What all handles of a process know of a Redis Cluster: who has which slot, and which nodes were in trouble just now.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use skywatch_settings::HostPort;

use super::StoreError;
use super::slot_map::SlotMap;
use crate::live_value::LiveValue;

/// Time between two questions who has what: whoever finds himself sent elsewhere meanwhile goes by what somebody else has just learnt.
const ASK_EACH: Duration = Duration::from_millis(100);
/// A failure that took less than this costs nobody anything.
const SHORT: Duration = Duration::from_millis(100);
/// The longest time for which a node is left alone.
const LONGEST_REST: Duration = Duration::from_secs(10);

/// What is known of a cluster.
pub(super) struct ClusterSlots {
    seeds: Vec<HostPort>,
    map: LiveValue<SlotMap>,
    asked: Mutex<SlotQuestions>,
    /// Nodes that have kept somebody waiting for nothing, until when they are left alone, and what they did.
    resting: Mutex<HashMap<HostPort, (Instant, StoreError)>>,
}

/// When nodes were asked, and how often.
#[derive(Default)]
struct SlotQuestions {
    last: Option<Instant>,
    times: usize,
}

impl ClusterSlots {
    /// Nothing is known but some nodes.
    pub(super) fn new(seeds: &[HostPort]) -> Self {
        Self {
            seeds: seeds.to_vec(),
            map: LiveValue::default(),
            asked: Mutex::default(),
            resting: Mutex::default(),
        }
    }

    /// Who has what; nobody anything before the first answer.
    pub(super) fn map(&self) -> Arc<SlotMap> {
        self.map.current()
    }

    /// Has `ask` ask nodes until one answers: `first`, those that are known, another one of them each time, and the seeds. Nothing
    /// happens if this was done a moment ago, by whomever.
    ///
    /// # Errors
    /// That of the last node, if none answers.
    pub(super) fn refresh(
        &self,
        first: Option<&HostPort>,
        place: &str,
        ask: impl Fn(&HostPort) -> Result<SlotMap, StoreError>,
    ) -> Result<(), StoreError> {
        let known = self.map();
        let Some(times) = self.turn() else { return Ok(()) };
        let nodes: Vec<&HostPort> = known.nodes().collect();
        let (later, sooner) = nodes.split_at(times.checked_rem(nodes.len()).unwrap_or(0));
        let candidates = first
            .into_iter()
            .chain(sooner.iter().copied())
            .chain(later.iter().copied());
        let mut failure = StoreError::Unavailable {
            place: place.to_owned(),
            reason: "no node of the cluster is known".to_owned(),
        };
        for node in candidates.chain(&self.seeds) {
            match ask(node) {
                Ok(map) if map.primaries().is_empty() => {
                    failure = StoreError::Unavailable {
                        place: place.to_owned(),
                        reason: format!("the node {node} knows of no slots"),
                    };
                }
                Ok(map) => {
                    let moved = map.differences(&known);
                    if moved > 0 {
                        let primaries = map.primaries().len();
                        tracing::info!(
                            "{place} :: {primaries} primaries, {moved} slots have another one than was known"
                        );
                        self.map.replace(map);
                    }
                    return Ok(());
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Whether it is time to ask, and how often this was done before.
    fn turn(&self) -> Option<usize> {
        let mut asked = lock(&self.asked);
        if asked.last.is_some_and(|last| last.elapsed() < ASK_EACH) {
            return None;
        }
        asked.last = Some(Instant::now());
        asked.times += 1;
        Some(asked.times)
    }

    /// Why a node is not to be asked now.
    pub(super) fn resting(&self, node: &HostPort) -> Option<StoreError> {
        let resting = lock(&self.resting);
        let (until, error) = resting.get(node)?;
        (Instant::now() < *until).then(|| error.clone())
    }

    /// A node did not answer, which took so long: for as long nobody else waits for it.
    pub(super) fn rest(&self, node: &HostPort, took: Duration, error: &StoreError) {
        if took >= SHORT {
            let until = Instant::now() + took.min(LONGEST_REST);
            lock(&self.resting).insert(node.clone(), (until, error.clone()));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(port: u16) -> HostPort {
        HostPort {
            host: "h".to_owned(),
            port,
        }
    }

    fn away() -> StoreError {
        StoreError::Unavailable {
            place: String::new(),
            reason: "away".to_owned(),
        }
    }

    #[test]
    fn nodes_are_asked_until_one_answers_and_not_too_often() {
        let slots = ClusterSlots::new(&[node(1), node(2)]);
        let asked = Mutex::new(Vec::new());
        let ask = |node: &HostPort| {
            lock(&asked).push(node.port);
            Err(away())
        };
        assert!(slots.refresh(Some(&node(9)), "", ask).is_err());
        assert!(slots.refresh(None, "", ask).is_ok(), "somebody has just tried");
        assert_eq!(*lock(&asked), [9, 1, 2]);
    }

    #[test]
    fn a_node_that_kept_somebody_waiting_is_left_alone() {
        let slots = ClusterSlots::new(&[]);
        slots.rest(&node(1), Duration::from_millis(1), &away());
        assert!(slots.resting(&node(1)).is_none());
        slots.rest(&node(1), Duration::from_secs(5), &away());
        assert!(slots.resting(&node(1)).is_some());
        assert!(slots.resting(&node(2)).is_none());
    }
}
