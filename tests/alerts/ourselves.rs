//! What Skywatch tells of itself.

use std::time::{Duration, Instant};

use super::hook::Hook;
use super::world::{Metrics, World};
use crate::common::http_sink::{Answer, HttpSink};
use crate::common::redis::RedisServer;
use crate::common::series::now;
use crate::common::skywatch::signal;
use crate::common::wait_for;

#[test]
fn each_good_pass_is_a_sign_of_life_and_silent_metrics_are_told_once() {
    let redis = RedisServer::start();
    let mut metrics = Metrics::of(&redis);
    let hook = Hook::start();
    let outside = HttpSink::start(|_| Answer::ok("OK"));
    let names: Vec<String> = (0..20).map(|number| format!("web.m{number}")).collect();
    metrics.well(&names);
    metrics.silent_for("db.a", 350.0);
    metrics.silent_for("db.b", 400.0);
    metrics.silent_for("mail.a", 360.0);
    metrics.silent_for("gone.long", 700.0);
    let world = World::over(&redis, &hook.receiver("hook"))
        .with("alerts.heartbeat_url", &format!("{}/ping/s3cr3t", outside.url()));
    let running = world.start();
    wait_for("signs of life", || (outside.requests().len() >= 3).then_some(()));
    assert!(
        outside
            .requests()
            .iter()
            .all(|request| request.line == "GET /ping/s3cr3t")
    );
    let silent = wait_for("the digest of silent metrics", || {
        hook.told().into_iter().find(|told| told.body["kind"] == "silent")
    });
    assert_eq!(silent.body["silent"]["metrics"], 3, "{}", silent.body);
    let namespaces = silent.body["silent"]["namespaces"].to_string();
    assert!(
        namespaces.contains("db.a") && namespaces.contains("mail.a"),
        "{namespaces}"
    );
    assert!(!namespaces.contains("gone.long"), "{namespaces}");
    running.nth_line(6, "total metrics");
    let ended = running.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert!(!ended.log.contains("s3cr3t"), "{}", ended.log);
    let digests = hook
        .told()
        .iter()
        .filter(|told| told.body["kind"] == "silent")
        .count();
    assert_eq!(digests, 1);
}

#[test]
fn so_many_falling_silent_at_once_are_not_told_one_by_one() {
    let redis = RedisServer::start();
    let mut metrics = Metrics::of(&redis);
    let hook = Hook::start();
    metrics.well(&["web.a", "web.b", "web.c"]);
    metrics.silent_for("db.a", 350.0);
    let world = World::over(&redis, &hook.receiver("hook"));
    let running = world.start();
    running.line("1 of 4 metrics have fallen silent at once");
    running.nth_line(3, "total metrics");
    assert_eq!(running.stop().code(), 0);
    assert!(hook.told().is_empty(), "{:?}", hook.told());
}

#[test]
fn no_data_is_told_and_so_is_its_return() {
    let redis = RedisServer::start();
    let mut metrics = Metrics::of(&redis);
    let hook = Hook::start();
    metrics.silent_for("only.one", 310.0);
    let world = World::over(&redis, &hook.receiver("hook"));
    let running = world.start();
    hook.wait_for("skywatch.data", &["opened"]);
    metrics.well(&["another"]);
    hook.wait_for("skywatch.data", &["opened", "resolved"]);
    assert_eq!(running.stop().code(), 0);
}

/// Takes the thirty seconds that a store may be away; one of the longest tests there are.
#[test]
fn slow_a_lost_store_is_told_once_and_so_is_its_return() {
    let mut redis = RedisServer::start();
    let hook = Hook::start();
    Metrics::of(&redis).well(&["web.a"]);
    let world = World::over(&redis, &hook.receiver("hook"));
    let running = world.start();
    running.line("total metrics :: 1");
    redis.stop();
    // Tries are ever further apart: this one comes half a minute after the first.
    running.line("store unreachable, try 8");
    hook.wait_for("skywatch.store", &["opened"]);
    redis.start_again();
    hook.wait_for("skywatch.store", &["opened", "resolved"]);
    assert_eq!(running.stop().code(), 0);
    assert_eq!(hook.of_components()["skywatch.store"], ["opened", "resolved"]);
}

