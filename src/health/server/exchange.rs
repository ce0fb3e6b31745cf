//! What servers tell each other: reports of their own observers, and what they want to hear of.
//!
//! Each peer has one queue and one call under way, so what it learns arrives in the order in which it was taken; a call that
//! fails is made again, after a pause that doubles. When a queue is full, only the newest observations of each view are left
//! in it: more than that a view does not hold, so after an outage both sides know the same. Subscriptions have a place of
//! their own and are never lost. Peers are subjects, too: whether one answers is reported as `ping` of `peer:<id>`.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use skywatch_algorithms::verdicts::{HealthObservation, SECOND, Status, VIEW_LENGTH};
use tokio::sync::Notify;
use tokio::time::Instant;
use tonic::transport::{Channel, Endpoint};

use super::{HealthServer, ServerOptions, now};
use crate::health::convert;
use crate::health::idl::panorama::health_service_client::HealthServiceClient;
use crate::health::idl::panorama::{
    self, LearnReportRequest, PingRequest, learn_report_reply, learn_report_request,
};
use crate::health::plane::{Accepted, Incoming, Numbered, Plane};

/// The module under which a server registers itself as an observer.
pub(super) const MODULE: &str = "skywatch";

/// Reports that may wait for a peer.
const QUEUE: usize = 10_000;
/// How long a peer may take for an answer, and to be connected to.
const DEADLINE: Duration = Duration::from_secs(3);
/// Pauses after calls that failed: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// How often a peer is asked whether it is there.
const PING: Duration = Duration::from_secs(2);
/// How often it is reported that it still is.
const STILL: Duration = Duration::from_secs(20);
/// Reports younger than this may not have reached peers when we were killed, in nanoseconds: they are told again.
const AGAIN: i64 = 60 * SECOND;

/// The ways to all peers.
#[derive(Debug)]
pub(super) struct PeerExchange {
    own: panorama::Peer,
    peers: BTreeMap<String, Arc<Line>>,
}

/// The way to one peer.
#[derive(Debug)]
struct Line {
    id: String,
    address: String,
    waiting: Mutex<WaitingReports>,
    woken: Notify,
}

/// What a peer is to be told.
#[derive(Debug, Default)]
struct WaitingReports {
    reports: VecDeque<Item>,
    /// Whether we want to hear of a subject; what was said last counts.
    subscriptions: BTreeMap<Arc<str>, bool>,
}

#[derive(Debug, Clone)]
struct Item {
    sequence: u64,
    subject: Arc<str>,
    observer: Arc<str>,
    observation: Arc<HealthObservation>,
}

/// What is said next.
enum NextSend {
    Subscription(Arc<str>, bool),
    Report(Item),
}

