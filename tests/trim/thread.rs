//! The thread in the real binary.

use std::time::Duration;

use redis::Commands as _;

use super::world::{decoded, encoded, minutes};
use crate::common::redis::RedisServer;
use crate::common::series::now;
use crate::common::skywatch::{Setup, Skywatch};
use crate::common::{carbon, wait_for};

/// An ingest with a window so short that every metric has its turn in every pass.
fn setup(redis: &RedisServer) -> Setup {
    Setup::new()
        .on(redis)
        .with("store.full_duration", "20m")
        .with("analyzer.enabled", "false")
        .with("ingest.trim", "auto")
}

fn put(redis: &RedisServer, metric: &str, bytes: &[u8]) {
    let mut raw = redis.connection();
    let key = format!("metrics.{metric}");
    let _: () = raw.append(&key, bytes).unwrap();
    let _: () = raw.sadd("metrics.unique_metrics", &key).unwrap();
}

fn names(redis: &RedisServer) -> Vec<String> {
    let mut names: Vec<String> = redis.connection().smembers("metrics.unique_metrics").unwrap();
    names.sort_unstable();
    names
}

/// Whether the ingest has a thread that trims. Asked once a point was written: all threads have been started by then.
fn has_trimmer(running: &Skywatch) -> bool {
    carbon::send(running.carbon(), format!("fresh 1 {}\n", now()).as_bytes());
    wait_for("the point", || (running.ingest("written") == 1).then_some(()));
    let threads = std::fs::read_dir(format!("/proc/{}/task", running.child("ingest"))).unwrap();
    threads
        .map(|thread| std::fs::read_to_string(thread.unwrap().path().join("comm")).unwrap())
        .any(|name| name.trim_end() == "trim")
}

#[test]
fn the_ingest_trims_counts_names_garbage_and_ends_at_once() {
    let redis = RedisServer::start();
    let now = now();
    put(&redis, "long", &encoded(&minutes(100, now)));
    put(&redis, "dead", &encoded(&minutes(100, now - 3_600.0)));
    put(&redis, "garbage", b"\xc1nonsense");
    let running = setup(&redis).start(&["run"]);
    let line = running.line("operated on ");
    assert!(
        line.contains("euthanized 1 geriatric keys, removed 0 empty names, blocked 0 times, quarantined 1"),
        "{line}"
    );
    assert!(running.line("no series").contains("`garbage`"));
    assert_eq!(names(&redis), ["metrics.garbage", "metrics.long"]);
    let left: Vec<u8> = redis.connection().get("metrics.long").unwrap();
    let left = decoded(&left);
    assert!((29..=31).contains(&left.len()), "{}", left.len());
    for (counter, value) in [
        ("trim.looked_at", 3),
        ("trim.trimmed", 1),
        ("trim.dead_removed", 1),
        ("trim.quarantined", 1),
        ("trim.failed", 0),
    ] {
        wait_for(counter, || (running.ingest(counter) == value).then_some(()));
    }
    assert_eq!(running.ingest("trim.bytes_freed"), (200 - left.len() as u64) * 15);
    // The dead one comes back.
    carbon::send(running.carbon(), format!("dead 1 {now}\n").as_bytes());
    wait_for("the name", || {
        names(&redis).contains(&"metrics.dead".to_owned()).then_some(())
    });
    let ended = running.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert!(ended.took < Duration::from_secs(2), "{:?}", ended.took);
}

#[test]
fn trimming_is_left_to_a_live_horizon() {
    let redis = RedisServer::start();
    let dead = encoded(&minutes(100, now() - 3_600.0));
    put(&redis, "dead", &dead);
    let _: () = redis.connection().set_ex("horizon", 1_700_000_000, 120).unwrap();
    let running = setup(&redis).start(&["run"]);
    running.line("a Horizon is alive and trims");
    assert_eq!(names(&redis), ["metrics.dead"]);
    running.stop();
    let running = setup(&redis).with("ingest.trim", "on").start(&["run"]);
    running.line("operated on ");
    assert!(names(&redis).is_empty());
    assert!(has_trimmer(&running));
    running.stop();
}

#[test]
fn trimming_can_be_off() {
    let redis = RedisServer::start();
    put(&redis, "dead", &encoded(&minutes(100, now() - 3_600.0)));
    let running = setup(&redis).with("ingest.trim", "off").start(&["run"]);
    assert!(!has_trimmer(&running));
    assert_eq!(names(&redis), ["metrics.dead", "metrics.fresh"]);
    let ended = running.stop();
    assert!(!ended.log.contains("operated on"));
}
