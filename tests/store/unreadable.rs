//! What lies under a metric's name but is no series, or is one of a size nobody expects.

use redis::Commands;
use skywatch::store::redis::{RedisConnect, RedisOptions};
use skywatch::store::{Connect, Names, Points, Sample, StoreError, Tail, codec};
use skywatch_algorithms::Series;

use super::Redis;
use super::backends::{Backend, Read, append, fetch, points, tail, whole};
use crate::common::redis::peak_memory;

fn stream(points: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    (0..points).for_each(|minute| codec::encode(1_600_000_000.0 + f64::from(minute), 1.0, &mut bytes));
    bytes
}

fn unreadable<C: std::fmt::Debug>(read: &Read<C>) -> &str {
    match read {
        Read::Unreadable(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_key_of_another_type_is_named_and_the_others_read() {
    let backend = Redis::start();
    let mut store = backend.store();
    let names: Vec<String> = (0..500).map(|number| format!("m{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for name in &names {
        append(&mut store, name, &[(1.0, 1.0), (2.0, 2.0)]);
    }
    let cursors: Vec<_> = names.iter().map(|name| whole(&mut store, name).1).collect();
    let mut raw = backend.server.connection();
    let _: () = raw.del(&["metrics.m7", "metrics.m499"]).expect("a removal");
    let _: () = raw.lpush("metrics.m7", 1).expect("a write");
    let _: () = raw.hset("metrics.m499", "a", 1).expect("a write");

    let reads = fetch(&mut store, &names);
    assert_eq!(unreadable(&reads[7]), "wrong type `list`");
    assert_eq!(unreadable(&reads[499]), "wrong type `hash`");
    assert_eq!(
        reads
            .iter()
            .filter(|read| matches!(read, Read::Found(..)))
            .count(),
        498
    );

    let asks: Vec<_> = names.iter().copied().zip(&cursors).collect();
    let mut wrong = Vec::new();
    let each = &mut |index, _: &mut Series, found| match found {
        Tail::Unchanged => {}
        Tail::Unreadable(why) => wrong.push((index, why.to_string())),
        other => panic!("{index}: {other:?}"),
    };
    store
        .fetch_tails(&asks, &mut Series::default(), each)
        .expect("a read");
    wrong.sort_unstable();
    assert_eq!(
        wrong,
        [
            (7, "wrong type `list`".to_owned()),
            (499, "wrong type `hash`".to_owned())
        ]
    );
}

#[test]
fn points_for_a_key_of_another_type_are_refused_and_the_others_stored() {
    let backend = Redis::start();
    let mut store = backend.store();
    let _: () = backend
        .server
        .connection()
        .lpush("metrics.list", 1)
        .expect("a write");
    let of = |metric| Sample {
        metric,
        time: 1.0,
        value: 1.0,
    };
    let error = store
        .append(&[of("a"), of("list"), of("b")])
        .expect_err("a list takes no points");
    let StoreError::Refused { metrics, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(metrics, &["list"]);
    assert!(!error.is_retryable());
    assert!(
        fetch(&mut store, &["a", "b"])
            .iter()
            .all(|read| matches!(read, Read::Found(..)))
    );
    assert_eq!(store.count().expect("a count"), 3);
}

#[test]
fn garbage_is_told_by_its_first_wrong_byte() {
    let backend = Redis::start();
    let mut store = backend.store();
    let mut raw = backend.server.connection();
    let _: () = raw.set("metrics.garbage", b"not a stream").expect("a write");
    let _: () = raw
        .set("metrics.spoilt", [&stream(10)[..], b"x"].concat())
        .expect("a write");
    let _: () = raw.set("metrics.cut", &stream(10)[..145]).expect("a write");
    let _: () = raw.set("metrics.empty", b"").expect("a write");
    let reads = fetch(&mut store, &["garbage", "spoilt", "cut", "empty"]);
    assert_eq!(unreadable(&reads[0]), "malformed stream at byte 0");
    assert_eq!(unreadable(&reads[1]), "malformed stream at byte 150");
    assert!(matches!(&reads[2], Read::Found(series, _) if series.times.len() == 9));
    assert!(matches!(&reads[3], Read::Found(series, _) if series.times.is_empty()));
}

#[test]
fn a_series_that_is_spoilt_later_is_lost_and_then_unreadable() {
    let backend = Redis::start();
    let mut store = backend.store();
    append(&mut store, "a", &[(1.0, 1.0), (2.0, 2.0)]);
    let (_, cursor) = whole(&mut store, "a");
    let _: () = backend
        .server
        .connection()
        .append("metrics.a", b"garbage")
        .expect("a write");
    assert!(matches!(tail(&mut store, "a", &cursor).0, Tail::Lost));
    assert_eq!(
        unreadable(&fetch(&mut store, &["a"])[0]),
        "malformed stream at byte 30"
    );
}

#[test]
fn sixty_four_megabytes_are_read_and_given_back() {
    let backend = Redis::start();
    let mut store = backend.store();
    let count = (64 << 20) / 15;
    let _: () = backend
        .server
        .connection()
        .set("metrics.huge", stream(count))
        .expect("a write");
    append(&mut store, "small", &[(1.0, 1.0)]);
    let connections = connections(&backend);
    let mut buffer = Series::default();
    let mut lengths = Vec::new();
    let names = ["small", "huge", "small"];
    let outcome = store.fetch(&names, &mut buffer, &mut |_, series, _| {
        lengths.push(series.times.len())
    });
    outcome.expect("a read");
    assert_eq!(lengths, [1, count as usize, 1]);
    assert!(
        buffer.times.capacity() < 1 << 20,
        "the caller's buffer keeps {}",
        buffer.times.capacity()
    );
    assert_eq!(points(&whole(&mut store, "small").0), [(1.0, 1.0)]);
    // Its read buffer can only be given back with the connection: a new one, and one to count them.
    assert_eq!(self::connections(&backend), connections + 2);
    // The stream, its bytes as they came, the decoded points, and what buffers grow ahead.
    let peak = peak_memory(std::process::id());
    assert!(peak < 700 << 20, "peak memory {} MB", peak >> 20);
}

/// How many connections the server has ever had, this one included.
fn connections(backend: &Redis) -> u64 {
    let mut raw = backend.server.connection();
    let info: redis::InfoDict = redis::cmd("INFO")
        .arg("stats")
        .query(&mut raw)
        .expect("an answer");
    info.get("total_connections_received").expect("a number")
}

#[test]
fn a_value_over_the_limit_is_not_read() {
    let backend = Redis::start();
    let url = backend.server.tcp_url();
    let options = RedisOptions {
        url,
        max_value_bytes: 10_000,
        ..RedisOptions::default()
    };
    let mut store = RedisConnect::new(options)
        .expect("good options")
        .connect()
        .expect("entry");
    let mut raw = backend.server.connection();
    let _: () = raw.set("metrics.most", &stream(667)[..10_000]).expect("a write");
    let _: () = raw.set("metrics.more", &stream(667)[..10_001]).expect("a write");
    let reads = fetch(&mut store, &["more", "most"]);
    assert_eq!(unreadable(&reads[0]), "larger than 10000 bytes");
    assert!(matches!(&reads[1], Read::Found(series, _) if series.times.len() == 666));
}

#[test]
fn members_of_the_set_that_are_no_metrics_are_left_out() {
    let backend = Redis::start();
    let mut store = backend.store();
    append(&mut store, "a", &[(1.0, 1.0)]);
    let mut raw = backend.server.connection();
    let _: () = raw.sadd("metrics.unique_metrics", b"stranger").expect("a write");
    let _: () = raw
        .sadd("metrics.unique_metrics", b"metrics.\xff\xfe")
        .expect("a write");
    let mut names = Vec::new();
    store
        .list(&mut |name| names.push(name.to_owned()))
        .expect("a list");
    assert_eq!(names, ["a"]);
}
