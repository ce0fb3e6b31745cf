//! Entities of a Prometheus that is a stand-in, which goes wrong in all the ways there are.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::common::sink::{Answer, Request, Sink};
use crate::common::skywatch::{Setup, Skywatch};
use crate::common::{http, wait_for};

/// What is wrong with the stand-in, or with what it measures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Flaw {
    None,
    /// The second metric of `web-2` goes against the others.
    Parted,
    /// A page of HTML, as a proxy in front of it gives.
    Html,
    /// Status 503.
    Down,
    /// No answer.
    Slow,
    /// Samples that are no numbers, come twice and in no order; the third metric is gone, and an entity has another label.
    Untidy,
    /// One metric of four is left.
    Thin,
}

/// A Prometheus with four metrics of three machines, and what is wrong with it.
pub(super) struct StandIn {
    sink: Sink,
    flaw: Arc<Mutex<Flaw>>,
}

impl StandIn {
    pub(super) fn start() -> Self {
        let flaw = Arc::new(Mutex::new(Flaw::None));
        let shared = Arc::clone(&flaw);
        let sink = Sink::start(move |request, _| {
            let flaw = *shared.lock().unwrap();
            match flaw {
                Flaw::Html => Answer::Json("<html><body>Sign in</body></html>".to_owned()),
                Flaw::Down => Answer::Status(503, "starting"),
                Flaw::Slow => Answer::Nothing,
                _ => Answer::Json(matrix(request, flaw).to_string()),
            }
        });
        Self { sink, flaw }
    }

    pub(super) fn set(&self, flaw: Flaw) {
        *self.flaw.lock().unwrap() = flaw;
    }

    /// Settings that fetch from it each second.
    pub(super) fn setup(&self) -> Setup {
        Setup::new()
            .with("entities.enabled", "true")
            .with("entities.prometheus", &self.sink.url())
            .with("entities.username", "sky")
            .with("entities.password", "watch")
            .with(
                "entities.metrics",
                "m0, sum(m1), rate(m2), m3=max by (instance) (m3)",
            )
            .with("entities.matchers", "job=no\"de")
            .with("entities.step", "1s")
            .with("entities.delay", "0s")
            .with("entities.history", "600s")
            .with("entities.alarm_window", "5s")
            .with("entities.timeout", "1s")
            .with("alerts.resolve_after", "2s")
    }
}

/// Between 0 and 1, the same for the same moment.
fn noise(time: i64, salt: i64) -> f64 {
    let mixed = (time * 7 + salt).wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64);
    ((mixed ^ (mixed >> 29)).rem_euclid(1_000)) as f64 / 1_000.0
}

fn value(machine: &str, metric: usize, time: i64, flaw: Flaw) -> f64 {
    let salt = machine.bytes().map(i64::from).sum::<i64>();
    let hidden = (time as f64 / 20.0).sin() + 0.3 * noise(time, salt);
    let is_parted = flaw == Flaw::Parted && machine == "web-2";
    match metric {
        0 => hidden + 0.05 * noise(time, 1),
        1 if is_parted => -40.0 * hidden - 60.0,
        1 => 40.0 * hidden + noise(time, 2),
        2 => 5.0 - hidden + 0.05 * noise(time, 3),
        _ => noise(time, 4 + salt),
    }
}

fn matrix(request: &Request, flaw: Flaw) -> Value {
    let number = |name: &str| request.get(name).parse::<f64>().unwrap() as i64;
    let query = request.get("query");
    let metric = (0..4)
        .find(|metric| query.contains(&format!("m{metric}")))
        .unwrap();
    let is_there = match flaw {
        Flaw::Untidy => metric != 2,
        Flaw::Thin => metric == 0,
        _ => true,
    };
    let series = |machine: &&str| {
        let mut values: Vec<Value> = (number("start")..=number("end"))
            .map(|time| json!([time, value(machine, metric, time, flaw).to_string()]))
            .collect();
        if flaw == Flaw::Untidy {
            values.reverse();
            let again = values[0].clone();
            values.push(again);
            values.push(json!([number("end") - 1, "NaN"]));
        }
        let name = match flaw {
            Flaw::Untidy if *machine == "web-3" => "web-4",
            _ => machine,
        };
        json!({"metric": {"instance": name}, "values": values})
    };
    let machines = ["web-1", "web-2", "web-3"];
    let result: Vec<Value> = machines.iter().filter(|_| is_there).map(series).collect();
    json!({"status": "success", "data": {"resultType": "matrix", "result": result}})
}

/// A counter of the role, now.
fn counter(server: &Skywatch, name: &str) -> u64 {
    let counters = server.status()["entities"]["counters"].clone();
    let mut pairs = counters.as_array().into_iter().flatten();
    let found = pairs.find(|pair| pair[0] == name);
    found.and_then(|pair| pair[1].as_u64()).unwrap_or(0)
}

