//! From a Graphite.

use std::time::Duration;

use skywatch::sources::{Graphite, GraphiteOptions, Source as _, SourceError, Span};

use super::{a_day, backfill, filled, judged, over, stored};
use crate::common::redis::RedisServer;
use crate::common::sink::{Answer, Request, Sink, rendered};

const PATTERN: &str = "servers.*.cpu";

fn series_of(target: &str) -> Vec<(f64, f64)> {
    a_day(u32::from(target.as_bytes()[target.len() - 5]))
}

/// Knows `servers.{a,b,c}.cpu`.
fn graphite(request: &Request) -> Answer {
    let names = ["servers.a.cpu", "servers.b.cpu", "servers.c.cpu"];
    match (request.path.as_str(), request.get("target")) {
        ("/metrics/expand", _) if request.get("query") == PATTERN => {
            Answer::Json(format!("{{\"results\": {names:?}}}"))
        }
        ("/render", target) if names.contains(&target) => {
            Answer::Json(format!("[{}]", rendered(target, &series_of(target))))
        }
        ("/render", PATTERN) => {
            let all = names.map(|name| rendered(name, &series_of(name)));
            Answer::Json(format!("[{}]", all.join(", ")))
        }
        ("/render", _) => Answer::Json("[]".to_owned()),
        _ => Answer::Status(404, "no such page"),
    }
}

#[test]
fn on_day_one_metrics_are_analyzed_instead_of_too_short() {
    let redis = RedisServer::start();
    let sink = Sink::start(|request, _| graphite(request));
    let setup = over(&redis);
    let log = filled(&setup, &["--graphite", &sink.url(), "--target", PATTERN]);
    assert!(
        log.contains("parts      3 of 3 fetched, 0 done before, 0 failed"),
        "{log}"
    );
    assert!(log.contains("metrics    3\n"), "{log}");
    assert_eq!(
        sink.rendered(),
        ["servers.a.cpu", "servers.b.cpu", "servers.c.cpu"]
    );
    let expected = series_of("servers.b.cpu");
    // The oldest of them may have left the window since.
    let found = stored(&redis, "servers.b.cpu");
    assert!(found.len() >= 1_439, "{}", found.len());
    assert_eq!(found, expected[expected.len() - found.len()..]);
    assert_eq!(judged(setup), (3, 0));
}

#[test]
fn a_graphite_that_cannot_expand_is_asked_for_the_pattern() {
    for surprise in [404, 500] {
        let redis = RedisServer::start();
        let sink = Sink::start(move |request, _| match request.path.as_str() {
            "/metrics/expand" => Answer::Status(surprise, "what?"),
            _ => graphite(request),
        });
        let setup = over(&redis);
        let log = filled(&setup, &["--graphite", &sink.url(), "--target", PATTERN]);
        assert!(log.contains("parts      1 of 1 fetched"), "{log}");
        assert!(log.contains("metrics    3\n"), "{log}");
        assert_eq!(sink.rendered(), [PATTERN]);
    }
}

#[test]
fn nulls_doubles_and_names_that_are_none_are_left_out_and_counted() {
    let redis = RedisServer::start();
    let now = a_day(0)[1_439].0;
    let sink = Sink::start(move |_, _| {
        let points = [
            (now - 300.0, 1.0),
            (now - 240.0, f64::NAN),
            (now - 180.0, 5.0),
            (now - 180.0, 4.0),
            (now - 200_000.0, 9.0),
            (now - 120.0, f64::NAN),
        ];
        Answer::Json(format!(
            "[{}, {}, {}]",
            rendered("good;b=2;a=1", &points),
            rendered("a name with blanks", &points[..1]),
            rendered("skyline.analyzer.run", &points[..1]),
        ))
    });
    let log = filled(
        &over(&redis),
        &[
            "--graphite",
            &sink.url(),
            "--target",
            "aliasByTags(seriesByTag('a=1'))",
        ],
    );
    assert_eq!(
        stored(&redis, "good;a=1;b=2"),
        [(now - 300.0, 1.0), (now - 180.0, 4.0)]
    );
    let line = log.lines().find(|line| line.starts_with("left out")).unwrap();
    assert_eq!(
        line,
        "left out   bad_name 1, before_from 1, duplicate 1, null 2, skipped 1"
    );
}

