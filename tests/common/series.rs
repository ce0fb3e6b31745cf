//! Series with a known answer, moved to the present: the reference's golden lines and the files of the
//! Numenta Anomaly Benchmark. Both lie beside the repository; without them these tests fail.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;

/// Unix seconds now, whole.
pub(crate) fn now() -> f64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is past 1970");
    since.as_secs() as f64
}

/// What lies beside the repository.
pub(crate) fn shared(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(path);
    assert!(
        path.exists(),
        "these tests need `{}`: the reference data beside the repository",
        path.display()
    );
    path
}

/// One detector's answers by name; `None` where the original gives null.
pub(crate) type Results = BTreeMap<String, Option<bool>>;

/// A line of the golden file.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Golden {
    pub(crate) name: String,
    pub(crate) category: String,
    pub(crate) now: f64,
    pub(crate) series: Vec<(f64, f64)>,
    pub(crate) results: Results,
    pub(crate) results_etsy: Results,
    pub(crate) consensus: BTreeMap<String, Consensus>,
    pub(crate) fragile: BTreeMap<String, serde_json::Value>,
}

/// What the whole ensemble said.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Consensus {
    pub(crate) outcome: String,
    pub(crate) anomalous: bool,
    pub(crate) datapoint: Option<f64>,
}

/// Where the golden lines are.
pub(crate) fn golden_file() -> PathBuf {
    shared("golden/algorithms-dev.jsonl")
}

/// All golden lines.
pub(crate) fn golden() -> Vec<Golden> {
    let text = std::fs::read_to_string(golden_file()).expect("the golden file can be read");
    let lines = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a golden line"));
    lines.collect()
}

/// The values of `rows` of a benchmark file, the last being row `last` (from 0, header apart).
pub(crate) fn nab(file: &str, last: usize, rows: usize) -> Vec<f64> {
    let text = std::fs::read_to_string(shared("nab/data").join(file)).expect("a benchmark file");
    let value = |line: &str| -> f64 {
        let value = line.split(',').nth(1).expect("a second column");
        value.trim().parse().expect("a number")
    };
    let all: Vec<f64> = text.lines().skip(1).map(value).collect();
    all[last + 1 - rows..=last].to_vec()
}

/// Times and values of one of the small inputs from the field.
pub(crate) fn field(file: &str) -> Vec<(f64, f64)> {
    let text = std::fs::read_to_string(shared("field").join(file)).expect("an input");
    let point = |line: &str| -> (f64, f64) {
        let (time, value) = line.split_once(',').expect("two columns");
        (time.parse().expect("a time"), value.parse().expect("a number"))
    };
    text.lines().skip(1).map(point).collect()
}

/// Gives values one point a minute, the last at `end`.
pub(crate) fn each_minute(values: &[f64], end: f64) -> Vec<(f64, f64)> {
    let begin = end - 60.0 * (values.len() as f64 - 1.0);
    let times = (0..values.len()).map(|index| begin + 60.0 * index as f64);
    times.zip(values.iter().copied()).collect()
}

/// Moves points in time so that the last lies at `end`.
pub(crate) fn ending_at(points: &[(f64, f64)], end: f64) -> Vec<(f64, f64)> {
    let by = end - points.last().map_or(end, |last| last.0);
    points.iter().map(|(time, value)| (time + by, *value)).collect()
}

/// A quiet metric: values that jitter about 100 and that no detector minds.
pub(crate) fn quiet(points: usize) -> Vec<f64> {
    (0..points)
        .map(|index| 100.0 + (index * 7919 % 101) as f64 / 10.0)
        .collect()
}

/// A quiet metric that ends in three points far outside.
pub(crate) fn loud(points: usize) -> Vec<f64> {
    let mut values = quiet(points);
    values[points - 3..].fill(500.0);
    values
}
