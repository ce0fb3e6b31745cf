//! Panorama's service. What its clients read in an answer they find here, in its words where it has some; an error has the
//! code that fits, where the original has code 2 for all. No message of anybody ends the server.

use std::sync::Arc;

use tonic::{Code, Request, Response, Status};

use super::shared::HealthServer;
use crate::health::clock::now;
use crate::health::convert;
use crate::health::idl::panorama::health_service_server::HealthService;
use crate::health::idl::panorama::*;
use crate::health::limits::HealthRefusal;
use crate::health::plane::Plane;

/// The service over a server.
#[derive(Debug)]
pub(super) struct Compatible(pub(super) Arc<HealthServer>);

type RpcAnswer<T> = Result<Response<T>, Status>;

fn answer<T>(message: T) -> RpcAnswer<T> {
    Ok(Response::new(message))
}

fn none(text: String) -> Status {
    Status::not_found(text)
}

impl HealthServer {
    /// A refusal as an error of gRPC, counted.
    pub(super) fn refuse(&self, refusal: &HealthRefusal) -> Status {
        self.counters.refused(refusal);
        let code = match refusal {
            HealthRefusal::UnknownHandle => Code::Unauthenticated,
            HealthRefusal::ForeignHandle { .. } => Code::PermissionDenied,
            HealthRefusal::Full { .. } => Code::ResourceExhausted,
            _ => Code::InvalidArgument,
        };
        Status::new(code, refusal.to_string())
    }

    /// A name as it came, if it is one.
    pub(super) fn name<'m>(&self, what: &'static str, name: &'m str) -> Result<&'m str, Status> {
        let checked = convert::name_of(what, name, &self.options.plane.limits);
        checked.map_err(|refusal| self.refuse(&refusal))
    }

    /// A peer wants, or does not want, to hear of a subject.
    async fn subscribe(
        &self,
        source: &Peer,
        request: &LearnReportRequest,
        wanted: bool,
    ) -> Result<(), HealthRefusal> {
        let subject = request
            .report
            .as_ref()
            .map(|report| &*report.subject)
            .unwrap_or_default();
        let subject = convert::name_of("a subject", subject, &self.options.plane.limits)?;
        self.change(|plane, _| {
            if !wanted {
                return plane.ignore(&source.id, subject);
            }
            plane.attend(&source.id, subject);
            if request.backfill {
                self.peers
                    .backfill(&source.id, subject, plane.own_observations(subject));
            }
            Ok(())
        })
        .await
    }
}

#[tonic::async_trait]
impl HealthService for Compatible {
    async fn observe(&self, request: Request<ObserveRequest>) -> RpcAnswer<ObserveReply> {
        let subject = self.0.name("a subject", &request.get_ref().subject)?;
        let outcome = self.0.change(|plane, now| plane.observe(subject, now)).await;
        let success = outcome.map_err(|refusal| self.0.refuse(&refusal))?;
        self.0.peers.subscribe(subject, true);
        answer(ObserveReply { success })
    }

    async fn stop_observing(&self, request: Request<ObserveRequest>) -> RpcAnswer<ObserveReply> {
        let subject = self.0.name("a subject", &request.get_ref().subject)?;
        let success = self.0.change(|plane, _| plane.stop_observing(subject)).await;
        self.0.peers.subscribe(subject, false);
        answer(ObserveReply { success })
    }

    async fn register(&self, request: Request<RegisterRequest>) -> RpcAnswer<RegisterReply> {
        let RegisterRequest { module, observer } = request.get_ref();
        let observer = self.0.name("an observer", observer)?;
        // The original takes an empty module, too.
        let module = if module.is_empty() {
            ""
        } else {
            self.0.name("a module", module)?
        };
        let outcome = self
            .0
            .change(|plane, now| plane.register(module, observer, now))
            .await;
        let handle = outcome.map_err(|refusal| self.0.refuse(&refusal))?;
        answer(RegisterReply { handle })
    }

    async fn submit_report(&self, request: Request<SubmitReportRequest>) -> RpcAnswer<SubmitReportReply> {
        let request = request.get_ref();
        let result = match self
            .0
            .submit(request.handle, [request.report.as_ref()])
            .await
            .remove(0)
        {
            Ok(()) => submit_report_reply::Status::Accepted,
            // In the answer, as the original's command line does not survive an error here.
            Err(refusal) if refusal.is_shortage() => {
                self.0.counters.refused(&refusal);
                submit_report_reply::Status::Failed
            }
            Err(refusal) => return Err(self.0.refuse(&refusal)),
        };
        answer(SubmitReportReply {
            result: result.into(),
        })
    }

