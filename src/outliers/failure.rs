//! Why a request is not answered: a status, a sentence, a counter.
//!
//! `msg` is rb-aioutliers' own sentence, which its clients may look for; `detail` says what is wrong. With
//! `outliers.always_200` the status is 200, as there.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Json, Response};
use serde_json::json;
use skywatch_algorithms::learned::LearnedError;

use crate::sources::SourceError;
use crate::sources::druid::{QueryRefusal, TimeseriesError};

/// Why a request is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum FailureReason {
    /// Neither form nor JSON with the fields that are known.
    BadRequest,
    /// A field that is not base64.
    NotBase64,
    /// Rows or query that are not JSON, or not of their shape.
    NotJson,
    /// Neither query nor rows.
    NoData,
    /// More bytes than may be.
    TooLarge,
    /// More points than may be.
    TooManyPoints,
    /// A query that is not asked.
    QueryRefused,
    /// No column of that name.
    UnknownMetric,
    /// Too few points to say anything.
    TooFew,
    /// No rows, or none with a number.
    NoRows,
    /// Nothing is set up that could be asked.
    NoSource,
    /// Druid, or what stands for it, does not answer.
    SourceDown,
    /// It took too long.
    SourceSlow,
    /// It is left alone for a while.
    SourceLeftAlone,
    /// It finds something wrong with the query, or with us.
    SourceRefused,
    /// It answers what is no timeseries.
    SourceMalformed,
    /// Too many others are asking.
    Busy,
    /// A defect of ours.
    Internal,
}

impl FailureReason {
    pub(super) const ALL: [Self; 18] = [
        Self::BadRequest,
        Self::NotBase64,
        Self::NotJson,
        Self::NoData,
        Self::TooLarge,
        Self::TooManyPoints,
        Self::QueryRefused,
        Self::UnknownMetric,
        Self::TooFew,
        Self::NoRows,
        Self::NoSource,
        Self::SourceDown,
        Self::SourceSlow,
        Self::SourceLeftAlone,
        Self::SourceRefused,
        Self::SourceMalformed,
        Self::Busy,
        Self::Internal,
    ];

    /// Its name in counters.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::NotBase64 => "not_base64",
            Self::NotJson => "not_json",
            Self::NoData => "no_data",
            Self::TooLarge => "too_large",
            Self::TooManyPoints => "too_many_points",
            Self::QueryRefused => "query_refused",
            Self::UnknownMetric => "unknown_metric",
            Self::TooFew => "too_few_points",
            Self::NoRows => "no_rows",
            Self::NoSource => "no_source",
            Self::SourceDown => "source_down",
            Self::SourceSlow => "source_slow",
            Self::SourceLeftAlone => "source_left_alone",
            Self::SourceRefused => "source_refused",
            Self::SourceMalformed => "source_malformed",
            Self::Busy => "busy",
            Self::Internal => "internal",
        }
    }

    /// Client 400, too much 413, Druid 502 and 504, not now 503, a defect 500.
    fn status(self) -> StatusCode {
        match self {
            Self::BadRequest
            | Self::NotBase64
            | Self::NotJson
            | Self::NoData
            | Self::QueryRefused
            | Self::UnknownMetric
            | Self::TooFew => StatusCode::BAD_REQUEST,
            Self::NoRows => StatusCode::NOT_FOUND,
            Self::TooLarge | Self::TooManyPoints => StatusCode::PAYLOAD_TOO_LARGE,
            Self::SourceDown | Self::SourceRefused | Self::SourceMalformed => StatusCode::BAD_GATEWAY,
            Self::SourceSlow => StatusCode::GATEWAY_TIMEOUT,
            Self::NoSource | Self::SourceLeftAlone | Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What rb-aioutliers says then.
    fn sentence(self) -> &'static str {
        match self {
            Self::BadRequest | Self::NoData => "No data provided or requested",
            Self::UnknownMetric | Self::TooFew | Self::NoRows | Self::TooManyPoints | Self::Internal => {
                "Error while calculating prediction model"
            }
            _ => "Could not execute druid query",
        }
    }
}

/// A request that is not answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OutlierFailure {
    pub(super) reason: FailureReason,
    /// For people.
    pub(super) detail: String,
    /// Seconds after which it may be asked again, where that is known.
    retry_after: Option<f64>,
}

impl OutlierFailure {
    pub(super) fn new(reason: FailureReason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
            retry_after: (reason == FailureReason::Busy).then_some(1.0),
        }
    }

    /// As it is answered.
    pub(super) fn into_response(self, always_200: bool) -> Response {
        let body = json!({
            "status": "error",
            "msg": self.reason.sentence(),
            "reason": self.reason.name(),
            "detail": self.detail,
        });
        let status = match always_200 {
            true => StatusCode::OK,
            false => self.reason.status(),
        };
        let mut answer = (status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after {
            let value = HeaderValue::from(seconds.ceil() as u64);
            answer.headers_mut().insert(header::RETRY_AFTER, value);
        }
        answer
    }
}

impl From<QueryRefusal> for OutlierFailure {
    fn from(refusal: QueryRefusal) -> Self {
        let reason = match refusal {
            QueryRefusal::NotJson(_) => FailureReason::NotJson,
            _ => FailureReason::QueryRefused,
        };
        Self::new(reason, refusal.to_string())
    }
}

impl From<TimeseriesError> for OutlierFailure {
    fn from(error: TimeseriesError) -> Self {
        let (reason, detail) = match error {
            TimeseriesError::TooMany(most) => (
                FailureReason::TooManyPoints,
                format!("there are more than {most} numbers, the most of `outliers.max_points`"),
            ),
            error => (
                FailureReason::NotJson,
                format!("`data` is not what Druid answers: {error}"),
            ),
        };
        Self::new(reason, detail)
    }
}

impl From<SourceError> for OutlierFailure {
    fn from(error: SourceError) -> Self {
        let reason = match &error {
            SourceError::Unavailable { .. } | SourceError::Store(_) => FailureReason::SourceDown,
            SourceError::TimedOut { .. } => FailureReason::SourceSlow,
            SourceError::LeftAlone { .. } => FailureReason::SourceLeftAlone,
            SourceError::Refused { .. } | SourceError::Denied { .. } | SourceError::Redirected { .. } => {
                FailureReason::SourceRefused
            }
            SourceError::Malformed { .. } => FailureReason::SourceMalformed,
            SourceError::TooLarge { .. } => FailureReason::TooManyPoints,
            SourceError::File { .. } | SourceError::Options { .. } => FailureReason::NoSource,
        };
        let mut failure = Self::new(reason, error.to_string());
        if let SourceError::LeftAlone { seconds, .. } = error {
            failure.retry_after = Some(seconds);
        }
        failure
    }
}

impl From<LearnedError> for OutlierFailure {
    fn from(error: LearnedError) -> Self {
        match error {
            LearnedError::TooFew { given, needed, .. } => Self::new(
                FailureReason::TooFew,
                format!(
                    "too few points for this model: it needs at least {needed} rows in which all of its columns have a \
                     number, and there are {given}"
                ),
            ),
            error => Self::new(FailureReason::Internal, error.to_string()),
        }
    }
}
