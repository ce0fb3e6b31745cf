//! A Redis that sentinels watch: points go to whoever is the primary.

use std::time::Duration;

use skywatch::ingest::client::{Client, Protocol};
use skywatch::store::redis::{RedisConnect, RedisOptions, SentinelOptions};
use skywatch::store::{Connect as _, Points as _, Sample, StoreError};

use super::node::{Node, stored};
use crate::common::sentinels::{PRIMARY, WatchedPair};
use crate::common::series::now;
use crate::common::skywatch::{Setup, signal};

fn over(pair: &WatchedPair) -> Setup {
    Setup::new()
        // Nobody is at this address: it is the sentinels' to say.
        .with("store.url", "redis://primary.invalid/0")
        .with("store.sentinels", &pair.addresses())
        .with("store.sentinel_primary", PRIMARY)
}

#[test]
fn points_follow_the_primary_and_none_is_lost() {
    let mut pair = WatchedPair::start();
    let mut node = Node::start_from(over(&pair), &[]);
    let mut client = node.client(Protocol::Pickle);
    let time = now();
    let names: Vec<String> = (0..1_000).map(|n| format!("host.{n}")).collect();
    let points = |time: f64| -> Vec<(&str, f64, f64)> {
        names.iter().map(|name| (name.as_str(), time, 1.0)).collect()
    };
    client.send(&points(time - 60.0)).unwrap();
    node.wait_for_counter("written", 1_000);
    // What a replica does not have yet is lost with its primary, whatever a client does.
    pair.wait_for_replica();
    pair.servers[0].kill();
    client.send(&points(time)).unwrap();
    node.line(&format!("redis-sentinel://{PRIMARY}/0"));
    node.wait_for_counter("written", 2_000);
    let all = stored(&pair.servers[1]);
    assert_eq!(all.len(), 1_000);
    assert!(all.values().all(|points| points.len() == 2), "{all:?}");
    // The one that was the primary comes back empty-handed, and gets nothing.
    pair.servers[0].start_again();
    client.send(&points(time + 1.0)).unwrap();
    node.wait_for_counter("written", 3_000);
    assert!(stored(&pair.servers[1]).values().all(|points| points.len() == 3));
    node.stop();
    assert_eq!(node.drops().len(), 0);
}

/// A primary that stood still is one still when it wakes, until a sentinel comes by: what it takes then would be gone.
#[test]
fn points_that_a_primary_takes_after_it_was_replaced_go_to_its_successor() {
    let pair = WatchedPair::start();
    let mut node = Node::start_from(over(&pair), &[]);
    let mut client = node.client(Protocol::Pickle);
    let time = now();
    let send = |client: &mut Client, name: &str| client.send(&[(name, time, 1.0)]).unwrap();
    send(&mut client, "before");
    node.wait_for_counter("written", 1);
    pair.wait_for_replica();
    signal(pair.servers[0].pid(), "STOP");
    send(&mut client, "while.it.stands");
    pair.wait_for_successor();
    // These sentinels are quicker than any real ones: an answer that took less than a second is not asked about.
    std::thread::sleep(Duration::from_millis(1_500));
    signal(pair.servers[0].pid(), "CONT");
    send(&mut client, "after");
    node.wait_for_counter("written", 3);
    let names: Vec<String> = stored(&pair.servers[1]).into_keys().collect();
    assert_eq!(names, ["after", "before", "while.it.stands"]);
    node.stop();
    assert_eq!(node.drops().len(), 0);
}

#[test]
fn what_sentinels_do_not_know_is_said() {
    let pair = WatchedPair::start();
    let connect = |ports: &[u16], primary: &str| {
        let connect = RedisConnect::new(RedisOptions {
            url: "redis://primary.invalid".to_owned(),
            sentinels: Some(SentinelOptions {
                addresses: ports.iter().map(|port| ("127.0.0.1".to_owned(), *port)).collect(),
                primary: primary.to_owned(),
                username: None,
                password: None,
            }),
            ..RedisOptions::default()
        });
        connect.unwrap().connect()
    };
    let closed = crate::common::redis::free_port();
    // One that is away is passed over.
    let mut store = connect(&[closed, pair.ports[0]], PRIMARY).unwrap();
    let sample = Sample {
        metric: "a",
        time: 1.0,
        value: 1.0,
    };
    store.append(&[sample]).unwrap();
    assert_eq!(stored(&pair.servers[0]).len(), 1);
    for (ports, primary, words) in [
        (&pair.ports[..1], "others", "knows no primary called `others`"),
        (
            &[closed][..],
            PRIMARY,
            &format!("the sentinel 127.0.0.1:{closed}"),
        ),
    ] {
        match connect(ports, primary).map(|_| ()) {
            Err(StoreError::Unavailable { reason, .. }) => assert!(reason.contains(words), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
}
