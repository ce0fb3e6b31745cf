//! Telling a peer what it is to be told, and asking it whether it is there.
//!
//! One call at a time is under way to a peer, so what it learns arrives in the order in which it was taken; all that waits
//! meanwhile goes into the next one, report by report where the peer is Panorama's own. A call that fails is made again, after
//! a pause that doubles. Peers are subjects, too: whether one answers is reported as `ping` of
//! `peer:<id>`.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use skywatch_algorithms::verdicts::Status;
use tokio::time::Instant;
use tonic::Code;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};

use super::peer_lines::{NextSend, PeerLine, PeerReport};
use super::shared::HealthServer;
use crate::health::clock::now;
use crate::health::convert;
use crate::health::dial::BearerToken;
use crate::health::idl::panorama::health_service_client::HealthServiceClient;
use crate::health::idl::panorama::{
    self, LearnReportRequest, PingRequest, learn_report_reply, learn_report_request,
};
use crate::health::idl::verdicts::verdicts_client::VerdictsClient;
use crate::health::idl::verdicts::{LearnBatchRequest, Learned, LearnedResult};
use crate::health::plane::Incoming;

/// How long a peer may take for an answer, and to be connected to.
const DEADLINE: Duration = Duration::from_secs(3);
/// Pauses after calls that failed: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// Reports that are told in one call at most.
const BATCH: usize = 500;
/// How often a peer is asked whether it is there.
const PING: Duration = Duration::from_secs(2);
/// How often it is reported that it still is.
const STILL: Duration = Duration::from_secs(20);

/// Begins to talk to all peers. `handle` is the server's own, as an observer.
pub(super) fn begin(server: &Arc<HealthServer>, handle: u64) {
    for line in server.peers.peers.values() {
        let endpoint = match server.options.dial.endpoint(&line.address, DEADLINE) {
            Ok(endpoint) => endpoint.timeout(DEADLINE),
            Err(error) => {
                tracing::error!("health :: peer `{}` :: {error}", line.id);
                continue;
            }
        };
        let token = server.options.dial.token();
        let talk = Talk {
            server: Arc::downgrade(server),
            line: Arc::clone(line),
            calls: PeerCalls::new(&endpoint, &token),
            endpoint,
            token,
            own: server.peers.own.clone(),
            takes_batches: true,
        };
        tokio::spawn(talk.clone().send());
        tokio::spawn(talk.ping(handle));
    }
}

/// One peer, and we.
#[derive(Clone)]
struct Talk {
    /// Not held while there is nothing to say, so that the server can end.
    server: Weak<HealthServer>,
    line: Arc<PeerLine>,
    calls: PeerCalls,
    endpoint: Endpoint,
    token: BearerToken,
    own: panorama::Peer,
    /// Whether it has our own service, as far as is known.
    takes_batches: bool,
}

/// Calls over one connection.
#[derive(Clone)]
struct PeerCalls {
    compatible: HealthServiceClient<InterceptedService<Channel, BearerToken>>,
    ours: VerdictsClient<InterceptedService<Channel, BearerToken>>,
}

impl PeerCalls {
    /// Over a connection that is made with the first call.
    fn new(endpoint: &Endpoint, token: &BearerToken) -> Self {
        let channel = InterceptedService::new(endpoint.connect_lazy(), token.clone());
        Self {
            compatible: HealthServiceClient::new(channel.clone()),
            ours: VerdictsClient::new(channel),
        }
    }
}

impl Talk {
    /// A call has failed: the next one has a new connection, as nothing may come through the old one any more. Keep-alive
    /// would find that out, too, but servers in Go close connections that ask more often than each five minutes.
    fn begin_anew(&mut self) {
        self.calls = PeerCalls::new(&self.endpoint, &self.token);
        self.takes_batches = true;
    }

