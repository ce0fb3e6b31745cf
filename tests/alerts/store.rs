//! A store that loses what it holds, takes nothing, or hangs: each is said within two passes, and silence is not taken for
//! health.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::hook::Hook;
use super::world::{Metrics, World};
use crate::common::http;
use crate::common::redis::RedisServer;
use crate::common::skywatch::{Skywatch, signal};
use crate::common::wait_for;

/// Two passes of these tests, which are a second, and the time a machine busy with other tests may take to tell of them.
const TWO_PASSES: Duration = Duration::from_secs(20);

fn names() -> Vec<String> {
    (0..25).map(|number| format!("web.m{number}")).collect()
}

/// A world with pages.
fn world(redis: &RedisServer, hook: &Hook) -> World {
    World::over(redis, &hook.receiver("hook"))
        .with("web.enabled", "true")
        .with("alerts.group_interval", "0s")
}

fn redis_does(redis: &RedisServer, words: &[&str]) {
    let mut connection = redis.connection();
    let mut command = redis::cmd(words[0]);
    words[1..].iter().for_each(|word| {
        command.arg(word);
    });
    command.exec(&mut connection).unwrap();
}

/// Waits until a component was told of as ill, no longer than two passes after `begun`.
fn told_within_two_passes(hook: &Hook, component: &str, begun: Instant) {
    hook.wait_for(component, &["opened"]);
    let took = begun.elapsed();
    assert!(took < TWO_PASSES, "{component} was told after {took:?}");
}

/// The only incident about a metric.
fn incident(world: &World, name: &str) -> Value {
    let incidents = world.incidents();
    let mut about = incidents
        .into_iter()
        .filter(|incident| incident["subject"]["name"] == name);
    let incident = about.next().unwrap();
    assert!(about.next().is_none());
    incident
}

fn is_unknown(world: &World, running: &Skywatch) {
    wait_for("the incident to be unknown", || {
        (!incident(world, "web.cpu")["unknown_since"].is_null()).then_some(())
    });
    assert_eq!(incident(world, "web.cpu")["phase"], "open", "{}", running.log());
    assert!(
        world
            .told(&["incidents", "--name", "web.cpu"])
            .contains("unknown since")
    );
}

#[test]
fn what_is_lost_is_told_and_its_incidents_are_unknown_until_it_is_back() {
    let all_names: Vec<String> = names();
    let values: Vec<String> = all_names.iter().map(|name| format!("metrics.{name}")).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let most_values = [&["DEL", "metrics.web.cpu"], &values[..14]].concat();
    let most_names = [
        &["SREM", "metrics.unique_metrics", "metrics.web.cpu"],
        &values[..14],
    ]
    .concat();
    for (fault, said) in [
        (
            &["FLUSHALL"][..],
            "the store holds no metric any more; there were 26",
        ),
        (
            &["DEL", "metrics.unique_metrics"],
            "the store holds no metric any more; there were 26",
        ),
        (
            &most_values,
            "15 of 26 metrics are gone or have lost their points",
        ),
        (&most_names, "15 of 26 metrics are gone or have lost their points"),
    ] {
        let redis = RedisServer::start();
        let hook = Hook::start();
        let mut metrics = Metrics::of(&redis);
        metrics.well(&all_names);
        metrics.bad(&["web.cpu"]);
        let world = world(&redis, &hook);
        let running = world.start();
        hook.wait_for("web.cpu", &["opened"]);
        running.is_well();

        let begun = Instant::now();
        redis_does(&redis, fault);
        told_within_two_passes(&hook, "skywatch.metrics", begun);
        let why = running.is_ill("skywatch.metrics: ");
        assert!(why.contains(said), "{fault:?}: {why}");
        is_unknown(&world, &running);
        let front = http::get(running.pages(), "/").body;
        assert!(front.contains(said), "{front}");
        let ended = running.stop();
        assert_eq!(ended.code(), 0, "{}", ended.log);

        // A start is no recovery.
        let running = world.start();
        running.nth_line(2, "total metrics");
        running.is_ill(said);
        is_unknown(&world, &running);
        let mut metrics = Metrics::of(&redis);
        redis_does(&redis, &["FLUSHALL"]);
        metrics.well(&all_names);
        metrics.well(&["web.cpu"]);
        hook.wait_for("skywatch.metrics", &["opened", "resolved"]);
        running.is_well();
        wait_for("the incident to be known again", || {
            incident(&world, "web.cpu")["unknown_since"]
                .is_null()
                .then_some(())
        });
        assert_eq!(running.stop().code(), 0);
        let said = &hook.of_metrics()["web.cpu"];
        assert!(said.len() <= 2 && said[0] == "opened", "{said:?}");
    }
}

