//! The parent and its children: who is started again, who ends with whom, and how fast.

use std::time::{Duration, Instant};

use skywatch::ingest::client::{Client, Protocol};

use super::redis_world::{points, put};
use crate::common::redis::RedisServer;
use crate::common::series::{each_minute, loud, now, quiet};
use crate::common::skywatch::{Setup, is_running, signal, summaries};
use crate::common::{PATIENCE, carbon, wait_for};

const ROLES: [&str; 4] = ["dispatch", "ingest", "analyzer", "web"];

#[test]
fn a_killed_child_is_started_again_after_a_growing_pause_and_the_others_live_on() {
    let redis = RedisServer::start();
    put(&mut redis.connection(), "loud", &each_minute(&loud(200), now()));
    let setup = Setup::new()
        .on(&redis)
        .with("analyzer.optimum_run_duration", "200ms");
    let running = setup.start(&["run"]);
    let [_, ingest, analyzer, web] = ROLES.map(|role| running.child(role));
    running.line("total anomalies :: 1");

    signal(analyzer, "KILL");
    let line = running.line(&format!("child `analyzer` (pid {analyzer}) ended: signal 9"));
    assert!(
        line.contains("ERROR") && line.contains("starting it again in 0.2 seconds"),
        "{line}"
    );
    let again = running.nth_child(2, "analyzer");
    assert_ne!(again, analyzer);
    signal(again, "KILL");
    let line = running.line(&format!("child `analyzer` (pid {again}) ended: signal 9"));
    assert!(line.contains("starting it again in 0.4 seconds"), "{line}");
    let third = running.nth_child(3, "analyzer");
    // Asked to end and ended well: nobody asked us, so it is started again all the same.
    signal(third, "TERM");
    running.nth_child(4, "analyzer");
    let before = running.log().matches("total anomalies :: 1").count();
    running.nth_line(before + 2, "total anomalies :: 1");

    signal(ingest, "KILL");
    running.nth_child(2, "ingest");
    carbon::send(running.nth_carbon(2), format!("after 1 {}\n", now()).as_bytes());
    wait_for("a point through the new ingest", || {
        redis::Commands::exists(&mut redis.connection(), "metrics.after")
            .ok()
            .filter(|found| *found)
    });
    assert!(is_running(web), "nobody touched it");
    assert_eq!(running.log().matches("child `web` started").count(), 1);

    let ended = running.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
}

