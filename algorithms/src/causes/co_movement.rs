//! Whether a metric moved with another one, how much earlier, and how likely that is by chance.
//!
//! The coefficient is Pearson's over robust values ([`PreparedTail`]), the largest in size over leads of up to [`MOST_LEAD`] grid steps
//! either way and over both forms, levels and steps:
//!
//! `r(d) = Σ x(i) y(i+d) / √(Σ x(i)² Σ y(i+d)²)` over the moments both have at a lead of `d` steps.
//!
//! Its chance is that of Student's `t = r √((n − 2)/(1 − r²))` with `n − 2` degrees of freedom, where `n` is what the values are worth if
//! they follow from their neighbours (Bartlett 1946): `n = N / (1 + 2 Σ (1 − k/N) ρx(k) ρy(k))`. Two random walks are worth a dozen values,
//! not 120. Where both are made up of few large values, the coefficient has heavier tails than t: two of four spikes fall together soon.
//! Its excess kurtosis under permutation is about `e = (κx κy − 9) / N` (Pitman 1937, leading term), and the chance is then at least that of
//! a t with the `ν` degrees of freedom that have this kurtosis, `e = 6/(ν − 4)`. What is found is multiplied by the number of leads and forms
//! that were tried. O([`TAIL_POINTS`] · leads), without allocation.

use super::tails::{PreparedTail, StandardTail, TAIL_POINTS};
use crate::statistics::student;

/// Grid steps by which one may be ahead of the other.
pub const MOST_LEAD: usize = 10;
const LEADS: usize = 2 * MOST_LEAD + 1;
/// What a pair is tried with: each lead in both forms.
const TRIED: f64 = 2.0 * LEADS as f64;
/// Share of its movement that a series must have in what is compared at a lead; with less, it is chance that is enlarged.
const LEAST_ENERGY: f32 = 0.25;
/// Neighbours whose likeness counts: a fifth of the tail, beyond which estimates are noise.
const NEIGHBOURS: usize = TAIL_POINTS / 5;
/// The least that a tail is worth, values: with three, t has one degree of freedom.
const LEAST_WORTH: f64 = 3.0;
/// Of the normal law.
const NORMAL_KURTOSIS: f64 = 3.0;

/// How a metric moved with another one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CoMovement {
    /// The correlation, −1 to 1; negative where one falls as the other rises.
    pub coefficient: f64,
    /// Grid steps by which it moved before the other; negative for after.
    pub lead: i32,
    /// How likely it is that two metrics which have nothing to do with each other move so together, 0 to 1; of this one pair, not of all
    /// that were tried.
    pub chance: f64,
}

/// A tail with which others are compared.
#[derive(Debug, Clone)]
pub struct TailCorrelator {
    levels: Option<Reference>,
    steps: Option<Reference>,
    /// Chance beyond which nobody is interested.
    most_chance: f64,
    /// The coefficient below which the chance is larger for any tail.
    least_coefficient: f32,
}

#[derive(Debug, Clone)]
struct Reference {
    tail: StandardTail,
    /// The values with zeros on either side, so that every lead is a product of the same length.
    padded: [f32; TAIL_POINTS + 2 * MOST_LEAD],
    likeness: [f64; NEIGHBOURS],
}

impl TailCorrelator {
    /// Compares with `reference`, and answers only what has a chance of at most `most_chance` (above 0, below 1).
    #[must_use]
    pub fn new(reference: &PreparedTail, most_chance: f64) -> Self {
        let freedom = (TAIL_POINTS - 2) as f64;
        let t = student::upper_quantile(most_chance / TRIED / 2.0, freedom);
        Self {
            levels: reference.levels.as_ref().map(Reference::new),
            steps: reference.steps.as_ref().map(Reference::new),
            most_chance,
            least_coefficient: (t / (freedom + t * t).sqrt()) as f32,
        }
    }

    /// How `other` moved with the reference; `None` where that is likely enough by chance. With `is_anomalous` it is known already
    /// that something is wrong with it, and that its movement is made up of few values is no argument.
    #[must_use]
    pub fn compare(&self, other: &PreparedTail, is_anomalous: bool) -> Option<CoMovement> {
        let levels = self.form(&self.levels, &other.levels, is_anomalous);
        let steps = self.form(&self.steps, &other.steps, is_anomalous);
        let found = match (levels, steps) {
            (Some(levels), Some(steps)) if steps.chance < levels.chance => steps,
            (levels, steps) => levels.or(steps)?,
        };
        (found.chance <= self.most_chance).then_some(found)
    }

