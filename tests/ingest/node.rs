//! The binary with nothing but its ingest, on ports that stay the same over restarts.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::Commands as _;
use skywatch::ingest::client::{Client, Protocol};
use skywatch::status::{IngestStatus, StatusFile};
use skywatch::store::codec;
use skywatch_algorithms::Series;
use tempfile::TempDir;

use crate::common::redis::{RedisServer, free_port};

/// Longest wait for anything that should happen soon.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Every protocol with its setting.
pub(crate) const PROTOCOLS: [(Protocol, &str); 5] = [
    (Protocol::Carbon, "CARBON_LISTEN"),
    (Protocol::CarbonUdp, "CARBON_UDP_LISTEN"),
    (Protocol::Pickle, "PICKLE_LISTEN"),
    (Protocol::Msgpack, "MSGPACK_LISTEN"),
    (Protocol::RemoteWrite, "REMOTE_WRITE_LISTEN"),
];

/// Looks until there is something to see, or fails saying `what` did not come.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let limit = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < limit, "waited {PATIENCE:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Unix seconds, whole.
pub(crate) fn now() -> f64 {
    skywatch::clock::unix_now().floor()
}

pub(crate) struct Node {
    folder: TempDir,
    environment: BTreeMap<String, String>,
    ports: [u16; PROTOCOLS.len()],
    /// What a shell does before it becomes the binary; empty for nothing.
    before: String,
    child: Option<Child>,
    /// Runs started.
    runs: usize,
    /// Counters of the runs that have ended, added up.
    ended: BTreeMap<String, u64>,
}

impl Node {
    /// In front of `redis`, with these options of `[ingest]`, running.
    pub(crate) fn start(redis: &RedisServer, options: &[(&str, &str)]) -> Self {
        Self::start_after(redis, "", options)
    }

    /// The same, where no process may open more than so many files.
    pub(crate) fn start_with_files(redis: &RedisServer, files: usize, options: &[(&str, &str)]) -> Self {
        Self::start_after(redis, &format!("ulimit -n {files}"), options)
    }

    /// The same, after a shell has done something to itself.
    pub(crate) fn start_after(redis: &RedisServer, before: &str, options: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("skywatch-ingest-")
            .tempdir()
            .unwrap();
        let mut node = Self {
            environment: BTreeMap::from([
                ("SKYWATCH__STORE__URL".to_owned(), redis.socket_url()),
                ("SKYWATCH__ANALYZER__ENABLED".to_owned(), "false".to_owned()),
                ("SKYWATCH__WEB__ENABLED".to_owned(), "false".to_owned()),
                (
                    "SKYWATCH__PROCESS__RESTART_BACKOFF".to_owned(),
                    "100ms".to_owned(),
                ),
                (
                    "SKYWATCH__STATE_DIR".to_owned(),
                    folder.path().join("state").display().to_string(),
                ),
            ]),
            folder,
            ports: [0; PROTOCOLS.len()],
            before: before.to_owned(),
            child: None,
            runs: 0,
            ended: BTreeMap::new(),
        };
        for (index, (_, setting)) in PROTOCOLS.iter().enumerate() {
            node.ports[index] = free_port();
            let address = format!("127.0.0.1:{}", node.ports[index]);
            node.environment
                .insert(format!("SKYWATCH__INGEST__{setting}"), address);
        }
        for (option, value) in options {
            let name = format!("SKYWATCH__INGEST__{}", option.to_uppercase());
            node.environment.insert(name, (*value).to_owned());
        }
        node.start_again();
        node
    }

    /// Starts it once more; returns when it listens on all ports.
    pub(crate) fn start_again(&mut self) {
        assert!(self.child.is_none(), "it runs");
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .unwrap();
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("{}\nexec \"$0\" run", self.before)])
            .arg(env!("CARGO_BIN_EXE_skywatch"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(&self.environment)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        self.child = Some(command.spawn().unwrap());
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
        let mut child = self.child.take().unwrap();
        signal(child.id(), "TERM");
        let begun = Instant::now();
        while child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < PATIENCE, "it does not stop:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
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

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
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

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn status(&self) -> IngestStatus {
        StatusFile::ingest(&self.path("state")).read().unwrap_or_default()
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

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let ingest = self.ingest_pid();
            let _ = child.kill();
            let _ = child.wait();
            let _ = Command::new("kill")
                .args(["-KILL", &ingest.to_string()])
                .stderr(Stdio::null())
                .status();
        }
    }
}

pub(crate) fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status();
    assert!(sent.unwrap().success(), "no process {pid} for SIG{name}");
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
