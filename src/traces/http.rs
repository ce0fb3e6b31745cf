//! Requests over HTTP, whatever they are written in: opened within bounds, read, answered.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::connect_info::ConnectInfo;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::post;
use serde_json::json;
use tokio::sync::SemaphorePermit;

use super::counters::ListenerEvent;
use super::idl::metrics_service::ExportMetricsServiceRequest;
use super::idl::trace_service::ExportTraceServiceRequest;
use super::inflate::gunzip;
use super::intake::{RequestOutcome, SpanBatch, SpanIntake};
use super::otlp::answer::{OtlpEncoding, http_status, with_retry};
use super::otlp::grpc::{BUSY, NO_ROOM, NO_ROOM_FOR_POINTS};
use super::otlp::{json as otlp_json, protobuf};
use super::refusal::RequestRefusal;
use super::{jaeger, lines, zipkin};
use crate::net::guard::is_of_a_page;
use crate::net::http::Peer;
use crate::net::routes::HttpRoute;

/// How long a request waits until it may be unpacked.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What comes with a request.
type RawBody = Result<Bytes, BytesRejection>;

/// The routes of OTLP and of what else comes that way.
pub(super) fn otlp_routes(intake: &SpanIntake) -> [HttpRoute; 4] {
    [
        HttpRoute::login("/v1/traces", post(otlp_spans).with_state(intake.clone())),
        HttpRoute::login("/v1/metrics", post(otlp_points).with_state(intake.clone())),
        HttpRoute::login("/v1/lines", post(json_lines).with_state(intake.clone())),
        HttpRoute::login("/api/traces", post(jaeger_spans).with_state(intake.clone())),
    ]
}

/// Zipkin's route.
pub(super) fn zipkin_routes(intake: &SpanIntake) -> [HttpRoute; 1] {
    [HttpRoute::login(
        "/api/v2/spans",
        post(zipkin_spans).with_state(intake.clone()),
    )]
}

/// Why a request as a whole is not taken.
struct WhollyRefused {
    reason: RequestRefusal,
    why: String,
}

impl WhollyRefused {
    fn new(reason: RequestRefusal, why: impl Into<String>) -> Self {
        let why = why.into();
        Self { reason, why }
    }

    fn bad(why: impl std::fmt::Display) -> Self {
        Self::new(RequestRefusal::BadRequest, why.to_string())
    }
}

/// A request that may be read, and the permission to have it unpacked.
struct OpenedRequest<'i> {
    bytes: Bytes,
    _unpacking: SemaphorePermit<'i>,
}

impl SpanIntake {
    /// Checks and unpacks a request.
    async fn open<'i>(
        &'i self,
        headers: &HeaderMap,
        body: RawBody,
    ) -> Result<OpenedRequest<'i>, WhollyRefused> {
        self.counters.listener(self.service, ListenerEvent::Request);
        if is_of_a_page(headers) {
            let why = "a page in a browser may not send spans";
            return Err(WhollyRefused::new(RequestRefusal::OfAPage, why));
        }
        let body = body.map_err(|error| {
            let reason = match error.status() {
                StatusCode::PAYLOAD_TOO_LARGE => RequestRefusal::TooLarge,
                _ => RequestRefusal::Unfinished,
            };
            WhollyRefused::new(reason, error.body_text())
        })?;
        let permit = tokio::time::timeout(LONGEST_WAIT, self.unpacking.acquire()).await;
        let Ok(Ok(_unpacking)) = permit else {
            return Err(WhollyRefused::new(RequestRefusal::TurnedAway, BUSY));
        };
        let packing = headers
            .get(header::CONTENT_ENCODING)
            .map(|value| value.as_bytes().to_ascii_lowercase());
        let bytes = match packing.as_deref() {
            None | Some(b"" | b"identity") => body,
            Some(b"gzip") => {
                let plain = gunzip(&body, self.max_request);
                let plain = plain.map_err(|reason| {
                    let most = self.max_request;
                    WhollyRefused::new(reason, format!("not gzip, or more than {most} bytes unpacked"))
                })?;
                Bytes::from(plain)
            }
            Some(_) => {
                let why = "expected no `Content-Encoding`, or `gzip`";
                return Err(WhollyRefused::new(RequestRefusal::UnknownEncoding, why));
            }
        };
        Ok(OpenedRequest { bytes, _unpacking })
    }

    /// Takes the spans that `read` finds in a request.
    async fn spans<E: std::fmt::Display>(
        &self,
        peer: SocketAddr,
        headers: &HeaderMap,
        body: RawBody,
        read: impl FnOnce(Bytes, &mut SpanBatch) -> Result<(), E>,
    ) -> Result<RequestOutcome, WhollyRefused> {
        if !self.has_room() {
            return Err(WhollyRefused::new(RequestRefusal::TurnedAway, NO_ROOM));
        }
        let opened = self.open(headers, body).await?;
        let mut batch = SpanBatch::default();
        read(opened.bytes, &mut batch).map_err(WhollyRefused::bad)?;
        Ok(self.take(batch, Some(peer)))
    }

    /// Counts what is refused and answers in plain words.
    fn refusal(&self, peer: SocketAddr, refused: &WhollyRefused) -> Response {
        let WhollyRefused { reason, why } = refused;
        self.refuse(*reason, Some(peer), why);
        with_retry(
            *reason,
            (http_status(*reason), format!("{why}\n")).into_response(),
        )
    }

    /// Counts what is refused and answers as OTLP does.
    fn otlp_refusal(&self, encoding: OtlpEncoding, peer: SocketAddr, refused: &WhollyRefused) -> Response {
        self.refuse(refused.reason, Some(peer), &refused.why);
        encoding.refusal(refused.reason, &refused.why)
    }
}

