//! A Redis Cluster of six that speaks nothing but TLS, lets nobody in without a password and gives Skyline's keys to one ACL user: as a
//! store, as what nodes share, and for whole processes.

use std::time::Duration;

use redis::cmd;
use skywatch::cluster::{
    FencingToken, LeadRequest, LeadStore as _, LeaseRequest, LeaseStore as _, RedisLead, RedisLeases,
    RedisSent, RedisSnapshots, SendMark, Session, SnapshotStore as _, VirtualShard,
};
use skywatch::store::redis::{RedisConnect, RedisOptions};

use skywatch::store::{Connect as _, Names as _, StoreError};
use skywatch_settings::HostPort;

use super::backends::{append, whole};
use crate::common::redis::ServerOptions;
use crate::common::redis_cluster::ServerCluster;
use crate::common::series::now;
use crate::common::skywatch::Setup;
use crate::common::{carbon, wait_for};

/// What the documents say that a user has to be allowed.
const USER: &str = "skywatch on >of-the-user ~metrics.* ~skywatch.* ~{skywatch.* &* +@read +@write +@connection \
                    +eval +time +role +wait +cluster|slots +asking";
const METRICS: u64 = 60;

fn secured(arguments: &[&str]) -> ServerCluster {
    ServerCluster::start_with_replicas_and(ServerOptions {
        password: Some("of-the-servers".to_owned()),
        users: vec![USER.to_owned()],
        tls: true,
        arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
        ..ServerOptions::default()
    })
}

/// The way in of that user, by this host.
fn connect(cluster: &ServerCluster, host: &str, password: &str) -> RedisConnect {
    let connect = RedisConnect::new(RedisOptions {
        url: "rediss://cluster.invalid".to_owned(),
        username: Some("skywatch".to_owned()),
        password: Some(password.to_owned()),
        cluster: vec![HostPort {
            host: host.to_owned(),
            port: cluster.port(1),
        }],
        tls_ca_file: Some(cluster.servers[0].ca_file()),
        response_timeout: Duration::from_secs(5),
        ..RedisOptions::default()
    });
    connect.expect("a good address")
}

fn names() -> Vec<String> {
    (0..METRICS)
        .map(|metric| format!("servers.web{metric}.load"))
        .collect()
}

/// Everything a store and nodes ask for, of all nodes of the cluster.
fn serves(cluster: &ServerCluster, connect: &RedisConnect) {
    let mut store = connect.connect().expect("entry");
    let names = names();
    for name in &names {
        append(&mut store, name, &[(1_700_000_000.0, 1.0)]);
    }
    assert_eq!(store.count().expect("an answer"), METRICS);
    let each = (0..3).map(|place| -> u64 { cluster.ask(place, &cmd("DBSIZE")) });
    assert!(
        each.clone().all(|keys| keys > 5),
        "{:?}",
        each.collect::<Vec<_>>()
    );

    // A slot that has gone elsewhere: the answer names an address that speaks TLS.
    let slot = cluster.slot("metrics.servers.web7.load");
    let from = ServerCluster::first_owner(slot);
    cluster.migrate(slot, from, (from + 1) % 3, || {});
    append(&mut store, "servers.web7.load", &[(1_700_000_060.0, 2.0)]);
    assert_eq!(whole(&mut store, "servers.web7.load").0.values, [1.0, 2.0]);
    for name in &names {
        assert_eq!(whole(&mut store, name).0.times[0], 1_700_000_000.0, "{name}");
    }

    let limit = Duration::from_secs(5);
    let session = Session::new("a", "1");
    let mut leases = RedisLeases::new(connect, "metrics.", limit);
    let shard = VirtualShard(7);
    let request = LeaseRequest {
        session: session.clone(),
        ttl: limit,
        joins: true,
        leaves: false,
        release: Vec::new(),
        acquire: vec![(shard, 0)],
    };
    leases.exchange(&request).expect("an answer");
    let token = FencingToken {
        epoch: 1,
        session: session.to_string(),
    };
    let mut snapshots = RedisSnapshots::new(connect, "metrics.", limit);
    for shard in VirtualShard::all().step_by(16) {
        assert!(snapshots.write(shard, &token, "x", b"y").expect("an answer"));
        assert_eq!(
            snapshots.claim(shard, &token).expect("an answer"),
            Some(vec!["x".to_owned()])
        );
    }
    let mut lead = RedisLead::new(connect, "metrics.", limit);
    let request = LeadRequest {
        session,
        ttl: limit,
        joins: true,
        gives_back: None,
        takes: true,
        above: 0,
        about: String::new(),
    };
    let leader = lead
        .exchange(&request)
        .expect("an answer")
        .leader
        .expect("it was free");
    let mut sent = RedisSent::new(connect, "metrics.", limit);
    assert_eq!(sent.mark(&leader, "n").expect("an answer"), SendMark::New);
}

#[test]
fn a_secured_cluster_is_a_store_and_what_nodes_share() {
    let cluster = secured(&[]);
    serves(&cluster, &connect(&cluster, "127.0.0.1", "of-the-user"));
    let denied = connect(&cluster, "127.0.0.1", "guessed").connect();
    let denied = denied.map(|_| ()).expect_err("no entry");
    assert!(matches!(denied, StoreError::Denied { .. }), "{denied}");
}

/// Certificates name hosts more often than addresses: a cluster can be told to do the same.
#[test]
fn nodes_of_a_secured_cluster_may_go_by_their_host_names() {
    let cluster = secured(&[
        "--cluster-announce-hostname",
        "localhost",
        "--cluster-preferred-endpoint-type",
        "hostname",
    ]);
    serves(&cluster, &connect(&cluster, "localhost", "of-the-user"));
}

/// Whole processes: points by carbon, a pass over all of them, and a primary that dies meanwhile.
#[test]
fn a_node_runs_over_a_secured_cluster_and_outlives_a_primary() {
    let mut cluster = secured(&[]);
    let setup = Setup::new()
        .with("store.url", "rediss://cluster.invalid")
        .with("store.cluster", &cluster.addresses())
        .with("store.username", "skywatch")
        .with("store.password", "of-the-user")
        .with(
            "store.tls_ca_file",
            cluster.servers[0].ca_file().to_str().unwrap(),
        )
        .with("cluster.lease", "3s");
    let checked = setup.run(&["check"]);
    assert_eq!(checked.code(), 0, "{}{}", checked.stdout, checked.log);
    let node = setup.start(&["run"]);
    let send = |back: f64| {
        let lines: Vec<String> = names()
            .iter()
            .map(|name| format!("{name} 1 {}\n", now() - back))
            .collect();
        carbon::send(node.carbon(), lines.concat().as_bytes());
    };
    send(60.0);
    let all = format!("total metrics :: {METRICS}");
    wait_for("a pass over all metrics", || {
        node.log().contains(&all).then_some(())
    });
    cluster.wait_for_replicas();
    cluster.servers[0].kill();
    send(0.0);
    wait_for("all points to be written", || {
        (node.ingest("written") == 2 * METRICS).then_some(())
    });
    let ended = node.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    for words in ["panicked", "NOPERM", "denies"] {
        assert!(!ended.log.contains(words), "{words}: {}", ended.log);
    }
}
