//! One hash for shards, turns and ids, a way to look up what is a hash already, and a fast one for tables of very many names.

use std::hash::{BuildHasher, Hasher, RandomState};

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// FNV-1a, 64 bits: short, well spread on metric names, and the same on every machine and in every
/// version, unlike the standard library's hasher (Fowler, Noll, Vo; the constants are the algorithm's own).
pub fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Passes on a number that is a hash already, for maps keyed by one.
#[derive(Default)]
pub struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only whole hashes are looked up")
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// Makes hashers of names for one table: XXH3, seeded by chance, so that whoever names metrics cannot choose where they fall.
#[derive(Clone)]
pub struct NameHashing {
    seed: u64,
}

impl Default for NameHashing {
    fn default() -> Self {
        Self {
            seed: RandomState::new().hash_one(0_u8),
        }
    }
}

impl BuildHasher for NameHashing {
    type Hasher = NameHasher;

    fn build_hasher(&self) -> NameHasher {
        NameHasher(self.seed)
    }
}

/// See [`NameHashing`].
pub struct NameHasher(u64);

impl Hasher for NameHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    /// What ends a string says nothing: one is hashed alone.
    fn write_u8(&mut self, _: u8) {}
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_fnv_1a() {
        assert_eq!(super::hash("a"), 0xaf63_dc4c_8601_ec8c, "the published value");
    }
}
