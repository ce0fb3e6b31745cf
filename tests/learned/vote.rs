//! The learned vote in the process that judges, over both stores.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use skywatch_algorithms::random::Random;

use crate::common::redis::RedisServer;
use crate::common::skywatch::{Setup, Skywatch};

/// Two days of minutes of some metrics, up to now; the last point of the first one is far out.
fn lines(metrics: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut lines = String::new();
    for metric in 0..metrics {
        let mut random = Random::new(metric);
        for age in (0..2_800).rev() {
            let time = now - 60 * age;
            let wave = (std::f64::consts::TAU * time as f64 / 86_400.0).sin();
            let odd = if (metric, age) == (0, 0) { 500.0 } else { 0.0 };
            let value = 100.0 + 20.0 * wave + random.normal() + odd;
            writeln!(lines, "web.m{metric} {value:.3} {time}").unwrap();
        }
    }
    lines
}

fn setup() -> Setup {
    Setup::new()
        .with("store.full_duration", "48h")
        .with("training.epochs", "3")
        .with("training.max_families", "2")
        .with("adaptive.learned", "true")
}

/// What a metric's explanation says the learned part came to, if there is one.
fn learned_part(setup: &Setup, metric: &str) -> Option<f64> {
    let ended = setup.run(&["explain", metric, "--json"]);
    assert_eq!(ended.code(), 0, "{}", ended.log);
    let answer: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let text = answer.to_string();
    let votes = find_votes(&answer).unwrap_or_else(|| panic!("no votes in {text}"));
    let part = votes.iter().find(|vote| vote["detector"] == "learned");
    part.map(|vote| vote["measured"].as_f64().unwrap())
}

/// The votes, wherever in the answer they stand.
fn find_votes(value: &serde_json::Value) -> Option<&Vec<serde_json::Value>> {
    match value {
        serde_json::Value::Object(fields) => match fields.get("votes").and_then(|votes| votes.as_array()) {
            Some(votes) => Some(votes),
            None => fields.values().find_map(find_votes),
        },
        serde_json::Value::Array(items) => items.iter().find_map(find_votes),
        _ => None,
    }
}

#[test]
fn a_model_votes_on_what_it_knows_and_says_that_it_does() {
    let redis = RedisServer::start();
    let setup = setup().on(&redis);
    setup.take_in(&lines(4));
    let trained = setup.run(&["train"]);
    assert_eq!(trained.code(), 0, "{}", trained.log);
    // One that came after the model.
    setup.take_in(
        &lines(5)
            .lines()
            .skip(4 * 2_800)
            .fold(String::new(), |all, line| all + line + "\n"),
    );
    let (summaries, ended) = setup.run_passes(1);
    ended.line("learned vote :: version ");
    assert!(ended.log.contains("knows 4 metrics"), "{}", ended.log);
    assert_eq!(summaries[0]["warming"], 0);
    let part = learned_part(&setup, "web.m0");
    assert!(
        part.is_some_and(|score| score > 1.0),
        "{part:?} for 600 where 100 was expected"
    );
    assert_eq!(learned_part(&setup, "web.m4"), None, "nobody was asked about it");
}

#[test]
fn a_model_that_comes_later_serves_without_a_restart() {
    let redis = RedisServer::start();
    let setup = setup().on(&redis);
    setup.take_in(&lines(3));
    let running: Skywatch = setup.start(&["run"]);
    running.line("watching metrics in ");
    let trained = setup.run(&["train"]);
    assert_eq!(trained.code(), 0, "{}", trained.log);
    let line = running.line("learned vote :: version ");
    assert!(line.contains("knows 3 metrics"), "{line}");
    assert_eq!(running.stop().code(), 0);
}

#[test]
fn the_one_process_over_the_embedded_store_has_its_metrics_learnt_by_a_child() {
    let setup = setup().with("training.enabled", "true");
    setup.take_in(&lines(3));
    let queued = setup.run(&["train", "--enqueue"]);
    assert_eq!(queued.code(), 0, "{}", queued.log);
    let running: Skywatch = setup.start(&["run"]);
    let line = running.line("learned vote :: version ");
    assert!(line.contains("knows 3 metrics"), "{line}");
    let ended = running.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    let models = setup.run(&["models"]);
    assert!(models.stdout.contains("3 metrics in"), "{}", models.stdout);
    let jobs = setup.run(&["jobs"]);
    assert!(jobs.stdout.contains("done"), "{}", jobs.stdout);
}
