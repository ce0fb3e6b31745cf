//! The pages and the interface for machines, by plain HTTP and in a real browser.

use std::io::Read as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::redis_world::put;
use crate::common::redis::RedisServer;
use crate::common::series::{each_minute, loud, now, quiet};
use crate::common::skywatch::{Setup, Skywatch};
use crate::common::{carbon, http, wait_for};

/// Names that would do harm where they are not escaped.
const STRANGE: [&str; 6] = [
    "<script>alert(1)</script>",
    "a\"onload='alert(1)'",
    "a&b;c=d?e#f%2f+g",
    "{{7*7}}{%raw%}",
    "temp.°C.größe.温度",
    "../../etc/passwd",
];

fn wait_for_pass(running: &Skywatch, metrics: usize) {
    wait_for("a pass over all metrics", || {
        (running.status()["analyzer"]["pass"]["metrics"] == metrics).then_some(())
    });
}

/// The name as an attribute or text of HTML has it.
fn escaped(name: &str) -> String {
    let mut text = String::new();
    for character in name.chars() {
        match character {
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '&' => text.push_str("&amp;"),
            '"' => text.push_str("&quot;"),
            '\'' => text.push_str("&#x27;"),
            '/' => text.push_str("&#x2f;"),
            other => text.push(other),
        }
    }
    text
}

/// The name as a query has it, every byte that could mean something else encoded.
fn encoded(name: &str) -> String {
    name.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn pages_show_what_is_wrong_and_strange_names_do_no_harm() {
    let redis = RedisServer::start();
    // Its pages show who of the nine tests votes how.
    let setup = Setup::new().on(&redis).with("analyzer.profile", "skyline");
    let end = now();
    let mut lines = carbon::lines("plain.quiet", &each_minute(&quiet(200), end));
    for name in STRANGE {
        lines += &carbon::lines(name, &each_minute(&loud(200), end));
    }
    setup.take_in(&lines);
    let running = setup.start(&["run"]);
    let pages = running.pages();
    wait_for_pass(&running, 7);

    let front = http::get(pages, "/");
    assert_eq!(front.status, 200);
    assert!(
        front
            .head
            .to_lowercase()
            .contains("content-security-policy: default-src 'none'"),
        "{}",
        front.head
    );
    assert!(front.body.contains("6 anomalous now"), "{}", front.body);
    assert_eq!(front.body.matches("class=\"on-wide\"><svg").count(), 6);
    assert!(!front.body.contains("plain.quiet"));
    assert!(!front.body.contains("<script>"), "{}", front.body);
    assert!(!front.body.contains("onload='"), "{}", front.body);
    for name in STRANGE {
        assert!(front.body.contains(&escaped(name)), "{name}: {}", front.body);
        let page = http::get(pages, &format!("/metric?name={}", encoded(name)));
        assert_eq!(page.status, 200, "{name}");
        assert!(
            page.body.contains(&format!("<h1>{}</h1>", escaped(name))),
            "{name}: {}",
            page.body
        );
        assert!(
            page.body.contains("<svg") && page.body.contains("200 points"),
            "{}",
            page.body
        );
        assert!(
            page.body
                .contains("<td>grubbs</td><td class=\"bad\">anomalous</td>"),
            "{}",
            page.body
        );
        assert!(!page.body.contains("<script>"), "{}", page.body);
    }
    // The links on the front page lead where they say.
    let links: Vec<&str> = front
        .body
        .split("</span> <a href=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert_eq!(links.len(), 6, "{}", front.body);
    for link in links {
        let path = link.replace("&#x2f;", "/").replace("&amp;", "&");
        assert_eq!(http::get(pages, &path).status, 200, "{link}");
    }

    // Incidents are written a moment after the pass that opened them.
    let incidents = wait_for("the incidents of the pass", || {
        let page = http::get(pages, "/incidents");
        assert_eq!(page.status, 200);
        (page.body.matches("<span class=\"state bad\">open</span>").count() == 6).then_some(page.body)
    });
    for name in STRANGE {
        assert!(
            incidents.contains(&format!(">{}</a>", escaped(name))),
            "{incidents}"
        );
    }
    assert!(!incidents.contains("<script>"), "{incidents}");
    let older = http::get(pages, "/incidents?all=1&before=1");
    assert!(older.body.contains("None yet."), "{}", older.body);

    let quiet = http::get(pages, "/metric?name=plain.quiet");
    assert_eq!(quiet.status, 200);
    assert!(
        quiet.body.contains("Not among the anomalies of the last pass."),
        "{}",
        quiet.body
    );
    let none = http::get(pages, "/metric?name=no.such.metric");
    assert_eq!(none.status, 404);
    assert!(
        none.body.contains("No points are stored under this name."),
        "{}",
        none.body
    );
    assert_eq!(http::get(pages, "/metric").status, 400);
    assert_eq!(http::get(pages, "/nothing").status, 404);
    assert_eq!(running.stop().code(), 0);
}

#[test]
fn machines_get_figures_status_and_health() {
    let mut redis = RedisServer::start();
    put(&mut redis.connection(), "loud", &each_minute(&loud(200), now()));
    let setup = Setup::new().on(&redis).with("analyzer.profile", "skyline");
    let idle = setup.start(&["run", "--set", "analyzer.enabled=false"]);
    let health = http::get(idle.pages(), "/healthz");
    assert_eq!(
        (health.status, health.body.as_str()),
        (503, "no pass has ended yet")
    );
    assert_eq!(idle.stop().code(), 0);

    let running = setup.start(&["run"]);
    let pages = running.pages();
    wait_for_pass(&running, 1);
    let health = http::get(pages, "/healthz");
    assert_eq!((health.status, health.body.as_str()), (200, "ok"));

    let figures = http::get(pages, "/metrics");
    assert_eq!(figures.status, 200);
    assert!(
        figures.head.contains("application/openmetrics-text"),
        "{}",
        figures.head
    );
    assert!(figures.body.ends_with("# EOF\n"), "{}", figures.body);
    for line in [
        "skywatch_analyzer_total_metrics 1.0",
        "skywatch_analyzer_total_anomalies 1.0",
        "skywatch_analyzer_exceptions{exception=\"Stale\"} 0.0",
        "skywatch_analyzer_anomaly_breakdown{detector=\"grubbs\"} 1.0",
        "skywatch_analyzer_in_trouble 0.0",
    ] {
        assert!(
            figures.body.lines().any(|l| l == line),
            "{line} not in\n{}",
            figures.body
        );
    }
    for line in figures.body.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("skywatch_"), "{line}");
        assert!(value.parse::<f64>().unwrap().is_finite(), "{line}");
    }

    let status = running.status();
    let current = &status["analyzer"]["anomalies"][0];
    assert_eq!(current["anomaly"]["subject"]["name"], "loud", "{status}");
    assert_eq!(current["anomaly"]["observed"], 500.0, "{status}");
    assert!(status["ingest"]["counters"].is_array(), "{status}");

    redis.stop();
    let health = wait_for("the trouble to show", || {
        Some(http::get(pages, "/healthz")).filter(|health| health.status == 503)
    });
    assert!(health.body.contains("does not answer"), "{}", health.body);
    let front = http::get(pages, "/");
    assert!(front.body.contains("Not watching."), "{}", front.body);
    redis.start_again();
    wait_for("the trouble to be over", || {
        (http::get(pages, "/healthz").status == 200).then_some(())
    });
    assert_eq!(running.stop().code(), 0);
}

