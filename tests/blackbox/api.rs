//! The interface for programs: what it answers, what it refuses, and whom.

use serde_json::{Value, json};

use super::redis_world::put;
use crate::common::redis::RedisServer;
use crate::common::series::{each_minute, loud, now, quiet};
use crate::common::skywatch::{Setup, Skywatch};
use crate::common::{http, wait_for};

const JSON: &str = "Content-Type: application/json";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

fn call(running: &Skywatch, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let answer = http::request(running.pages(), method, path, &[JSON], &body).unwrap();
    let value = match answer.body.is_empty() {
        true => Value::Null,
        false => answer.json(),
    };
    (answer.status, value)
}

#[test]
fn programs_can_do_what_commands_can() {
    let redis = RedisServer::start();
    let mut store = redis.connection();
    put(&mut store, "web1.cpu", &each_minute(&loud(200), now()));
    put(&mut store, "web1.disk", &each_minute(&quiet(200), now()));
    let setup = Setup::new().on(&redis);
    let running = setup.start(&["run"]);
    let get = |path: &str| call(&running, "GET", path, &Value::Null);
    let open = wait_for("an incident", || {
        let (_, answer) = get("/api/v1/incidents");
        answer["incidents"][0]
            .is_object()
            .then(|| answer["incidents"][0].clone())
    });
    assert_eq!(open["subject"]["name"], "web1.cpu");

    let (status, names) = get("/api/v1/metrics?q=web1&limit=1&skip=1");
    assert_eq!(
        (status, &names),
        (200, &json!({ "metrics": ["web1.disk"], "total": 2 }))
    );
    let (status, series) = get("/api/v1/series?metric=web1.cpu&points=40");
    assert_eq!(status, 200);
    let points = series["points"].as_array().unwrap();
    assert!((2..=40).contains(&points.len()), "{series}");
    let highest = points
        .iter()
        .map(|point| point[1].as_f64().unwrap())
        .fold(f64::MIN, f64::max);
    assert_eq!(highest, 500.0, "the spike survives: {series}");
    let (status, explained) = get("/api/v1/explain?metric=web1.cpu");
    assert_eq!(status, 200);
    assert_eq!(explained["examined"]["Ok"]["verdict"], "anomalous", "{explained}");
    let (status, dump) = (200, http::get(running.pages(), "/anomalies.json").body);
    assert_eq!(
        (status, dump.as_str()),
        (200, "handle_data([[500.0,\"web1.cpu\"]])")
    );
    assert_eq!(
        get("/api?metric=web1.disk").1["results"]
            .as_array()
            .unwrap()
            .len(),
        200
    );

    let judged = get("/api/v1/series?metric=web1.cpu&step=60&scores=true").1;
    let last = judged["judged"].as_array().unwrap().last().unwrap();
    assert_eq!(last[1], 500.0, "{judged}");
    assert!(
        last[2].as_f64().unwrap() >= 1.0 && last[4].as_f64().unwrap() < 500.0,
        "{judged}"
    );
    let (_, days) = get("/api/v1/history/days");
    assert_eq!(
        days["days"].as_array().unwrap().last().unwrap()["opened"],
        1,
        "{days}"
    );
    let (_, subjects) = get("/api/v1/history/subjects?name=web*.cpu");
    assert_eq!(subjects["subjects"][0]["incidents"], 1, "{subjects}");
    let (_, detectors) = get("/api/v1/detectors?days=1");
    assert_eq!(
        (
            &detectors["incidents"],
            detectors["detectors"].as_array().unwrap().is_empty()
        ),
        (&1.into(), false)
    );
    let (_, settings) = get("/api/v1/settings");
    let store = settings["settings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["key"] == "store.url");
    assert!(
        store.unwrap()["origin"]
            .as_str()
            .unwrap()
            .contains("SKYWATCH__STORE__URL"),
        "{settings}"
    );
    assert_eq!(get("/api/v1/notices?state=dead").1, json!({ "notices": [] }));
    assert_eq!(get("/api/v1/route-test?metric=web1.cpu&severity=critical").0, 200);
    assert_eq!(
        call(&running, "POST", "/api/v1/notices/retry", &json!({ "all": true })).0,
        404
    );

    // Who has an answer already is told so, and nothing is sent again.
    let first = http::get(running.pages(), "/api/v1/settings");
    let tag = first
        .head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("etag: ").map(str::to_owned));
    let tag = format!("If-None-Match: {}", tag.unwrap());
    let again = http::request(running.pages(), "GET", "/api/v1/settings", &[&tag], "").unwrap();
    assert_eq!((again.status, again.body.as_str()), (304, ""), "{}", again.head);

    let taken = json!({ "by": "bot", "until_resolved": true });
    let (status, answer) = call(&running, "POST", "/api/v1/incidents/1/acknowledge", &taken);
    assert_eq!(
        (status, &answer["incident"]["ack"]["by"]),
        (200, &"bot".into()),
        "{answer}"
    );
    let wish = json!({ "metrics": ["web*.cpu"], "length": "2h", "by": "bot" });
    let (status, made) = call(&running, "POST", "/api/v1/silences/add", &wish);
    assert_eq!((status, &made["silences"][0]["id"]), (201, &1.into()), "{made}");
    assert_eq!(
        call(&running, "DELETE", "/api/v1/silences/1", &Value::Null),
        (204, Value::Null)
    );
    let (_, none) = get("/api/v1/silences");
    assert_eq!(none["silences"], json!([]));
    let wish = json!({ "incident": 1, "length": "change", "by": "bot" });
    let (status, made) = call(&running, "POST", "/api/v1/silences/add", &wish);
    let until = &made["silences"][0]["until_change"];
    assert_eq!((status, &until["incident"]), (201, &1.into()), "{made}");
    let other = json!({ "incident": 1, "length": "2h" });
    assert_eq!(call(&running, "POST", "/api/v1/silences/add", &other).0, 400);
    let (status, _) = call(
        &running,
        "POST",
        "/api/v1/incidents/1/close",
        &json!({ "by": "bot" }),
    );
    assert_eq!(status, 200);
    assert_eq!(get("/api/v1/incidents").1["incidents"], json!([]));
    let (_, ended) = get("/api/v1/silences?all=true");
    assert_eq!(
        ended["silences"][0]["until_change"]["ended_by"], "over",
        "{ended}"
    );
    assert_eq!(running.stop().code(), 0);
}

