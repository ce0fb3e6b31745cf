//! What went wrong with a call, as RFC 9457 has it.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::history::{HistoryError, HistoryReader};
use crate::net::problem::problem;
use crate::web::commands::NotDone;
use crate::web::describe::of_history;
use crate::web::site::{Site, of_a_page};

/// Reads from the history for a call. Of one that nobody has written yet the answer is what nothing would give.
pub(super) async fn from_history<T: Default + Send + 'static>(
    site: &Arc<Site>,
    read: impl FnOnce(&HistoryReader) -> Result<T, HistoryError> + Send + 'static,
) -> Result<T, ApiProblem> {
    let path = site.history.clone();
    match of_a_page(site, move || of_history(&path, read)).await {
        Ok((found, None)) => Ok(found),
        Ok((_, Some(why))) => Err(ApiProblem::unavailable(why)),
        Err(_) => Err(ApiProblem::unavailable(
            "too many ask at once, or a disk does not answer",
        )),
    }
}

/// Why a call was not answered.
#[derive(Debug)]
pub(super) struct ApiProblem {
    status: StatusCode,
    detail: String,
}

impl ApiProblem {
    /// The call itself is wrong.
    pub(super) fn bad(detail: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            detail: detail.into(),
        }
    }

    /// There is no such thing.
    pub(super) fn missing(detail: impl Into<String>) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            detail: detail.into(),
        }
    }

    /// What it takes cannot be had at present.
    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            detail: detail.into(),
        }
    }
}

impl From<NotDone> for ApiProblem {
    fn from(not_done: NotDone) -> Self {
        let (status, detail) = not_done.parts();
        Self { status, detail }
    }
}

impl From<QueryRejection> for ApiProblem {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad(rejection.body_text())
    }
}

impl From<JsonRejection> for ApiProblem {
    fn from(rejection: JsonRejection) -> Self {
        Self {
            status: rejection.status(),
            detail: rejection.body_text(),
        }
    }
}

impl IntoResponse for ApiProblem {
    fn into_response(self) -> Response {
        problem(self.status, &self.detail)
    }
}
