//! `skywatch train`, `models` and `jobs`, as people type them.

use skywatch::store::redis::{RedisConnect, RedisOptions};
use skywatch::store::{Connect as _, Points as _, Sample};
use skywatch_algorithms::random::Random;

use super::moto::Moto;
use crate::common::redis::RedisServer;
use crate::common::series::now;
use crate::common::skywatch::Setup;

/// Short trainings over this store.
fn over(store: &str) -> Setup {
    Setup::new()
        .with("store.url", store)
        .with("training.epochs", "3")
        .with("training.max_families", "3")
}

/// What a command that succeeds prints.
fn good(setup: &Setup, arguments: &[&str]) -> String {
    let ended = setup.run(arguments);
    assert_eq!(ended.code(), 0, "{arguments:?}: {}", ended.log);
    ended.stdout
}

fn card(setup: &Setup, model: &str) -> serde_json::Value {
    serde_json::from_str(&good(setup, &["models", "show", model])).unwrap()
}

/// A day of minutes of some metrics, up to now.
fn fill(server: &RedisServer, metrics: usize) {
    let connect = RedisConnect::new(RedisOptions {
        url: server.socket_url(),
        ..RedisOptions::default()
    })
    .unwrap();
    let mut store = connect.connect().unwrap();
    let now = now();
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
    let (one, two) = (over(&server.socket_url()), over(&server.socket_url()));
    assert!(good(&one, &["models"]).contains("no models"));
    let ended = one.run(&["train"]);
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert!(ended.log.contains("epoch 1 :: loss"), "{}", ended.log);
    good(&two, &["train"]);
    let (first, second) = (card(&one, "families"), card(&two, "families"));
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
    let jobs = good(&one, &["jobs"]);
    assert_eq!(jobs.matches("done").count(), 2, "{jobs}");
    // What is no worse takes its place: the same is no worse.
    good(&one, &["train"]);
    let listed = good(&one, &["models"]);
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert_eq!(listed.matches("serves").count(), 1);
    let back = good(&one, &["models", "rollback", "families"]);
    assert!(back.contains(first["version"].as_str().unwrap()), "{back}");
}

#[test]
fn a_model_of_several_metrics_goes_to_a_bucket() {
    let (server, moto) = (RedisServer::start(), Moto::start());
    fill(&server, 2);
    let node = over(&server.socket_url());
    let key = node.path("key");
    std::fs::write(&key, "secret\n").unwrap();
    let node = node
        .with("models.place", "s3://models/sky")
        .with("models.endpoint", &moto.endpoint())
        .with("models.access_key", "key")
        .with("models.secret_key_file", &key.display().to_string());
    let said = good(&node, &["train", "--model", "web", "--metrics", "web.m0,web.m1"]);
    assert!(said.contains("serves"), "{said}");
    let card = card(&node, "web");
    assert_eq!(card["columns"], serde_json::json!(["web.m0", "web.m1"]));
    assert_eq!(card["window"], 32);
    assert!(!node.path("state/models").exists());
    let ended = node.run(&["train", "--model", "web", "--metrics", "web.m0,web.gone"]);
    assert_ne!(ended.code(), 0);
    assert!(
        ended.log.contains("there is no metric `web.gone`"),
        "{}",
        ended.log
    );
}

#[test]
fn with_the_embedded_store_the_queue_is_a_file() {
    let node = over("embedded");
    let ended = node.run(&["train"]);
    assert_ne!(ended.code(), 0);
    assert!(ended.log.contains("has enough history"), "{}", ended.log);
    let jobs = good(&node, &["jobs"]);
    assert!(jobs.contains("waiting"), "{jobs}");
    let id = good(&node, &["train", "--enqueue"]);
    assert!(good(&node, &["jobs", "--json"]).contains(id.trim()));
    let refused = node.run(&["train", "--model", "../x", "--metrics", "a"]);
    assert!(refused.log.contains("is no name for a model"), "{}", refused.log);
}
