//! A crash costs at most one second of input, shown by sequence numbers.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use skywatch::ingest::client::Protocol;

use super::node::{Node, stored};
use crate::common::redis::RedisServer;
use crate::common::series::now;

/// Clients, each with a metric of its own.
const CLIENTS: usize = 10;

#[test]
fn after_a_kill_at_most_a_second_of_input_is_missing() {
    let redis = RedisServer::start();
    let mut node = Node::start(&redis, &[]);
    let to = node.address(Protocol::Carbon);
    let base = now() - 50_000.0;
    let over = AtomicBool::new(false);
    let (written, killed) = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let over = &over;
                scope.spawn(move || {
                    // Nothing is written again: what the crash costs is to be seen.
                    let mut stream = TcpStream::connect(to).unwrap();
                    let mut written = Vec::new();
                    while !over.load(Ordering::Relaxed) {
                        let line = format!(
                            "sequence.{client} {0} {1}\n",
                            written.len(),
                            base + written.len() as f64
                        );
                        let at = Instant::now();
                        if stream.write_all(line.as_bytes()).is_err() {
                            break;
                        }
                        written.push(at);
                        std::thread::sleep(Duration::from_millis(2));
                    }
                    written
                })
            })
            .collect();
        std::thread::sleep(Duration::from_secs(2));
        let killed = Instant::now();
        node.kill_ingest();
        std::thread::sleep(Duration::from_millis(300));
        over.store(true, Ordering::Relaxed);
        let written: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
        (written, killed)
    });
    node.wait_until_it_listens();
    let found = stored(&redis);
    let mut missing = 0;
    let mut oldest = Duration::ZERO;
    for (client, written) in written.iter().enumerate() {
        let series = found
            .get(&format!("sequence.{client}"))
            .cloned()
            .unwrap_or_default();
        assert!(
            series.windows(2).all(|pair| pair[1].1 == pair[0].1 + 1.0),
            "a gap in the middle: {series:?}"
        );
        let before = written.iter().filter(|at| **at < killed).count();
        for at in written.iter().take(before).skip(series.len()) {
            missing += 1;
            oldest = oldest.max(killed.duration_since(*at));
        }
    }
    eprintln!("{missing} points missing, the oldest written {oldest:?} before the kill");
    assert!(oldest <= Duration::from_secs(1), "{oldest:?}");
    assert!(
        missing > 0,
        "a kill that costs nothing came too late to show anything"
    );
}
