//! How our types lie in columns.

use rusqlite::types::Type;
use serde::Serialize;
use serde::de::DeserializeOwned;
use skywatch_alerters::incident::Phase;
use skywatch_alerters::{Severity, Subject};

/// A number as SQLite keeps it; [`number`] is the way back. Nothing is lost on the way.
pub(super) fn key(number: u64) -> i64 {
    number.cast_signed()
}

/// See [`key`].
pub(super) fn number(key: i64) -> u64 {
    key.cast_unsigned()
}

/// A value as JSON.
pub(super) fn json<T: Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// A value from JSON. One that cannot be read is logged and is `None`: it must not hide the others.
pub(super) fn read<T: DeserializeOwned>(what: &str, name: &dyn std::fmt::Display, body: &str) -> Option<T> {
    match serde_json::from_str(body) {
        Ok(value) => Some(value),
        Err(error) => {
            tracing::warn!("{what} `{name}` in the history cannot be read: {error}");
            None
        }
    }
}

/// What makes a transaction end with nothing changed, for a reason of ours.
pub(super) fn refused(reason: String) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(reason.into())
}

/// The phase of that name; `None` for the empty one.
pub(super) fn phase(name: &str) -> rusqlite::Result<Option<Phase>> {
    if name.is_empty() {
        return Ok(None);
    }
    let phase = Phase::ALL.into_iter().find(|phase| phase.as_str() == name);
    phase.map(Some).ok_or_else(|| unknown("phase", name))
}

/// The severity of that name.
pub(super) fn severity(name: &str) -> rusqlite::Result<Severity> {
    let all = [Severity::Info, Severity::Warning, Severity::Critical];
    let severity = all.into_iter().find(|severity| severity.as_str() == name);
    severity.ok_or_else(|| unknown("severity", name))
}

/// The subject of that kind and name.
pub(super) fn subject(kind: &str, name: String) -> rusqlite::Result<Subject> {
    Subject::of_kind(kind, name).ok_or_else(|| unknown("kind of subject", kind))
}

fn unknown(what: &str, name: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, format!("unknown {what} `{name}`").into())
}
