//! What moved with one metric, of any number of others: kept as they come, judged at the end.
//!
//! Others come in three tiers: what is anomalous at present, what is near by name, and the rest. Each tier is judged by itself
//! ([`findings`]) with a third of [`BY_CHANCE`], so that the ten metrics that are most likely need not stand out among a hundred thousand.
//! Where nothing moved with it, something is named once in a hundred searches. Memory is bounded by [`MOST_KEPT`] a tier.

use super::co_movement::{CoMovement, TailCorrelator};
use super::discovery::{adjusted, findings};
use super::tails::PreparedTail;

/// Share of what is named that may be there by chance; and how likely anything is named where there is nothing.
pub const BY_CHANCE: f64 = 0.01;
const A_TIER: f64 = BY_CHANCE / RelatedTier::ALL.len() as f64;
/// The most likely ones of a tier that are remembered: more than anybody reads.
pub const MOST_KEPT: usize = 500;

/// Why a metric is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RelatedTier {
    /// It is anomalous at the same time.
    Anomalous,
    /// Its name begins alike.
    Namespace,
    /// It is there.
    Other,
}

impl RelatedTier {
    /// Every one, the most likely first.
    pub const ALL: [Self; 3] = [Self::Anomalous, Self::Namespace, Self::Other];
}

/// A metric that moved with the one in question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FoundRelation {
    /// Which: the number it was offered with.
    pub index: usize,
    /// Why it was looked at.
    pub tier: RelatedTier,
    /// How it moved.
    pub movement: CoMovement,
    /// Share of what is named up to here in its tier that is there by chance, 0 to 1.
    pub by_chance: f64,
}

/// A search under way.
#[derive(Debug, Clone)]
pub struct RelatedSearch {
    correlator: TailCorrelator,
    /// By tier.
    kept: [Vec<(usize, CoMovement)>; RelatedTier::ALL.len()],
    tried: [usize; RelatedTier::ALL.len()],
}

impl RelatedSearch {
    /// Looks for what moved with `reference`.
    #[must_use]
    pub fn new(reference: &PreparedTail) -> Self {
        Self {
            correlator: TailCorrelator::new(reference, A_TIER),
            kept: Default::default(),
            tried: Default::default(),
        }
    }

    /// Looks at one more metric, on the grid of the reference.
    pub fn offer(&mut self, index: usize, tail: &PreparedTail, tier: RelatedTier) {
        self.tried[tier as usize] += 1;
        if let Some(movement) = self.correlator.compare(tail, tier == RelatedTier::Anomalous) {
            let kept = &mut self.kept[tier as usize];
            kept.push((index, movement));
            if kept.len() >= 2 * MOST_KEPT {
                keep_the_likeliest(kept);
            }
        }
    }

    /// How many were looked at.
    #[must_use]
    pub fn tried(&self) -> usize {
        self.tried.iter().sum()
    }

    /// What moved with it: tier by tier, in each the least likely by chance first.
    #[must_use]
    pub fn finish(self) -> Vec<FoundRelation> {
        let mut found = Vec::new();
        for ((tier, mut kept), tried) in RelatedTier::ALL.into_iter().zip(self.kept).zip(self.tried) {
            keep_the_likeliest(&mut kept);
            let chances: Vec<f64> = kept.iter().map(|(_, movement)| movement.chance).collect();
            let shares = adjusted(&chances, tried);
            let count = findings(&chances, tried, A_TIER);
            found.extend(
                kept.into_iter()
                    .zip(shares)
                    .take(count)
                    .map(|((index, movement), by_chance)| FoundRelation {
                        index,
                        tier,
                        movement,
                        by_chance,
                    }),
            );
        }
        found
    }
}

/// Puts the least chance first, of equal ones the larger coefficient, and lets go of what nobody reads.
fn keep_the_likeliest(kept: &mut Vec<(usize, CoMovement)>) {
    kept.sort_by(|(one, a), (other, b)| {
        let by_chance = a.chance.total_cmp(&b.chance);
        let by_size = b.coefficient.abs().total_cmp(&a.coefficient.abs());
        by_chance.then(by_size).then(one.cmp(other))
    });
    kept.truncate(MOST_KEPT);
}

#[cfg(test)]
mod tests {
    use super::super::tails::{GridValues, TAIL_POINTS};
    use super::*;
    use crate::random::Random;

    /// A cause that wanders, and what follows it within four steps, with as much noise of its own.
    fn planted(random: &mut Random, dependents: usize) -> Vec<GridValues> {
        let mut level = 0.0;
        let cause: Vec<f64> = std::iter::repeat_with(|| {
            level = 0.8 * level + random.normal();
            level
        })
        .take(TAIL_POINTS + 4)
        .collect();
        let mut all = vec![std::array::from_fn(|i| cause[i + 4])];
        for dependent in 0..dependents {
            let behind = dependent % 4;
            all.push(std::array::from_fn(|i| {
                7.0 * cause[i + 4 - behind] + 2.0 * random.normal()
            }));
        }
        all
    }

    #[test]
    fn dependents_are_found_among_many_and_noise_is_not() {
        let mut random = Random::new(11);
        let cause = planted(&mut random, 8);
        let mut search = RelatedSearch::new(&PreparedTail::new(&cause[0]).expect("moves"));
        for (index, tail) in cause.iter().enumerate().skip(1) {
            search.offer(
                index,
                &PreparedTail::new(tail).expect("moves"),
                RelatedTier::Other,
            );
        }
        for index in 100..3_000 {
            let noise: GridValues = std::array::from_fn(|_| random.normal());
            search.offer(
                index,
                &PreparedTail::new(&noise).expect("moves"),
                RelatedTier::Other,
            );
        }
        assert_eq!(search.tried(), 2_908);
        let mut found: Vec<usize> = search.finish().iter().map(|found| found.index).collect();
        found.sort_unstable();
        assert_eq!(found, [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn a_likely_one_need_not_stand_out_among_all() {
        let mut random = Random::new(3);
        let noise = |random: &mut Random| -> GridValues { std::array::from_fn(|_| random.normal()) };
        let reference = noise(&mut random);
        // A coefficient of about .5.
        let near: GridValues = std::array::from_fn(|i| 0.5 * reference[i] + 0.85 * random.normal());
        let (reference, near) = (PreparedTail::new(&reference), PreparedTail::new(&near));
        let (reference, near) = (reference.expect("moves"), near.expect("moves"));
        let found = |tier| {
            let mut search = RelatedSearch::new(&reference);
            search.offer(0, &near, tier);
            search.tried[RelatedTier::Other as usize] += 10_000_000;
            search.finish().len()
        };
        assert_eq!(found(RelatedTier::Namespace), 1);
        assert_eq!(found(RelatedTier::Other), 0);
    }
}
