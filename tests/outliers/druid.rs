//! Rows that are fetched from a Druid: what it is asked, and what is made of whatever it answers.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::world::{base64, counter, form, is_the_planted_one, post, query, rows, setup, start};
use crate::common::http_sink::{Answer, HttpSink};
use crate::common::skywatch::Setup;
use crate::common::wait_for;

const OUTLIERS: &str = "/api/v1/outliers";

fn over(druid: &HttpSink) -> Setup {
    setup()
        .with("druid.url", &format!("{}/druid/v2/", druid.url()))
        .with("druid.timeout", "500ms")
        .with("druid.retries", "1")
        .with("druid.failures", "50")
}

fn ok(body: &Value) -> Answer {
    Answer::ok(&body.to_string())
}

#[test]
fn a_query_goes_to_druid_as_it_came() {
    let druid = HttpSink::start(|_| ok(&rows(300)));
    let setup = over(&druid)
        .with("druid.username", "sky")
        .with("druid.password", "watch");
    let (_server, to) = start(&setup);
    let answer = form(
        to,
        OUTLIERS,
        &[("query", &base64(&query("FlowSensor").to_string()))],
    );
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = answer.json();
    assert!(is_the_planted_one(&answer), "{answer}");
    let why = "there is no model of the sensor `FlowSensor`";
    assert_eq!(
        (&answer["model"]["chosen_by"], &answer["model"]["why"]),
        (&"default".into(), &why.into())
    );
    assert_eq!(counter(to, "unknown_sensors_total"), 1);
    let asked = druid.requests();
    assert_eq!((asked.len(), asked[0].line.as_str()), (1, "POST /druid/v2"));
    assert_eq!(asked[0].header("content-type"), Some("application/json"));
    assert_eq!(asked[0].header("authorization"), Some("Basic c2t5OndhdGNo"));
    assert_eq!(asked[0].json(), query("FlowSensor"));
    // Rows in the request stand in for those of the query.
    assert_eq!(
        post(to, OUTLIERS, &json!({"query": query("x"), "data": rows(300)})).status,
        200
    );
    assert_eq!(druid.requests().len(), 1);
}

#[test]
fn what_may_not_be_asked_never_reaches_druid() {
    let druid = HttpSink::start(|_| ok(&rows(300)));
    let (_server, to) = start(&over(&druid));
    let changed = |change: fn(&mut Value)| {
        let mut query = query("FlowSensor");
        change(&mut query);
        let answer = post(to, OUTLIERS, &json!({ "query": query }));
        (
            answer.status,
            answer.json()["detail"].as_str().unwrap().to_owned(),
        )
    };
    for (change, words) in [
        (
            (|query| query["dataSource"] = json!("secret")) as fn(&mut Value),
            "`outliers.data_sources` does not name it",
        ),
        (
            |query| query["dataSource"] = json!({"type": "query", "query": {}}),
            "no name of a table",
        ),
        (
            |query| query["queryType"] = json!("groupBy"),
            "expected `timeseries`",
        ),
        (
            |query| query["intervals"] = json!(["2020-01-01/2023-01-01"]),
            "`outliers.max_interval`",
        ),
        (|query| query["intervals"] = json!(7), "`intervals`"),
        (
            |query| query["granularity"] = json!("sometimes"),
            "no granularity",
        ),
        (
            |query| query["filter"] = json!({"type": "javascript", "function": "…"}),
            "JavaScript",
        ),
    ] {
        let (status, detail) = changed(change);
        assert!(status == 400 && detail.contains(words), "{status} {detail}");
    }
    assert!(druid.requests().is_empty());
    assert_eq!(counter(to, "refused_total{reason=\"query_refused\"}"), 7);
    assert_eq!(counter(to, "druid_queries_total"), 0);
}

