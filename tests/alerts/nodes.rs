//! Several nodes on one Redis, and one dispatch: whatever becomes of the node that leads, people are told of each thing once, and all
//! nodes know the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::hook::Hook;
use super::world::{Metrics, World};
use crate::common::http_sink::Answer;
use crate::common::partition::Partition;
use crate::common::redis::RedisServer;
use crate::common::sentinels::{PRIMARY, WatchedPair};
use crate::common::skywatch::{Skywatch, signal};
use crate::common::wait_for;

/// Metrics that become anomalous; half of them are the following node's.
const METRICS: usize = 12;

fn names(of: &str) -> Vec<String> {
    (0..METRICS).map(|metric| format!("{of}{metric}.load")).collect()
}

fn node(redis: &RedisServer, hook: &Hook) -> World {
    World::over(redis, &hook.receiver("hook"))
        .with("cluster.lease", "2s")
        .with("alerts.digest_from", "1000")
        .with("alerts.stale_digest", "false")
}

/// What a node's dispatch says of all nodes.
fn nodes_of(world: &World) -> Vec<Value> {
    let file = world.path("state/status/dispatch.json");
    let status: Value =
        std::fs::read(file).map_or(Value::Null, |text| serde_json::from_slice(&text).unwrap());
    status["nodes"].as_array().cloned().unwrap_or_default()
}

/// Starts a node, with a process for each of its roles, and waits until it leads.
fn lead(world: &World) -> Skywatch {
    let running = Skywatch::spawn(&mut world.command(&["run"]));
    running.line("this node leads the dispatch of all nodes");
    running
}

/// Starts a node beside one that leads, and waits until both have everything.
fn join(world: &World, leader: &World) -> Skywatch {
    let running = Skywatch::spawn(&mut world.command(&["run"]));
    wait_for("both nodes to have everything", || {
        let nodes = nodes_of(leader);
        (nodes.len() == 2 && nodes.iter().all(|node| node["is_whole"] == true)).then_some(())
    });
    wait_for("both nodes to look at a part", || {
        let shards = |world: &World| {
            let file = std::fs::read(world.path("state/status/analyzer.json")).ok()?;
            serde_json::from_slice::<Value>(&file).ok()?["pass"]["shards"].as_u64()
        };
        let (one, other) = (shards(world)?, shards(leader)?);
        (one > 0 && other > 0 && one + other == 256).then_some(())
    });
    running
}

/// All incidents of a node, by number: subject and phase.
fn lives(world: &World) -> Vec<(u64, String, String)> {
    let incidents = world.incidents().into_iter().map(|incident| {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (
            incident["id"].as_u64().unwrap(),
            text(&incident["subject"]["name"]),
            text(&incident["phase"]),
        )
    });
    incidents.collect()
}

/// Holds that this was said of each metric, nothing else, and no notice came twice.
fn told_once(hook: &Hook, names: &[String], said: &[&str]) {
    for name in names {
        hook.wait_for(name, said);
    }
    let told = hook.told();
    let mut ids: Vec<&str> = told.iter().map(|told| told.id.as_str()).collect();
    ids.sort_unstable();
    let before = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), before, "a notice came twice");
    let of = hook.of_metrics();
    for name in names {
        assert_eq!(of[name], said, "{name}");
    }
}

#[test]
fn what_the_leading_node_was_killed_over_is_told_once_and_ended_by_the_next() {
    let redis = RedisServer::start();
    let mut metrics = Metrics::of(&redis);
    let hook = Hook::start();
    let (one, two) = (node(&redis, &hook), node(&redis, &hook));
    let names = names("web");
    metrics.well(&names);
    let first = lead(&one);
    let second = join(&two, &one);
    metrics.bad(&names);
    told_once(&hook, &names, &["opened"]);
    wait_for("the following node to know all incidents", || {
        (lives(&two) == lives(&one)).then_some(())
    });
    // What people do on either holds on both.
    let taken = &lives(&two)[0];
    let shown = two.told(&["ack", &taken.0.to_string(), "--by", "ann"]);
    assert!(shown.contains("ann"), "{shown}");
    hook.wait_for(&taken.1, &["opened", "acknowledged"]);
    wait_for("both nodes to know who has it", || {
        let state = |world: &World| lives(world)[0].2.clone();
        (state(&one) == "acknowledged" && state(&two) == "acknowledged").then_some(())
    });

    drop(first);
    second.line("this node leads the dispatch of all nodes");
    metrics.well(&names);
    let others: Vec<String> = names.iter().filter(|name| **name != taken.1).cloned().collect();
    told_once(&hook, &others, &["opened", "resolved"]);
    hook.wait_for(&taken.1, &["opened", "acknowledged", "resolved"]);

    // The one that was killed comes back, and has what happened meanwhile.
    let first = join(&one, &two);
    wait_for("the node that was killed to know how all ended", || {
        (lives(&one) == lives(&two)).then_some(())
    });
    assert!(lives(&one).iter().all(|(_, _, phase)| phase == "resolved"));
    assert!(
        !one.path("state")
            .read_dir()
            .unwrap()
            .any(|entry| { entry.unwrap().file_name().to_string_lossy().contains("alone") })
    );

    // Stopped in order, the lead is handed over at once.
    let ended = second.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    first.line("this node leads the dispatch of all nodes");
    metrics.bad(&others[..1]);
    hook.wait_for(&others[0], &["opened", "resolved", "returned"]);
    assert_eq!(first.stop().code(), 0);
}

