//! The state folder: who has it, who may read it, and what happens when somebody deletes it.

use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use super::redis_world::put;
use crate::common::redis::RedisServer;
use crate::common::series::{each_minute, loud, now};
use crate::common::skywatch::{Setup, Skywatch, signal};
use crate::common::{carbon, http, wait_for};

fn walk(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if std::fs::symlink_metadata(&path).unwrap().is_dir() {
            walk(&path, all);
        }
        all.push(path);
    }
}

#[test]
fn a_second_run_is_refused_and_told_who_was_first() {
    let redis = RedisServer::start();
    let setup = Setup::new().on(&redis);
    let first = setup.start(&["run"]);
    first.line("nothing to analyze yet");
    for arguments in [&["run"][..], &["run", "--single-process"]] {
        let second = setup.run(arguments);
        assert_eq!(second.code(), 1, "{}", second.log);
        let who = format!("is in use by process {}, since 20", first.pid());
        assert!(second.log.contains(&who), "{}", second.log);
        assert!(second.log.contains("hint: "), "{}", second.log);
    }
    // Whoever dies leaves the lock behind as a file and not as a claim.
    signal(first.pid(), "KILL");
    first.wait();
    let third = setup.start(&["run"]);
    third.line("nothing to analyze yet");
    assert_eq!(third.stop().code(), 0);
}

#[test]
fn a_deleted_state_folder_is_made_anew_and_nothing_is_given_up() {
    let redis = RedisServer::start();
    put(&mut redis.connection(), "loud", &each_minute(&loud(200), now()));
    let setup = Setup::new().on(&redis).with("alerts.log", "true");
    let incidents = || {
        let ended = setup.run(&["incidents", "--json"]);
        assert_eq!(ended.code(), 0, "{}", ended.log);
        let answer: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        answer["incidents"].as_array().unwrap().clone()
    };
    let running = setup.start(&["run"]);
    running.line("; incident 1");
    wait_for("the incident in the history", || {
        (incidents().len() == 1).then_some(())
    });
    let silenced = setup.run(&["silence", "add", "other.*", "--for", "2h"]);
    assert_eq!(silenced.code(), 0, "{}", silenced.log);
    std::fs::remove_dir_all(setup.path("state")).unwrap();
    for said in [
        "was deleted while in use :: made anew",
        "was deleted while in use :: begun anew",
        "the control socket was deleted while in use",
        "was deleted while in use :: written anew",
    ] {
        running.line(said);
    }
    let open = incidents();
    assert_eq!((open.len(), open[0]["id"].as_u64()), (1, Some(1)), "{open:?}");
    carbon::send(running.carbon(), format!("more 1 {}\n", now()).as_bytes());
    wait_for("the point to be counted in the new folder", || {
        (running.ingest("written") == 1).then_some(())
    });
    assert_eq!(http::get(running.pages(), "/healthz").status, 200);
    let ended = running.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert!(!ended.log.contains("starting it again"), "{}", ended.log);
    // What was written anew is what the next one begins with.
    let open = incidents();
    assert_eq!((open.len(), open[0]["id"].as_u64()), (1, Some(1)), "{open:?}");
    let kept = setup.run(&["silence", "list"]).stdout;
    assert!(kept.contains("other.*"), "{kept}");
    assert!(setup.path("state/memory/names").exists());
}

#[test]
fn a_history_of_no_bytes_is_said_and_made_anew() {
    let redis = RedisServer::start();
    let setup = Setup::new().on(&redis);
    setup.run_passes(1);
    let history = setup.path("state/history.sqlite");
    std::fs::write(&history, "").unwrap();
    let (_, ended) = setup.run_passes(1);
    let line = ended.line("is empty, 0 bytes");
    assert!(line.contains("ERROR"), "{line}");
    assert!(std::fs::metadata(&history).unwrap().len() > 0);
}

#[test]
fn what_is_kept_is_for_its_owner_only_whatever_the_umask() {
    let redis = RedisServer::start();
    put(&mut redis.connection(), "loud", &each_minute(&loud(200), now()));
    for (store, umask) in [(true, "000"), (false, "000"), (true, "777")] {
        let setup = if store {
            Setup::new().on(&redis)
        } else {
            Setup::new()
        };
        let command = setup.command(&[]);
        let binary = command.get_program().to_owned();
        let mut wrapped = std::process::Command::new("sh");
        wrapped
            .args(["-c", &format!("umask {umask}; exec \"$0\" run")])
            .arg(binary)
            .current_dir(command.get_current_dir().unwrap())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .env_clear();
        for (key, value) in command.get_envs() {
            wrapped.env(key, value.unwrap());
        }
        let running = Skywatch::spawn(&mut wrapped);
        running.nth_line(2, "total metrics");
        let mut all = vec![setup.path("state")];
        walk(&setup.path("state"), &mut all);
        for path in all {
            let Ok(found) = std::fs::symlink_metadata(&path) else {
                continue;
            };
            let wanted = if found.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(found.mode() & 0o777, wanted, "{}", path.display());
        }
        assert_eq!(running.stop().code(), 0);
    }
}

#[test]
fn a_link_in_the_place_of_a_file_of_ours_is_not_followed() {
    let redis = RedisServer::start();
    for (name, refused) in [
        ("lock", true),
        ("history.sqlite", false),
        ("status/analyzer.json", false),
        ("status/ingest.json", false),
    ] {
        let setup = Setup::new().on(&redis);
        let victim = setup.path("victim");
        std::fs::write(&victim, "precious").unwrap();
        let link = setup.path("state").join(name);
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(&victim, &link).unwrap();
        let running = setup.start(&["run"]);
        if refused {
            let ended = running.wait();
            assert_eq!(ended.code(), 1);
            assert!(ended.log.contains("symbolic link"), "{}", ended.log);
        } else {
            running.line("nothing to analyze yet");
            if name == "history.sqlite" {
                running.line("symbolic link");
            }
            assert_eq!(running.stop().code(), 0);
        }
        assert_eq!(std::fs::read(&victim).unwrap(), b"precious", "{name}");
    }
}
