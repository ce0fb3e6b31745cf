//! JVM rules: a heap that is full although its collector works, too many classes or threads, too much direct memory.

/// Collections of the old generation within the window that make a process suspect.
const COLLECTIONS: f64 = 15.0;
/// Share of its area's maximum in use from which pools are looked at, and of a pool's maximum from which it is a finding.
const AREA_USED: f64 = 0.5;
const POOL_USED: f64 = 0.65;
const CLASSES: f64 = 1e5;
const THREADS: f64 = 1e4;
const DIRECT_BYTES: f64 = 1024.0 * 1024.0 * 1024.0;
/// Collectors of the old generation.
const OLD_COLLECTORS: [&str; 6] = [
    "MarkSweepCompact",
    "PS MarkSweep",
    "ConcurrentMarkSweep",
    "G1 Mixed Generation",
    "G1 Old Generation",
    "G1 Concurrent GC",
];
/// Pools that only a collection of the old generation makes room in.
const OLD_POOLS: [&str; 4] = ["PS Old Gen", "G1 Old Gen", "Tenured Gen", "Metaspace"];

/// A memory area or pool, newest values in bytes. A `max` that is not above 0 says that there is none.
#[derive(Debug, Clone, PartialEq)]
pub struct JvmPool {
    /// Its name, such as `PS Old Gen`.
    pub name: String,
    /// Bytes in use.
    pub used: f64,
    /// Bytes at most.
    pub max: f64,
}

/// What is known of a process over the window of two minutes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JvmMetrics {
    /// Counter of collections, by collector.
    pub collections: Vec<(String, Vec<f64>)>,
    /// Areas: heap and non-heap.
    pub areas: Vec<JvmPool>,
    /// Pools.
    pub pools: Vec<JvmPool>,
    /// Loaded classes.
    pub classes: Vec<f64>,
    /// Threads.
    pub threads: Vec<f64>,
    /// Bytes of direct buffers.
    pub direct_bytes: Vec<f64>,
}

/// What a rule found.
#[derive(Debug, Clone, PartialEq)]
pub enum JvmFinding {
    /// A pool, and the share of its maximum in use.
    PoolUsage(String, f64),
    /// Loaded classes, as a mean.
    LoadedClassCount(f64),
    /// Threads, as a mean.
    ThreadsCount(f64),
    /// Bytes of direct buffers, as a mean.
    DirectBufferMem(f64),
}

/// All findings about a process. Pools and classes count only where the collector of the old generation works hard.
#[must_use]
pub fn jvm_findings(process: &JvmMetrics) -> Vec<JvmFinding> {
    let mut findings = Vec::new();
    let old = process
        .collections
        .iter()
        .filter(|(name, _)| OLD_COLLECTORS.contains(&name.as_str()));
    let is_suspect = old.map(|(_, counter)| increase(counter)).sum::<f64>() >= COLLECTIONS;
    if is_suspect {
        let used = |pool: &JvmPool| (pool.max > 0.0).then(|| pool.used / pool.max);
        if process
            .areas
            .iter()
            .filter_map(used)
            .any(|used| used >= AREA_USED)
        {
            for pool in process
                .pools
                .iter()
                .filter(|pool| OLD_POOLS.contains(&pool.name.as_str()))
            {
                if let Some(used) = used(pool).filter(|used| *used >= POOL_USED) {
                    findings.push(JvmFinding::PoolUsage(pool.name.clone(), used));
                }
            }
        }
        findings.extend(
            mean(&process.classes)
                .filter(|mean| *mean >= CLASSES)
                .map(JvmFinding::LoadedClassCount),
        );
    }
    findings.extend(
        mean(&process.threads)
            .filter(|mean| *mean >= THREADS)
            .map(JvmFinding::ThreadsCount),
    );
    let direct = mean(&process.direct_bytes).filter(|mean| *mean >= DIRECT_BYTES);
    findings.extend(direct.map(JvmFinding::DirectBufferMem));
    findings
}

/// How much a counter has grown; after a restart it begins at 0 again.
fn increase(counter: &[f64]) -> f64 {
    let growth = |two: &[f64]| if two[1] >= two[0] { two[1] - two[0] } else { two[1] };
    counter
        .windows(2)
        .map(growth)
        .filter(|growth| growth.is_finite())
        .sum()
}

fn mean(values: &[f64]) -> Option<f64> {
    let finite = values.iter().filter(|value| value.is_finite());
    let (sum, count) = finite.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

/// Bytes of a size as jobs write it: a number with `k`, `kb`, `m`, `mb`, `g`, `gb` in any case, or without.
#[must_use]
pub fn bytes(size: &str) -> Option<f64> {
    let size = size.trim().to_ascii_lowercase();
    let digits = size.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let factor = match size[digits.len()..].trim() {
        "" | "b" => 1.0,
        "k" | "kb" => 1024.0,
        "m" | "mb" => 1024.0 * 1024.0,
        "g" | "gb" => DIRECT_BYTES,
        _ => return None,
    };
    digits
        .trim()
        .parse::<f64>()
        .ok()
        .filter(|number| number.is_finite() && *number >= 0.0)
        .map(|number| number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(name: &str, used: f64, max: f64) -> JvmPool {
        JvmPool {
            name: name.to_owned(),
            used,
            max,
        }
    }

    #[test]
    fn a_full_old_generation_counts_while_its_collector_works() {
        let mut process = JvmMetrics {
            collections: vec![
                ("G1 Old Generation".to_owned(), vec![100.0, 108.0, 2.0, 9.0]),
                ("G1 Young Generation".to_owned(), vec![0.0, 900.0]),
            ],
            areas: vec![pool("heap", 60.0, 100.0), pool("nonheap", 5.0, -1.0)],
            pools: vec![
                pool("G1 Old Gen", 66.0, 100.0),
                pool("G1 Eden Space", 99.0, 100.0),
                pool("Metaspace", 9.0, -1.0),
            ],
            classes: vec![1e5, 1.2e5],
            ..JvmMetrics::default()
        };
        // 8, then a restart with 2, then 7: 17 collections.
        let findings = [
            JvmFinding::PoolUsage("G1 Old Gen".to_owned(), 0.66),
            JvmFinding::LoadedClassCount(1.1e5),
        ];
        assert_eq!(jvm_findings(&process), findings);
        process.areas[0].used = 49.0;
        assert_eq!(jvm_findings(&process), findings[1..]);
        process.collections[0].1 = vec![100.0, 114.0];
        assert_eq!(jvm_findings(&process), []);
        process.threads = vec![1e4, f64::NAN];
        process.direct_bytes = vec![2.0 * DIRECT_BYTES];
        let findings = [
            JvmFinding::ThreadsCount(1e4),
            JvmFinding::DirectBufferMem(2.0 * DIRECT_BYTES),
        ];
        assert_eq!(jvm_findings(&process), findings);
    }

    #[test]
    fn sizes_are_read_as_jobs_write_them() {
        assert_eq!(bytes("1024MB"), Some(DIRECT_BYTES));
        assert_eq!(bytes("1 g"), Some(DIRECT_BYTES));
        assert_eq!(bytes("3kb"), Some(3072.0));
        assert_eq!(bytes("12"), Some(12.0));
        for wrong in ["", "mb", "1tb", "-1k", "nan"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }
}
