//! Which worker looks at which metric.
//!
//! By hash of the name, so that a metric stays with its worker (and the worker's cache) when others come
//! and go.

/// FNV-1a, 64 bits: short, well spread on metric names, and the same on every machine and in every
/// version, unlike the standard library's hasher (Fowler, Noll, Vo; the constants are the algorithm's own).
pub fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The worker, in `0..workers`, that a metric belongs to.
pub fn shard_of(name: &str, workers: usize) -> usize {
    // The upper half is multiplied into range: the low bits of FNV are its weakest.
    let upper = hash(name) >> 32;
    usize::try_from((upper * workers as u64) >> 32).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_even_and_stable() {
        let mut counts = [0usize; 3];
        for n in 0..30_000 {
            counts[shard_of(&format!("servers.web{:03}.cpu.core{n}.user", n % 100), 3)] += 1;
        }
        for count in counts {
            assert!((9_000..11_000).contains(&count), "{counts:?}");
        }
        assert_eq!(hash("a"), 0xaf63_dc4c_8601_ec8c, "the published FNV-1a value");
    }
}
