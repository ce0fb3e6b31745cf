//! Job files of gala-anteater, run over a Prometheus that is a stand-in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::common::sink::{Answer, Request, Sink};
use crate::common::skywatch::Setup;
use crate::common::{http, wait_for};

/// A disk of each of two machines, which waits ten times as long on `m-2` where `is_broken` says so; dropped packets; a Java
/// process that collects all the time on `m-2`.
fn answer(request: &Request, is_broken: bool) -> Answer {
    let number = |name: &str| request.get(name).parse::<f64>().unwrap() as i64;
    let (start, end, step) = (number("start"), number("end"), number("step"));
    let query = request.get("query");
    let series = |labels: Value, value: &dyn Fn(i64) -> f64| {
        let times = (start..=end).step_by(step as usize);
        let values: Vec<Value> = times.map(|time| json!([time, value(time).to_string()])).collect();
        json!({"metric": labels, "values": values})
    };
    let noise = |time: i64| ((time * 7_919) % 97) as f64 / 97.0;
    let is_late = |time: i64| is_broken && time > end - 20;
    let of_machine = |machine: &str| {
        let is_bad = machine == "m-2";
        let disk = json!({"__name__": "disk_r_await", "machine_id": machine, "disk_name": "sda"});
        let jvm = |label: &str, value: &str| json!({"machine_id": machine, "tgid": "7", label: value});
        match query {
            "disk_r_await" => vec![series(disk, &|time| {
                4.0 + noise(time) + if is_bad && is_late(time) { 40.0 } else { 0.0 }
            })],
            // Asked for once something is wrong, and for that machine alone.
            "disk_w_await{machine_id=\"m-2\"}" if is_bad => vec![series(
                json!({"__name__": "disk_w_await", "machine_id": "m-2", "disk_name": "sda", "job": "node"}),
                &|time| 1.0 + noise(time) + if is_late(time) { 90.0 } else { 0.0 },
            )],
            "nic_drop" => vec![series(
                json!({"machine_id": machine, "dev_name": "eth0"}),
                &|_| 0.0,
            )],
            "x_jvm_gc_coll_secs_count" => {
                vec![series(jvm("gc", "PS MarkSweep"), &|time| {
                    if is_bad && is_broken {
                        (time % 1_000_000) as f64
                    } else {
                        3.0
                    }
                })]
            }
            "x_jvm_mem_bytes_used" => vec![series(jvm("area", "heap"), &|_| 80.0)],
            "x_jvm_mem_bytes_max" => vec![series(jvm("area", "heap"), &|_| 100.0)],
            "x_jvm_mem_pool_bytes_used" => vec![series(jvm("pool", "PS Old Gen"), &|_| 90.0)],
            "x_jvm_mem_pool_bytes_max" => vec![series(jvm("pool", "PS Old Gen"), &|_| 100.0)],
            _ => Vec::new(),
        }
    };
    let result: Vec<Value> = ["m-1", "m-2"].into_iter().flat_map(of_machine).collect();
    Answer::Json(json!({"status": "success", "data": {"resultType": "matrix", "result": result}}).to_string())
}

fn incidents(setup: &Setup) -> Vec<Value> {
    let output = setup.command(&["incidents", "--json"]).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    answer["incidents"].as_array().cloned().unwrap_or_default()
}

/// Puts job files into the folder of `setup`; their paths as the setting has them.
fn put_jobs(setup: &Setup, jobs: &[(&str, Value)]) -> String {
    let path = |name: &str, job: &Value| {
        let path = setup.path(name);
        std::fs::write(&path, job.to_string()).unwrap();
        path.display().to_string()
    };
    let paths: Vec<_> = jobs.iter().map(|(name, job)| path(name, job)).collect();
    paths.join(",")
}

