//! Every way to a Redis, and every way not to be let in.

use std::time::{Duration, Instant};

use skywatch::store::redis::{RedisConnect, RedisOptions, RedisStore};
use skywatch::store::{Connect, Names, StoreError};

use super::backends::{append, redis_at, whole};
use crate::common::redis::{RedisServer, ServerOptions, free_port};

fn open(options: RedisOptions) -> Result<RedisStore, StoreError> {
    RedisConnect::new(options).expect("good options").connect()
}

fn at(url: String) -> RedisOptions {
    RedisOptions {
        url,
        ..RedisOptions::default()
    }
}

fn refusal(options: RedisOptions) -> StoreError {
    open(options).map(|_| ()).expect_err("no entry")
}

#[test]
fn unix_tcp_and_tls_lead_to_the_same_store() {
    let server = RedisServer::start_with(ServerOptions {
        tls: true,
        ..ServerOptions::default()
    });
    let unix = format!("unix://{}", server.socket().display());
    for (number, url) in [server.socket_url(), unix, server.tcp_url(), server.tls_url()]
        .into_iter()
        .enumerate()
    {
        let ca = url.starts_with("rediss").then(|| server.ca_file());
        let mut store = open(RedisOptions {
            tls_ca_file: ca,
            ..at(url)
        })
        .expect("entry");
        append(&mut store, "a", &[(1_700_000_000.0 + number as f64, 1.0)]);
        assert_eq!(whole(&mut store, "a").0.times.len(), number + 1);
    }
}

#[test]
fn a_certificate_of_a_stranger_is_refused_for_good() {
    let server = RedisServer::start_with(ServerOptions {
        tls: true,
        ..ServerOptions::default()
    });
    let error = refusal(at(server.tls_url()));
    assert!(error.to_string().contains("certificate"), "{error}");
    assert!(!error.is_retryable(), "{error}");
}

#[test]
fn a_port_that_does_not_speak_tls_is_given_up_in_time() {
    let server = RedisServer::start();
    let url = format!("rediss://localhost:{}", server.port());
    let started = Instant::now();
    refusal(RedisOptions {
        connect_timeout: Duration::from_millis(300),
        ..at(url)
    });
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn databases_are_apart() {
    let server = RedisServer::start();
    let url = server.socket_url();
    let mut first = open(at(format!("{url}?db=1"))).expect("entry");
    let mut second = open(at(format!("{}/2", server.tcp_url()))).expect("entry");
    append(&mut first, "a", &[(1.0, 1.0)]);
    assert_eq!(
        (first.count().expect("a count"), second.count().expect("a count")),
        (1, 0)
    );
}

#[test]
fn namespaces_are_apart() {
    let server = RedisServer::start();
    let mut mine = open(RedisOptions {
        namespace: "mine.".to_owned(),
        ..at(server.tcp_url())
    })
    .expect("entry");
    let mut usual = open(at(server.tcp_url())).expect("entry");
    append(&mut mine, "a", &[(1.0, 1.0)]);
    assert_eq!(
        (mine.count().expect("a count"), usual.count().expect("a count")),
        (1, 0)
    );
}

#[test]
fn a_password_opens_and_a_wrong_one_does_not() {
    let server = RedisServer::start_with(ServerOptions {
        password: Some("pä55 word".to_owned()),
        ..Default::default()
    });
    let with = |password: &str| RedisOptions {
        password: Some(password.to_owned()),
        ..at(server.tcp_url())
    };
    open(with("pä55 word")).expect("entry");
    for options in [with("wrong"), at(server.tcp_url())] {
        let error = refusal(options);
        let StoreError::Denied { user, .. } = &error else {
            panic!("{error:?}")
        };
        assert_eq!(user, "default");
        assert!(!error.is_retryable());
        assert!(!error.to_string().contains("wrong word"), "{error}");
    }
}

#[test]
fn an_acl_user_does_what_it_may_and_no_more() {
    let server = RedisServer::start_with(ServerOptions {
        users: vec![
            "skywatch on >secret ~metrics.* +@read +@write +@connection".to_owned(),
            "reader on >secret ~metrics.* +@read".to_owned(),
        ],
        ..ServerOptions::default()
    });
    let user = |name: &str, password: &str| RedisOptions {
        username: Some(name.to_owned()),
        password: Some(password.to_owned()),
        ..at(server.tcp_url())
    };
    let mut store = open(user("skywatch", "secret")).expect("entry");
    append(&mut store, "a", &[(1.0, 1.0)]);
    let in_url = format!("redis://skywatch:secret@127.0.0.1:{}", server.port());
    assert_eq!(open(at(in_url)).expect("entry").count().expect("a count"), 1);

    let mut reader = open(user("reader", "secret")).expect("one who may not ping is in all the same");
    assert_eq!(whole(&mut reader, "a").0.times, [1.0]);
    let batch = [skywatch::store::Sample {
        metric: "a",
        time: 2.0,
        value: 2.0,
    }];
    let error = skywatch::store::Points::append(&mut reader, &batch).expect_err("no right to write");
    assert!(
        matches!(&error, StoreError::Denied { user, .. } if user == "reader"),
        "{error:?}"
    );
    // The connection stays in step after a refusal.
    assert_eq!(whole(&mut reader, "a").0.times, [1.0]);

    for options in [user("skywatch", "wrong"), user("stranger", "secret")] {
        assert!(matches!(refusal(options), StoreError::Denied { .. }));
    }
}

#[test]
fn nobody_there_is_unavailable_and_may_come_back() {
    for url in [
        format!("redis://127.0.0.1:{}", free_port()),
        "unix:///nowhere/redis.sock".to_owned(),
    ] {
        let error = refusal(at(url));
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        assert!(error.is_retryable());
    }
}

#[test]
fn the_description_holds_no_secret() {
    let connect = redis_at("redis://someone:secret@127.0.0.1:7/1");
    assert_eq!(connect.describe(), "redis://127.0.0.1:7/1");
}
