//! Which worker looks at which metric.
//!
//! By hash of the name, so that a metric stays with its worker (and the worker's cache) when others come
//! and go.

use crate::hash::hash;

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
    }
}
