//! What telling somebody costs a pass: 20,000 anomalies in one pass of the real binary over a real Redis, once with nobody
//! to tell and once with two receivers, in turns.
//!
//! `scripts/bench alerts`. Sized by environment variables: `METRICS` (20,000), `POINTS` (1,440), `ROUNDS` (5), `PASSES` (3),
//! `PACE` (1, seconds from pass to pass). At the default pace the second pass runs while the first one's incidents are
//! written down and told, which is the worst moment. Prints a line of JSON a way, seconds being the best of the rounds.

mod harness;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use harness::Shape;

fn main() {
    let number = |name: &str, default: usize| {
        let text = std::env::var(name).ok();
        text.and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (rounds, passes, pace) = (number("ROUNDS", 5), number("PASSES", 3), number("PACE", 1));
    let shape = Shape {
        metrics: number("METRICS", 20_000),
        points: number("POINTS", 1_440),
        anomalous: 1.0,
        warm_passes: 0,
        cold_rounds: 0,
        cores: 0,
        days: 1,
        profile: "skyline",
        places: None,
    };
    let server = harness::RedisServer::start();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    harness::fill(
        &mut server.connection(),
        &shape,
        now.expect("after 1970").as_secs_f64().floor(),
    );
    let notices = Arc::new(AtomicUsize::new(0));
    let hook = hook(Arc::clone(&notices));
    // Told or not, pass: the seconds of each round.
    let mut seconds = vec![vec![Vec::new(); passes]; 2];
    for _ in 0..rounds {
        for (told, seconds) in seconds.iter_mut().enumerate() {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let summary = folder.path().join("summary.jsonl");
            run(
                &server,
                folder.path(),
                &summary,
                passes,
                pace,
                (told == 1).then_some(hook),
            );
            for (pass, seconds) in seconds.iter_mut().enumerate() {
                let line = harness::wait_for_pass(&summary, pass + 1);
                assert_eq!(line["anomalies"], shape.metrics, "{line}");
                seconds.push(harness::total(&line));
            }
        }
    }
    // The machine's other work only ever adds.
    let best = |of: &Vec<f64>| of.iter().copied().fold(f64::INFINITY, f64::min);
    let best: Vec<Vec<f64>> = seconds
        .iter()
        .map(|passes| passes.iter().map(best).collect())
        .collect();
    let out = &mut std::io::stdout().lock();
    for (way, best) in ["nobody", "two receivers"].iter().zip(&best) {
        let line = serde_json::json!({"told": way, "metrics": shape.metrics, "points": shape.points, "seconds": best});
        writeln!(out, "{line}").expect("standard output");
    }
    let ratios: Vec<f64> = best[1]
        .iter()
        .zip(&best[0])
        .map(|(told, not)| told / not)
        .collect();
    let notices = notices.load(Ordering::Relaxed) as f64 / rounds as f64;
    let line = serde_json::json!({"told_of_nobody": ratios, "notices_a_run": notices});
    writeln!(out, "{line}").expect("standard output");
}

/// One run of so many passes, to its end.
fn run(
    server: &harness::RedisServer,
    folder: &Path,
    summary: &Path,
    passes: usize,
    pace: usize,
    hook: Option<SocketAddr>,
) {
    let config = folder.join("skywatch.toml");
    let receivers = hook.map_or(String::new(), |hook| {
        let receiver =
            |name: &str| format!("[receivers.{name}]\ntype = \"webhook\"\nurl = \"http://{hook}/{name}\"\n");
        receiver("one") + &receiver("two")
    });
    std::fs::write(&config, receivers).expect("the folder is writable");
    let status = Command::new(env!("CARGO_BIN_EXE_skywatch"))
        .args([
            "run",
            "--single-process",
            "--passes",
            &passes.to_string(),
            "--summary",
        ])
        .arg(summary)
        .arg("--config")
        .arg(&config)
        .env("SKYWATCH__STORE__URL", server.socket_url())
        .env("SKYWATCH__STATE_DIR", folder.join("state"))
        .env("SKYWATCH__ANALYZER__OPTIMUM_RUN_DURATION", format!("{pace}s"))
        // The windows were made once for all rounds, and are to be judged in the last one as in the first.
        .env("SKYWATCH__ANALYZER__STALE_PERIOD", "1d")
        .env("SKYWATCH__STORE__GRACE", "1d")
        .env("SKYWATCH__ALERTS__STALE_DIGEST", "false")
        .env("SKYWATCH__INGEST__ENABLED", "false")
        .env("SKYWATCH__WEB__ENABLED", "false")
        .env("SKYWATCH__LOG__LEVEL", "error")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(status.expect("the binary starts").success());
}

/// Somebody who takes every notice; serves as long as the bench runs.
fn hook(taken: Arc<AtomicUsize>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound address");
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let mut reader = BufReader::new(&client);
            let mut length = 0;
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                let lower = line.to_ascii_lowercase();
                if let Some(value) = lower.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap_or(0);
                }
                line.clear();
            }
            let mut body = vec![0; length];
            if reader.read_exact(&mut body).is_ok() {
                taken.fetch_add(1, Ordering::Relaxed);
                let _ = (&client)
                    .write_all(b"HTTP/1.1 204 Taken\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            }
        }
    });
    address
}
