//! The subspace that an entity's metrics move in together, and what a row has outside of it.

use serde::{Deserialize, Serialize};

use super::EntityRows;
use super::symmetric::{eigen, solve};

/// The share of the training variance that the subspace holds.
const SHARE: f64 = 0.9;
/// Weight of "no movement" where metrics are missing, in shares of the total variance: the rest of a row need not determine
/// all coordinates.
const RIDGE: f64 = 1e-6;

/// Principal components of the training rows (Jackson and Mudholkar 1979: the residual of a row is its distance from
/// what usually moves together). A missing metric is left out of the fit pairwise, and of the projection by least
/// squares over the metrics that are there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ResidualSubspace {
    means: Vec<f64>,
    /// Orthonormal, one direction a row.
    directions: Vec<Vec<f64>>,
    ridge: f64,
}

impl ResidualSubspace {
    /// Fits `scaled` rows. O(rows · metrics² + metrics³).
    pub(super) fn fit(scaled: &EntityRows) -> Self {
        let columns = scaled.columns();
        let (means, covariance) = moments(scaled);
        let total: f64 = (0..columns).map(|at| covariance[at * columns + at]).sum();
        let mut directions = Vec::new();
        let mut held = 0.0;
        for (variance, direction) in eigen(covariance, columns) {
            if held >= SHARE * total || variance <= 0.0 {
                break;
            }
            held += variance;
            directions.push(direction);
        }
        Self {
            means,
            directions,
            ridge: RIDGE,
        }
    }

    /// Whether it is of so many metrics.
    pub(super) fn is_of(&self, columns: usize) -> bool {
        let is_whole = |direction: &Vec<f64>| direction.len() == columns;
        self.means.len() == columns && self.directions.iter().all(is_whole)
    }

    /// Bytes in memory.
    pub(super) fn bytes(&self) -> usize {
        (self.directions.len() + 1) * self.means.len() * size_of::<f64>()
    }

    /// The part of a `scaled` row outside of the subspace, per metric, into `residuals`; NaN where the row has none.
    pub(super) fn residuals(&self, scaled: &[f64], residuals: &mut [f64]) {
        for ((residual, value), mean) in residuals.iter_mut().zip(scaled).zip(&self.means) {
            *residual = value - mean;
        }
        let coordinates = self.coordinates(residuals);
        for (direction, coordinate) in self.directions.iter().zip(coordinates) {
            for (residual, weight) in residuals.iter_mut().zip(direction) {
                *residual -= coordinate * weight;
            }
        }
    }

    fn coordinates(&self, centred: &[f64]) -> Vec<f64> {
        let along = |direction: &Vec<f64>| -> f64 {
            let pairs = direction.iter().zip(centred);
            pairs
                .filter(|(_, value)| !value.is_nan())
                .map(|(weight, value)| weight * value)
                .sum()
        };
        let mut coordinates: Vec<f64> = self.directions.iter().map(along).collect();
        if centred.iter().any(|value| value.is_nan()) {
            let size = coordinates.len();
            let mut gram = vec![0.0; size * size];
            for (at, entry) in gram.iter_mut().enumerate() {
                let pairs = self.directions[at / size].iter().zip(&self.directions[at % size]);
                let there = pairs.zip(centred).filter(|(_, value)| !value.is_nan());
                *entry = there.map(|((a, b), _)| a * b).sum();
                *entry += if at / size == at % size { self.ridge } else { 0.0 };
            }
            solve(&mut gram, &mut coordinates);
        }
        coordinates
    }
}

/// Means, and the covariance of each pair over the rows that have both.
fn moments(scaled: &EntityRows) -> (Vec<f64>, Vec<f64>) {
    let columns = scaled.columns();
    let mut means = vec![0.0; columns];
    let mut counts = vec![0.0; columns];
    for row in scaled.iter() {
        for ((value, mean), count) in row.iter().zip(&mut means).zip(&mut counts) {
            if !value.is_nan() {
                *mean += value;
                *count += 1.0;
            }
        }
    }
    means
        .iter_mut()
        .zip(&counts)
        .for_each(|(mean, count)| *mean /= f64::max(*count, 1.0));
    let mut sums = vec![0.0; columns * columns];
    let mut pairs = vec![0u32; columns * columns];
    let (mut centred, mut there) = (vec![0.0; columns], vec![0u32; columns]);
    for row in scaled.iter() {
        for (at, value) in row.iter().enumerate() {
            there[at] = u32::from(!value.is_nan());
            centred[at] = if value.is_nan() { 0.0 } else { value - means[at] };
        }
        for at in 0..columns {
            let place = at * columns..(at + 1) * columns;
            let (own, is_there) = (centred[at], there[at]);
            sums[place.clone()]
                .iter_mut()
                .zip(&centred)
                .for_each(|(sum, other)| *sum += own * other);
            pairs[place]
                .iter_mut()
                .zip(&there)
                .for_each(|(pairs, other)| *pairs += is_there * other);
        }
    }
    let covariance = sums
        .iter()
        .zip(&pairs)
        .map(|(sum, pairs)| sum / f64::from(*pairs).max(1.0));
    (means, covariance.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// Four metrics that follow one hidden one, and a little noise.
    fn together(count: usize) -> EntityRows {
        let mut random = Random::new(5);
        let mut rows = EntityRows::new(4);
        for _ in 0..count {
            let hidden = random.normal();
            let row = [1.0, 0.5, -1.0, 2.0].map(|weight| weight * hidden + 0.01 * random.normal());
            rows.push(&row).unwrap();
        }
        rows
    }

    #[test]
    fn what_moves_together_leaves_nothing_and_what_parts_is_named() {
        let subspace = ResidualSubspace::fit(&together(500));
        let mut residuals = [0.0; 4];
        subspace.residuals(&[3.0, 1.5, -3.0, 6.0], &mut residuals);
        assert!(
            residuals.iter().all(|residual| residual.abs() < 0.05),
            "{residuals:?}"
        );
        subspace.residuals(&[3.0, 4.5, -3.0, 6.0], &mut residuals);
        let largest = residuals
            .iter()
            .map(|residual| residual.abs())
            .fold(0.0, f64::max);
        assert!(residuals[1] > 2.5 && residuals[1] == largest, "{residuals:?}");
    }

    #[test]
    fn missing_is_neither_zero_nor_an_anomaly() {
        let subspace = ResidualSubspace::fit(&together(500));
        let mut residuals = [0.0; 4];
        subspace.residuals(&[3.0, f64::NAN, -3.0, f64::NAN], &mut residuals);
        assert!(residuals[1].is_nan() && residuals[3].is_nan());
        assert!(
            residuals[0].abs() < 0.05 && residuals[2].abs() < 0.05,
            "{residuals:?}"
        );
        subspace.residuals(&[f64::NAN; 4], &mut residuals);
        assert!(residuals.iter().all(|residual| residual.is_nan()));
    }
}