    async fn learn_report(&self, request: Request<LearnReportRequest>) -> RpcAnswer<LearnReportReply> {
        let request = request.get_ref();
        let source = request.source.as_ref();
        let source = source.ok_or_else(|| self.0.refuse(&HealthRefusal::Missing("the source")))?;
        self.0.name("the source", &source.id)?;
        let kind = learn_report_request::Kind::try_from(request.kind)
            .map_err(|_| self.0.refuse(&HealthRefusal::Missing("a known kind")))?;
        let outcome = match kind {
            learn_report_request::Kind::Normal => {
                let reports = [(request.sequence, request.report.as_ref())];
                self.0.learn(&source.id, reports).await.remove(0)
            }
            kind => {
                let wanted = kind == learn_report_request::Kind::Subscription;
                let outcome = self.0.subscribe(source, request, wanted).await;
                outcome.map(|()| learn_report_reply::Status::Accepted)
            }
        };
        let result = match outcome {
            Ok(status) => status,
            Err(refusal) if refusal.is_shortage() => {
                self.0.counters.refused(&refusal);
                learn_report_reply::Status::Failed
            }
            Err(refusal) => return Err(self.0.refuse(&refusal)),
        };
        answer(LearnReportReply {
            result: result.into(),
        })
    }

    async fn get_latest_report(&self, request: Request<GetReportRequest>) -> RpcAnswer<Report> {
        let subject = &request.get_ref().subject;
        let latest = self.0.look(|plane| plane.latest(subject));
        let (observer, seen) = latest.ok_or_else(|| none(format!("No report for {subject}")))?;
        answer(convert::report(subject, &observer, &seen))
    }

    async fn get_panorama(&self, request: Request<GetPanoramaRequest>) -> RpcAnswer<Panorama> {
        let subject = &request.get_ref().subject;
        let views = self.0.look(|plane| plane.views(subject));
        let views = views.ok_or_else(|| none(format!("No panorama for {subject}")))?;
        answer(convert::panorama(subject, &views))
    }

    async fn get_view(&self, request: Request<GetViewRequest>) -> RpcAnswer<View> {
        let GetViewRequest { subject, observer } = request.get_ref();
        let view = self.0.look(|plane| plane.view(subject, observer));
        let view = view.ok_or_else(|| none(format!("No view for {subject}")))?;
        answer(convert::view(subject, observer, &view))
    }

    async fn get_inference(&self, request: Request<GetInferenceRequest>) -> RpcAnswer<Inference> {
        let subject = &request.get_ref().subject;
        let inferred = self.0.look(|plane| plane.inference(subject));
        let inferred = inferred.ok_or_else(|| none("inference does not exist for view".to_owned()))?;
        answer(convert::inference(subject, &inferred))
    }

    async fn get_observed_subjects(&self, _: Request<Empty>) -> RpcAnswer<GetObservedSubjectsReply> {
        let watched = self.0.look(Plane::watched).into_iter();
        let subjects = watched.map(|(subject, since)| (subject.to_string(), convert::timestamp(since)));
        answer(GetObservedSubjectsReply {
            subjects: subjects.collect(),
        })
    }

    async fn dump_panorama(&self, _: Request<Empty>) -> RpcAnswer<DumpPanoramaReply> {
        let all = self.0.look(Plane::all_views).into_iter();
        let panoramas =
            all.map(|(subject, views)| (subject.to_string(), convert::panorama(&subject, &views)));
        answer(DumpPanoramaReply {
            panoramas: panoramas.collect(),
        })
    }

    async fn dump_inference(&self, _: Request<Empty>) -> RpcAnswer<DumpInferenceReply> {
        let all = self.0.look(Plane::all_views).into_iter();
        let inferences = all.filter_map(|(subject, views)| {
            let views = views.iter().map(|(observer, view)| (observer, view));
            let inferred = skywatch_algorithms::verdicts::infer(views)?;
            Some((subject.to_string(), convert::inference(&subject, &inferred)))
        });
        answer(DumpInferenceReply {
            inferences: inferences.collect(),
        })
    }

    async fn ping(&self, request: Request<PingRequest>) -> RpcAnswer<PingReply> {
        let time = request.get_ref().time.as_ref();
        // The original's text.
        let time = time.ok_or_else(|| Status::invalid_argument("timestamp: nil Timestamp"))?;
        convert::nanoseconds(time).map_err(|refusal| self.0.refuse(&refusal))?;
        answer(PingReply {
            result: ping_reply::Status::Good.into(),
            time: Some(convert::timestamp(now())),
        })
    }

    async fn get_peers(&self, _: Request<Empty>) -> RpcAnswer<GetPeerReply> {
        let peers = self.0.options.peers.iter().map(|(id, addr)| Peer {
            id: id.clone(),
            // Clients of the original know no other way than plain text, and no scheme.
            addr: addr
                .split_once("://")
                .map_or(&**addr, |(_, addr)| addr)
                .to_owned(),
        });
        answer(GetPeerReply {
            peers: peers.collect(),
        })
    }

    async fn get_id(&self, _: Request<Empty>) -> RpcAnswer<Peer> {
        answer(Peer {
            id: self.0.options.id.clone(),
            addr: self.0.options.address.clone(),
        })
    }
}
