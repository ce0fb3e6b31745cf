//! What the pass benches share: a Redis filled with known series, the real binary over it, and its summary lines.
#![allow(
    clippy::allow_attributes,
    dead_code,
    unreachable_pub,
    reason = "every bench uses its own part"
)]

#[path = "../../tests/common/redis.rs"]
mod redis_server;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

pub use redis_server::RedisServer;
use skywatch::store::codec;

/// Keys in one MGET: about 1 MB a reply at 1,440 points, the best of the sizes tried.
const MGET_KEYS: usize = 50;
/// Seconds in the window, whatever its number of points.
const DAY: f64 = 86_400.0;

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub metrics: usize,
    pub points: usize,
    /// Share of metrics that end on a spike.
    pub anomalous: f64,
    pub warm_passes: usize,
    /// How often a bare MGET and the first pass of a fresh process are measured, in turns.
    pub cold_rounds: usize,
    /// Cores the analyzer may use; 0 for all.
    pub cores: usize,
    /// Length of the window, days.
    pub days: u32,
    /// `skyline`, `adaptive`, or `learned`: adaptive with a vote of models that were fitted before.
    pub profile: &'static str,
    /// Decimal places of the values; `None` for all that a double has.
    pub places: Option<i32>,
}

/// What came of it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Measured {
    pub metrics: usize,
    pub points: usize,
    pub anomalous: f64,
    pub cores: usize,
    pub places: Option<i32>,
    pub mget_series_s: f64,
    pub cold_series_s: f64,
    /// Median of the rounds' ratios, and the best of them.
    pub cold_of_mget: f64,
    pub cold_of_mget_best: f64,
    pub start_to_first_summary_s: f64,
    pub warm_metrics_s: f64,
    pub warm_refetched_share: f64,
    /// Metrics the adaptive profile knew too little of in the last pass.
    pub warming: u64,
    pub peak_rss_mb: f64,
    pub rss_budget_mb: f64,
}

/// Fills a server of its own, runs one cold and some warm passes, and measures.
pub fn measure(shape: Shape) -> Measured {
    let server = RedisServer::start();
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("after 1970")
        .as_secs_f64();
    // Old enough that the points of the warm passes to come do not lie in the future.
    let last = now.floor() - shape.warm_passes as f64;
    let mut connection = server.connection();
    fill(&mut connection, &shape, last);
    let metrics = shape.metrics as f64;
    let (mut mget, mut cold, mut first_summary) = (Vec::new(), Vec::new(), Vec::new());
    let rounds = shape.cold_rounds.max(1);
    let (_folder, summary, mut child) = loop {
        mget.push(bare_mget(&server, &shape));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let summary = folder.path().join("summary.jsonl");
        let started = Instant::now();
        let is_last = mget.len() == rounds;
        let passes = if is_last { shape.warm_passes + 1 } else { 1 };
        if shape.profile == "learned" {
            train(&server, folder.path(), &shape);
        }
        let mut child = start(&server, folder.path(), &summary, &shape, passes);
        cold.push(metrics / total(&wait_for_pass(&summary, 1)));
        first_summary.push(started.elapsed().as_secs_f64());
        if is_last {
            break (folder, summary, child);
        }
        child.wait().expect("it ends by itself");
    };
    let mut ratios: Vec<f64> = cold.iter().zip(&mget).map(|(cold, mget)| cold / mget).collect();
    let mut warm = Vec::new();
    let (mut refetched, mut warming) = (0, 0);
    let mut peak_rss_mb = 0.0;
    for pass in 0..shape.warm_passes {
        peak_rss_mb = rss_of_children(child.id(), "VmHWM").unwrap_or(peak_rss_mb);
        let index = shape.points + pass;
        advance(&mut connection, &shape, last + 1.0 + pass as f64, index, 0.0);
        let line = wait_for_pass(&summary, pass + 2);
        refetched += line["refetched"].as_u64().unwrap_or(0);
        warming = line["warming"].as_u64().unwrap_or(0);
        warm.push(total(&line));
    }
    child.wait().expect("it ends by itself");
    let name_bytes = name(shape.metrics - 1).len() as f64;
    Measured {
        metrics: shape.metrics,
        points: shape.points,
        anomalous: shape.anomalous,
        cores: shape.cores,
        places: shape.places,
        mget_series_s: median(&mut mget).round(),
        cold_series_s: median(&mut cold).round(),
        cold_of_mget: (median(&mut ratios) * 1000.0).round() / 1000.0,
        cold_of_mget_best: ratios
            .last()
            .map_or(f64::NAN, |best| (best * 1000.0).round() / 1000.0),
        start_to_first_summary_s: median(&mut first_summary),
        warm_metrics_s: (metrics / median(&mut warm)).round(),
        warm_refetched_share: refetched as f64 / (metrics * shape.warm_passes.max(1) as f64),
        warming,
        peak_rss_mb,
        rss_budget_mb: 80.0 + (9.0 * metrics * shape.points as f64 + (256.0 + name_bytes) * metrics) / 1e6,
    }
}

