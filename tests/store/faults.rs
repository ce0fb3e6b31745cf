//! A server that goes away, comes back, is full, or takes no writes; a connection cut in mid-reply.

use std::time::{Duration, Instant};

use skywatch::store::redis::{RedisConnect, RedisOptions};
use skywatch::store::{Connect, Names, Points, Sample, Store, StoreError};
use skywatch_algorithms::Series;

use super::Redis;
use super::backends::{Backend, Read, append, fetch, points, redis_at, whole};
use crate::common::proxy::Proxy;
use crate::common::redis::{RedisServer, ServerOptions};

fn minutes(count: u32) -> Vec<(f64, f64)> {
    (0..count)
        .map(|minute| (1_700_000_000.0 + 60.0 * f64::from(minute), f64::from(minute)))
        .collect()
}

fn samples<'a>(names: &'a [String], points: &[(f64, f64)]) -> Vec<Sample<'a>> {
    let of = |metric: &'a String| {
        points.iter().map(move |(time, value)| Sample {
            metric,
            time: *time,
            value: *value,
        })
    };
    names.iter().flat_map(of).collect::<Vec<_>>()
}

fn names(count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("servers.host{number}.load"))
        .collect()
}

#[test]
fn a_read_cut_in_mid_reply_keeps_what_it_had_and_the_handle_goes_on() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let mut store = redis_at(&proxy.url()).connect().expect("entry");
    let names = names(200);
    store.append(&samples(&names, &minutes(100))).expect("a write");
    let asked: Vec<&str> = names.iter().map(String::as_str).collect();
    // A reply is about 1,500 bytes and its header.
    for cut in [3, 700, 1_500, 20_000, 100_001] {
        proxy.cut_after(cut);
        let mut good = Vec::new();
        let mut each = |index: usize, series: &mut Series, _| {
            assert_eq!(points(series), minutes(100));
            good.push(index);
        };
        let error = store
            .fetch(&asked, &mut Series::default(), &mut each)
            .expect_err("a cut");
        assert!(
            matches!(error, StoreError::Unavailable { .. }) && error.is_retryable(),
            "{error:?}"
        );
        assert!(
            good.len() <= cut as usize / 1_500,
            "{} metrics out of {cut} bytes",
            good.len()
        );
        assert!(
            fetch(&mut store, &asked)
                .iter()
                .all(|read| matches!(read, Read::Found(..)))
        );
    }
}

#[test]
fn a_batch_cut_in_mid_reply_is_whole_once_it_is_sent_again() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let mut store = redis_at(&proxy.url()).connect().expect("entry");
    let names = names(3_000);
    let batch = samples(&names, &minutes(2));
    for cut in [0, 1, 5_000] {
        proxy.cut_after(cut);
        let error = store.append(&batch).expect_err("a cut");
        assert!(error.is_retryable(), "{error:?}");
    }
    store.append(&batch).expect("a write");
    assert_eq!(store.count().expect("a count"), 3_000);
    let asked: Vec<&str> = names.iter().map(String::as_str).collect();
    for read in fetch(&mut store, &asked) {
        let Read::Found(mut series, _) = read else {
            panic!("{read:?}")
        };
        series.canonicalise(1e9);
        assert_eq!(points(&series), minutes(2));
    }
}

#[test]
fn a_panic_in_a_callback_does_not_put_later_replies_out_of_step() {
    let backend = Redis::start();
    let mut store = backend.store();
    append(&mut store, "a", &minutes(3));
    append(&mut store, "b", &minutes(5));
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let each = &mut |_, _: &mut Series, _| panic!("a detector fell over");
        let _ = store.fetch(&["a", "b", "a"], &mut Series::default(), each);
    }));
    assert!(caught.is_err());
    assert_eq!(points(&whole(&mut store, "b").0), minutes(5));
}

