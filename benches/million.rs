//! The default profile over very many metrics: a first start, warm passes, a pass in which every metric jumps, a restart,
//! and the memory of it all.
//!
//! `scripts/bench million`. `METRICS` (200,000), `POINTS` of the window (1,440; 22 kB of Redis a metric, 120 points 2 kB) and
//! `WARM_PASSES` (5) size it. Prints a line of JSON.

mod harness;

use std::io::Write as _;
use std::path::Path;
use std::time::{Instant, SystemTime};

use harness::{RedisServer, Shape};
use serde_json::{Value, json};

fn main() {
    let number = |name: &str, default: usize| {
        let text = std::env::var(name).ok();
        text.and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let shape = Shape {
        metrics: number("METRICS", 200_000),
        points: number("POINTS", 1_440),
        anomalous: 0.0,
        warm_passes: number("WARM_PASSES", 5),
        cold_rounds: 1,
        cores: 0,
        days: 1,
        profile: "adaptive",
        places: None,
    };
    let server = RedisServer::start();
    let mut connection = server.connection();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    // Points of all passes to come lie in the past, too.
    let last = now.expect("after 1970").as_secs_f64().floor() - shape.warm_passes as f64 - 2.0;
    harness::fill(&mut connection, &shape, last);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let metrics = shape.metrics as f64;

    let mut run = Run::start(&server, folder.path(), "first", &shape, shape.warm_passes + 1);
    let first = run.pass(1);
    let first_start_s = run.started.elapsed().as_secs_f64();
    let judged_first = first["analyzed"].clone();
    let (mut warm, mut refetched) = (Vec::new(), 0);
    for pass in 0..shape.warm_passes {
        let index = shape.points + pass;
        harness::advance(&mut connection, &shape, last + 1.0 + pass as f64, index, 0.0);
        let line = run.pass(pass + 2);
        refetched += line["refetched"].as_u64().unwrap_or(0);
        warm.push(harness::total(&line));
    }
    let rss_mb = harness::rss_of_children(run.child.id(), "VmRSS");
    let peak_mb = harness::rss_of_children(run.child.id(), "VmHWM");
    run.end();

    let mut again = Run::start(&server, folder.path(), "again", &shape, 2);
    let restart = again.pass(1);
    let restart_s = again.started.elapsed().as_secs_f64();
    let (index, passes) = (shape.points + shape.warm_passes, shape.warm_passes as f64);
    harness::advance(&mut connection, &shape, last + 1.0 + passes, index, 150.0);
    let jump = again.pass(2);
    again.end();
    say(&json!({
        "bench": "million",
        "metrics": shape.metrics,
        "points": shape.points,
        "first_start_s": first_start_s,
        "first_start_judged": judged_first,
        "first_start_unlearnt": first["unlearnt"],
        "warm_metrics_s": (metrics / harness::median(&mut warm)).round(),
        "warm_refetched": refetched,
        "jump_metrics_s": (metrics / harness::total(&jump)).round(),
        "jump_anomalous": jump["anomalies"],
        "restart_s": restart_s,
        "restart_metrics_s": (metrics / restart_s).round(),
        "restart_pass_s": harness::total(&restart),
        "restart_judged": restart["analyzed"],
        "rss_bytes_a_metric": rss_mb.map(|mb| (mb * 1e6 / metrics).round()),
        "peak_bytes_a_metric": peak_mb.map(|mb| (mb * 1e6 / metrics).round()),
    }));
}

/// A process under way.
struct Run {
    started: Instant,
    child: std::process::Child,
    summary: std::path::PathBuf,
}

impl Run {
    fn start(server: &RedisServer, folder: &Path, name: &str, shape: &Shape, passes: usize) -> Self {
        let summary = folder.join(format!("{name}.jsonl"));
        let started = Instant::now();
        let child = harness::start(server, folder, &summary, shape, passes);
        Self {
            started,
            child,
            summary,
        }
    }

    fn pass(&self, number: usize) -> Value {
        harness::wait_for_pass(&self.summary, number)
    }

    fn end(&mut self) {
        self.child.wait().expect("it ends by itself");
    }
}

fn say(line: &Value) {
    writeln!(std::io::stdout().lock(), "{line}").expect("standard output");
}
