//! A disk on which the history cannot grow: alerts go on, that is told, and nothing is missing afterwards.

use std::process::Command;

use super::hook::Hook;
use super::world::{Metrics, World};
use crate::common::redis::RedisServer;
use crate::common::skywatch::Skywatch;
use crate::common::wait_for;

/// Lets no file of a running process grow beyond so many bytes.
fn limit(running: &Skywatch, bytes: &str) {
    let pid = running.pid().to_string();
    let status = Command::new("prlimit")
        .args(["--pid", &pid, &format!("--fsize={bytes}:")])
        .status();
    assert!(status.expect("prlimit, of util-linux").success());
}

/// The same command with no file growing at all.
fn without_disk(command: &Command) -> Command {
    let mut limited = Command::new("prlimit");
    limited
        .arg("--fsize=0")
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited
}

#[test]
fn killed_again_and_again_with_a_disk_that_takes_nothing_no_id_is_given_twice() {
    let redis = RedisServer::start();
    let mut metrics = Metrics::of(&redis);
    let hook = Hook::start();
    let world = World::over(&redis, &hook.receiver("hook"));
    metrics.bad(&["first"]);
    let kill = |running: Skywatch| {
        crate::common::skywatch::signal(running.pid(), "KILL");
        drop(running.wait());
    };
    let running = world.start();
    hook.wait_for("first", &["opened"]);
    kill(running);
    for name in ["second", "third"] {
        metrics.bad(&[name]);
        let command = world.command(&["run", "--single-process"]);
        let running = Skywatch::spawn(&mut without_disk(&command));
        hook.wait_for(name, &["opened"]);
        kill(running);
    }
    metrics.bad(&["fourth"]);
    let running = world.start();
    hook.wait_for("fourth", &["opened"]);
    assert_eq!(running.stop().code(), 0);

    let mut said = std::collections::BTreeMap::new();
    let mut numbers = std::collections::BTreeMap::new();
    for told in hook.told() {
        let before = said.insert(told.id.clone(), told.body.clone());
        assert!(
            before.is_none_or(|before| before == told.body),
            "{} was given twice, to {}",
            told.id,
            told.body
        );
        for item in told.body["incidents"]["items"].as_array().into_iter().flatten() {
            let name = item["subject"]["name"].as_str().unwrap().to_owned();
            let number = item["incident"].as_u64().unwrap();
            let before = numbers.insert(number, name.clone());
            assert!(
                before.as_ref().is_none_or(|before| *before == name),
                "{number} was given to {name} and {before:?}"
            );
        }
    }
    // Short numbers are back with the disk.
    let of = |wanted: &str| {
        numbers
            .iter()
            .find(|(_, name)| *name == wanted)
            .map(|(number, _)| *number)
    };
    assert!(of("fourth").unwrap() < 1_000, "{numbers:?}");
}

#[test]
fn a_full_disk_silences_nothing_and_loses_nothing() {
    let redis = RedisServer::start();
    let mut metrics = Metrics::of(&redis);
    // Slow enough for a notice to be under way when the disk fills up.
    let hook = Hook::after(std::time::Duration::from_millis(300));
    let world = World::over(&redis, &hook.receiver("hook")).with("alerts.return_within", "0s");
    metrics.well(&["other"]);
    metrics.bad(&["before", "under.way"]);
    let running = world.start();
    // Its notice is committed, and on its way; the mark that it was taken finds the disk full.
    wait_for("a notice that waits", || {
        let count = "SELECT count(*) FROM notices";
        let found = world.path("state/history.sqlite").exists()
            && world
                .history()
                .query_row(count, [], |row| row.get::<_, i64>(0))
                .is_ok_and(|count| count == 1);
        found.then_some(())
    });
    let written = std::fs::metadata(world.path("state/history.sqlite-wal"));
    limit(&running, &written.unwrap().len().to_string());
    let line = running.line("history not written, going on from memory");
    assert!(line.contains("ERROR"), "{line}");
    assert!(running.line("hint: ").contains("free space"), "{}", running.log());
    hook.wait_for("before", &["opened"]);
    hook.wait_for("under.way", &["opened"]);

    // Beginnings and ends are told from memory.
    metrics.bad(&["during", "passing"]);
    hook.wait_for("during", &["opened"]);
    hook.wait_for("passing", &["opened"]);
    metrics.well(&["before", "passing"]);
    hook.wait_for("before", &["opened", "resolved"]);
    hook.wait_for("passing", &["opened", "resolved"]);
    hook.wait_for("skywatch.history", &["opened"]);
    // People can see and take what is only in memory.
    let listed = world.told(&["incidents"]);
    for name in ["under.way", "during", "skywatch.history"] {
        assert!(listed.contains(name), "{listed}");
    }
    let during = world
        .incidents()
        .iter()
        .find(|incident| incident["subject"]["name"] == "during")
        .and_then(|incident| incident["id"].as_u64())
        .unwrap();
    let taken = world.told(&["ack", &during.to_string(), "--by", "ann"]);
    assert!(taken.contains("ann has it"), "{taken}");
    hook.wait_for("during", &["opened", "acknowledged"]);

    limit(&running, "unlimited");
    running.line("history written again :: nothing was lost");
    hook.wait_for("skywatch.history", &["opened", "resolved"]);
    metrics.bad(&["after"]);
    hook.wait_for("after", &["opened"]);
    // Killed: what was only in memory once must lie in the file now.
    crate::common::skywatch::signal(running.pid(), "KILL");
    let log = running.log();
    drop(running);
    let told = hook.told();
    let mut ids: Vec<&str> = told.iter().map(|told| told.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), told.len(), "one was sent twice:\n{log}");

    let names = |phase: &str| -> Vec<String> {
        let incidents = world.incidents();
        let of = incidents.iter().filter(|incident| incident["phase"] == phase);
        of.map(|incident| incident["subject"]["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names("resolved"), ["before", "passing", "skywatch.history"]);
    assert_eq!(names("open"), ["under.way", "after"]);
    assert_eq!(names("acknowledged"), ["during"]);
    let history = world.history();
    let mut rows = history
        .prepare("SELECT id, state FROM notices ORDER BY seq")
        .unwrap();
    let kept: Vec<(String, String)> = rows
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(kept.len(), ids.len(), "{kept:?}");
    // Only the last one may not have been marked before the end.
    for (id, state) in &kept[..kept.len() - 1] {
        assert_eq!(state, "sent", "{id}");
    }
    drop(rows);
    drop(history);

    // The next life knows all of it: nothing is told again.
    let running = world.start();
    metrics.well(&["under.way"]);
    hook.wait_for("under.way", &["opened", "resolved"]);
    assert_eq!(running.stop().code(), 0);
    for (name, said) in hook.of_metrics() {
        let opened = said.iter().filter(|what| *what == "opened").count();
        assert_eq!(opened, 1, "{name}: {said:?}");
    }
}
