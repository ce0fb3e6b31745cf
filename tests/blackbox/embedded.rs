//! The default: no Redis, everything in one process, data in the state folder.

use std::process::Command;

use crate::common::series::{each_minute, loud, now, quiet};
use crate::common::skywatch::{Setup, Skywatch};
use crate::common::{carbon, wait_for};

#[test]
fn a_restart_keeps_the_data_and_a_second_process_is_refused() {
    let setup = Setup::new().with("analyzer.profile", "skyline");
    let end = now();
    let mut lines = carbon::lines("loud", &each_minute(&loud(300), end));
    lines += &carbon::lines("quiet", &each_minute(&quiet(300), end));
    lines += &carbon::lines("short", &each_minute(&quiet(20), end));
    setup.take_in(&lines);

    let (passes, ended) = setup.run_passes(2);
    for pass in &passes {
        assert_eq!(pass["metrics"], 3, "{pass}");
        assert_eq!(pass["analyzed"], 2, "{pass}");
        assert_eq!(pass["anomalies"], 1, "{pass}");
        assert_eq!(pass["exceptions"]["TooShort"], 1, "{pass}");
        assert_eq!(pass["refetched"], 0, "{pass}");
    }
    ended.line(":: loud is 500");

    // More points after a restart join those before it.
    let running = setup.start(&["run"]);
    running.line("total anomalies :: 1");
    carbon::send(
        running.carbon(),
        carbon::lines("short", &each_minute(&quiet(120), end)).as_bytes(),
    );
    running.line("total analyzed :: 3");

    let second = setup.run(&["run"]);
    assert_eq!(second.code(), 1, "{}", second.log);
    assert!(second.log.contains("is in use by process "), "{}", second.log);
    assert!(second.log.contains("hint: stop that one first"), "{}", second.log);

    let ended = running.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    let (passes, _) = setup.run_passes(1);
    assert_eq!(passes[0]["analyzed"], 3, "{}", passes[0]);
}

#[test]
fn a_state_folder_that_cannot_be_used_is_named() {
    let setup = Setup::new();
    std::fs::write(setup.path("state"), "a file").unwrap();
    let ended = setup.run(&["run"]);
    assert_eq!(ended.code(), 1);
    let folder = setup.path("state").display().to_string();
    assert!(ended.log.contains(&folder), "{}", ended.log);
    assert!(ended.log.contains("hint: set `state_dir`"), "{}", ended.log);
}

/// Lets no file of a running process grow beyond so many bytes.
fn limit(running: &Skywatch, bytes: &str) {
    let status = Command::new("prlimit")
        .args(["--pid", &running.pid().to_string(), &format!("--fsize={bytes}:")])
        .status();
    assert!(status.expect("prlimit, of util-linux").success());
}

#[test]
fn a_disk_that_was_full_is_written_again_without_a_restart() {
    let setup = Setup::new().with("analyzer.enabled", "false");
    let running = setup.start(&["run"]);
    let send = |name: &str| {
        let lines: String = (0..10).map(|n| format!("{name}.{n} 1 {}\n", now())).collect();
        carbon::send(running.carbon(), lines.as_bytes());
    };
    let written = |count: u64| {
        wait_for("all points to be written", || {
            (running.ingest("written") == count).then_some(())
        });
    };
    send("before");
    written(10);
    limit(&running, "1");
    send("meanwhile");
    let waits = running.line("points wait, the store does not take them");
    assert!(waits.contains("the disk of store"), "{waits}");
    limit(&running, "unlimited");
    running.line("was opened again after a write had failed");
    send("after");
    written(30);
    assert_eq!(running.stop().code(), 0);
    let (passes, _) = setup.with("analyzer.enabled", "true").run_passes(1);
    assert_eq!(passes[0]["metrics"], 30, "{}", passes[0]);
}
