//! The outlier service as its clients see it: `scripts/bench serve`.
//!
//! The binary of this profile serves on a port of its own, requests come over real sockets. Latency of one client and of a
//! hundred that ask once a second, requests a second of a hundred that ask without pause, each over 1,440 points and a connection that
//! stays open. With `NAB=FOLDER` each file of the benchmark is one request, with both detectors: average precision of the scores
//! (a row is right inside a labelled window, the mean over files with labels) and F1 of the recall of labelled windows and the precision of outliers.
//! `SECONDS` is the length of each of the last two (10).

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench talks and may fail"
)]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use jiff::Timestamp;
use serde_json::{Value, json};
use skywatch_algorithms::random::Random;

const CLIENTS: usize = 100;
const POINTS: usize = 1_440;
/// 2023-09-28T00:00:00Z.
const START: i64 = 1_695_859_200;

struct Served {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve() -> Served {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_skywatch"))
        .args(["serve", "--set", "outliers.listen=127.0.0.1:0", "--state-dir"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let words = "taking requests for outliers on ";
    let mut line = String::new();
    let address = loop {
        line.clear();
        assert!(log.read_line(&mut line).unwrap() > 0, "the service has ended");
        if let Some((_, rest)) = line.split_once(words) {
            break rest.split(',').next().unwrap().parse().unwrap();
        }
    };
    // Nobody reads on, and a full pipe would stop the log.
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    Served {
        child,
        address,
        _folder: folder,
    }
}

/// A connection that stays open.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self(BufReader::new(stream))
    }

    /// Status and body.
    fn ask(&mut self, request: &[u8]) -> (u16, Vec<u8>) {
        self.0.get_mut().write_all(request).unwrap();
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = rest[..3].parse().unwrap();
            } else if let Some(rest) = line.strip_prefix("content-length: ") {
                length = rest.parse().unwrap();
            } else if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        (status, body)
    }
}

/// A form with rows, as `curl --data-urlencode` sends it.
fn request(rows: &Value, detector: &str) -> Vec<u8> {
    let data = BASE64_STANDARD
        .encode(rows.to_string())
        .replace('+', "%2B")
        .replace('=', "%3D");
    let body = format!("data={data}&detector={detector}");
    let head = format!(
        "POST /api/v1/outliers HTTP/1.1\r\nHost: bench\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

fn day() -> Value {
    let mut random = Random::new(5);
    let row = |at: usize| {
        let time = Timestamp::from_second(START + 60 * at as i64).unwrap();
        let wave = (std::f64::consts::TAU * at as f64 / POINTS as f64).sin();
        let bytes = 1e6 * (2.0 + wave) + 5e4 * random.normal();
        json!({ "timestamp": time.to_string(), "result": { "bytes": bytes.round() } })
    };
    (0..POINTS).map(row).collect()
}

/// The quantile of times in order, milliseconds.
fn quantile(sorted: &[Duration], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share).round() as usize].as_secs_f64() * 1e3
}

fn latency(to: SocketAddr, detector: &str) {
    let request = request(&day(), detector);
    let mut client = Client::connect(to);
    let mut times: Vec<Duration> = (0..520)
        .map(|_| {
            let begun = Instant::now();
            assert_eq!(client.ask(&request).0, 200);
            begun.elapsed()
        })
        // The first warm it up.
        .skip(20)
        .collect();
    times.sort_unstable();
    let [half, most] = [0.5, 0.99].map(|share| quantile(&times, share));
    println!("{detector}: one client: p50 {half:.2} ms, p99 {most:.2} ms (bar: p50 <= 5)");
}

/// `CLIENTS` that ask for as long, each with `pause` from one request to the next.
fn crowd(to: SocketAddr, detector: &str, pause: Option<Duration>, length: Duration) {
    let request = request(&day(), detector);
    let failed = AtomicUsize::new(0);
    let begun = Instant::now();
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (request, failed) = (&request, &failed);
                scope.spawn(move || {
                    let mut client = Client::connect(to);
                    let mut times = Vec::new();
                    // Spread over the pause, as clients that do not know each other are.
                    let mut due = begun + pause.unwrap_or_default() * number as u32 / CLIENTS as u32;
                    while begun.elapsed() < length {
                        std::thread::sleep(due.saturating_duration_since(Instant::now()));
                        let asked = Instant::now();
                        let (status, _) = client.ask(request);
                        failed.fetch_add(usize::from(status != 200), Ordering::Relaxed);
                        times.push(asked.elapsed());
                        due += pause.unwrap_or_default();
                    }
                    times
                })
            })
            .collect();
        clients
            .into_iter()
            .flat_map(|client| client.join().unwrap())
            .collect()
    });
    let rate = times.len() as f64 / begun.elapsed().as_secs_f64();
    times.sort_unstable();
    let [half, most] = [0.5, 0.99].map(|share| quantile(&times, share));
    let how = if pause.is_some() {
        "one request a second each"
    } else {
        "without pause"
    };
    println!(
        "{detector}: {CLIENTS} clients, {how}: {rate:.0} requests/s, p50 {half:.2} ms, p99 {most:.2} ms, {} not answered with 200",
        failed.into_inner()
    );
}

