//! What owners of a shard leave for each other, in a real Redis and in a real Redis Cluster: nothing is taken of an earlier owner once a
//! later one has been there, and the snapshots of all shards are spread over the primaries.

use std::time::Duration;

use redis::cmd;
use skywatch::cluster::{
    FencingToken, LeaseReply, LeaseRequest, LeaseStore, RedisLeases, RedisSnapshots, Session, SnapshotStore,
    VirtualShard,
};
use skywatch::store::redis::RedisConnect;

use crate::common::redis::{RedisServer, ServerOptions};
use crate::common::redis_cluster::ServerCluster;
use crate::store::backends::redis_at;

const SHARD: VirtualShard = VirtualShard(7);
const FENCE: &str = "skywatch.cluster.{metrics./7}.fence";
const TABLE: &str = "skywatch.cluster.{metrics.}.shards";

/// The leases and the snapshots of one namespace.
struct Shared {
    leases: RedisLeases,
    snapshots: RedisSnapshots,
}

impl Shared {
    fn at(connect: &RedisConnect) -> Self {
        let limit = Duration::from_secs(5);
        Self {
            leases: RedisLeases::new(connect, "metrics.", limit),
            snapshots: RedisSnapshots::new(connect, "metrics.", limit),
        }
    }

    /// A node takes the shard.
    fn takes(&mut self, node: &str) -> FencingToken {
        let request = LeaseRequest {
            session: Session::new(node, "1"),
            ttl: Duration::from_secs(60),
            joins: false,
            leaves: false,
            release: Vec::new(),
            acquire: vec![(SHARD, 0)],
        };
        let reply = self.leases.exchange(&request).expect("an answer");
        let LeaseReply::Table { shards, .. } = reply else {
            panic!("nobody has replaced it")
        };
        let lease = &shards[SHARD.index()];
        assert_eq!(lease.owner, Some(format!("{node}/1")), "it was free");
        FencingToken {
            epoch: lease.epoch,
            session: format!("{node}/1"),
        }
    }

    /// A node leaves, and another one takes the shard.
    fn goes_to(&mut self, from: &str, to: &str) -> FencingToken {
        let leaves = LeaseRequest {
            session: Session::new(from, "1"),
            ttl: Duration::from_secs(60),
            joins: false,
            leaves: true,
            release: Vec::new(),
            acquire: Vec::new(),
        };
        self.leases.exchange(&leaves).expect("an answer");
        self.takes(to)
    }

    fn write(&mut self, token: &FencingToken, name: &str) -> bool {
        let written = self.snapshots.write(SHARD, token, name, name.as_bytes());
        written.expect("an answer")
    }

    fn remove(&mut self, token: &FencingToken, name: &str) -> bool {
        let removed = self.snapshots.remove(SHARD, token, &[name.to_owned()]);
        removed.expect("an answer")
    }

    /// The names that a new owner finds, in order; `None` if it is none any more.
    fn claim(&mut self, token: &FencingToken) -> Option<Vec<String>> {
        let mut names = self.snapshots.claim(SHARD, token).expect("an answer")?;
        names.sort();
        Some(names)
    }

    fn read(&mut self, name: &str) -> Option<Vec<u8>> {
        self.snapshots.read(SHARD, name).expect("an answer")
    }
}

fn nothing_is_taken_of_an_earlier_owner(connect: &RedisConnect) {
    let mut shared = Shared::at(connect);
    let a = shared.takes("a");
    let bytes: Vec<u8> = (0..=u8::MAX).collect();
    let written = shared.snapshots.write(SHARD, &a, "x", &bytes);
    assert!(written.expect("an answer"));
    assert_eq!(shared.read("x"), Some(bytes), "as they were, whatever they are");
    assert_eq!(shared.read("y"), None);

    let b = shared.goes_to("a", "b");
    assert!(b.epoch > a.epoch);
    assert!(shared.write(&a, "on its way"), "nobody has looked at it since");
    let all = ["on its way", "x"].map(str::to_owned).to_vec();
    assert_eq!(shared.claim(&b).as_ref(), Some(&all));
    assert!(!shared.write(&a, "late"));
    assert!(!shared.remove(&a, "x"));
    assert_eq!(shared.claim(&a), None);
    assert_eq!(
        shared.claim(&b),
        Some(all),
        "what the new owner has read stays as it was"
    );
    assert!(shared.write(&b, "y") && shared.remove(&b, "x"));
    assert_eq!((shared.read("x"), shared.read("y")), (None, Some(b"y".to_vec())));

    // A change is a claim, too.
    let c = shared.goes_to("b", "c");
    assert!(shared.write(&c, "z"));
    assert!(!shared.write(&b, "late") && !shared.remove(&b, "y"));
}

