//! Replaying past points, black box: the real binary over files, a real Redis and a Graphite on a socket.

mod causal;
mod faults;
mod form;
mod labels;
mod places;
mod rules;
mod script;

use std::fmt::Write as _;
use std::path::Path;

use crate::common::skywatch::{Ended, Setup};

/// Runs `skywatch backtest` to its end.
fn backtest(setup: &Setup, arguments: &[&str]) -> Ended {
    setup.run(&[&["backtest"], arguments].concat())
}

/// The same, which has to go well.
fn replayed(setup: &Setup, arguments: &[&str]) -> String {
    let ended = backtest(setup, arguments);
    assert_eq!(ended.code(), 0, "{}", ended.log);
    ended.stdout
}

fn put(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Points five minutes apart for so many days, with a season, noise and, now and then, something strange.
fn points(days: u32, seed: u32) -> Vec<(f64, f64)> {
    let steps = days * 288;
    let value = |step: u32| {
        let noise = f64::from(step.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 22) / 1_024.0;
        let season = (f64::from(step % 288) / 288.0 * std::f64::consts::TAU).sin();
        let strange = if (step + seed).is_multiple_of(997) {
            80.0
        } else {
            0.0
        };
        ((50.0 + 10.0 * season + noise + strange) * 1_000.0).round() / 1_000.0
    };
    (0..steps)
        .map(|step| (1_700_000_100.0 + 300.0 * f64::from(step), value(step)))
        .collect()
}

/// Points as a file has them.
fn file(points: &[(f64, f64)]) -> String {
    let mut text = String::from("timestamp,value\n");
    for (time, value) in points {
        writeln!(text, "{time},{value}").unwrap();
    }
    text
}

/// Timestamp, value, score and alarm of each row of an output.
fn rows(path: &Path) -> Vec<(String, String, f32, bool)> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("timestamp,value,anomaly_score,alarm"));
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let [time, value, score, alarm] = fields[..] else {
                panic!("`{line}` has not four fields")
            };
            let score: f32 = score.parse().unwrap();
            assert!(score.is_finite() && score >= 0.0, "{line}");
            assert!(["0", "1"].contains(&alarm), "{line}");
            (time.to_owned(), value.to_owned(), score, alarm == "1")
        })
        .collect()
}