#[test]
fn a_server_that_stops_and_comes_back_costs_errors_and_no_data() {
    let mut backend = Redis::start();
    let mut store = backend.store();
    append(&mut store, "a", &minutes(10));
    backend.server.stop();
    for _ in 0..3 {
        let batch = [Sample {
            metric: "a",
            time: 1.0,
            value: 1.0,
        }];
        let errors = [
            store.append(&batch).expect_err("nobody there"),
            store.ping().expect_err("nobody there"),
            store.count().expect_err("nobody there"),
            store
                .fetch(&["a"], &mut Series::default(), &mut |_, _, _| ())
                .expect_err("nobody there"),
        ];
        for error in errors {
            assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        }
    }
    backend.server.start_again();
    store.ping().expect("the handle has reconnected");
    assert_eq!(points(&whole(&mut store, "a").0), minutes(10));
}

#[test]
fn a_restart_between_two_calls_goes_unnoticed_by_ping() {
    let mut backend = Redis::start();
    let mut store = backend.store();
    store.ping().expect("an answer");
    backend.server.restart();
    store.ping().expect("an answer over a new connection");
}

#[test]
fn a_full_server_is_reported_as_that_and_still_read() {
    let options = ServerOptions {
        maxmemory: Some("4mb".to_owned()),
        ..ServerOptions::default()
    };
    let server = RedisServer::start_with(options);
    let mut store = redis_at(&server.socket_url()).connect().expect("entry");
    append(&mut store, "a", &minutes(10));
    let names = names(100);
    let batch = samples(&names, &minutes(200));
    let error = (0..1_000)
        .find_map(|_| store.append(&batch).err())
        .expect("memory has an end");
    assert!(
        matches!(error, StoreError::OutOfMemory { .. }) && error.is_retryable(),
        "{error:?}"
    );
    assert_eq!(points(&whole(&mut store, "a").0), minutes(10));
    let mut raw = server.connection();
    redis::cmd("CONFIG")
        .arg("SET")
        .arg("maxmemory")
        .arg(0)
        .exec(&mut raw)
        .expect("a setting");
    store.append(&batch).expect("room again");
}

#[test]
fn a_replica_is_read_only() {
    let primary = RedisServer::start();
    let replicaof = format!("127.0.0.1 {}", primary.port());
    let arguments = vec!["--replicaof".to_owned(), replicaof];
    let replica = RedisServer::start_with(ServerOptions {
        arguments,
        ..ServerOptions::default()
    });
    let mut store = redis_at(&replica.socket_url()).connect().expect("entry");
    let batch = [Sample {
        metric: "a",
        time: 1.0,
        value: 1.0,
    }];
    let error = store.append(&batch).expect_err("no writes here");
    assert!(
        matches!(error, StoreError::ReadOnly { .. }) && error.is_retryable(),
        "{error:?}"
    );
}

#[test]
fn a_server_that_hangs_is_given_up_in_time() {
    let server = RedisServer::start();
    let options = RedisOptions {
        url: server.tcp_url(),
        response_timeout: Duration::from_millis(200),
        ..RedisOptions::default()
    };
    let mut store = RedisConnect::new(options)
        .expect("good options")
        .connect()
        .expect("entry");
    append(&mut store, "a", &minutes(1));
    let mut raw = server.connection();
    redis::cmd("CLIENT")
        .arg("PAUSE")
        .arg(1_000)
        .arg("ALL")
        .exec(&mut raw)
        .expect("a pause");
    let started = Instant::now();
    let error = store
        .fetch(&["a"], &mut Series::default(), &mut |_, _, _| ())
        .expect_err("no answer");
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(
        started.elapsed() < Duration::from_millis(900),
        "{:?}",
        started.elapsed()
    );
    redis::cmd("PING")
        .exec(&mut raw)
        .expect("an answer once the pause is over");
    // The late reply to the first question is not taken for the reply to this one.
    append(&mut store, "b", &minutes(2));
    assert_eq!(points(&whole(&mut store, "b").0), minutes(2));
}
