//! A warm pass beside a steady ingest, against one over as many new points that came before it began.
//!
//! `scripts/bench beside`. Both are the real binary over a real Redis: `run` with the analyzer alone, and the ingest as a
//! child of its own. Sized by `METRICS` (50,000), `RATE` (20,000 points a second), `BLOCKS` (4 of four passes, by turns
//! alone and beside; the first of a block does not count). Prints one line of JSON.

mod harness;

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use harness::{RedisServer, Shape, median};

const PASSES_A_BLOCK: usize = 4;
/// Seconds from pass to pass.
const PACE: f64 = 3.0;
/// The steady load comes in so many portions a second.
const PORTIONS: u32 = 100;

fn main() {
    let number = |name: &str, default: usize| {
        let text = std::env::var(name).ok();
        text.and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (metrics, rate, blocks) = (
        number("METRICS", 50_000),
        number("RATE", 20_000),
        number("BLOCKS", 4),
    );
    let shape = Shape {
        metrics,
        // What makes the harness's own pace three seconds.
        points: (1.5e7 * (PACE - 2.0) / metrics as f64) as usize,
        anomalous: 0.0,
        warm_passes: 0,
        cold_rounds: 0,
        cores: 0,
        days: 1,
        profile: "skyline",
        places: None,
    };
    let server = RedisServer::start();
    harness::fill(
        &mut server.connection(),
        &shape,
        skywatch::clock::unix_now().floor() - 1.0,
    );
    let folder = tempfile::tempdir().expect("a folder");
    let (mut ingest, mut feed) = ingest(&server, folder.path(), metrics);
    let summary = folder.path().join("summary.jsonl");
    let passes = 2 + blocks * PASSES_A_BLOCK;
    let mut analyzer = harness::start(&server, folder.path(), &summary, &shape, passes);
    harness::wait_for_pass(&summary, 2);

    let a_pass = (rate as f64 * PACE) as usize;
    let mut pass = 2;
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for block in 0..blocks {
        let steady = block % 2 == 1;
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            if steady {
                let (feed, over) = (&mut feed, &over);
                scope.spawn(move || {
                    let begun = Instant::now();
                    for portion in 1.. {
                        feed.send(rate / PORTIONS as usize);
                        let due = begun + Duration::from_secs(1) / PORTIONS * portion;
                        std::thread::sleep(due.saturating_duration_since(Instant::now()));
                        if over.load(Ordering::Relaxed) {
                            return;
                        }
                    }
                });
                for turn in 0..PASSES_A_BLOCK {
                    pass += 1;
                    let took = harness::total(&harness::wait_for_pass(&summary, pass));
                    if turn > 0 {
                        beside.push(took);
                    }
                }
                over.store(true, Ordering::Relaxed);
            } else {
                for turn in 0..PASSES_A_BLOCK {
                    feed.send(a_pass);
                    pass += 1;
                    let took = harness::total(&harness::wait_for_pass(&summary, pass));
                    if turn > 0 {
                        alone.push(took);
                    }
                }
            }
        });
    }
    analyzer.wait().expect("it ends by itself");
    drop(feed);
    drop(ingest.stdin.take());
    ingest.wait().expect("it was started");
    let (alone, beside) = (median(&mut alone), median(&mut beside));
    let line = serde_json::json!({
        "bench": "beside",
        "metrics": metrics,
        "points_a_second": rate,
        "new_points_a_pass": a_pass,
        "alone_s": alone,
        "beside_s": beside,
        "ratio": (beside / alone * 100.0).round() / 100.0,
    });
    writeln!(std::io::stdout().lock(), "{line}").expect("standard output");
}

/// A client that goes through the metrics again and again.
struct Feed {
    stream: TcpStream,
    metrics: usize,
    next: usize,
    lines: Vec<u8>,
}

impl Feed {
    fn send(&mut self, points: usize) {
        let now = skywatch::clock::unix_now() as u64;
        self.lines.clear();
        for _ in 0..points {
            let name = harness::name(self.next);
            writeln!(self.lines, "{name} {}.5 {now}", 100 + self.next % 7).expect("memory");
            self.next = (self.next + 1) % self.metrics;
        }
        self.stream.write_all(&self.lines).expect("the listener reads");
    }
}

fn ingest(server: &RedisServer, folder: &std::path::Path, metrics: usize) -> (std::process::Child, Feed) {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("bound");
    drop(free);
    let mut command = Command::new(env!("CARGO_BIN_EXE_skywatch"));
    command
        .args(["child", "ingest", "--store", &server.socket_url(), "--state-dir"])
        .arg(folder.join("ingest"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null());
    for listener in ["pickle", "msgpack", "remote_write"] {
        command.args(["--set", &format!("ingest.{listener}_listen=")]);
    }
    let child = command
        .args(["--set", &format!("ingest.carbon_listen={address}")])
        .spawn()
        .expect("the binary runs");
    let due = Instant::now() + Duration::from_secs(20);
    let stream = loop {
        match TcpStream::connect(address) {
            Ok(stream) => break stream,
            Err(error) => assert!(Instant::now() < due, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let feed = Feed {
        stream,
        metrics,
        next: 0,
        lines: Vec::new(),
    };
    (child, feed)
}
