//! Ordinary least squares of a few regressors, safe where they depend on each other.
//!
//! Columns are made orthogonal one after the other (modified Gram and Schmidt, twice, which is as good as Householder's for so few); one of
//! which next to nothing is left depends on those before it and is left out, as the pseudo-inverse does. O(n k²).

/// Share of its length that must be left of a column for it to say anything of its own.
const DEPENDENT: f64 = 1e-10;

/// What is left of a series once regressors are taken out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Residuals {
    /// `y − X β`.
    pub(super) values: Vec<f64>,
    /// Independent columns among the regressors, the constant among them.
    pub(super) rank: usize,
}

impl Residuals {
    /// Takes a constant and `regressors` out of `series`; all are as long.
    pub(super) fn of<R: AsRef<[f64]>>(series: &[f64], regressors: &[R]) -> Self {
        let ones = vec![1.0; series.len()];
        let mut basis: Vec<Vec<f64>> = Vec::with_capacity(regressors.len() + 1);
        let columns = std::iter::once(ones.as_slice()).chain(regressors.iter().map(AsRef::as_ref));
        for column in columns {
            let before = dot(column, column).sqrt();
            let mut rest = column.to_vec();
            take_out(&mut rest, &basis);
            take_out(&mut rest, &basis);
            let left = dot(&rest, &rest).sqrt();
            if left > DEPENDENT * before {
                rest.iter_mut().for_each(|value| *value /= left);
                basis.push(rest);
            }
        }
        let mut values = series.to_vec();
        take_out(&mut values, &basis);
        take_out(&mut values, &basis);
        Self {
            values,
            rank: basis.len(),
        }
    }

    /// Their sum of squares.
    pub(super) fn squares(&self) -> f64 {
        dot(&self.values, &self.values)
    }
}

/// Takes the part that lies in an orthonormal basis out of a vector.
fn take_out(vector: &mut [f64], basis: &[Vec<f64>]) {
    for direction in basis {
        let along = dot(vector, direction);
        for (value, part) in vector.iter_mut().zip(direction) {
            *value -= along * part;
        }
    }
}

pub(super) fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}
