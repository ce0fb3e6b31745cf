//! From what a Redis or the way to it said to what the caller should do about it.

use std::error::Error;
use std::io;
use std::sync::Arc;

use ::redis::{ErrorKind, RedisError, ServerError, ServerErrorKind};

use super::StoreError;
use super::redirect::is_redirect;

/// The reason of an error for which somebody has waited in vain.
const NO_ANSWER: &str = "no answer in time";

/// Whether an error took as long as there was patience.
pub(super) fn is_timeout(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable { reason, .. } if reason == NO_ANSWER)
}

/// A server, as errors name it.
#[derive(Debug, Clone)]
pub(super) struct Server {
    /// Its address, without secrets.
    pub(super) place: String,
    /// As whom we are there.
    pub(super) user: String,
}

/// Sorts an error of the client: almost always the connection.
pub(super) fn of_client(server: &Server, error: &RedisError) -> StoreError {
    let place = server.place.clone();
    let reason = error.to_string();
    match error.kind() {
        ErrorKind::AuthenticationFailed => StoreError::Denied {
            place,
            user: server.user.clone(),
            reason: "wrong password or unknown user".to_owned(),
        },
        // An answer that is no RESP: another kind of server, or TLS on one side only.
        ErrorKind::Parse => StoreError::Corrupt { place, reason },
        ErrorKind::Io if is_certificate(error) => StoreError::Other { place, reason },
        ErrorKind::Io if error.is_timeout() => StoreError::Unavailable {
            place,
            reason: NO_ANSWER.to_owned(),
        },
        ErrorKind::Io => StoreError::Unavailable { place, reason },
        ErrorKind::Server(_) | ErrorKind::Extension => {
            let detail = error.detail().unwrap_or_default();
            by_code(server, error.code().unwrap_or("ERR"), detail)
        }
        _ => StoreError::Other { place, reason },
    }
}

/// Sorts an error reply.
pub(super) fn of_server(server: &Server, error: &ServerError) -> StoreError {
    by_code(server, error.code(), error.details().unwrap_or_default())
}

/// Whether an error reply concerns one key and no other.
pub(super) fn is_of_one_key(error: &ServerError) -> bool {
    is_wrong_type(error)
        || error.kind() == Some(ServerErrorKind::ResponseError)
            && error
                .details()
                .is_some_and(|detail| detail.starts_with("string exceeds maximum"))
}

/// Whether the key an error reply is about holds something else than the command works on.
pub(super) fn is_wrong_type(error: &ServerError) -> bool {
    error.code() == "WRONGTYPE"
}

fn by_code(server: &Server, code: &str, detail: &str) -> StoreError {
    let place = server.place.clone();
    let reason = format!("{code} {detail}");
    match code {
        "NOAUTH" | "WRONGPASS" | "NOPERM" => StoreError::Denied {
            place,
            user: server.user.clone(),
            reason,
        },
        "OOM" => StoreError::OutOfMemory { place, reason },
        "READONLY" | "MISCONF" | "NOREPLICAS" => StoreError::ReadOnly { place, reason },
        "LOADING" | "BUSY" | "MASTERDOWN" | "TRYAGAIN" | "CLUSTERDOWN" => {
            StoreError::Unavailable { place, reason }
        }
        code if is_redirect(code) => StoreError::Elsewhere { place, reason },
        _ => StoreError::Other { place, reason },
    }
}

/// A certificate that is not trusted will not become so by waiting.
fn is_certificate(error: &RedisError) -> bool {
    // The client keeps its cause shared, and the sharing pointer is what it gives as the source.
    let shared = error
        .source()
        .and_then(|source| source.downcast_ref::<Arc<dyn Error + Send + Sync>>());
    let system = shared.and_then(|cause| cause.downcast_ref::<io::Error>());
    system.is_some_and(|error| error.kind() == io::ErrorKind::InvalidData)
}

/// A reply of a kind the command never gives.
pub(super) fn unexpected(server: &Server, reply: &::redis::Value) -> StoreError {
    let text = format!("{reply:?}");
    StoreError::Corrupt {
        place: server.place.clone(),
        reason: format!("unexpected reply `{}`", text.chars().take(80).collect::<String>()),
    }
}
