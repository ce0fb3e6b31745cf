//! From another Skyline's Redis.

use redis::Commands as _;
use skywatch::store::codec;

use super::{a_day, backfill, filled, judged, over, stored};
use crate::common::redis::RedisServer;
use crate::common::skywatch::Setup;

fn encoded(points: &[(f64, f64)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (time, value) in points {
        codec::encode(*time, *value, &mut bytes);
    }
    bytes
}

/// A Skyline with good metrics, in disorder and with repeats, and some that are none.
fn skyline(namespace: &str) -> RedisServer {
    let redis = RedisServer::start();
    let mut raw = redis.connection();
    let mut put = |name: &str, bytes: &[u8]| {
        let key = format!("{namespace}{name}");
        let _: () = raw.append(&key, bytes).unwrap();
        let _: () = raw.sadd(format!("{namespace}unique_metrics"), &key).unwrap();
    };
    let day = a_day(5);
    let mut shuffled = [&day[700..], &day[..700], &day[100..200]].concat();
    shuffled.push((day[1_439].0 - 300_000.0, 1.0));
    put("good", &encoded(&day));
    put("shuffled", &encoded(&shuffled));
    put("garbage", b"\xc1 nonsense");
    let _: () = raw
        .sadd(
            format!("{namespace}unique_metrics"),
            format!("{namespace}nothing"),
        )
        .unwrap();
    redis
}

#[test]
fn one_redis_fills_another_in_canonical_order() {
    let from = skyline("metrics.");
    let redis = RedisServer::start();
    let setup = over(&redis);
    let log = filled(&setup, &["--redis", &from.tcp_url()]);
    assert!(log.contains("4 of 4 fetched"), "{log}");
    assert!(
        log.contains("left out   ") && log.contains("duplicate 100, missing_metrics 1, unreadable_metrics 1"),
        "{log}"
    );
    assert!(log.contains("`garbage` is no series"), "{log}");
    let day = a_day(5);
    for name in ["good", "shuffled"] {
        let found = stored(&redis, name);
        assert!(found.len() >= 1_439, "{name}: {}", found.len());
        assert!(found.is_sorted_by(|a, b| a.0 < b.0));
        assert!(found.iter().all(|point| day.contains(point)));
    }
    // The source is as it was.
    let raw: Vec<u8> = from.connection().get("metrics.shuffled").unwrap();
    assert_eq!(raw.len(), (1_440 + 100 + 1) * 15);
    assert_eq!(judged(setup), (2, 0));
}

#[test]
fn another_namespace_fills_the_embedded_store() {
    let from = skyline("mini.");
    let setup = Setup::new().with("ingest.max_age", "");
    let log = filled(&setup, &["--redis", &from.socket_url(), "--namespace", "mini."]);
    assert!(log.contains("metrics    2\n"), "{log}");
    assert_eq!(judged(setup), (2, 0));
}

#[test]
fn what_is_stored_already_stays_and_nothing_is_doubled_on_reading() {
    let from = skyline("metrics.");
    let redis = RedisServer::start();
    let setup = over(&redis);
    let day = a_day(5);
    let mut raw = redis.connection();
    let _: () = raw.append("metrics.good", encoded(&day[1_000..])).unwrap();
    filled(&setup, &["--redis", &from.socket_url()]);
    let mut series = skywatch_algorithms::Series::default();
    let bytes: Vec<u8> = raw.get("metrics.good").unwrap();
    assert!(bytes.starts_with(&encoded(&day[1_000..])));
    codec::decode(&bytes, &mut series).unwrap();
    series.canonicalise(86_400.0);
    let points: Vec<_> = series.times.into_iter().zip(series.values).collect();
    assert_eq!(points, day[1_440 - points.len()..]);
    assert!(points.len() >= 1_439);
}

#[test]
fn a_store_is_not_filled_from_itself_and_a_source_that_is_away_is_told() {
    let redis = RedisServer::start();
    let setup = over(&redis);
    let ended = backfill(&setup, &["--redis", &redis.socket_url()]);
    assert_eq!(ended.code(), 2);
    assert!(ended.log.contains("is the store itself"), "{}", ended.log);
    let away = format!("redis://:secret@127.0.0.1:{}", crate::common::redis::free_port());
    let ended = backfill(&setup, &["--redis", &away, "--retries", "1"]);
    assert_eq!(ended.code(), 1);
    assert!(ended.log.contains("does not answer"), "{}", ended.log);
    assert!(!ended.log.contains("secret"), "{}", ended.log);
}

/// What is stored before damage is whole, and worth having.
#[test]
fn damaged_tails_cost_only_themselves() {
    let from = RedisServer::start();
    let mut raw = from.connection();
    let day = a_day(5);
    let whole = encoded(&day[1_200..]);
    let nan = [
        &whole[..150],
        b"\x92\xce\x65\x00\x00\x00\xcb\x7f\xf8\0\0\0\0\0\0",
        &whole[150..],
    ]
    .concat();
    for (name, bytes) in [
        ("cut", &whole[..whole.len() - 7]),
        ("garbage.behind", &[&whole[..], b"\xc1 nonsense"].concat()),
        ("no.pair", &[&whole[..], b"\x07", &whole[..15]].concat()),
        ("nan.within", &nan),
        ("whole", &whole),
    ] {
        let _: () = raw.set(format!("metrics.{name}"), bytes).unwrap();
        let _: () = raw
            .sadd("metrics.unique_metrics", format!("metrics.{name}"))
            .unwrap();
    }
    let redis = RedisServer::start();
    let setup = over(&redis);
    let log = filled(&setup, &["--redis", &from.socket_url()]);
    assert!(log.contains("5 of 5 fetched, 0 done before, 0 failed"), "{log}");
    assert!(
        log.contains("left out   damaged_metrics 2, not_finite 1, unfinished 1\n"),
        "{log}"
    );
    for (name, points) in [
        ("cut", 239),
        ("garbage.behind", 240),
        ("no.pair", 240),
        ("nan.within", 240),
    ] {
        assert_eq!(stored(&redis, name), day[1_200..1_200 + points], "{name}");
    }
    // The same from the store itself.
    let replayed =
        setup
            .with("store.url", &from.socket_url())
            .run(&["backtest", "--metrics", "**", "--json"]);
    assert_eq!(replayed.code(), 0, "{}", replayed.log);
    let summary: serde_json::Value = serde_json::from_str(&replayed.stdout).unwrap();
    assert_eq!(summary["metrics"], 5, "{summary}");
    assert_eq!(summary["points"], 239 + 4 * 240, "{summary}");
}
