//! Answers with a tag of what they hold (ETag, RFC 9110): who has it already is told so, and nothing is sent again.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use xxhash_rust::xxh3::xxh3_128;

/// Largest answer, bytes: what calls give is made in memory and smaller.
const LARGEST: usize = 256 << 20;

/// Tags what a call answers to a question.
pub(super) async fn tag(request: Request, next: Next) -> Response {
    let is_question = request.method() == Method::GET;
    let known = request.headers().get(header::IF_NONE_MATCH).cloned();
    let answer = next.run(request).await;
    if !is_question || answer.status() != StatusCode::OK {
        return answer;
    }
    let (mut parts, body) = answer.into_parts();
    let Ok(bytes) = to_bytes(body, LARGEST).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let tag = format!("\"{:032x}\"", xxh3_128(&bytes));
    let is_known = known.is_some_and(|known| names(&known, &tag));
    add(&mut parts.headers, &tag);
    if is_known {
        parts.headers.remove(header::CONTENT_LENGTH);
        parts.headers.remove(header::CONTENT_TYPE);
        return (StatusCode::NOT_MODIFIED, parts.headers).into_response();
    }
    Response::from_parts(parts, Body::from(bytes))
}

/// Whether a list of tags holds one.
pub(crate) fn names(list: &HeaderValue, tag: &str) -> bool {
    let list = list.to_str().unwrap_or_default();
    list.split(',').map(str::trim).any(|known| {
        // Weakly the same is the same here: the bytes are.
        known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag
    })
}

fn add(headers: &mut HeaderMap, tag: &str) {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(header::ETAG, tag);
        // Whoever keeps an answer asks each time whether it is still the same.
        let kept = HeaderValue::from_static("private, no-cache");
        headers.entry(header::CACHE_CONTROL).or_insert(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_in_a_list() {
        let names = |list: &str| names(&HeaderValue::from_str(list).expect("a header"), "\"a1\"");
        assert!(names("\"a1\"") && names("\"b\", \"a1\"") && names("W/\"a1\"") && names("*"));
        assert!(!names("\"a\"") && !names("a1") && !names(""));
    }
}
