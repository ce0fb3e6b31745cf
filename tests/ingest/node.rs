//! The binary with nothing but its ingest, on ports that stay the same over restarts.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use redis::Commands as _;
use skywatch::ingest::client::{Client, Protocol};
use skywatch::status::{IngestStatus, StatusFile};
use skywatch::store::codec;
use skywatch_algorithms::Series;

use crate::common::redis::{RedisServer, free_port};
use crate::common::skywatch::{Setup, Skywatch, signal};
use crate::common::{PATIENCE, wait_for};

/// Every protocol with its setting.
pub(crate) const PROTOCOLS: [(Protocol, &str); 5] = [
    (Protocol::Carbon, "carbon_listen"),
    (Protocol::CarbonUdp, "carbon_udp_listen"),
    (Protocol::Pickle, "pickle_listen"),
    (Protocol::Msgpack, "msgpack_listen"),
    (Protocol::RemoteWrite, "remote_write_listen"),
];

pub(crate) struct Node {
    setup: Setup,
    ports: [u16; PROTOCOLS.len()],
    running: Option<Skywatch>,
    /// Runs started.
    runs: usize,
    /// What the runs that have ended had logged.
    past: String,
    /// Counters of the runs that have ended, added up.
    ended: BTreeMap<String, u64>,
}

impl Node {
    /// In front of `redis`, with these options of `[ingest]`, running.
    pub(crate) fn start(redis: &RedisServer, options: &[(&str, &str)]) -> Self {
        Self::start_after(redis, "", options)
    }

    /// The same, after a shell has done something to itself.
    pub(crate) fn start_after(redis: &RedisServer, before: &str, options: &[(&str, &str)]) -> Self {
        Self::start_from(Setup::new().on(redis).after(before), options)
    }

    /// The same with further settings.
    pub(crate) fn start_from(setup: Setup, options: &[(&str, &str)]) -> Self {
        let mut setup = setup
            .with("analyzer.enabled", "false")
            .with("web.enabled", "false")
            .with("process.restart_backoff", "100ms")
            .without("ingest.max_age")
            .without("ingest.max_future")
            .without("ingest.trim");
        let ports = PROTOCOLS.map(|_| free_port());
        for ((_, setting), port) in PROTOCOLS.iter().zip(ports) {
            setup = setup.with(&format!("ingest.{setting}"), &format!("127.0.0.1:{port}"));
        }
        for (option, value) in options {
            setup = setup.with(&format!("ingest.{option}"), value);
        }
        let mut node = Self {
            setup,
            ports,
            running: None,
            runs: 0,
            past: String::new(),
            ended: BTreeMap::new(),
        };
        node.start_again();
        node
    }

    /// Starts it once more; returns when it listens on all ports.
    pub(crate) fn start_again(&mut self) {
        assert!(self.running.is_none(), "it runs");
        self.running = Some(self.setup.start(&["run"]));
        self.runs += 1;
        self.wait_until_it_listens();
    }

    /// Waits until as many runs, the parent's own restarts included, have bound their ports.
    pub(crate) fn wait_until_it_listens(&self) {
        let wanted = self.runs * PROTOCOLS.len();
        wait_for("all listeners", || {
            (self.log().matches(", storing in ").count() >= wanted).then_some(())
        });
    }

    /// Ends it as a service manager does, and waits; what it had counted is kept.
    pub(crate) fn stop(&mut self) {
        let ended = self.running.take().expect("it runs").stop();
        self.past.push_str(&ended.log);
        for (name, n) in self.status().counters {
            *self.ended.entry(name).or_default() += n;
        }
    }

    /// Kills the ingest child; the parent starts another one.
    pub(crate) fn kill_ingest(&mut self) {
        signal(self.ingest_pid(), "KILL");
        self.runs += 1;
    }

    /// The process id of the ingest child.
    pub(crate) fn ingest_pid(&self) -> u32 {
        let log = self.log();
        let line = log
            .lines()
            .rfind(|line| line.contains("child `ingest` started"))
            .unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// What all runs so far have logged.
    pub(crate) fn log(&self) -> String {
        let present = self.running.as_ref().map(Skywatch::log);
        self.past.clone() + &present.unwrap_or_default()
    }

    /// Waits for a log line that holds `words`.
    pub(crate) fn line(&self, words: &str) -> String {
        wait_for(words, || {
            self.log()
                .lines()
                .find(|line| line.contains(words))
                .map(str::to_owned)
        })
    }

    pub(crate) fn address(&self, protocol: Protocol) -> SocketAddr {
        let index = PROTOCOLS
            .iter()
            .position(|(known, _)| *known == protocol)
            .unwrap();
        SocketAddr::from(([127, 0, 0, 1], self.ports[index]))
    }

    /// A client of one protocol.
    pub(crate) fn client(&self, protocol: Protocol) -> Client {
        Client::new(protocol, self.address(protocol), PATIENCE)
    }

    pub(crate) fn setup(&self) -> &Setup {
        &self.setup
    }

    fn status(&self) -> IngestStatus {
        StatusFile::ingest(&self.setup.path("state"))
            .read()
            .unwrap_or_default()
    }

    /// A counter of the present run.
    pub(crate) fn counter(&self, name: &str) -> u64 {
        self.status()
            .counters
            .iter()
            .find(|(n, _)| n == name)
            .map_or(0, |(_, n)| *n)
    }

    /// Waits until a counter of the present run has reached a number.
    pub(crate) fn wait_for_counter(&self, name: &str, number: u64) {
        wait_for(&format!("{name} to reach {number}"), || {
            (self.counter(name) >= number).then_some(())
        });
        assert_eq!(self.counter(name), number, "{name}:\n{}", self.log());
    }

    /// A counter over all runs that have ended by themselves.
    pub(crate) fn total(&self, name: &str) -> u64 {
        self.ended.get(name).copied().unwrap_or(0)
    }

    /// All drops by reason over all runs that have ended by themselves.
    pub(crate) fn drops(&self) -> BTreeMap<String, u64> {
        let drops = self
            .ended
            .iter()
            .filter_map(|(name, n)| Some((name.strip_prefix("dropped.")?, *n)));
        drops
            .filter(|(_, n)| *n > 0)
            .map(|(reason, n)| (reason.to_owned(), n))
            .collect()
    }
}

/// Everything stored, metric by metric, in canonical order without duplicates.
pub(crate) fn stored(redis: &RedisServer) -> BTreeMap<String, Vec<(f64, f64)>> {
    let mut connection = redis.connection();
    let members: Vec<String> = connection.smembers("metrics.unique_metrics").unwrap();
    let mut all = BTreeMap::new();
    for key in members {
        let stream: Vec<u8> = connection.get(&key).unwrap();
        let mut series = Series::default();
        codec::decode(&stream, &mut series).unwrap();
        series.canonicalise(1e12);
        let points = series
            .times
            .iter()
            .copied()
            .zip(series.values.iter().copied())
            .collect();
        all.insert(key.strip_prefix("metrics.").unwrap().to_owned(), points);
    }
    all
}
