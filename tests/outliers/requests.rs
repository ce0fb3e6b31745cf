//! What is answered to rows that come with a request, and what is refused.

use serde_json::{Value, json};

use super::world::{base64, counter, form, found, is_the_planted_one, minute, post, rows, setup, start};
use crate::common::http;

const OUTLIERS: &str = "/api/v1/outliers";
const ADDRESSES: &str = "/api/v1/ip_identifier";

#[test]
fn both_names_and_both_forms_answer_alike() {
    let (server, to) = start(&setup());
    let data = base64(&rows(300).to_string());
    let answer = form(to, OUTLIERS, &[("data", &data)]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = answer.json();
    assert_eq!(answer["status"], "success");
    assert!(is_the_planted_one(&answer), "{answer}");
    let mut outliers = answer["anomalies"].as_array().unwrap().iter();
    let outlier = outliers.find(|one| one["timestamp"] == minute(200)).unwrap();
    assert!(
        outlier["expected"].as_f64().unwrap() < 1_500.0 && outlier["observed"].as_f64().unwrap() > 9_000.0
    );
    assert_eq!(answer["predicted"].as_array().map(Vec::len), Some(300));
    assert_eq!(answer["predicted"][7]["timestamp"], minute(7));
    assert!(answer["predicted"][7]["forecast"].is_f64() && answer["predicted"][7]["score"].is_f64());
    assert_eq!(answer["prediction"], answer["predicted"]);
    assert_eq!(
        answer["model"],
        json!({"name": "scales", "kind": "detector", "chosen_by": "default"})
    );
    assert_eq!(form(to, "/calculate", &[("data", &data)]).json(), answer);
    assert_eq!(post(to, OUTLIERS, &json!({"data": data})).json(), answer);
    assert_eq!(post(to, OUTLIERS, &json!({"data": rows(300)})).json(), answer);
    let part = |name: &str, text: &str| {
        format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
    };
    let body = format!("{}--xyz--\r\n", part("data", &data));
    let parts = |body: &str| {
        let kind = "Content-Type: multipart/form-data; boundary=xyz";
        http::request(to, "POST", "/calculate", &[kind], body).unwrap()
    };
    assert_eq!(parts(&body).json(), answer, "as `curl -F` sends it");
    assert_eq!(parts(&body[..body.len() - 9]).status, 400, "a form that is cut");
    // The original's detector finds its one in a hundred, the planted one among them.
    let forest = form(to, OUTLIERS, &[("data", &data), ("detector", "forest")]).json();
    assert_eq!(
        (&forest["model"]["name"], &forest["model"]["chosen_by"]),
        (&"forest".into(), &"request".into())
    );
    assert!(found(&forest).contains(&minute(200).as_str()), "{forest}");
    let none = form(
        to,
        OUTLIERS,
        &[("data", &data), ("detector", "forest"), ("sensitivity", "0")],
    )
    .json();
    assert!(found(&none).is_empty());
    // The interface is described, and says it is alive.
    let document = http::get(to, "/api/v1/openapi.json").json();
    let kinds = &document["paths"]["/calculate"]["post"]["requestBody"]["content"];
    for kind in [
        "application/x-www-form-urlencoded",
        "application/json",
        "multipart/form-data",
    ] {
        assert!(kinds[kind].is_object(), "{kind}");
    }
    assert_eq!(http::get(to, "/healthz").status, 200);
    assert_eq!(counter(to, "answered_total"), 7);
    let ended = server.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
}

#[test]
fn rows_in_disorder_and_without_numbers_are_put_right_and_said() {
    let (_server, to) = start(&setup());
    let mut all = rows(300);
    let list = all.as_array_mut().unwrap();
    list[10]["result"]["bytes"] = Value::Null;
    list.swap(50, 51);
    list.push(json!({"timestamp": minute(299), "result": {"bytes": 1_005.0}}));
    list.push(json!("no row"));
    // Python writes what is no JSON.
    let text = all.to_string().replacen("null", "NaN", 1);
    let answer = form(to, OUTLIERS, &[("data", &base64(&text))]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = answer.json();
    assert!(is_the_planted_one(&answer), "{answer}");
    assert_eq!(
        answer["left_out"],
        json!({"duplicate": 1, "malformed_row": 1, "unsorted": 1, "without_number": 1})
    );
    let predicted = answer["predicted"].as_array().unwrap();
    assert_eq!(predicted.len(), 299);
    // Times stay beside their values behind the one that was left out.
    assert_eq!(predicted[10]["timestamp"], minute(11));
    assert_eq!(counter(to, "rows_total{reason=\"without_number\"}"), 1);
    // A series of monitors is judged wherever it stands.
    let monitors = |at: usize| json!({"timestamp": minute(at), "result": {"a": 1, "monitors": at % 7}});
    let monitors: Value = (0..40).map(monitors).collect();
    assert_eq!(
        post(to, OUTLIERS, &json!({"data": monitors})).json()["metric"],
        "monitors"
    );
}

#[test]
fn what_cannot_be_answered_has_a_status_a_reason_and_a_counter() {
    let setup = setup()
        .with("outliers.max_request_bytes", "200000")
        .with("outliers.max_points", "1000");
    let (_server, to) = start(&setup);
    let many =
        json!({"data": (0..1_001).map(|at| json!({"timestamp": at, "result": {"v": 1}})).collect::<Value>()});
    let nulls: Value = (0..40)
        .map(|at| json!({"timestamp": minute(at), "result": {"v": null}}))
        .collect();
    let no_data = "No data provided or requested";
    let no_query = "Could not execute druid query";
    let no_model = "Error while calculating prediction model";
    let cases = [
        (json!({}), 400, "no_data", no_data),
        (json!({"data": "§§§"}), 400, "not_base64", no_query),
        (json!({"data": base64("not JSON")}), 400, "not_json", no_query),
        (json!({"data": base64("{\"a\": 1}")}), 400, "not_json", no_query),
        (json!({"query": base64("[]")}), 400, "not_json", no_query),
        (
            json!({"data": rows(40), "metric": "pkts"}),
            400,
            "unknown_metric",
            no_model,
        ),
        (json!({"data": rows(3)}), 400, "too_few_points", no_model),
        (json!({"data": []}), 404, "no_rows", no_model),
        (json!({"data": nulls}), 404, "no_rows", no_model),
        (many, 413, "too_many_points", no_model),
        (json!({"data": "x".repeat(300_000)}), 413, "too_large", no_query),
        (
            json!({"query": {"queryType": "scan", "dataSource": "rb_flow"}}),
            400,
            "query_refused",
            no_query,
        ),
        (
            json!({"data": rows(40), "detector": "best"}),
            400,
            "bad_request",
            no_data,
        ),
    ];
    for (body, status, reason, message) in &cases {
        let answer = post(to, OUTLIERS, body);
        assert_eq!(answer.status, *status, "{reason}: {}", answer.body);
        let json = answer.json();
        assert_eq!(
            (&json["status"], &json["msg"]),
            (&"error".into(), &(*message).into()),
            "{json}"
        );
        assert_eq!(json["reason"], *reason);
        assert!(
            json["detail"].as_str().is_some_and(|detail| detail.len() > 10),
            "{json}"
        );
    }
    assert_eq!(counter(to, "refused_total{reason=\"not_json\"}"), 3);
    assert_eq!(counter(to, "refused_total{reason=\"no_rows\"}"), 2);
    let not_json = http::request(to, "POST", OUTLIERS, &["Content-Type: application/json"], "{").unwrap();
    assert_eq!(
        (not_json.status, &not_json.json()["reason"]),
        (400, &"not_json".into())
    );
    let of_a_page = ["Content-Type: application/json", "Origin: http://evil.example"];
    let page = http::request(to, "POST", OUTLIERS, &of_a_page, "{}").unwrap();
    assert_eq!(
        (page.status, &page.json()["reason"]),
        (400, &"bad_request".into())
    );
    assert_eq!(counter(to, "requests_total"), cases.len() as u64 + 2);
}

#[test]
fn a_token_is_asked_for_and_statuses_may_all_be_200() {
    let setup = setup()
        .with("outliers.token", "first second")
        .with("outliers.always_200", "true");
    let (_server, to) = start(&setup);
    let ask = |headers: &[&str]| http::request(to, "POST", OUTLIERS, headers, "").unwrap();
    let json = "Content-Type: application/json";
    assert_eq!(ask(&[json]).status, 401);
    assert_eq!(ask(&[json, "Authorization: Bearer third"]).status, 401);
    let answer = ask(&[json, "Authorization: Bearer second"]);
    assert_eq!((answer.status, &answer.json()["status"]), (200, &"error".into()));
    assert_eq!(http::get(to, "/healthz").status, 200, "a balancer has no token");
    assert_eq!(http::get(to, "/metrics").status, 401);
    let ended = setup.run(&[
        "serve",
        "--set",
        "outliers.listen=0.0.0.0:0",
        "--set",
        "outliers.token=",
    ]);
    assert_eq!(ended.code(), 2, "{}", ended.log);
    assert!(ended.log.contains("insecure_listen"), "{}", ended.log);
}

#[test]
fn addresses_behind_an_outlier_are_named() {
    let (_server, to) = start(&setup());
    let of_address = |loud: usize| -> Value {
        let row = |at: usize| json!({"timestamp": minute(at), "result": {"bytes": if at == loud { 50_000 } else { 400 }}});
        (0..60).map(row).collect()
    };
    let payload = json!({
        "outliers": [{"timestamp": minute(40), "expected": 800.0}, {"timestamp": minute(20), "expected": 800.0}],
        "all_ips_data": {"10.0.0.1": of_address(40), "10.0.0.2": of_address(20)},
    });
    // Braces and quotes as they are: a form takes them.
    let text = payload.to_string();
    let answer = form(to, ADDRESSES, &[("payload", &text)]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = answer.json();
    assert_eq!(answer["ips"][0]["caused_by"], json!(["10.0.0.1"]));
    assert_eq!(answer["ips"][1]["caused_by"], json!(["10.0.0.2"]));
    assert!(answer["ips"][0]["ranking"][0]["share"].as_f64().unwrap() > 0.9);
    assert_eq!(post(to, ADDRESSES, &payload).json(), answer);
    let text = form(to, ADDRESSES, &[("payload", &text), ("compat", "string")]).json();
    assert_eq!(
        serde_json::from_str::<Value>(text.as_str().unwrap()).unwrap(),
        answer
    );
    let wrong = form(to, ADDRESSES, &[("payload", "{\"outliers\": 1}")]);
    assert_eq!(
        (wrong.status, &wrong.json()["reason"]),
        (400, &"bad_request".into())
    );
}
