//! Whole nodes on one Redis: they share the metrics, and none is without a node for long whatever becomes of one.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use redis::Connection;
use serde_json::Value;
use skywatch::cluster::VirtualShard;

use crate::common::redis::RedisServer;
use crate::common::redis_cluster::ServerCluster;
use crate::common::series::now;
use crate::common::skywatch::{Setup, signal};
use crate::common::{carbon, wait_for};

const METRICS: u64 = 80;
/// The lease of these nodes.
const LEASE: Duration = Duration::from_secs(3);
/// A lease, the heartbeat that sees that it is over, a pass each second, and what a busy machine adds.
const TAKEN_OVER_IN: Duration = Duration::from_secs(12);

fn node(redis: &RedisServer) -> Setup {
    Setup::new().on(redis).with("cluster.lease", "3s")
}

/// The same over a Redis Cluster.
fn node_over(cluster: &ServerCluster) -> Setup {
    Setup::new()
        .with("store.url", "redis://cluster.invalid")
        .with("store.cluster", &cluster.addresses())
        .with("cluster.lease", "3s")
}

/// The last pass of a node.
fn pass(node: &Setup) -> Value {
    let file = node.path("state").join("status").join("analyzer.json");
    let status: Value =
        std::fs::read(file).map_or(Value::Null, |text| serde_json::from_slice(&text).unwrap());
    status["pass"].clone()
}

fn figure(node: &Setup, name: &str) -> u64 {
    pass(node)[name].as_u64().unwrap_or(0)
}

/// Waits until these nodes have all shards and all metrics between them, each a part, and knows how long that took.
fn share(what: &str, nodes: &[&Setup]) -> Duration {
    let begun = Instant::now();
    wait_for(what, || {
        let sum = |name: &str| nodes.iter().map(|node| figure(node, name)).sum::<u64>();
        let all_know = nodes.iter().all(|node| figure(node, "shards") > 0);
        let beside = nodes.iter().all(|node| {
            pass(node)["nodes"]
                .as_object()
                .is_some_and(|all| all.len() == nodes.len())
        });
        (all_know && beside && sum("shards") == 256 && sum("metrics") == METRICS).then_some(())
    });
    begun.elapsed()
}

#[test]
fn nodes_share_the_metrics_and_take_over_from_each_other() {
    let redis = RedisServer::start();
    let (one, two) = (node(&redis), node(&redis));
    let first = one.start(&["run"]);
    let lines = (0..METRICS).fold(String::new(), |mut lines, metric| {
        writeln!(lines, "servers.web{metric}.load 1 {}", now()).unwrap();
        lines
    });
    carbon::send(first.carbon(), lines.as_bytes());
    share("the first to have everything", &[&one]);

    let second = two.start(&["run"]);
    share("both to have a part", &[&one, &two]);
    let names = [pass(&one)["node"].clone(), pass(&two)["node"].clone()];
    assert_ne!(names[0], names[1]);
    let shown = one.run(&["status"]).stdout;
    assert!(shown.contains("of 256 virtual shards, beside"), "{shown}");

    // Stopped as by a machine that stands still, for longer than its lease and shorter than its own watchdog.
    let stopped = first.child("analyzer");
    signal(stopped, "STOP");
    let begun = Instant::now();
    wait_for("the second to take over from one that stands still", || {
        (figure(&two, "shards") == 256 && figure(&two, "metrics") == METRICS).then_some(())
    });
    let took = begun.elapsed();
    signal(stopped, "CONT");
    assert!(took >= LEASE / 2 && took < TAKEN_OVER_IN, "{took:?}");
    share("the first to have its part again", &[&one, &two]);
    assert_eq!(pass(&one)["node"], names[0]);

    drop(second);
    let took = share("the first to take over from one that was killed", &[&one]);
    assert!(took < TAKEN_OVER_IN, "{took:?}");

    let second = two.start(&["run"]);
    share("both to have a part again", &[&one, &two]);
    assert_eq!(pass(&two)["node"], names[1], "a node keeps its name");
    let ended = second.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    let took = share("the first to be alone again", &[&one]);
    assert!(took < TAKEN_OVER_IN, "{took:?}");
}

/// Whoever kills it and starts another with a state folder of its own does not wait for its lease.
#[test]
fn one_that_was_killed_on_the_same_machine_is_not_waited_for() {
    let redis = RedisServer::start();
    let lease = "60s";
    let (one, two) = (
        Setup::new().on(&redis).with("cluster.lease", lease),
        Setup::new().on(&redis).with("cluster.lease", lease),
    );
    let first = one.start(&["run"]);
    carbon::send(first.carbon(), format!("a 1 {}\n", now()).as_bytes());
    wait_for("the first to have everything", || {
        (figure(&one, "metrics") == 1).then_some(())
    });
    // Its parent is held first: it would start another, or have it end in order.
    let analyzer = first.child("analyzer");
    signal(first.pid(), "STOP");
    signal(analyzer, "KILL");
    drop(first);
    let second = two.start(&["run"]);
    second.line("has ended on this machine");
    assert!(second.line("total metrics ::").ends_with("total metrics :: 1"));
    assert_eq!(second.stop().code(), 0);
}

#[test]
fn what_was_learnt_goes_with_the_metrics() {
    let redis = RedisServer::start();
    what_was_learnt_goes_along(|| node(&redis), |_| redis.connection());
}

/// The same where the snapshots are spread over three servers.
#[test]
fn what_was_learnt_goes_with_the_metrics_in_a_redis_cluster() {
    let cluster = ServerCluster::start();
    what_was_learnt_goes_along(|| node_over(&cluster), |key| cluster.connection_for(key));
}

