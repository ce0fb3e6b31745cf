//! Whom a command asks: the process that runs, whatever the command knows of its settings.

use std::fs;

use super::hook::Hook;
use super::world::{Metrics, World};
use crate::common::redis::RedisServer;
use crate::common::skywatch::Ended;
use crate::common::smtp::Smtp;
use crate::common::wait_for;

fn good(ended: &Ended) -> &str {
    assert_eq!(ended.code(), 0, "{}{}", ended.stdout, ended.log);
    &ended.stdout
}

fn bad<'e>(ended: &'e Ended, words: &str) -> &'e str {
    assert_eq!(ended.code(), 1, "{}{}", ended.stdout, ended.log);
    assert_eq!(ended.stdout, "", "nothing is answered");
    assert!(ended.log.contains(words), "`{words}` is not in {}", ended.log);
    &ended.log
}

#[test]
fn whoever_asks_without_settings_asks_the_process_that_runs() {
    let redis = RedisServer::start();
    let mut metrics = Metrics::of(&redis);
    let mail = Smtp::start();
    let receiver = format!(
        "[email]\nserver = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\nfrom = \"sky@example.org\"\nto = [\"ops@example.org\"]\n",
        mail.port()
    );
    let world = World::over(&redis, &receiver);
    metrics.well(&["web.calm"]);
    metrics.bad(&["web.cpu", "web.disk", "web.net"]);
    let questions: [&[&str]; 6] = [
        &["incidents"],
        &["ack", "1"],
        &["silence", "list"],
        &["notices"],
        &["explain", "web.cpu"],
        &["jobs"],
    ];
    for question in questions {
        bad(&world.stranger(question), "and none ever has");
    }

    let running = world.start();
    let mails = wait_for("mails", || Some(mail.mails()).filter(|mails| !mails.is_empty()));
    running.line("total anomalies :: 3");
    let asked = world.stranger(&["incidents"]);
    // Below a line for those that are probably one cause, where they are.
    let of_incidents = good(&asked)
        .lines()
        .filter(|line| line.contains("  since "))
        .count();
    assert_eq!(of_incidents, 3, "{}", asked.stdout);
    for name in ["web.cpu", "web.disk", "web.net"] {
        assert!(asked.stdout.contains(name), "{}", asked.stdout);
    }
    assert_eq!(good(&world.stranger(&["silence", "list"])), "no silences\n");
    assert!(good(&world.stranger(&["explain", "web.cpu"])).contains("incident: "));
    assert!(good(&world.stranger(&["jobs"])).contains("no jobs in unix://"));
    assert!(good(&world.stranger(&["models"])).contains("no models in"));

    // The command that mails print, typed as it stands.
    let state = world.path("state").canonicalize().unwrap().display().to_string();
    let command = format!("skywatch --state-dir {state} ack 1");
    let text: String = mails.concat().replace("=\r\n", "").replace("=\n", "");
    assert!(text.contains(&command), "`{command}` is not in {text}");
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    assert!(good(&world.stranger(&words)).contains("has it"));
    assert!(good(&world.stranger(&["incidents"])).contains("acknowledged"));

    // The state folder is no more: the process is.
    fs::remove_dir_all(world.path("state")).unwrap();
    for arguments in [&["incidents"][..], &["--state-dir", &state, "incidents"]] {
        let asked = world.stranger(arguments);
        assert!(!asked.stdout.contains("no open incidents"), "{}", asked.stdout);
        assert!(
            asked.code() == 1 || asked.stdout.contains("web.cpu"),
            "{}{}",
            asked.stdout,
            asked.log
        );
    }
    running.stop();
    bad(&world.stranger(&["incidents"]), "and none ever has");
}

#[test]
fn of_several_that_run_one_must_be_named() {
    let redis = RedisServer::start();
    let hook = Hook::start();
    Metrics::of(&redis).bad(&["web.cpu"]);
    let (one, other) = (
        World::over(&redis, &hook.receiver("one")),
        World::over(&redis, &hook.receiver("other")),
    );
    let first = one.start();
    first.line("total anomalies :: 1");
    // The other as the same user: where it says that it runs is where the first does.
    // It watches all metrics by itself, as nodes of a cluster would not.
    let mut command = other.command(&["run", "--single-process", "--set", "cluster.enabled=false"]);
    let second = crate::common::skywatch::Skywatch::spawn(command.env("XDG_RUNTIME_DIR", one.path("run")));
    second.line("total anomalies :: 1");
    let states = [&one, &other].map(|world| world.path("state").canonicalize().unwrap());
    let log = bad(&one.stranger(&["incidents"]), "2 skywatch run here").to_owned();
    for state in &states {
        assert!(log.contains(&state.display().to_string()), "{log}");
        let named = state.display().to_string();
        assert!(good(&one.stranger(&["--state-dir", &named, "incidents"])).contains("web.cpu"));
    }
    assert_eq!(second.stop().code(), 0);
    assert!(good(&one.stranger(&["incidents"])).contains("web.cpu"));

    // Killed, it leaves a file behind that says it runs; a command sees that it does not.
    crate::common::skywatch::signal(first.pid(), "KILL");
    let ended = first.wait();
    assert!(ended.status.code().is_none());
    let left = || fs::read_dir(one.path("run/skywatch")).unwrap().count();
    assert!(left() > 0);
    let state = states[0].display().to_string();
    let asked = one.stranger(&["--state-dir", &state, "incidents"]);
    let lines: Vec<&str> = good(&asked).lines().collect();
    assert!(
        lines[0].starts_with(&format!(
            "no skywatch runs over `{state}`: this is from its files, as of "
        )),
        "{}",
        asked.stdout
    );
    assert!(lines[1].contains("web.cpu"), "{}", asked.stdout);
    assert_eq!(left(), 0);
    let told = one.stranger(&["--state-dir", &state, "incidents", "--json"]);
    assert!(
        serde_json::from_str::<serde_json::Value>(good(&told)).is_ok(),
        "{}",
        told.stdout
    );
    assert!(told.log.contains("this is from its files"), "{}", told.log);
    bad(
        &one.stranger_with("SKYWATCH__STATE_DIR", &one.path("elsewhere"), &["incidents"]),
        "and none ever has",
    );
    assert!(!one.path("elsewhere").exists(), "asking makes no folder");
}

#[test]
fn a_command_waits_for_a_dispatch_that_is_started_again() {
    let redis = RedisServer::start();
    let hook = Hook::start();
    Metrics::of(&redis).bad(&["web.cpu"]);
    let world = World::over(&redis, &hook.receiver("hook")).with("process.restart_backoff", "2s");
    let running = crate::common::skywatch::Skywatch::spawn(&mut world.command(&["run"]));
    hook.wait_for("web.cpu", &["opened"]);
    crate::common::skywatch::signal(running.child("dispatch"), "KILL");
    running.line("child `dispatch` (pid ");
    assert!(good(&world.stranger(&["incidents"])).contains("web.cpu"));
    running.nth_line(2, "child `dispatch` started");
    assert_eq!(running.stop().code(), 0);
}
