//! Logs of ZooKeeper, with and without the column `[myid:N]`.
//!
//! A line is `TIME [myid:N] - LEVEL [TAG:CLASS@LINE] - CONTENT`. The tag tells the subject: `CONTEXT:ID` is about the server
//! with that id, `CONTEXT/IP:PORT` about the one at that address, and all others about the server that writes the log.

use std::collections::BTreeMap;
use std::net::{IpAddr, ToSocketAddrs as _};

use jiff::tz::TimeZone;
use regex::Regex;

use super::event::{Event, Plugin, time_of};
use super::filter::LogFilter;
use crate::health::tools::flags::{self, Flag, value};
use crate::health::tools::terminal::{ToolError, complain};

const FLAGS: &[Flag] = &[
    value(
        "ensemble",
        "conf/zoo.cfg",
        "ZooKeeper's configuration, with a line server.N=host:… each server",
    ),
    value(
        "myid",
        "conf/zoo_myid",
        "file with the number of the server that writes the log",
    ),
    value("filter", "conf/zoo_filter.json", "which lines are events"),
];
const USAGE: &str = "hview-logtail [options] zookeeper [-ensemble FILE] [-myid FILE] [-filter FILE]";
const MODULE: &str = "ZooKeeper";
const LINE: &str = r"^(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.,]\d{3}) (?:\[myid:(?P<id>\d*)\] )?- (?P<level>[A-Z]+) +\[(?P<tag>.*?):(?P<class>[^\s\[\]:]+)@(?P<line>\d+)\] - (?P<content>.*)$";
const TAG: &str = r"^(?P<context>[^/]*?)[-:]?/(?P<ip>(?:\d+\.){3}\d+|(?:0:){7}\d):(?P<port>\d+)$|^(?P<of>[^:/]+):(?P<server>\d+)$";

/// The plugin.
pub(super) struct ZooKeeper {
    /// Servers by address.
    servers: BTreeMap<IpAddr, String>,
    own: String,
    filter: LogFilter,
    zone: TimeZone,
    line: Regex,
    tag: Regex,
}

impl ZooKeeper {
    pub(super) fn new(arguments: Vec<String>, zone: TimeZone) -> Result<Self, ToolError> {
        let given = flags::parse(FLAGS, USAGE, arguments)?;
        let read = |name: &str| {
            let file = given.text(name);
            std::fs::read_to_string(file)
                .map_err(|error| ToolError::Usage(format!("`{file}` cannot be read: {error}")))
        };
        Self::of(&read("ensemble")?, &read("myid")?, &read("filter")?, zone)
    }

    fn of(ensemble: &str, myid: &str, filter: &str, zone: TimeZone) -> Result<Self, ToolError> {
        let mut servers = BTreeMap::new();
        for line in ensemble
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with('#'))
        {
            let Some((number, host)) = line.strip_prefix("server.").and_then(|rest| rest.split_once('='))
            else {
                continue;
            };
            let host = host.split(':').next().unwrap_or_default().trim();
            match (host, 0).to_socket_addrs() {
                Ok(found) => servers.extend(found.map(|address| (address.ip(), peer(number.trim())))),
                Err(error) => complain(&format!("server `{host}` has no address: {error}")),
            }
        }
        let compile = |pattern| Regex::new(pattern).map_err(ToolError::failed);
        Ok(Self {
            servers,
            own: peer(myid.trim()),
            filter: LogFilter::parse(filter)?,
            zone,
            line: compile(LINE)?,
            tag: compile(TAG)?,
        })
    }

    /// The server at an address: itself where the address is none.
    fn at(&self, ip: &str) -> Option<String> {
        let address: IpAddr = ip.parse().ok()?;
        if address.is_unspecified() || ip.starts_with("0:0:0:0:0:0:0:") {
            return Some(self.own.clone());
        }
        self.servers.get(&address).cloned()
    }
}

fn peer(number: &str) -> String {
    format!("peer@{number}")
}

impl Plugin for ZooKeeper {
    fn observer(&self) -> (String, String) {
        (MODULE.to_owned(), self.own.clone())
    }