/// What was learnt of a metric goes with it: no node begins anew, whether it is handed a metric or finds it without one. `node`: one
/// more of them; `who_has`: a connection to the server that has a key.
fn what_was_learnt_goes_along(node: impl Fn() -> Setup, who_has: impl Fn(&str) -> Connection) {
    let nodes = [(); 2].map(|()| node().with("cluster.snapshot_each", "2s"));
    let (one, two) = (&nodes[0], &nodes[1]);
    let (begins, mut lines) = (now() - 200.0 * 60.0, String::new());
    for (metric, minute) in (0..METRICS).flat_map(|metric| (0..200_u32).map(move |minute| (metric, minute))) {
        let value = 100.0 + f64::from(minute.wrapping_mul(2_654_435_761) >> 22) / 256.0;
        writeln!(
            lines,
            "servers.web{metric}.load {value} {}",
            begins + 60.0 * f64::from(minute)
        )
        .unwrap();
    }
    one.take_in(&lines);
    let first = one.start(&["run"]);
    let is_learnt =
        |node: &Setup| figure(node, "analyzed") > 0 && figure(node, "analyzed") == figure(node, "metrics");
    wait_for("the first to have learnt all metrics", || {
        (is_learnt(one) && figure(one, "metrics") == METRICS).then_some(())
    });
    let second = two.start(&["run"]);
    share("both to have a part", &[one, two]);
    let taken_over = |log: &str| -> u64 {
        let lines = log
            .lines()
            .filter_map(|line| line.split_once("states of ")?.1.split_once(" metrics, and hours"));
        lines.map(|(number, _)| number.parse::<u64>().unwrap()).sum()
    };
    let handed = figure(two, "metrics");
    assert_eq!(taken_over(&second.log()), handed, "{}", second.log());
    wait_for("what came is judged", || is_learnt(two).then_some(()));

    // Those that it has never had, too, once the first is gone without a word.
    let log = first.log();
    wait_for("the first to have left all it has", || {
        (snapshots(&who_has) == 256).then_some(())
    });
    drop(first);
    share("the second to take over", &[two]);
    assert_eq!(taken_over(&second.log()), METRICS, "{log}\n\n{}", second.log());
}

/// How many virtual shards have a snapshot, or no metrics.
fn snapshots(who_has: impl Fn(&str) -> Connection) -> usize {
    let with_metrics: BTreeSet<u8> = (0..METRICS)
        .map(|metric| VirtualShard::of(&format!("servers.web{metric}.load")).0)
        .collect();
    let left = with_metrics.iter().filter(|shard| {
        let key = format!("skywatch.cluster.{{metrics./{shard}}}.snapshot");
        let mut exists = redis::cmd("EXISTS");
        exists.arg(&key);
        exists.query::<u64>(&mut who_has(&key)).unwrap() == 0
    });
    256 - left.count()
}

/// Somebody who wants every node to watch everything has it.
#[test]
fn nodes_that_do_not_share_watch_everything() {
    let redis = RedisServer::start();
    let nodes = [(); 2].map(|()| node(&redis).with("cluster.enabled", "false"));
    nodes[0].take_in(&format!("a.b 1 {0}\nc.d 1 {0}\n", now()));
    let running: Vec<_> = nodes.iter().map(|node| node.start(&["run"])).collect();
    wait_for("both to watch both metrics", || {
        nodes
            .iter()
            .all(|node| figure(node, "metrics") == 2)
            .then_some(())
    });
    let mut keys = redis::cmd("EXISTS");
    keys.arg("skywatch.cluster.{metrics.}.sessions");
    let found: u64 = keys.query(&mut redis.connection()).unwrap();
    assert_eq!(found, 0);
    drop(running);
}

/// Two nodes over a Redis Cluster, one of whose primaries dies: its replica takes over, and whatever came meanwhile is looked at then.
#[test]
fn nodes_over_a_redis_cluster_outlive_a_primary() {
    let mut cluster = ServerCluster::start_with_replicas();
    let nodes = [(); 2].map(|()| node_over(&cluster));
    let (one, two) = (&nodes[0], &nodes[1]);
    let checked = one.run(&["check"]).stdout;
    assert!(checked.contains("redis-cluster://127.0.0.1:"), "{checked}");
    let (first, second) = (one.start(&["run"]), two.start(&["run"]));
    let send = |back: f64| {
        let lines = (0..METRICS).fold(String::new(), |mut lines, metric| {
            writeln!(lines, "servers.web{metric}.load 1 {}", now() - back).unwrap();
            lines
        });
        carbon::send(first.carbon(), lines.as_bytes());
    };
    send(60.0);
    share("both to have a part", &[one, two]);
    cluster.wait_for_replicas();

    // The one that has the leases of the nodes; the names are on another one.
    let leases = ServerCluster::first_owner(cluster.slot("skywatch.cluster.{metrics.}.shards"));
    cluster.servers[leases].kill();
    send(0.0);
    wait_for("all points to be written", || {
        (first.ingest("written") == 2 * METRICS).then_some(())
    });
    let seen = |node: &Setup| figure(node, "pass");
    let before = [seen(one), seen(two)];
    wait_for("passes after it", || {
        (seen(one) > before[0] + 1 && seen(two) > before[1] + 1).then_some(())
    });
    share("both to have all shards and metrics between them", &[one, two]);
    assert_eq!(figure(one, "unfinished") + figure(two, "unfinished"), 0);
    for ended in [first.stop(), second.stop()] {
        assert_eq!(ended.code(), 0, "{}", ended.log);
        assert!(!ended.log.contains("panicked"), "{}", ended.log);
    }
}
