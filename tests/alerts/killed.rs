//! Killed again and again: what was committed is told, and told once, or once more under the same id.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::hook::Hook;
use super::world::{Metrics, World};
use crate::common::redis::RedisServer;
use crate::common::skywatch::{Skywatch, signal};
use crate::common::wait_for;

const ROUNDS: usize = 10;
/// Longest life of a process, milliseconds.
const LONGEST: u64 = 1_400;
/// How long the rounds may take together; on a slow machine there are fewer.
const LIMIT: Duration = Duration::from_secs(20);

/// Numbers that look random; the first of a run is printed, and can be put here again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

#[test]
fn killed_at_any_moment_nothing_is_lost_and_a_repeat_has_the_same_id() {
    let redis = RedisServer::start();
    let mut metrics = Metrics::of(&redis);
    // Slow to answer, so that many are killed between a notice's arrival and its being marked.
    let hooks = [
        Hook::after(Duration::from_millis(60)),
        Hook::after(Duration::from_millis(15)),
    ];
    let world = World::over(&redis, &(hooks[0].receiver("slow") + &hooks[1].receiver("quick")))
        .with("analyzer.optimum_run_duration", "200ms")
        .with("alerts.resolve_after", "0s")
        .with("alerts.digest_from", "1000")
        .with("alerts.stale_digest", "false");
    // A receiver may be sent as many notices as come.
    let config = hooks[0].receiver("slow")
        + "max_notices = 100000\n"
        + &hooks[1].receiver("quick")
        + "max_notices = 100000\n";
    world.rewrite(&config);
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut dice = Dice(seed);
    let begun = Instant::now();
    let mut made: Vec<String> = Vec::new();
    let (mut kills, mut deaths) = (0, 0);
    while kills < ROUNDS && begun.elapsed() < LIMIT {
        let new: Vec<String> = (0..4).map(|metric| format!("round{kills}.m{metric}")).collect();
        metrics.bad(&new);
        made.extend(new);
        // In two of three rounds a child dies first, and is started again.
        let child = [None, Some("dispatch"), Some("analyzer")][kills % 3];
        let running = match child {
            None => world.start(),
            Some(_) => Skywatch::spawn(&mut world.command(&["run"])),
        };
        std::thread::sleep(Duration::from_millis(200 + dice.below(LONGEST - 200)));
        // Something ends, and something begins, in the life of most.
        let some: Vec<String> = made.iter().filter(|_| dice.below(4) == 0).cloned().collect();
        metrics.well(&some);
        let late = format!("round{kills}.late");
        metrics.bad(&[&late]);
        made.push(late);
        if kills % 2 == 0 {
            std::thread::sleep(Duration::from_millis(dice.below(LONGEST)));
        } else {
            // While a notice is at the slow receiver, if there is still one to come.
            let before = hooks[0].sink.requests().len();
            let until = Instant::now() + Duration::from_millis(LONGEST);
            while hooks[0].sink.requests().len() == before && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(2));
            }
            std::thread::sleep(Duration::from_millis(dice.below(70)));
        }
        if let Some(child) = child {
            signal(running.child(child), "KILL");
            deaths += 1;
            std::thread::sleep(Duration::from_millis(dice.below(LONGEST)));
        }
        signal(running.pid(), "KILL");
        deaths += 1;
        assert!(running.wait().status.code().is_none());
        kills += 1;
    }

    // One more life, in which everything ends well.
    let running = world.start();
    running.line("total metrics");
    metrics.well(&made);
    wait_for("the end of everything", || {
        let left = world.count(
            "SELECT (SELECT count(*) FROM notices WHERE state = 'waiting')
                  + (SELECT count(*) FROM incidents WHERE phase = 'open')",
        );
        (left == 0).then_some(())
    });
    let ended = running.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);

    let incidents = world.incidents();
    let names: BTreeSet<&str> = incidents
        .iter()
        .map(|incident| incident["subject"]["name"].as_str().unwrap())
        .collect();
    for name in &made {
        assert!(names.contains(name.as_str()), "{name} never had an incident");
    }
    let history = world.history();
    let mut rows = history
        .prepare("SELECT receiver, id, state FROM notices ORDER BY seq")
        .unwrap();
    let kept: Vec<(String, String, String)> = rows
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for (hook, receiver) in hooks.iter().zip(["slow", "quick"]) {
        let told = hook.told();
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for told in &told {
            *times.entry(&told.id).or_default() += 1;
        }
        let kept: Vec<&str> = kept
            .iter()
            .filter(|(to, ..)| to == receiver)
            .map(|(_, id, state)| {
                assert_eq!(state, "sent", "{id} to {receiver}");
                id.as_str()
            })
            .collect();
        let arrived: BTreeSet<&str> = times.keys().copied().collect();
        assert_eq!(arrived, kept.iter().copied().collect(), "to {receiver}");
        // A kill repeats the one notice that was under way, if one was.
        let repeats: usize = times.values().map(|times| times - 1).sum();
        println!(
            "{receiver}: {} notices, {repeats} repeats, {kills} kills",
            kept.len()
        );
        assert!(repeats <= deaths, "{repeats} repeats to {receiver}: {times:?}");
        // They first came in the order in which they were committed.
        let mut seen = BTreeSet::new();
        let order: Vec<&str> = told
            .iter()
            .map(|told| told.id.as_str())
            .filter(|id| seen.insert(*id))
            .collect();
        assert_eq!(order, kept, "the order of notices to {receiver}");
        // Each life is told as it was: begun, over, back, over; nothing twice under two ids.
        let of_metrics = hook.of_metrics();
        for name in &made {
            let said = &of_metrics[name];
            for (place, said) in said.iter().enumerate() {
                let right = match (place, place % 2) {
                    (0, _) => "opened",
                    (_, 0) => "returned",
                    _ => "resolved",
                };
                assert_eq!(said, right, "{name}: {:?}", of_metrics[name]);
            }
            assert_eq!(said.len() % 2, 0, "{name}: {said:?}");
        }
    }
}
