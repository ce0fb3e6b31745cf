//! Carbon lines into a real Redis through the real binary: lines a second from the first byte sent to the last point
//! written, and the processor time each of the three had.
//!
//! `cargo bench --bench ingest`, or `scripts/bench ingest`. Sized by environment variables: `METRICS` (100,000), `ROUNDS`
//! (30, points of each metric), `CLIENTS` (4), `PROTOCOL` (`carbon`, `pickle` or `remote-write`). Long runs tell the
//! memory of the ingest once a minute: `ROUNDS=3400` is about ten. The last line is JSON.

#[path = "harness/processor.rs"]
mod processor;
#[path = "../tests/common/redis.rs"]
mod redis_server;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use processor::processor_seconds;
use redis_server::{RedisServer, free_port};
use skywatch::ingest::client::{Client, Protocol};

/// Time between two looks at the memory.
const LOOK_EACH: Duration = Duration::from_secs(60);
/// Bytes of lines written at a time.
const WRITE_BYTES: usize = 64 * 1024;

fn main() {
    let number = |name: &str, default: usize| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    let (metrics, rounds, clients) = (
        number("METRICS", 100_000),
        number("ROUNDS", 30),
        number("CLIENTS", 4),
    );
    let protocol = std::env::var("PROTOCOL").unwrap_or_else(|_| "carbon".to_owned());
    let redis = RedisServer::start();
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let mut command = Command::new(env!("CARGO_BIN_EXE_skywatch"));
    command
        .args(["child", "ingest"])
        .args(["--store", &redis.socket_url(), "--state-dir"])
        .arg(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null());
    for listener in ["carbon", "pickle", "msgpack", "remote_write"] {
        let wanted = listener.replace('_', "-") == protocol;
        let address = if wanted {
            format!("127.0.0.1:{port}")
        } else {
            String::new()
        };
        command.args(["--set", &format!("ingest.{listener}_listen={address}")]);
    }
    let mut ingest = command.spawn().expect("the binary runs");
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let now = skywatch::clock::unix_now() as u64;
    let begun = Instant::now();
    let used = [ingest.id(), redis.pid(), std::process::id()].map(processor_seconds);
    let (over, until_over) = channel::<()>();
    let watched = ingest.id();
    let watching = std::thread::spawn(move || {
        let mut seen = Vec::new();
        while until_over.recv_timeout(LOOK_EACH) == Err(RecvTimeoutError::Timeout) {
            let megabytes = redis_server::memory(watched, "VmRSS:") as f64 / 1e6;
            eprintln!(
                "after {:.0} s: {megabytes:.1} MB resident",
                begun.elapsed().as_secs_f64()
            );
            seen.push(megabytes);
        }
        seen
    });
    std::thread::scope(|scope| {
        for client in 0..clients {
            let names = (0..metrics).skip(client).step_by(clients);
            let names: Vec<String> = names
                .map(|n| format!("servers.host{:05}.disk.sda{}.read_time", n / 10, n % 10))
                .collect();
            let protocol = protocol.as_str();
            scope.spawn(move || match protocol {
                "carbon" => lines(port, &names, rounds, now),
                other => points(other, port, &names, rounds, now),
            });
        }
    });
    let sent = begun.elapsed();
    let after = [ingest.id(), redis.pid(), std::process::id()].map(processor_seconds);
    drop(over);
    let each_minute = watching.join().expect("nothing in it panics");
    let memory = redis_server::peak_memory(ingest.id()) as f64 / 1e6;
    // Told to stop by the end of its input, it writes what it has and ends.
    drop(ingest.stdin.take());
    let status = ingest.wait().expect("it was started");
    let took = begun.elapsed().as_secs_f64();
    assert!(status.success());
    let total = (metrics * rounds) as f64;
    let [own, server, load] = [0, 1, 2].map(|n| (after[n] - used[n]) * 1e6 / total);
    let stored = count(
        &redis,
        &format!(
            "metrics.servers.host{:05}.disk.sda0.read_time",
            (metrics - 1) / 10
        ),
    );
    assert_eq!(stored, rounds, "points of the last metric");
    eprintln!(
        "{total} points of {metrics} metrics by {protocol} from {clients} clients: sent in {:.1} s, written in {took:.1} s: \
         {:.0} a second",
        sent.as_secs_f64(),
        total / took
    );
    eprintln!(
        "processor time a point: ingest {own:.2} µs, redis {server:.2} µs, the load itself {load:.2} µs: \
         two cores of their own would take {:.0} a second; ingest had {memory:.0} MB at most",
        2e6 / (own + server + load)
    );
    #[expect(clippy::print_stdout, reason = "the figures are what it is run for")]
    {
        println!(
            "{{\"bench\":\"ingest\",\"protocol\":\"{protocol}\",\"metrics\":{metrics},\"points\":{total},\"seconds\":{took:.3},\
             \"points_per_second\":{:.0},\"ingest_us\":{own:.3},\"redis_us\":{server:.3},\"load_us\":{load:.3},\
             \"ingest_mb\":{memory:.1},\"resident_mb\":{each_minute:.1?}}}",
            total / took
        );
    }
}

fn lines(port: u16, names: &[String], rounds: usize, now: u64) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the listener");
    let mut buffer = Vec::with_capacity(WRITE_BYTES + 256);
    for round in 0..rounds {
        let end = format!(
            " {}.{} {}\n",
            100 + round,
            round % 10,
            now - (rounds - round) as u64
        );
        for name in names {
            buffer.extend_from_slice(name.as_bytes());
            buffer.extend_from_slice(end.as_bytes());
            if buffer.len() >= WRITE_BYTES {
                stream.write_all(&buffer).expect("the listener reads");
                buffer.clear();
            }
        }
    }
    stream.write_all(&buffer).expect("the listener reads");
    stream.shutdown(Shutdown::Write).expect("open");
    let _ = stream.read(&mut [0]);
}

fn points(protocol: &str, port: u16, names: &[String], rounds: usize, now: u64) {
    let protocol = match protocol {
        "pickle" => Protocol::Pickle,
        _ => Protocol::RemoteWrite,
    };
    let to = ([127, 0, 0, 1], port).into();
    let mut client = Client::new(protocol, to, Duration::from_secs(60));
    for round in 0..rounds {
        let time = (now - (rounds - round) as u64) as f64;
        for names in names.chunks(2_000) {
            let points: Vec<_> = names.iter().map(|name| (name.as_str(), time, 100.5)).collect();
            client.send(&points).expect("the listener reads");
        }
    }
    client.finish().expect("the listener reads");
}

fn count(redis: &RedisServer, key: &str) -> usize {
    let bytes: usize = redis::cmd("STRLEN")
        .arg(key)
        .query(&mut redis.connection())
        .expect("an answer");
    bytes / skywatch::store::codec::USUAL_POINT_BYTES
}
