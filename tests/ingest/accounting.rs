//! Nothing is lost silently: what was sent is what is stored plus what was dropped by name, exactly.

use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use skywatch::ingest::client::Protocol;

use super::node::{Node, stored};
use crate::common::redis::RedisServer;
use crate::common::series::now;
use crate::common::wait_for;

/// Metrics of one client.
const METRICS: usize = 40;
/// Points a client sends at a time.
const CHUNK: usize = 50;
/// Clients of each protocol: fifty in all.
const CLIENTS: [(Protocol, usize); 5] = [
    (Protocol::Carbon, 15),
    (Protocol::Pickle, 10),
    (Protocol::RemoteWrite, 10),
    (Protocol::Msgpack, 10),
    (Protocol::CarbonUdp, 5),
];
/// Points too old to be taken, sent by each client of a protocol in datagrams: drops that must be found again.
const TOO_OLD: usize = 3;

#[test]
fn a_hundred_thousand_points_through_restarts() {
    account(100_000, Duration::from_secs(6));
}

/// `cargo test --release --test tests -- --ignored --nocapture million`
#[test]
#[ignore = "a minute; the same with a tenth of the points runs always"]
fn a_million_points_through_restarts() {
    account(1_000_000, Duration::from_secs(40));
}

fn account(points: usize, time: Duration) {
    let mut redis = RedisServer::start();
    let mut node = Node::start(&redis, &[("max_age", "20000s")]);
    let clients: usize = CLIENTS.iter().map(|(_, n)| n).sum();
    let each = points / clients;
    let base = now() - 10_000.0;
    let sent = AtomicU64::new(0);
    let broken = AtomicU64::new(0);
    // Held for reading while datagrams are under way: they pause while nobody listens.
    let listening = RwLock::new(());
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let mut running = Vec::new();
        let all = CLIENTS
            .iter()
            .flat_map(|&(protocol, n)| std::iter::repeat_n(protocol, n));
        for (number, protocol) in all.enumerate() {
            let (sent, broken, listening) = (&sent, &broken, &listening);
            let mut client = node.client(protocol);
            running.push(scope.spawn(move || {
                let datagrams = matches!(protocol, Protocol::Msgpack | Protocol::CarbonUdp);
                let names: Vec<String> = (0..METRICS)
                    .map(|metric| format!("accounting.client{number}.metric{metric}"))
                    .collect();
                let chunks = each.div_ceil(CHUNK);
                for chunk in 0..chunks {
                    let due = time.mul_f64(chunk as f64 / chunks as f64);
                    std::thread::sleep(due.saturating_sub(begun.elapsed()));
                    let mut points: Vec<_> = (chunk * CHUNK..each.min((chunk + 1) * CHUNK))
                        .map(|n| {
                            (
                                names[n % METRICS].as_str(),
                                base + (n / METRICS) as f64,
                                value(number, n),
                            )
                        })
                        .collect();
                    if datagrams && chunk == chunks / 2 {
                        points.extend([(names[0].as_str(), 1_000_000.0, 1.0); TOO_OLD]);
                    }
                    if datagrams {
                        let _held = listening.read().unwrap();
                        // One line a datagram, so that what the kernel drops is a number of points.
                        points.iter().for_each(|point| client.send(&[*point]).unwrap());
                    } else {
                        client.send(&points).unwrap();
                    }
                    sent.fetch_add(points.len() as u64, Ordering::Relaxed);
                }
                client.finish().unwrap();
                broken.fetch_add(client.broken(), Ordering::Relaxed);
            }));
        }
        std::thread::sleep(time.mul_f64(0.3).saturating_sub(begun.elapsed()));
        let paused = listening.write().unwrap();
        node.stop();
        node.start_again();
        drop(paused);
        std::thread::sleep(time.mul_f64(0.6).saturating_sub(begun.elapsed()));
        redis.stop();
        std::thread::sleep(Duration::from_millis(1_500));
        redis.start_again();
        running.into_iter().for_each(|client| client.join().unwrap());
    });
    wait_for("the queue to empty", || {
        (node.counter("waiting") == 0).then_some(())
    });
    node.stop();

    let found = stored(&redis);
    let mut distinct = 0;
    for (name, series) in &found {
        let numbers = name
            .strip_prefix("accounting.client")
            .and_then(|rest| rest.split_once(".metric"));
        let (client, metric) = numbers.unwrap_or_else(|| panic!("{name}"));
        let (client, metric): (usize, usize) = (client.parse().unwrap(), metric.parse().unwrap());
        for (time, stored) in series {
            let n = (time - base) as usize * METRICS + metric;
            assert_eq!(*stored, value(client, n), "{name} {time}");
        }
        distinct += series.len() as u64;
    }
    let mut drops = node.drops();
    // Half a line or frame of a connection that broke; its sender repeated the whole.
    let unfinished = drops.remove("unfinished").unwrap_or(0);
    let named: u64 = drops.values().sum();
    let sent = sent.into_inner();
    eprintln!(
        "{sent} sent in {:.1} s; {distinct} stored and dropped {drops:?}; {} connections broke, {unfinished} unfinished, \
         {} retried",
        begun.elapsed().as_secs_f64(),
        broken.into_inner(),
        node.total("retried"),
    );
    assert_eq!(distinct + named, sent, "{drops:?}\n{}", node.log());
    assert_eq!(drops.get("too_old"), Some(&(15 * TOO_OLD as u64)), "{drops:?}");
    assert_eq!(found.len(), clients * METRICS);
    assert!(
        node.total("retried") > 0,
        "the restart of the Redis went unnoticed"
    );
}

fn value(client: usize, n: usize) -> f64 {
    (client * 1_000_000 + n) as f64 + 0.5
}

#[test]
fn datagrams_that_find_no_room_are_counted() {
    let mut redis = RedisServer::start();
    let mut node = Node::start(&redis, &[("queue_points", "5000"), ("batch_points", "1000")]);
    let time = now();
    let mut client = node.client(Protocol::Msgpack);
    client.send(&[("first", time, 1.0)]).unwrap();
    node.wait_for_counter("written", 1);
    redis.stop();
    // More than the queue holds and, sent at once, perhaps more than the kernel's buffer does.
    let sent = 20_000u32;
    for n in 0..sent {
        client
            .send(&[(&format!("m{}", n % 100), time - f64::from(n / 100), 1.0)])
            .unwrap();
    }
    wait_for("drops", || (node.counter("dropped.queue_full") > 0).then_some(()));
    redis.start_again();
    wait_for("the queue to empty", || {
        (node.counter("waiting") == 0).then_some(())
    });
    node.stop();
    let distinct: usize = stored(&redis).values().map(Vec::len).sum();
    let drops = node.drops();
    assert_eq!(
        distinct as u64 + drops.values().sum::<u64>(),
        u64::from(sent) + 1,
        "{drops:?}"
    );
    assert!(drops["queue_full"] > 10_000 - 5_000, "{drops:?}");
}
