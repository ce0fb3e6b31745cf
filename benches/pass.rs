//! Passes of the real binary over a real Redis: series a second, cold and warm, beside a bare MGET of the same keys.
//!
//! `cargo bench --bench pass`, or `scripts/bench pass`. Sized by environment variables: `METRICS` (20,000), `POINTS`
//! (1,440), `ANOMALOUS` (0, share of metrics with a spike at the end), `WARM_PASSES` (5). Between warm passes every
//! metric gets one point and loses one at the front, as a live trimmer would do it. The last line is JSON.

#[path = "../tests/common/redis.rs"]
mod redis_server;

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use redis_server::RedisServer;
use skywatch::store::codec;

/// Keys in one MGET: about 1 MB a reply at 1,440 points, the best of the sizes tried.
const MGET_KEYS: usize = 50;
/// Seconds from point to point.
const STEP: f64 = 60.0;

struct Shape {
    metrics: usize,
    points: usize,
    anomalous: f64,
    warm_passes: usize,
}

fn main() {
    let number = |name: &str, default: f64| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    let shape = Shape {
        metrics: number("METRICS", 20_000.0) as usize,
        points: number("POINTS", 1_440.0) as usize,
        anomalous: number("ANOMALOUS", 0.0),
        warm_passes: number("WARM_PASSES", 5.0) as usize,
    };
    let server = RedisServer::start();
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("after 1970")
        .as_secs_f64();
    // Old enough that the points of the warm passes to come do not lie in the future.
    let last = (now / STEP).floor() * STEP - shape.warm_passes as f64;
    let mut connection = connect(&server);
    let filled = Instant::now();
    fill(&mut connection, &shape, last);
    eprintln!(
        "filled {} metrics of {} points in {:.1} s",
        shape.metrics,
        shape.points,
        filled.elapsed().as_secs_f64()
    );

    let mget = (0..3).map(|_| bare_mget(&server, &shape)).fold(0.0, f64::max);
    eprintln!("bare MGET, two connections: {mget:.0} series/s");

    let folder = tempfile::tempdir().expect("a temporary folder");
    let summary = folder.path().join("summary.jsonl");
    let started = Instant::now();
    let mut child = start(&server, folder.path(), &summary, shape.warm_passes + 1);
    let cold = wait_for_pass(&summary, 1);
    let to_first_summary = started.elapsed().as_secs_f64();
    let mut warm = Vec::new();
    let mut refetched = 0;
    for pass in 0..shape.warm_passes {
        advance(&mut connection, &shape, last + 1.0 + pass as f64);
        let line = wait_for_pass(&summary, pass + 2);
        refetched += line["refetched"].as_u64().unwrap_or(0);
        warm.push(total(&line));
        eprintln!("warm pass: {line}");
    }
    let peak = peak_rss_of_analyzer(child.id());
    child.wait().expect("it ends by itself");
    warm.sort_by(f64::total_cmp);
    let metrics = shape.metrics as f64;
    let cold_rate = metrics / total(&cold);
    let warm_rate = warm.get(warm.len() / 2).map(|median| metrics / median);
    eprintln!("cold pass: {cold}");
    let result = serde_json::json!({
        "metrics": shape.metrics,
        "points": shape.points,
        "anomalous": cold["anomalies"],
        "mget_series_s": mget.round(),
        "cold_series_s": cold_rate.round(),
        "cold_of_mget": (cold_rate / mget * 1000.0).round() / 1000.0,
        "start_to_first_summary_s": to_first_summary,
        "warm_metrics_s": warm_rate.map(f64::round),
        "warm_refetched_share": refetched as f64 / (metrics * shape.warm_passes.max(1) as f64),
        "peak_rss_mb": peak,
    });
    let mut out = std::io::stdout().lock();
    writeln!(out, "{result}").expect("standard output");
}

fn connect(server: &RedisServer) -> redis::Connection {
    server.connection()
}

fn name(metric: usize) -> String {
    format!("servers.web{:03}.cpu.core{metric}.user", metric % 500)
}

/// A daily wave with noise; whole numbers of a small generator, so that every run has the same series.
fn value(metric: usize, index: usize, points: usize) -> f64 {
    let phase = index as f64 / points as f64 * std::f64::consts::TAU;
    let mut noise = (metric as u64) << 32 | index as u64;
    let mut bell = 0.0;
    for _ in 0..4 {
        noise = noise
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        bell += (noise >> 33) as f64 / (1u64 << 31) as f64 - 0.5;
    }
    100.0 + 10.0 * phase.sin() + 5.0 * bell
}