/// The middle of some figures, which are sorted; NaN without any.
pub fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

pub fn name(metric: usize) -> String {
    format!("servers.web{:03}.cpu.core{metric}.user", metric % 500)
}

/// A daily wave with noise; whole numbers of a small generator, so that every run has the same series.
fn value(metric: usize, index: usize, shape: &Shape) -> f64 {
    let points = shape.points;
    let phase = index as f64 / points as f64 * std::f64::consts::TAU;
    let mut noise = (metric as u64) << 32 | index as u64;
    let mut bell = 0.0;
    for _ in 0..4 {
        noise = noise
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        bell += (noise >> 33) as f64 / (1u64 << 31) as f64 - 0.5;
    }
    let value = 100.0 + 10.0 * phase.sin() + 5.0 * bell;
    shape.places.map_or(value, |places| {
        let scale = 10.0_f64.powi(places);
        (value * scale).round() / scale
    })
}

pub fn fill(connection: &mut redis::Connection, shape: &Shape, last: f64) {
    let step = DAY * f64::from(shape.days) / shape.points as f64;
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
                codec::encode(time, value(metric, index, shape) + spike, &mut stream);
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

/// One new point for every metric, that goes on as those before but for `jump`, and one point less at its front.
pub fn advance(connection: &mut redis::Connection, shape: &Shape, time: f64, index: usize, jump: f64) {
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
            codec::encode(time, value(metric, index, shape) + jump, &mut point);
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
            let mut connection = server.connection();
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

/// The binary with an analyzer and nothing else, for so many passes.
pub fn start(server: &RedisServer, folder: &Path, summary: &Path, shape: &Shape, passes: usize) -> Child {
    let binary = env!("CARGO_BIN_EXE_skywatch");
    let mut command = Command::new(if shape.cores == 0 { binary } else { "taskset" });
    if shape.cores > 0 {
        command.args(["-c", &format!("0-{}", shape.cores - 1), binary]);
    }
    // Long enough for the pass itself and for every metric to get its next point.
    let pace = (shape.metrics * shape.points) as f64 / 1.5e7 + 2.0;
    command
        .args(["run", "--passes", &passes.to_string(), "--summary"])
        .arg(summary)
        .env("SKYWATCH__STORE__URL", server.socket_url())
        .env("SKYWATCH__STATE_DIR", folder.join("state"))
        .env(
            "SKYWATCH__ANALYZER__PROFILE",
            if shape.profile == "skyline" {
                "skyline"
            } else {
                "adaptive"
            },
        )
        .env(
            "SKYWATCH__ADAPTIVE__LEARNED",
            (shape.profile == "learned").to_string(),
        )
        .env("SKYWATCH__STORE__FULL_DURATION", format!("{}h", 24 * shape.days))
        .env("SKYWATCH__ANALYZER__OPTIMUM_RUN_DURATION", format!("{pace:.0}s"))
        .env("SKYWATCH__INGEST__ENABLED", "false")
        .env("SKYWATCH__WEB__ENABLED", "false")
        .env("SKYWATCH__LOG__LEVEL", "warn")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts")
}

/// A model that knows every metric; how good it is does not matter here.
fn train(server: &RedisServer, folder: &Path, shape: &Shape) {
    let ended = Command::new(env!("CARGO_BIN_EXE_skywatch"))
        .arg("train")
        .env("SKYWATCH__STORE__URL", server.socket_url())
        .env("SKYWATCH__STATE_DIR", folder.join("state"))
        .env("SKYWATCH__STORE__FULL_DURATION", format!("{}h", 24 * shape.days))
        .env("SKYWATCH__TRAINING__MAX_METRICS", shape.metrics.to_string())
        .env("SKYWATCH__TRAINING__EPOCHS", "1")
        .env("SKYWATCH__TRAINING__NICE", "0")
        .stdout(Stdio::null())
        .status()
        .expect("the binary starts");
    assert!(ended.success(), "no model to ask");
}

/// The summary line of a pass, once it is there.
pub fn wait_for_pass(summary: &Path, pass: usize) -> serde_json::Value {
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

pub fn total(line: &serde_json::Value) -> f64 {
    line["seconds"]["total"].as_f64().expect("a pass has a duration")
}

/// Resident megabytes (10⁶ bytes) of the largest child of `parent`, the analyzer, while it runs: `VmHWM` at their peak, or
/// `VmRSS`.
pub fn rss_of_children(parent: u32, what: &str) -> Option<f64> {
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    let of = |pid: &str| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find(|line| line.starts_with(what))?;
        line.split_whitespace().nth(1)?.parse::<f64>().ok()
    };
    children
        .split_whitespace()
        .filter_map(of)
        .reduce(f64::max)
        .map(|kb| kb * 1024.0 / 1e6)
}
