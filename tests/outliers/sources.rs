//! The same question to a file, and to the store.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::world::{SEVEN, is_the_planted_one, minute, post, query, setup, start, traffic};
use crate::common::redis::RedisServer;

const OUTLIERS: &str = "/api/v1/outliers";

#[test]
fn a_file_and_the_store_are_asked_as_druid_is() {
    let redis = RedisServer::start();
    let setup = setup().on(&redis).with("outliers.store_source", "true");
    let folder = setup.path("csv");
    std::fs::create_dir(&folder).unwrap();
    let mut file = "time,sensor_name,sum_bytes\n".to_owned();
    let mut lines = String::new();
    for at in 0..300 {
        let _ = writeln!(file, "{},FlowSensor,{}", minute(at), traffic(at));
        let _ = writeln!(file, "{},Other,7", minute(at));
        let _ = writeln!(lines, "flow.bytes {} {}", traffic(at), SEVEN + 60 * at as i64);
    }
    std::fs::write(folder.join("flows.csv"), file).unwrap();
    setup.take_in(&lines);
    let setup = setup.with("outliers.csv_folder", folder.to_str().unwrap());
    let (_server, to) = start(&setup);
    let ask = |source: &str, field: &str, change: fn(&mut Value)| {
        let mut query = query("FlowSensor");
        query["dataSource"] = json!(source);
        query["aggregations"][0]["fieldName"] = json!(field);
        change(&mut query);
        post(to, OUTLIERS, &json!({ "query": query }))
    };
    for (source, field) in [("csv:flows", "sum_bytes"), ("store", "flow.bytes")] {
        let answer = ask(source, field, |_| ());
        assert_eq!(answer.status, 200, "{source}: {}", answer.body);
        let answer = answer.json();
        assert!(is_the_planted_one(&answer), "{source}: {answer}");
        assert_eq!(
            answer["predicted"].as_array().map(Vec::len),
            Some(300),
            "{source}"
        );
    }
    let reason = |answer: crate::common::http::Answer| {
        (
            answer.status,
            answer.json()["reason"].as_str().unwrap().to_owned(),
        )
    };
    let refused = (400, "query_refused".to_owned());
    assert_eq!(reason(ask("csv:../flows", "sum_bytes", |_| ())), refused);
    assert_eq!(
        reason(ask("csv:flows", "sum_bytes", |query| query["filter"] =
            json!({"type": "regex"}))),
        refused
    );
    assert_eq!(
        reason(ask("csv:none", "sum_bytes", |_| ())),
        (404, "no_rows".to_owned())
    );
    assert_eq!(
        reason(ask("csv:flows", "sum_pkts", |_| ())),
        (400, "unknown_metric".to_owned())
    );
    assert_eq!(
        reason(ask("store", "flow.none", |_| ())),
        (400, "unknown_metric".to_owned())
    );
}
