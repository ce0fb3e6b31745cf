//! From files.

use std::path::PathBuf;

use super::{a_day, backfill, filled, judged, over, stored};
use crate::common::redis::RedisServer;
use crate::common::skywatch::Setup;

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

/// The same rows, as files of all kinds have them.
#[test]
fn both_readers_of_rows_find_every_point_whatever_the_columns() {
    let day = a_day(6);
    let points = &day[1_440 - 300..];
    let rows = |heading: &str, row: &dyn Fn(f64, f64) -> String| {
        let mut lines = vec![heading.to_owned()];
        lines.extend(points.iter().map(|&(time, value)| row(time, value)));
        lines
    };
    let date = |time: f64| {
        let at = jiff::Timestamp::from_second(time as i64).unwrap();
        at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    };
    let kinds = [
        rows("timestamp,value", &|time, value| {
            format!("{},{value}", time * 1e3)
        }),
        rows("value,timestamp", &|time, value| format!("{value},{time}")),
        rows("timestamp,value", &|time, value| {
            format!("{:.0},{value}", time * 1e6)
        }),
        rows("timestamp,value", &|time, value| {
            format!("{:.0},{value}", time * 1e9)
        }),
        rows("\u{feff}time,value,host,note\r", &|time, value| {
            format!("{time},{value},web-1,\"a, b\"\r")
        }),
        rows("host,\"value\",Date", &|time, value| {
            format!("\"web, 1\",\"{value}\",\"{}\"", date(time))
        }),
        rows("", &|time, value| format!("{time},{value},1,2,3")),
    ];
    for (number, lines) in kinds.iter().enumerate() {
        let redis = RedisServer::start();
        let setup = over(&redis);
        let path = file(&setup, "points.csv", lines);
        let log = filled(&setup, &["--csv", &path, "--metric", "of.one"]);
        assert!(log.contains("points     300 stored"), "{number}: {log}");
        assert!(log.contains("left out   nothing"), "{number}: {log}");
        assert_eq!(stored(&redis, "of.one"), points, "{number}");
        let replayed = setup.run(&["backtest", "--input", &path, "--json"]);
        assert_eq!(replayed.code(), 0, "{}", replayed.log);
        let summary: serde_json::Value = serde_json::from_str(&replayed.stdout).unwrap();
        assert_eq!(summary["points"], 300, "{number}: {summary}");
    }
}

#[test]
fn files_of_many_metrics_have_their_columns_by_heading_and_bad_rows_cost_only_themselves() {
    let redis = RedisServer::start();
    let setup = over(&redis);
    let day = a_day(7);
    let mut lines = vec!["value,time,metric,label".to_owned()];
    for (number, &(time, value)) in day[1_440 - 300..].iter().enumerate() {
        lines.push(format!("{value},{},web.one,0", time * 1e3));
        lines.push(match number {
            10 => format!("NaN,{time},web.one,0"),
            20 => format!("1e9999,{time},web.one,0"),
            30 => format!("null,{time},web.one,0"),
            40 => format!(",{time},web.one,0"),
            50 => format!("12x,{time},web.one,0"),
            60 => "12,yesterday,web.one,0".to_owned(),
            70 => format!("12,{time}"),
            _ => format!("{value},{time},\"web,two\",0"),
        });
    }
    let path = file(&setup, "points.csv", &lines);
    let log = filled(&setup, &["--csv", &path]);
    assert!(
        log.contains("left out   malformed 3, not_finite 2, null 2\n"),
        "{log}"
    );
    assert_eq!(stored(&redis, "web.one"), day[1_440 - 300..]);
    assert_eq!(stored(&redis, "web,two").len(), 293);
}

/// A window ends with a metric's last point, not with the clock.
#[test]
fn the_last_window_of_a_metric_that_has_ended_is_stored_when_asked_for() {
    let redis = RedisServer::start();
    let setup = over(&redis);
    let point = |metric: &str, minute: u32| {
        let at = jiff::Timestamp::from_second(1_396_310_400 + 60 * i64::from(minute)).unwrap();
        format!("{metric},{at},{}", minute % 7)
    };
    let mut lines: Vec<String> = (0..3 * 1_440).map(|minute| point("ended", minute)).collect();
    lines.extend((0..10).map(|minute| point("goes.on", minute)));
    lines.extend(
        a_day(9)
            .iter()
            .map(|(time, value)| format!("goes.on,{time},{value}")),
    );
    let path = file(&setup, "old.csv", &lines);
    let log = filled(&setup, &["--csv", &path, "--from", "2014-01-01"]);
    assert!(log.contains("metrics    2\n"), "{log}");
    let found = stored(&redis, "ended");
    assert_eq!(found.len(), 1_440, "{log}");
    assert_eq!(found[1_439].0, 1_396_310_400.0 + 60.0 * f64::from(3 * 1_440 - 1));
    assert!((1_439..=1_440).contains(&stored(&redis, "goes.on").len()));
    let left = log.lines().find(|line| line.starts_with("left out")).unwrap();
    assert!(left.starts_with("left out   too_old 289"), "{left}");
}

#[test]
fn a_backfill_that_stores_nothing_fails_and_says_why() {
    let redis = RedisServer::start();
    let setup = over(&redis);
    let day = a_day(8);
    let old = ["2014-04-01 00:00:00,1.5", "2014-04-01 00:05:00,1.5"].map(str::to_owned);
    let young = [format!("{},1.5", day[1_439].0)];
    for (more, lines, why, hint) in [
        (
            &[][..],
            &old[..],
            "before_from 2",
            "`--from` reaches further back",
        ),
        (
            &["--until", "-2h"],
            &young,
            "after_until 1",
            "points lie after `--until`",
        ),
        (
            &[],
            &[young[0].replace("1.5", "nan")],
            "not_finite 1",
            "nothing in it is a point",
        ),
        (&["--metric", "a b"], &young, "bad_name 1", "names hold no blanks"),
        (
            &["--metric", "skyline.analyzer.x"],
            &young,
            "skipped 1",
            "`ingest.skip`",
        ),
    ] {
        let path = file(&setup, "nothing.csv", lines);
        let mut arguments = vec!["--csv", &path];
        arguments.extend(if more.contains(&"--metric") {
            &[][..]
        } else {
            &["--metric", "of.one"]
        });
        arguments.extend(more);
        let ended = backfill(&setup, &arguments);
        assert_eq!(ended.code(), 1, "{}", ended.log);
        let said = format!("error: no point was stored; left out: {why}\nhint: ");
        assert!(
            ended.log.contains(&said) && ended.log.contains(hint),
            "{}",
            ended.log
        );
    }
    let sink = crate::common::sink::Sink::start(|_, _| crate::common::sink::Answer::Json("[]".to_owned()));
    let ended = backfill(&setup, &["--graphite", &sink.url(), "--target", "a"]);
    assert_eq!(ended.code(), 1, "{}", ended.log);
    assert!(
        ended
            .log
            .contains("left out: nothing\nhint: the source has no points"),
        "{}",
        ended.log
    );
}
