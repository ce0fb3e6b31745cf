//! Models of sensors, fitted to what a Druid knows: what it is asked, and what becomes of the versions.

use serde_json::{Value, json};

use super::world::{post, query, start};
use crate::common::http_sink::{Answer, HttpSink};
use crate::common::skywatch::Setup;

/// The periods that are asked for, and their seconds.
pub(super) const PERIODS: [(&str, i64); 8] = [
    ("PT1M", 60),
    ("PT2M", 120),
    ("PT5M", 300),
    ("PT15M", 900),
    ("PT30M", 1_800),
    ("PT1H", 3_600),
    ("PT2H", 7_200),
    ("PT8H", 28_800),
];

/// What a broker answers to a query for a model's columns, which must be whole: rows of each bucket of its interval.
pub(super) fn broker(query: &Value) -> Value {
    assert_eq!(
        (&query["queryType"], &query["dataSource"]),
        (&"timeseries".into(), &"rb_flow".into())
    );
    let period = query["granularity"]["period"].as_str().unwrap();
    let (_, seconds) = PERIODS.iter().find(|(known, _)| *known == period).unwrap();
    let per_second = &query["postAggregations"][0];
    assert_eq!(per_second["name"], "bps");
    assert_eq!(
        per_second["fields"][1]["value"].as_f64(),
        Some(*seconds as f64),
        "{period}"
    );
    let names: Vec<&str> = ["aggregations", "postAggregations"]
        .iter()
        .flat_map(|part| query[part].as_array().unwrap())
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 11);
    let interval = query["intervals"][0].as_str().unwrap();
    let (from, to) = interval.split_once('/').unwrap();
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_second();
    let (from, to) = (at(from), at(to));
    assert!(
        to - from >= 86_400 && to <= jiff::Timestamp::now().as_second(),
        "{interval}"
    );
    let row = |time: i64| {
        let hour = (time.rem_euclid(86_400)) as f64 / 3_600.0;
        let wave = 2.0 + (std::f64::consts::TAU * hour / 24.0).sin() + 0.1 * ((time / seconds) % 5) as f64;
        let result: serde_json::Map<String, Value> = names
            .iter()
            .map(|name| ((*name).to_owned(), json!(1_000.0 * wave)))
            .collect();
        let stamp = jiff::Timestamp::from_second(time).unwrap();
        json!({ "timestamp": stamp.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string(), "result": result })
    };
    (from..to).step_by(*seconds as usize).map(row).collect()
}

#[test]
fn a_sensor_is_fitted_published_and_taken_back() {
    let druid = HttpSink::start(|request| Answer::ok(&broker(&request.json()).to_string()));
    let setup = super::world::setup()
        .with("druid.url", &druid.url())
        .with("training.epochs", "2")
        .with(
            "sensors.filter",
            r#"{"type": "selector", "dimension": "proto", "value": "tcp"}"#,
        );
    let train = |setup: &Setup| {
        let ended = setup.run(&["train", "--sensor", "edge router"]);
        assert_eq!(ended.code(), 0, "{}", ended.log);
        assert!(ended.log.contains("epoch 2 :: loss"), "{}", ended.log);
        ended.stdout
    };
    assert!(train(&setup).contains("serves"));
    let asked: Vec<Value> = druid.requests().iter().map(|request| request.json()).collect();
    let periods: Vec<&str> = asked
        .iter()
        .map(|query| query["granularity"]["period"].as_str().unwrap())
        .collect();
    assert_eq!(periods, PERIODS.map(|(period, _)| period));
    for query in &asked {
        let fields = query["filter"]["fields"].as_array().unwrap();
        assert_eq!(
            fields[0],
            json!({"type": "selector", "dimension": "sensor_name", "value": "edge router"})
        );
        assert_eq!(fields[1]["value"], "tcp");
    }
    // The second goes on where the first has ended, and leaves it as a backup.
    assert!(train(&setup).contains("before"));
    let name = setup.run(&["models"]).stdout;
    let lines: Vec<&str> = name
        .lines()
        .filter(|line| line.starts_with("edge_router-"))
        .collect();
    assert_eq!(lines.len(), 2, "{name}");
    assert!(
        !lines[0].contains("serves") && lines[1].contains("serves"),
        "{name}"
    );
    let model = lines[0].split_whitespace().next().unwrap();
    let (_server, to) = start(&setup);
    let mut query = query("edge router");
    query["granularity"]["period"] = json!("PT1M");
    query["intervals"] = json!(["2023-09-28T00:00:00Z/2023-09-29T00:00:00Z"]);
    let answer = post(to, "/calculate", &json!({ "query": query })).json();
    assert_eq!(
        (&answer["model"]["name"], &answer["model"]["chosen_by"]),
        (&model.into(), &"sensor".into())
    );
    let back = setup.run(&["models", "rollback", model]);
    assert_eq!(back.code(), 0, "{}", back.log);
    let listed = setup.run(&["models"]).stdout;
    let first = listed.lines().find(|line| line.starts_with(model)).unwrap();
    assert!(first.contains("serves"), "{listed}");
    let ended = setup.run(&["train", "--sensor", "x", "--set", "druid.url="]);
    assert_eq!(ended.code(), 2, "{}", ended.log);
}
