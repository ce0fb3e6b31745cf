//! From a store and from a Graphite.

use super::{backtest, file, points, put, replayed, rows};
use crate::common::redis::RedisServer;
use crate::common::sink::{Answer, Sink, rendered};
use crate::common::skywatch::Setup;

/// What a file with the same points gives.
fn from_file(setup: &Setup, points: &[(f64, f64)]) -> Vec<(f32, bool)> {
    put(&setup.path("in/m.csv"), &file(points));
    let (input, output) = (setup.path("in"), setup.path("of-file"));
    replayed(
        setup,
        &[
            "--input",
            &input.display().to_string(),
            "--output",
            &output.display().to_string(),
        ],
    );
    scores(&output.join("m.csv"))
}

fn scores(path: &std::path::Path) -> Vec<(f32, bool)> {
    rows(path)
        .into_iter()
        .map(|(.., score, alarm)| (score, alarm))
        .collect()
}

fn from_store(setup: &Setup) {
    let points = points(5, 2);
    let lines: String = points
        .iter()
        .flat_map(|(time, value)| {
            ["web.1.cpu", "web.2.cpu", "db.1"].map(|name| format!("{name} {value} {time}\n"))
        })
        .collect();
    setup.take_in(&lines);
    let output = setup.path("of-store");
    let into = output.display().to_string();
    let said = replayed(setup, &["--metrics", "web.*.cpu", "--output", &into]);
    assert!(
        said.contains(&format!("metrics    2, {} rows", 2 * points.len())),
        "{said}"
    );
    assert_eq!(std::fs::read_dir(&output).unwrap().count(), 2);
    assert_eq!(scores(&output.join("web.2.cpu.csv")), from_file(setup, &points));
    let none = backtest(setup, &["--metrics", "nothing.*"]);
    assert_eq!(none.code(), 1);
    assert!(
        none.log
            .contains("has no metric that matches\nhint: patterns are"),
        "{}",
        none.log
    );
}

#[test]
fn from_a_redis() {
    let redis = RedisServer::start();
    from_store(&Setup::new().on(&redis));
}

#[test]
fn from_the_embedded_store() {
    from_store(&Setup::new().with("store.full_duration", "3650d"));
}

#[test]
fn from_a_graphite() {
    let points = points(5, 2);
    let shown = points.clone();
    let sink = Sink::start(
        move |request, _| match (request.path.as_str(), request.get("target")) {
            ("/render", "web.1") => Answer::Json(format!("[{}]", rendered("web.1", &shown))),
            _ => Answer::Json("[]".to_owned()),
        },
    );
    let setup = Setup::new();
    let output = setup.path("out");
    let into = output.display().to_string();
    replayed(
        &setup,
        &[
            "--graphite",
            &sink.url(),
            "--target",
            "web.1",
            "--from",
            "2023-11-01",
            "--output",
            &into,
        ],
    );
    assert_eq!(scores(&output.join("web.1.csv")), from_file(&setup, &points));
}
