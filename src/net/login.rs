//! Who may ask: whoever has one of the tokens of a listener.
//!
//! Programs send `Authorization: Bearer TOKEN`, gRPC's in the metadata of the same name; a browser asks its user, whose
//! password is the token and whose name is of no account.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq as _;

/// The tokens of a listener. With none of them nobody is let in.
#[derive(Clone)]
pub(crate) struct Tokens(Arc<[String]>);

impl Tokens {
    /// From a text with blanks between tokens: there are several while one is replaced by another.
    pub(crate) fn new(text: &str) -> Self {
        Self(text.split_whitespace().map(str::to_owned).collect())
    }

    /// Whether what stands in an `Authorization` header holds one of the tokens. Takes as long whichever it is, and if it is
    /// none.
    fn admit(&self, authorization: &str) -> bool {
        let Some((scheme, rest)) = authorization.split_once(' ') else {
            return false;
        };
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return self.are(rest.as_bytes());
        }
        if scheme.eq_ignore_ascii_case("basic")
            && let Ok(pair) = STANDARD.decode(rest)
            && let Some(colon) = pair.iter().position(|byte| *byte == b':')
        {
            return self.are(&pair[colon + 1..]);
        }
        false
    }

    fn are(&self, given: &[u8]) -> bool {
        let same = |known: &String| known.as_bytes().ct_eq(given).unwrap_u8();
        self.0.iter().fold(0, |found, known| found | same(known)) == 1
    }
}

/// The code of gRPC for who has not proved who he is.
const UNAUTHENTICATED: HeaderValue = HeaderValue::from_static("16");
/// What is said to a client without a token; printable ASCII, as gRPC's `grpc-message` wants it.
const NEEDED: &str = "a token is needed: `Authorization: Bearer TOKEN`";

/// Lets only those through to `router` who have one of the tokens.
pub(crate) fn require(tokens: Tokens, router: Router) -> Router {
    router.layer(axum::middleware::from_fn_with_state(tokens, check))
}

async fn check(State(tokens): State<Tokens>, request: Request, next: Next) -> Response {
    let authorization = request.headers().get(header::AUTHORIZATION);
    if authorization
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| tokens.admit(value))
    {
        return next.run(request).await;
    }
    if is_grpc(request.headers()) {
        return refuse_call();
    }
    let why = format!("{NEEDED}, or as the password of a browser\n");
    let mut answer = (StatusCode::UNAUTHORIZED, why).into_response();
    // Without the first no browser would ask for a password.
    for scheme in ["Basic realm=\"skywatch\", charset=\"UTF-8\"", "Bearer"] {
        let value = HeaderValue::from_static(scheme);
        answer.headers_mut().append(header::WWW_AUTHENTICATE, value);
    }
    answer
}

/// Whether gRPC is spoken.
fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// A refusal in gRPC's words: an answer of headers only.
fn refuse_call() -> Response {
    let mut answer = Response::default();
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", UNAUTHENTICATED);
    headers.insert("grpc-message", HeaderValue::from_static(NEEDED));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_as_bearer_and_as_password_and_nothing_else_is() {
        let tokens = Tokens::new("first-token\nsecond:token\n");
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        for good in [
            "Bearer first-token".to_owned(),
            "bearer  second:token".to_owned(),
            basic("anybody:first-token"),
            basic(":second:token"),
        ] {
            assert!(tokens.admit(&good), "{good}");
        }
        for bad in [
            String::new(),
            "first-token".to_owned(),
            "Bearer".to_owned(),
            "Bearer ".to_owned(),
            "Bearer first-toke".to_owned(),
            "Bearer first-token second:token".to_owned(),
            "Digest first-token".to_owned(),
            basic("first-token"),
            basic("first-token:"),
            "Basic %%%".to_owned(),
        ] {
            assert!(!tokens.admit(&bad), "{bad}");
        }
        assert!(!Tokens::new(" \n").admit("Bearer "), "no token lets nobody in");
    }
}
