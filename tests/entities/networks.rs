//! Jobs of gala-anteater's networks: learnt by the trainer from what a stand-in of a Prometheus has, judged live, and there again after a
//! restart.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::common::sink::{Answer, Request, Sink};
use crate::common::skywatch::Setup;
use crate::common::wait_for;

/// Seconds at the end of an answer in which something is wrong: most of those that decide.
const BROKEN: i64 = 50;

/// Four metrics of a machine that follow one wave; where `is_broken` says so, the indicator and one of the others leave it.
fn answer(request: &Request, is_broken: bool) -> Answer {
    let number = |name: &str| request.get(name).parse::<f64>().unwrap() as i64;
    let (start, end, step) = (number("start"), number("end"), number("step"));
    let query = request.get("query");
    let metric = ["sli_rtt", "tcp_notack", "cpu_user", "mem_used"]
        .into_iter()
        .find(|metric| query.contains(metric));
    let Some(metric) = metric else {
        return Answer::Json(
            json!({"status": "success", "data": {"resultType": "matrix", "result": []}}).to_string(),
        );
    };
    let noise = |time: i64| ((time * 7_919 + metric.len() as i64 * 31) % 97) as f64 / 970.0;
    let moves = is_broken && ["sli_rtt", "tcp_notack"].contains(&metric);
    let value = |time: i64| {
        let wave = (time as f64 / 30.0).sin() + noise(time);
        wave + if moves && time > end - BROKEN {
            9.0 + 3.0 * noise(time)
        } else {
            0.0
        }
    };
    // Aggregated by machine, or the series behind that.
    let labels = if query.starts_with("avg by") {
        json!({"machine_id": "m-1"})
    } else {
        json!({"__name__": metric, "machine_id": "m-1", "tgid": "7"})
    };
    let times = (start..=end).step_by(step as usize);
    let values: Vec<Value> = times.map(|time| json!([time, value(time).to_string()])).collect();
    let result = json!([{"metric": labels, "values": values}]);
    Answer::Json(json!({"status": "success", "data": {"resultType": "matrix", "result": result}}).to_string())
}

fn incident(setup: &Setup, name: &str) -> Option<Value> {
    let output = setup.command(&["incidents", "--json"]).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).ok()?;
    let incidents = answer["incidents"].as_array()?;
    let found = incidents
        .iter()
        .find(|incident| incident["subject"]["name"] == name);
    found.cloned()
}

#[test]
fn networks_are_learnt_by_the_trainer_judge_live_and_are_there_after_a_restart() {
    let is_broken = Arc::new(AtomicBool::new(false));
    let shared = Arc::clone(&is_broken);
    let stand_in = Sink::start(move |request, _| answer(request, shared.load(Ordering::SeqCst)));
    let job = |detector: &str, template: &str| {
        json!({
            "name": format!("App-{detector}"), "enable": true, "job_type": "anomaly_detection", "detector": detector,
            "template": template, "root_cause_num": 2, "keywords": ["app"],
            "kpis": [{"metric": "sli_rtt", "entity_name": "sli", "atrend": "rise"}],
            "features": [{"metric": "tcp_notack"}, {"metric": "cpu_user"}, {"metric": "mem_used"}],
        })
    };
    let setup = Setup::new();
    let path = |name: &str, job: &Value| {
        let path = setup.path(name);
        std::fs::write(&path, job.to_string()).unwrap();
        path.display().to_string()
    };
    let jobs = [
        path("vae.json", &job("vae", "app")),
        path("usad.json", &job("usad", "net")),
    ];
    let events = setup.path("events.jsonl");
    let setup = setup
        .with("training.enabled", "true")
        .with("entities.enabled", "true")
        .with("entities.prometheus", &stand_in.url())
        .with("entities.jobs", &jobs.join(","))
        // The networks' own step: USAD sees a change by the twelve rows of its trailing mean.
        .with("entities.jobs_step", "5s")
        .with("entities.jobs_each", "1s")
        .with("entities.step", "1s")
        .with("entities.history", "5000s")
        .with("entities.delay", "0s")
        .with("events.schema", "v1")
        .with("events.file", &events.display().to_string());
    let server = setup.start(&["run"]);
    // As the original's start-up log has it: machines, rows and metrics, epochs with both losses.
    server.line("1 machines, fetched in");
    let given = server.line("job `App-vae` :: `m-1` goes to the trainer: ");
    assert!(given.contains("rows × 4 metrics"), "{given}");
    let epoch = server.line("training :: vae of `m-1` for the job `App-vae` :: epoch 2 :: loss");
    assert!(epoch.contains(", validation "), "{epoch}");
    for name in ["App-vae", "App-usad"] {
        server.line(&format!("job `{name}` :: `m-1` is judged by "));
    }
    assert_eq!(incident(&setup, "m-1/App-vae"), None);
    is_broken.store(true, Ordering::SeqCst);
    let found = wait_for("an incident of the autoencoder", || {
        incident(&setup, "m-1/App-vae")
    });
    let sentence = found["anomaly"]["sentence"].as_str().unwrap();
    assert!(sentence.contains("`sli_rtt` of machine_id=m-1"), "{found:#}");
    wait_for("an incident of the pair of autoencoders", || {
        incident(&setup, "m-1/App-usad")
    });
    // What stood out beside the indicator goes along, with the labels of its own series.
    let event = wait_for("an event with its causes", || {
        let text = std::fs::read_to_string(&events).ok()?;
        let all = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut of_app = all.filter(|event| event["Attributes"]["event_type"] == "app");
        of_app.find(|event| event["Resource"]["recommend_metrics"]["tcp_notack"].is_object())
    });
    let resource = &event["Resource"];
    assert_eq!(resource["metrics"], "sli_rtt", "{event:#}");
    assert_eq!(
        resource["recommend_metrics"]["tcp_notack"]["label"]["tgid"], "7",
        "{event:#}"
    );
    assert!(resource["anomaly_count"].as_u64() >= Some(6), "{event:#}");
    assert_eq!(resource["total_count"], 12, "{event:#}");
    server.stop();

    // What was learnt is there again, and nothing is learnt before that.
    let server = setup.start(&["run"]);
    let judged = server.line("`m-1` is judged by ");
    assert!(judged.contains("App-"), "{judged}");
    let ended = server.stop();
    assert!(!ended.log.contains("epoch 1 ::"), "{}", ended.log);
}
