//! `hview-logtail`: an observer that reads a log. A plugin says which lines are events about whom; each event becomes a report.
//!
//! A file that is renamed and begun anew, or cut, is followed. Times in a log have no zone: they are this machine's, unless
//! `-tz` names another; the original takes them for UTC, so that its check for stale events is wrong by the zone.

mod event;
mod filter;
mod patterns;
mod zookeeper;

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use skywatch_algorithms::verdicts::{SECOND, Status};

use self::event::{Event, Plugin};
use super::client::{self, ClientSession};
use super::flags::{self, Flag, JSON_FLAG, switch, value};
use super::terminal::{ToolError, complain, print};
use crate::follow::Follow;
use crate::health::clock::now;

const FLAGS: &[Flag] = &[
    switch("report", "true", "report events; otherwise they are printed only"),
    value(
        "stale",
        "300",
        "seconds after which an event is too old to be reported; 0 or less for none",
    ),
    value(
        "merge",
        "1",
        "seconds within which the same event is reported once; 0 or less for none",
    ),
    value("log", "", "the log"),
    value(
        "server",
        "",
        "address of the server, https://host:port for TLS; this host's name and port 6688 if it is not given",
    ),
    client::CA_FLAG,
    client::TOKEN_FLAG,
    value(
        "tz",
        "",
        "time zone of the log, such as UTC or Europe/Berlin; this machine's if it is not given",
    ),
    JSON_FLAG,
    switch("follow", "true", "wait for more at the end of the log"),
];
const USAGE: &str = "hview-logtail -log FILE [options] zookeeper|patterns [options of the plugin]";
/// The original waits so long after it has registered.
const STABILIZE: Duration = Duration::from_secs(3);
/// How often the end of the file is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// A report that fails is tried again so often, after a pause.
const TRIES: usize = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// Runs the tool.
pub(super) fn run(arguments: Vec<String>) -> Result<(), ToolError> {
    let given = flags::parse(FLAGS, USAGE, arguments)?;
    let usage = || ToolError::Usage(format!("Usage: {USAGE}"));
    let log = Some(given.text("log"))
        .filter(|log| !log.is_empty())
        .ok_or_else(usage)?
        .to_owned();
    let zone = zone(given.text("tz"))?;
    let mut rest = given.rest.clone().into_iter();
    let mut plugin: Box<dyn Plugin> = match rest.next().as_deref() {
        Some("zookeeper") => Box::new(zookeeper::ZooKeeper::new(rest.collect(), zone)?),
        Some("patterns") => Box::new(patterns::Patterns::new(rest.collect(), zone)?),
        _ => return Err(usage()),
    };
    let mut gate = LogGate {
        stale: given.number("stale")?.saturating_mul(SECOND),
        merge: given.number("merge")?.saturating_mul(SECOND),
        sent: HashMap::new(),
    };
    let mut lines = Follow::open(Path::new(&log))
        .map_err(|error| ToolError::Failed(format!("`{log}` cannot be read: {error}")))?;
    let runtime = client::runtime()?;
    let as_json = given.is_on("json")?;
    let say = |text: &str, json: &dyn Fn() -> Value| {
        if as_json {
            print(&format!("{}\n", json()))
        } else {
            print(&format!("{text}\n"))
        }
    };
    let mut client = match given.is_on("report")? {
        true => {
            let (module, observer) = plugin.observer();
            let client = runtime.block_on(ClientSession::connect(&given, &module, &observer))?;
            if !as_json {
                print("Sleeping 3 seconds to stabilize\n")?;
            }
            std::thread::sleep(STABILIZE);
            Some(client)
        }
        false => None,
    };
    say(&format!("Start monitoring {log}"), &|| json!({"log": log}))?;
    let waits = given.is_on("follow")?;
    while let Some(line) =
        next_line(&mut lines, waits).map_err(|error| ToolError::Failed(format!("`{log}`: {error}")))?
    {
        let Some(event) = plugin.event(&line) else {
            continue;
        };
        if let Some(why) = gate.refuses(&event, now()) {
            say(&why, &|| json!({"skipped": why, "event": event.json()}))?;
            continue;
        }
        let Some(client) = &mut client else {
            say(&event.to_string(), &|| json!({"event": event.json()}))?;
            continue;
        };
        let mut outcome = Ok("");
        for turn in 0..TRIES {
            if turn > 0 {
                std::thread::sleep(PAUSE);
            }
            let metric = (event.context.clone(), event.status, event.score);
            outcome = runtime.block_on(client.send(&event.subject, event.at, vec![metric]));
            if outcome.is_ok() {
                break;
            }
        }
        match outcome {
            Ok(result) => {
                gate.sent(&event);
                say(
                    &format!("{result} report {event}"),
                    &|| json!({"result": result, "event": event.json()}),
                )?;
            }
            Err(error) => complain(&format!("Error in reporting event: {error}")),
        }
    }
    Ok(())
}

