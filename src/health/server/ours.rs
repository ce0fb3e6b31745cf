//! The service that the original does not have: batches, verdicts with evidence, changes as they happen.

use std::collections::{HashSet, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use skywatch_algorithms::verdicts::HealthState;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::shared::{BEHIND, HealthServer};
use crate::health::clock::now;
use crate::health::convert;
use crate::health::idl::panorama::{learn_report_reply, submit_report_reply};
use crate::health::idl::verdicts::verdicts_server::Verdicts;
use crate::health::idl::verdicts::{
    self, LearnBatchReply, LearnBatchRequest, LearnedResult, ListTransitionsReply, ListTransitionsRequest,
    ListVerdictsReply, ListVerdictsRequest, SubmitBatchReply, SubmitBatchRequest, Verdict, WatchReply,
    WatchRequest, watch_reply,
};

/// Changes in one answer at most, about 100 kB.
const TRANSITIONS: usize = 500;
/// Reports in one batch at most.
const BATCH: usize = 1_000;

/// How often a watch without changes says that it is still there, with a reply that has no event.
const STILL_THERE: Duration = Duration::from_secs(60);
/// Replies of a watch that may wait for the network.
const REPLIES: usize = 16;

/// The service over a server.
#[derive(Debug)]
pub(super) struct Ours(pub(super) Arc<HealthServer>);

/// What a watch still has to say before it waits for changes.
struct ChangeWatch {
    server: Arc<HealthServer>,
    changes: tokio::sync::broadcast::Receiver<Arc<crate::health::PlaneChange>>,
    subjects: HashSet<String>,
    current: VecDeque<Verdict>,
}

impl ChangeWatch {
    async fn next(&mut self) -> Option<WatchReply> {
        let event = loop {
            if let Some(verdict) = self.current.pop_front() {
                break watch_reply::Event::Current(verdict);
            }
            match self.changes.recv().await {
                Ok(change) => {
                    if self.subjects.is_empty() || self.subjects.contains(&*change.subject) {
                        break watch_reply::Event::Change(convert::transition(&change));
                    }
                }
                Err(RecvError::Lagged(missed)) => {
                    // What is true now takes the place of what was missed.
                    self.current = self.server.current(&self.subjects).into();
                    break watch_reply::Event::Missed(missed);
                }
                Err(RecvError::Closed) => return None,
            }
        };
        Some(WatchReply { event: Some(event) })
    }

    /// Says all that is to be said, until nobody listens.
    async fn run(mut self, replies: mpsc::Sender<Result<WatchReply, Status>>) {
        loop {
            let reply = tokio::select! {
                reply = self.next() => reply,
                () = tokio::time::sleep(STILL_THERE) => Some(WatchReply::default()),
                () = replies.closed() => None,
            };
            let Some(reply) = reply else { return };
            if replies.send(Ok(reply)).await.is_err() {
                return;
            }
        }
    }
}

impl HealthServer {
    /// The verdicts on some subjects, or on all.
    fn current(&self, subjects: &HashSet<String>) -> Vec<Verdict> {
        let found = self.look(|plane| plane.verdicts(HealthState::Healthy, now()));
        let wanted = found
            .iter()
            .filter(|(subject, _)| subjects.is_empty() || subjects.contains(&**subject));
        wanted
            .map(|(subject, found)| convert::verdict(subject, found))
            .collect()
    }
}

#[tonic::async_trait]
impl Verdicts for Ours {
    async fn submit_batch(
        &self,
        request: Request<SubmitBatchRequest>,
    ) -> Result<Response<SubmitBatchReply>, Status> {
        let SubmitBatchRequest { handle, reports } = request.get_ref();
        if reports.len() > BATCH {
            return Err(Status::invalid_argument(format!(
                "at most {BATCH} reports are taken at once"
            )));
        }
        let results = self
            .0
            .submit(*handle, reports.iter().map(Some))
            .await
            .into_iter()
            .map(|outcome| match outcome {
                Ok(()) => verdicts::Result {
                    status: submit_report_reply::Status::Accepted.into(),
                    reason: String::new(),
                },
                Err(refusal) => {
                    self.0.counters.refused(&refusal);
                    verdicts::Result {
                        status: submit_report_reply::Status::Failed.into(),
                        reason: refusal.to_string(),
                    }
                }
            });
        Ok(Response::new(SubmitBatchReply {
            results: results.collect(),
        }))
    }

    async fn learn_batch(
        &self,
        request: Request<LearnBatchRequest>,
    ) -> Result<Response<LearnBatchReply>, Status> {
        let LearnBatchRequest { source, reports } = request.get_ref();
        let source = source.as_ref().map(|source| &*source.id).unwrap_or_default();
        let source = self.0.name("the source", source)?;
        if reports.len() > BATCH {
            return Err(Status::invalid_argument(format!(
                "at most {BATCH} reports are taken at once"
            )));
        }
        if !self.0.keeps_up() {
            // The peer keeps them, and asks again.
            return Err(self.0.refuse(&BEHIND));
        }
        let reports = reports
            .iter()
            .map(|learned| (learned.sequence, learned.report.as_ref()));
        let outcomes = self.0.learn(source, reports).await.into_iter();
        let results = outcomes.map(|outcome| match outcome {
            Ok(status) => LearnedResult {
                status: status.into(),
                reason: String::new(),
            },
            Err(refusal) => {
                self.0.counters.refused(&refusal);
                LearnedResult {
                    status: learn_report_reply::Status::Failed.into(),
                    reason: refusal.to_string(),
                }
            }
        });
        Ok(Response::new(LearnBatchReply {
            results: results.collect(),
        }))
    }

    async fn get_verdict(
        &self,
        request: Request<verdicts::GetVerdictRequest>,
    ) -> Result<Response<Verdict>, Status> {
        let subject = &request.get_ref().subject;
        let found = self.0.look(|plane| plane.verdict(subject, now()));
        let found = found.ok_or_else(|| Status::not_found(format!("`{subject}` is not watched")))?;
        Ok(Response::new(convert::verdict(subject, &found)))
    }

    async fn list_verdicts(
        &self,
        request: Request<ListVerdictsRequest>,
    ) -> Result<Response<ListVerdictsReply>, Status> {
        let at_least = match request.get_ref().at_least() {
            verdicts::State::Unspecified | verdicts::State::Healthy => HealthState::Healthy,
            verdicts::State::Unknown => HealthState::Unknown,
            verdicts::State::Suspected => HealthState::Suspected,
            verdicts::State::Overdue => HealthState::Overdue,
            verdicts::State::Gray => HealthState::Gray,
            verdicts::State::Unhealthy => HealthState::Unhealthy,
        };
        let found = self.0.look(|plane| plane.verdicts(at_least, now()));
        let verdicts = found
            .iter()
            .map(|(subject, found)| convert::verdict(subject, found));
        Ok(Response::new(ListVerdictsReply {
            verdicts: verdicts.collect(),
        }))
    }

    async fn list_transitions(
        &self,
        request: Request<ListTransitionsRequest>,
    ) -> Result<Response<ListTransitionsReply>, Status> {
        let ListTransitionsRequest { subject, limit } = request.get_ref();
        let limit = match *limit as usize {
            0 => TRANSITIONS,
            limit => limit.min(TRANSITIONS),
        };
        let subject = (!subject.is_empty()).then_some(&**subject);
        let found: Vec<_> = self
            .0
            .look(|plane| plane.transitions(subject).take(limit).cloned().collect());
        Ok(Response::new(ListTransitionsReply {
            transitions: found.iter().map(convert::transition).collect(),
        }))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<WatchReply, Status>> + Send>>;

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let subjects: HashSet<_> = request.into_inner().subjects.into_iter().collect();
        // First the changes, then how it is: a change in between is told twice rather than never.
        let changes = self.0.watch();
        let watch = ChangeWatch {
            current: self.0.current(&subjects).into(),
            server: Arc::clone(&self.0),
            changes,
            subjects,
        };
        let (replies, stream) = mpsc::channel(REPLIES);
        tokio::spawn(watch.run(replies));
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}
