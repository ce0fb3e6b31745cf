//! Events that stand in a log, and whoever finds them there.

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use skywatch_algorithms::verdicts::Status;

use crate::health::convert::timestamp;
use crate::health::tools::text;

/// What a line of a log says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    /// When, in Unix nanoseconds.
    pub(super) at: i64,
    pub(super) observer: String,
    pub(super) subject: String,
    pub(super) context: String,
    pub(super) status: Status,
    pub(super) score: f32,
    /// The part of the line for people.
    pub(super) content: String,
}

impl Event {
    /// Its fields by name, for programs.
    pub(super) fn json(&self) -> Value {
        json!({
            "ts": text::rfc3339(&timestamp(self.at)),
            "observer": self.observer,
            "subject": self.subject,
            "context": self.context,
            "status": self.status.name(),
            "score": self.score,
            "content": self.content,
        })
    }
}

impl std::fmt::Display for Event {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "&{{{} {} {} {} {} {} {}}}",
            text::go_time(&timestamp(self.at)),
            self.observer,
            self.subject,
            self.context,
            self.status.name(),
            self.score,
            self.content
        )
    }
}

/// Reads lines of one kind of log. It is asked once a line, in order, on one thread, and waits for nothing.
pub(super) trait Plugin {
    /// The module and the observer that reports.
    fn observer(&self) -> (String, String);

    /// The event of a line, if it is one.
    fn event(&mut self, line: &str) -> Option<Event>;
}

/// Unix nanoseconds of a time as it stands in a log.
pub(super) fn time_of(text: &str, format: &str, zone: &TimeZone) -> Option<i64> {
    let civil = jiff::civil::DateTime::strptime(format, text).ok()?;
    let zoned = zone.to_ambiguous_zoned(civil).compatible().ok()?;
    i64::try_from(zoned.timestamp().as_nanosecond()).ok()
}