fn fill(connection: &mut redis::Connection, shape: &Shape, last: f64) {
    let step = 86_400.0_f64.min(STEP * 1_440.0) / shape.points as f64;
    for chunk in (0..shape.metrics).collect::<Vec<_>>().chunks(200) {
        let mut pipe = redis::pipe();
        for &metric in chunk {
            let spiked = (metric as f64) < shape.anomalous * shape.metrics as f64;
            let mut stream = Vec::with_capacity(shape.points * 15);
            for index in 0..shape.points {
                let spike = if spiked && index + 3 >= shape.points {
                    150.0
                } else {
                    0.0
                };
                let time = (last - step * (shape.points - 1 - index) as f64).floor();
                codec::encode(time, value(metric, index, shape.points) + spike, &mut stream);
            }
            let key = format!("metrics.{}", name(metric));
            pipe.set(&key, stream)
                .ignore()
                .sadd("metrics.unique_metrics", key)
                .ignore();
        }
        pipe.exec(connection).expect("the server takes it");
    }
}

/// One new point for every metric, and one point less at its front.
fn advance(connection: &mut redis::Connection, shape: &Shape, time: f64) {
    const ADVANCE: &str = "for i, key in ipairs(KEYS) do
        redis.call('APPEND', key, ARGV[i])
        redis.call('SET', key, redis.call('GETRANGE', key, 15, -1))
    end";
    for chunk in (0..shape.metrics).collect::<Vec<_>>().chunks(200) {
        let mut call = redis::cmd("EVAL");
        call.arg(ADVANCE).arg(chunk.len());
        for &metric in chunk {
            call.arg(format!("metrics.{}", name(metric)));
        }
        for &metric in chunk {
            let mut point = Vec::new();
            codec::encode(time, value(metric, time as usize, shape.points), &mut point);
            call.arg(point);
        }
        call.exec(connection).expect("the server takes it");
    }
}

/// Series a second of MGET alone, over two connections at once.
fn bare_mget(server: &RedisServer, shape: &Shape) -> f64 {
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for half in 0..2 {
            let mut connection = connect(server);
            scope.spawn(move || {
                let keys: Vec<String> = (0..shape.metrics)
                    .filter(|metric| metric % 2 == half)
                    .map(|metric| format!("metrics.{}", name(metric)))
                    .collect();
                for chunk in keys.chunks(MGET_KEYS) {
                    let values: Vec<Vec<u8>> = redis::cmd("MGET")
                        .arg(chunk)
                        .query(&mut connection)
                        .expect("the server answers");
                    assert_eq!(values.len(), chunk.len());
                    std::hint::black_box(values);
                }
            });
        }
    });
    shape.metrics as f64 / begun.elapsed().as_secs_f64()
}

fn start(server: &RedisServer, folder: &Path, summary: &Path, passes: usize) -> Child {
    Command::new(env!("CARGO_BIN_EXE_skywatch"))
        .args(["run", "--passes", &passes.to_string(), "--summary"])
        .arg(summary)
        .env("SKYWATCH__STORE__URL", server.socket_url())
        .env("SKYWATCH__STATE_DIR", folder.join("state"))
        .env("SKYWATCH__ANALYZER__PROFILE", "skyline")
        .env("SKYWATCH__ANALYZER__OPTIMUM_RUN_DURATION", "15s")
        .env("SKYWATCH__INGEST__ENABLED", "false")
        .env("SKYWATCH__WEB__ENABLED", "false")
        .env("SKYWATCH__LOG__LEVEL", "warn")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts")
}

/// The summary line of a pass, once it is there.
fn wait_for_pass(summary: &Path, pass: usize) -> serde_json::Value {
    let due = Instant::now() + Duration::from_secs(200);
    while Instant::now() < due {
        let text = std::fs::read_to_string(summary).unwrap_or_default();
        if text.ends_with('\n')
            && let Some(line) = text.lines().nth(pass - 1)
        {
            return serde_json::from_str(line).expect("a summary line is JSON");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("pass {pass} did not end");
}

fn total(line: &serde_json::Value) -> f64 {
    line["seconds"]["total"].as_f64().expect("a pass has a duration")
}

/// Peak resident megabytes of the analyzer child of `parent`, while it runs.
fn peak_rss_of_analyzer(parent: u32) -> Option<f64> {
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    let of = |pid: &str| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
        line.split_whitespace().nth(1)?.parse::<f64>().ok()
    };
    children
        .split_whitespace()
        .filter_map(of)
        .reduce(f64::max)
        .map(|kb| kb / 1024.0)
}
