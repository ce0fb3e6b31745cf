//! A store that cannot take points: said as what it is, tried again, and nothing lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use skywatch::ingest::client::Protocol;

use super::node::{Node, stored};
use crate::common::redis::{RedisServer, ServerOptions};
use crate::common::series::now;
use crate::common::wait_for;

fn config(redis: &RedisServer, key: &str, value: &str) {
    redis::cmd("CONFIG")
        .arg("SET")
        .arg(key)
        .arg(value)
        .exec(&mut redis.connection())
        .unwrap();
}

#[test]
fn a_redis_out_of_memory_is_named_and_waited_for() {
    let redis = RedisServer::start_with(ServerOptions {
        maxmemory: Some("100mb".to_owned()),
        ..ServerOptions::default()
    });
    let mut node = Node::start(&redis, &[]);
    let time = now();
    let mut client = node.client(Protocol::Pickle);
    client.send(&[("a", time - 1.0, 1.0)]).unwrap();
    node.wait_for_counter("written", 1);
    config(&redis, "maxmemory", "1");
    let names: Vec<String> = (0..2_000).map(|n| format!("held.{n}")).collect();
    let points: Vec<_> = names.iter().map(|name| (name.as_str(), time, 2.0)).collect();
    client.send(&points).unwrap();
    node.line("is out of memory");
    node.line("hint: free space, or raise `maxmemory`");
    wait_for("points to be waiting", || {
        (node.counter("waiting") == 2_000).then_some(())
    });
    wait_for("their age", || {
        (node.counter("oldest_waiting_ms") > 1_000).then_some(())
    });
    config(&redis, "maxmemory", "0");
    node.wait_for_counter("written", 2_001);
    node.line("the store takes points again");
    node.stop();
    assert_eq!(node.drops().len(), 0);
    assert!(node.total("retried") > 0);
    assert_eq!(stored(&redis).len(), 2_001);
}

#[test]
fn a_read_only_redis_is_named_and_connections_feel_the_full_queue() {
    let redis = RedisServer::start();
    let mut node = Node::start(&redis, &[("queue_points", "1000"), ("batch_points", "1000")]);
    let time = now();
    redis::cmd("REPLICAOF")
        .arg("127.0.0.1")
        .arg(1)
        .exec(&mut redis.connection())
        .unwrap();
    let names: Vec<String> = (0..100_000)
        .map(|n| format!("a.rather.long.name.of.a.metric.{n}"))
        .collect();
    let points: Vec<_> = names.iter().map(|name| (name.as_str(), time, 2.0)).collect();
    let sent = Arc::new(AtomicUsize::new(0));
    let sending = std::thread::spawn({
        let sent = Arc::clone(&sent);
        let mut client = node.client(Protocol::Carbon);
        let points: Vec<_> = points
            .iter()
            .map(|(name, time, value)| ((*name).to_owned(), *time, *value))
            .collect();
        move || {
            for points in points.chunks(1_000) {
                let points: Vec<_> = points
                    .iter()
                    .map(|(name, time, value)| (name.as_str(), *time, *value))
                    .collect();
                client.send(&points).unwrap();
                sent.fetch_add(points.len(), Ordering::Relaxed);
            }
            client.finish().unwrap();
        }
    });
    node.line("is read-only");
    // The sender stands still once the queue and the buffers of the connection are full, and not before.
    let mut last = (0, Instant::now());
    wait_for("the sender to stand still", || {
        assert!(!sending.is_finished(), "the sender does not feel it");
        assert!(node.counter("waiting") <= 4_000, "{}", node.counter("waiting"));
        let now = sent.load(Ordering::Relaxed);
        if now != last.0 {
            last = (now, Instant::now());
        }
        (now > 0 && last.1.elapsed() > Duration::from_secs(1)).then_some(())
    });
    assert!(node.counter("waiting") > 0);
    redis::cmd("REPLICAOF")
        .arg("NO")
        .arg("ONE")
        .exec(&mut redis.connection())
        .unwrap();
    sending.join().unwrap();
    node.wait_for_counter("written", 100_000);
    node.stop();
    assert_eq!(node.drops().len(), 0);
    assert_eq!(stored(&redis).len(), 100_000);
}
