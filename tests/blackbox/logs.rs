//! Log files that are followed: what is written to them becomes metrics in the store, through a rotation and a restart.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::redis_world::points;
use crate::common::redis::RedisServer;
use crate::common::skywatch::Setup;
use crate::common::wait_for;

fn add(log: &Path, lines: &[&str]) {
    let mut file = OpenOptions::new().create(true).append(true).open(log).unwrap();
    for line in lines {
        writeln!(file, "{line}").unwrap();
    }
}

/// The points of a metric of the file.
fn counted(redis: &RedisServer, metric: &str) -> Vec<(f64, f64)> {
    points(&mut redis.connection(), &format!("logs.app.{metric}"))
}

/// All that a metric of the file has counted so far.
fn total(redis: &RedisServer, metric: &str) -> f64 {
    counted(redis, metric).iter().map(|(_, value)| value).sum()
}

fn setup(redis: &RedisServer) -> (Setup, PathBuf) {
    let setup = Setup::new().on(redis);
    let log = setup.path("app.log");
    let file = format!("app:iso8601={}", log.display());
    let setup = setup
        .with("logs.files", &file)
        .with("logs.interval", "1s")
        .with("analyzer.enabled", "false")
        .with("web.enabled", "false");
    (setup, log)
}

fn connection(host: u32) -> String {
    format!("2026-11-29 01:02:03,{host:03} INFO connection from 10.0.0.{host} accepted")
}

#[test]
fn lines_become_metrics_through_a_rotation_and_a_restart() {
    let redis = RedisServer::start();
    let (setup, log) = setup(&redis);
    add(&log, &["2026-11-29 01:00:00 INFO started", "no header"]);
    let running = setup.start(&["run"]);
    running.line("following");
    // The first interval that is watched as a whole.
    wait_for("a point", || counted(&redis, "lines").len().checked_sub(1));
    assert_eq!(
        (total(&redis, "lines"), total(&redis, "new")),
        (0.0, 0.0),
        "what was there before is not counted"
    );

    let lines: Vec<_> = (1..=12).map(connection).collect();
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    add(&log, &lines[..6]);
    add(&log, &["\tat some.stack(Trace.java:1)"]);
    wait_for("six lines", || (total(&redis, "lines") == 6.0).then_some(()));
    wait_for("the line without header", || {
        (total(&redis, "unmatched") == 1.0).then_some(())
    });
    assert_eq!(total(&redis, "new"), 1.0);

    // Rotated between two writes of one line.
    let old = setup.path("app.log.1");
    write!(
        OpenOptions::new().append(true).open(&log).unwrap(),
        "{}",
        &lines[6][..20]
    )
    .unwrap();
    fs::rename(&log, &old).unwrap();
    add(&old, &[&lines[6][20..]]);
    add(&log, &lines[7..]);
    wait_for("all lines", || (total(&redis, "lines") == 12.0).then_some(()));
    let rate = "template.2_info_connection_from_accepted";
    wait_for("a rate", || (total(&redis, rate) > 0.0).then_some(()));
    assert_eq!(total(&redis, "new"), 1.0);
    let ended = running.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    let table = fs::read_to_string(setup.path("state/logs/app.csv")).unwrap();
    assert!(
        table.contains(&format!("2,12,{rate},INFO connection from <*> accepted\n")),
        "{table}"
    );

    // While nobody looks: old and new statements. Then a fresh one.
    add(
        &log,
        &[&connection(13), "2026-11-29 01:03:00 WARN disk is nearly full"],
    );
    let before = counted(&redis, "lines").len();
    let running = setup.start(&["run"]);
    wait_for("a point", || {
        counted(&redis, "lines").len().checked_sub(before + 1)
    });
    wait_for("the new statement", || {
        (total(&redis, "new") == 2.0).then_some(())
    });
    add(&log, &[&connection(14)]);
    wait_for("the fresh line", || {
        (total(&redis, "lines") == 13.0).then_some(())
    });
    assert_eq!((total(&redis, "new"), total(&redis, "unmatched")), (2.0, 1.0));
    assert_eq!(running.stop().code(), 0);
}

#[test]
fn a_file_that_is_not_there_yet_is_waited_for() {
    let redis = RedisServer::start();
    let (setup, log) = setup(&redis);
    let running = setup.start(&["run"]);
    running.line("cannot be read");
    assert!(counted(&redis, "lines").is_empty());
    add(&log, &["2026-11-29 01:00:00 INFO started"]);
    running.line("is read again");
    wait_for("a point", || counted(&redis, "lines").len().checked_sub(1));
    add(&log, &["2026-11-29 01:00:01 INFO started"]);
    wait_for("its lines", || (total(&redis, "lines") >= 1.0).then_some(()));
    assert_eq!(running.stop().code(), 0);
}
