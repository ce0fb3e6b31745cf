//! Java processes: what is known of each, from series by label, for the rules.

use std::collections::BTreeMap;

use skywatch_algorithms::entities::rules::{JvmFinding, JvmMetrics, JvmPool, jvm_findings};

/// A series of a process: the metric's name, its labels, its values, oldest first.
pub(super) struct JavaSeries<'s> {
    pub(super) metric: &'s str,
    pub(super) labels: &'s BTreeMap<String, String>,
    pub(super) values: Vec<f64>,
}

/// What the rules find of one process: words for it and a number.
pub(super) fn findings(series: &[JavaSeries<'_>]) -> Vec<(String, f64)> {
    let mut process = JvmMetrics::default();
    for one in series {
        let label = |name: &str| one.labels.get(name).cloned().unwrap_or_default();
        let last = one.values.iter().rev().copied().find(|value| value.is_finite());
        let name = one.metric;
        // The original's metrics, whatever they begin with.
        if name.ends_with("jvm_gc_coll_secs_count") {
            process.collections.push((label("gc"), one.values.clone()));
        } else if name.ends_with("jvm_class_current_loaded") {
            process.classes.extend(&one.values);
        } else if name.ends_with("jvm_threads_current") {
            process.threads.extend(&one.values);
        } else if name.ends_with("jvm_buffer_pool_used_bytes") {
            if label("pool") == "direct" {
                process.direct_bytes.extend(&one.values);
            }
        } else if let Some(value) = last {
            let areas = [
                ("jvm_mem_bytes", "area", &mut process.areas),
                ("jvm_mem_pool_bytes", "pool", &mut process.pools),
            ];
            for (family, by, pools) in areas {
                if name.ends_with(&format!("{family}_used")) {
                    pool(pools, label(by)).used = value;
                } else if name.ends_with(&format!("{family}_max")) {
                    pool(pools, label(by)).max = value;
                }
            }
        }
    }
    let found = jvm_findings(&process).into_iter();
    found
        .map(|finding| match finding {
            JvmFinding::PoolUsage(pool, share) => (format!("'{pool}'Usage"), share),
            JvmFinding::LoadedClassCount(count) => ("LoadedClassCount".to_owned(), count),
            JvmFinding::ThreadsCount(count) => ("ThreadsCount".to_owned(), count),
            JvmFinding::DirectBufferMem(bytes) => ("DirectBufferMem".to_owned(), bytes),
        })
        .collect()
}

/// The pool of that name; of a new one nothing is known.
fn pool(pools: &mut Vec<JvmPool>, name: String) -> &mut JvmPool {
    let place = pools.iter().position(|pool| pool.name == name);
    let place = place.unwrap_or_else(|| {
        pools.push(JvmPool {
            name,
            used: 0.0,
            max: -1.0,
        });
        pools.len() - 1
    });
    &mut pools[place]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_of_a_process_come_together_by_their_labels() {
        let labels = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let (gc, heap, old) = (
            labels("gc", "G1 Old Generation"),
            labels("area", "heap"),
            labels("pool", "G1 Old Gen"),
        );
        let series = |metric, labels, values: &[f64]| JavaSeries {
            metric,
            labels,
            values: values.to_vec(),
        };
        let mut all = vec![
            series("gala_gopher_jvm_gc_coll_secs_count", &gc, &[3.0, 20.0]),
            series("gala_gopher_jvm_mem_bytes_used", &heap, &[50.0, 80.0]),
            series("gala_gopher_jvm_mem_bytes_max", &heap, &[100.0]),
            series("gala_gopher_jvm_mem_pool_bytes_used", &old, &[70.0, f64::NAN]),
            series("gala_gopher_jvm_mem_pool_bytes_max", &old, &[100.0]),
        ];
        assert_eq!(findings(&all), [("'G1 Old Gen'Usage".to_owned(), 0.7)]);
        all[0].values = vec![3.0, 4.0];
        assert!(findings(&all).is_empty());
    }
}
