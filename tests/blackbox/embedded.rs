//! The default: no Redis, everything in one process, data in the state folder.

use crate::common::carbon;
use crate::common::series::{each_minute, loud, now, quiet};
use crate::common::skywatch::Setup;

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
