//! The parts into which all names fall, and sets of them.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// How many there are. With a few nodes each holds so many that adding one moves little, and the table of all is small enough
/// to be read whole with every heartbeat.
pub const VIRTUAL_SHARDS: usize = 256;

/// One of the parts into which all names fall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VirtualShard(pub u8);

impl VirtualShard {
    /// The one a metric belongs to: the highest eight bits of XXH3 of its name, on every node and in every version.
    #[must_use]
    pub fn of(metric: &str) -> Self {
        Self((xxh3_64(metric.as_bytes()) >> 56) as u8)
    }

    /// All of them, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=u8::MAX).map(Self)
    }

    /// Its place in a table of all.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A set of virtual shards: a bit for each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardSet([u64; VIRTUAL_SHARDS / 64]);

impl ShardSet {
    /// All of them.
    pub const FULL: Self = Self([u64::MAX; VIRTUAL_SHARDS / 64]);

    /// How many are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Whether the shard is in it.
    #[must_use]
    pub fn contains(&self, shard: VirtualShard) -> bool {
        self.0[shard.index() / 64] >> (shard.0 % 64) & 1 == 1
    }

    /// Whether the metric's shard is in it. Where all are, the name is not looked at.
    #[must_use]
    pub fn has_metric(&self, metric: &str) -> bool {
        *self == Self::FULL || self.contains(VirtualShard::of(metric))
    }

    /// Adds a shard.
    pub fn insert(&mut self, shard: VirtualShard) {
        self.0[shard.index() / 64] |= 1 << (shard.0 % 64);
    }

    /// Takes a shard out.
    pub fn remove(&mut self, shard: VirtualShard) {
        self.0[shard.index() / 64] &= !(1 << (shard.0 % 64));
    }

    /// Those that are not in `other`.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|word| self.0[word] & !other.0[word]))
    }

    /// Those that are in `other`, too.
    #[must_use]
    pub fn within(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|word| self.0[word] & other.0[word]))
    }

    /// Those in it, in order.
    pub fn iter(&self) -> impl Iterator<Item = VirtualShard> + '_ {
        VirtualShard::all().filter(|shard| self.contains(*shard))
    }
}

impl FromIterator<VirtualShard> for ShardSet {
    fn from_iter<I: IntoIterator<Item = VirtualShard>>(shards: I) -> Self {
        let mut set = Self::default();
        shards.into_iter().for_each(|shard| set.insert(shard));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spread_evenly_and_stay_where_they_are() {
        let mut counts = [0usize; VIRTUAL_SHARDS];
        for number in 0..256_000 {
            let name = format!("servers.web{:03}.cpu.core{number}.user", number % 100);
            counts[VirtualShard::of(&name).index()] += 1;
        }
        // 1,000 each, and five standard deviations of a binomial.
        assert!(
            counts.iter().all(|count| (840..1_160).contains(count)),
            "{counts:?}"
        );
        // Another answer would give metrics to other nodes than those of the version before.
        assert_eq!(
            VirtualShard::of(""),
            VirtualShard(0x2d),
            "XXH3 of nothing, as published"
        );
    }

    #[test]
    fn a_set_is_its_members() {
        let some: ShardSet = [0, 63, 64, 255].map(VirtualShard).into_iter().collect();
        assert_eq!(
            some.iter().map(|shard| shard.0).collect::<Vec<_>>(),
            [0, 63, 64, 255]
        );
        assert_eq!((some.len(), ShardSet::FULL.len()), (4, VIRTUAL_SHARDS));
        let mut rest = ShardSet::FULL.without(&some);
        assert!(!rest.contains(VirtualShard(64)) && rest.contains(VirtualShard(65)));
        some.iter().for_each(|shard| rest.insert(shard));
        assert_eq!(rest, ShardSet::FULL);
    }
}
