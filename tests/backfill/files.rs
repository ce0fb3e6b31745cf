//! From files.

use std::path::PathBuf;

use crate::common::redis::RedisServer;
use crate::common::skywatch::Setup;
use crate::{a_day, backfill, filled, judged, over, stored};

fn file(setup: &Setup, name: &str, lines: &[String]) -> String {
    let path: PathBuf = setup.path(name);
    std::fs::write(&path, lines.join("\n")).unwrap();
    path.display().to_string()
}

#[test]
fn a_file_of_many_metrics_fills_them_all() {
    let redis = RedisServer::start();
    let setup = over(&redis);
    let mut lines = vec!["name,time,value".to_owned()];
    let (one, two) = (a_day(1), a_day(2));
    for ((time, a), (_, b)) in one.iter().zip(&two) {
        lines.push(format!("web.one,{time},{a}"));
        lines.push(format!("web.two,{time},{b}"));
    }
    lines.insert(700, "this is no point".to_owned());
    let path = file(&setup, "points.csv", &lines);
    let log = filled(&setup, &["--csv", &path]);
    assert!(log.contains("metrics    2\n"), "{log}");
    assert!(log.contains("malformed 1"), "{log}");
    let found = stored(&redis, "web.two");
    assert!(found.len() >= 1_439);
    assert_eq!(found, two[1_440 - found.len()..]);
    // Once more: nothing is stored twice.
    let log = filled(&setup, &["--csv", &path]);
    assert!(log.contains("0 of 1 fetched, 1 done before"), "{log}");
    assert_eq!(stored(&redis, "web.two"), found);
    assert_eq!(judged(setup), (2, 0));
}

#[test]
fn a_file_of_one_metric_needs_its_name_and_dates_are_read() {
    let redis = RedisServer::start();
    let setup = over(&redis);
    let day = a_day(3);
    let mut lines = vec!["timestamp,value".to_owned(), "2014-04-01 00:00:00,1.5".to_owned()];
    lines.extend(day.iter().map(|(time, value)| {
        let at = jiff::Timestamp::from_second(*time as i64).unwrap();
        let at = at.to_zoned(jiff::tz::TimeZone::UTC);
        format!("{},{value}", at.strftime("%Y-%m-%d %H:%M:%S"))
    }));
    let path = file(&setup, "numenta.csv", &lines);
    let ended = backfill(&setup, &["--csv", &path]);
    assert_eq!(ended.code(), 1);
    assert!(ended.log.contains("`--metric NAME`"), "{}", ended.log);
    let log = filled(&setup, &["--csv", &path, "--metric", "numenta.one"]);
    let line = log.lines().find(|line| line.starts_with("left out")).unwrap();
    assert!(line.starts_with("left out   before_from "), "{line}");
    let found = stored(&redis, "numenta.one");
    assert_eq!(found, day[1_440 - found.len()..]);
}

#[test]
fn a_file_fills_the_embedded_store() {
    let setup = Setup::new().with("ingest.max_age", "");
    let lines: Vec<String> = a_day(4)
        .iter()
        .map(|(time, value)| format!("web.one,{time},{value}"))
        .collect();
    let path = file(&setup, "points.csv", &lines);
    let log = filled(&setup, &["--csv", &path]);
    assert!(log.contains("metrics    1\n"), "{log}");
    assert_eq!(judged(setup), (1, 0));
}

#[test]
fn a_missing_file_and_a_missing_source_are_clear() {
    let redis = RedisServer::start();
    let setup = over(&redis);
    let ended = backfill(&setup, &["--csv", "/no/such/file.csv"]);
    assert_eq!(ended.code(), 1);
    assert!(
        ended.log.contains("error: cannot read `/no/such/file.csv`"),
        "{}",
        ended.log
    );
    for arguments in [
        &[][..],
        &["--csv", "a", "--graphite", "http://b", "--target", "c"],
        &["--graphite", "http://b"],
        &["--graphite", "b", "--target", "c"],
        &["--csv", "a", "--rate", "0"],
    ] {
        assert_eq!(backfill(&setup, arguments).code(), 2, "{arguments:?}");
    }
}
