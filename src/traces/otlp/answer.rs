//! What a sender of OTLP is told.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use prost::Message;
use serde_json::json;
use tonic::metadata::MetadataValue;

use crate::traces::idl::metrics_service::{ExportMetricsPartialSuccess, ExportMetricsServiceResponse};
use crate::traces::idl::rpc::{self, RetryDelay, RetryInfo};
use crate::traces::idl::trace_service::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use crate::traces::intake::RequestOutcome;
use crate::traces::refusal::RequestRefusal;

/// Seconds after which a sender may try again: some traces are complete by then.
pub(in crate::traces) const RETRY_AFTER: u32 = 5;

/// How a request, and the answer to it, is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::traces) enum OtlpEncoding {
    /// `application/x-protobuf`
    Protobuf,
    /// `application/json`
    Json,
}

impl OtlpEncoding {
    /// That of a request; `None` for another one.
    pub(in crate::traces) fn of(headers: &HeaderMap) -> Option<Self> {
        let written = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        match written.split(';').next()?.trim() {
            "application/x-protobuf" => Some(Self::Protobuf),
            "application/json" => Some(Self::Json),
            _ => None,
        }
    }

    fn answer(self, status: StatusCode, message: &impl Message, json: &serde_json::Value) -> Response {
        let (kind, body) = match self {
            Self::Protobuf => ("application/x-protobuf", message.encode_to_vec()),
            Self::Json => ("application/json", json.to_string().into_bytes()),
        };
        (status, [(header::CONTENT_TYPE, kind)], body).into_response()
    }

    /// Spans were taken, but for those that were not.
    pub(in crate::traces) fn spans(self, accepted: RequestOutcome) -> Response {
        let RequestOutcome { rejected, why } = &accepted;
        let json = match rejected {
            0 => json!({}),
            rejected => {
                json!({ "partialSuccess": { "rejectedSpans": rejected.to_string(), "errorMessage": why } })
            }
        };
        self.answer(StatusCode::OK, &spans(accepted.clone()), &json)
    }

    /// Points were taken, but for those that were not.
    pub(in crate::traces) fn points(self, accepted: RequestOutcome) -> Response {
        let RequestOutcome { rejected, why } = &accepted;
        let json = match rejected {
            0 => json!({}),
            rejected => {
                json!({ "partialSuccess": { "rejectedDataPoints": rejected.to_string(), "errorMessage": why } })
            }
        };
        self.answer(StatusCode::OK, &points(accepted.clone()), &json)
    }

    /// Nothing was taken.
    pub(in crate::traces) fn refusal(self, reason: RequestRefusal, why: &str) -> Response {
        let status = rpc::Status {
            code: grpc_code(reason) as i32,
            message: why.to_owned(),
            details: Vec::new(),
        };
        let json = json!({ "code": status.code, "message": why });
        with_retry(reason, self.answer(http_status(reason), &status, &json))
    }
}

/// The status of an answer that refuses a request.
pub(in crate::traces) fn http_status(reason: RequestRefusal) -> StatusCode {
    match reason {
        RequestRefusal::BadRequest | RequestRefusal::Unfinished => StatusCode::BAD_REQUEST,
        RequestRefusal::TooLarge | RequestRefusal::InflatesTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        RequestRefusal::UnknownEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        RequestRefusal::OfAPage => StatusCode::FORBIDDEN,
        RequestRefusal::TurnedAway => StatusCode::TOO_MANY_REQUESTS,
    }
}

/// Says when to come again, to whom it is worth it.
pub(in crate::traces) fn with_retry(reason: RequestRefusal, mut answer: Response) -> Response {
    if reason == RequestRefusal::TurnedAway {
        answer
            .headers_mut()
            .insert(header::RETRY_AFTER, RETRY_AFTER.into());
    }
    answer
}

fn grpc_code(reason: RequestRefusal) -> tonic::Code {
    match reason {
        RequestRefusal::OfAPage => tonic::Code::PermissionDenied,
        RequestRefusal::TurnedAway => tonic::Code::ResourceExhausted,
        _ => tonic::Code::InvalidArgument,
    }
}

/// The answer over gRPC to a request for which there is no room. With a time to come again it is no error to the sender.
pub(super) fn full(why: &str) -> tonic::Status {
    let code = tonic::Code::ResourceExhausted;
    let retry = RetryInfo {
        retry_delay: Some(RetryDelay {
            seconds: RETRY_AFTER.into(),
            nanos: 0,
        }),
    };
    let retry = retry.encode_to_vec();
    let status = rpc::Status {
        code: code as i32,
        message: why.to_owned(),
        details: vec![rpc::status::Any {
            type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
            value: retry.clone().into(),
        }],
    };
    let mut status = tonic::Status::with_details(code, why, status.encode_to_vec().into());
    // OpenTelemetry's exporter for Python looks for it here and not in the details.
    let name = "google.rpc.retryinfo-bin";
    status
        .metadata_mut()
        .insert_bin(name, MetadataValue::from_bytes(&retry));
    status
}

pub(super) fn spans(accepted: RequestOutcome) -> ExportTraceServiceResponse {
    let partial_success = (accepted.rejected > 0).then(|| ExportTracePartialSuccess {
        rejected_spans: i64::try_from(accepted.rejected).unwrap_or(i64::MAX),
        error_message: accepted.why,
    });
    ExportTraceServiceResponse { partial_success }
}

pub(super) fn points(accepted: RequestOutcome) -> ExportMetricsServiceResponse {
    let partial_success = (accepted.rejected > 0).then(|| ExportMetricsPartialSuccess {
        rejected_data_points: i64::try_from(accepted.rejected).unwrap_or(i64::MAX),
        error_message: accepted.why,
    });
    ExportMetricsServiceResponse { partial_success }
}