    fn form(
        &self,
        reference: &Option<Reference>,
        other: &Option<StandardTail>,
        is_anomalous: bool,
    ) -> Option<CoMovement> {
        let (reference, other) = (reference.as_ref()?, other.as_ref()?);
        let (coefficient, lead) = reference.largest(other);
        if coefficient.abs() < self.least_coefficient {
            return None;
        }
        let coefficient = f64::from(coefficient).clamp(-1.0, 1.0);
        let freedom = reference.worth(other) - 2.0;
        // A coefficient of 1 has no t.
        let left = (1.0 - coefficient * coefficient).max(f64::EPSILON);
        let t = coefficient.abs() * (freedom / left).sqrt();
        let mut chance = 2.0 * student::upper_tail(t, freedom);
        if !is_anomalous && let Some(heavy) = reference.heavy_freedom(other) {
            let deviation = coefficient.abs() * (freedom + 1.0).sqrt();
            let t = deviation * (heavy / (heavy - 2.0)).sqrt();
            chance = chance.max(2.0 * student::upper_tail(t, heavy));
        }
        Some(CoMovement {
            coefficient,
            lead,
            chance: (chance * TRIED).min(1.0),
        })
    }
}

impl Reference {
    fn new(tail: &StandardTail) -> Self {
        let mut padded = [0.0; TAIL_POINTS + 2 * MOST_LEAD];
        padded[MOST_LEAD..MOST_LEAD + TAIL_POINTS].copy_from_slice(&tail.values);
        Self {
            padded,
            likeness: likeness(tail),
            tail: tail.clone(),
        }
    }

    /// The largest coefficient in size, and by how many steps the other is ahead there; of equal ones the shortest lead.
    fn largest(&self, other: &StandardTail) -> (f32, i32) {
        let mut found = (0.0_f32, 0);
        for ahead in 0..=MOST_LEAD {
            for lead in [ahead as i32, -(ahead as i32)] {
                let coefficient = self.at(other, lead);
                if coefficient.abs() > found.0.abs() {
                    found = (coefficient, lead);
                }
            }
        }
        found
    }

    fn at(&self, other: &StandardTail, lead: i32) -> f32 {
        let ahead = lead.unsigned_abs() as usize;
        let from = (MOST_LEAD as i32 + lead) as usize;
        // The last values of who is ahead, and the first of the other, have no partner.
        let part = |tail: &StandardTail, is_ahead: bool| {
            let all = tail.energy[TAIL_POINTS];
            let part = if is_ahead {
                tail.energy[TAIL_POINTS - ahead]
            } else {
                all - tail.energy[ahead]
            };
            (part >= LEAST_ENERGY * all).then_some(part)
        };
        let (Some(own), Some(others)) = (part(&self.tail, lead < 0), part(other, lead > 0)) else {
            return 0.0;
        };
        let product = product(&other.values, &self.padded[from..from + TAIL_POINTS]);
        product / (own * others).sqrt()
    }

    /// How many values that do not follow from each other the pair is worth.
    fn worth(&self, other: &StandardTail) -> f64 {
        let count = self.tail.present.min(other.present) as f64;
        let others = likeness(other);
        let pairs = self.likeness.iter().zip(&others).enumerate();
        let follows: f64 = pairs
            .map(|(place, (own, other))| (1.0 - (place + 1) as f64 / count).max(0.0) * own * other)
            .sum();
        (count / (1.0 + 2.0 * follows.max(0.0))).max(LEAST_WORTH)
    }

    /// Degrees of freedom of the t whose tails are as heavy as those of the coefficient; `None` where they are no heavier than those of
    /// normal noise.
    fn heavy_freedom(&self, other: &StandardTail) -> Option<f64> {
        let count = self.tail.present.min(other.present) as f64;
        let excess = (self.tail.kurtosis * other.kurtosis - NORMAL_KURTOSIS * NORMAL_KURTOSIS) / count;
        (excess > 0.0).then(|| 4.0 + 6.0 / excess)
    }
}

/// The correlation with itself, one step back, two, ….
fn likeness(tail: &StandardTail) -> [f64; NEIGHBOURS] {
    let all = tail.energy[TAIL_POINTS];
    std::array::from_fn(|place| {
        let back = place + 1;
        f64::from(product(&tail.values[back..], &tail.values[..TAIL_POINTS - back]) / all)
    })
}