/// The next line; waits for it, or gives none at the end of a file that is not waited for.
fn next_line(lines: &mut Follow, waits: bool) -> std::io::Result<Option<String>> {
    loop {
        match lines.poll()? {
            Some(line) => return Ok(Some(line)),
            None if waits => std::thread::sleep(LOOK),
            None => return Ok(lines.rest()),
        }
    }
}

fn zone(name: &str) -> Result<TimeZone, ToolError> {
    match name {
        "" => Ok(TimeZone::system()),
        name => TimeZone::get(name).map_err(|_| ToolError::Usage(format!("`{name}` is no time zone"))),
    }
}

/// What tells the same event from another: subject, context, status, whole score.
type LogKind = (String, String, Status, i64);

/// Holds back what is too old, and repeats.
struct LogGate {
    stale: i64,
    merge: i64,
    /// When the event was that was sent last, of each kind.
    sent: HashMap<LogKind, i64>,
}

impl LogGate {
    fn kind(event: &Event) -> LogKind {
        (
            event.subject.clone(),
            event.context.clone(),
            event.status,
            event.score as i64,
        )
    }

    fn refuses(&self, event: &Event, now: i64) -> Option<String> {
        if self.stale > 0 && now.saturating_sub(event.at) > self.stale {
            return Some(format!("Skip stale event: {event}"));
        }
        let last = self.sent.get(&Self::kind(event)).filter(|_| self.merge > 0)?;
        let is_repeat = event.at.saturating_sub(*last) < self.merge;
        is_repeat.then(|| format!("report for {} is too frequent, skip", event.subject))
    }

    fn sent(&mut self, event: &Event) {
        if self.merge > 0 {
            // Kinds that are not seen any more would stay for ever.
            let (merge, at) = (self.merge, event.at);
            if self.sent.len() > 10_000 {
                self.sent.retain(|_, last| at.saturating_sub(*last) < merge);
            }
            self.sent.insert(Self::kind(event), event.at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::event::time_of;
    use super::*;

    fn event(second: i64, score: f32) -> Event {
        Event {
            at: second * SECOND,
            observer: "peer@9".to_owned(),
            subject: "peer@6".to_owned(),
            context: "QuorumListener".to_owned(),
            status: Status::Healthy,
            score,
            content: "Received connection request".to_owned(),
        }
    }

    #[test]
    fn old_events_and_repeats_are_held_back() {
        let mut gate = LogGate {
            stale: 300 * SECOND,
            merge: SECOND,
            sent: HashMap::new(),
        };
        let now = 1_000 * SECOND;
        assert!(
            gate.refuses(&event(699, 90.0), now)
                .is_some_and(|why| why.starts_with("Skip stale event: &{1970-"))
        );
        assert_eq!(gate.refuses(&event(700, 90.0), now), None);
        gate.sent(&event(700, 90.0));
        let repeat = gate.refuses(&event(700, 90.5), now);
        assert_eq!(repeat.as_deref(), Some("report for peer@6 is too frequent, skip"));
        assert_eq!(gate.refuses(&event(700, 91.0), now), None);
        assert_eq!(gate.refuses(&event(701, 90.0), now), None);
        gate.stale = 0;
        assert_eq!(gate.refuses(&event(0, 1.0), now), None);
    }

    #[test]
    fn times_are_those_of_the_zone() {
        let at = |zone: &str| {
            time_of(
                "2017-05-26 17:26:04.986",
                "%Y-%m-%d %H:%M:%S%.f",
                &super::zone(zone).expect("a zone"),
            )
        };
        assert_eq!(at("UTC"), Some(1_495_819_564_986_000_000));
        assert_eq!(at("Europe/Berlin"), Some(1_495_812_364_986_000_000));
        assert!(super::zone("Mars/Olympus").is_err());
    }
}
