//! Receivers that are machines: an Alertmanager is told of everything, of how it ends, and that it lasts.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::hook::Hook;
use super::world::{Metrics, World};
use crate::common::http_sink::{Answer, HttpSink};
use crate::common::redis::RedisServer;
use crate::common::wait_for;

/// What each metric's alert was sent with, in order; without those that end it under lower severities.
fn alerts(sink: &HttpSink) -> BTreeMap<String, Vec<Value>> {
    let mut alerts: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for request in sink.requests() {
        for alert in request.json().as_array().unwrap() {
            let labels = &alert["labels"];
            if let (Some(name), "warning") = (labels["metric"].as_str(), labels["severity"].as_str().unwrap())
            {
                alerts.entry(name.to_owned()).or_default().push(alert.clone());
            }
        }
    }
    alerts
}

fn time(alert: &Value, name: &str) -> f64 {
    let time: jiff::Timestamp = alert[name].as_str().unwrap().parse().unwrap();
    time.as_second() as f64
}

#[test]
fn an_alertmanager_gets_every_incident_keeps_it_while_it_lasts_and_hears_how_it_ended() {
    let redis = RedisServer::start();
    let mut metrics = Metrics::of(&redis);
    let manager = HttpSink::start(|_| Answer::ok("ok"));
    let world = World::over(
        &redis,
        &format!(
            "[receivers.manager]\ntype = \"alertmanager\"\nurl = \"{}\"\nvalid_for = \"60s\"\nmax_notices = 1\n",
            manager.url()
        ),
    )
    .with("alerts.digest_from", "1")
    .with("alerts.group_wait", "30s");
    // More than a notice for people lists, and than a digest is from.
    let names: Vec<String> = (0..37).map(|number| format!("web{number}.cpu")).collect();
    metrics.bad(&names);
    let running = world.start();
    wait_for("all of them", || {
        (alerts(&manager).len() == names.len()).then_some(())
    });
    world.told(&["ack", "1", "--by", "ann", "--until-resolved"]);
    let taken = world.incidents()[0]["subject"]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    // Each is sent anew before it would be over, the one that somebody has as well, though `repeat` is four hours.
    wait_for("a second word about each of them", || {
        alerts(&manager)
            .values()
            .all(|sent| sent.len() >= 2)
            .then_some(())
    });
    let last = alerts(&manager)[&taken].last().unwrap().clone();
    assert!(
        time(&last, "endsAt") > crate::common::series::now() + 30.0,
        "{last}"
    );
    for (name, sent) in alerts(&manager) {
        let labels: BTreeSet<String> = sent.iter().map(|alert| alert["labels"].to_string()).collect();
        assert_eq!(labels.len(), 1, "{name} is several alerts: {labels:?}");
    }
    metrics.delete(&["web3.cpu"]);
    let outcome = |name: &str| {
        let sent = alerts(&manager);
        let last = sent.get(name)?.last()?.clone();
        let outcome = last["annotations"]["outcome"].as_str()?.to_owned();
        assert!(
            time(&last, "endsAt") <= crate::common::series::now() + 1.0,
            "{last}"
        );
        Some(outcome)
    };
    wait_for("the end of the deleted one", || {
        (outcome("web3.cpu").as_deref() == Some("gone")).then_some(())
    });
    let number = world
        .incidents()
        .iter()
        .find(|incident| incident["subject"]["name"] == "web4.cpu")
        .and_then(|incident| incident["id"].as_u64())
        .unwrap();
    let closed = world.told(&["close", &number.to_string(), "--by", "ann"]);
    assert!(closed.contains("closed") && closed.contains("by ann"), "{closed}");
    wait_for("the end of the closed one", || {
        (outcome("web4.cpu").as_deref() == Some("closed")).then_some(())
    });
    assert_eq!(running.stop().code(), 0);
}

#[test]
fn the_incident_of_a_deleted_metric_has_ended_everywhere_and_for_good() {
    let redis = RedisServer::start();
    let mut metrics = Metrics::of(&redis);
    let hook = Hook::start();
    let world = World::over(&redis, &hook.receiver("hook"));
    metrics.bad(&["web.cpu", "web.mem"]);
    metrics.well(&["web.calm"]);
    let running = world.start();
    hook.wait_for("web.cpu", &["opened"]);
    metrics.delete(&["web.cpu"]);
    hook.wait_for("web.cpu", &["opened", "gone"]);
    let open = |world: &World| world.told(&["incidents"]);
    assert!(!open(&world).contains("web.cpu"), "{}", open(&world));
    let listed = world.told(&["incidents", "--all", "--name", "web.cpu"]);
    assert!(listed.contains("gone") && listed.contains(", at 500"), "{listed}");
    assert_eq!(
        world.count("SELECT count(*) FROM incidents WHERE name = 'web.cpu' AND closed_at IS NULL"),
        0
    );
    assert_eq!(running.stop().code(), 0);
    // The next life neither shows it nor speaks of it.
    let running = world.start();
    running.nth_line(3, "total metrics");
    assert!(!open(&world).contains("web.cpu"), "{}", open(&world));
    assert_eq!(running.stop().code(), 0);
    assert_eq!(hook.of_metrics()["web.cpu"], ["opened", "gone"]);
}
