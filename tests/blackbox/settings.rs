//! Settings that are wrong, and stores that cannot be had: what the command line says, and with which
//! exit code.

use std::time::{Duration, Instant};

use super::redis_world::{points, put};
use crate::common::redis::{RedisServer, ServerOptions};
use crate::common::series::{each_minute, now, quiet};
use crate::common::skywatch::Setup;
use crate::common::{carbon, wait_for};

#[test]
fn an_unknown_key_names_its_place_and_the_nearest_key() {
    let setup = Setup::new();
    let file = setup.path("skywatch.toml");
    std::fs::write(&file, "# mine\n[analyzer]\noptimum_run_duratoin = \"20s\"\n").unwrap();
    let path = file.to_str().unwrap();
    let ended = setup.run(&["run", "--config", path]);
    assert_eq!(ended.code(), 2);
    assert_eq!(
        ended.log,
        format!(
            "unknown key `analyzer.optimum_run_duratoin` in {path} line 3\n\
             hint: did you mean `analyzer.optimum_run_duration`?\n"
        )
    );

    let ended = Setup::new().with("store.ulr", "redis://localhost").run(&["run"]);
    assert_eq!(ended.code(), 2);
    assert!(ended.log.contains("`SKYWATCH__STORE__ULR`"), "{}", ended.log);
    assert!(ended.log.contains("did you mean"), "{}", ended.log);

    let ended = setup.run(&["run", "--set", "alerts.lgo=true"]);
    assert_eq!(ended.code(), 2);
    assert!(
        ended.log.contains("`alerts.lgo`") && ended.log.contains("--set"),
        "{}",
        ended.log
    );
    assert!(ended.log.contains("did you mean `alerts.log`?"), "{}", ended.log);
}

#[test]
fn a_wrong_value_says_what_was_expected() {
    for (key, value, expected) in [
        ("analyzer.optimum_run_duration", "soon", "\"90s\""),
        ("analyzer.consensus", "10", "9"),
        ("store.url", "mysql://localhost", "redis"),
        ("analyzer.profile", "skylin", "skyline"),
    ] {
        let ended = Setup::new().with(key, value).run(&["run"]);
        assert_eq!(ended.code(), 2, "{key}");
        let text = &ended.log;
        assert!(
            text.contains(&format!("`{key}`")) && text.contains(value),
            "{text}"
        );
        assert!(text.contains(expected), "{key}: {text}");
    }
}

#[test]
fn every_value_is_shown_with_its_origin_and_no_secret() {
    let setup = Setup::new().with("email.password", "hunter2");
    let ended = setup.run(&["settings", "--set", "analyzer.consensus=7"]);
    assert_eq!(ended.code(), 0, "{}", ended.log);
    let line = |key: &str| {
        let mut lines = ended.stdout.lines();
        let line = lines.find(|line| line.split_whitespace().next() == Some(key));
        line.unwrap_or_else(|| panic!("no {key} in\n{}", ended.stdout))
            .to_owned()
    };
    assert!(line("analyzer.consensus").contains(" 7 ") && line("analyzer.consensus").contains("--set"));
    assert!(line("state_dir").contains("SKYWATCH__STATE_DIR"));
    assert!(line("analyzer.stale_period").contains("default"));
    assert!(line("email.password").contains("***"));
    assert!(!ended.stdout.contains("hunter2"), "{}", ended.stdout);
}