/// Ties count together.
fn average_precision(mut ranked: Vec<(f64, bool)>) -> f64 {
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let all = ranked.iter().filter(|(_, inside)| *inside).count() as f64;
    let (mut sum, mut right, mut before) = (0.0, 0.0, 0.0);
    for (place, (score, inside)) in ranked.iter().enumerate() {
        right += f64::from(u8::from(*inside));
        if ranked.get(place + 1).is_none_or(|(next, _)| next != score) {
            sum += (right - before) / all * right / (place + 1) as f64;
            before = right;
        }
    }
    sum
}

/// Whole files as requests. Times are compared as they are written, which is in their order.
fn nab(to: SocketAddr, folder: &Path, detector: &str) {
    let labels = std::fs::read(folder.join("labels/windows.json")).unwrap();
    let labels: BTreeMap<String, Vec<(String, String)>> = serde_json::from_slice(&labels).unwrap();
    let mut client = Client::connect(to);
    let (mut precisions, mut windows, mut hit, mut right, mut wrong) = (Vec::new(), 0, 0, 0, 0);
    for (name, labelled) in &labels {
        let text = std::fs::read_to_string(folder.join("data").join(name)).unwrap();
        let rows = text.lines().skip(1).filter_map(|line| line.split_once(','));
        let rows: Value = rows
            .map(|(time, value)| json!({ "timestamp": time, "result": { "value": value.trim().parse::<f64>().unwrap() } }))
            .collect();
        let (status, body) = client.ask(&request(&rows, detector));
        assert_eq!(status, 200, "{name}: {}", String::from_utf8_lossy(&body));
        let answer: Value = serde_json::from_slice(&body).unwrap();
        let is_in = |time: &str, window: &(String, String)| {
            // Labels have fractions of seconds.
            *time >= window.0[..19] && *time <= window.1[..19]
        };
        let inside = |time: &str| labelled.iter().any(|window| is_in(time, window));
        let time_of = |one: &Value| one["timestamp"].as_str().unwrap().to_owned();
        if !labelled.is_empty() {
            let scored = answer["predicted"].as_array().unwrap().iter();
            let ranked = scored.map(|one| (one["score"].as_f64().unwrap(), inside(&time_of(one))));
            precisions.push(average_precision(ranked.collect()));
        }
        let outliers: Vec<String> = answer["anomalies"]
            .as_array()
            .unwrap()
            .iter()
            .map(time_of)
            .collect();
        windows += labelled.len();
        let is_hit = |window: &&(String, String)| outliers.iter().any(|time| is_in(time, window));
        hit += labelled.iter().filter(is_hit).count();
        let good = outliers.iter().filter(|time| inside(time)).count();
        right += good;
        wrong += outliers.len() - good;
    }
    let recall = hit as f64 / windows as f64;
    let precision = right as f64 / (right + wrong).max(1) as f64;
    println!(
        "{detector}: {} files of NAB: average precision {:.3}, event recall {recall:.3}, precision {precision:.3}, F1 {:.3} (bars: 0.33 and 0.65)",
        labels.len(),
        precisions.iter().sum::<f64>() / precisions.len() as f64,
        2.0 * recall * precision / (recall + precision).max(1e-9)
    );
}

fn main() {
    let seconds = std::env::var("SECONDS").ok().and_then(|text| text.parse().ok());
    let length = Duration::from_secs(seconds.unwrap_or(10));
    let served = serve();
    let folder = std::env::var("NAB").unwrap_or_default();
    for detector in ["scales", "forest"] {
        latency(served.address, detector);
        crowd(served.address, detector, Some(Duration::from_secs(1)), length);
        crowd(served.address, detector, None, length);
        if folder.is_empty() {
            println!("{detector}: NAB not measured\nhint: `NAB=FOLDER` names the benchmark's folder");
        } else {
            nab(served.address, Path::new(&folder), detector);
        }
    }
}
