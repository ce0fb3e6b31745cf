//! What peers are to be told: reports of our observers, and what we want to hear of.
//!
//! Each peer has one queue. When it is full, only the newest observations of each view are left in it: more than that a view
//! does not hold, so after an outage both sides know the same. Subscriptions have a place of their own and are never lost.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use skywatch_algorithms::verdicts::{HealthObservation, SECOND, VIEW_LENGTH};
use tokio::sync::Notify;

use super::options::ServerOptions;
use crate::health::idl::panorama;
use crate::health::plane::{Accepted, Numbered, Plane};

/// Reports that may wait for a peer.
const QUEUE: usize = 10_000;
/// Bytes of reports that are told together, as estimated: half of what a message may have.
const TOGETHER_BYTES: usize = 2 << 20;
/// Reports younger than this may not have reached peers when we were killed, in nanoseconds: they are told again.
const AGAIN: i64 = 60 * SECOND;

/// The ways to all peers.
#[derive(Debug)]
pub(super) struct PeerLines {
    pub(super) own: panorama::Peer,
    pub(super) peers: BTreeMap<String, Arc<PeerLine>>,
}

/// The way to one peer.
#[derive(Debug)]
pub(super) struct PeerLine {
    pub(super) id: String,
    pub(super) address: String,
    waiting: Mutex<WaitingReports>,
    pub(super) woken: Notify,
}

/// What a peer is to be told.
#[derive(Debug, Default)]
struct WaitingReports {
    reports: VecDeque<PeerReport>,
    /// Whether we want to hear of a subject; what was said last counts.
    subscriptions: BTreeMap<Arc<str>, bool>,
}

#[derive(Debug, Clone)]
pub(super) struct PeerReport {
    pub(super) sequence: u64,
    pub(super) subject: Arc<str>,
    pub(super) observer: Arc<str>,
    pub(super) observation: Arc<HealthObservation>,
}

impl PeerReport {
    /// At most so many bytes in a message: names, of metrics twice, and 24 bytes for numbers and lengths.
    fn most_bytes(&self) -> usize {
        let metrics = self.observation.metrics().iter();
        let metrics: usize = metrics.map(|metric| 2 * metric.name.len() + 24).sum();
        self.subject.len() + self.observer.len() + 48 + metrics
    }
}

/// What is said next.
pub(super) enum NextSend {
    /// Whether we want to hear of a subject.
    Subscription(Arc<str>, bool),
    /// Reports in their order, one at least.
    Reports(Vec<PeerReport>),
}

impl NextSend {
    /// How many reports it has.
    pub(super) fn reports(&self) -> usize {
        match self {
            Self::Subscription(..) => 0,
            Self::Reports(items) => items.len(),
        }
    }
}

impl PeerLine {
    fn waiting(&self) -> MutexGuard<'_, WaitingReports> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts reports into the queue. Says how many were given up for them.
    fn put(&self, items: impl IntoIterator<Item = PeerReport>) -> usize {
        let mut waiting = self.waiting();
        waiting.reports.extend(items);
        let lost = if waiting.reports.len() > QUEUE {
            waiting.shorten()
        } else {
            0
        };
        drop(waiting);
        self.woken.notify_one();
        lost
    }

    /// What is to be said now: a subscription, or at most `most` reports, which fit into one message.
    pub(super) fn next(&self, most: usize) -> Option<NextSend> {
        let waiting = self.waiting();
        if let Some((subject, wanted)) = waiting.subscriptions.first_key_value() {
            return Some(NextSend::Subscription(Arc::clone(subject), *wanted));
        }
        let mut bytes = 0;
        let fits = waiting.reports.iter().take(most).take_while(|item| {
            let is_first = bytes == 0;
            bytes += item.most_bytes();
            is_first || bytes <= TOGETHER_BYTES
        });
        let reports: Vec<_> = fits.cloned().collect();
        (!reports.is_empty()).then_some(NextSend::Reports(reports))
    }

