//! A Redis with metrics that turn bad and well on request, and the binary over it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;
use skywatch::store::codec;

use crate::common::redis::RedisServer;
use crate::common::series::{loud, now, quiet};
use crate::common::skywatch::{Ended, Setup, Skywatch};

/// Points of a window when it is first stored; the least that is judged is 100.
const POINTS: usize = 120;
/// Seconds between two points.
const STEP: f64 = 10.0;
/// Points added when a metric turns well: enough for the last three, which detectors look at, to be quiet for longer
/// than `alerts.resolve_after`.
const WELL: usize = 6;
/// Age of the last point of a window when it is first stored, seconds: room for points to come.
const ROOM: f64 = 200.0;

/// The metrics in a Redis.
pub(crate) struct Metrics {
    connection: redis::Connection,
    /// Time of each one's last point, and how far outside it was the last time it was bad.
    ends: BTreeMap<String, (f64, f64)>,
}

impl Metrics {
    pub(crate) fn of(redis: &RedisServer) -> Self {
        Self {
            connection: redis.connection(),
            ends: BTreeMap::new(),
        }
    }

    /// From here on points go to another server, which has those of before.
    pub(crate) fn go_on_at(&mut self, redis: &RedisServer) {
        self.connection = redis.connection();
    }

    /// Metrics that end on three points far outside: new ones, or ones that were well. Those are further outside than
    /// the last time, which is in the window still.
    pub(crate) fn bad<S: AsRef<str>>(&mut self, names: &[S]) {
        self.append(names, &loud(POINTS), |outside| {
            *outside *= 10.0;
            vec![*outside; 3]
        });
    }

    /// Metrics whose last points are as they should be: new ones, or ones that were bad.
    pub(crate) fn well<S: AsRef<str>>(&mut self, names: &[S]) {
        self.append(names, &quiet(POINTS), |_| quiet(WELL));
    }

    /// Metrics that are there no longer.
    pub(crate) fn delete(&mut self, names: &[&str]) {
        for name in names {
            let key = format!("metrics.{name}");
            redis::pipe()
                .srem("metrics.unique_metrics", &key)
                .ignore()
                .del(&key)
                .ignore()
                .exec(&mut self.connection)
                .unwrap();
            self.ends.remove(*name);
        }
    }

    /// Appends `more` to those that are known, and begins the others with `first`.
    fn append<S: AsRef<str>>(&mut self, names: &[S], first: &[f64], more: impl Fn(&mut f64) -> Vec<f64>) {
        let begin = now() - ROOM;
        for chunk in names.chunks(500) {
            let mut pipe = redis::pipe();
            for name in chunk {
                let name = name.as_ref();
                let (values, end) = match self.ends.get_mut(name) {
                    Some((end, outside)) => {
                        let more = more(outside);
                        *end += STEP * more.len() as f64;
                        (more, *end)
                    }
                    None => {
                        self.ends.insert(name.to_owned(), (begin, 500.0));
                        (first.to_vec(), begin)
                    }
                };
                let mut stream = Vec::with_capacity(values.len() * 15);
                for (index, value) in values.iter().enumerate() {
                    let time = end - STEP * (values.len() - 1 - index) as f64;
                    codec::encode(time, *value, &mut stream);
                }
                let key = format!("metrics.{name}");
                pipe.append(&key, stream)
                    .ignore()
                    .sadd("metrics.unique_metrics", key)
                    .ignore();
            }
            pipe.exec(&mut self.connection).unwrap();
        }
    }

    /// Stores a metric whose points are as they should be, the last of them so many seconds ago.
    pub(crate) fn silent_for(&mut self, name: &str, age: f64) {
        self.ends.insert(name.to_owned(), (now() - age, 500.0));
        let values = quiet(POINTS);
        let mut stream = Vec::new();
        for (index, value) in values.iter().enumerate() {
            let time = now() - age - STEP * (values.len() - 1 - index) as f64;
            codec::encode(time, *value, &mut stream);
        }
        let key = format!("metrics.{name}");
        redis::pipe()
            .set(&key, stream)
            .ignore()
            .sadd("metrics.unique_metrics", key)
            .ignore()
            .exec(&mut self.connection)
            .unwrap();
    }
}

