//! Entities of Huawei Cloud's AOM, which answers as a Prometheus does to those who have a token or a code.

use serde_json::{Value, json};

use crate::common::http_sink::{Answer, HttpSink, Request};
use crate::common::skywatch::Setup;

/// An AOM and an IAM in one: checks what it gets.
fn stand_in() -> HttpSink {
    HttpSink::start(|request: &Request| {
        if request.line == "POST /v3/auth/tokens?nocatalog=true" {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            let user = &body["auth"]["identity"]["password"]["user"];
            let is_known = *user == json!({"name": "sky", "password": "watch", "domain": {"name": "house"}})
                && body["auth"]["scope"] == json!({"project": {"id": "p1"}});
            let mut headers = vec![("Connection", "close".to_owned())];
            if is_known {
                headers.push(("X-Subject-Token", "tok-1".to_owned()));
            }
            let body = json!({"token": {"expires_at": "2099-01-01T00:00:00.000000Z"}});
            return Answer::Say(
                if is_known { 201 } else { 401 },
                headers,
                body.to_string().into_bytes(),
            );
        }
        let is_let_in = request.header("x-auth-token") == Some("tok-1")
            || request.header("x-apig-appcode") == Some("code-1");
        let is_right = request.line.starts_with("GET /v1/p1/aom/api/v1/query_range?");
        let status = match (is_let_in, is_right) {
            (true, true) => 200,
            (false, _) => 403,
            (_, false) => 404,
        };
        let values: Vec<Value> = (1..=500)
            .map(|at| json!([at * 60, (at % 7).to_string()]))
            .collect();
        let series = json!({"metric": {"instance": "web-1"}, "values": values});
        let body = json!({"status": "success", "data": {"resultType": "matrix", "result": [series]}});
        Answer::Say(
            status,
            vec![("Connection", "close".to_owned())],
            body.to_string().into_bytes(),
        )
    })
}

#[test]
fn aom_is_asked_with_a_token_or_a_code() {
    let server = stand_in();
    let setup = || {
        Setup::new()
            .with("entities.prometheus", &format!("{}/v1/p1/aom", server.url()))
            .with("entities.metrics", "a, b")
    };
    let train = |setup: Setup| setup.run(&["entities", "train", "--from", "0", "--until", "30000"]);
    let with_token = |password: &str| {
        setup()
            .with("entities.iam_url", &server.url())
            .with("entities.iam_domain", "house")
            .with("entities.iam_project", "p1")
            .with("entities.username", "sky")
            .with("entities.password", password)
    };
    for setup in [with_token("watch"), setup().with("entities.app_code", "code-1")] {
        let ended = train(setup);
        assert_eq!(ended.code(), 0, "{}", ended.log);
        assert!(
            ended.stdout.contains("web-1: 500 rows of 2 metrics learnt"),
            "{}",
            ended.stdout
        );
    }
    let tokens = server
        .requests()
        .iter()
        .filter(|request| request.line.starts_with("POST"))
        .count();
    assert_eq!(tokens, 1, "one token is for all questions");
    let ended = train(with_token("wrong"));
    assert_eq!(ended.code(), 1, "{}", ended.log);
    assert!(ended.log.contains("no token for the user: 401"), "{}", ended.log);
    assert!(!ended.log.contains("wrong"), "{}", ended.log);
}
