//! OTLP over gRPC. Messages are unpacked and bounded by the library; what it refuses is counted here.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::ConnectInfo;
use axum::extract::{Request as HttpRequest, State};
use axum::http::Extensions;
use axum::middleware::Next;
use axum::response::Response as HttpResponse;
use tonic::codec::CompressionEncoding;
use tonic::service::Routes;
use tonic::{Code, Request, Response, Status};

use super::answer;
use super::metrics::MetricBatch;
use super::protobuf;
use crate::net::http::Peer;
use crate::traces::counters::ListenerEvent;
use crate::traces::idl::metrics_service::metrics_service_server::{MetricsService, MetricsServiceServer};
use crate::traces::idl::metrics_service::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use crate::traces::idl::trace_service::trace_service_server::{TraceService, TraceServiceServer};
use crate::traces::idl::trace_service::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use crate::traces::intake::{SpanBatch, SpanIntake};
use crate::traces::refusal::RequestRefusal;

/// How long a call waits until it may unpack what it has.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// The services over an intake.
pub(in crate::traces) fn routes(intake: &SpanIntake) -> Router {
    let spans = TraceServiceServer::new(OtlpServer(intake.clone()))
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(intake.max_request);
    let metrics = MetricsServiceServer::new(OtlpServer(intake.clone()))
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(intake.max_request);
    let routes = Routes::new(spans).add_service(metrics).into_axum_router();
    routes.layer(axum::middleware::from_fn_with_state(
        intake.clone(),
        count_refusals,
    ))
}

/// Whose call it is, by what belongs to its request.
fn peer_of(extensions: &Extensions) -> Option<SocketAddr> {
    let connection = extensions.get::<ConnectInfo<Peer>>();
    connection.map(|ConnectInfo(Peer(peer))| *peer)
}

/// Both services: their methods have one name.
struct OtlpServer(SpanIntake);

impl OtlpServer {
    fn full(&self, peer: Option<SocketAddr>, why: &str) -> Status {
        self.0.refuse(RequestRefusal::TurnedAway, peer, why);
        answer::full(why)
    }
}

#[tonic::async_trait]
impl TraceService for OtlpServer {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let peer = peer_of(request.extensions());
        if !self.0.has_room() {
            return Err(self.full(peer, NO_ROOM));
        }
        let Ok(Ok(_unpacking)) = tokio::time::timeout(LONGEST_WAIT, self.0.unpacking.acquire()).await else {
            return Err(self.full(peer, BUSY));
        };
        let mut batch = SpanBatch::default();
        protobuf::read(request.into_inner().resource_spans, &mut batch);
        Ok(Response::new(answer::spans(self.0.take(batch, peer))))
    }
}

#[tonic::async_trait]
impl MetricsService for OtlpServer {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let peer = peer_of(request.extensions());
        let Ok(Ok(_unpacking)) = tokio::time::timeout(LONGEST_WAIT, self.0.unpacking.acquire()).await else {
            return Err(self.full(peer, BUSY));
        };
        let taken = self.0.take_points(|batch: &mut MetricBatch<'_>| {
            batch.read(request.into_inner().resource_metrics);
        });
        match taken {
            Some(accepted) => Ok(Response::new(answer::points(accepted))),
            None => Err(self.full(peer, NO_ROOM_FOR_POINTS)),
        }
    }
}

/// Why a sender is to come again.
pub(in crate::traces) const NO_ROOM: &str =
    "as many traces are open as may be: come again when some are complete";
pub(in crate::traces) const BUSY: &str = "as many requests are being read as may be";
pub(in crate::traces) const NO_ROOM_FOR_POINTS: &str = "the store does not keep up or does not answer";

/// Counts the call, and what the library has refused before it came to a service.
async fn count_refusals(State(intake): State<SpanIntake>, request: HttpRequest, next: Next) -> HttpResponse {
    intake.counters.listener(intake.service, ListenerEvent::Request);
    let peer = peer_of(request.extensions());
    let answer = next.run(request).await;
    let text = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let code = text("grpc-status")
        .and_then(|code| code.parse().ok())
        .map_or(Code::Ok, Code::from_i32);
    // Our own refusal says when to come again.
    let is_ours = answer.headers().contains_key("grpc-status-details-bin");
    let reason = match code {
        Code::Ok => None,
        _ if is_ours => None,
        Code::OutOfRange => Some(RequestRefusal::TooLarge),
        Code::ResourceExhausted => Some(RequestRefusal::InflatesTooLarge),
        Code::Unimplemented => Some(RequestRefusal::UnknownEncoding),
        _ => Some(RequestRefusal::BadRequest),
    };
    if let Some(reason) = reason {
        intake.refuse(reason, peer, text("grpc-message").unwrap_or_default());
    }
    answer
}
