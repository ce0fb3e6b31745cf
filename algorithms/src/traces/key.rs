//! Keys of 64 bits for call paths, contexts and shapes.
//!
//! A path of any depth is one number, made from that of its parent in constant time, so a trace of 100,000 nested spans
//! costs no more a span than a flat one. Two of a million keys are equal by chance with probability 3·10⁻⁸.

/// The key of everything that has no parent.
pub(super) const ROOT: u64 = 0x6a09_e667_f3bc_c908;

/// A key made of another and a number (the finaliser of `SplitMix64`: Steele, Lea, Flood 2014).
pub(super) fn join(key: u64, number: u64) -> u64 {
    let mut z = key.rotate_left(23) ^ number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Serialises a map of keys in their order, so that equal states are equal texts.
pub(super) mod sorted {
    use std::collections::{BTreeMap, HashMap};
    use std::hash::Hash;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in super::super) fn serialize<K, V, S>(map: &HashMap<K, V>, to: S) -> Result<S::Ok, S::Error>
    where
        K: Ord + Serialize,
        V: Serialize,
        S: Serializer,
    {
        to.collect_seq(map.iter().collect::<BTreeMap<_, _>>())
    }

    pub(in super::super) fn deserialize<'d, K, V, D>(from: D) -> Result<HashMap<K, V>, D::Error>
    where
        K: Eq + Hash + Deserialize<'d>,
        V: Deserialize<'d>,
        D: Deserializer<'d>,
    {
        Ok(Vec::<(K, V)>::deserialize(from)?.into_iter().collect())
    }
}