/// A table that was lost gives epochs again that there were before, to others.
fn a_lost_table_keeps_nobody_from_what_he_holds(connect: &RedisConnect, lose: impl Fn()) {
    let mut shared = Shared::at(connect);
    let a = shared.takes("a");
    assert!(shared.write(&a, "x"));
    let b = shared.goes_to("a", "b");
    assert!(shared.write(&b, "y"));
    lose();
    let c = shared.takes("c");
    assert!(c.epoch < b.epoch && c.epoch == a.epoch);
    assert_eq!(
        shared.claim(&c).map(|names| names.len()),
        Some(2),
        "the table says that it is the owner"
    );
    assert!(!shared.write(&a, "late"), "the same epoch, and not the owner");
    assert!(shared.write(&c, "z"));
    // One that does not know that its epoch was lost may write until it does, and keeps the owner from nothing.
    assert!(shared.write(&b, "void"));
    assert!(shared.write(&c, "z") && shared.remove(&c, "void"));
}

#[test]
fn nothing_is_taken_in_a_redis_of_an_owner_before_the_one_that_has_been_there() {
    let server = RedisServer::start();
    nothing_is_taken_of_an_earlier_owner(&redis_at(&server.socket_url()));
}

#[test]
fn a_lost_table_in_a_redis_keeps_nobody_from_what_he_holds() {
    let server = RedisServer::start();
    a_lost_table_keeps_nobody_from_what_he_holds(&redis_at(&server.socket_url()), || {
        let () = cmd("DEL").arg(TABLE).query(&mut server.connection()).unwrap();
    });
}

#[test]
fn who_finds_nothing_leaves_nothing_and_who_may_not_write_may_read() {
    let server = RedisServer::start_with(ServerOptions {
        maxmemory: Some("50mb".to_owned()),
        ..ServerOptions::default()
    });
    let mut raw = server.connection();
    let mut shared = Shared::at(&redis_at(&server.socket_url()));
    let a = shared.takes("a");
    assert_eq!(shared.claim(&a), Some(Vec::new()));
    let found: u64 = cmd("EXISTS").arg(FENCE).query(&mut raw).unwrap();
    assert_eq!(found, 0, "a node that is alone writes nothing");
    assert!(shared.write(&a, "x"));
    let kept: i64 = cmd("PTTL").arg(FENCE).query(&mut raw).unwrap();
    assert!(kept > 6 * 86_400_000, "as long as the snapshot: {kept} ms");

    let b = shared.goes_to("a", "b");
    let mut full = cmd("CONFIG");
    let () = full.arg("SET").arg("maxmemory").arg(1).query(&mut raw).unwrap();
    assert_eq!(shared.claim(&b), Some(vec!["x".to_owned()]));
    assert!(shared.snapshots.write(SHARD, &b, "y", b"").is_err());
}

#[test]
fn snapshots_are_spread_over_a_cluster_and_follow_their_slots() {
    let cluster = ServerCluster::start();
    let connect = cluster.connect();
    nothing_is_taken_of_an_earlier_owner(&connect);
    cluster.flush();
    a_lost_table_keeps_nobody_from_what_he_holds(&connect, || {
        let mut table = cluster.connection_for(TABLE);
        let () = cmd("DEL").arg(TABLE).query(&mut table).unwrap();
    });

    cluster.flush();
    let mut shared = Shared::at(&connect);
    let a = shared.takes("a");
    for shard in VirtualShard::all() {
        let written = shared.snapshots.write(shard, &a, "x", &[shard.0]);
        assert!(written.expect("an answer"), "{shard:?}");
    }
    let keys = [0, 1, 2].map(|place| -> u64 { cluster.ask(place, &cmd("DBSIZE")) });
    // Of 256 places in three parts each has 85 ± 8; with each snapshot goes its fence.
    assert!(keys.iter().all(|keys| (100..240).contains(keys)), "{keys:?}");
    for shard in VirtualShard::all() {
        let read = shared.snapshots.read(shard, "x").expect("an answer");
        assert_eq!(read, Some(vec![shard.0]));
    }
    let clients =
        |place| -> String { cluster.ask(place, cmd("CLIENT").arg("LIST").arg("TYPE").arg("NORMAL")) };
    let connections: usize = (0..3).map(|place| clients(place).lines().count()).sum();
    assert!(
        connections <= 3 * 2 + 2,
        "one to each node, for us and for who asks, and those of the table: {connections}"
    );

    // A slot goes to another node. While one of its two keys has gone ahead nothing can be written that needs both.
    let slot = cluster.slot(FENCE);
    let from = ServerCluster::first_owner(slot);
    let b = shared.goes_to("a", "b");
    assert!(shared.write(&b, "y"));
    cluster.migrate(slot, from, (from + 1) % 3, || {
        assert_eq!(shared.read("y"), Some(b"y".to_vec()));
    });
    assert!(!shared.write(&a, "late"), "the fence has come with it");
    assert!(shared.write(&b, "z"));
    assert_eq!(shared.claim(&b).map(|names| names.len()), Some(3));
}
