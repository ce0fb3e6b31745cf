//! Who may ask, and who may change something: whoever has one of the tokens of a listener.
//!
//! Programs send `Authorization: Bearer TOKEN`, gRPC's in the metadata of the same name; a browser asks its user, whose
//! password is the token and whose name is of no account. A token stands in the settings as it is, or as its hash by Argon2
//! (RFC 9106) in the PHC form, so that who reads the settings cannot use it.
//!
//! Wrong tokens are limited by address. Where an address is over its limit, what comes is held against those tokens only that were
//! sent from there before, by a comparison that costs nothing: neither does a guesser keep out who shares his address (a proxy,
//! a jump host, a scraper with an old token), nor does he learn of a token that is not in use there, nor does he cost a hash.

use std::convert::Infallible;
use std::fs::File;
use std::io::Read as _;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;

use super::problem::refusal;
use super::proven::ProvenTokens;
use super::throttle::{Throttle, address_of, too_often};

/// What a hash begins with.
const HASHED: &str = "$argon2";
/// Longest token that is hashed, bytes: what is longer is none of ours.
const LONGEST: usize = 1_024;
/// Wrong tokens of one address: one in six seconds in the long run, and ten at once, as when somebody looks for the right one.
const WRONG_A_SECOND: f64 = 1.0 / 6.0;
const WRONG_AT_ONCE: f64 = 10.0;

/// What somebody with a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grant {
    /// Look.
    Read,
    /// Look, and change.
    Write,
}

/// The tokens of a listener. With none of them nobody is let in.
#[derive(Clone)]
pub(crate) struct Tokens {
    known: Arc<[KnownToken]>,
    /// Held while a hash is worked out: one core at most, however many guess.
    hashing: Arc<Semaphore>,
    wrong: Throttle,
    /// Which of them are in use where.
    proven: ProvenTokens,
}

struct KnownToken {
    grant: Grant,
    secret: TokenSecret,
}

enum TokenSecret {
    Plain(String),
    Hashed {
        phc: String,
        /// The token itself, once somebody has sent it: a hash takes tens of milliseconds, and each request has one.
        sent: OnceLock<Vec<u8>>,
    },
}

impl TokenSecret {
    fn new(text: &str) -> Self {
        match text.starts_with(HASHED) {
            true => Self::Hashed {
                phc: text.to_owned(),
                sent: OnceLock::new(),
            },
            false => Self::Plain(text.to_owned()),
        }
    }

    /// Whether it is what was sent, as far as that costs nothing to say.
    fn is(&self, given: &[u8]) -> bool {
        let known = match self {
            Self::Plain(text) => Some(text.as_bytes()),
            Self::Hashed { sent, .. } => sent.get().map(Vec::as_slice),
        };
        known.is_some_and(|known| known.ct_eq(given).into())
    }

    /// The same, working out its hash. Takes tens of milliseconds.
    fn is_hash_of(&self, given: &[u8]) -> bool {
        let Self::Hashed { phc, sent } = self else {
            return false;
        };
        let hash = PasswordHash::new(phc);
        let is_right = hash.is_ok_and(|hash| Argon2::default().verify_password(given, &hash).is_ok());
        if is_right {
            let _ = sent.set(given.to_vec());
        }
        is_right
    }
}

impl Tokens {
    /// From a text with blanks between tokens, which let whoever has one of them do everything: there are several while one
    /// is replaced by another.
    pub(crate) fn new(text: &str) -> Self {
        Self::of(text, "")
    }

    /// The same, and tokens that let one look only.
    pub(crate) fn of(writers: &str, readers: &str) -> Self {
        let known = |text: &str, grant| {
            let tokens = text.split_whitespace();
            let tokens = tokens.map(|token| KnownToken {
                grant,
                secret: TokenSecret::new(token),
            });
            tokens.collect::<Vec<_>>()
        };
        let mut all = known(writers, Grant::Write);
        all.extend(known(readers, Grant::Read));
        Self {
            known: all.into(),
            hashing: Arc::new(Semaphore::new(1)),
            wrong: Throttle::new(WRONG_A_SECOND, WRONG_AT_ONCE),
            proven: ProvenTokens::default(),
        }
    }

    /// Which of the tokens at `places` was given, without working out a hash. It takes as long whichever it is, and if it is none.
    fn find(&self, given: &[u8], places: impl IntoIterator<Item = usize>) -> Option<usize> {
        let mut found = None;
        for place in places {
            if self.known.get(place).is_some_and(|token| token.secret.is(given)) {
                found = found.or(Some(place));
            }
        }
        found
    }

    /// The place of the token in an `Authorization` header; `None` if it is none of ours.
    async fn admit(&self, authorization: &str) -> Option<usize> {
        let given = token_in(authorization)?;
        let found = self.find(&given, 0..self.known.len());
        let has_hash = |token: &KnownToken| matches!(&token.secret, TokenSecret::Hashed { sent, .. } if sent.get().is_none());
        if found.is_some() || given.len() > LONGEST || !self.known.iter().any(has_hash) {
            return found;
        }
        let _turn = self.hashing.acquire().await.ok()?;
        let known = Arc::clone(&self.known);
        let hashed = tokio::task::spawn_blocking(move || {
            known.iter().position(|token| token.secret.is_hash_of(&given))
        });
        hashed.await.ok().flatten()
    }
}

