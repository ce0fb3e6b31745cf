//! Which incidents have one cause.
//!
//! A metric explains an incident if it moved with the incident's metric and not after it; the metric itself explains its own. The one that
//! explains most incidents is taken for their cause (of equal ones the one they go with most, then by name), they are put aside, and the next
//! one is looked for among the rest, as in greedy set cover. Two incidents at least make a group. O(groups · relations).

use std::collections::{BTreeMap, BTreeSet};

/// What moved with the metric of one incident.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentRelations<'n> {
    /// The incident's number.
    pub incident: u64,
    /// Its metric.
    pub metric: &'n str,
    /// Name, size of the coefficient (0 to 1) and lead in seconds of what moved with it.
    pub related: Vec<(&'n str, f64, f64)>,
}

/// Incidents with one cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedCauseGroup {
    /// The metric that explains them.
    pub cause: String,
    /// Their numbers, ascending; at least two.
    pub incidents: Vec<u64>,
}

/// The groups, largest first. An incident is in one of them at most.
#[must_use]
pub fn shared_causes(incidents: &[IncidentRelations<'_>]) -> Vec<SharedCauseGroup> {
    let mut explains: BTreeMap<&str, BTreeMap<u64, f64>> = BTreeMap::new();
    for relations in incidents {
        explains
            .entry(relations.metric)
            .or_default()
            .insert(relations.incident, 1.0);
        for (name, coefficient, lead) in &relations.related {
            if *lead >= 0.0 {
                let strength = explains.entry(name).or_default().entry(relations.incident);
                strength.or_insert(*coefficient);
            }
        }
    }
    let mut left: BTreeSet<u64> = incidents.iter().map(|relations| relations.incident).collect();
    let mut groups = Vec::new();
    loop {
        let weight = |explained: &BTreeMap<u64, f64>| {
            let open = explained.iter().filter(|(incident, _)| left.contains(incident));
            open.fold((0_usize, 0.0), |(count, sum), (_, strength)| {
                (count + 1, sum + strength)
            })
        };
        let best = explains
            .iter()
            .map(|(name, explained)| (weight(explained), *name))
            .max_by(|((count, sum), name), ((other_count, other_sum), other)| {
                // The maximum is the last of equal ones; the first by name is meant.
                count
                    .cmp(other_count)
                    .then(sum.total_cmp(other_sum))
                    .then_with(|| other.cmp(name))
            });
        let Some(((2.., _), cause)) = best else {
            return groups;
        };
        let explained = explains.remove(cause).unwrap_or_default();
        let incidents: Vec<u64> = explained
            .into_keys()
            .filter(|incident| left.remove(incident))
            .collect();
        groups.push(SharedCauseGroup {
            cause: cause.to_owned(),
            incidents,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_moved_first_with_most_is_the_cause_of_all() {
        let one = |incident, metric, related| IncidentRelations {
            incident,
            metric,
            related,
        };
        let incidents = [
            one(1, "cart", vec![("db", 0.9, 60.0), ("shop", 0.8, 0.0)]),
            one(2, "db", vec![("cart", 0.9, -60.0), ("shop", 0.9, -60.0)]),
            one(3, "shop", vec![("db", 0.9, 60.0), ("cart", 0.8, 0.0)]),
            one(4, "disk", vec![]),
            one(5, "mail", vec![("queue", 0.7, 0.0)]),
            one(6, "news", vec![("queue", 0.7, 30.0)]),
        ];
        let group = |cause: &str, incidents: &[u64]| SharedCauseGroup {
            cause: cause.to_owned(),
            incidents: incidents.to_vec(),
        };
        // The queue has no incident of its own, and explains two all the same.
        assert_eq!(
            shared_causes(&incidents),
            [group("db", &[1, 2, 3]), group("queue", &[5, 6])]
        );
        assert_eq!(shared_causes(&[]), []);
    }
}