#[test]
fn jobs_of_the_original_find_what_they_are_for_and_say_what_they_do_not_use() {
    let is_broken = Arc::new(AtomicBool::new(false));
    let shared = Arc::clone(&is_broken);
    let stand_in = Sink::start(move |request, _| answer(request, shared.load(Ordering::SeqCst)));
    let disk = json!({
        "name": "DiskThroughput", "enable": true, "job_type": "anomaly_detection", "keywords": ["disk"],
        "root_cause_num": 1, "detector": "n-sigma", "template": "sys",
        "kpis": [{"metric": "disk_r_await", "entity_name": "disk", "enable": true, "atrend": "rise", "params": {
            "method": "max", "look_back": 4, "obs_size": 20, "outlier_ratio_th": 0.5,
            "smooth_params": {"method": "conv_smooth", "box_pts": 3}}}],
        "features": [{"metric": "disk_w_await", "priority": 2}],
    });
    let drops = json!({
        "name": "NICLossDetector", "enable": true, "detector": "th-base",
        "kpis": [{"metric": "nic_drop", "params": {"look_back": 2, "th": 1}}],
    });
    let jvm_metric = |name: &str| json!({"metric": format!("x_jvm_{name}"), "params": {"look_back": 2}});
    let jvm_metrics = [
        "gc_coll_secs_count",
        "mem_bytes_used",
        "mem_bytes_max",
        "mem_pool_bytes_used",
        "mem_pool_bytes_max",
    ];
    let jvm_metrics = jvm_metrics.map(jvm_metric);
    let jvm = json!({
        "name": "JVMOutOfMemoryDetector", "enable": true, "detector": "jvm", "template": "jvm",
        "kpis": jvm_metrics,
    });
    let off = json!({"name": "Off", "enable": false});
    let setup = Setup::new();
    let jobs = put_jobs(
        &setup,
        &[
            ("disk.json", disk),
            ("drops.json", drops),
            ("jvm.json", jvm),
            ("off.json", off),
        ],
    );
    let events = setup.path("events.jsonl");
    let setup = setup
        .with("entities.enabled", "true")
        .with("entities.prometheus", &stand_in.url())
        .with("entities.jobs", &jobs)
        .with("entities.jobs_step", "1s")
        .with("entities.jobs_each", "1s")
        .with("entities.step", "1s")
        .with("entities.history", "600s")
        .with("entities.delay", "0s")
        .with("events.file", &events.display().to_string());
    let server = setup.start(&["run"]);
    server.line("job `DiskThroughput` of 1 metrics; not used: ");
    let line = server.line("not used: ");
    assert!(line.contains("not used: kpis[0].atrend"), "{line}");
    server.line("off.json` is not enabled");
    wait_for("all to be well", || {
        let listed = http::get(server.pages(), "/api/v1/entities").json()["entities"].clone();
        let names: Vec<_> = listed
            .as_array()?
            .iter()
            .map(|entity| entity["name"].as_str().unwrap_or_default())
            .collect();
        let is_there = |name: &&str| names.contains(name);
        ["m-1/DiskThroughput", "m-2/DiskThroughput", "m-1/NICLossDetector"]
            .iter()
            .all(is_there)
            .then_some(())
    });
    assert!(incidents(&setup).is_empty());
    is_broken.store(true, Ordering::SeqCst);
    let found = wait_for("two incidents", || {
        Some(incidents(&setup)).filter(|all| all.len() >= 2)
    });
    let of = |name: &str| {
        let found = found.iter().find(|incident| incident["subject"]["name"] == name);
        found.unwrap_or_else(|| panic!("no `{name}` in {found:#?}"))["anomaly"]["sentence"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let sentence = of("m-2/DiskThroughput");
    assert!(
        sentence.contains("`disk_r_await` of disk_name=sda machine_id=m-2"),
        "{sentence}"
    );
    let sentence = of("m-2/JVMOutOfMemoryDetector");
    assert!(
        sentence.contains("`'PS Old Gen'Usage`") && sentence.contains("(0.90)"),
        "{sentence}"
    );
    assert_eq!(found.len(), 2, "{found:#?}");
    // Other programs hear of it in the original's form.
    let event = wait_for("an event", || {
        let text = std::fs::read_to_string(&events).ok()?;
        let mut all = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        all.find(|event| event.to_string().contains("disk_r_await"))
    });
    let text = event.to_string();
    assert!(
        text.contains("\"event_type\":\"sys\"") && text.contains("m-2") && text.contains("disk"),
        "{event:#}"
    );
    // With what stood out on that machine at the time, and all of its labels.
    let causes = event["Resource"]["root_causes"].as_array().unwrap();
    assert_eq!(causes.len(), 1, "{event:#}");
    assert_eq!(
        (&causes[0]["metric"], &causes[0]["labels"]["disk_name"]),
        (&json!("disk_w_await"), &json!("sda")),
        "{event:#}"
    );
}

#[test]
fn a_job_that_is_none_is_named_at_the_start() {
    let setup = Setup::new();
    let wrong = json!({"name": "a", "enable": true, "detector": "oracle", "kpis": []});
    let jobs = put_jobs(&setup, &[("wrong.json", wrong)]);
    let setup = setup
        .with("entities.enabled", "true")
        .with("entities.prometheus", "http://127.0.0.1:9")
        .with("entities.jobs", &jobs);
    let ended = setup.run(&["run"]);
    assert_eq!(ended.code(), 1, "{}", ended.log);
    assert!(
        ended
            .log
            .contains("wrong.json` cannot be used: there is no detector `oracle`"),
        "{}",
        ended.log
    );
}
