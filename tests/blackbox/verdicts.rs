//! The whole path, store, window, cache and all, comes to the verdicts that the reference and
//! `skywatch votes` have for the same series.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::redis_world::put;
use crate::common::redis::RedisServer;
use crate::common::series::{Golden, ending_at, golden, now};
use crate::common::skywatch::Setup;
use crate::common::wait_for;

/// Whether a series is stored and read back as it stands, and judged the same at any other time.
fn is_plain(line: &Golden) -> bool {
    let ascending = line.series.windows(2).all(|pair| pair[0].0 < pair[1].0);
    // Never-decreasing series are judged by their rate in the running system, and `ks` needs its clock to the second.
    let counter = line.series.windows(2).all(|pair| pair[0].1 <= pair[1].1);
    let last = line.series.last().map_or(0.0, |last| last.0);
    ascending && !counter && line.category != "ks" && line.now == last && line.fragile.is_empty()
}

#[test]
fn the_running_analyzer_agrees_with_the_reference_and_with_votes() {
    let redis = RedisServer::start();
    let setup = Setup::new()
        .on(&redis)
        .with("analyzer.profile", "skyline")
        .with("ingest.enabled", "false");
    let series: Vec<Golden> = golden().into_iter().filter(is_plain).collect();
    assert!(series.len() > 60, "{} series", series.len());
    let end = now();
    let mut store = redis.connection();
    let mut lines = String::new();
    for line in &series {
        let points = ending_at(&line.series, end);
        put(&mut store, &line.name, &points);
        let question = serde_json::json!({"name": line.name, "now": end, "series": points});
        lines += &format!("{question}\n");
    }

    let running = setup.start(&["run"]);
    let status = wait_for("a pass", || {
        let status = running.status();
        (status["analyzer"]["pass"]["metrics"] == series.len()).then_some(status)
    });
    let mut found: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
    for current in status["analyzer"]["anomalies"].as_array().unwrap() {
        let anomaly = &current["anomaly"];
        let votes = anomaly["evidence"][0]["votes"].as_array().unwrap().iter();
        let votes = votes.map(|vote| {
            (
                vote["detector"].as_str().unwrap().to_owned(),
                vote["answer"].clone(),
            )
        });
        found.insert(
            anomaly["subject"]["name"].as_str().unwrap().to_owned(),
            votes.collect(),
        );
    }
    let names: BTreeSet<&str> = found.keys().map(String::as_str).collect();
    let anomalous = series
        .iter()
        .filter(|line| line.consensus["earthgecko"].anomalous);
    let anomalous: BTreeSet<&str> = anomalous.map(|line| line.name.as_str()).collect();
    assert!(anomalous.len() > 15, "{anomalous:?}");
    assert_eq!(names, anomalous);

    let exceptions = &status["analyzer"]["pass"]["exceptions"];
    for exception in ["TooShort", "Boring", "Stale", "Other"] {
        let outcomes = series
            .iter()
            .map(|line| line.consensus["earthgecko"].outcome.as_str());
        let expected = outcomes.filter(|outcome| *outcome == exception).count();
        assert_eq!(exceptions[exception], expected, "{exception} in {exceptions}");
    }

    // The same series, moved in the same way, asked for on the command line: every vote is the same.
    let file = setup.path("moved.jsonl");
    std::fs::write(&file, lines).unwrap();
    let ended = setup.run(&["votes", file.to_str().unwrap()]);
    assert_eq!(ended.code(), 0, "{}", ended.log);
    let mut compared = 0;
    for answer in ended.stdout.lines() {
        let answer: Value = serde_json::from_str(answer).unwrap();
        let name = answer["name"].as_str().unwrap();
        assert_eq!(answer["anomalous"], found.contains_key(name), "{name}");
        for (detector, vote) in found.get(name).into_iter().flatten() {
            assert_eq!(&answer["results"][detector], vote, "{detector} of {name}");
            compared += 1;
        }
    }
    assert_eq!(compared, 9 * anomalous.len());
}
