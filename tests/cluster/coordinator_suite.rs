//! What the analyzer may expect of whatever says which shards it may look at: of a node that is alone, of one over a table in memory,
//! and of one over a real Redis.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use skywatch::cluster::{
    Coordinator, LeaseCoordinator, LeaseTerms, LocalCoordinator, Ownership, RedisLeases, ShardSet,
    VirtualShard,
};

use super::memory_leases::{LeaseTable, MemoryLeases};
use crate::common::redis::RedisServer;
use crate::store::backends::redis_at;

const TERMS: LeaseTerms = LeaseTerms {
    ttl: Duration::from_secs(30),
};

/// Each law, with every kind of coordinator in which no other node lives.
fn on_each(law: impl Fn(&dyn Coordinator)) {
    law(&LocalCoordinator::new("a-1f"));
    let leases = MemoryLeases {
        table: Arc::new(Mutex::new(LeaseTable::default())),
        begun: Instant::now(),
    };
    law(&LeaseCoordinator::start(Box::new(leases), "a-1f", TERMS).expect("a thread"));
    let server = RedisServer::start();
    let leases = RedisLeases::new(
        &redis_at(&server.socket_url()),
        "metrics.",
        Duration::from_secs(5),
    );
    law(&LeaseCoordinator::start(Box::new(leases), "a-1f", TERMS).expect("a thread"));
}

fn owned(coordinator: &dyn Coordinator) -> Ownership {
    coordinator.refresh().expect("an answer")
}

#[test]
fn a_node_without_others_looks_at_everything_and_can_show_that_it_may() {
    on_each(|coordinator| {
        let owned = owned(coordinator);
        assert_eq!((owned.node.as_str(), owned.is_alone()), ("a-1f", true));
        assert_eq!(owned.shards, ShardSet::FULL);
        assert!(owned.leaving.is_empty(), "there is nobody to leave anything to");
        let nodes: Vec<_> = owned
            .nodes
            .iter()
            .map(|node| (node.name.as_str(), node.shards))
            .collect();
        assert_eq!(nodes, [("a-1f", 256)]);
        for shard in VirtualShard::all() {
            assert!(
                owned.token(shard).is_some_and(|token| token.epoch > 0),
                "{shard:?}"
            );
        }
    });
}

#[test]
fn what_is_held_from_pass_to_pass_is_kept() {
    on_each(|coordinator| {
        let before = owned(coordinator);
        let after = owned(coordinator);
        assert_eq!(after.kept_since(&before), ShardSet::FULL);
        let shard = VirtualShard(7);
        assert_eq!(after.token(shard), before.token(shard));
    });
}

/// What was given back and nobody wanted is looked at again, and counts as kept: nobody else has had it.
#[test]
fn what_nobody_else_takes_is_looked_at_again() {
    on_each(|coordinator| {
        let before = owned(coordinator);
        let some: ShardSet = [1, 7, 200].map(VirtualShard).into_iter().collect();
        coordinator.release(&some).expect("an answer");
        let after = owned(coordinator);
        assert_eq!(after.shards, ShardSet::FULL);
        assert_eq!(after.kept_since(&before), ShardSet::FULL);
    });
}

#[test]
fn a_node_leaves_once_and_may_be_told_twice() {
    on_each(|coordinator| {
        owned(coordinator);
        coordinator.leave();
        coordinator.leave();
        coordinator
            .release(&ShardSet::FULL)
            .expect("there is nothing to give back");
    });
}
