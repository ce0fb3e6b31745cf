//! What every table of leases does, and what a node makes of it: in memory, and in a real Redis.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use skywatch::cluster::{
    Coordinator, LeaseCoordinator, LeaseReply, LeaseRequest, LeaseStore, LeaseTerms, RedisLeases, Session,
    ShardSet, VIRTUAL_SHARDS, VirtualShard,
};

use super::memory_leases::{LeaseTable, MemoryLeases};
use crate::common::redis::RedisServer;
use crate::common::wait_for;
use crate::store::backends::redis_at;

const TTL: Duration = Duration::from_millis(400);
const ONE: VirtualShard = VirtualShard(7);

/// Opens one more handle of the same table.
type Open<'a> = &'a dyn Fn() -> Box<dyn LeaseStore>;

fn on_both(law: impl Fn(Open<'_>)) {
    let (table, begun) = (Arc::new(Mutex::new(LeaseTable::default())), Instant::now());
    law(&|| {
        Box::new(MemoryLeases {
            table: Arc::clone(&table),
            begun,
        })
    });
    let server = RedisServer::start();
    let connect = redis_at(&server.socket_url());
    law(&|| Box::new(RedisLeases::new(&connect, "metrics.", Duration::from_secs(5))));
}

fn request(session: &Session, acquire: &[(VirtualShard, u64)]) -> LeaseRequest {
    LeaseRequest {
        session: session.clone(),
        ttl: TTL,
        joins: false,
        leaves: false,
        release: Vec::new(),
        acquire: acquire.to_vec(),
    }
}

/// Epoch and holder of the one shard, and how many sessions live.
fn one(reply: LeaseReply) -> (u64, Option<String>, usize) {
    let LeaseReply::Table { sessions, shards } = reply else {
        panic!("it was replaced")
    };
    assert_eq!(shards.len(), VIRTUAL_SHARDS);
    let lease = &shards[ONE.index()];
    (lease.epoch, lease.owner.clone(), sessions.len())
}

#[test]
fn a_shard_has_one_holder_and_each_holder_an_epoch_of_its_own() {
    on_both(|open| {
        let (mut leases, a, b) = (open(), Session::new("a", "1"), Session::new("b", "1"));
        let mut ask = |request: &LeaseRequest| leases.exchange(request).expect("an answer");
        assert_eq!(one(ask(&request(&a, &[]))), (0, None, 1));
        let held = Some("a/1".to_owned());
        assert_eq!(one(ask(&request(&a, &[(ONE, 0)]))), (1, held.clone(), 1));
        assert_eq!(
            one(ask(&request(&a, &[(ONE, 0)]))),
            (1, held.clone(), 1),
            "an answer that was lost costs nothing"
        );
        assert_eq!(
            one(ask(&request(&b, &[(ONE, 0)]))),
            (1, held.clone(), 2),
            "it is held"
        );
        let give = |session: &Session, epoch| LeaseRequest {
            release: vec![(ONE, epoch)],
            ..request(session, &[])
        };
        assert_eq!(one(ask(&give(&b, 1))), (1, held.clone(), 2), "by somebody else");
        assert_eq!(one(ask(&give(&a, 2))), (1, held, 2), "under another epoch");
        assert_eq!(one(ask(&give(&a, 1))), (1, None, 2));
        assert_eq!(
            one(ask(&request(&b, &[(ONE, 40)]))),
            (41, Some("b/1".to_owned()), 2),
            "above all it has seen"
        );
    });
}

#[test]
fn a_silent_holder_loses_what_another_one_takes() {
    on_both(|open| {
        let (mut leases, a, b) = (open(), Session::new("a", "1"), Session::new("b", "1"));
        let mut ask = |request: &LeaseRequest| leases.exchange(request).expect("an answer");
        ask(&request(&a, &[(ONE, 0)]));
        let silent = Instant::now();
        wait_for("the lease runs out", || {
            (one(ask(&request(&b, &[]))).2 == 1).then_some(())
        });
        assert!(
            silent.elapsed() >= TTL - Duration::from_millis(20),
            "not before its time"
        );
        let (epoch, owner, _) = one(ask(&request(&a, &[])));
        assert_eq!(
            (epoch, owner.as_deref()),
            (1, Some("a/1")),
            "nobody took it: it is still its own"
        );
        wait_for("it runs out again", || {
            (one(ask(&request(&b, &[(ONE, 0)]))).1.as_deref() == Some("b/1")).then_some(())
        });
        assert_eq!(
            one(ask(&request(&a, &[(ONE, 0)]))).1.as_deref(),
            Some("b/1"),
            "too late"
        );
    });
}

#[test]
fn a_run_ends_the_one_before_and_never_the_one_after() {
    on_both(|open| {
        let (mut leases, first, second) = (open(), Session::new("a", "1"), Session::new("a", "2"));
        let mut ask = |request: &LeaseRequest| leases.exchange(request).expect("an answer");
        let joins = |session: &Session| LeaseRequest {
            joins: true,
            ..request(session, &[(ONE, 0)])
        };
        assert_eq!(one(ask(&joins(&first))).0, 1);
        assert_eq!(
            one(ask(&joins(&second))),
            (2, Some("a/2".to_owned()), 1),
            "at once"
        );
        assert_eq!(ask(&request(&first, &[(ONE, 0)])), LeaseReply::Replaced);
        let leaves = LeaseRequest {
            leaves: true,
            ..request(&second, &[])
        };
        assert_eq!(one(ask(&leaves)).2, 0);
        assert_eq!(
            one(ask(&joins(&Session::new("b", "1")))).0,
            3,
            "what it held is free at once"
        );
    });
}

#[test]
fn nodes_share_all_shards_and_hand_them_over() {
    on_both(|open| {
        let terms = LeaseTerms {
            ttl: Duration::from_secs(2),
        };
        let start = |node| LeaseCoordinator::start(open(), node, terms).expect("a thread");
        let (a, b) = (start("a-1f"), start("b-77"));
        let owned = |node: &LeaseCoordinator| node.refresh().expect("an answer");
        let alone = owned(&a);
        assert_eq!((alone.shards, alone.is_alone()), (ShardSet::FULL, true));
        assert!(owned(&b).shards.is_empty(), "nothing is taken from who holds it");
        let full = owned(&a);
        assert!(!full.is_alone() && full.shards == ShardSet::FULL && !full.leaving.is_empty());
        a.release(&full.leaving).expect("an answer");
        let (of_a, of_b) = (owned(&a), owned(&b));
        assert_eq!(of_b.shards, full.leaving);
        assert_eq!(of_a.shards, ShardSet::FULL.without(&full.leaving));
        assert_eq!(of_a.kept_since(&full), of_a.shards);
        let shard = of_b.shards.iter().next().expect("some");
        assert_eq!(
            full.token(shard).map(|token| token.epoch + 1),
            of_b.token(shard).map(|token| token.epoch)
        );
        assert_eq!(of_a.token(shard), None);
        b.leave();
        assert!(owned(&b).shards.is_empty());
        assert_eq!(owned(&a).shards, ShardSet::FULL, "at once");
        drop(a);
        let c = start("c-03");
        let begun = Instant::now();
        wait_for("the lease of a node that died runs out", || {
            (owned(&c).shards == ShardSet::FULL).then_some(())
        });
        assert!(begun.elapsed() > terms.ttl / 2, "not before");
    });
}

#[test]
fn two_nodes_of_one_name_become_two() {
    on_both(|open| {
        let terms = LeaseTerms {
            ttl: Duration::from_secs(30),
        };
        let start = || LeaseCoordinator::start(open(), "copied", terms).expect("a thread");
        let (a, b) = (start(), start());
        let owned = |node: &LeaseCoordinator| node.refresh().expect("an answer");
        assert_eq!(owned(&a).shards, ShardSet::FULL);
        assert_eq!(owned(&b).shards, ShardSet::FULL, "a run that follows another");
        let (of_a, of_b) = (owned(&a), owned(&b));
        assert!(
            of_a.node.starts_with("copied.") && of_b.node == "copied",
            "{} {}",
            of_a.node,
            of_b.node
        );
        assert!(of_a.shards.is_empty() && of_b.shards == ShardSet::FULL && !of_b.leaving.is_empty());
    });
}

/// Redis that takes nothing: nobody can take over, and nobody stops watching.
#[test]
fn a_full_table_keeps_what_is_held() {
    let server = RedisServer::start();
    let connect = redis_at(&server.socket_url());
    let open = || Box::new(RedisLeases::new(&connect, "metrics.", Duration::from_secs(5)));
    let terms = LeaseTerms {
        ttl: Duration::from_secs(1),
    };
    let a = LeaseCoordinator::start(open(), "a-1f", terms).expect("a thread");
    assert_eq!(a.refresh().expect("an answer").shards, ShardSet::FULL);
    let user = ["+@all", "-eval"];
    let mut connection = server.connection();
    let mut acl = redis::cmd("ACL");
    acl.arg("SETUSER").arg("default").arg(&user);
    acl.exec(&mut connection).expect("it is set");
    let denied = LeaseCoordinator::start(open(), "b-77", terms).expect("a thread");
    let refused = Instant::now();
    wait_for("longer than a lease", || {
        assert_eq!(a.refresh().expect("an answer").shards, ShardSet::FULL);
        (refused.elapsed() > terms.ttl * 2).then_some(())
    });
    assert_eq!(
        denied.refresh().expect("an answer").shards,
        ShardSet::FULL,
        "nothing is known of others"
    );
}