    /// What was said need not be said again, unless it has changed meanwhile.
    pub(super) fn said(&self, next: &NextSend) {
        let mut waiting = self.waiting();
        match next {
            NextSend::Subscription(subject, wanted) => {
                if waiting.subscriptions.get(subject) == Some(wanted) {
                    waiting.subscriptions.remove(subject);
                }
            }
            NextSend::Reports(items) => {
                for item in items {
                    // It may have been given up meanwhile.
                    let front = waiting.reports.front();
                    if front.is_some_and(|front| front.sequence == item.sequence) {
                        waiting.reports.pop_front();
                    }
                }
            }
        }
    }

    /// The peer does not want to hear of a subject.
    pub(super) fn drop_subject(&self, subject: &str) {
        self.waiting().reports.retain(|item| *item.subject != *subject);
    }
}

impl WaitingReports {
    /// Leaves the newest reports of each view, and of those at most half a queue.
    fn shorten(&mut self) -> usize {
        let before = self.reports.len();
        let mut seen: HashMap<(Arc<str>, Arc<str>), usize> = HashMap::new();
        let mut kept = VecDeque::new();
        while let Some(item) = self.reports.pop_back() {
            let count = seen
                .entry((Arc::clone(&item.subject), Arc::clone(&item.observer)))
                .or_default();
            *count += 1;
            if *count <= VIEW_LENGTH && kept.len() < QUEUE / 2 {
                kept.push_front(item);
            }
        }
        self.reports = kept;
        before - self.reports.len()
    }
}

impl PeerLines {
    /// The ways to all peers but ourselves; nothing is sent on them yet.
    pub(super) fn new(options: &ServerOptions) -> Self {
        let others = options.peers.iter().filter(|(id, _)| **id != options.id);
        let peers = others.map(|(id, address)| {
            let line = PeerLine {
                id: id.clone(),
                address: address.clone(),
                waiting: Mutex::default(),
                woken: Notify::new(),
            };
            (id.clone(), Arc::new(line))
        });
        Self {
            own: panorama::Peer {
                id: options.id.clone(),
                addr: options.address.clone(),
            },
            peers: peers.collect(),
        }
    }

    /// How many reports wait for each peer.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (&str, usize)> {
        let lines = self.peers.iter();
        lines.map(|(id, line)| (&**id, line.waiting().reports.len()))
    }

    /// Peers are to be told of a report.
    pub(super) fn tell(&self, accepted: &Accepted, filter: bool) -> usize {
        if accepted.is_new && filter {
            self.subscribe(&accepted.subject, true);
        }
        let item = PeerReport {
            sequence: accepted.sequence,
            subject: Arc::clone(&accepted.subject),
            observer: Arc::clone(&accepted.observer),
            observation: Arc::clone(&accepted.observation),
        };
        let wanted = self
            .peers
            .iter()
            .filter(|(id, _)| !accepted.ignored_by.iter().any(|peer| **peer == ***id));
        wanted.map(|(_, line)| line.put([item.clone()])).sum()
    }

    /// Peers are to be told whether we want to hear of a subject.
    pub(super) fn subscribe(&self, subject: &str, wanted: bool) {
        for line in self.peers.values() {
            line.waiting().subscriptions.insert(Arc::from(subject), wanted);
            line.woken.notify_one();
        }
    }

    /// A peer is to be told what is known of a subject.
    pub(super) fn backfill(&self, peer: &str, subject: &str, known: Vec<Numbered>) -> usize {
        let Some(line) = self.peers.get(peer) else {
            return 0;
        };
        let subject: Arc<str> = Arc::from(subject);
        line.put(
            known
                .into_iter()
                .map(|(sequence, observer, observation)| PeerReport {
                    sequence,
                    subject: Arc::clone(&subject),
                    observer,
                    observation: Arc::new(observation),
                }),
        )
    }

    /// Peers are to be told again what they may not have heard before we were killed.
    pub(super) fn send_again(&self, plane: &Plane, now: i64) {
        if self.peers.is_empty() {
            return;
        }
        let young = u64::try_from((now - AGAIN) / 1_000).unwrap_or(0);
        for (subject, _) in plane.watched() {
            let mut known = plane.own_observations(&subject);
            known.retain(|(number, _, _)| *number > young);
            let wanted = self
                .peers
                .keys()
                .filter(|peer| !plane.is_ignored_by(&subject, peer));
            for peer in wanted {
                self.backfill(peer, &subject, known.clone());
            }
        }
    }
}
