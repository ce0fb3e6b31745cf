//! Settings that are read anew while points come and incidents are open: nothing is lost, nothing is told twice, and wrong
//! settings change nothing.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};

use super::hook::Hook;
use super::world::{Metrics, World};
use crate::common::redis::RedisServer;
use crate::common::series::now;
use crate::common::skywatch::{Skywatch, signal};
use crate::common::wait_for;

const RELOADS: usize = 20;

/// Receivers that all routes lead to, and one thing more.
fn config(receivers: &[(&str, &Hook)], more: &str) -> String {
    let tables: String = receivers.iter().map(|(name, hook)| hook.receiver(name)).collect();
    format!("{tables}{more}")
}

fn reload(world: &World) -> serde_json::Value {
    world.json(&["reload"])
}

/// Keys in a list of a reload's answer.
fn keys(answer: &serde_json::Value, list: &str) -> Vec<String> {
    let keys = answer[list].as_array().unwrap().iter();
    keys.map(|key| key.as_str().unwrap().to_owned()).collect()
}

#[test]
fn under_load_no_point_is_lost_and_nothing_is_told_twice() {
    let redis = RedisServer::start();
    let mut metrics = Metrics::of(&redis);
    let (first, second) = (Hook::start(), Hook::start());
    let one = config(&[("first", &first)], "[ingest]\nskip = [\"never.comes\"]\n");
    let both = config(
        &[("first", &first), ("second", &second)],
        "[ingest]\nskip = [\"nor.this\"]\n",
    );
    let world = World::over(&redis, &one).with("ingest.enabled", "true");
    let skywatch = Skywatch::spawn(&mut world.command(&["run"]));
    metrics.bad(&["x.bad"]);
    first.wait_for("x.bad", &["opened"]);
    let (carbon, stop) = (skywatch.carbon(), AtomicBool::new(false));
    let sent = std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let mut stream = TcpStream::connect(carbon).unwrap();
            let mut sent = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                let lines: String = (0..50).map(|n| format!("load.{n} {sent} {}\n", now())).collect();
                stream.write_all(lines.as_bytes()).unwrap();
                sent += 50;
            }
            sent
        });
        for turn in 0..RELOADS {
            world.rewrite(if turn % 2 == 0 { &both } else { &one });
            let answer = reload(&world);
            assert_eq!(answer["number"], turn + 1);
            let applied = keys(&answer, "applied");
            assert!(applied.contains(&"ingest.skip".to_owned()), "{answer}");
            assert!(applied.contains(&"receivers.second.url".to_owned()), "{answer}");
        }
        stop.store(true, Ordering::Relaxed);
        sender.join().unwrap()
    });
    world.rewrite(&both);
    reload(&world);
    metrics.bad(&["y.bad"]);
    for hook in [&first, &second] {
        hook.wait_for("y.bad", &["opened"]);
    }
    wait_for("all points to be written", || {
        // Not by its exit code: what waited for a receiver as a reload took it out of the settings reached nobody, and says so.
        let status: serde_json::Value =
            serde_json::from_str(&world.ask(&["status", "--json"]).stdout).unwrap();
        let ingest = &status["ingest"];
        assert_eq!(ingest["dropped"], serde_json::json!({}));
        (ingest["written"] == sent && ingest["accepted"] == sent).then_some(())
    });
    assert_eq!(skywatch.stop().code(), 0);
    for hook in [&first, &second] {
        for (metric, said) in hook.of_metrics() {
            assert_eq!(said, ["opened"], "{metric}");
        }
        let ids: Vec<String> = hook.told().into_iter().map(|told| told.id).collect();
        let mut once = ids.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), ids.len(), "no notice is sent twice: {ids:?}");
    }
}

#[test]
fn wrong_settings_change_nothing_and_what_takes_a_restart_is_said() {
    let redis = RedisServer::start();
    let mut metrics = Metrics::of(&redis);
    let (first, second) = (Hook::start(), Hook::start());
    let right = config(&[("first", &first)], "");
    let world = World::over(&redis, &right);
    let skywatch = world.start();
    metrics.bad(&["a.bad"]);
    first.wait_for("a.bad", &["opened"]);

    let templates = world.path("templates");
    std::fs::create_dir(&templates).unwrap();
    std::fs::write(templates.join("line.txt"), "{{ unclosed").unwrap();
    let broken = format!("[alerts]\ntemplates = \"{}\"\n", templates.display());
    for (more, code, says) in [
        ("[alerts]\nseen = 99\n", 2, "`alerts.seen`"),
        ("[alerts]\nsene = 1\n", 2, "did you mean `alerts.seen`?"),
        ("not TOML", 2, "broken TOML"),
        (broken.as_str(), 1, "template"),
    ] {
        world.rewrite(&config(&[("second", &second)], more));
        let ended = world.ask(&["reload"]);
        assert_eq!(ended.code(), code, "{more}");
        assert!(
            ended.log.contains("the settings before stay in force") && ended.log.contains(says),
            "{}",
            ended.log
        );
    }
    metrics.bad(&["b.bad"]);
    first.wait_for("b.bad", &["opened"]);
    assert!(second.told().is_empty());

    let other = config(
        &[("first", &second)],
        "[store]\nname = \"other\"\n[log]\nlevel = \"debug\"\n",
    );
    world.rewrite(&other);
    let answer = reload(&world);
    assert_eq!(keys(&answer, "restart"), ["store.name"]);
    assert!(
        keys(&answer, "applied").contains(&"log.level".to_owned()),
        "{answer}"
    );
    // Nothing has changed since, and what takes a restart is not forgotten.
    signal(skywatch.pid(), "HUP");
    skywatch.nth_line(2, "these take a restart :: `store.name`");
    metrics.bad(&["c.bad"]);
    second.wait_for("c.bad", &["opened"]);
    assert!(!first.of_metrics().contains_key("c.bad"));
    assert_eq!(skywatch.stop().code(), 0);
    let ended = world.ask(&["reload"]);
    assert_eq!(ended.code(), 3, "{}", ended.log);
}

#[test]
fn limits_of_the_classic_tests_hold_from_the_next_pass_on_though_nothing_new_comes() {
    let redis = RedisServer::start();
    let mut metrics = Metrics::of(&redis);
    let hook = Hook::start();
    let shortest = |points: usize| {
        let limit = format!("[analyzer]\nmin_tolerable_length = {points}\n");
        config(&[("first", &hook)], &limit)
    };
    let world = World::over(&redis, &shortest(500));
    let skywatch = world.start();
    metrics.bad(&["a.bad"]);
    skywatch.line("exception stats :: {'TooShort': 1}");
    world.rewrite(&shortest(100));
    let answer = reload(&world);
    assert_eq!(
        keys(&answer, "applied"),
        ["analyzer.min_tolerable_length"],
        "{answer}"
    );
    hook.wait_for("a.bad", &["opened"]);
    world.rewrite(&shortest(500));
    reload(&world);
    let before = skywatch.log().matches("{'TooShort': 1}").count();
    skywatch.nth_line(before + 1, "exception stats :: {'TooShort': 1}");
    assert_eq!(skywatch.stop().code(), 0);
}