/// The settings of one test, with receivers and routes in a file.
pub(crate) struct World {
    setup: Setup,
    config: PathBuf,
}

impl World {
    /// Over this Redis, with short passes, quick recoveries and this much of a settings file.
    pub(crate) fn over(redis: &RedisServer, config: &str) -> Self {
        let setup = Setup::new()
            .on(redis)
            .with("ingest.enabled", "false")
            .with("web.enabled", "false")
            // What is bad or well is so by tests that learn nothing.
            .with("analyzer.profile", "skyline")
            .with("analyzer.optimum_run_duration", "500ms")
            .with("alerts.resolve_after", "20s")
            .with("alerts.cooldown", "0s")
            .with("alerts.group_interval", "0s")
            .with("alerts.group_depth", "9");
        let file = setup.path("skywatch.toml");
        std::fs::write(&file, config).unwrap();
        Self { setup, config: file }
    }

    /// With one setting more, which wins over the file.
    pub(crate) fn with(self, key: &str, value: &str) -> Self {
        Self {
            setup: self.setup.with(key, value),
            config: self.config,
        }
    }

    /// The settings beside the file.
    pub(crate) fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Other receivers and routes from the next start on.
    pub(crate) fn rewrite(&self, config: &str) {
        std::fs::write(&self.config, config).unwrap();
    }

    /// A path in the test's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.setup.path(name)
    }

    /// The binary with further arguments.
    pub(crate) fn command(&self, arguments: &[&str]) -> std::process::Command {
        let config = self.config.display().to_string();
        self.setup.command(&[&["--config", &config], arguments].concat())
    }

    /// The binary as somebody runs it who knows nothing of this world but the machine and the user.
    pub(crate) fn stranger(&self, arguments: &[&str]) -> Ended {
        Skywatch::spawn(&mut self.setup.bare_command(arguments)).wait()
    }

    /// The same with one thing more in its environment.
    pub(crate) fn stranger_with(&self, name: &str, value: &std::path::Path, arguments: &[&str]) -> Ended {
        Skywatch::spawn(self.setup.bare_command(arguments).env(name, value)).wait()
    }

    /// Starts the watch, with a summary line a pass in `summary.jsonl`; everything is one process, so that its id is that
    /// of all its parts.
    pub(crate) fn start(&self) -> Skywatch {
        let summary = self.path("summary.jsonl").display().to_string();
        Skywatch::spawn(&mut self.command(&["run", "--single-process", "--summary", &summary]))
    }

    /// Runs a command to its end.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Ended {
        Skywatch::spawn(&mut self.command(arguments)).wait()
    }

    /// What a command that succeeds prints.
    pub(crate) fn told(&self, arguments: &[&str]) -> String {
        let ended = self.ask(arguments);
        assert_eq!(ended.code(), 0, "{arguments:?}: {}{}", ended.stdout, ended.log);
        ended.stdout
    }

    /// What a command that succeeds prints as JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let told = self.told(&[arguments, &["--json"]].concat());
        serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error} in {told}"))
    }

    /// Every incident there ever was, oldest first.
    pub(crate) fn incidents(&self) -> Vec<Value> {
        let reply = self.json(&["incidents", "--all", "--limit", "100000"]);
        let mut incidents = reply["incidents"].as_array().unwrap().clone();
        incidents.sort_by_key(|incident| incident["id"].as_u64());
        incidents
    }

    /// A look into the history file while nobody, or somebody else, writes it.
    pub(crate) fn history(&self) -> rusqlite::Connection {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        rusqlite::Connection::open_with_flags(self.path("state/history.sqlite"), flags).unwrap()
    }

    /// A number out of the history.
    pub(crate) fn count(&self, sql: &str) -> usize {
        let count: i64 = self.history().query_row(sql, [], |row| row.get(0)).unwrap();
        usize::try_from(count).unwrap()
    }
}
