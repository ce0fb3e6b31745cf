//! A kind of request that becomes slow: found, told as an incident, and shown with the span that is to blame.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::world::{address, counter, post, setup, wait_for_counter};
use crate::common::skywatch::{Setup, Skywatch};
use crate::common::{http, wait_for};

/// A line for a page that asks a shop, which asks a store twice; `slow` times as slow as usual in the store.
fn line(number: u64, slow: u64) -> Value {
    // Times differ somewhat from trace to trace; of three numbers the product, so that few are large.
    let differs = |place: u64| {
        let share = |part: u64| {
            let mut number = (number * 31 + place * 7 + part + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (number ^ (number >> 27)) % 1_000
        };
        share(0) * share(1) * share(2) / 1_000_000
    };
    let (store, prices) = (5_000 * slow + 5 * differs(1), 4_000 + 4 * differs(2));
    let span = |id: u64, parent: Option<u64>, service: &str, operation: &str, start: u64, duration: u64| {
        json!({"span_id": id, "parent_id": parent, "service": service, "operation": operation, "kind": "server",
               "start_us": 1_700_000_000_000_000u64 + number * 1_000_000 + start, "duration_us": duration})
    };
    json!({
        "trace_id": format!("{:032x}", u128::from(number + 1) * 0x9e37_79b9_7f4a_7c15_f39c_0c8e),
        "spans": [
            span(1, None, "page", "GET /cart/17", 0, 40_000 + store + 20 * differs(3)),
            span(2, Some(1), "shop", "GET /items", 5_000, 20_000 + store + 9 * differs(4)),
            span(3, Some(2), "store", "SELECT items", 8_000, store),
            span(4, Some(2), "store", "SELECT prices", 9_000 + store, prices),
        ]
    })
}

fn send(to: SocketAddr, lines: impl Iterator<Item = Value>) {
    let lines: Vec<String> = lines.map(|line| line.to_string()).collect();
    let answer = post(to, "/v1/lines", &[], lines.join("\n").as_bytes());
    assert_eq!(answer.json()["rejected"], 0, "{}", answer.body);
}

fn incidents(setup: &Setup) -> Vec<Value> {
    let output = setup.command(&["incidents", "--json"]).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let all = answer["incidents"].as_array().cloned().unwrap_or_default();
    all.into_iter()
        .filter(|incident| incident["subject"]["kind"] == "trace")
        .collect()
}

/// Sends enough for detectors to be fitted, and some that are judged by them.
fn learn(server: &Skywatch, to: SocketAddr) {
    send(to, (0..300).map(|number| line(number, 1)));
    server.line("detectors fitted, 300 traces learnt");
    assert_eq!(
        counter(server, "normal") + counter(server, "anomalous"),
        0,
        "nothing known is not normal"
    );
    send(to, (300..500).map(|number| line(number, 1)));
    wait_for("traces to be judged", || {
        (counter(server, "normal") + counter(server, "anomalous") >= 200).then_some(())
    });
}

#[test]
fn a_slow_store_is_an_incident_whose_trace_shows_it() {
    let setup = setup()
        .with("traces.report_each", "1s")
        .with("traces.keep_normal", "0");
    let server = setup.start(&["run"]);
    let to = address(&server, "OTLP over HTTP");
    learn(&server, to);
    send(to, (500..560).map(|number| line(number, 40)));
    let found = wait_for("an incident", || incidents(&setup).pop());
    assert_eq!(found["subject"]["name"], "page GET /cart/<*>");
    let anomaly = &found["anomaly"];
    let sentence = anomaly["sentence"].as_str().unwrap();
    assert!(
        sentence.contains("of 60 traces are unusual") && sentence.contains("store"),
        "{found:#}"
    );
    let (observed, high) = (
        anomaly["observed"].as_f64().unwrap(),
        anomaly["expected"]["high"].as_f64().unwrap(),
    );
    assert!(observed > high && high < 0.3, "{found:#}");
    assert_eq!(anomaly["contributors"][0]["name"], "store");
    let evidence = &anomaly["evidence"][0];
    assert_eq!(
        (&evidence["kind"], evidence["spans"].as_array().map(Vec::len)),
        (&"trace".into(), Some(4))
    );
    let spans = evidence["spans"].as_array().unwrap();
    let is_blamed = |span: &&Value| span["operation"] == "SELECT items" && span["is_anomalous"] == true;
    assert!(spans.iter().any(|span| is_blamed(&span)), "{found:#}");

    // From the incident to its traces, and to the span.
    let page = http::get(server.pages(), "/incidents/1")
        .body
        .replace("&#x2f;", "/");
    assert!(
        page.contains("/traces?of=page%20GET%20%2Fcart%2F%3C%2A%3E"),
        "{page}"
    );
    let page = http::get(server.pages(), "/traces?of=page%20GET%20%2Fcart%2F%3C%2A%3E").body;
    let id = evidence["id"].as_str().unwrap();
    assert!(page.contains(&format!("/traces/{id}")), "{page}");
    let page = http::get(server.pages(), &format!("/traces/{id}")).body;
    let mut guilty = page.split("<li ").filter(|row| row.contains("class=\"guilty\""));
    assert!(
        guilty.any(|row| row.contains("<strong>store</strong> SELECT items")),
        "{page}"
    );
    let trace = http::get(server.pages(), &format!("/api/v1/traces/{id}")).json();
    assert_eq!(trace["judgement"]["verdict"], "anomalous");
    assert!(!trace["spans"][2]["findings"].as_array().unwrap().is_empty());
    // Of one kind twenty are kept, as the others show no more.
    let listed = http::get(server.pages(), "/api/v1/traces").json();
    assert!(
        (20..40).contains(&listed["traces"].as_array().map_or(0, Vec::len)),
        "{listed:#}"
    );
    assert_eq!(http::get(server.pages(), "/traces/0").status, 404);

    // What was learnt is there after a restart.
    let ended = server.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    let server = setup.start(&["run"]);
    send(
        address(&server, "OTLP over HTTP"),
        (600..650).map(|number| line(number, 1)),
    );
    wait_for_counter(&server, "completed", 50);
    wait_for("them to be judged", || {
        (counter(&server, "normal") >= 30).then_some(())
    });
}