#[test]
fn a_metric_that_goes_alone_is_no_loss() {
    let redis = RedisServer::start();
    let hook = Hook::start();
    let mut metrics = Metrics::of(&redis);
    metrics.well(&names());
    metrics.bad(&["web.cpu"]);
    let world = world(&redis, &hook);
    let running = world.start();
    hook.wait_for("web.cpu", &["opened"]);
    redis_does(&redis, &["DEL", "metrics.web.cpu"]);
    redis_does(&redis, &["SREM", "metrics.unique_metrics", "metrics.web.cpu"]);
    running.line("total metrics :: 25");
    let passes = running.log().matches("total metrics").count();
    running.nth_line(passes + 2, "total metrics");
    running.is_well();
    assert_eq!(running.stop().code(), 0);
    assert!(hook.of_components().is_empty(), "{:?}", hook.of_components());
}

#[test]
fn metrics_that_come_back_with_too_few_points_are_still_lost() {
    let redis = RedisServer::start();
    let hook = Hook::start();
    let mut metrics = Metrics::of(&redis);
    metrics.well(&["web.a", "web.b"]);
    // Judged by its window alone, as one is that nothing was learnt of.
    let world = world(&redis, &hook).with("analyzer.profile", "skyline");
    let running = world.start();
    running.is_well();
    redis_does(&redis, &["FLUSHALL"]);
    // Those it knows get six points, and have no others.
    metrics.well(&["web.a", "web.b"]);
    let begun = Instant::now();
    told_within_two_passes(&hook, "skywatch.metrics", begun);
    running.is_ill("the points of all 2 metrics are gone: 0 have none, 2 too few to judge");
    assert_eq!(running.stop().code(), 0);
}

