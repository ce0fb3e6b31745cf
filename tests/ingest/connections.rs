//! Many clients, idle clients, clients that go away.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use skywatch::ingest::client::Protocol;

use super::node::{Node, stored};
use crate::common::redis::RedisServer;
use crate::common::series::now;
use crate::common::wait_for;

const STREAMS: [Protocol; 3] = [Protocol::Carbon, Protocol::Pickle, Protocol::RemoteWrite];

/// A line of `/proc/PID/status`, in kB or plain.
fn status(pid: u32, key: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.trim_start_matches(':')
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}

/// Processor time used so far, in hundredths of a second.
fn processor_time(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn open_files(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

#[test]
fn a_thousand_idle_connections_cost_little_and_no_threads() {
    let redis = RedisServer::start();
    let node = Node::start(&redis, &[]);
    let pid = node.ingest_pid();
    let time = now();
    node.client(Protocol::Carbon)
        .send(&[("warm", time, 1.0)])
        .unwrap();
    node.wait_for_counter("written", 1);
    let (memory, threads) = (status(pid, "VmRSS"), status(pid, "Threads"));
    let files = open_files(pid);
    let mut clients: Vec<TcpStream> = (0..1_000)
        .map(|n| TcpStream::connect(node.address(STREAMS[n % STREAMS.len()])).unwrap())
        .collect();
    for (n, client) in clients.iter_mut().enumerate() {
        // Each has said something: carbon clients a line, the others the beginning of a frame or a request.
        match STREAMS[n % STREAMS.len()] {
            Protocol::Carbon => client
                .write_all(format!("idle.{n} 1 {time}\n").as_bytes())
                .unwrap(),
            Protocol::Pickle => client.write_all(b"\0\0\x10\0]").unwrap(),
            _ => client.write_all(b"POST /api/v1/write HTTP/1.1\r\n").unwrap(),
        }
    }
    node.wait_for_counter("connections", 1_001);
    node.wait_for_counter("written", 1 + 334);
    let used = processor_time(pid);
    std::thread::sleep(Duration::from_secs(2));
    let idle = processor_time(pid) - used;
    let more = status(pid, "VmRSS").saturating_sub(memory);
    eprintln!("1,000 idle connections: {more} kB, {idle} hundredths of a second in 2 s");
    assert!(more < 20 * 1_024, "{more} kB");
    assert_eq!(status(pid, "Threads"), threads);
    assert!(
        idle <= 20,
        "{idle} hundredths of a second of processor time while nothing happens"
    );
    // All of them go away, some in the middle of something: nothing spins.
    drop(clients);
    wait_for("all to be gone", || {
        (open_files(pid) < files + STREAMS.len()).then_some(())
    });
    let used = processor_time(pid);
    std::thread::sleep(Duration::from_secs(1));
    let after = processor_time(pid) - used;
    assert!(
        after <= 10,
        "{after} hundredths of a second of processor time after all have gone"
    );
}

#[test]
fn the_silent_are_disconnected_and_one_too_many_turned_away() {
    let redis = RedisServer::start();
    let node = Node::start(&redis, &[("idle_timeout", "4s"), ("max_connections", "3")]);
    let begun = Instant::now();
    let mut clients: Vec<TcpStream> = STREAMS
        .iter()
        .map(|&protocol| TcpStream::connect(node.address(protocol)).unwrap())
        .collect();
    wait_for("three connections", || {
        (node.counter("connections") == 3).then_some(())
    });
    // Whoever has never said a word would have to go.
    for client in &mut clients {
        client.write_all(b"P").unwrap();
    }
    std::thread::sleep(Duration::from_millis(200));
    let mut fourth = TcpStream::connect(node.address(Protocol::Carbon)).unwrap();
    fourth.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(fourth.read(&mut [0]).unwrap(), 0, "turned away");
    for client in &mut clients {
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap(), 0, "disconnected");
    }
    assert!(
        begun.elapsed() >= Duration::from_millis(3_900),
        "{:?}",
        begun.elapsed()
    );
    node.wait_for_counter("connections_refused", 1);
}

#[test]
fn what_had_arrived_before_a_stop_is_stored() {
    let redis = RedisServer::start();
    let mut node = Node::start(&redis, &[]);
    let time = now();
    let mut clients = Vec::new();
    for round in 0..3 {
        for (protocol, points) in [
            (Protocol::Carbon, 5_000),
            (Protocol::Pickle, 5_000),
            (Protocol::Msgpack, 500),
            (Protocol::CarbonUdp, 500),
        ] {
            let names: Vec<String> = (0..points).map(|n| format!("{protocol:?}.{round}.{n}")).collect();
            let points: Vec<_> = names.iter().map(|name| (name.as_str(), time, 1.0)).collect();
            let mut client = node.client(protocol);
            client.send(&points).unwrap();
            // Kept open: its end is not what tells the other side that all was read.
            clients.push(client);
        }
        node.stop();
        node.start_again();
    }
    node.stop();
    assert_eq!(node.drops().len(), 0, "{:?}", node.drops());
    assert_eq!(stored(&redis).len(), 3 * 11_000);
}

/// Silent clients, more than there are slots for; with as few files as the system may allow, they must take neither the
/// slot of a sender nor the descriptor of the connection to Redis.
#[test]
fn a_crowd_of_silent_clients_keeps_nobody_out() {
    let redis = RedisServer::start();
    let node = Node::start_after(&redis, "ulimit -n 300", &[]);
    let time = now();
    let mut relay = node.client(Protocol::Carbon);
    relay.send(&[("relay", time, 1.0)]).unwrap();
    node.wait_for_counter("written", 1);
    let mut silent: Vec<TcpStream> = (0..500)
        .map(|_| TcpStream::connect(node.address(Protocol::Carbon)).unwrap())
        .collect();
    // The connection to Redis is lost, so that the next write needs a new one.
    redis::cmd("CLIENT")
        .arg("KILL")
        .arg("TYPE")
        .arg("normal")
        .exec(&mut redis.connection())
        .unwrap();
    relay.send(&[("relay", time + 1.0, 1.0)]).unwrap();
    node.wait_for_counter("written", 2);
    std::thread::sleep(Duration::from_millis(1_100));
    // Those who come later are let in, at the cost of the silent ones.
    for n in 0..20 {
        let mut client = node.client(Protocol::Carbon);
        client.send(&[("late", time + f64::from(n), 1.0)]).unwrap();
        client.finish().unwrap();
    }
    node.wait_for_counter("written", 22);
    assert_eq!(relay.broken(), 0, "a sender was cut off");
    assert!(node.counter("connections_evicted") > 0);
    assert_eq!(node.counter("accepts_failed"), 0);
    silent.clear();
}

#[test]
fn the_limit_of_open_files_is_raised_as_far_as_it_goes() {
    let redis = RedisServer::start();
    let node = Node::start_after(&redis, "ulimit -Sn 200", &[]);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", node.ingest_pid())).unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[3], words[4], "{line}");
}