/// The hash of a token, as the settings take it: Argon2id with the parameters of OWASP (19 MiB, two passes, one lane) and a salt
/// of 16 random bytes.
///
/// # Errors
/// It is none, or the system has no random bytes; for people.
pub(crate) fn hash_token(token: &str) -> Result<String, String> {
    if token.is_empty() || token.len() > LONGEST || token.contains(char::is_whitespace) {
        return Err("expected a token of 1 to 1,024 bytes without blanks on standard input".to_owned());
    }
    let mut salt = [0; 16];
    let random = File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut salt));
    random.map_err(|error| format!("the system has no random bytes: {error}"))?;
    let salt = SaltString::encode_b64(&salt).map_err(|error| error.to_string())?;
    let hash = Argon2::default().hash_password(token.as_bytes(), &salt);
    Ok(hash.map_err(|error| error.to_string())?.to_string())
}

/// The token of an `Authorization` header.
fn token_in(authorization: &str) -> Option<Vec<u8>> {
    let (scheme, rest) = authorization.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.as_bytes().to_vec());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = STANDARD.decode(rest).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(pair[colon + 1..].to_vec())
}

/// The code of gRPC for who has not proved who he is.
const UNAUTHENTICATED: HeaderValue = HeaderValue::from_static("16");
/// What is said to a client without a token; printable ASCII, as gRPC's `grpc-message` wants it.
const NEEDED: &str = "a token is needed: `Authorization: Bearer TOKEN`";

/// Lets only those through to `router` who have one of the tokens.
pub(crate) fn require(tokens: Tokens, router: Router) -> Router {
    router.layer(axum::middleware::from_fn_with_state(tokens, check))
}

async fn check(State(tokens): State<Tokens>, mut request: Request, next: Next) -> Response {
    let address = address_of(&request);
    let authorization = request.headers().get(header::AUTHORIZATION);
    let authorization = authorization
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    if let Some(authorization) = authorization {
        let now = Instant::now();
        let limited = address.and_then(|address| Some((address, tokens.wrong.look(address, now).err()?)));
        let found = match limited {
            Some((address, _)) => {
                token_in(&authorization).and_then(|given| tokens.find(&given, tokens.proven.at(address, now)))
            }
            None => tokens.admit(&authorization).await,
        };
        if let Some(place) = found {
            if let Some(address) = address {
                tokens.proven.add(address, place, now);
            }
            request.extensions_mut().insert(tokens.known[place].grant);
            return next.run(request).await;
        }
        if let Some((_, wait)) = limited {
            return refuse_guesses(&request, wait);
        }
        if let Some(address) = address {
            let _ = tokens.wrong.take(address, now);
        }
    }
    if is_grpc(request.headers()) {
        return refuse_call();
    }
    let why = format!("{NEEDED}, or as the password of a browser\n");
    let mut answer = refusal(request.uri().path(), StatusCode::UNAUTHORIZED, &why);
    // Without the first no browser would ask for a password.
    for scheme in ["Basic realm=\"skywatch\", charset=\"UTF-8\"", "Bearer"] {
        let value = HeaderValue::from_static(scheme);
        answer.headers_mut().append(header::WWW_AUTHENTICATE, value);
    }
    answer
}

fn refuse_guesses(request: &Request, wait: Duration) -> Response {
    let path = request.uri().path();
    match is_grpc(request.headers()) {
        true => refuse_call(),
        false => too_often(path, wait, "too many wrong tokens came from this address\n"),
    }
}

/// Whether who asks may change something: for pages, which show no buttons to who may not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MayChange(pub(crate) bool);

impl<S: Send + Sync> FromRequestParts<S> for MayChange {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get::<Grant>() != Some(&Grant::Read)))
    }
}

/// Lets no request through whose token is for looking only. Where there are no tokens everybody may.
pub(crate) async fn only_writers(request: Request, next: Next) -> Response {
    if request.extensions().get::<Grant>() == Some(&Grant::Read) {
        let why = "this token is for looking only: nothing was changed\nhint: `web.token` in the settings has those that may\n";
        return refusal(request.uri().path(), StatusCode::FORBIDDEN, why);
    }
    next.run(request).await
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

    fn admit(tokens: &Tokens, authorization: &str) -> Option<Grant> {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let place = runtime
            .expect("a runtime")
            .block_on(tokens.admit(authorization))?;
        Some(tokens.known[place].grant)
    }

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
            assert_eq!(admit(&tokens, &good), Some(Grant::Write), "{good}");
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
            assert_eq!(admit(&tokens, &bad), None, "{bad}");
        }
        assert_eq!(
            admit(&Tokens::new(" \n"), "Bearer "),
            None,
            "no token lets nobody in"
        );
    }

    #[test]
    fn a_reader_reads_and_a_hash_is_as_good_as_its_token() {
        // Of `look-only`, made with the least memory and time there are, so that this test costs nothing.
        let params = argon2::Params::new(8, 1, 1, None).expect("parameters");
        let hasher = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
        let salt = SaltString::encode_b64(b"0123456789abcdef").expect("a salt");
        let phc = hasher.hash_password(b"look-only", &salt).expect("a hash");
        let tokens = Tokens::of("all", &phc.to_string());
        for _ in 0..2 {
            assert_eq!(admit(&tokens, "Bearer look-only"), Some(Grant::Read));
            assert_eq!(admit(&tokens, "Bearer all"), Some(Grant::Write));
            assert_eq!(admit(&tokens, "Bearer look"), None);
            assert_eq!(
                admit(&tokens, &format!("Bearer {phc}")),
                None,
                "the hash is no token"
            );
        }
    }
}