async fn otlp_spans(
    State(intake): State<SpanIntake>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    headers: HeaderMap,
    body: RawBody,
) -> Response {
    let Some(encoding) = OtlpEncoding::of(&headers) else {
        return intake.refusal(peer, &unknown_type());
    };
    let read = |bytes: Bytes, batch: &mut SpanBatch| match encoding {
        OtlpEncoding::Json => otlp_json::read_spans(&bytes, batch).map_err(|error| error.to_string()),
        OtlpEncoding::Protobuf => {
            let request: Result<ExportTraceServiceRequest, _> = prost::Message::decode(bytes);
            let request = request.map_err(|error| error.to_string())?;
            protobuf::read(request.resource_spans, batch);
            Ok(())
        }
    };
    match intake.spans(peer, &headers, body, read).await {
        Ok(accepted) => encoding.spans(accepted),
        Err(refused) => intake.otlp_refusal(encoding, peer, &refused),
    }
}

async fn otlp_points(
    State(intake): State<SpanIntake>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    headers: HeaderMap,
    body: RawBody,
) -> Response {
    let Some(encoding) = OtlpEncoding::of(&headers) else {
        return intake.refusal(peer, &unknown_type());
    };
    let taken = async {
        let opened = intake.open(&headers, body).await?;
        let mut bad = None;
        let taken = intake.take_points(|batch| match encoding {
            OtlpEncoding::Json => {
                bad = batch
                    .read_json(&opened.bytes)
                    .err()
                    .map(|error| error.to_string())
            }
            OtlpEncoding::Protobuf => {
                let request: Result<ExportMetricsServiceRequest, _> = prost::Message::decode(opened.bytes);
                match request {
                    Ok(request) => batch.read(request.resource_metrics),
                    Err(error) => bad = Some(error.to_string()),
                }
            }
        });
        if let Some(why) = bad {
            return Err(WhollyRefused::bad(why));
        }
        taken.ok_or_else(|| WhollyRefused::new(RequestRefusal::TurnedAway, NO_ROOM_FOR_POINTS))
    };
    match taken.await {
        Ok(accepted) => encoding.points(accepted),
        Err(refused) => intake.otlp_refusal(encoding, peer, &refused),
    }
}

fn unknown_type() -> WhollyRefused {
    let why = "expected `Content-Type: application/x-protobuf` or `application/json`";
    WhollyRefused::new(RequestRefusal::UnknownEncoding, why)
}

async fn zipkin_spans(
    State(intake): State<SpanIntake>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    headers: HeaderMap,
    body: RawBody,
) -> Response {
    let read = |bytes: Bytes, batch: &mut SpanBatch| zipkin::read(&bytes, batch);
    match intake.spans(peer, &headers, body, read).await {
        // As Zipkin answers, which knows no partial success; what was not taken stands in the body.
        Ok(accepted) => (StatusCode::ACCEPTED, accepted.why).into_response(),
        Err(refused) => intake.refusal(peer, &refused),
    }
}

async fn jaeger_spans(
    State(intake): State<SpanIntake>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    headers: HeaderMap,
    body: RawBody,
) -> Response {
    let read = |bytes: Bytes, batch: &mut SpanBatch| jaeger::read(&bytes, batch);
    told(&intake, peer, intake.spans(peer, &headers, body, read).await)
}

async fn json_lines(
    State(intake): State<SpanIntake>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    headers: HeaderMap,
    body: RawBody,
) -> Response {
    let read = |bytes: Bytes, batch: &mut SpanBatch| {
        lines::read(&bytes, batch);
        Ok::<(), std::convert::Infallible>(())
    };
    told(&intake, peer, intake.spans(peer, &headers, body, read).await)
}

fn told(intake: &SpanIntake, peer: SocketAddr, outcome: Result<RequestOutcome, WhollyRefused>) -> Response {
    match outcome {
        Ok(RequestOutcome { rejected, why }) => {
            Json(json!({ "rejected": rejected, "why": why })).into_response()
        }
        Err(refused) => intake.refusal(peer, &refused),
    }
}
