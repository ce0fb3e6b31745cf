//! A service, requests to it, and rows to ask about.

use std::net::SocketAddr;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::common::http::{self, Answer};
use crate::common::skywatch::{Setup, Skywatch};

/// 2023-09-28T07:00:00Z, a Thursday.
pub(super) const SEVEN: i64 = 1_695_884_400;

/// A service on a port of the system's choice, over a folder of its own.
pub(super) fn setup() -> Setup {
    Setup::new().with("outliers.listen", "127.0.0.1:0")
}

/// Starts it; where it listens.
pub(super) fn start(setup: &Setup) -> (Skywatch, SocketAddr) {
    let server = setup.start(&["serve"]);
    let words = "taking requests for outliers on ";
    let line = server.line(words);
    let (_, rest) = line.split_once(words).unwrap();
    let address = rest.split(',').next().unwrap().parse().unwrap();
    (server, address)
}

/// Posts a form; values are taken as they are, as `curl -d` does.
pub(super) fn form(to: SocketAddr, path: &str, fields: &[(&str, &str)]) -> Answer {
    let fields: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let header = "Content-Type: application/x-www-form-urlencoded";
    http::request(to, "POST", path, &[header], &fields.join("&")).unwrap()
}

/// Posts JSON.
pub(super) fn post(to: SocketAddr, path: &str, body: &Value) -> Answer {
    http::request(
        to,
        "POST",
        path,
        &["Content-Type: application/json"],
        &body.to_string(),
    )
    .unwrap()
}

pub(super) fn base64(text: &str) -> String {
    BASE64_STANDARD.encode(text)
}

/// A minute of the day that all rows are of, as Druid writes it.
pub(super) fn minute(at: usize) -> String {
    let time = Timestamp::from_second(SEVEN + 60 * at as i64).unwrap();
    time.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

/// Traffic that goes up and down, and in its 200th of 300 minutes is ten times what it was.
pub(super) fn traffic(at: usize) -> f64 {
    let usual = 1_000.0 + 20.0 * ((at * 7919) % 13) as f64;
    if at == 200 { 10.0 * usual } else { usual }
}

/// Rows of one column.
pub(super) fn rows(count: usize) -> Value {
    let row = |at: usize| json!({ "timestamp": minute(at), "result": { "bytes": traffic(at) } });
    (0..count).map(row).collect()
}

/// A query about a sensor.
pub(super) fn query(sensor: &str) -> Value {
    json!({
        "queryType": "timeseries",
        "dataSource": "rb_flow",
        "granularity": { "type": "period", "period": "pt1m", "origin": "2023-09-28T07:00:00Z" },
        "intervals": ["2023-09-28T07:00:00+00:00/2023-09-28T12:00:00+00:00"],
        "filter": { "type": "selector", "dimension": "sensor_name", "value": sensor },
        "context": { "timeout": 90000, "skipEmptyBuckets": "true" },
        "limitSpec": { "type": "default", "limit": 100, "columns": [] },
        "aggregations": [{ "type": "longSum", "name": "bytes", "fieldName": "sum_bytes" }],
        "postAggregations": [],
    })
}

/// The timestamps of what was found.
pub(super) fn found(answer: &Value) -> Vec<&str> {
    let all = answer["anomalies"].as_array().unwrap().iter();
    all.map(|one| one["timestamp"].as_str().unwrap()).collect()
}

/// Whether the planted outlier was found, and nothing but it and its neighbours, as the score of `scales` has a breadth.
pub(super) fn is_the_planted_one(answer: &Value) -> bool {
    let found = found(answer);
    let near: Vec<String> = (199..=201).map(minute).collect();
    found.contains(&minute(200).as_str()) && found.iter().all(|time| near.iter().any(|near| near == time))
}

/// One of the counters of the service.
pub(super) fn counter(of: SocketAddr, line: &str) -> u64 {
    let text = http::get(of, "/metrics").body;
    let start = format!("skywatch_outliers_{line} ");
    let found = text.lines().find_map(|known| known.strip_prefix(start.as_str()));
    found
        .unwrap_or_else(|| panic!("no `{line}` in:\n{text}"))
        .parse()
        .unwrap()
}
