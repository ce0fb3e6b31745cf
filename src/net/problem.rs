//! What is said to who is refused before anything is done: in the form that programs read (RFC 9457) under `/api/`, and else as text.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

/// A refusal as the interface for programs gives it.
pub(crate) fn problem(status: StatusCode, detail: &str) -> Response {
    let body = json!({
        "title": status.canonical_reason().unwrap_or("error"),
        "status": status.as_u16(),
        "detail": detail,
    });
    let kind = [(header::CONTENT_TYPE, "application/problem+json")];
    (status, kind, body.to_string()).into_response()
}

/// A refusal of what was asked for under `path`; `why` ends with a line.
pub(crate) fn refusal(path: &str, status: StatusCode, why: &str) -> Response {
    match path.starts_with("/api/") {
        true => problem(status, why.trim_end()),
        false => (status, why.to_owned()).into_response(),
    }
}
