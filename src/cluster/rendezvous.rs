//! Which node a virtual shard belongs to.
//!
//! Rendezvous hashing (Thaler and Ravishankar, 1998): each node has a weight for each shard, a hash of both, and the shard
//! belongs to the heaviest. All who know the same nodes agree without a word; a node that comes takes from the others only what is
//! to be its own, and what a node leaves is spread over all. Of 256 shards over n nodes one has 256/n, with a standard
//! deviation of √(256 (n − 1))/n: of two nodes 128 ± 8.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::virtual_shard::{ShardSet, VirtualShard};

/// The one of `nodes` to which the shard belongs; none of none.
#[must_use]
pub fn owner_of(shard: VirtualShard, nodes: &[String]) -> Option<&String> {
    // Of equal weights the greater name, so that the order of the nodes is no matter.
    nodes
        .iter()
        .max_by_key(|node| (xxh3_64_with_seed(node.as_bytes(), u64::from(shard.0)), *node))
}

/// The shards that belong to `node` among `nodes`.
#[must_use]
pub fn shards_of(node: &str, nodes: &[String]) -> ShardSet {
    VirtualShard::all()
        .filter(|shard| owner_of(*shard, nodes).is_some_and(|owner| owner == node))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_comes_takes_only_what_is_its_own() {
        let nodes: Vec<String> = ["a-1f", "b-77", "c-03", "d-9e"].map(str::to_owned).to_vec();
        let mut before = ShardSet::default();
        for node in &nodes {
            let shards = shards_of(node, &nodes);
            assert!((40..90).contains(&shards.len()), "`{node}` has {}", shards.len());
            assert!(
                shards.iter().all(|shard| !before.contains(shard)),
                "no shard has two owners"
            );
            shards.iter().for_each(|shard| before.insert(shard));
        }
        assert_eq!(before, ShardSet::FULL, "each shard has an owner");
        for node in &nodes[..3] {
            let with_three = shards_of(node, &nodes[..3]);
            let with_four = shards_of(node, &nodes);
            assert!(
                with_four.without(&with_three).is_empty(),
                "`{node}` got what nobody left"
            );
        }
        assert_eq!(shards_of("a-1f", &[]), ShardSet::default());
    }
}
