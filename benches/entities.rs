//! What a look at entities costs: 111 metrics of 100 entities from a Prometheus, in the real binary.
//!
//! `scripts/bench entities`; `METRICS` (111), `ENTITIES` (100), `STEP` (60, seconds) and `LOOKS` (3) may be set. Processor seconds of the process
//! that watches, from `/proc`: answers are read, parsed, put into rings and judged, incidents and scores written down. The Prometheus is this
//! bench, whose own time does not count. The first look fetches the whole history; then all entities are learnt; then the looks
//! that are measured begin, `STEP` seconds apart.

#![expect(clippy::print_stdout, reason = "a bench talks")]

mod harness;
#[path = "harness/processor.rs"]
mod processor;

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use processor::processor_seconds;

/// Steps that are learnt from: a day of minutes.
const HISTORY: u64 = 1_440;

fn number(name: &str, usual: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn main() {
    let (metrics, entities) = (number("METRICS", 111), number("ENTITIES", 100));
    let (step, looks) = (number("STEP", 60), number("LOOKS", 3));
    let prometheus = prometheus(entities);
    let redis = harness::RedisServer::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("skywatch.toml");
    let names: Vec<String> = (0..metrics).map(|metric| format!("\"m{metric}\"")).collect();
    let text = format!(
        "[entities]\nenabled = true\nprometheus = \"http://{prometheus}\"\nmetrics = [{}]\nstep = \"{step}s\"\nhistory = \"{}s\"\n\
         delay = \"2s\"\n",
        names.join(", "),
        HISTORY * step
    );
    std::fs::write(&config, text).expect("the folder is writable");
    let state = folder.path().join("state");
    let mut skywatch = start(&redis, &config, &state);
    let begun = Instant::now();
    wait(&state, "looks", 1);
    let watcher = watcher(skywatch.id());
    println!(
        "the first look, {HISTORY} steps of {metrics} metrics × {entities} entities: {:.1} s, {:.2} processor seconds",
        begun.elapsed().as_secs_f64(),
        processor_seconds(watcher)
    );
    wait(&state, "fits", entities);
    println!(
        "all learnt after {:.1} s, {:.2} processor seconds",
        begun.elapsed().as_secs_f64(),
        processor_seconds(watcher)
    );
    let before = wait(&state, "looks", counter(&state, "looks") + 1);
    let at = processor_seconds(watcher);
    wait(&state, "looks", before + looks);
    let spent = processor_seconds(watcher) - at;
    println!(
        "a look each {step} s: {:.3} processor seconds, of {looks}",
        spent / looks as f64
    );
    // What was started here ends here.
    let _ = skywatch.kill();
    let _ = skywatch.wait();
}

/// The binary without an analyzer.
fn start(redis: &harness::RedisServer, config: &Path, state: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_skywatch"))
        .args(["run", "--config"])
        .arg(config)
        .env("SKYWATCH__STORE__URL", redis.socket_url())
        .env("SKYWATCH__STATE_DIR", state)
        .env("SKYWATCH__INGEST__ENABLED", "false")
        .env("SKYWATCH__ANALYZER__ENABLED", "false")
        .env("SKYWATCH__WEB__ENABLED", "false")
        .env("SKYWATCH__LOG__LEVEL", "error")
        .stdout(Stdio::null())
        .spawn()
        .expect("the binary starts")
}

/// The child that watches entities.
fn watcher(parent: u32) -> u32 {
    let of = |text: &str| text.split('\0').any(|word| word == "entities");
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    let children = children.expect("Linux lists children");
    let mut pids = children.split_whitespace().filter_map(|pid| pid.parse().ok());
    let found = pids.find(|pid: &u32| {
        std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|text| of(&text))
    });
    found.expect("a child that watches")
}

fn counter(state: &Path, name: &str) -> u64 {
    let text = std::fs::read(state.join("status/entities.json")).unwrap_or_default();
    let status: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    let counters = status["counters"].as_array().cloned().unwrap_or_default();
    let found = counters.iter().find(|counter| counter[0] == name);
    found.and_then(|counter| counter[1].as_u64()).unwrap_or(0)
}

/// Waits until a counter is so high; what it is then.
fn wait(state: &Path, name: &str, value: u64) -> u64 {
    let due = Instant::now() + Duration::from_secs(1_800);
    loop {
        let now = counter(state, name);
        if now >= value {
            return now;
        }
        assert!(Instant::now() < due, "no {value} {name} in half an hour");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Answers range queries for all entities, as long as the bench runs.
fn prometheus(entities: u64) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound address");
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            std::thread::spawn(move || serve(&client, entities));
        }
    });
    address
}

fn serve(client: &TcpStream, entities: u64) {
    let mut reader = BufReader::new(client);
    loop {
        let (mut request, mut length, mut line) = (String::new(), 0, String::new());
        while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
            if request.is_empty() {
                request.clone_from(&line);
            }
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            line.clear();
        }
        if request.is_empty() {
            return;
        }
        let mut body = vec![0; length];
        if std::io::Read::read_exact(&mut reader, &mut body).is_err() {
            return;
        }
        let asked = format!("{request}&{}", String::from_utf8_lossy(&body));
        let answer = answer(&asked, entities);
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        );
        let mut client = client;
        let sent = client
            .write_all(head.as_bytes())
            .and_then(|()| client.write_all(answer.as_bytes()));
        if sent.is_err() {
            return;
        }
    }
}

fn answer(asked: &str, entities: u64) -> String {
    let parameter = |name: &str| {
        let found = asked
            .split(['?', '&', ' ', '\n', '\r'])
            .find_map(|part| part.strip_prefix(name));
        found.unwrap_or_default().to_owned()
    };
    let time = |name: &str| parameter(name).parse::<f64>().unwrap_or(0.0) as u64;
    let (start, end, step) = (time("start="), time("end="), time("step=").max(1));
    let metric = parameter("query=").bytes().fold(7u64, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(byte))
    });
    let mut text = String::from("{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[");
    for entity in 0..entities {
        let comma = if entity == 0 { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "{comma}{{\"metric\":{{\"instance\":\"10.0.0.{entity}:9100\"}},\"values\":["
        );
        for (place, at) in (start..=end).step_by(step as usize).enumerate() {
            let comma = if place == 0 { "" } else { "," };
            let noise = (at ^ metric ^ (entity << 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
            let wave = (at as f64 / 13_750.0 + entity as f64).sin();
            let _ = write!(text, "{comma}[{at},\"{:.6}\"]", wave + noise as f64 / 1e8);
        }
        text.push_str("]}");
    }
    text.push_str("]}}");
    text
}