impl Line {
    fn waiting(&self) -> MutexGuard<'_, WaitingReports> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts reports into the queue. Says how many were given up for them.
    fn put(&self, items: impl IntoIterator<Item = Item>) -> usize {
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

    fn next(&self) -> Option<NextSend> {
        let waiting = self.waiting();
        if let Some((subject, wanted)) = waiting.subscriptions.first_key_value() {
            return Some(NextSend::Subscription(Arc::clone(subject), *wanted));
        }
        waiting.reports.front().cloned().map(NextSend::Report)
    }

    /// What was said need not be said again, unless it has changed meanwhile.
    fn said(&self, next: &NextSend) {
        let mut waiting = self.waiting();
        match next {
            NextSend::Subscription(subject, wanted) => {
                if waiting.subscriptions.get(subject) == Some(wanted) {
                    waiting.subscriptions.remove(subject);
                }
            }
            NextSend::Report(item) => {
                if waiting
                    .reports
                    .front()
                    .is_some_and(|front| front.sequence == item.sequence)
                {
                    waiting.reports.pop_front();
                }
            }
        }
    }

    /// The peer does not want to hear of a subject.
    fn drop_subject(&self, subject: &str) {
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

impl PeerExchange {
    /// The ways to all peers but ourselves; nothing is sent before [`start`](Self::start).
    pub(super) fn new(options: &ServerOptions) -> Self {
        let others = options.peers.iter().filter(|(id, _)| **id != options.id);
        let peers = others.map(|(id, address)| {
            let line = Line {
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

    /// Begins to send. `handle` is the server's own, as an observer.
    pub(super) fn start(&self, server: &Arc<HealthServer>, handle: u64) {
        for line in self.peers.values() {
            let endpoint = Endpoint::from_shared(format!("http://{}", line.address));
            let endpoint = match endpoint {
                Ok(endpoint) => endpoint,
                Err(error) => {
                    tracing::error!("health :: peer `{}` at `{}` :: {error}", line.id, line.address);
                    continue;
                }
            };
            let endpoint = endpoint
                .connect_timeout(DEADLINE)
                .timeout(DEADLINE)
                .tcp_nodelay(true);
            let talk = Talk {
                server: Arc::downgrade(server),
                line: Arc::clone(line),
                client: HealthServiceClient::new(endpoint.connect_lazy()),
                endpoint,
                own: self.own.clone(),
            };
            tokio::spawn(talk.clone().send());
            tokio::spawn(talk.ping(handle));
        }
    }

    /// Peers are to be told of a report.
    pub(super) fn tell(&self, accepted: &Accepted, filter: bool) -> usize {
        if accepted.is_new && filter {
            self.subscribe(&accepted.subject, true);
        }
        let item = Item {
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
        line.put(known.into_iter().map(|(sequence, observer, observation)| Item {
            sequence,
            subject: Arc::clone(&subject),
            observer,
            observation: Arc::new(observation),
        }))
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

/// One peer, and we.
#[derive(Clone)]
struct Talk {
    /// Not held while there is nothing to say, so that the server can end.
    server: Weak<HealthServer>,
    line: Arc<Line>,
    client: HealthServiceClient<Channel>,
    endpoint: Endpoint,
    own: panorama::Peer,
}

impl Talk {
    /// A call has failed: the next one has a new connection, as nothing may come through the old one any more. Keep-alive
    /// would find that out, too, but servers in Go close connections that ask more often than each five minutes.
    fn begin_anew(&mut self) {
        self.client = HealthServiceClient::new(self.endpoint.connect_lazy());
    }

    /// Says what is to be said, in order, for as long as the server lives.
    async fn send(mut self) {
        let mut pause = PAUSES.0;
        let mut failing = false;
        loop {
            let Some(next) = self.line.next() else {
                // Now and then it is looked whether there is a server still.
                let _ = tokio::time::timeout(PING, self.line.woken.notified()).await;
                if self.server.strong_count() == 0 {
                    return;
                }
                continue;
            };
            let outcome = self.client.learn_report(self.request(&next)).await;
            let Some(server) = self.server.upgrade() else {
                return;
            };
            match outcome {
                Ok(reply) => {
                    self.line.said(&next);
                    self.answered(&server, &next, reply.get_ref().result()).await;
                    if failing {
                        failing = false;
                        tracing::info!("health :: peer `{}` takes reports again", self.line.id);
                    }
                    pause = PAUSES.0;
                }
                Err(status) if is_for_good(&status) => {
                    self.line.said(&next);
                    server.counters.unsent(1);
                    tracing::warn!("health :: peer `{}` refuses a report :: {status}", self.line.id);
                }
                Err(status) => {
                    if !failing {
                        failing = true;
                        tracing::warn!("health :: peer `{}` takes no reports :: {status}", self.line.id);
                    }
                    drop(server);
                    self.begin_anew();
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
        }
    }

    fn request(&self, next: &NextSend) -> LearnReportRequest {
        let source = Some(self.own.clone());
        match next {
            NextSend::Subscription(subject, wanted) => LearnReportRequest {
                kind: if *wanted {
                    learn_report_request::Kind::Subscription.into()
                } else {
                    learn_report_request::Kind::Unsubscription.into()
                },
                source,
                report: Some(panorama::Report {
                    observer: self.own.id.clone(),
                    subject: subject.to_string(),
                    observation: None,
                }),
                sequence: 0,
                backfill: *wanted,
            },
            NextSend::Report(item) => LearnReportRequest {
                kind: learn_report_request::Kind::Normal.into(),
                source,
                report: Some(convert::report(&item.subject, &item.observer, &item.observation)),
                sequence: item.sequence,
                backfill: false,
            },
        }
    }

    async fn answered(&self, server: &HealthServer, next: &NextSend, result: learn_report_reply::Status) {
        let NextSend::Report(item) = next else { return };
        match result {
            learn_report_reply::Status::Accepted => server.counters.sent(),
            learn_report_reply::Status::Failed => server.counters.unsent(1),
            learn_report_reply::Status::Ignored => {
                self.line.drop_subject(&item.subject);
                let outcome = server
                    .change(|plane, _| plane.ignore(&self.line.id, &item.subject))
                    .await;
                if let Err(refusal) = outcome {
                    server.counters.refused(&refusal);
                }
            }
        }
    }

    /// Reports whether the peer answers: at once when that changes, otherwise now and then.
    async fn ping(mut self, handle: u64) {
        let mut last: Option<(bool, Instant)> = None;
        loop {
            let request = PingRequest {
                source: Some(self.own.clone()),
                time: Some(convert::timestamp(now())),
            };
            let begun = Instant::now();
            let answers = self.client.ping(request).await.is_ok();
            if !answers {
                self.begin_anew();
            }
            let Some(server) = self.server.upgrade() else {
                return;
            };
            let is_news = last.is_none_or(|(before, at)| before != answers || at.elapsed() >= STILL);
            if is_news || !answers {
                last = Some((answers, begun));
                self.report(&server, handle, answers).await;
            }
            drop(server);
            tokio::time::sleep(PING).await;
        }
    }

    async fn report(&self, server: &HealthServer, handle: u64, answers: bool) {
        let (status, score) = if answers {
            (Status::Healthy, 100.0)
        } else {
            (Status::Unhealthy, 0.0)
        };
        let subject = format!("peer:{}", self.line.id);
        let report = Incoming {
            observer: &self.own.id,
            subject: &subject,
            at: now(),
            metrics: vec![("ping", status, score)],
        };
        let outcome = server
            .change(|plane, now| server.take(plane, handle, &report, now))
            .await;
        if let Err(refusal) = outcome {
            server.counters.refused(&refusal);
        }
    }
}

/// Whether it is no use to say the same again.
fn is_for_good(status: &tonic::Status) -> bool {
    matches!(
        status.code(),
        tonic::Code::InvalidArgument
            | tonic::Code::Unimplemented
            | tonic::Code::PermissionDenied
            | tonic::Code::OutOfRange
            | tonic::Code::FailedPrecondition
    )
}