#[test]
fn children_end_by_themselves_when_their_parent_is_killed() {
    let redis = RedisServer::start();
    let setup = Setup::new().on(&redis);
    let running = setup.start(&["run"]);
    let children = ROLES.map(|role| running.child(role));
    let carbon = running.carbon();
    running.line("pages on http://");
    running.line("nothing to analyze yet");
    // What was accepted is kept even then: the ingest ends in order.
    carbon::send(
        carbon,
        carbon::lines("kept", &each_minute(&quiet(100), now())).as_bytes(),
    );
    wait_for("the points to be accepted", || {
        (running.ingest("accepted") == 100).then_some(())
    });
    signal(running.pid(), "KILL");
    let killed = Instant::now();
    for child in children {
        while is_running(child) {
            assert!(
                killed.elapsed() < Duration::from_secs(5),
                "{child} lives:\n{}",
                running.log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    assert_eq!(points(&mut redis.connection(), "kept").len(), 100);
    assert!(running.wait().status.code().is_none());
}

#[test]
fn every_stopping_signal_ends_all_within_five_seconds_with_every_point_stored() {
    for (name, arguments) in [
        ("TERM", &["run"][..]),
        ("INT", &["run"]),
        ("TERM", &["run", "--single-process"]),
    ] {
        let redis = RedisServer::start();
        let setup = Setup::new().on(&redis).with("ingest.flush_interval", "1s");
        let running = setup.start(arguments);
        let end = now();
        let mut lines = String::new();
        for number in 0..200 {
            lines += &carbon::lines(&format!("m{number}"), &each_minute(&quiet(50), end));
        }
        carbon::send(running.carbon(), lines.as_bytes());
        wait_for("the points to be accepted", || {
            (running.ingest("accepted") == 10_000).then_some(())
        });
        signal(running.pid(), name);
        let ended = running.wait();
        assert_eq!(ended.code(), 0, "{name} {arguments:?}: {}", ended.log);
        assert!(ended.took < Duration::from_secs(5), "{name}: {:?}", ended.took);
        assert!(!ended.log.contains("killed"), "{}", ended.log);
        let mut store = redis.connection();
        let stored: usize = (0..200)
            .map(|number| points(&mut store, &format!("m{number}")).len())
            .sum();
        assert_eq!(stored, 10_000, "{name} {arguments:?}");
    }
}

#[test]
fn a_hangup_ends_neither_parent_nor_child_and_has_settings_read_anew() {
    let redis = RedisServer::start();
    for arguments in [&["run"][..], &["run", "--single-process"]] {
        let setup = Setup::new().on(&redis);
        let running = setup.start(arguments);
        running.line("nothing to analyze yet");
        let mut all = vec![running.pid()];
        if arguments.len() == 1 {
            all.extend(ROLES.map(|role| running.child(role)));
        }
        for turn in 1..=2 {
            for &pid in &all {
                signal(pid, "HUP");
            }
            running.nth_line(turn, "settings read anew :: changed: none");
        }
        assert!(all.iter().all(|&pid| is_running(pid)), "{}", running.log());
        let passes = running.log().matches("nothing to analyze yet").count();
        running.nth_line(passes + 2, "nothing to analyze yet");
        let ended = running.stop();
        assert_eq!(ended.code(), 0, "{}", ended.log);
        let said = ended.log.matches("settings read anew").count();
        assert_eq!(said, 2, "by one process, whichever are asked: {}", ended.log);
        assert!(!ended.log.contains("ERROR"), "{}", ended.log);
    }
}

/// Whatever is at the other end takes connections and never says a word.
#[test]
fn an_outside_that_never_answers_does_not_keep_us_from_ending() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap();
    for arguments in [&["run"][..], &["run", "--single-process"]] {
        let setup = Setup::new()
            .with("store.url", &format!("redis://{silent}"))
            .with("graphite.address", &silent.to_string())
            .with("email.server", "127.0.0.1")
            .with("email.port", &silent.port().to_string())
            .with("email.security", "none")
            .with("email.from", "a@example.org")
            .with("email.to", "b@example.org");
        let running = setup.start(arguments);
        carbon::send(running.carbon(), format!("lost 1 {}\n", now()).as_bytes());
        running.line("watching metrics in");
        let ended = running.stop();
        assert!(
            ended.took < Duration::from_secs(6),
            "{arguments:?}: {:?}\n{}",
            ended.took,
            ended.log
        );
    }
}

#[test]
fn the_asked_passes_are_run_and_no_sleep_follows_the_last() {
    let redis = RedisServer::start();
    put(&mut redis.connection(), "quiet", &each_minute(&quiet(200), now()));
    // An hour from pass to pass: whoever slept after the last one would not come back.
    let setup = Setup::new()
        .on(&redis)
        .with("analyzer.optimum_run_duration", "1h");
    for arguments in [&["run"][..], &["run", "--single-process"]] {
        let file = setup.path("summary.jsonl");
        let before = summaries(&file).len();
        let path = file.display().to_string();
        let ended = setup.run(&[arguments, &["--passes", "1", "--summary", &path]].concat());
        assert_eq!(ended.code(), 0, "{}", ended.log);
        assert!(!ended.log.contains("sleeping for"), "{}", ended.log);
        assert!(!ended.log.contains("did not end in"), "{}", ended.log);
        assert_eq!(summaries(&file).len(), before + 1, "appended");
    }
}

#[test]
fn a_sleeping_analyzer_wakes_for_a_signal() {
    let redis = RedisServer::start();
    let setup = Setup::new()
        .on(&redis)
        .with("analyzer.optimum_run_duration", "1h");
    let running = setup.start(&["run"]);
    running.line("sleeping for 3");
    let ended = running.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert!(ended.took < Duration::from_secs(5), "{:?}", ended.took);
}

#[test]
fn a_child_that_cannot_start_is_said_and_tried_again() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let redis = RedisServer::start();
    let setup = Setup::new().on(&redis).with("web.listen", &address);
    let running = setup.start(&["run"]);
    running.line(&format!("cannot listen on `{address}`"));
    running.line("ended: exit code 1 :: starting it again in 0.2 seconds");
    drop(taken);
    running.line("pages on http://");
    assert_eq!(running.stop().code(), 0);
}

/// A Horizon that is to be replaced may still hold its ports.
#[test]
fn a_listener_whose_port_is_taken_waits_for_it_while_the_others_serve() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let redis = RedisServer::start();
    let setup = Setup::new()
        .on(&redis)
        .with("analyzer.enabled", "false")
        .with("ingest.pickle_listen", &address.to_string());
    let running = setup.start(&["run"]);
    let line = running.line(&format!("cannot listen on `{address}`"));
    assert!(line.contains("ERROR") && line.contains("pickle ::"), "{line}");
    carbon::send(
        running.carbon(),
        carbon::lines("line", &[(now(), 1.0)]).as_bytes(),
    );
    wait_for("a line to be written", || {
        (running.ingest("written") == 1).then_some(())
    });
    assert!(running.ingest("listener.pickle.binds_failed") >= 1);

    drop(taken);
    running.line(&format!("taking pickled points on {address}, which is free now"));
    let mut client = Client::new(Protocol::Pickle, address, PATIENCE);
    client.send(&[("frame", now(), 2.0)]).unwrap();
    client.finish().unwrap();
    wait_for("a pickled point to be written", || {
        (running.ingest("listener.pickle.written") == 1).then_some(())
    });
    let ended = running.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert!(!ended.log.contains("child `ingest` ended"), "{}", ended.log);
    for metric in ["line", "frame"] {
        assert_eq!(points(&mut redis.connection(), metric).len(), 1, "{metric}");
    }
}

#[test]
fn an_ingest_that_can_listen_nowhere_is_started_again() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let redis = RedisServer::start();
    let setup = Setup::new().on(&redis).with("ingest.carbon_listen", &address);
    let running = setup.start(&["run"]);
    running.line(&format!("cannot listen on `{address}`"));
    running.line("ended: exit code 1 :: starting it again in 0.2 seconds");
    drop(taken);
    running.line("taking carbon lines on ");
    assert_eq!(running.stop().code(), 0);
}

/// Takes the twenty seconds of silence after which a child counts as hung; the longest test there is.
#[test]
fn slow_a_hung_analyzer_is_killed_and_started_again() {
    let redis = RedisServer::start();
    put(&mut redis.connection(), "loud", &each_minute(&loud(200), now()));
    let setup = Setup::new().on(&redis);
    let running = setup.start(&["run"]);
    let hung = running.child("analyzer");
    running.line("total anomalies :: 1");
    signal(hung, "STOP");
    let line = running.line("child `analyzer` is hung, silent for");
    assert!(line.contains("killed"), "{line}");
    running.line(&format!("child `analyzer` (pid {hung}) ended: signal 9"));
    running.nth_child(2, "analyzer");
    let before = running.log().matches("total anomalies :: 1").count();
    running.nth_line(before + 1, "total anomalies :: 1");
    assert_eq!(running.stop().code(), 0);
}