pub(super) fn wait_for_states(server: &Skywatch, state: &str, number: u64) {
    wait_for(
        &format!("{number} entities to be {state}: {}", server.log()),
        || (counter(server, &format!("states.{state}")) == number).then_some(()),
    );
}

fn incidents(setup: &Setup) -> Vec<Value> {
    let output = setup.command(&["incidents", "--all", "--json"]).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let all = answer["incidents"].as_array().cloned().unwrap_or_default();
    let of_entity = |incident: &Value| incident["subject"]["kind"] == "entity";
    all.into_iter().filter(of_entity).collect()
}

#[test]
fn a_machine_whose_metrics_part_is_an_incident_that_names_them_and_ends() {
    let stand_in = StandIn::start();
    let setup = stand_in.setup();
    let server = setup.start(&["run"]);
    wait_for_states(&server, "normal", 3);
    assert!(
        server
            .log()
            .contains("entities :: 3 of up to 4 metrics, 600 rows of each at most"),
        "{}",
        server.log()
    );
    let asked = stand_in.sink.requests();
    assert_eq!(asked[0].authorization, "Basic c2t5OndhdGNo");
    let queries: Vec<_> = asked.iter().map(|request| request.get("query")).collect();
    assert!(
        queries.contains(&r#"sum by (instance) (m1{job="no\"de"})"#),
        "{queries:?}"
    );
    // At first all of the past, then what is new with some of before.
    let span = |request: &Request| {
        request.get("end").parse::<f64>().unwrap() - request.get("start").parse::<f64>().unwrap()
    };
    assert!(asked[..4].iter().all(|request| span(request) == 599.0));
    assert!(asked[4..].iter().all(|request| span(request) < 140.0));

    stand_in.set(Flaw::Parted);
    let found = wait_for("an incident", || incidents(&setup).pop());
    assert_eq!(found["subject"]["name"], "web-2", "{found:#}");
    let anomaly = &found["anomaly"];
    assert_eq!(anomaly["contributors"][0]["name"], "m1", "{found:#}");
    assert!(
        anomaly["sentence"].as_str().unwrap().contains("`m1` ("),
        "{found:#}"
    );
    assert_eq!(anomaly["labels"]["instance"], "web-2");
    wait_for_states(&server, "anomalous", 1);
    // The incident leads to the page of the machine, and that says the same.
    let page = |path: &str| http::get(server.pages(), path).body.replace("&#x2f;", "/");
    assert!(
        page("/incidents/1").contains("/entities/web-2"),
        "{}",
        page("/incidents/1")
    );
    let list = page("/entities");
    assert!(
        list.contains("3 watched, 1 anomalous") && list.contains("m1 <span"),
        "{list}"
    );
    let one = page("/entities/web-2");
    assert!(
        one.contains("<strong>anomalous</strong>")
            && one.contains("<svg")
            && one.contains("rows of 4 metrics"),
        "{one}"
    );
    let json = http::get(server.pages(), "/api/v1/entities/web-2?hours=1").json();
    assert_eq!(json["entity"]["drivers"][0][0], "m1", "{json:#}");
    let scores = json["scores"].as_array().unwrap();
    assert!(
        scores
            .iter()
            .any(|score| score["is_anomalous"] == true && score["score"].as_f64() > Some(1.0)),
        "{json:#}"
    );
    assert_eq!(http::get(server.pages(), "/entities/web-9").status, 404);
    let listed = setup.run(&["entities", "list"]);
    let line = listed
        .stdout
        .lines()
        .find(|line| line.contains("web-2"))
        .unwrap_or_default();
    assert!(
        line.starts_with("anomalous") && line.contains("m1 "),
        "{}{}",
        listed.stdout,
        listed.log
    );
    stand_in.set(Flaw::None);
    wait_for("the incident to be over", || {
        let over = incidents(&setup)
            .iter()
            .all(|incident| incident["phase"] == "resolved");
        over.then_some(())
    });
    assert_eq!(incidents(&setup).len(), 1);

    // What was learnt is there after a restart.
    let ended = server.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    let server = setup.start(&["run"]);
    server.line("3 found in the model store");
    wait_for("the new process to say so", || {
        (counter(&server, "restored") == 3).then_some(())
    });
    assert_eq!(counter(&server, "fits"), 0);
    wait_for_states(&server, "normal", 3);
    let figures = http::get(server.pages(), "/metrics").body;
    assert!(
        figures.contains("skywatch_entities_restored_total 3"),
        "{figures}"
    );
}

#[test]
fn a_source_that_does_not_answer_says_nothing_of_entities() {
    let stand_in = StandIn::start();
    let setup = stand_in.setup();
    let server = setup.start(&["run"]);
    wait_for_states(&server, "normal", 3);
    for (flaw, words) in [
        (Flaw::Html, "gives no series"),
        (Flaw::Down, "503"),
        (Flaw::Slow, "timeout"),
    ] {
        let before = counter(&server, "blind_looks");
        stand_in.set(flaw);
        wait_for(&format!("{flaw:?} to be seen"), || {
            let blind = server.status()["entities"]["blind"].as_str().map(str::to_owned);
            let is_seen = blind.is_some_and(|why| why.contains(words));
            (is_seen && counter(&server, "blind_looks") > before).then_some(())
        });
        stand_in.set(Flaw::None);
        wait_for("values to come again", || {
            server.status()["entities"]["blind"].is_null().then_some(())
        });
    }
    // What is odd about samples changes nothing; a metric that is gone is left out, and a label makes another entity.
    stand_in.set(Flaw::Untidy);
    wait_for_states(&server, "unknown", 1);
    wait_for_states(&server, "learning", 1);
    assert!(counter(&server, "left_out") > 0);
    assert_eq!(server.status()["entities"]["without_data"], json!(["m2"]));
    // Of a quarter of its metrics nobody can say how a machine is.
    stand_in.set(Flaw::Thin);
    wait_for("nobody to be called normal", || {
        (counter(&server, "states.normal") == 0).then_some(())
    });
    stand_in.set(Flaw::None);
    wait_for_states(&server, "normal", 3);
    assert!(incidents(&setup).is_empty(), "{:#?}", incidents(&setup));
}

#[test]
fn there_are_no_more_entities_than_are_allowed() {
    let stand_in = StandIn::start();
    let setup = stand_in.setup().with("entities.max_entities", "2");
    let server = setup.start(&["run"]);
    wait_for_states(&server, "normal", 2);
    assert!(counter(&server, "refused_entities") > 0);
}

#[cfg(feature = "learned")]
#[test]
fn what_was_trained_before_serves_at_once() {
    let stand_in = StandIn::start();
    let setup = stand_in.setup();
    let ended = setup.run(&["entities", "train", "--from", "-10m"]);
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert!(
        ended.stdout.contains("web-2: 600 rows of 4 metrics learnt"),
        "{}",
        ended.stdout
    );
    let server = setup.start(&["run"]);
    server.line("3 found in the model store");
    wait_for_states(&server, "normal", 3);
    let ended = server.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    stand_in.set(Flaw::Down);
    let ended = setup.run(&["entities", "train"]);
    assert_eq!(ended.code(), 1, "{}", ended.log);
    assert!(
        ended.log.contains("nothing is known of entities") && ended.log.contains("503"),
        "{}",
        ended.log
    );
}

#[test]
fn with_a_topology_the_cause_of_an_entitys_anomaly_goes_out_with_its_way() {
    let stand_in = StandIn::start();
    let setup = stand_in.setup();
    let graph = setup.path("graph.json");
    std::fs::write(&graph, r#"{"edges": [["web-2", "web-1"], ["web-1", "disk-7"]]}"#).unwrap();
    let events = setup.path("events.jsonl");
    let setup = setup
        .with("causes.topology", "file")
        .with("causes.file", &graph.display().to_string())
        .with("events.file", &events.display().to_string());
    let server = setup.start(&["run"]);
    wait_for_states(&server, "normal", 3);
    stand_in.set(Flaw::Parted);
    let event = wait_for("the event of its cause", || {
        let text = std::fs::read_to_string(&events).ok()?;
        let lines = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.into_iter().find(|event| event["top1"].is_string())
    });
    let resource = &event["Resource"];
    assert_eq!(
        event["Attributes"]["event_source"], "root-cause-inference",
        "{event:#}"
    );
    assert_eq!(
        resource["abnormal_kpi"]["metric_labels"]["instance"], "web-2",
        "{event:#}"
    );
    let path: Vec<_> = resource["cause_metrics"][0]["path"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| {
            (
                node["pod_id"].as_str().unwrap(),
                node["pod_state"].as_str().unwrap(),
            )
        })
        .collect();
    // Of the disk nobody knows anything, which loses nothing. Which of the others comes first is chance, as web-2 alone parts.
    let (first, way) = path.split_first().unwrap();
    assert_eq!(path.last(), Some(&("web-2", "abnormal")), "{event:#}");
    let top = event["top1"].as_str().unwrap();
    assert!(top.ends_with(&format!("@{}异常", first.0)), "{event:#}");
    if !way.is_empty() {
        assert_eq!(path, [("web-1", "normal"), ("web-2", "abnormal")], "{event:#}");
        wait_for("the incident to name it", || {
            let found = incidents(&setup).pop()?;
            let sentence = found["anomaly"]["sentence"].as_str()?;
            sentence.contains("; probably from `web-1` (`m").then_some(())
        });
    }
}