#[test]
fn a_wrong_password_ends_it_at_once_and_is_not_shown() {
    let options = ServerOptions {
        password: Some("right".to_owned()),
        ..ServerOptions::default()
    };
    let redis = RedisServer::start_with(options);
    for arguments in [&["run"][..], &["run", "--single-process"]] {
        for (url, password) in [
            (redis.tcp_url(), "hunter2"),
            (redis.socket_url(), "hunter2"),
            (redis.tcp_url().replace("127.0.0.1", ":hunter2@127.0.0.1"), ""),
            (redis.tcp_url(), ""),
        ] {
            let setup = Setup::new()
                .with("store.url", &url)
                .with("store.password", password);
            let begun = Instant::now();
            let ended = setup.run(arguments);
            assert_eq!(ended.code(), 1, "{arguments:?} {url}: {}", ended.log);
            assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
            let text = format!("{}{}", ended.log, ended.stdout);
            assert!(text.contains("denies user `default`"), "{text}");
            assert!(
                text.contains("hint: check `store.username` and `store.password`"),
                "{text}"
            );
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}

#[test]
fn a_redis_that_is_not_there_yet_is_waited_for() {
    let mut redis = RedisServer::start();
    put(&mut redis.connection(), "quiet", &each_minute(&quiet(200), now()));
    redis.stop();
    let setup = Setup::new().on(&redis);
    let running = setup.start(&["run"]);
    running.line("store unreachable, try 3");
    let status = running.status();
    assert!(
        status["analyzer"]["trouble"]
            .as_str()
            .unwrap()
            .contains("does not answer"),
        "{status}"
    );
    carbon::send(running.carbon(), format!("early 1 {}\n", now()).as_bytes());
    running.line("points wait, the store does not take them");
    assert!(
        running.log().matches("store unreachable, try").count() < 20,
        "it backs off"
    );

    redis.start_again();
    running.line("store reached again after");
    running.line("total analyzed :: 1");
    wait_for("the point that waited", || {
        let names: bool = redis::Commands::exists(&mut redis.connection(), "metrics.early").unwrap();
        names.then_some(())
    });
    assert_eq!(points(&mut redis.connection(), "early").len(), 1);
    wait_for("the trouble to be over", || {
        running.status()["analyzer"]["trouble"].is_null().then_some(())
    });
    let ended = running.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
}

#[test]
fn what_only_a_person_can_mend_ends_it_at_once_with_the_cause_said_once() {
    let redis = RedisServer::start();
    let mailing = |ca_file: &str| {
        Setup::new()
            .on(&redis)
            .with("email.server", "localhost")
            .with("email.from", "watch@example.org")
            .with("email.to", r#"["ops@example.org"]"#)
            .with("email.ca_file", ca_file)
    };
    let ended = mailing("/nowhere/ca.pem").run(&["run"]);
    assert_eq!(ended.code(), 1);
    assert!(
        ended
            .log
            .contains("error: receiver `email`: CA file `/nowhere/ca.pem` cannot be read: "),
        "{}",
        ended.log
    );
    assert_eq!(ended.log.matches("No such file").count(), 1, "{}", ended.log);

    for arguments in [&["run", "--passes", "1"][..], &["run", "--single-process"]] {
        let setup = Setup::new().on(&redis);
        let ended = setup.run(&[arguments, &["--summary", "/nowhere/summary.jsonl"]].concat());
        assert_eq!(ended.code(), 1);
        assert!(
            ended
                .log
                .contains("error: cannot write the summary file `/nowhere/summary.jsonl`")
        );
        assert_eq!(ended.log.matches("No such file").count(), 1, "{}", ended.log);
    }

    let setup = Setup::new().on(&redis);
    std::fs::write(setup.path("state"), "a file").unwrap();
    let ended = setup.run(&["run"]);
    assert_eq!(ended.code(), 1);
    assert!(ended.log.contains("hint: set `state_dir`"), "{}", ended.log);
}

/// A live Skyline and a carbon aggregator have the usual ports of the other inputs.
#[test]
fn no_port_is_taken_that_was_not_asked_for_but_carbon_and_the_pages() {
    let setup = Setup::new();
    let mut command = setup.command(&["settings"]);
    let ended = command
        .env_clear()
        .env("HOME", setup.path("home"))
        .output()
        .unwrap();
    let text = String::from_utf8(ended.stdout).unwrap();
    let on: Vec<&str> = text
        .lines()
        // Those of roles that are off are taken by nobody.
        .filter(|line| !line.starts_with("traces."))
        .filter(|line| line.contains("_listen ") || line.starts_with("web.listen "))
        .filter(|line| line.contains("127.0.0.1:"))
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(on, ["ingest.carbon_listen", "web.listen"], "{text}");
}
