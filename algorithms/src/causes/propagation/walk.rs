//! Where a walk among metrics is in the long run.
//!
//! From metric `i` to `j`: `(1 − c) s(j)/(s(i) + s(j)) + c |ρ(j, F | parents of j and F)|` with the scores `s`, the metric `F` at the front,
//! `c` = .3 and the partial correlation `ρ`; to parents in full, to children at .8, and to itself by what that would be more than the best
//! of the others. gala-anteater walks 5,000 steps and counts; here the share of each metric in an endless walk is solved for:
//! `π (I − (1 − η) P) = η e(F)`, a walk that begins anew at `F` once in 1/η steps, which has one solution for any graph. O(n³).

use super::granger::is_constant;
use super::least_squares::{Residuals, dot};

/// What the correlation counts for beside the scores.
const CORRELATION: f64 = 0.3;
/// Weight of a step to a child.
const FORWARD: f64 = 0.8;
/// How often the walk begins anew: small enough to change no share in the seventh digit, large enough to solve for.
const RESTART: f64 = 1e-8;

/// Metrics and which helps to foretell which.
#[derive(Debug, Clone, Default)]
pub(super) struct CausalGraph<'m> {
    /// Score and values of each.
    pub(super) nodes: Vec<(f64, &'m [f64])>,
    /// From cause to consequence, by place.
    pub(super) edges: Vec<(usize, usize)>,
}

impl CausalGraph<'_> {
    fn parents(&self, node: usize) -> impl Iterator<Item = usize> {
        self.edges
            .iter()
            .filter(move |(_, to)| *to == node)
            .map(|(from, _)| *from)
    }

    fn children(&self, node: usize) -> impl Iterator<Item = usize> {
        self.edges
            .iter()
            .filter(move |(from, _)| *from == node)
            .map(|(_, to)| *to)
    }

    /// The share of each node in an endless walk from `front`; they sum to 1.
    pub(super) fn shares(&self, front: usize) -> Vec<f64> {
        let matrix = self.transitions(front);
        let count = self.nodes.len();
        // Transposed: a row for each destination.
        let system: Vec<Vec<f64>> = (0..count)
            .map(|to| {
                let from = |from: usize| f64::from(u8::from(from == to)) - (1.0 - RESTART) * matrix[from][to];
                (0..count).map(from).collect()
            })
            .collect();
        let mut right = vec![0.0; count];
        right[front] = RESTART;
        let mut shares = solve(system, right);
        let sum: f64 = shares.iter().sum();
        shares
            .iter_mut()
            .for_each(|share| *share = (*share / sum).max(0.0));
        shares
    }

    /// Row by row where the walk goes from each node; each sums to 1.
    pub(super) fn transitions(&self, front: usize) -> Vec<Vec<f64>> {
        let correlations: Vec<f64> = (0..self.nodes.len())
            .map(|node| self.correlation(node, front))
            .collect();
        let step = |from: usize, to: usize| {
            let (own, others) = (self.nodes[from].0, self.nodes[to].0);
            let ratio = if own + others > 0.0 {
                others / (own + others)
            } else {
                0.5
            };
            (1.0 - CORRELATION) * ratio + CORRELATION * correlations[to]
        };
        let row = |from: usize| {
            let mut row = vec![0.0_f64; self.nodes.len()];
            self.parents(from).for_each(|to| row[to] = step(from, to));
            self.children(from)
                .for_each(|to| row[to] = row[to].max(FORWARD * step(from, to)));
            let largest = row.iter().copied().fold(0.0, f64::max);
            row[from] = (step(from, from) - largest).max(0.0);
            let sum: f64 = row.iter().sum();
            if sum > 0.0 {
                row.iter_mut().for_each(|share| *share /= sum);
            } else {
                row[from] = 1.0;
            }
            row
        };
        (0..self.nodes.len()).map(row).collect()
    }

    /// The size of the correlation of a node with the front, once the parents of both are taken out; 1 of the front itself.
    fn correlation(&self, node: usize, front: usize) -> f64 {
        if node == front {
            return 1.0;
        }
        let mut given: Vec<usize> = self.parents(node).chain(self.parents(front)).collect();
        given.retain(|parent| *parent != node && *parent != front);
        given.sort_unstable();
        given.dedup();
        let given: Vec<&[f64]> = given.into_iter().map(|parent| self.nodes[parent].1).collect();
        partial_correlation(self.nodes[node].1, self.nodes[front].1, &given).abs()
    }
}

/// Pearson's correlation of two series once a constant and the `given` ones are taken out; 0 where nothing is left of one.
pub(super) fn partial_correlation(one: &[f64], other: &[f64], given: &[&[f64]]) -> f64 {
    /// Share of the movement below which what is left is rounding.
    const ROUNDING: f64 = 1e-12;
    if is_constant(one) || is_constant(other) {
        return 0.0;
    }
    let none: [&[f64]; 0] = [];
    let left = |series: &[f64]| {
        let residuals = Residuals::of(series, given);
        let movement = Residuals::of(series, &none).squares();
        (residuals.squares() > ROUNDING * movement).then_some(residuals)
    };
    let (Some(one), Some(other)) = (left(one), left(other)) else {
        return 0.0;
    };
    let product = dot(&one.values, &other.values);
    (product / (one.squares() * other.squares()).sqrt()).clamp(-1.0, 1.0)
}

/// Solves a linear system whose matrix is regular (Gauss, with the largest pivot of each column).
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let count = right.len();
    for column in 0..count {
        let size = |row: &usize| matrix[*row][column].abs();
        let pivot = (column..count)
            .max_by(|a, b| size(a).total_cmp(&size(b)))
            .unwrap_or(column);
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        let (above, below) = matrix.split_at_mut(column + 1);
        let lead = &above[column];
        for (place, row) in below.iter_mut().enumerate() {
            let factor = row[column] / lead[column];
            if factor != 0.0 {
                for (value, part) in row[column..].iter_mut().zip(&lead[column..]) {
                    *value -= factor * part;
                }
                right[column + 1 + place] -= factor * right[column];
            }
        }
    }
    for row in (0..count).rev() {
        let known = dot(&matrix[row][row + 1..], &right[row + 1..]);
        right[row] = (right[row] - known) / matrix[row][row];
    }
    right
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_of_two_is_where_the_score_is() {
        let one: Vec<f64> = (0..20).map(|i| f64::from((i * 7) % 11)).collect();
        let other: Vec<f64> = (0..20).map(|i| f64::from((i * 5) % 13)).collect();
        let graph = CausalGraph {
            nodes: vec![(0.2, &one), (0.8, &other)],
            edges: vec![(1, 0)],
        };
        let transitions = graph.transitions(0);
        for row in &transitions {
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{row:?}");
        }
        let shares = graph.shares(0);
        // π₀ P₀₁ = π₁ P₁₀ of a chain of two.
        assert!(
            (shares[0] * transitions[0][1] - shares[1] * transitions[1][0]).abs() < 1e-6,
            "{shares:?}"
        );
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        // One alone, without score or movement, stays where it is.
        let still = [1.0; 20];
        let alone = CausalGraph {
            nodes: vec![(0.0, &still)],
            edges: Vec::new(),
        };
        assert_eq!(alone.shares(0), [1.0]);
    }
}