    /// Says what is to be said, in order, for as long as the server lives.
    async fn send(mut self) {
        let mut pause = PAUSES.0;
        let mut failing = false;
        loop {
            let most = if self.takes_batches { BATCH } else { 1 };
            let Some(next) = self.line.next(most) else {
                // Now and then it is looked whether there is a server still.
                let _ = tokio::time::timeout(PING, self.line.woken.notified()).await;
                if self.server.strong_count() == 0 {
                    return;
                }
                continue;
            };
            let outcome = self.say(&next).await;
            let Some(server) = self.server.upgrade() else {
                return;
            };
            match outcome {
                Ok(results) => {
                    self.answered(&server, next, &results).await;
                    if failing {
                        failing = false;
                        tracing::info!("health :: peer `{}` takes reports again", self.line.id);
                    }
                    pause = PAUSES.0;
                }
                Err(status) if status.code() == Code::Unimplemented && self.takes_batches => {
                    // Panorama's own server has no such call. One that is reached anew may be another program.
                    self.takes_batches = false;
                }
                Err(status) if is_for_good(&status) => {
                    server.counters.unsent(next.reports());
                    self.line.said(&next);
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

    /// Says it, and gives what became of each report; of the last ones nothing, if the answer is shorter.
    async fn say(&mut self, next: &NextSend) -> Result<Vec<LearnedResult>, tonic::Status> {
        let single = |status| LearnedResult {
            status,
            reason: String::new(),
        };
        match next {
            NextSend::Subscription(subject, wanted) => {
                let request = self.subscription(subject, *wanted);
                answer(self.calls.compatible.learn_report(request)).await?;
                Ok(Vec::new())
            }
            NextSend::Reports(items) if self.takes_batches => {
                let request = LearnBatchRequest {
                    source: Some(self.own.clone()),
                    reports: items.iter().map(learned).collect(),
                };
                let reply = answer(self.calls.ours.learn_batch(request)).await?;
                let results = reply.into_inner().results;
                if results.is_empty() {
                    return Err(tonic::Status::internal("an answer to none of the reports"));
                }
                Ok(results)
            }
            NextSend::Reports(items) => {
                let mut results = Vec::with_capacity(items.len());
                for item in items {
                    let Learned { sequence, report } = learned(item);
                    let request = LearnReportRequest {
                        kind: learn_report_request::Kind::Normal.into(),
                        source: Some(self.own.clone()),
                        report,
                        sequence,
                        backfill: false,
                    };
                    let reply = answer(self.calls.compatible.learn_report(request)).await?;
                    results.push(single(reply.get_ref().result));
                }
                Ok(results)
            }
        }
    }

    fn subscription(&self, subject: &str, wanted: bool) -> LearnReportRequest {
        let kind = match wanted {
            true => learn_report_request::Kind::Subscription,
            false => learn_report_request::Kind::Unsubscription,
        };
        LearnReportRequest {
            kind: kind.into(),
            source: Some(self.own.clone()),
            report: Some(panorama::Report {
                observer: self.own.id.clone(),
                subject: subject.to_owned(),
                observation: None,
            }),
            sequence: 0,
            backfill: wanted,
        }
    }

    /// Takes what was answered off the queue, and counts it.
    async fn answered(&self, server: &HealthServer, mut next: NextSend, results: &[LearnedResult]) {
        if let NextSend::Reports(items) = &mut next {
            items.truncate(results.len());
        }
        self.line.said(&next);
        let NextSend::Reports(items) = next else { return };
        let mut unwanted = BTreeSet::new();
        for (item, result) in items.iter().zip(results) {
            match result.status() {
                learn_report_reply::Status::Accepted => server.counters.sent(),
                learn_report_reply::Status::Failed => {
                    server.counters.unsent(1);
                    let reason = &result.reason;
                    tracing::debug!(
                        "health :: peer `{}` has not taken a report :: {reason}",
                        self.line.id
                    );
                }
                learn_report_reply::Status::Ignored => {
                    unwanted.insert(&item.subject);
                }
            }
        }
        for subject in unwanted {
            self.line.drop_subject(subject);
            let outcome = server
                .change(|plane, _| plane.ignore(&self.line.id, subject))
                .await;
            if let Err(refusal) = outcome {
                server.counters.refused(&refusal);
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
            let answers = answer(self.calls.compatible.ping(request)).await.is_ok();
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

fn learned(item: &PeerReport) -> Learned {
    Learned {
        sequence: item.sequence,
        report: Some(convert::report(&item.subject, &item.observer, &item.observation)),
    }
}

/// An answer in time. The endpoint's own limit begins once there is a connection, and a handshake of TLS may take for ever.
async fn answer<T>(call: impl Future<Output = Result<T, tonic::Status>>) -> Result<T, tonic::Status> {
    let outcome = tokio::time::timeout(2 * DEADLINE, call).await;
    outcome.unwrap_or_else(|_| Err(tonic::Status::deadline_exceeded("no answer in time")))
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
