//! Any log, by regular expressions of one's own.
//!
//! The file is a JSON list of rules, each `{"Pattern", "Subject", "Context", "Status", "Score"}`. The first rule whose pattern
//! is found in a line makes the event; `<name>` in subject and context is what the group of that name has found. A group
//! `time` is read by `-time`; without one the event is of now.

use jiff::tz::TimeZone;
use regex::{Captures, Regex};
use serde::Deserialize;
use skywatch_algorithms::verdicts::Status;

use super::event::{Event, Plugin, time_of};
use crate::health::clock::now;
use crate::health::tools::flags::{self, Flag, value};
use crate::health::tools::terminal::ToolError;

const FLAGS: &[Flag] = &[
    value("rules", "", "file of rules"),
    value("observer", "", "who reports; log:HOST if it is not given"),
    value(
        "time",
        "%Y-%m-%d %H:%M:%S%.f",
        "how the group `time` is written, as for strptime",
    ),
];
const USAGE: &str = "hview-logtail [options] patterns -rules FILE [-observer NAME] [-time FORMAT]";
const MODULE: &str = "log";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WrittenRule {
    pattern: String,
    subject: String,
    context: String,
    status: String,
    score: f32,
}

#[derive(Debug)]
struct LogRule {
    pattern: Regex,
    status: Status,
    written: WrittenRule,
}

/// The plugin.
pub(super) struct Patterns {
    rules: Vec<LogRule>,
    observer: String,
    format: String,
    zone: TimeZone,
}

impl Patterns {
    pub(super) fn new(arguments: Vec<String>, zone: TimeZone) -> Result<Self, ToolError> {
        let given = flags::parse(FLAGS, USAGE, arguments)?;
        let file = given.text("rules");
        let text = std::fs::read_to_string(file)
            .map_err(|error| ToolError::Usage(format!("`{file}` cannot be read: {error}")))?;
        let observer = match given.text("observer") {
            "" => format!("log:{}", skywatch_alerters::host::name()),
            name => name.to_owned(),
        };
        Self::of(&text, observer, given.text("time").to_owned(), zone)
    }

    fn of(text: &str, observer: String, format: String, zone: TimeZone) -> Result<Self, ToolError> {
        let written: Vec<WrittenRule> =
            serde_json::from_str(text).map_err(|error| ToolError::Usage(format!("the rules: {error}")))?;
        let rules = written.into_iter().map(|written| {
            let pattern = Regex::new(&written.pattern)
                .map_err(|error| ToolError::Usage(format!("pattern `{}`: {error}", written.pattern)))?;
            let status = Status::from_name(&written.status)
                .ok_or_else(|| ToolError::Usage(format!("`{}` is no status", written.status)))?;
            Ok(LogRule {
                pattern,
                status,
                written,
            })
        });
        Ok(Self {
            rules: rules.collect::<Result<_, ToolError>>()?,
            observer,
            format,
            zone,
        })
    }
}

/// The text with what groups have found for their names.
fn filled(text: &str, found: &Captures<'_>) -> String {
    match text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) {
        Some(name) => found.name(name).map_or("", |part| part.as_str()).to_owned(),
        None => text.to_owned(),
    }
}

impl Plugin for Patterns {
    fn observer(&self) -> (String, String) {
        (MODULE.to_owned(), self.observer.clone())
    }

    fn event(&mut self, line: &str) -> Option<Event> {
        let (rule, found) = self
            .rules
            .iter()
            .find_map(|rule| Some((rule, rule.pattern.captures(line)?)))?;
        let at = match found.name("time") {
            Some(time) => time_of(time.as_str(), &self.format, &self.zone)?,
            None => now(),
        };
        let event = Event {
            at,
            observer: self.observer.clone(),
            subject: filled(&rule.written.subject, &found),
            context: filled(&rule.written.context, &found),
            status: rule.status,
            score: rule.written.score,
            content: line.to_owned(),
        };
        (!event.subject.is_empty() && !event.context.is_empty()).then_some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_groups_say_who_and_what() {
        let rules = r#"[
            {"Pattern": "^(?P<time>\\S+ \\S+) .*connection to (?P<host>\\S+) refused", "Subject": "<host>", "Context": "connect",
             "Status": "unhealthy", "Score": 0},
            {"Pattern": "user=(?P<user>\\w*) slow", "Subject": "db:main", "Context": "<user>", "Status": "maybe_unhealthy", "Score": 40}]"#;
        let format = "%Y/%m/%d %H:%M:%S".to_owned();
        let mut plugin = Patterns::of(rules, "log:a".to_owned(), format, TimeZone::UTC).expect("rules");
        let event = plugin
            .event("2026/11/28 10:00:00 error: connection to db:main refused")
            .expect("an event");
        assert_eq!(
            (&*event.subject, &*event.context, event.at),
            ("db:main", "connect", 1_795_860_000_000_000_000)
        );
        let event = plugin.event("user=joe slow query").expect("an event");
        assert_eq!((&*event.context, event.status), ("joe", Status::MaybeUnhealthy));
        for none in ["all is well", "user= slow", "today 10:00 connection to x refused"] {
            assert_eq!(plugin.event(none), None, "{none}");
        }
        for refused in ["{}", r#"[{"Pattern": "("}]"#] {
            assert!(Patterns::of(refused, String::new(), String::new(), TimeZone::UTC).is_err());
        }
    }
}
