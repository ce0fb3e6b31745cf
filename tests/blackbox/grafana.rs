//! Grafana: what its data sources ask, and the dashboard through a real Prometheus.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::redis_world::put;
use crate::common::redis::{RedisServer, free_port};
use crate::common::series::{each_minute, loud, now, quiet};
use crate::common::skywatch::{Setup, Skywatch};
use crate::common::{carbon, http, prometheus, wait_for};

fn post(running: &Skywatch, path: &str, body: &Value) -> (u16, Value) {
    let headers = ["Content-Type: application/json"];
    let answer = http::request(running.pages(), "POST", path, &headers, &body.to_string()).unwrap();
    (answer.status, answer.json())
}

#[test]
fn panels_and_annotations_get_what_they_ask_for() {
    let redis = RedisServer::start();
    let mut store = redis.connection();
    put(&mut store, "web1.cpu", &each_minute(&loud(200), now()));
    put(&mut store, "web1.disk", &each_minute(&quiet(200), now()));
    let running = Setup::new().on(&redis).start(&["run"]);
    assert_eq!(http::get(running.pages(), "/grafana/").status, 200);
    let (_, found) = post(&running, "/grafana/search", &json!({ "target": "web1" }));
    assert_eq!(found, json!(["web1.cpu", "web1.disk"]));

    let range = json!({ "from": "2001-01-01T00:00:00.000Z", "to": "2999-01-01T00:00:00.000Z" });
    let targets = json!([{ "target": "web1.*", "refId": "A" }, { "refId": "B" }, { "target": "no.such" }]);
    let body = json!({ "range": range, "maxDataPoints": 50, "targets": targets });
    let (status, panels) = post(&running, "/grafana/query", &body);
    assert_eq!(status, 200, "{panels}");
    let names: Vec<_> = panels
        .as_array()
        .unwrap()
        .iter()
        .map(|panel| &panel["target"])
        .collect();
    assert_eq!(names, ["web1.cpu", "web1.disk"]);
    let points = panels[0]["datapoints"].as_array().unwrap();
    assert!((2..=50).contains(&points.len()), "{panels}");
    let spike = points
        .iter()
        .find(|point| point[0] == 500.0)
        .expect("the spike survives");
    let apart = spike[1].as_f64().unwrap() / 1e3 - now();
    assert!(apart.abs() < 600.0, "{spike}");

    let body = json!({ "range": range, "annotation": { "name": "incidents", "query": "web1.*" } });
    let region = wait_for("an incident", || {
        let (status, regions) = post(&running, "/grafana/annotations", &body);
        assert_eq!(status, 200, "{regions}");
        regions[0].is_object().then(|| regions[0].clone())
    });
    assert_eq!(
        (&region["title"], &region["annotation"]),
        (&json!("web1.cpu"), &body["annotation"])
    );
    assert!(region["time"].as_i64() <= region["timeEnd"].as_i64(), "{region}");
    for (path, body) in [
        (
            "/grafana/query",
            json!({ "range": { "from": "yesterday", "to": "now" } }),
        ),
        (
            "/grafana/annotations",
            json!({ "range": range, "annotation": { "query": "web[" } }),
        ),
        ("/grafana/search", json!("web1")),
    ] {
        let (status, problem) = post(&running, path, &body);
        assert!(
            (400..500).contains(&status) && problem["detail"].is_string(),
            "{path}: {status} {problem}"
        );
    }
}

/// The queries of the dashboard.
fn queries() -> Vec<String> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/grafana/skywatch.json");
    let dashboard: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    let text = |target: &Value| {
        target["expr"]
            .as_str()
            .unwrap()
            .replace("$__rate_interval", "10s")
    };
    targets.map(text).collect()
}

#[test]
fn every_query_of_the_dashboard_has_an_answer() {
    let redis = RedisServer::start();
    let running = Setup::new()
        .on(&redis)
        .with("analyzer.optimum_run_duration", "500ms")
        .start(&["run"]);
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let configuration = format!(
        "scrape_configs: [ {{ job_name: skywatch, static_configs: [ {{ targets: ['{}'] }} ] }} ]\n",
        running.pages()
    );
    let _prometheus = prometheus::start(folder.path(), port, &configuration);
    let loud = each_minute(&loud(200), now());
    put(&mut redis.connection(), "web1.cpu", &loud);
    let asked = queries();
    assert!(asked.len() >= 15, "{asked:?}");
    for query in asked {
        wait_for(&query, || {
            // One point that is taken and one that is refused.
            carbon::send(
                running.carbon(),
                format!("web.a 1 {}\nweb.b 1 1000\n", now()).as_bytes(),
            );
            let query = query.replace(' ', "%20").replace('[', "%5B").replace(']', "%5D");
            let path = format!("/api/v1/query?query={query}");
            let answer = http::try_get((Ipv4Addr::LOCALHOST, port).into(), &path).ok()?;
            // The answer may come in chunks, so it is no JSON as it is.
            answer.body.contains("\"result\":[{").then_some(())
        });
    }
}