#[test]
fn what_fails_for_a_moment_is_asked_again() {
    let redis = RedisServer::start();
    let sink = Sink::start(|request, before| match before {
        0 => Answer::Status(503, "busy"),
        1 => Answer::Cut("[{\"target\": \"servers.a.cpu\", ".to_owned()),
        2 => Answer::Json("[{\"target\": \"servers.a.cpu\", \"datapoints\": [[1, 17000".to_owned()),
        _ => graphite(request),
    });
    let log = filled(
        &over(&redis),
        &["--graphite", &sink.url(), "--target", "servers.a.cpu"],
    );
    assert!(log.contains(", 3 retries"), "{log}");
    assert!(log.contains("503"), "{log}");
    assert!(stored(&redis, "servers.a.cpu").len() >= 1_439);
}

#[test]
fn a_redirect_is_refused_and_named() {
    let redis = RedisServer::start();
    let other = Sink::start(|request, _| graphite(request));
    let there = other.url();
    let sink = Sink::start(move |_, _| Answer::To(format!("{there}/render")));
    let ended = backfill(
        &over(&redis),
        &["--graphite", &sink.url(), "--target", "servers.a.cpu"],
    );
    assert_eq!(ended.code(), 1);
    assert!(
        ended
            .log
            .contains(&format!("redirects to `{}/render`", other.url())),
        "{}",
        ended.log
    );
    assert!(other.requests().is_empty());
}

#[test]
fn one_part_that_fails_is_named_and_the_rest_is_filled() {
    let redis = RedisServer::start();
    let sink = Sink::start(|request, _| match request.get("target") {
        "servers.b.cpu" => Answer::Json("<html>not what you think</html>".to_owned()),
        _ => graphite(request),
    });
    let arguments = ["--graphite", &sink.url(), "--target", PATTERN];
    let setup = over(&redis);
    let ended = backfill(&setup, &arguments);
    assert_eq!(ended.code(), 1);
    assert!(
        ended.log.contains("2 of 3 fetched, 0 done before, 1 failed"),
        "{}",
        ended.log
    );
    assert!(
        ended.log.contains("failed     `servers.b.cpu`: "),
        "{}",
        ended.log
    );
    assert!(
        ended.log.contains("error: 1 parts failed\nhint: "),
        "{}",
        ended.log
    );
    assert!(stored(&redis, "servers.c.cpu").len() >= 1_439);
}

#[test]
fn a_graphite_that_fails_for_good_ends_it_with_a_hint() {
    let redis = RedisServer::start();
    let sink = Sink::start(|request, _| match request.path.as_str() {
        "/render" => Answer::Status(500, "broken\r\nfor good"),
        _ => graphite(request),
    });
    let arguments = ["--graphite", &sink.url(), "--target", PATTERN, "--retries", "1"];
    let ended = backfill(&over(&redis), &[&arguments[..], &["--target", "d"]].concat());
    assert_eq!(ended.code(), 1);
    assert!(
        ended
            .log
            .contains("does not answer: 500 Internal Server Error broken  for good\nhint: "),
        "{}",
        ended.log
    );
    assert_eq!(sink.rendered().len(), 6, "three parts, each tried twice");
    // Nobody there at all.
    let port = crate::common::redis::free_port();
    let url = format!("http://user:secret@127.0.0.1:{port}");
    let ended = backfill(
        &over(&redis),
        &["--graphite", &url, "--target", PATTERN, "--retries", "0"],
    );
    assert_eq!(ended.code(), 1);
    assert!(!ended.log.contains("secret"), "{}", ended.log);
}

#[test]
fn the_time_asked_for_is_the_time_fetched() {
    let redis = RedisServer::start();
    let sink = Sink::start(|request, _| graphite(request));
    let setup = over(&redis);
    let arguments = ["--graphite", &sink.url(), "--target", "servers.a.cpu"];
    let begun = crate::common::series::now();
    filled(
        &setup,
        &[&arguments[..], &["--from", "-2h", "--until", "-1h"]].concat(),
    );
    let request = &sink.requests()[0];
    let asked = |name: &str| request.get(name).parse::<f64>().unwrap();
    assert!((asked("from") - (begun - 7_200.0)).abs() < 20.0);
    assert!((asked("until") - (begun - 3_600.0)).abs() < 20.0);
    // The server gave a day.
    let points = stored(&redis, "servers.a.cpu");
    assert!((59..=61).contains(&points.len()), "{}", points.len());
    for bad in [["--from", "yesterday"], ["--from", "-2"], ["--until", "-30h"]] {
        let ended = backfill(&setup, &[&arguments[..], &bad].concat());
        assert_eq!(ended.code(), 2, "{}", ended.log);
        assert!(ended.log.contains("--"), "{}", ended.log);
    }
}

