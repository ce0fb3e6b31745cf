//! What pages and calls take, and what they cost a pass.
//!
//! `scripts/bench web`. The real binary over a real Redis. First 100,000 metrics (`METRICS`) of which a hundredth is anomalous,
//! so that 1,000 incidents are open: Now, Status, a chart of 35 days, and a search once there are 200,000 names (`NAMES`).
//! Then 50,000 metrics (`PASS_METRICS`) of a day a minute: calls while passes run, and passes with 50 pages open (`CLIENTS`)
//! against passes with none, by turns. Prints a line of JSON a part; times in milliseconds, as a client on this machine has
//! them, a connection each.

mod harness;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use harness::{RedisServer, Shape, median};
use serde_json::json;
use skywatch::baseline::{self, InboxWriter};
use skywatch_algorithms::streaming::Hour;

/// Points of each of the many metrics: enough to be judged, and quickly filled.
const FEW_POINTS: usize = 100;
/// Times each page is asked for; the first of them is not counted.
const TIMES: usize = 30;
/// Passes of each turn with and without clients; the first of a turn does not count.
const TURN: usize = 4;
/// Turns of each kind.
const TURNS: usize = 4;
/// Seconds from pass to pass.
const PACE: u64 = 3;

fn number(name: &str, default: usize) -> usize {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn shape(metrics: usize, points: usize, anomalous: f64) -> Shape {
    Shape {
        metrics,
        points,
        anomalous,
        warm_passes: 0,
        cold_rounds: 0,
        cores: 0,
        days: 1,
        profile: "adaptive",
        places: None,
    }
}

/// The binary with analyzer, dispatch and pages.
struct Running {
    child: Child,
    pages: SocketAddr,
    summary: PathBuf,
}

impl Running {
    fn start(server: &RedisServer, folder: &Path, pace: u64) -> Self {
        let summary = folder.join("summary.jsonl");
        let mut child = Command::new(env!("CARGO_BIN_EXE_skywatch"))
            .args(["run", "--summary"])
            .arg(&summary)
            .env("SKYWATCH__STORE__URL", server.socket_url())
            .env("SKYWATCH__STATE_DIR", folder.join("state"))
            .env("SKYWATCH__ANALYZER__OPTIMUM_RUN_DURATION", format!("{pace}s"))
            .env("SKYWATCH__INGEST__ENABLED", "false")
            .env("SKYWATCH__WEB__LISTEN", "127.0.0.1:0")
            .env("SKYWATCH__WEB__MAX_CONNECTIONS", "1000")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut log = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut line = String::new();
        let pages = loop {
            line.clear();
            assert!(log.read_line(&mut line).expect("a log") > 0, "it has ended");
            if let Some((_, address)) = line.split_once("pages on http://") {
                break address.trim().parse().expect("an address");
            }
        };
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self {
            child,
            pages,
            summary,
        }
    }

    fn passes(&self) -> usize {
        std::fs::read_to_string(&self.summary).map_or(0, |text| text.matches('\n').count())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Asked, so that its children end with it.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// Milliseconds, status and length of an answer.
fn get(from: SocketAddr, path: &str) -> (f64, u16, usize) {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(from).expect("it listens");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {from}\r\nConnection: close\r\n\r\n"
    )
    .expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    let took = begun.elapsed().as_secs_f64() * 1e3;
    let status = std::str::from_utf8(&answer[9..12])
        .ok()
        .and_then(|text| text.parse().ok());
    (took, status.expect("a status"), answer.len())
}

fn quantile(times: &mut [f64], share: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    let place = ((times.len() - 1) as f64 * share).round() as usize;
    (times[place] * 10.0).round() / 10.0
}

fn say(line: &serde_json::Value) {
    writeln!(std::io::stdout().lock(), "{line}").expect("standard output");
}

/// Asks for a page some times, after once that is not counted.
fn page(from: SocketAddr, what: &str, path: &str) {
    let mut length = 0;
    let mut times: Vec<f64> = (0..=TIMES)
        .map(|_| {
            let (took, status, bytes) = get(from, path);
            assert_eq!(status, 200, "{path}");
            length = bytes;
            took
        })
        .collect();
    let first = (times.remove(0) * 10.0).round() / 10.0;
    let (middle, largest) = (quantile(&mut times, 0.5), quantile(&mut times, 1.0));
    say(
        &json!({ "page": what, "first_ms": first, "median_ms": middle, "largest_ms": largest, "kB": length as f64 / 1e3 }),
    );
}

/// 35 days of hours for one metric, as a backfill leaves them.
fn leave_hours(state: &Path, metric: &str, now: f64) {
    let last = (now / 3_600.0) as u32;
    let hours: Vec<Hour> = (last - 35 * 24..last)
        .map(|number| {
            let mean = 100.0 + 10.0 * (number as f32 / 24.0).sin();
            Hour {
                number,
                min: mean - 3.0,
                mean,
                max: mean + 3.0,
            }
        })
        .collect();
    let mut inbox = InboxWriter::new(&baseline::folder(state)).expect("the folder can be made");
    inbox.add(metric, &hours).expect("the folder is writable");
    inbox.finish().expect("the folder is writable");
}

fn pages_of_many() {
    let (metrics, names) = (number("METRICS", 100_000), number("NAMES", 200_000));
    let server = RedisServer::start();
    let now = skywatch::clock::unix_now();
    harness::fill(
        &mut server.connection(),
        &shape(metrics, FEW_POINTS, 0.0),
        now.floor() - 60.0,
    );
    let folder = tempfile::tempdir().expect("a folder");
    leave_hours(&folder.path().join("state"), &harness::name(0), now);
    let running = Running::start(&server, folder.path(), 10);
    harness::wait_for_pass(&running.summary, 1);
    spike(&server, metrics / 100, now);
    let due = Instant::now() + Duration::from_secs(120);
    let open = loop {
        let mut stream = TcpStream::connect(running.pages).expect("it listens");
        let path = "/api/v1/incidents?limit=1000";
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            running.pages
        )
        .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let open = answer.matches("\"opened_at\":1").count();
        if open >= (metrics / 100).min(1_000) || Instant::now() > due {
            break open;
        }
        std::thread::sleep(Duration::from_millis(500));
    };
    say(&json!({ "metrics": metrics, "open_incidents": open }));
    page(running.pages, "now", "/");
    page(running.pages, "status", "/status");
    let metric = harness::name(0);
    page(running.pages, "metric, a day", &format!("/metric?name={metric}"));
    page(
        running.pages,
        "metric, 35 days",
        &format!("/metric?name={metric}&range=35d"),
    );
    page(running.pages, "history", "/history");
    page(running.pages, "detectors", "/detectors");
    add_names(&server, metrics, names);
    // The names are read anew once they are a minute old.
    std::thread::sleep(Duration::from_secs(61));
    page(running.pages, "search", "/find?q=web123+core1");
    page(
        running.pages,
        "search by pattern",
        "/find?q=servers.web1*.cpu.core*7.user",
    );
}

/// One more point of the first metrics, far from all before.
fn spike(server: &RedisServer, metrics: usize, now: f64) {
    let mut pipe = redis::pipe();
    for metric in 0..metrics {
        let mut point = Vec::new();
        skywatch::store::codec::encode(now.floor(), 1_000.0, &mut point);
        pipe.append(format!("metrics.{}", harness::name(metric)), point)
            .ignore();
    }
    pipe.exec(&mut server.connection()).expect("the server takes it");
}

/// Names without points, so that there are so many altogether.
fn add_names(server: &RedisServer, from: usize, to: usize) {
    let mut connection = server.connection();
    for chunk in (from..to).collect::<Vec<_>>().chunks(10_000) {
        let names: Vec<String> = chunk
            .iter()
            .map(|metric| format!("metrics.{}", harness::name(*metric)))
            .collect();
        redis::cmd("SADD")
            .arg("metrics.unique_metrics")
            .arg(names)
            .exec(&mut connection)
            .expect("the server takes it");
    }
}

fn beside_passes() {
    let (metrics, clients) = (number("PASS_METRICS", 50_000), number("CLIENTS", 50));
    let server = RedisServer::start();
    let now = skywatch::clock::unix_now();
    harness::fill(
        &mut server.connection(),
        &shape(metrics, 1_440, 0.001),
        now.floor() - 60.0,
    );
    let folder = tempfile::tempdir().expect("a folder");
    let running = Running::start(&server, folder.path(), PACE);
    // The first pass reads every window: the longest there is.
    let mut times = Vec::new();
    let calls = [
        "/api/v1/status".to_owned(),
        "/api/v1/incidents".to_owned(),
        format!("/api/v1/series?metric={}", harness::name(7)),
        "/api/v1/metrics?q=core12".to_owned(),
    ];
    let mut refused = 0;
    while running.passes() < 3 {
        for call in &calls {
            let (took, status, _) = get(running.pages, call);
            times.push(took);
            refused += usize::from(status >= 500);
        }
    }
    let (p50, p99) = (quantile(&mut times, 0.5), quantile(&mut times, 0.99));
    say(
        &json!({ "metrics": metrics, "calls": times.len(), "p50_ms": p50, "p99_ms": p99, "refused": refused }),
    );
    cost_of_clients(&running, clients);
}

/// Passes by turns without and with so many pages open.
fn cost_of_clients(running: &Running, clients: usize) {
    let (mut alone, mut watched) = (Vec::new(), Vec::new());
    for turn in 0..2 * TURNS {
        let has_clients = turn % 2 == 1;
        let over = Arc::new(AtomicBool::new(false));
        let open: Vec<_> = (0..if has_clients { clients } else { 0 })
            .map(|_| {
                let (pages, over) = (running.pages, Arc::clone(&over));
                std::thread::spawn(move || keep_open(pages, &over))
            })
            .collect();
        let first = running.passes() + 1;
        for pass in first..first + TURN {
            let seconds = harness::total(&harness::wait_for_pass(&running.summary, pass));
            if pass > first {
                (if has_clients { &mut watched } else { &mut alone }).push(seconds);
            }
        }
        over.store(true, Ordering::Relaxed);
        let shown: usize = open
            .into_iter()
            .map(|client| client.join().expect("a client"))
            .sum();
        if has_clients {
            say(&json!({ "clients": clients, "pages_shown": shown }));
        }
    }
    let (alone, watched) = (median(&mut alone), median(&mut watched));
    say(&json!({ "pass_alone_s": alone, "pass_watched_s": watched, "cost": watched / alone - 1.0 }));
}

/// What an open page does: it waits to be told, and asks for itself; how often it did.
fn keep_open(pages: SocketAddr, over: &AtomicBool) -> usize {
    let mut shown = 0;
    while !over.load(Ordering::Relaxed) {
        let Ok(mut stream) = TcpStream::connect(pages) else {
            continue;
        };
        let asked = write!(stream, "GET /events HTTP/1.1\r\nHost: {pages}\r\n\r\n");
        if asked.is_err() || stream.set_read_timeout(Some(Duration::from_secs(2))).is_err() {
            continue;
        }
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { break };
            if over.load(Ordering::Relaxed) {
                return shown;
            }
            if line == "event: change" {
                get(pages, "/");
                shown += 1;
            }
        }
    }
    shown
}

fn main() {
    pages_of_many();
    beside_passes();
}
