//! From an InfluxDB, by an HTTP stand-in that holds requests to what a real one takes.

use super::{backfill, filled, judged, over, stored};
use crate::common::redis::RedisServer;
use crate::common::sink::{Answer, Request, Sink};

/// Rows of one answer, fewer than there are: the rest has to be asked for.
const ROWS: usize = 10_000;

/// `cpu` of two hosts, one of them with a core beside, and `up`; at most 10,000 rows at once.
fn influx(request: &Request) -> Answer {
    assert_eq!(request.path, "/query");
    assert_eq!((request.get("db"), request.get("epoch")), ("telegraf", "ms"));
    let statement = request.get("q");
    if statement == "SHOW SERIES FROM \"cpu\"" {
        return Answer::Json(
            "{\"results\":[{\"statement_id\":0,\"series\":[{\"columns\":[\"key\"],\"values\":[\
             [\"cpu,host=a\\\\ b\"],[\"cpu,host=a\\\\ b,core=0\"],[7]]}]}]}"
                .to_owned(),
        );
    }
    if statement == "SHOW SERIES" {
        return Answer::Json(
            "{\"results\":[{\"series\":[{\"columns\":[\"key\"],\"values\":[[\"up\"]]}]}]}".to_owned(),
        );
    }
    let Some(rest) = statement.strip_prefix("SELECT *::field FROM ") else {
        return Answer::Json(
            "{\"results\":[{\"statement_id\":0,\"error\":\"measurement not found\"}]}".to_owned(),
        );
    };
    let (measurement, rest) = rest.split_once(" WHERE ").unwrap();
    let (condition, rest) = rest.split_once("time > ").unwrap();
    let (after, rest) = rest.split_once("ms AND time <= ").unwrap();
    let (until, rest) = rest.split_once("ms ").unwrap();
    assert_eq!(rest, format!("GROUP BY * LIMIT {ROWS}"));
    let (after, until): (f64, f64) = (after.parse().unwrap(), until.parse().unwrap());
    let rows = |bad: &str| -> String {
        let first = (after / 60_000.0).floor() as u64 + 1;
        let rows = (first..=(until / 60_000.0) as u64).take(ROWS).map(|minute| {
            let value = (100 + minute % 23).to_string();
            let idle = if minute == first + 10 { bad } else { &value };
            let busy = if minute % 2 == 0 { "null" } else { &value };
            format!("[{},{idle},{busy}]", minute * 60_000)
        });
        rows.collect::<Vec<_>>().join(",")
    };
    let group = |tags: &str, bad: &str| {
        format!(
            "{{\"name\":\"x\",\"tags\":{tags},\"columns\":[\"time\",\"idle\",\"value\"],\"values\":[{}]}}",
            rows(bad)
        )
    };
    let all = match (measurement, condition) {
        ("\"cpu\"", "\"host\" = 'a b' AND ") => [
            group("{\"core\":\"0\",\"host\":\"a b\"}", "7"),
            group("{\"core\":\"\",\"host\":\"a b\"}", "\"down\""),
        ]
        .join(","),
        ("\"cpu\"", "\"core\" = '0' AND \"host\" = 'a b' AND ") => {
            group("{\"core\":\"0\",\"host\":\"a b\"}", "NaN")
        }
        ("\"up\"", "") => group("{}", "1"),
        other => panic!("{other:?}"),
    };
    Answer::Json(format!(
        "{{\"results\":[{{\"statement_id\":0,\"series\":[{all}]}}]}}"
    ))
}

#[test]
fn the_fields_of_a_series_are_metrics_with_its_tags() {
    let redis = RedisServer::start();
    let sink = Sink::start(|request, _| influx(request));
    let setup = over(&redis);
    let arguments = [
        "--influx",
        &sink.url(),
        "--database",
        "telegraf",
        "--measurement",
        "cpu",
    ];
    let log = filled(&setup, &arguments);
    assert!(log.contains("parts      2 of 2 fetched"), "{log}");
    assert!(log.contains("malformed 1, not_finite 1"), "{log}");
    let points = stored(&redis, "cpu.idle;host=a%20b");
    assert!((1_437..1_440).contains(&points.len()), "{}", points.len());
    assert!(
        points
            .iter()
            .all(|(time, value)| *value == 100.0 + (time / 60.0) % 23.0)
    );
    // The field `value` is the measurement itself; a row without it is no point of it.
    assert!((718..=720).contains(&stored(&redis, "cpu;core=0;host=a%20b").len()));
    assert_eq!(judged(setup), (4, 0));
}

#[test]
fn a_token_goes_along_and_what_a_server_says_is_told() {
    let redis = RedisServer::start();
    let sink = Sink::start(|request, _| match request.authorization.as_str() {
        "Bearer t0ken" => influx(request),
        _ => Answer::Status(401, "{\"error\":\"authorization failed\"}"),
    });
    let setup = over(&redis);
    let token = setup.path("token");
    std::fs::write(&token, "t0ken\n").unwrap();
    let (url, token) = (sink.url(), token.display().to_string());
    let arguments = ["--influx", &url, "--database", "telegraf"];
    let with_token = [&arguments[..], &["--bearer-token-file", &token]].concat();
    let log = filled(
        &over(&redis).with("store.full_duration", "30d"),
        &[
            &with_token[..],
            &["--from", "-20d", "--until", "-1h", "--rate", "1000000"],
        ]
        .concat(),
    );
    assert!(log.contains("parts      1 of 1 fetched"), "{log}");
    let statements = sink.requests().len();
    assert_eq!(statements, 4, "the list, and 28,740 rows by 10,000");
    let points = stored(&redis, "up.idle");
    assert!((28_735..=28_740).contains(&points.len()), "{}", points.len());
    assert!(points.is_sorted_by(|a, b| a.0 < b.0));
    let ended = backfill(&setup, &arguments);
    assert_eq!(ended.code(), 1);
    assert!(ended.log.contains("authorization failed"), "{}", ended.log);
    let ended = backfill(&setup, &[&with_token[..], &["--measurement", "gone"]].concat());
    assert!(ended.log.contains("measurement not found"), "{}", ended.log);
    for arguments in [
        &["--influx", &url][..],
        &["--influx", &url, "--database", "a", "--match", "b"],
        &["--influx", &url, "--database", "a", "--metric", "b"],
        &["--csv", "b", "--database", "a"],
    ] {
        assert_eq!(backfill(&setup, arguments).code(), 2, "{arguments:?}");
    }
}