#[test]
fn a_day_is_told_of_once() {
    let redis = RedisServer::start();
    Metrics::of(&redis).well(&["web.a"]);
    let hook = Hook::start();
    let world = World::over(&redis, &hook.receiver("hook")).with("alerts.daily_digest", "00:00");
    // As if the last one had been of two days ago.
    let running = world.start();
    running.line("total metrics");
    assert_eq!(running.stop().code(), 0);
    let history = rusqlite::Connection::open(world.path("state/history.sqlite")).unwrap();
    let before = now() - 2.0 * 86_400.0;
    history
        .execute(
            "INSERT OR REPLACE INTO meta (key, body) VALUES ('daily', ?)",
            [before.to_string()],
        )
        .unwrap();
    drop(history);
    let days = || {
        hook.told()
            .iter()
            .filter(|told| told.body["kind"] == "daily")
            .count()
    };
    for _ in 0..2 {
        let running = world.start();
        wait_for("the digest of the day", || (days() == 1).then_some(()));
        running.nth_line(2, "total metrics");
        assert_eq!(running.stop().code(), 0);
    }
    assert_eq!(days(), 1, "{:?}", hook.told());
}

/// Prometheus marks a series that has ended, and sends NaN for one that has no value: neither is silence.
#[test]
fn who_says_that_there_is_nothing_has_not_fallen_silent() {
    let redis = RedisServer::start();
    let mut metrics = Metrics::of(&redis);
    let hook = Hook::start();
    let names: Vec<String> = (0..30).map(|number| format!("web.m{number}")).collect();
    metrics.well(&names);
    for name in [
        "db.silent",
        "db.ended",
        "db.nan",
        "db.spoke_since",
        "db.nan_long_ago",
    ] {
        metrics.silent_for(name, 350.0);
    }
    metrics.bad(&["web.cpu"]);
    let said = |metric: &str, word: &str, age: f64| {
        let text = format!("{word} {}", now() - age);
        let _: () =
            redis::Commands::set(&mut redis.connection(), format!("skywatch.said.{metric}"), text).unwrap();
    };
    said("db.ended", "ended", 340.0);
    said("db.nan", "no_number", 20.0);
    said("db.spoke_since", "ended", 360.0);
    said("db.nan_long_ago", "no_number", 320.0);
    let world = World::over(&redis, &hook.receiver("hook"));
    let running = world.start();
    let silent = wait_for("the digest of silent metrics", || {
        hook.told().into_iter().find(|told| told.body["kind"] == "silent")
    });
    assert_eq!(silent.body["silent"]["metrics"], 3, "{}", silent.body);
    let namespaces = silent.body["silent"]["namespaces"].to_string();
    for (name, is_told) in [
        ("db.silent", true),
        ("db.spoke_since", true),
        ("db.nan_long_ago", true),
        ("db.ended", false),
        ("\"db.nan\"", false),
    ] {
        assert_eq!(namespaces.contains(name), is_told, "{name}: {namespaces}");
    }
    // What was wrong with a series that has ended is over, and stays over though its last point is young.
    hook.wait_for("web.cpu", &["opened"]);
    said("web.cpu", "ended", 0.0);
    wait_for("the incident to be over", || {
        let explained = world.told(&["explain", "web.cpu"]);
        explained.contains("\nincident: none\n").then_some(())
    });
    running.nth_line(12, "total metrics");
    assert_eq!(world.incidents().len(), 1, "{:?}", world.incidents());
    assert_eq!(running.stop().code(), 0);
}

/// An answer of Redis may take 30 seconds by default; nobody is to learn of an incident so late because of a chart.
#[test]
fn a_store_that_hangs_holds_up_neither_notices_nor_answers() {
    let redis = RedisServer::start();
    let hook = Hook::start();
    Metrics::of(&redis).bad(&["web.a"]);
    let world = World::over(&redis, &hook.receiver("hook")).with("alerts.group_wait", "4s");
    let running = world.start();
    running.line("; incident 1");
    // The notice is due, and its window is not read yet.
    signal(redis.pid(), "STOP");
    let stopped = Instant::now();
    wait_for("the notice", || hook.of_metrics().get("web.a").cloned());
    let told = stopped.elapsed();
    let asked = Instant::now();
    assert!(world.told(&["incidents"]).contains("web.a"));
    let answered = asked.elapsed();
    signal(redis.pid(), "CONT");
    assert!(told < Duration::from_secs(20), "told after {told:?}");
    assert!(answered < Duration::from_secs(5), "answered after {answered:?}");
    assert_eq!(running.stop().code(), 0);
}
