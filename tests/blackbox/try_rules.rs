//! Trying a rule on the past: the page, the call, and that what is pasted does what was tried.

use crate::blackbox::redis_world::put;
use crate::common::redis::RedisServer;
use crate::common::series::{each_minute, loud, now, quiet};
use crate::common::skywatch::{Setup, Skywatch};
use crate::common::{http, wait_for};

/// The answer once it is there.
fn try_rule(running: &Skywatch, query: &str) -> serde_json::Value {
    wait_for("the answer", || {
        let answer = http::get(running.pages(), &format!("/api/v1/try?{query}"));
        match answer.status {
            202 => None,
            200 => Some(answer.json()),
            status => panic!("{status}: {}", answer.body),
        }
    })
}

#[test]
fn a_rule_is_tried_before_it_is_set_and_does_then_what_was_shown() {
    let redis = RedisServer::start();
    let mut store = redis.connection();
    put(&mut store, "web1.cpu", &each_minute(&loud(200), now()));
    put(&mut store, "web2.cpu", &each_minute(&quiet(200), now()));
    let setup = Setup::new().on(&redis);
    let running = setup.start(&["run"]);
    wait_for("an incident", || {
        let open = http::get(running.pages(), "/api/v1/incidents").json();
        open["incidents"][0].is_object().then_some(())
    });

    let one = try_rule(&running, "metrics=%3Dweb1.cpu&direction=down");
    assert_eq!(
        (&one["picked"], &one["replayed"]),
        (&1.into(), &1.into()),
        "{one}"
    );
    assert_eq!(one["now"]["incidents"], 1, "{one}");
    assert_eq!(
        one["metrics"][0]["now"]["incidents"][0]["observed"], 500.0,
        "{one}"
    );
    assert_eq!(
        (&one["tried"]["incidents"], &one["tried"]["told"]),
        (&0.into(), &0.into())
    );
    let both = try_rule(&running, "metrics=web*.cpu&min_absolute_change=10000");
    assert_eq!(
        (&both["picked"], &both["now"]["told"], &both["tried"]["told"]),
        (&2.into(), &1.into(), &0.into()),
        "{both}"
    );
    for (query, status) in [
        ("metrics=web*.cpu&sensitivity=99", 400),
        ("metrics=~(", 400),
        ("sensitivity=1", 400),
    ] {
        assert_eq!(
            http::get(running.pages(), &format!("/api/v1/try?{query}")).status,
            status,
            "{query}"
        );
    }
    let page = http::get(running.pages(), "/try?metrics=%3Dweb1.cpu&direction=down");
    assert_eq!(page.status, 200);
    for words in [
        "Incidents as tried",
        "None.",
        "&quot;=web1.cpu direction=down&quot;",
    ] {
        assert!(page.body.contains(words), "no {words:?} in {}", page.body);
    }
    assert_eq!(running.stop().code(), 0);

    // What was shown to be pasted is taken, and what was an incident is none.
    let file = setup.path("tried.toml");
    std::fs::write(&file, one["settings"].as_str().expect("lines to paste")).expect("the folder is writable");
    std::fs::remove_dir_all(setup.path("state")).expect("nobody uses it");
    let running = setup.start(&["run", "--config", &file.display().to_string()]);
    running.line("total anomalies :: 0");
    assert_eq!(running.stop().code(), 0);
}