#[test]
fn what_cannot_be_done_is_said_in_the_form_of_problems() {
    let redis = RedisServer::start();
    put(
        &mut redis.connection(),
        "web1.cpu",
        &each_minute(&quiet(200), now()),
    );
    let setup = Setup::new().on(&redis);
    let running = setup.start(&["run"]);
    running.line("total anomalies :: 0");
    let none = Value::Null;
    for (method, path, body, status) in [
        ("GET", "/api/v1/series?metric=none", &none, 404),
        ("GET", "/api/v1/series", &none, 400),
        ("GET", "/api/v1/series?metric=web1.cpu&from=9&until=3", &none, 400),
        ("GET", "/api/v1/series?metric=web1.cpu&points=many", &none, 400),
        ("GET", "/api/v1/metrics?q=~(", &none, 400),
        ("GET", "/api/v1/incidents?name=~(", &none, 400),
        ("GET", "/api/v1/incidents/77", &none, 404),
        ("POST", "/api/v1/incidents/77/close", &json!({ "by": "bot" }), 409),
        ("POST", "/api/v1/incidents/77/close", &json!({}), 422),
        (
            "POST",
            "/api/v1/silences/add",
            &json!({ "metrics": [], "length": "2h" }),
            400,
        ),
        (
            "POST",
            "/api/v1/silences/add",
            &json!({ "metrics": ["a"], "length": "soon" }),
            400,
        ),
        ("DELETE", "/api/v1/silences/9", &none, 404),
    ] {
        let (answered, problem) = call(&running, method, path, body);
        assert_eq!(answered, status, "{method} {path}: {problem}");
        assert_eq!(problem["status"], status, "{method} {path}: {problem}");
        assert!(problem["detail"].as_str().unwrap().len() > 5, "{problem}");
    }
    let answer = http::request(running.pages(), "GET", "/api/v1/series", &[], "").unwrap();
    assert!(
        answer.head.to_lowercase().contains("application/problem+json"),
        "{}",
        answer.head
    );
    assert_eq!(running.stop().code(), 0);
}

/// A change must come from a page of ours or from a program, and with the token if there is one.
#[test]
fn a_page_of_another_site_changes_nothing() {
    let setup = Setup::new();
    let running = setup.start(&["run"]);
    let pages = running.pages();
    let post = |headers: &[&str]| {
        let headers: Vec<&str> = headers.iter().copied().chain([FORM]).collect();
        let body = "metrics=web1.cpu&length=2h";
        http::request(pages, "POST", "/silences/add", &headers, body)
            .unwrap()
            .status
    };
    assert_eq!(post(&["Sec-Fetch-Site: cross-site"]), 403);
    assert_eq!(post(&["Origin: https://evil.example"]), 403);
    assert_eq!(post(&["Origin: null"]), 403);
    // Nothing was taken, as is seen once the dispatch answers.
    wait_for("an empty list", || {
        let listed = http::get(pages, "/silences?all=1").body;
        listed.contains("None.").then_some(())
    });
    let own = format!("Origin: http://{pages}");
    wait_for("the dispatch to answer", || {
        (post(&["Sec-Fetch-Site: same-origin", &own]) == 303).then_some(())
    });
    assert_eq!(running.stop().code(), 0);

    let setup = Setup::new().with("web.token", "sesame-sesame-sesame-sesame");
    let running = setup.start(&["run"]);
    let change = |headers: &[&str]| {
        let headers: Vec<&str> = headers.iter().copied().chain([JSON]).collect();
        let answer = http::request(running.pages(), "DELETE", "/api/v1/silences/1", &headers, "");
        answer.unwrap().status
    };
    assert_eq!(change(&[]), 401);
    let token = "Authorization: Bearer sesame-sesame-sesame-sesame";
    wait_for("the dispatch to answer", || {
        (change(&[token]) == 404).then_some(())
    });
    assert_eq!(running.stop().code(), 0);
}

#[test]
fn the_interface_describes_itself() {
    let setup = Setup::new();
    let running = setup.start(&["run"]);
    let document = http::get(running.pages(), "/api/v1/openapi.json").json();
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 10, "{paths:?}");
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().unwrap() {
            assert!(
                !operation["summary"].as_str().unwrap().is_empty(),
                "{method} {path}"
            );
            assert!(
                operation["responses"].as_object().unwrap().len() >= 2,
                "{method} {path}"
            );
            // Each is really there: what it lacks is refused by the call, not by the router.
            let path = path.replace("{id}", "1");
            let method = method.to_uppercase();
            let answer = http::request(running.pages(), &method, &path, &[JSON], "").unwrap();
            assert_ne!(answer.status, 405, "{method} {path}");
            assert!(
                answer.status != 404 || answer.body.contains("\"detail\""),
                "{method} {path}"
            );
        }
    }
    assert_eq!(running.stop().code(), 0);
}
