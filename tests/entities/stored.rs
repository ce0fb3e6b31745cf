//! Entities whose series lie in the own store.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::common::carbon;
use crate::common::series::now;
use crate::common::skywatch::Setup;
use crate::common::wait_for;

/// What three machines measure from one moment up to another, as lines of carbon; the second metric of `b` goes its own way
/// where `is_broken`.
fn lines(from: i64, until: i64, is_broken: bool) -> String {
    let mut text = String::new();
    for time in from..=until {
        for (salt, machine) in ["a", "b", "c"].iter().enumerate() {
            let noise = |metric: i64| {
                let mixed =
                    (time * 11 + metric + salt as i64 * 5).wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64);
                ((mixed ^ (mixed >> 29)).rem_euclid(1_000)) as f64 / 1_000.0
            };
            let hidden = (time as f64 / 20.0).sin() + 0.3 * noise(0);
            let second = if is_broken && *machine == "b" {
                -90.0
            } else {
                40.0 * hidden + noise(1)
            };
            writeln!(text, "servers.{machine}.cpu {} {time}", hidden + 0.05 * noise(2)).unwrap();
            writeln!(text, "servers.{machine}.net.in {second} {time}").unwrap();
            writeln!(text, "servers.{machine}.disk {} {time}", 5.0 - hidden).unwrap();
        }
        writeln!(text, "other.series 1 {time}").unwrap();
    }
    text
}

fn listed(setup: &Setup) -> Vec<Value> {
    let output = setup.command(&["entities", "list", "--json"]).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    answer.as_array().cloned().unwrap_or_default()
}

/// Sends the last minutes, and then each moment what has come since, until the test is over.
fn keep_sending(to: SocketAddr, is_broken: &AtomicBool, is_over: &AtomicBool) {
    let mut sent = now() as i64 - 400;
    while !is_over.load(Ordering::SeqCst) {
        let until = now() as i64;
        if until > sent {
            carbon::send(
                to,
                lines(sent + 1, until, is_broken.load(Ordering::SeqCst)).as_bytes(),
            );
            sent = until;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Says that something is over when it goes, also by a panic.
struct OverOnDrop<'f>(&'f AtomicBool);

impl Drop for OverOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn series_of_the_store_are_metrics_of_entities_by_their_names() {
    let setup = Setup::new()
        .with("entities.enabled", "true")
        .with(
            "entities.series",
            r"['^servers\.(?<entity>[^.]+)\.(?<metric>.+)$']",
        )
        .with("entities.step", "1s")
        .with("entities.delay", "3s")
        .with("entities.history", "600s")
        .with("entities.alarm_window", "4s");
    let server = setup.start(&["run"]);
    let (is_broken, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    let to = server.carbon();
    std::thread::scope(|scope| {
        let _over = OverOnDrop(&is_over);
        scope.spawn(|| keep_sending(to, &is_broken, &is_over));
        wait_for("three machines to be learnt", || {
            let listed = listed(&setup);
            let names: Vec<_> = listed
                .iter()
                .map(|entity| entity["name"].as_str().unwrap_or_default())
                .collect();
            let is_judged = |entity: &Value| !entity["score"].is_null() && entity["metrics"] == 3;
            (names == ["a", "b", "c"] && listed.iter().all(is_judged)).then_some(())
        });
        is_broken.store(true, Ordering::SeqCst);
        wait_for("the machine that goes its own way to be told", || {
            let listed = listed(&setup);
            let bad = listed.iter().find(|entity| entity["name"] == "b")?;
            (bad["state"] == "anomalous" && bad["drivers"][0][0] == "net.in").then_some(())
        });
    });
}