    fn event(&mut self, line: &str) -> Option<Event> {
        let parts = self.line.captures(line)?;
        let part = |name: &str| parts.name(name).map_or("", |part| part.as_str());
        if part("level") == "DEBUG" {
            return None;
        }
        let tag = part("tag");
        let (context, subject) = match self.tag.captures(tag) {
            None => (tag, self.own.clone()),
            Some(found) => match found.name("server") {
                Some(server) => (
                    found.name("of").map_or(tag, |of| of.as_str()),
                    peer(server.as_str()),
                ),
                None => {
                    let context = found.name("context").map_or("", |context| context.as_str());
                    let Some(server) = self.at(&found["ip"]) else {
                        complain(&format!("ignore communication related log: {line}"));
                        return None;
                    };
                    (context, server)
                }
            },
        };
        let fields =
            ["time", "id", "level", "tag", "class", "line", "content"].map(|name| (name, part(name)));
        let tags = [("tag_context", context), ("tag_subject", &*subject)];
        let found = self.filter.find(&fields.into_iter().chain(tags).collect())?;
        let named = |name: String, own: &str| if name.is_empty() { own.to_owned() } else { name };
        let subject = match self.at(found.subject.trim_start_matches('/')) {
            Some(server) => server,
            None => named(found.subject, &subject),
        };
        Some(Event {
            at: time_of(
                &part("time").replace(',', "."),
                "%Y-%m-%d %H:%M:%S%.f",
                &self.zone,
            )?,
            observer: self.own.clone(),
            subject,
            context: named(found.context, context),
            status: found.status,
            score: found.score,
            content: part("content").to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use skywatch_algorithms::verdicts::Status;

    use super::*;

    const FILTER: &str = r#"{"FilterTree": [
        {"Chain": [{"Field": "tag_context", "Operator": "(-", "Pattern": "['RecvWorker', 'SendWorker']"}],
         "Classifier": {"Context": "", "Subject": "", "Status": "maybe_unhealthy", "Score": "50"}},
        {"Chain": [
            {"Field": "class", "Operator": "==", "Pattern": "QuorumCnxManager$Listener"},
            {"Field": "content", "Operator": "~", "Pattern": "Received connection request /(?P<host>[\\d.]+)", "CaptureResult": true}],
         "Classifier": {"Context": "QuorumListener", "Subject": "<content_host>", "Status": "healthy", "Score": "90"}},
        {"Chain": [{"Field": "tag", "Operator": "~", "Pattern": "^Snapshot"}],
         "Classifier": {"Context": "Snapshot", "Subject": "", "Status": "unhealthy", "Score": "20"}}]}"#;

    fn plugin() -> ZooKeeper {
        let ensemble =
            "# servers\ntickTime=2000\nserver.6=10.10.34.11:2888:3888\nserver.9=10.10.34.12:2888:3888\n";
        ZooKeeper::of(ensemble, "9\n", FILTER, TimeZone::UTC).expect("a plugin")
    }

    #[test]
    fn both_layouts_are_read() {
        let mut plugin = plugin();
        let mut events = |line: &str| plugin.event(line).map(|event| event.to_string());
        for (column, time) in [
            ("", "2015-07-29 19:04:12,394"),
            ("[myid:9] ", "2015-07-29 19:04:12.394"),
        ] {
            let line = format!(
                "{time} {column}- INFO  [/10.10.34.12:3888:QuorumCnxManager$Listener@493] - Received connection request /10.10.34.11:45307"
            );
            assert_eq!(
                events(&line).as_deref(),
                Some(
                    "&{2015-07-29 19:04:12.394 +0000 UTC peer@9 peer@6 QuorumListener HEALTHY 90 \
                     Received connection request /10.10.34.11:45307}"
                )
            );
        }
        let worker = "2015-07-29 19:04:29,071 - WARN  [SendWorker:188978561024:QuorumCnxManager$SendWorker@688] - Send worker leaving thread";
        assert!(events(worker).is_some_and(|event| event.contains("peer@9 peer@188978561024 SendWorker MAYBE_UNHEALTHY 50")));
        let snapshot =
            "2017-05-26 17:26:04,986 [myid:9] - INFO  [Snapshot Thread:FileTxnSnapLog@240] - Snapshotting";
        assert!(events(snapshot).is_some_and(|event| event.contains("peer@9 peer@9 Snapshot UNHEALTHY 20")));
        for none in [
            "2017-05-26 17:26:04,986 [myid:9] - DEBUG [Snapshot Thread:FileTxnSnapLog@240] - Snapshotting",
            "2015-07-29 19:04:12,394 - INFO  [/10.9.9.9:3888:QuorumCnxManager$Listener@493] - Received connection request /10.10.34.11:1",
            "no line of a log",
            "",
        ] {
            assert_eq!(events(none), None, "{none}");
        }
        let own = "2015-07-29 19:04:12,394 - INFO  [RecvWorker/0.0.0.0:3888:X@1] - x";
        let event = plugin.event(own).expect("an event");
        assert_eq!(
            (&*event.subject, &*event.context, event.status),
            ("peer@9", "RecvWorker", Status::MaybeUnhealthy)
        );
    }
}
