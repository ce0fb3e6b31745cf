//! From a Prometheus, by an HTTP stand-in that holds requests to what a real one takes; a real one is in the tests of the
//! ingest.

use super::{a_day, backfill, filled, judged, over, stored};
use crate::common::redis::RedisServer;
use crate::common::sink::{Answer, Request, Sink};

/// Two series of `load`, one of them with values that are none; whatever is asked for more than 11,000 points is refused.
fn prometheus(request: &Request) -> Answer {
    let label = |host: &str| format!("{{\"__name__\":\"load\",\"host\":\"{host}\",\"zone\":\"a b\"}}");
    match request.path.as_str() {
        "/api/v1/series" if request.get("match[]") == "load" => Answer::Json(format!(
            "{{\"status\":\"success\",\"data\":[{},{},null,{{\"host\":7}}]}}",
            label("y"),
            label("x")
        )),
        "/api/v1/query_range" => {
            let number = |name: &str| request.get(name).parse::<f64>().unwrap();
            let (start, end, step) = (number("start"), number("end"), number("step"));
            assert_eq!(start % step, 0.0, "{start}");
            if (end - start) / step + 1.0 > 11_000.0 {
                return Answer::Status(400, "exceeded maximum resolution of 11,000 points per timeseries");
            }
            let query = request.get("query");
            let (metric, bad) = match query {
                "{__name__=\"load\",host=\"x\",zone=\"a b\"}" => (label("x"), "\"NaN\""),
                "{__name__=\"load\",host=\"y\",zone=\"a b\"}" => (label("y"), "\"+Inf\""),
                "sum(load)" => ("{}".to_owned(), "null"),
                _ => return Answer::Status(400, "parse error"),
            };
            let mut values = Vec::new();
            for point in 0..=((end - start) / step) as u64 {
                let time = start + point as f64 * step;
                values.push(match point {
                    10 => format!("[{time},{bad}]"),
                    _ => format!("[{time},\"{}\"]", 100.0 + (time / 60.0) % 23.0),
                });
            }
            Answer::Json(format!(
                "{{\"status\":\"success\",\"data\":{{\"resultType\":\"matrix\",\"result\":[\
                 {{\"metric\":{metric},\"values\":[{}]}},null]}}}}",
                values.join(",")
            ))
        }
        _ => Answer::Status(404, "no such page"),
    }
}

fn ranges(sink: &Sink) -> Vec<(f64, f64)> {
    let requests = sink.requests();
    let of = |request: &Request, name: &str| request.get(name).parse().unwrap();
    requests
        .iter()
        .filter(|request| request.path == "/api/v1/query_range")
        .map(|request| (of(request, "start"), of(request, "end")))
        .collect()
}

#[test]
fn a_selector_gives_its_series_under_the_names_of_remote_write() {
    let redis = RedisServer::start();
    let sink = Sink::start(|request, _| prometheus(request));
    let setup = over(&redis);
    let log = filled(&setup, &["--prometheus", &sink.url(), "--match", "load"]);
    assert!(log.contains("parts      2 of 2 fetched"), "{log}");
    assert!(log.contains("malformed_series 2, not_finite 2"), "{log}");
    let found = stored(&redis, "load;host=x;zone=a%20b");
    assert!((1_437..=1_440).contains(&found.len()), "{}", found.len());
    assert!(
        found
            .windows(2)
            .all(|pair| [60.0, 120.0].contains(&(pair[1].0 - pair[0].0)))
    );
    assert_eq!(judged(setup), (2, 0));
}

