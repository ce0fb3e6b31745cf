//! A webhook, a file and standard output, each with its own pace.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::{counter, event, number, publish, setup, wait_for_counter};
use crate::common::http_sink::{Answer, HttpSink};
use crate::common::redis::RedisServer;
use crate::common::skywatch::Setup;

fn numbers(lines: &str) -> Vec<u32> {
    let of = |line: &str| number(&serde_json::from_str::<Value>(line).unwrap());
    lines.lines().map(of).collect()
}

fn settings(setup: Setup, webhook: &HttpSink) -> Setup {
    let file = setup.path("events.jsonl").display().to_string();
    setup
        .with("events.file", &file)
        .with("events.stdout", "true")
        .with(
            "events.webhook_url",
            &format!("http://127.0.0.1:{}/hook", webhook.port),
        )
        .with("events.webhook_token", "hunter2")
}

#[test]
fn one_that_is_away_holds_up_no_other_and_gets_all_later() {
    // Away for the first two requests; then it refuses one event for what it is.
    let asked = Arc::new(AtomicUsize::new(0));
    let webhook = HttpSink::start(move |request| {
        let away = asked.fetch_add(1, Ordering::SeqCst) < 2;
        match number(&request.json()) {
            _ if away => Answer::status(503),
            1 => Answer::status(422),
            _ => Answer::status(204),
        }
    });
    let setup = settings(setup(), &webhook);
    let running = setup.start(&["run"]);
    publish(&setup, (0..3).map(|number| event("m1", number)));
    wait_for_counter(&running, "sink.file.sent", 3);
    wait_for_counter(&running, "sink.stdout.sent", 3);
    wait_for_counter(&running, "sink.webhook.sent", 2);
    assert_eq!(counter(&running, "sink.webhook.refused"), 1);
    assert_eq!(counter(&running, "sink.webhook.failures"), 2);
    assert_eq!(counter(&running, "published"), 3);
    let requests = webhook.requests();
    let sent: Vec<_> = requests.iter().map(|request| number(&request.json())).collect();
    assert_eq!(sent, [0, 0, 0, 1, 2]);
    let id = |place: usize| requests[place].header("idempotency-key").unwrap().to_owned();
    assert_eq!(id(0), id(2));
    assert_ne!(id(2), id(3));
    assert_eq!(requests[0].header("authorization"), Some("Bearer hunter2"));
    assert_eq!(requests[0].header("skywatch-event"), Some("anomaly"));
    let file = std::fs::read_to_string(setup.path("events.jsonl")).unwrap();
    assert_eq!(numbers(&file), [0, 1, 2]);
    let ended = running.stop();
    assert_eq!(ended.code(), 0);
    assert_eq!(numbers(&ended.stdout), [0, 1, 2]);
    assert!(
        !ended.log.contains("hunter2") && !ended.log.contains("/hook"),
        "{}",
        ended.log
    );
}

#[test]
fn a_childs_events_come_out_of_its_parent() {
    let redis = RedisServer::start();
    let setup = setup().on(&redis).with("events.stdout", "true");
    let running = setup.start(&["run"]);
    publish(&setup, (0..3).map(|number| event("m1", number)));
    wait_for_counter(&running, "sink.stdout.sent", 3);
    running.child("events");
    let ended = running.stop();
    assert_eq!(numbers(&ended.stdout), [0, 1, 2]);
}

#[test]
fn a_person_asks_whether_a_message_would_arrive() {
    let nobody = crate::common::redis::free_port();
    let webhook = HttpSink::start(|_| Answer::status(204));
    let setup = settings(setup(), &webhook);
    let ended = setup.run(&["events", "test"]);
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert_eq!(webhook.only().json()["Resource"]["metric"], "skywatch_test");
    assert_eq!(
        ended
            .stdout
            .lines()
            .filter(|line| line.ends_with(": taken"))
            .count(),
        3,
        "{}",
        ended.stdout
    );
    let kafka = format!("events.kafka_brokers=127.0.0.1:{nobody}");
    let ended = setup.run(&["events", "test", "--set", &kafka]);
    assert_eq!(ended.code(), 1, "{}", ended.stdout);
    assert!(
        ended
            .stdout
            .contains(&format!("kafka:127.0.0.1:{nobody}: NOT taken: ")),
        "{}",
        ended.stdout
    );
    assert!(
        ended.log.contains("1 of 4 sinks took no message"),
        "{}",
        ended.log
    );
    assert!(setup.run(&["events"]).stdout.contains("nothing was published"));
}
