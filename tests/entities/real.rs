//! Entities of a Prometheus that is one, and that scrapes pages the test serves.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::common::http_sink::{Answer, HttpSink};
use crate::common::redis::free_port;
use crate::common::series::now;
use crate::common::skywatch::Setup;
use crate::common::{prometheus, wait_for};

/// What a machine measures at a moment: load and requests go together, and next to nothing fails.
fn measured(time: f64) -> [(&'static str, f64); 4] {
    let noise = |salt: f64| ((time * 12.9898 + salt).sin() * 43_758.545_3).fract().abs();
    let load = 5.0 + (time / 15.0).sin() + 0.2 * noise(1.0);
    [
        ("shop_load", load),
        ("shop_requests{path=\"/a\"}", load * 10.0),
        ("shop_requests{path=\"/b\"}", load * 20.0 + noise(2.0)),
        ("shop_failed", noise(3.0)),
    ]
}

/// The page of a machine, as an exporter writes it.
fn page(is_broken: bool) -> Answer {
    let mut text = String::new();
    for (series, value) in measured(now()) {
        let failed = if is_broken && series == "shop_failed" {
            40.0
        } else {
            0.0
        };
        writeln!(text, "{series} {}", value + failed).unwrap();
    }
    let headers = vec![
        ("Content-Type", "text/plain; version=0.0.4".to_owned()),
        ("Connection", "close".to_owned()),
    ];
    Answer::Say(200, headers, text.into_bytes())
}

/// The last ten minutes of some machines, put into the folder of a Prometheus that does not run yet.
fn put_past(folder: &Path, data: &Path, ports: [u16; 2]) {
    let until = now().floor();
    let mut text = String::new();
    for family in ["shop_load", "shop_requests", "shop_failed"] {
        writeln!(text, "# TYPE {family} gauge").unwrap();
        for port in ports {
            for number in 0..measured(0.0).len() {
                for ago in (0..600).rev() {
                    let time = until - f64::from(ago);
                    let (series, value) = measured(time)[number];
                    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
                    if name == family {
                        let comma = if labels == "}" { "" } else { "," };
                        let own = format!("job=\"shop\",instance=\"127.0.0.1:{port}\"");
                        writeln!(text, "{name}{{{own}{comma}{labels} {value} {time}").unwrap();
                    }
                }
            }
        }
    }
    text.push_str("# EOF\n");
    let past = folder.join("past.txt");
    std::fs::write(&past, text).unwrap();
    let made = Command::new("promtool")
        .args(["tsdb", "create-blocks-from", "openmetrics"])
        .args([&past, data])
        .output()
        .expect("`promtool`; Debian: `apt install prometheus`");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// A guard before that Prometheus: it speaks TLS, and asks for a token. Ends when dropped.
struct TokenGuard {
    child: Child,
    port: u16,
}

impl TokenGuard {
    fn start(token: &str, behind: u16) -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        let file = |name: &str| here.join("store/tls").join(name);
        let mut child = Command::new("python3")
            .arg(here.join("entities/guarded_prometheus.py"))
            .args([file("server.pem"), file("server.key")])
            .args([token, &behind.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let port = line.trim().parse().unwrap();
        Self { child, port }
    }
}

impl Drop for TokenGuard {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_a_real_prometheus_has_is_learnt_over_tls_with_a_token_and_the_machine_that_fails_is_named() {
    let is_broken = Arc::new(AtomicBool::new(false));
    let shared = Arc::clone(&is_broken);
    let good = HttpSink::start(|_| page(false));
    let bad = HttpSink::start(move |_| page(shared.load(Ordering::SeqCst)));
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    put_past(folder.path(), &path("data"), [good.port, bad.port]);
    let port = free_port();
    let configuration = format!(
        "scrape_configs: [ {{ job_name: shop, static_configs: [ {{ targets: ['127.0.0.1:{}', '127.0.0.1:{}'] }} ] }} ]\n",
        good.port, bad.port
    );
    let _prometheus = prometheus::start(folder.path(), port, &configuration);
    let guard = TokenGuard::start("letmein", port);
    let setup = Setup::new();
    let token = setup.path("token");
    std::fs::write(&token, "letmein\n").unwrap();
    let ca = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/store/tls/ca.pem");
    let setup = setup
        .with("entities.enabled", "true")
        .with(
            "entities.prometheus",
            &format!("https://localhost:{}", guard.port),
        )
        .with("entities.ca_file", ca)
        .with("entities.metrics", "shop_load, sum(shop_requests), shop_failed")
        .with("entities.matchers", "job=shop")
        .with("entities.step", "1s")
        .with("entities.delay", "1s")
        .with("entities.history", "600s")
        .with("entities.alarm_window", "4s");
    // Who is not known is told so, and of entities nothing is said.
    let refused = setup.start(&["run", "--set", "entities.token=sesame"]);
    let line = refused.line("entities :: nothing is known of them");
    assert!(line.contains("401") && !line.contains("sesame"), "{line}");
    refused.stop();
    let setup = setup.with("entities.token_file", &token.display().to_string());
    let server = setup.start(&["run"]);
    let listed = || {
        let output = setup.command(&["entities", "list", "--json"]).output().unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default()
    };
    wait_for("both machines to be learnt", || {
        let listed = listed();
        let all = listed.as_array()?;
        let is_learnt = |entity: &Value| entity["learnt"]["metrics"] == 3 && entity["state"] == "normal";
        (all.len() == 2 && all.iter().all(is_learnt)).then_some(())
    });
    is_broken.store(true, Ordering::SeqCst);
    let name = format!("127.0.0.1:{}", bad.port);
    wait_for("the machine that fails, and the metric that shows it", || {
        let listed = listed();
        let bad = listed.as_array()?.iter().find(|entity| entity["name"] == *name)?;
        (bad["state"] == "anomalous" && bad["drivers"][0][0] == "shop_failed").then_some(())
    });
    wait_for("an incident", || {
        let output = setup.command(&["incidents", "--json"]).output().unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let all = answer["incidents"].as_array().cloned().unwrap_or_default();
        let subject = serde_json::json!({"kind": "entity", "name": name});
        all.iter()
            .any(|incident| incident["subject"] == subject)
            .then_some(())
    });
    assert!(
        server.log().contains("entities :: 2 of up to 3 metrics"),
        "{}",
        server.log()
    );
}
