//! `skywatch train`, `models` and `jobs`, as people type them.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{SystemTime, UNIX_EPOCH};

use skywatch::store::redis::{RedisConnect, RedisOptions};
use skywatch::store::{Connect as _, Points as _, Sample};
use skywatch_algorithms::random::Random;

use super::moto::Moto;
use crate::common::redis::RedisServer;

struct Node {
    folder: tempfile::TempDir,
    store: String,
    more: Vec<String>,
}

impl Node {
    fn new(store: &str) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            store: store.to_owned(),
            more: Vec::new(),
        }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_skywatch"))
            .args(arguments)
            .args([
                "--store",
                &self.store,
                "--set",
                "training.epochs=3",
                "--set",
                "training.max_families=3",
            ])
            .args(&self.more)
            .arg("--state-dir")
            .arg(self.folder.path().join("state"))
            .env_clear()
            .env("HOME", self.folder.path())
            .output()
            .unwrap()
    }

    fn good(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{arguments:?}: {said}");
        String::from_utf8_lossy(&ended.stdout).into_owned()
    }

    fn card(&self, model: &str) -> serde_json::Value {
        serde_json::from_str(&self.good(&["models", "show", model])).unwrap()
    }
}

/// A day of minutes of some metrics, up to now.
fn fill(server: &RedisServer, metrics: usize) {
    let connect = RedisConnect::new(RedisOptions {
        url: server.socket_url(),
        ..RedisOptions::default()
    })
    .unwrap();
    let mut store = connect.connect().unwrap();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64()
        .floor();
    for metric in 0..metrics {
        let mut random = Random::new(metric as u64);
        let name = format!("web.m{metric}");
        let mut level = 0.0;
        let samples: Vec<Sample<'_>> = (0..1_400)
            .map(|n| {
                let time = now - 60.0 * f64::from(1_400 - n);
                level = 0.9 * level + random.normal();
                let wave = (std::f64::consts::TAU * time / 86_400.0).sin();
                let value = if metric % 2 == 0 {
                    100.0 + 20.0 * wave + random.normal()
                } else {
                    50.0 + level
                };
                Sample {
                    metric: &name,
                    time,
                    value,
                }
            })
            .collect();
        store.append(&samples).unwrap();
    }
}

#[test]
fn training_over_redis_repeats_to_the_bit_and_says_what_it_did() {
    let server = RedisServer::start();
    fill(&server, 12);
    let (one, two) = (Node::new(&server.socket_url()), Node::new(&server.socket_url()));
    assert!(one.good(&["models"]).contains("no models"));
    let ended = one.run(&["train"]);
    let log = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "{log}");
    assert!(log.contains("epoch 1 :: loss"), "{log}");
    two.good(&["train"]);
    let (first, second) = (one.card("families"), two.card("families"));
    assert_eq!(first["sha256"], second["sha256"], "two processes, one seed");
    assert_eq!(first["seed"], 42);
    assert!(first["cpu"].as_array().unwrap().len() > 1 || !cfg!(target_arch = "x86_64"));
    let metrics: usize = first["metrics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|family| family.as_array().unwrap().len())
        .sum();
    assert_eq!(metrics, 12);
    assert!(!first["fits"][0]["epochs"].as_array().unwrap().is_empty());
    let jobs = one.good(&["jobs"]);
    assert_eq!(jobs.matches("done").count(), 2, "{jobs}");
    // What is no worse takes its place: the same is no worse.
    one.good(&["train"]);
    let listed = one.good(&["models"]);
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert_eq!(listed.matches("serves").count(), 1);
    let back = one.good(&["models", "rollback", "families"]);
    assert!(back.contains(first["version"].as_str().unwrap()), "{back}");
}

#[test]
fn a_model_of_several_metrics_goes_to_a_bucket() {
    let (server, moto) = (RedisServer::start(), Moto::start());
    fill(&server, 2);
    let mut node = Node::new(&server.socket_url());
    let key = node.folder.path().join("key");
    std::fs::write(&key, "secret\n").unwrap();
    for (name, value) in [
        ("models.place", "s3://models/sky"),
        ("models.endpoint", &moto.endpoint()),
        ("models.access_key", "key"),
        ("models.secret_key_file", &key.display().to_string()),
    ] {
        node.more.extend(["--set".to_owned(), format!("{name}={value}")]);
    }
    let said = node.good(&["train", "--model", "web", "--metrics", "web.m0,web.m1"]);
    assert!(said.contains("serves"), "{said}");
    let card = node.card("web");
    assert_eq!(card["columns"], serde_json::json!(["web.m0", "web.m1"]));
    assert_eq!(card["window"], 32);
    assert!(!Path::new(&node.folder.path().join("state/models")).exists());
    let ended = node.run(&["train", "--model", "web", "--metrics", "web.m0,web.gone"]);
    let log = String::from_utf8_lossy(&ended.stderr);
    assert!(
        !ended.status.success() && log.contains("there is no metric `web.gone`"),
        "{log}"
    );
}

#[test]
fn with_the_embedded_store_the_queue_is_a_file() {
    let node = Node::new("embedded");
    let ended = node.run(&["train"]);
    let log = String::from_utf8_lossy(&ended.stderr);
    assert!(
        !ended.status.success() && log.contains("has enough history"),
        "{log}"
    );
    let jobs = node.good(&["jobs"]);
    assert!(jobs.contains("waiting"), "{jobs}");
    let id = node.good(&["train", "--enqueue"]);
    assert!(node.good(&["jobs", "--json"]).contains(id.trim()));
    let refused = node.run(&["train", "--model", "../x", "--metrics", "a"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is no name for a model"));
}
