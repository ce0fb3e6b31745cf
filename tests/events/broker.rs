//! Brokers for the tests of events: librdkafka's stand-in, and one that asks who is there.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::common::redis::free_port;
use crate::common::{python, wait_for};

/// A script that says one line when it is ready, then a line a message. Ended when dropped.
struct BrokerScript {
    child: Child,
    input: Option<ChildStdin>,
    lines: Arc<Mutex<Vec<String>>>,
}

impl BrokerScript {
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        // Ends with the child.
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        Self {
            input: child.stdin.take(),
            child,
            lines,
        }
    }

    fn first_line(&self) -> String {
        wait_for("the broker to be ready", || {
            self.lines.lock().unwrap().first().cloned()
        })
    }

    fn messages(&self) -> Vec<String> {
        self.lines.lock().unwrap().iter().skip(1).cloned().collect()
    }
}

impl Drop for BrokerScript {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/events")
        .join(name)
}

/// A Kafka of one broker as librdkafka has it, with topics of four partitions.
pub(super) struct MockBroker {
    script: BrokerScript,
    pub(super) address: String,
}

/// A message it got.
#[derive(Debug, Clone)]
pub(super) struct BrokerMessage {
    pub(super) topic: String,
    pub(super) partition: u64,
    pub(super) key: String,
    pub(super) id: String,
    pub(super) time: u64,
    pub(super) body: Value,
}

impl MockBroker {
    pub(super) fn start(topics: &[&str]) -> Self {
        let python = python::environment("kafka", "import confluent_kafka", &["confluent-kafka"]);
        let script = BrokerScript::start(Command::new(python).arg(script("broker.py")).args(topics));
        let address = script.first_line();
        Self { script, address }
    }

    /// Writes a message, compressed in that way.
    pub(super) fn produce(&mut self, topic: &str, compression: &str, value: &str) {
        let input = self.script.input.as_mut().unwrap();
        writeln!(input, "PRODUCE {topic} {compression} {value}").unwrap();
    }

    pub(super) fn messages(&self) -> Vec<BrokerMessage> {
        let of = |line: String| {
            let told: Value = serde_json::from_str(&line).unwrap();
            let text = |name: &str| told[name].as_str().unwrap().to_owned();
            BrokerMessage {
                topic: text("topic"),
                partition: told["partition"].as_u64().unwrap(),
                key: text("key"),
                id: text("id"),
                time: told["time"].as_u64().unwrap(),
                body: told["body"].clone(),
            }
        };
        self.script.messages().into_iter().map(of).collect()
    }
}

/// A broker that asks who is there, or speaks TLS alone, and takes no message beyond a size. It can end and begin again at
/// the same address.
pub(crate) struct GuardedBroker {
    script: Option<BrokerScript>,
    pub(crate) port: u16,
    arguments: Vec<String>,
    before: Vec<String>,
}

/// Largest request it takes, bytes.
pub(crate) const LARGEST: usize = 100_000;

impl GuardedBroker {
    /// One that is not there yet.
    pub(crate) fn planned(mechanism: &str, user: &str, password: &str, tls: bool) -> Self {
        let mut arguments: Vec<String> = [mechanism, user, password, &LARGEST.to_string()]
            .map(str::to_owned)
            .into();
        if tls {
            let file = |name: &str| script("../store/tls").join(name).display().to_string();
            arguments.extend([file("server.pem"), file("server.key")]);
        }
        Self {
            script: None,
            port: free_port(),
            arguments,
            before: Vec::new(),
        }
    }

    pub(crate) fn begin(&mut self) {
        let mut command = Command::new("python3");
        command
            .arg(script("guarded.py"))
            .arg(self.port.to_string())
            .args(&self.arguments);
        let script = BrokerScript::start(&mut command);
        assert_eq!(script.first_line(), "ready");
        self.script = Some(script);
    }

    pub(crate) fn end(&mut self) {
        self.before.extend(
            self.script
                .take()
                .map(|script| script.messages())
                .unwrap_or_default(),
        );
    }

    /// Key and body of what it got in all its lives.
    pub(crate) fn messages(&self) -> Vec<(String, Value)> {
        let now = self
            .script
            .as_ref()
            .map(BrokerScript::messages)
            .unwrap_or_default();
        let of = |line: &String| {
            let (key, body) = line.split_once(' ').unwrap();
            (key.to_owned(), serde_json::from_str(body).unwrap())
        };
        self.before.iter().chain(&now).map(of).collect()
    }
}