#[test]
fn whatever_druid_does_has_its_status() {
    let next = std::sync::Arc::new(Mutex::new(Answer::Hang));
    let answers = std::sync::Arc::clone(&next);
    let druid = HttpSink::start(move |_| answers.lock().unwrap().clone());
    let (_server, to) = start(&over(&druid));
    let say = |status, text: &str| Answer::Say(status, Vec::new(), text.as_bytes().to_vec());
    let error = r#"{"error": "Unknown exception", "errorMessage": "no such column"}"#;
    let cases = [
        (
            say(200, "<html>login</html>"),
            502,
            "source_malformed",
            "HTML, not JSON",
            1,
        ),
        (say(200, error), 502, "source_malformed", "no list of rows", 1),
        (say(400, error), 502, "source_refused", "no such column", 1),
        (say(401, ""), 502, "source_refused", "refuses us", 1),
        (say(500, error), 502, "source_down", "500", 2),
        (
            Answer::Cut("[{\"timestamp\"".to_owned()),
            502,
            "source_down",
            "does not answer",
            2,
        ),
        (Answer::Hang, 504, "source_slow", "timeout", 1),
        (say(200, "[]"), 404, "no_rows", "no rows", 1),
    ];
    for (answer, status, reason, words, tries) in cases {
        *next.lock().unwrap() = answer;
        let before = druid.requests().len();
        let answer = post(to, OUTLIERS, &json!({"query": query("FlowSensor")}));
        let json = answer.json();
        assert_eq!(
            (answer.status, &json["reason"]),
            (status, &reason.into()),
            "{json}"
        );
        assert!(json["detail"].as_str().unwrap().contains(words), "{json}");
        assert_eq!(druid.requests().len() - before, tries, "{reason}");
    }
    assert_eq!(counter(to, "refused_total{reason=\"source_down\"}"), 2);
}

#[test]
fn a_druid_that_is_away_is_left_alone_for_a_while() {
    let well = std::sync::Arc::new(AtomicUsize::new(0));
    let is_well = std::sync::Arc::clone(&well);
    let druid = HttpSink::start(move |_| match is_well.load(Ordering::SeqCst) {
        0 => Answer::status(503),
        _ => ok(&rows(300)),
    });
    let setup = over(&druid)
        .with("druid.retries", "0")
        .with("druid.failures", "2")
        .with("druid.pause", "1s");
    let (_server, to) = start(&setup);
    let ask = || post(to, OUTLIERS, &json!({"query": query("FlowSensor")}));
    assert_eq!([ask().status, ask().status], [502, 502]);
    let answer = ask();
    assert_eq!(
        (answer.status, &answer.json()["reason"]),
        (503, &"source_left_alone".into())
    );
    assert!(
        answer.head.to_lowercase().contains("retry-after: 1"),
        "{}",
        answer.head
    );
    assert_eq!(druid.requests().len(), 2, "it was not asked");
    // Who brings rows along needs no Druid.
    assert_eq!(post(to, OUTLIERS, &json!({"data": rows(300)})).status, 200);
    well.store(1, Ordering::SeqCst);
    wait_for("Druid to be asked again", || (ask().status == 200).then_some(()));
    assert_eq!(ask().status, 200);
}

#[test]
fn a_slow_druid_holds_up_nobody_who_brings_rows_along() {
    let druid = HttpSink::start(|_| Answer::Hang);
    let setup = over(&druid)
        .with("druid.timeout", "5s")
        .with("druid.concurrency", "2");
    let (_server, to) = start(&setup);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let answer = post(to, OUTLIERS, &json!({"query": query("FlowSensor")}));
                assert_eq!(answer.status, 504, "{}", answer.body);
            });
        }
        wait_for("both to be asked", || (druid.requests().len() == 2).then_some(()));
        let begun = std::time::Instant::now();
        assert_eq!(post(to, OUTLIERS, &json!({"data": rows(300)})).status, 200);
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    });
}

#[test]
fn without_a_druid_a_query_says_so() {
    let (_server, to) = start(&setup());
    let answer = post(to, OUTLIERS, &json!({"query": query("FlowSensor")}));
    assert_eq!(
        (answer.status, &answer.json()["reason"]),
        (503, &"no_source".into())
    );
}