/// What the last run found is no sign that anybody watches now.
#[test]
fn an_old_pass_is_no_health() {
    let redis = RedisServer::start();
    put(&mut redis.connection(), "loud", &each_minute(&loud(200), now()));
    let setup = Setup::new().on(&redis);
    setup.run_passes(1);
    let file = setup.path("state/status/analyzer.json");
    let mut status: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    status["pass"]["at"] = (now() - 3_600.0).into();
    std::fs::write(&file, status.to_string()).unwrap();
    let idle = setup.start(&["run", "--set", "analyzer.enabled=false"]);
    let health = http::get(idle.pages(), "/healthz");
    assert_eq!(health.status, 503, "{}", health.body);
    assert!(health.body.contains("last pass"), "{}", health.body);
    assert_eq!(idle.stop().code(), 0);
}

/// The document a real browser makes of a page.
fn browse(setup: &Setup, from: SocketAddr, path: &str) -> String {
    let browser = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|name| {
            Command::new(name)
                .arg("--version")
                .stdout(Stdio::null())
                .status()
                .is_ok()
        })
        .expect("these tests need a browser (Debian: `apt install chromium`)");
    let profile = setup.path("browser");
    let mut child = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(["--dump-dom", &format!("http://{from}{path}")])
        .env("HOME", setup.path("home"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the browser can be run");
    let mut out = child.stdout.take().expect("a pipe");
    let reading = std::thread::spawn(move || {
        let mut document = String::new();
        out.read_to_string(&mut document).map(|_| document)
    });
    let begun = Instant::now();
    while child.try_wait().expect("a child can be waited for").is_none() {
        if begun.elapsed() > crate::common::PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the browser does not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    reading
        .join()
        .expect("the reader ends")
        .expect("a document in UTF-8")
}

#[test]
fn a_browser_shows_the_anomaly_and_its_chart() {
    let redis = RedisServer::start();
    let mut store = redis.connection();
    put(&mut store, "web1.cpu", &each_minute(&loud(200), now()));
    put(&mut store, STRANGE[0], &each_minute(&loud(200), now()));
    let setup = Setup::new().on(&redis);
    let running = setup.start(&["run"]);
    wait_for_pass(&running, 2);
    let document = browse(&setup, running.pages(), "/");
    assert!(document.contains("2 anomalous now"), "{document}");
    assert!(document.contains(">web1.cpu</a>"), "{document}");
    assert_eq!(
        document.matches("class=\"on-wide\"><svg").count(),
        2,
        "{document}"
    );
    assert!(
        document.contains("<path") || document.contains("<polyline"),
        "{document}"
    );
    // As parsed: the name is text, not an element.
    assert!(!document.contains("<script>"), "{document}");
    assert!(
        document.contains("&lt;script&gt;alert(1)&lt;/script&gt;</a>"),
        "{document}"
    );
    assert_eq!(running.stop().code(), 0);
}

/// A raw request for the pages.
fn ask(from: std::net::SocketAddr, head: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(from).unwrap();
    stream
        .write_all(format!("{head}Connection: close\r\n\r\n").as_bytes())
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn answers_are_for_those_who_ask_for_us_and_say_what_browsers_may_do() {
    let setup = Setup::new()
        .with("web.hosts", "sky.example.org")
        .with("alerts.base_url", "https://pages.example.org/sky");
    let running = setup.start(&["run"]);
    let pages = running.pages();
    for path in ["/", "/metrics", "/api/v1/status", "/healthz", "/nowhere"] {
        for host in [
            "localhost:1500",
            "127.0.0.1",
            "[::1]",
            "sky.example.org",
            "pages.example.org:443",
        ] {
            let answer = ask(pages, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n"));
            assert!(!answer.starts_with("HTTP/1.1 421"), "{host}: {answer}");
            let answer = answer.to_lowercase();
            for header in [
                "x-content-type-options: nosniff",
                "referrer-policy: no-referrer",
                "frame-ancestors 'none'",
            ] {
                assert!(answer.contains(header), "{path}: no `{header}` in {answer}");
            }
        }
        for host in ["evil.example:1500", "localhost.evil.example", "example.org"] {
            let answer = ask(pages, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n"));
            assert!(answer.starts_with("HTTP/1.1 421"), "{host}: {answer}");
            assert!(answer.contains("web.hosts"), "{answer}");
        }
    }
    // Not a browser.
    assert!(ask(pages, "GET / HTTP/1.0\r\n").contains(" 200 "));
    assert_eq!(running.stop().code(), 0);
}

#[test]
fn those_who_only_hold_connections_do_not_keep_others_out() {
    use std::io::{Read as _, Write as _};
    let setup = Setup::new().with("web.max_connections", "6");
    let running = setup.start(&["run"]);
    let pages = running.pages();
    let mut slow: Vec<_> = (0..6)
        .map(|_| {
            let mut stream = std::net::TcpStream::connect(pages).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nX-Slow: ").unwrap();
            stream
        })
        .collect();
    for _ in 0..6 {
        std::thread::sleep(std::time::Duration::from_millis(300));
        for stream in &mut slow {
            stream.write_all(b"x").unwrap();
        }
    }
    for _ in 0..10 {
        assert_eq!(http::get(pages, "/").status, 200);
    }
    // The first of them had to go; the others are still waited for.
    let stream = &mut slow[0];
    stream
        .set_read_timeout(Some(std::time::Duration::from_secs(5)))
        .unwrap();
    let end = stream.read(&mut [0; 512]);
    assert!(
        !end.as_ref()
            .is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock),
        "{end:?}"
    );
    assert_eq!(running.stop().code(), 0);
}

#[test]
fn what_turns_the_direction_of_writing_is_shown_and_does_nothing() {
    let redis = RedisServer::start();
    let name = "pay\u{202e}lap\u{200b}.\u{9b}31m";
    put(&mut redis.connection(), name, &each_minute(&loud(200), now()));
    let setup = Setup::new().on(&redis);
    let running = setup.start(&["run"]);
    running.line("; incident 1");
    running.nth_line(2, "total anomalies :: 1");
    let page = http::get(running.pages(), "/").body;
    let incidents = setup.run(&["incidents"]).stdout;
    let metric = http::get(running.pages(), "/metric?name=pay%E2%80%AElap%E2%80%8B.%C2%9B31m").body;
    let log = running.log();
    for (what, text) in [
        ("page", &page),
        ("metric", &metric),
        ("command", &incidents),
        ("log", &log),
    ] {
        assert!(text.contains("pay\u{fffd}lap"), "{what}: {text}");
        assert!(
            !text.contains(['\u{202e}', '\u{200b}', '\u{9b}']),
            "{what}: {text}"
        );
    }
    assert_eq!(running.stop().code(), 0);
}