#[test]
fn a_store_that_throws_keys_away_is_told() {
    let redis = RedisServer::start();
    let hook = Hook::start();
    Metrics::of(&redis).well(&["web.a", "web.b"]);
    let world = world(&redis, &hook);
    let running = world.start();
    running.is_well();
    let mut connection = redis.connection();
    let info: String = redis::cmd("INFO").arg("memory").query(&mut connection).unwrap();
    let used = info
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"))
        .unwrap();
    let limit = used.trim().parse::<u64>().unwrap() + (2 << 20);
    let begun = Instant::now();
    redis_does(&redis, &["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    redis_does(&redis, &["CONFIG", "SET", "maxmemory", &limit.to_string()]);
    told_within_two_passes(&hook, "skywatch.store.policy", begun);
    let policy = hook
        .told()
        .into_iter()
        .find(|told| told.body.to_string().contains("skywatch.store.policy"));
    assert_eq!(
        policy.unwrap().body["incidents"]["items"][0]["severity"],
        "warning"
    );
    running.is_well();
    let begun = Instant::now();
    for number in 0..40 {
        redis_does(&redis, &["SET", &format!("other.{number}"), &"x".repeat(100_000)]);
    }
    told_within_two_passes(&hook, "skywatch.store.evictions", begun);
    running.is_ill("skywatch.store.evictions: the store throws keys away");
    assert_eq!(running.stop().code(), 0);
}

#[test]
fn a_store_that_takes_no_writes_is_told_and_watched() {
    // Each in a world of its own: one that comes again and again flaps, and its ends come later.
    for (fault, cure) in [
        (
            &["CONFIG", "SET", "min-replicas-to-write", "1"][..],
            &["CONFIG", "SET", "min-replicas-to-write", "0"][..],
        ),
        (&["REPLICAOF", "127.0.0.1", "1"], &["REPLICAOF", "NO", "ONE"]),
        (
            &["CONFIG", "SET", "maxmemory", "100kb"],
            &["CONFIG", "SET", "maxmemory", "0"],
        ),
        (
            &["ACL", "SETUSER", "default", "-set"],
            &["ACL", "SETUSER", "default", "+set"],
        ),
    ] {
        let redis = RedisServer::start();
        let hook = Hook::start();
        let mut metrics = Metrics::of(&redis);
        metrics.well(&["web.a"]);
        metrics.bad(&["web.cpu"]);
        let world = world(&redis, &hook);
        let running = world.start();
        running.is_well();
        let begun = Instant::now();
        redis_does(&redis, fault);
        running.is_ill("skywatch.store.writes: the store takes no writes");
        assert!(begun.elapsed() < TWO_PASSES, "{fault:?}: {:?}", begun.elapsed());
        hook.wait_for("skywatch.store.writes", &["opened"]);
        assert!(begun.elapsed() < TWO_PASSES, "{fault:?}: {:?}", begun.elapsed());
        redis_does(&redis, cure);
        running.is_well();
        hook.wait_for("skywatch.store.writes", &["opened", "resolved"]);
        assert_eq!(incident(&world, "web.cpu")["phase"], "open");
        let ended = running.stop();
        assert_eq!(ended.code(), 0, "{}", ended.log);
    }
}

#[test]
fn points_that_the_store_does_not_take_are_told() {
    let redis = RedisServer::start();
    let hook = Hook::start();
    Metrics::of(&redis).well(&["web.a"]);
    let world = world(&redis, &hook).with("ingest.enabled", "true");
    let running = world.start();
    running.is_well();
    redis_does(&redis, &["ACL", "SETUSER", "default", "-append"]);
    let now = crate::common::series::now();
    crate::common::carbon::send(running.carbon(), format!("web.b 1 {now}\n").as_bytes());
    running.is_ill("points have waited for");
    hook.wait_for("skywatch.ingest", &["opened"]);
    redis_does(&redis, &["ACL", "SETUSER", "default", "+append"]);
    hook.wait_for("skywatch.ingest", &["opened", "resolved"]);
    running.is_well();
    assert_eq!(running.stop().code(), 0);
}

#[test]
fn a_hung_store_is_told_in_seconds_and_hangs_no_page() {
    let redis = RedisServer::start();
    let hook = Hook::start();
    let mut metrics = Metrics::of(&redis);
    metrics.well(&["web.a"]);
    metrics.bad(&["web.cpu"]);
    let world = world(&redis, &hook);
    let running = world.start();
    hook.wait_for("web.cpu", &["opened"]);
    running.is_well();
    let pages = running.pages();
    let begun = Instant::now();
    signal(redis.pid(), "STOP");
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        // More pages than there are threads that could wait for the store.
        let askers: Vec<_> = (0..20)
            .map(|number| {
                let path = if number % 2 == 0 {
                    "/"
                } else {
                    "/metric?name=web.cpu"
                };
                std::thread::spawn(move || http::get(pages, path).status)
            })
            .collect();
        for _ in 0..20 {
            running.health();
            let asked = Instant::now();
            assert_eq!(http::get(pages, "/metrics").status, 200);
            assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
            std::thread::sleep(Duration::from_millis(50));
        }
        running.is_ill("does not answer");
        assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
        hook.wait_for("skywatch.store", &["opened"]);
        assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
        is_unknown(&world, &running);
        for asker in askers {
            asker.join().unwrap();
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    }));
    signal(redis.pid(), "CONT");
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
    hook.wait_for("skywatch.store", &["opened", "resolved"]);
    running.is_well();
    assert_eq!(running.stop().code(), 0);
}