/// What a leading node says of itself while it is cut off it says alone; the next one goes on with that, and ends it.
#[test]
fn what_a_leading_node_has_told_while_it_was_cut_off_is_ended_by_the_next() {
    let redis = RedisServer::start();
    let mut metrics = Metrics::of(&redis);
    let hook = Hook::start();
    let line = Partition::to(redis.port());
    let one = node(&redis, &hook)
        .with("store.url", &format!("redis://{}", line.address()))
        .with("store.response_timeout", "1s");
    let two = node(&redis, &hook);
    let names = names("cache");
    metrics.well(&names);
    let first = lead(&one);
    let second = join(&two, &one);
    line.cut(true);
    second.line("this node leads the dispatch of all nodes");
    metrics.bad(&names);
    told_once(&hook, &names, &["opened"]);
    hook.wait_for("skywatch.store", &["opened"]);
    line.cut(false);
    first.line("another node leads the dispatch now");
    first.line("the history of this node is kept as");
    second.line("hands over 1 open incidents");
    hook.wait_for("skywatch.store", &["opened", "resolved"]);
    wait_for("both nodes to know the same", || {
        (lives(&one) == lives(&two)).then_some(())
    });
    metrics.well(&names);
    told_once(&hook, &names, &["opened", "resolved"]);
    for running in [first, second] {
        assert_eq!(running.stop().code(), 0);
    }
}

/// A node that stands still while another one takes the lead, and wakes, says nothing more.
#[test]
fn a_leading_node_that_was_paused_follows_when_it_wakes() {
    let redis = RedisServer::start();
    let mut metrics = Metrics::of(&redis);
    let hook = Hook::start();
    let (one, two) = (node(&redis, &hook), node(&redis, &hook));
    let names = names("db");
    metrics.well(&names);
    // All of it in one process, so that all of it stands still.
    let first = one.start();
    first.line("this node leads the dispatch of all nodes");
    let second = join(&two, &one);
    metrics.bad(&names);
    told_once(&hook, &names, &["opened"]);
    signal(first.pid(), "STOP");
    second.line("this node leads the dispatch of all nodes");
    metrics.well(&names);
    told_once(&hook, &names, &["opened", "resolved"]);
    signal(first.pid(), "CONT");
    first.line("another node leads the dispatch now");
    wait_for("the node that was paused to know how all ended", || {
        (lives(&one) == lives(&two)).then_some(())
    });
    // A pass of each later nothing was said again.
    std::thread::sleep(Duration::from_millis(1_500));
    told_once(&hook, &names, &["opened", "resolved"]);
    for running in [first, second] {
        assert_eq!(running.stop().code(), 0);
    }
}

/// Sentinels choose the replica when the primary dies, while a notice is on its way and others wait: what the replica has of marks, lease and
/// log is what all goes on from, also for the node that leads next.
#[test]
fn a_failover_of_the_store_loses_no_notice_and_repeats_none() {
    let mut pair = WatchedPair::start();
    let is_slow = Arc::new(AtomicBool::new(false));
    let waits = Arc::clone(&is_slow);
    let hook = Hook::answering(move |_| {
        while waits.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(10));
        }
        Answer::status(204)
    });
    let nodes = [(); 2].map(|()| {
        node(&pair.servers[0], &hook)
            .with("store.url", "redis://primary.invalid")
            .with("store.sentinels", &pair.addresses())
            .with("store.sentinel_primary", PRIMARY)
            // The lead outlasts the failover: a notice on its way is not another node's to send.
            .with("cluster.lease", "15s")
    });
    let (one, two) = (&nodes[0], &nodes[1]);
    let mut metrics = Metrics::of(&pair.servers[0]);
    let names = names("web");
    metrics.well(&names);
    let first = lead(one);
    let second = join(two, one);
    is_slow.store(true, Ordering::SeqCst);
    metrics.bad(&names);
    wait_for("all incidents, and a notice on its way", || {
        let open = lives(two).iter().filter(|(_, _, phase)| phase == "open").count();
        (open == METRICS && !hook.told().is_empty()).then_some(())
    });
    pair.wait_for_replica();
    pair.servers[0].kill();
    pair.wait_for_successor();
    is_slow.store(false, Ordering::SeqCst);
    told_once(&hook, &names, &["opened"]);
    let [well, ill] = [&names[..METRICS / 2], &names[METRICS / 2..]];
    metrics.go_on_at(&pair.servers[1]);
    metrics.well(well);
    told_once(&hook, well, &["opened", "resolved"]);
    wait_for("both nodes to know the same, which is in the log again", || {
        let all_have = nodes_of(one).iter().all(|node| node["is_whole"] == true);
        (all_have && lives(one) == lives(two)).then_some(())
    });

    drop(first);
    second.line("this node leads the dispatch of all nodes");
    metrics.well(ill);
    told_once(&hook, &names, &["opened", "resolved"]);
    // A pass later nothing was said again.
    std::thread::sleep(Duration::from_millis(1_500));
    told_once(&hook, &names, &["opened", "resolved"]);
    let ended = second.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert!(!ended.log.contains("panicked"), "{}", ended.log);
}
