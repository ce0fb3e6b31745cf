//! Three nodes that register in Consul and share the trainings of sensors over one Redis; two of them are killed.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use skywatch::jobs::{JobQueue as _, JobState, RedisQueue, SensorJob, Task};
use skywatch::store::redis::{RedisConnect, RedisOptions};
use skywatch_settings::Jobs;

use super::sensors::broker;
use super::world::{post, query, rows, setup};
use crate::common::http;
use crate::common::http_sink::{Answer, HttpSink};
use crate::common::redis::RedisServer;
use crate::common::skywatch::{Setup, Skywatch, signal};
use crate::common::wait_for;
use crate::learned::moto::Moto;

const SENSORS: [&str; 5] = ["ASR", "FlowSensor", "edge-1", "edge-2", "core"];

/// A Consul's agent that holds what it is told to its documentation, and knows who is registered.
fn consul() -> HttpSink {
    let known = std::sync::Mutex::new(BTreeSet::new());
    HttpSink::start(move |request| {
        let mut known = known.lock().unwrap();
        assert_eq!(request.header("x-consul-token"), Some("of consul"));
        let target = request.line.split('?').next().unwrap();
        if target == "PUT /v1/agent/service/register" {
            let body = request.json();
            assert_eq!(
                (&body["Name"], &body["Address"]),
                (&"rb-aioutliers".into(), &"127.0.0.1".into())
            );
            let port = body["Port"].as_u64().unwrap();
            let check = &body["Check"];
            assert_eq!(check["HTTP"], format!("http://127.0.0.1:{port}/healthz"));
            assert_eq!(
                (&check["Interval"], &check["DeregisterCriticalServiceAfter"]),
                (&"10s".into(), &"600s".into())
            );
            known.insert(body["ID"].as_str().unwrap().to_owned());
            return Answer::ok("");
        }
        if let Some(id) = target.strip_prefix("PUT /v1/agent/service/deregister/") {
            return Answer::status(if known.remove(id) { 200 } else { 404 });
        }
        let id = target.strip_prefix("GET /v1/agent/service/").unwrap();
        Answer::status(if known.contains(id) { 200 } else { 404 })
    })
}

/// What a node that only serves and trains is set to.
fn node(name: &str, redis: &RedisServer, druid: &HttpSink, consul: &HttpSink, moto: &Moto) -> Setup {
    setup()
        .with("store.url", &redis.socket_url())
        .with("ingest.enabled", "false")
        .with("analyzer.enabled", "false")
        .with("web.enabled", "false")
        .with("outliers.enabled", "true")
        .with("training.enabled", "true")
        .with("training.epochs", "2")
        .with("jobs.lease", "3s")
        .with("druid.url", &druid.url())
        .with("consul.url", &consul.url())
        .with("consul.token", "of consul")
        .with("consul.id", name)
        .with("models.place", "s3://models/sensors")
        .with("models.endpoint", &moto.endpoint())
        .with("models.access_key", "key")
        .with("models.secret_key", "secret")
        .with("models.refresh", "1s")
}

fn asked(consul: &HttpSink, line: &str) -> usize {
    consul
        .requests()
        .iter()
        .filter(|request| request.line.starts_with(line))
        .count()
}

#[test]
fn what_two_killed_nodes_had_is_trained_by_the_third() {
    let (redis, moto, consul) = (RedisServer::start(), Moto::start(), consul());
    let druid = HttpSink::start(|request| {
        // As a broker takes its time: nodes are killed while they train.
        std::thread::sleep(Duration::from_millis(150));
        let query = request.json();
        // A question about a sensor whose model is not loaded yet goes to the broker as it was asked.
        let rows = if query["postAggregations"] == json!([]) {
            rows(2)
        } else {
            broker(&query)
        };
        Answer::ok(&rows.to_string())
    });
    let setups: Vec<Setup> = ["one", "two", "three"]
        .map(|name| node(name, &redis, &druid, &consul, &moto))
        .into();
    let mut nodes: Vec<Skywatch> = setups.iter().map(|setup| setup.start(&["run"])).collect();
    wait_for("three to be registered", || {
        (asked(&consul, "PUT /v1/agent/service/register") == 3).then_some(())
    });
    let connect = RedisConnect::new(RedisOptions {
        url: redis.socket_url(),
        ..RedisOptions::default()
    });
    let mut queue = RedisQueue::new(connect.unwrap(), Jobs::default());
    for (at, sensor) in SENSORS.iter().enumerate() {
        let task = Task::of(&SensorJob {
            sensor: (*sensor).to_owned(),
        });
        queue.enqueue(&task, None, at as f64).unwrap();
    }
    // A trainer's name holds its process.
    let of_node = |worker: &str, node: &Skywatch| worker.contains(&format!("-{}-", node.child("trainer")));
    let victims = wait_for("two nodes to train at once", || {
        let jobs = queue.list(100).unwrap();
        let busy: BTreeSet<usize> = jobs
            .iter()
            .filter(|job| job.state == JobState::Running)
            .filter_map(|job| nodes.iter().position(|node| of_node(&job.worker, node)))
            .collect();
        (busy.len() >= 2).then(|| busy.into_iter().take(2).collect::<Vec<_>>())
    });
    for victim in victims.into_iter().rev() {
        let node = nodes.remove(victim);
        // As a machine dies: its processes say nothing to anybody any more. The parent is held first, as it would start its
        // children again.
        signal(node.pid(), "STOP");
        for role in ["trainer", "outliers"] {
            signal(node.child(role), "KILL");
        }
        signal(node.pid(), "KILL");
        drop(node);
    }
    let jobs = wait_for("all sensors to be trained", || {
        let jobs = queue.list(100).unwrap();
        jobs.iter().all(|job| job.state == JobState::Done).then_some(jobs)
    });
    let survivor = nodes.pop().unwrap();
    let again: Vec<_> = jobs.iter().filter(|job| job.tries > 1).collect();
    assert!(again.len() >= 2, "what the two had was begun again: {jobs:?}");
    assert!(
        again.iter().all(|job| of_node(&job.worker, &survivor)),
        "{again:?}"
    );
    // It serves what all of them have trained.
    let words = "taking requests for outliers on ";
    let line = survivor.line(words);
    let to = line
        .split_once(words)
        .unwrap()
        .1
        .split(',')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    for sensor in SENSORS {
        let mut query: Value = query(sensor);
        query["granularity"]["period"] = json!("PT1M");
        query["intervals"] = json!(["2023-09-28T00:00:00Z/2023-09-29T00:00:00Z"]);
        wait_for("the model to serve", || {
            let answer = post(to, "/calculate", &json!({ "query": query })).json();
            (answer["model"]["name"] == sensor).then_some(())
        });
    }
    assert_eq!(http::get(to, "/healthz").status, 200);
    let ended = survivor.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert_eq!(asked(&consul, "PUT /v1/agent/service/deregister/"), 1);
}