/// By the library, as the command's patience is longer than a test's.
#[test]
fn a_graphite_that_says_nothing_is_given_up_in_time() {
    let sink = Sink::start(|_, _| Answer::Nothing);
    let mut graphite = Graphite::new(GraphiteOptions {
        url: sink.url(),
        response_timeout: Duration::from_millis(300),
        ..GraphiteOptions::default()
    })
    .unwrap();
    let begun = std::time::Instant::now();
    let span = Span {
        after: 0.0,
        until: 1.0,
    };
    let outcome = graphite.fetch("a", span, &mut |_, _| {});
    assert!(
        matches!(outcome, Err(SourceError::TimedOut { .. })),
        "{outcome:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(10));
}

/// What one point is does not matter to the next, and what one metric is not to the server.
#[test]
fn values_that_are_no_json_cost_only_themselves() {
    let redis = RedisServer::start();
    let now = a_day(0)[1_439].0;
    let bad = [
        "1e9999",
        "-1e9999",
        "NaN",
        "Infinity",
        "-Infinity",
        "null",
        "\"text\"",
        "{}",
        "[]",
        "true",
    ];
    let sink = Sink::start(move |request, _| match request.path.as_str() {
        "/metrics/expand" => {
            let names: Vec<String> = (0..bad.len()).map(|number| format!("m.{number}")).collect();
            Answer::Json(format!("{{\"results\": {names:?}}}"))
        }
        _ => {
            let target = request.get("target");
            let number: usize = target[2..].parse().unwrap();
            Answer::Json(format!(
                "[null, {{\"target\":{target:?},\"datapoints\":[[1,{}],[{},{}],[2,{}],[3],7,[4,{now},5]]}}]",
                now - 120.0,
                bad[number],
                now - 60.0,
                now,
            ))
        }
    });
    let log = filled(&over(&redis), &["--graphite", &sink.url(), "--target", "m.*"]);
    assert!(log.contains("10 of 10 fetched, 0 done before, 0 failed"), "{log}");
    assert!(log.contains("points     20 stored"), "{log}");
    let line = log.lines().find(|line| line.starts_with("left out")).unwrap();
    assert_eq!(
        line,
        "left out   malformed 34, malformed_series 10, not_finite 5, null 1"
    );
    for (number, bad) in bad.iter().enumerate() {
        let found = stored(&redis, &format!("m.{number}"));
        assert_eq!(found, [(now - 120.0, 1.0), (now, 2.0)], "{bad}");
    }
}

#[test]
fn metrics_that_cannot_be_read_are_no_dead_server() {
    let redis = RedisServer::start();
    let sink = Sink::start(|request, _| match request.path.as_str() {
        "/metrics/expand" => {
            let names: Vec<String> = (0..9).map(|number| format!("m.{number}.cpu")).collect();
            Answer::Json(format!("{{\"results\": {names:?}}}"))
        }
        _ => match request.get("target") {
            target @ ("m.0.cpu" | "m.8.cpu") => {
                Answer::Json(format!("[{}]", rendered(target, &series_of(target))))
            }
            "m.1.cpu" | "m.2.cpu" | "m.3.cpu" => Answer::Json("<html>not what you think</html>".to_owned()),
            "m.4.cpu" | "m.5.cpu" => Answer::Status(400, "cannot parse"),
            _ => Answer::Status(404, "no such metric"),
        },
    });
    let ended = backfill(&over(&redis), &["--graphite", &sink.url(), "--target", "m.*"]);
    assert_eq!(ended.code(), 1);
    assert!(
        ended.log.contains("2 of 9 fetched, 0 done before, 7 failed"),
        "{}",
        ended.log
    );
    assert!(ended.log.contains("error: 7 parts failed"), "{}", ended.log);
    assert!(stored(&redis, "m.8.cpu").len() >= 1_439);
    // A server that lets nobody in is another matter.
    let sink = Sink::start(|request, _| match request.path.as_str() {
        "/render" => Answer::Status(401, "who are you?"),
        _ => Answer::Json("{\"results\": [\"a\", \"b\", \"c\", \"d\", \"e\"]}".to_owned()),
    });
    let ended = backfill(&over(&redis), &["--graphite", &sink.url(), "--target", "m.*"]);
    assert_eq!(ended.code(), 1);
    assert_eq!(sink.rendered(), ["a", "b", "c"]);
    assert!(ended.log.contains("refuses us: 401"), "{}", ended.log);
}
