//! Density clusters of values on a line.

/// The places of the largest cluster of `values` (DBSCAN, Ester et al. 1996): a value with at least `fewest` values within
/// `radius`, itself included, is a core; cores within `radius` of each other belong together, and so do the values within
/// `radius` of one. In the order of `values`; empty if there is no core. On a line neighbours are found by sorting:
/// O(n log n).
#[must_use]
pub fn largest_cluster(values: &[f64], radius: f64, fewest: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).filter(|at| values[*at].is_finite()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let sorted: Vec<f64> = order.iter().map(|at| values[*at]).collect();
    let within = |value: f64| {
        let from = sorted.partition_point(|other| *other < value - radius);
        from..sorted.partition_point(|other| *other <= value + radius)
    };
    let cores = (0..sorted.len()).filter(|at| within(sorted[*at]).len() >= fewest);
    let mut largest = 0..0;
    let mut current: Option<(f64, std::ops::Range<usize>)> = None;
    for core in cores {
        let reach = within(sorted[core]);
        current = match current {
            Some((last, range)) if sorted[core] - last <= radius => {
                Some((sorted[core], range.start..reach.end))
            }
            _ => Some((sorted[core], reach)),
        };
        if let Some((_, range)) = &current
            && range.len() > largest.len()
        {
            largest = range.clone();
        }
    }
    let mut places: Vec<usize> = order[largest].to_vec();
    places.sort_unstable();
    places
}

/// Per value whether it is in no cluster: not within `radius` of a core. Not finite is noise.
pub(super) fn noise(values: &[f64], radius: f64, fewest: usize) -> Vec<bool> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let from = |value: f64| sorted.partition_point(|other| *other < value - radius);
    let to = |value: f64| sorted.partition_point(|other| *other <= value + radius);
    let cores: Vec<f64> = sorted
        .iter()
        .copied()
        .filter(|value| to(*value) - from(*value) >= fewest)
        .collect();
    let near = |value: &f64| {
        let next = cores.partition_point(|core| core < value);
        cores[next.saturating_sub(1)..cores.len().min(next + 1)]
            .iter()
            .any(|core| (core - value).abs() <= radius)
    };
    values.iter().map(|value| !near(value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_cluster_is_found_and_noise_is_in_none() {
        let values = [0.0, 0.01, 0.9, 0.02, 0.03, 0.5, 0.91, 0.92, 0.04];
        assert_eq!(largest_cluster(&values, 0.03, 3), [0, 1, 3, 4, 8]);
        // A chain of cores, and at its ends values that are none themselves.
        assert_eq!(largest_cluster(&[0.0, 1.0, 2.0, 3.0, 9.0], 1.0, 3), [0, 1, 2, 3]);
        assert!(largest_cluster(&[0.0, 5.0, f64::NAN], 1.0, 2).is_empty());
        assert!(largest_cluster(&[], 1.0, 1).is_empty());
        assert_eq!(
            noise(&[0.0, 1.0, 2.0, 3.0, 9.0, f64::NAN], 1.0, 3),
            [false, false, false, false, true, true]
        );
    }
}
