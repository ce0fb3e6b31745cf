//! Between Redis Clusters, of which the command line names one node.

use redis::Commands as _;
use skywatch::store::codec;

use super::{a_day, backfill, filled, judged};
use crate::common::redis::RedisServer;
use crate::common::redis_cluster::ServerCluster;
use crate::common::skywatch::Setup;

const METRICS: u32 = 60;

/// A day of metrics of both an original Skyline and whoever writes its layout into a cluster.
fn fill(cluster: &ServerCluster) {
    for metric in 0..METRICS {
        let key = format!("metrics.servers.web{metric}.load");
        let mut bytes = Vec::new();
        for (time, value) in a_day(metric) {
            codec::encode(time, value, &mut bytes);
        }
        let _: () = cluster.connection_for(&key).append(&key, bytes).unwrap();
        let names = "metrics.unique_metrics";
        let _: () = cluster.connection_for(names).sadd(names, &key).unwrap();
    }
}

fn over(cluster: &ServerCluster) -> Setup {
    Setup::new()
        .with("store.url", "redis://cluster.invalid")
        .with("store.cluster", &cluster.addresses())
        .without("ingest.max_age")
        .without("ingest.max_future")
}

#[test]
fn a_cluster_is_read_and_filled_as_a_whole_and_not_from_itself() {
    let from = ServerCluster::start();
    fill(&from);
    let metrics = format!("{METRICS} of {METRICS} fetched");

    // Into the embedded store, by whichever node is named, and by a socket of one.
    for url in [from.servers[0].tcp_url(), from.servers[2].socket_url()] {
        let setup = Setup::new().with("ingest.max_age", "");
        let log = filled(&setup, &["--redis", &url]);
        assert!(
            log.contains(&metrics) && log.contains("left out   nothing"),
            "{log}"
        );
        assert!(log.contains("is a node of a Redis Cluster"), "{log}");
        assert_eq!(judged(setup), (u64::from(METRICS), 0));
    }

    // Into a Redis of its own, and from that into another cluster.
    let redis = RedisServer::start();
    let log = filled(&super::over(&redis), &["--redis", &from.servers[1].tcp_url()]);
    assert!(log.contains(&metrics), "{log}");
    let into = ServerCluster::start();
    let setup = over(&into);
    let log = filled(&setup, &["--redis", &redis.socket_url()]);
    assert!(log.contains(&metrics), "{log}");
    for place in 0..3 {
        let keys: u64 = into.ask(place, &redis::cmd("DBSIZE"));
        assert!(keys > 2, "{keys} at {place}");
    }

    // By a node that the settings do not name.
    let ended = backfill(&setup, &["--redis", &into.servers[2].tcp_url()]);
    assert_ne!(ended.code(), 0, "{}", ended.log);
    assert!(ended.log.contains("is the store itself"), "{}", ended.log);
    let log = filled(&setup, &["--redis", &from.servers[2].tcp_url()]);
    assert!(log.contains(&metrics), "one cluster from another: {log}");
    assert_eq!(judged(setup), (u64::from(METRICS), 0));
}
