//! Models of sensors: which one judges, with which columns, and what it says.

use std::ops::ControlFlow;

use serde_json::{Value, json};
use skywatch::models::{Folder, Holdout, ModelRegistry, Provenance};
use skywatch_algorithms::learned::{FittedSequence, SequenceAutoencoder, SequenceOptions, Table};

use super::world::{SEVEN, base64, counter, minute, post, query, setup, start, traffic};
use crate::common::http_sink::{Answer, HttpSink};
use crate::common::skywatch::Setup;
use crate::common::wait_for;

const OUTLIERS: &str = "/api/v1/outliers";
/// Of the columns a model has at redBorder, enough.
const COLUMNS: [&str; 4] = ["bps", "bytes", "pkts", "clients"];

/// What each column is at a minute.
fn cells(at: usize) -> [f64; 4] {
    let bytes = traffic(at);
    [bytes * 8.0 / 60.0, bytes, bytes / 100.0, 12.0 + (at % 3) as f64]
}

fn fitted() -> FittedSequence {
    let quiet = |at: usize| if at == 200 { 201 } else { at };
    let table = Table {
        times: (0..300).map(|at| (SEVEN + 60 * at) as f64).collect(),
        columns: COLUMNS.map(str::to_owned).to_vec(),
        values: (0..300).flat_map(|at| cells(quiet(at))).collect(),
    };
    let options = SequenceOptions {
        epochs: 30,
        ..SequenceOptions::default()
    };
    let network = SequenceAutoencoder::new(table.columns.clone(), options);
    network
        .fit(&[table], &mut |_| ControlFlow::Continue(()))
        .unwrap()
        .0
}

fn publish(setup: &Setup, name: &str, version: &str, model: &FittedSequence) {
    let provenance = Provenance {
        trained: (0.0, 1.0),
        made_at: 2.0,
        fits: Vec::new(),
        holdout: Holdout {
            error: 0.1,
            previous: None,
            from: 0.5,
        },
        seed: 1,
        cpu: Vec::new(),
        made_by: "a test".to_owned(),
    };
    let registry = ModelRegistry::new(Folder::new(setup.path("state").join("models")));
    registry.publish(name, version, provenance, model).unwrap();
}

fn rows() -> Value {
    let row = |at: usize| {
        let cells = cells(at);
        let result: serde_json::Map<String, Value> = COLUMNS
            .iter()
            .zip(cells)
            .map(|(name, cell)| ((*name).to_owned(), json!(cell)))
            .collect();
        json!({ "timestamp": minute(at), "result": result })
    };
    (0..300).map(row).collect()
}

#[test]
fn the_sensor_chooses_else_the_name_else_none() {
    let druid = HttpSink::start(|_| Answer::ok(&rows().to_string()));
    let setup = setup()
        .with("druid.url", &druid.url())
        .with("models.refresh", "1s");
    let model = fitted();
    publish(&setup, "FlowSensor", "1", &model);
    publish(&setup, "traffic", "1", &model);
    let (_server, to) = start(&setup);
    let ask = |sensor: &str, model: &str| {
        let answer = post(
            to,
            OUTLIERS,
            &json!({"query": query(sensor), "model": base64(model)}),
        );
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    };
    let answer = ask("FlowSensor", "traffic");
    assert_eq!(
        answer["model"],
        json!({"name": "FlowSensor", "kind": "sequence", "version": "1", "chosen_by": "sensor"})
    );
    // The columns that the model knows were asked for, a minute's sums over a minute's seconds.
    let sent = druid.requests()[0].json();
    assert_eq!(sent["aggregations"].as_array().map(Vec::len), Some(4));
    assert_eq!(sent["postAggregations"][0]["fields"][1]["value"], 60.0);
    assert_eq!(sent["filter"], query("FlowSensor")["filter"]);
    let answer = ask("Other", "traffic");
    assert_eq!(
        (&answer["model"]["name"], &answer["model"]["chosen_by"]),
        (&"traffic".into(), &"name".into())
    );
    let answer = ask("Other", "nothing");
    assert_eq!(
        (&answer["model"]["name"], &answer["model"]["chosen_by"]),
        (&"scales".into(), &"default".into())
    );
    assert_eq!(answer["model"]["why"], "there is no model `nothing`");
    assert_eq!(
        (
            counter(to, "unknown_sensors_total"),
            counter(to, "unknown_models_total")
        ),
        (2, 1)
    );
    // A new version comes into use by itself.
    publish(&setup, "FlowSensor", "2", &model);
    wait_for("the new version to serve", || {
        (ask("FlowSensor", "")["model"]["version"] == "2").then_some(())
    });
}

#[test]
fn a_model_lists_a_row_once_with_its_columns_and_says_all_rows() {
    let setup = setup();
    publish(&setup, "traffic", "1", &fitted());
    let (_server, to) = start(&setup);
    let ask = |rows: Value, metric: &str| {
        post(
            to,
            OUTLIERS,
            &json!({"data": rows, "model": base64("traffic"), "metric": metric}),
        )
    };
    let mut all = rows();
    all[20]["result"]["pkts"] = Value::Null;
    let answer = ask(all, "").json();
    assert_eq!(
        (&answer["metric"], &answer["left_out"]),
        (&"bytes".into(), &json!({"without_number": 1}))
    );
    let predicted = answer["predicted"].as_array().unwrap();
    // To the very last row, and each beside its own time.
    assert_eq!(
        (predicted.len(), &predicted[298]["timestamp"]),
        (299, &minute(299).into())
    );
    assert_eq!(predicted[20]["timestamp"], minute(21));
    let outliers = answer["anomalies"].as_array().unwrap();
    let of_spike: Vec<&Value> = outliers
        .iter()
        .filter(|one| one["timestamp"] == minute(200))
        .collect();
    assert_eq!(of_spike.len(), 1, "{outliers:?}");
    let names: Vec<&str> = of_spike[0]["features"]
        .as_array()
        .unwrap()
        .iter()
        .map(|feature| feature["name"].as_str().unwrap())
        .collect();
    assert!(
        ["bps", "bytes", "pkts"].iter().all(|name| names.contains(name)),
        "{names:?}"
    );
    assert!(!names.contains(&"clients"), "{names:?}");
    let feature = &of_spike[0]["features"][0];
    assert!(
        feature["score"].as_f64().unwrap() > 1.0
            && feature["observed"].is_f64()
            && feature["expected"].is_f64()
    );
    // Another metric, and one that is not there.
    assert_eq!(ask(rows(), "pkts").json()["metric"], "pkts");
    let answer = ask(rows(), "flows");
    assert_eq!(
        (answer.status, &answer.json()["reason"]),
        (400, &"unknown_metric".into())
    );
    // What was not sent is named, and is no anomaly.
    let mut some = rows();
    for row in some.as_array_mut().unwrap() {
        row["result"].as_object_mut().unwrap().remove("clients");
    }
    let answer = ask(some, "").json();
    assert_eq!(answer["missing_columns"], json!(["clients"]));
    let named = answer["anomalies"].to_string();
    assert!(!named.contains("clients"), "{named}");
    let few: Value = rows().as_array().unwrap()[..31].to_vec().into();
    let answer = ask(few, "");
    assert_eq!(
        (answer.status, &answer.json()["reason"]),
        (400, &"too_few_points".into())
    );
}