/// Σ a b, with several accumulators so that the compiler can use vector registers.
fn product(one: &[f32], other: &[f32]) -> f32 {
    const LANES: usize = 8;
    let mut sums = [0.0_f32; LANES];
    let (ones, rest) = one.as_chunks::<LANES>();
    let (others, other_rest) = other.as_chunks::<LANES>();
    for (one, other) in ones.iter().zip(others) {
        for lane in 0..LANES {
            sums[lane] += one[lane] * other[lane];
        }
    }
    let rest: f32 = rest.iter().zip(other_rest).map(|(one, other)| one * other).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::super::tails::GridValues;
    use super::*;
    use crate::random::Random;

    const MOST_CHANCE: f64 = 1e-3;

    fn noise(random: &mut Random) -> GridValues {
        std::array::from_fn(|_| random.normal())
    }

    fn compared(reference: &GridValues, other: &GridValues) -> Option<CoMovement> {
        let reference = PreparedTail::new(reference).expect("moves");
        TailCorrelator::new(&reference, MOST_CHANCE).compare(&PreparedTail::new(other)?, false)
    }

    #[test]
    fn who_moved_before_is_said_to_have_and_which_way() {
        let mut random = Random::new(5);
        let cause: Vec<f64> = (0..TAIL_POINTS + 20).map(|_| random.normal()).collect();
        let at = |shift: usize, sign: f64| std::array::from_fn(|i| sign * 3e9 * cause[i + 10 - shift] + 1e12);
        let now = at(0, 1.0);
        for (shift, sign) in [(0, 1.0), (3, 1.0), (10, -1.0)] {
            // `now` is what `at(shift)` was `shift` steps later: it leads.
            let found = compared(&at(shift, sign), &now).expect("moved with it");
            assert_eq!(found.lead, shift as i32, "{found:?}");
            assert!(
                found.coefficient * sign > 0.99 && found.chance < 1e-12,
                "{found:?}"
            );
            assert_eq!(
                compared(&now, &at(shift, sign)).expect("both ways").lead,
                -(shift as i32)
            );
        }
    }

    /// Of many pairs that have nothing to do with each other, as few as the chance says are named, whatever noise it is.
    #[test]
    fn noise_moves_with_noise_as_seldom_as_the_chance_says() {
        fn walk(random: &mut Random, keep: f64) -> GridValues {
            let mut value = 0.0;
            std::array::from_fn(|_| {
                value = keep * value + random.normal();
                value
            })
        }
        type Noise = fn(&mut Random) -> GridValues;
        let kinds: [(&str, Noise); 6] = [
            ("normal", noise),
            ("heavy tails", |random| {
                std::array::from_fn(|_| random.normal() / random.unit().sqrt())
            }),
            ("rare spikes", |random| {
                std::array::from_fn(|_| f64::from(u8::from(random.below(30) == 0)))
            }),
            ("slow", |random| walk(random, 0.9)),
            ("walk", |random| walk(random, 1.0)),
            ("counter", |random| {
                let mut sum = 0.0;
                std::array::from_fn(|_| {
                    sum += 5.0 + random.normal().abs();
                    sum
                })
            }),
        ];
        for (kind, make) in kinds {
            let mut random = Random::new(17);
            let tails: Vec<PreparedTail> = std::iter::repeat_with(|| PreparedTail::new(&make(&mut random)))
                .flatten()
                .take(140)
                .collect();
            let (references, others) = tails.split_at(40);
            let named: usize = references
                .iter()
                .map(|reference| {
                    let correlator = TailCorrelator::new(reference, MOST_CHANCE);
                    let named = others
                        .iter()
                        .filter(|other| correlator.compare(other, false).is_some());
                    named.count()
                })
                .sum();
            // By the chance 4 of 4,000.
            assert!(named <= 12, "{kind}: {named} of 4,000");
        }
    }

    #[test]
    fn one_common_spike_is_chance_unless_both_are_known_to_be_ill() {
        let mut spike = [0.0; TAIL_POINTS];
        spike[117] = 50.0;
        spike[118] = 50.0;
        assert_eq!(compared(&spike, &spike), None);
        let tail = PreparedTail::new(&spike).expect("moves");
        let correlator = TailCorrelator::new(&tail, MOST_CHANCE);
        assert!(correlator.compare(&tail, true).expect("both are ill").coefficient > 0.99);
    }
}