#[test]
fn a_long_stretch_is_asked_for_in_pieces() {
    let redis = RedisServer::start();
    let sink = Sink::start(|request, _| prometheus(request));
    let setup = over(&redis).with("store.full_duration", "30d");
    let arguments = [
        "--prometheus",
        &sink.url(),
        "--query",
        "sum(load)",
        "--metric",
        "load.sum",
        "--rate",
        "1000000",
    ];
    let log = filled(
        &setup,
        &[&arguments[..], &["--from", "-20d", "--until", "-1h"]].concat(),
    );
    let ranges = ranges(&sink);
    assert_eq!(ranges.len(), 3, "{ranges:?}");
    assert!(
        ranges.windows(2).all(|pair| pair[1].0 == pair[0].1 + 60.0),
        "{ranges:?}"
    );
    assert!(log.contains("malformed_series 3, null 3"), "{log}");
    let found = stored(&redis, "load.sum");
    assert!((28_730..=28_740).contains(&found.len()), "{}", found.len());
    assert!(found.is_sorted_by(|a, b| a.0 < b.0));
    // Nobody has said what a result without a name is called.
    let ended = backfill(
        &over(&redis),
        &["--prometheus", &sink.url(), "--query", "sum(load)"],
    );
    assert_eq!(ended.code(), 1);
    assert!(ended.log.contains("unnamed_series 1"), "{}", ended.log);
    assert!(ended.log.contains("`--metric NAME`"), "{}", ended.log);
}

#[test]
fn what_is_too_much_for_a_server_is_asked_for_in_halves() {
    let redis = RedisServer::start();
    let sink = Sink::start(|request, _| {
        let number = |name: &str| request.get(name).parse::<f64>().unwrap_or_default();
        match number("end") - number("start") > 6.0 * 3_600.0 && request.path.ends_with("range") {
            true => Answer::Status(422, "query processing would load too many samples into memory"),
            false => prometheus(request),
        }
    });
    let arguments = ["--prometheus", &sink.url(), "--match", "load"];
    let log = filled(&over(&redis), &arguments);
    assert!(log.contains("parts      2 of 2 fetched"), "{log}");
    let found = stored(&redis, "load;host=y;zone=a%20b");
    assert!(
        found.len() > 1_400 && found.is_sorted_by(|a, b| a.0 < b.0),
        "{}",
        found.len()
    );
}

#[test]
fn a_token_goes_along_and_a_login_is_not_told() {
    let redis = RedisServer::start();
    let sink = Sink::start(|request, _| match request.authorization.as_str() {
        "Bearer t0ken" | "Basic dXNlcjpzM2NyM3Q=" => prometheus(request),
        _ => Answer::Status(401, "who are you?"),
    });
    let setup = over(&redis);
    let token = setup.path("token");
    std::fs::write(&token, "t0ken\n").unwrap();
    let token = token.display().to_string();
    let url = sink.url();
    let arguments = ["--prometheus", &url, "--match", "load"];
    filled(
        &setup,
        &[&arguments[..], &["--bearer-token-file", &token]].concat(),
    );
    let login = url.replace("http://", "http://user:s3cr3t@");
    let log = filled(&over(&redis), &["--prometheus", &login, "--match", "load"]);
    assert!(!log.contains("s3cr3t"), "{log}");
    let ended = backfill(&over(&redis), &arguments);
    assert_eq!(ended.code(), 1);
    assert!(ended.log.contains("refuses us: 401"), "{}", ended.log);
    let ended = backfill(&over(&redis), &["--prometheus", &url, "--match", "load{"]);
    assert_eq!(ended.code(), 1, "{}", ended.log);
    for arguments in [
        &["--prometheus", &url][..],
        &["--prometheus", &url, "--match", "a", "--step", "0s"],
        &["--prometheus", &url, "--match", "a", "--csv", "b"],
        &["--csv", "b", "--match", "a"],
        &["--redis", "redis://127.0.0.1:1", "--metric", "a"],
        &["--csv", "b", "--target", "a"],
        &["--csv", "b", "--namespace", "a"],
    ] {
        assert_eq!(backfill(&setup, arguments).code(), 2, "{arguments:?}");
    }
}

#[test]
fn what_fails_for_a_moment_is_asked_again() {
    let redis = RedisServer::start();
    let sink = Sink::start(|request, before| match before {
        0 => Answer::Status(503, "busy"),
        2 => Answer::Cut("{\"status\":\"succ".to_owned()),
        3 => Answer::Json("{\"status\":\"success\",\"data\":{\"result\":[".to_owned()),
        _ => prometheus(request),
    });
    let log = filled(&over(&redis), &["--prometheus", &sink.url(), "--match", "load"]);
    assert!(log.contains(", 3 retries"), "{log}");
    assert!(a_day(0).len() - stored(&redis, "load;host=x;zone=a%20b").len() < 4);
}
