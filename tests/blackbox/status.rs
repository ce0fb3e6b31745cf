//! `skywatch status`: is it working, for people, and by exit code for scripts.

use crate::common::redis::RedisServer;
use crate::common::series::now;
use crate::common::skywatch::Setup;
use crate::common::{carbon, wait_for};

#[test]
fn it_says_whether_it_works_and_its_exit_code_does_too() {
    let mut redis = RedisServer::start();
    let setup = Setup::new().on(&redis);
    let never = setup.run(&["status"]);
    assert_eq!(never.code(), 3, "{}", never.log);
    assert!(never.log.contains("no skywatch runs over"), "{}", never.log);

    let skywatch = setup.start(&["run"]);
    let lines = format!("a.b 1 {0}\nc.d 2 {0}\n", now());
    carbon::send(skywatch.carbon(), lines.as_bytes());
    let well = wait_for("a status without ailments", || {
        let ended = setup.run(&["status", "--json"]);
        let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        (ended.code() == 0 && report["pass"]["metrics"] == 2).then_some(report)
    });
    assert_eq!(well["running"], true);
    assert_eq!(well["process"]["pid"], skywatch.pid());
    let children = well["process"]["children"].as_array().unwrap();
    let analyzer = children.iter().find(|child| child["name"] == "analyzer").unwrap();
    assert_eq!(analyzer["pid"], skywatch.child("analyzer"));
    assert_eq!(well["ingest"]["accepted"], 2);
    assert!(well["ingest"]["rate"].is_number() && well["pass"]["seconds"]["total"].is_number());
    let shown = setup.run(&["status"]);
    assert_eq!(shown.code(), 0, "{}", shown.stdout);
    for words in [
        "skywatch     works",
        "  analyzer",
        "last pass",
        "TooShort 2",
        "2 accepted, 2 written",
        "0 open",
    ] {
        assert!(shown.stdout.contains(words), "no {words:?} in\n{}", shown.stdout);
    }

    redis.stop();
    wait_for("a status that names the store", || {
        let ended = setup.run(&["status"]);
        (ended.code() == 1 && ended.stdout.contains("something is WRONG")).then_some(())
    });
    assert_eq!(skywatch.stop().code(), 0);
    let ended = setup.run(&["status"]);
    assert_eq!(ended.code(), 3);
    assert!(ended.stdout.contains("does NOT run"), "{}", ended.stdout);
}

#[test]
fn a_start_without_its_store_is_wrong_at_once() {
    let setup = Setup::new().with("store.url", "redis://127.0.0.1:1");
    let skywatch = setup.start(&["run"]);
    skywatch.line("store unreachable, try 1");
    let ended = wait_for("a status that names the store", || {
        let ended = setup.run(&["status"]);
        (ended.code() == 1).then_some(ended)
    });
    assert!(
        ended
            .stdout
            .contains("  wrong      store `redis://127.0.0.1:1/0` does not answer"),
        "{}",
        ended.stdout
    );
    drop(skywatch.stop());
}

#[test]
fn points_that_are_all_dropped_are_wrong_and_the_clocks_are_named() {
    let setup = Setup::new().with("ingest.max_future", "10m");
    let skywatch = setup.start(&["run"]);
    let line = format!("a.b 1 {}\n", now() + 7_200.0);
    carbon::send(skywatch.carbon(), line.as_bytes());
    let ended = wait_for("a status that names the drops", || {
        let ended = setup.run(&["status"]);
        (ended.code() == 1).then_some(ended)
    });
    let words = "all points that came were dropped: too_far_ahead 1; are the clocks of this machine and of the senders right?";
    assert!(ended.stdout.contains(words), "{}", ended.stdout);
    assert_eq!(skywatch.stop().code(), 0);
}

#[test]
fn why_it_ended_by_itself_is_there_for_who_looks_later() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let setup = Setup::new().with("ingest.carbon_listen", &address);
    assert_eq!(setup.run(&["run"]).code(), 1);
    let ended = setup.run(&["status"]);
    assert_eq!(ended.code(), 3);
    let words = format!("it ended by itself: cannot listen on `{address}`");
    assert!(ended.stdout.contains(&words), "{}", ended.stdout);
}
