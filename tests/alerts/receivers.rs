//! Receivers over HTTP whose servers hang, ask for patience and fail before they behave.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::hook::Hook;
use super::world::{Metrics, World};
use crate::common::http_sink::{Answer, HttpSink, Request};
use crate::common::redis::RedisServer;
use crate::common::wait_for;

/// What each address does with its first requests, before it is well.
fn troubled(request: &Request, times: &Mutex<BTreeMap<String, usize>>) -> Answer {
    let mut times = times.lock().unwrap();
    let time = times.entry(request.line.clone()).or_default();
    *time += 1;
    match (request.line.as_str(), *time) {
        ("POST /v2/enqueue", 1) | ("POST /hook", 2) => Answer::Hang,
        ("POST /slack", 1) | ("POST /hook", 1) => {
            Answer::Say(429, vec![("Retry-After", "1".to_owned())], Vec::new())
        }
        ("POST /api/v2/alerts", 1) => Answer::status(500),
        ("POST /bot/chat.postMessage", 1) => Answer::HangUp,
        ("POST /v2/enqueue", _) => Answer::Say(202, Vec::new(), b"{}".to_vec()),
        (line, _) if line.starts_with("POST /bot/") => {
            Answer::ok(r#"{"ok":true,"channel":"C1","ts":"17.25"}"#)
        }
        _ => Answer::ok("ok"),
    }
}

/// The bodies of the requests to an address that were taken: all but the first `refused`.
fn taken(sink: &HttpSink, line: &str, refused: usize) -> Vec<Value> {
    let requests = sink.requests();
    let to = requests.iter().filter(|request| request.line == line);
    to.skip(refused).map(Request::json).collect()
}

#[test]
fn every_kind_of_receiver_hears_the_beginning_and_the_end_once_however_its_server_behaves() {
    let redis = RedisServer::start();
    let mut metrics = Metrics::of(&redis);
    let times = Mutex::default();
    let sink = HttpSink::start(move |request| troubled(request, &times));
    // Somebody whose server hangs for as long as it is asked.
    let hanging = HttpSink::start(|_| Answer::Hang);
    let well = Hook::start();
    let url = sink.url();
    let config = format!(
        r#"
        [receivers.chat]
        type = "slack"
        webhook_url = "{url}/slack"
        timeout = "2s"
        [receivers.bot]
        type = "slack"
        token = "xoxb-1"
        channel = "C1"
        api_url = "{url}/bot"
        timeout = "2s"
        [receivers.pager]
        type = "pagerduty"
        routing_key = "0123456789abcdef0123456789abcdef"
        api_url = "{url}"
        timeout = "2s"
        [receivers.manager]
        type = "alertmanager"
        url = "{url}"
        timeout = "2s"
        [receivers.hook]
        type = "webhook"
        url = "{url}/hook"
        timeout = "2s"
        [receivers.hanging]
        type = "webhook"
        url = "{}/"
        timeout = "30s"
        {}
        [[routes]]
        name = "payments"
        metrics = ["payments.**"]
        receivers = ["chat", "bot", "pager", "manager", "hook", "hanging", "well"]
        "#,
        hanging.url(),
        well.receiver("well")
    );
    let world = World::over(&redis, &config);
    metrics.bad(&["payments.errors", "other.thing"]);
    let running = world.start();
    // Who hangs keeps nobody waiting.
    well.wait_for("payments.errors", &["opened"]);
    let lines = [
        ("POST /slack", 1),
        ("POST /bot/chat.postMessage", 1),
        ("POST /v2/enqueue", 1),
        ("POST /api/v2/alerts", 1),
        ("POST /hook", 2),
    ];
    for (line, refused) in lines {
        wait_for(&format!("{line} to be taken"), || {
            (taken(&sink, line, refused).len() == 1).then_some(())
        });
    }
    metrics.well(&["payments.errors", "other.thing"]);
    well.wait_for("payments.errors", &["opened", "resolved"]);
    for (line, refused) in lines {
        wait_for(&format!("the end at {line}"), || {
            (taken(&sink, line, refused).len() == 2).then_some(())
        });
    }
    let (slack, bot) = (taken(&sink, lines[0].0, 1), taken(&sink, lines[1].0, 1));
    assert!(slack[0].to_string().contains("payments.errors"), "{}", slack[0]);
    // The bot's second word is in the first one's thread.
    assert_eq!(bot[0]["thread_ts"], Value::Null, "{}", bot[0]);
    assert_eq!(bot[1]["thread_ts"], "17.25", "{}", bot[1]);
    let pager = taken(&sink, lines[2].0, 1);
    assert_eq!(
        [&pager[0]["event_action"], &pager[1]["event_action"]],
        [&json!("trigger"), &json!("resolve")]
    );
    assert_eq!(pager[0]["dedup_key"], pager[1]["dedup_key"]);
    assert!(!pager[0]["dedup_key"].as_str().unwrap().is_empty());
    let manager = taken(&sink, lines[3].0, 1);
    assert_eq!(manager[0][0]["labels"], manager[1][0]["labels"]);
    let hook: Vec<Request> = sink
        .requests()
        .into_iter()
        .filter(|request| request.line == "POST /hook")
        .collect();
    let keys: Vec<&str> = hook
        .iter()
        .map(|request| request.header("idempotency-key").unwrap())
        .collect();
    // Three tries of one notice, then another notice.
    assert_eq!((keys[0], keys[1]), (keys[2], keys[2]));
    assert_ne!(keys[2], keys[3]);
    assert_eq!(well.of_metrics().len(), 1, "{:?}", well.of_metrics());
    assert!(running.log().contains("waits 1.0s"), "{}", running.log());
    let ended = running.stop();
    // What hangs is still under way when the time to end is over: it is not lost.
    assert!(ended.code() <= 1, "{}", ended.log);
    let waiting = "SELECT count(*) FROM notices WHERE state = 'waiting'";
    assert_eq!(
        world.count(waiting),
        world.count(&format!("{waiting} AND receiver = 'hanging'"))
    );
    assert!(world.count(waiting) >= 1);
    assert_eq!(
        world.count("SELECT count(*) FROM notices WHERE state = 'sent'"),
        12
    );
}

#[test]
fn a_failing_receiver_is_told_of_through_another_and_so_is_its_recovery() {
    let redis = RedisServer::start();
    let mut metrics = Metrics::of(&redis);
    let well = Hook::start();
    let broken = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let asked = std::sync::Arc::clone(&broken);
    let moody = Hook::answering(move |_| {
        if asked.load(std::sync::atomic::Ordering::SeqCst) {
            Answer::status(404)
        } else {
            Answer::status(204)
        }
    });
    // A route each, for a machine gets in one notice what one route takes.
    let mut config = well.receiver("well") + &moody.receiver("moody");
    for name in ["a.one", "a.two", "a.three", "**"] {
        config +=
            &format!("[[routes]]\nname = \"{name}\"\nmetrics = [\"{name}\"]\nreceivers = [\"moody\"]\n");
    }
    let world = World::over(&redis, &config);
    metrics.bad(&["a.one", "a.two", "a.three"]);
    let running = world.start();
    // Refused for good: dead letters that people can see, and, after three, a receiver that fails.
    let line = running.nth_line(3, "to `moody` given up");
    assert!(line.contains("404"), "{line}");
    well.wait_for("skywatch.receiver.moody", &["opened"]);
    let dead = world.json(&["notices"]);
    let notice = &dead["notices"][0];
    assert_eq!(notice["receiver"], "moody", "{dead}");
    let id = notice["id"].as_str().unwrap();
    assert!(world.told(&["notices"]).contains("404"));

    broken.store(false, std::sync::atomic::Ordering::SeqCst);
    let wrong = world.ask(&["notices", "retry", "nothing.7"]);
    assert_eq!(wrong.code(), 1, "{}", wrong.log);
    assert!(wrong.log.contains("nothing.7"), "{}", wrong.log);
    assert_eq!(world.ask(&["notices", "retry"]).code(), 2);
    assert_eq!(world.told(&["notices", "retry", id]), "1 notices wait again\n");
    let taken = || -> Vec<String> {
        let told = moody.told();
        told.into_iter().skip(3).map(|told| told.id).collect()
    };
    wait_for("the notice tried again", || (taken() == [id]).then_some(()));
    well.wait_for("skywatch.receiver.moody", &["opened", "resolved"]);
    assert_eq!(
        world.told(&["notices", "retry", "--receiver", "moody"]),
        "2 notices wait again\n"
    );
    wait_for("the others", || (taken().len() == 3).then_some(()));
    assert_eq!(world.told(&["notices"]), "no notice has been given up\n");
    assert!(well.of_metrics().is_empty(), "{:?}", well.of_metrics());
    assert_eq!(running.stop().code(), 0);
}

/// More wait than are kept in memory; what comes later must not go before those that lie in the outbox.
#[test]
fn hundreds_of_notices_to_a_slow_receiver_keep_their_order() {
    let redis = RedisServer::start();
    let mut metrics = Metrics::of(&redis);
    let hook = Hook::after(std::time::Duration::from_millis(8));
    let names: Vec<String> = (0..250).map(|number| format!("many.m{number}")).collect();
    // A route each, for a machine gets in one notice what one route takes.
    let route = |name: &str| {
        format!("[[routes]]\nname = \"{name}\"\nmetrics = [\"={name}\"]\nreceivers = [\"hook\"]\n")
    };
    let routes: String = names.iter().map(|name| route(name)).collect();
    let world = World::over(&redis, &(hook.receiver("hook") + &routes + &route("late")));
    metrics.bad(&names);
    let running = world.start();
    wait_for("some room in memory", || (hook.told().len() >= 55).then_some(()));
    metrics.bad(&["late"]);
    wait_for("all of them", || (hook.told().len() > names.len()).then_some(()));
    assert_eq!(running.stop().code(), 0);
    let told = hook.told();
    assert_eq!(told.len(), names.len() + 1);
    assert_eq!(told[names.len()].items()[0].1, "late");
}
