//! Least squares with few columns, safe against columns that depend on each other.
//!
//! A Householder QR factorisation, done once, serves every leading group of columns. Where a group is close to
//! dependent the small triangle R goes through a singular value decomposition and the directions statsmodels would
//! drop are dropped: its `OLS` uses the pseudo-inverse with singular values below 1e-15 of the largest taken for
//! zero, and counts the rank with the limit of `numpy.linalg.matrix_rank`.

/// The most columns a design may have.
pub(super) const MOST_COLUMNS: usize = 12;

/// Directions weaker than this part of the strongest are dropped, as in statsmodels' `pinv_extended`.
const PSEUDO_INVERSE_CUT: f64 = 1e-15;

/// Up to this condition number nothing can be near the cut, and the decomposition is spared.
const SAFE_CONDITION: f64 = 1e13;

type FactorColumn = [f64; MOST_COLUMNS];

/// QR factors of a design, with the response turned by Qᵀ.
pub(super) struct Factor {
    rows: usize,
    columns: usize,
    /// R, column by column.
    r: [FactorColumn; MOST_COLUMNS],
    /// The first entries of Qᵀ·response.
    turned: FactorColumn,
    /// Σ of squares of the other entries of Qᵀ·response.
    rest: f64,
    /// Bound on the condition number of the first k + 1 columns.
    condition: FactorColumn,
}

/// What a leading group of columns leaves of the response.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remainder {
    /// Sum of squared residuals.
    pub(super) squares: f64,
    /// How many independent columns statsmodels would count.
    pub(super) rank: usize,
}

impl Factor {
    /// Factors `design` (column by column, each as long as `response`; at most [`MOST_COLUMNS`]), overwriting both.
    /// O(rows · columns²).
    pub(super) fn new(design: &mut [f64], response: &mut [f64]) -> Self {
        let rows = response.len();
        let columns = design.len().checked_div(rows).unwrap_or(0).min(MOST_COLUMNS);
        let mut factor = Self {
            rows,
            columns,
            r: [[0.0; MOST_COLUMNS]; MOST_COLUMNS],
            turned: [0.0; MOST_COLUMNS],
            rest: 0.0,
            condition: [f64::INFINITY; MOST_COLUMNS],
        };
        for k in 0..columns {
            let (done, open) = design.split_at_mut((k + 1) * rows);
            let head = &mut done[k * rows..];
            factor.r[k][..k.min(rows)].copy_from_slice(&head[..k.min(rows)]);
            if k < rows {
                factor.r[k][k] = reflect(
                    &mut head[k..],
                    open.chunks_mut(rows).map(|column| &mut column[k..]),
                    &mut response[k..],
                );
            }
        }
        let split = columns.min(rows);
        factor.turned[..split].copy_from_slice(&response[..split]);
        factor.rest = response[split..].iter().map(|z| z * z).sum();
        factor.bound_conditions();
        factor
    }

    /// ‖R‖·‖R⁻¹‖ (Frobenius) of every leading block. The inverse of a leading block is a leading block of the inverse.
    fn bound_conditions(&mut self) {
        let (mut norm, mut inverse_norm) = (0.0, 0.0);
        for k in 0..self.columns {
            norm += self.r[k].iter().map(|v| v * v).sum::<f64>();
            // Column k of the inverse: solve R·w = e_k from the bottom.
            let mut w: FactorColumn = [0.0; MOST_COLUMNS];
            for i in (0..=k).rev() {
                let known: f64 = (i + 1..=k).map(|j| self.r[j][i] * w[j]).sum();
                w[i] = (f64::from(u8::from(i == k)) - known) / self.r[i][i];
            }
            inverse_norm += w.iter().map(|v| v * v).sum::<f64>();
            self.condition[k] = (norm * inverse_norm).sqrt();
        }
    }

    fn is_safe(&self, columns: usize) -> bool {
        self.condition[columns - 1] < SAFE_CONDITION
    }

    /// What the first `columns` columns (at least 1) leave.
    pub(super) fn remainder(&self, columns: usize) -> Remainder {
        let beyond: f64 = self.rest
            + self.turned[columns..self.columns]
                .iter()
                .map(|z| z * z)
                .sum::<f64>();
        if self.is_safe(columns) {
            return Remainder {
                squares: beyond,
                rank: columns,
            };
        }
        let decomposed = Decomposed::new(self, columns);
        let dropped: f64 = decomposed
            .directions()
            .filter(|d| !d.kept)
            .map(|d| d.share * d.share)
            .sum();
        Remainder {
            squares: beyond + dropped,
            rank: decomposed.rank(),
        }
    }

    /// The t value (coefficient over its standard error) of the last column in a fit on all of them.
    pub(super) fn t_of_last(&self) -> f64 {
        let last = self.columns - 1;
        let Remainder { squares, rank } = self.remainder(self.columns);
        let scale = squares / (self.rows.saturating_sub(rank)) as f64;
        if self.is_safe(self.columns) {
            return self.turned[last] * self.r[last][last].signum() / scale.sqrt();
        }
        let decomposed = Decomposed::new(self, self.columns);
        let (mut coefficient, mut variance) = (0.0, 0.0);
        for direction in decomposed.directions().filter(|d| d.kept) {
            let v = direction.right[last] / direction.strength;
            coefficient += v * direction.share;
            variance += v * v;
        }
        coefficient / (variance * scale).sqrt()
    }
}

/// Turns `head` into (length, 0, …, 0) and applies the same reflection to the other columns and the response.
/// Returns the length, signed. `head` is overwritten with the reflector.
fn reflect<'a>(
    head: &mut [f64],
    others: impl Iterator<Item = &'a mut [f64]>,
    response: &'a mut [f64],
) -> f64 {
    // Scaled by the largest entry: squares neither overflow nor vanish.
    let largest = head.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
    if largest == 0.0 {
        return 0.0;
    }
    let norm = largest * head.iter().map(|v| (v / largest).powi(2)).sum::<f64>().sqrt();
    let length = if head[0] > 0.0 { -norm } else { norm };
    // v = head − length·e₁, and H = I − v·vᵀ/(norm·(norm + |head₀|)); kept as v/norm.
    let first = (head[0] - length) / norm;
    for v in head.iter_mut() {
        *v /= norm;
    }
    head[0] = first;
    let weight = 1.0 / first.abs();
    for column in others.chain(std::iter::once(response)) {
        let dot: f64 = head.iter().zip(column.iter()).map(|(v, c)| v * c).sum::<f64>() * weight;
        for (v, c) in head.iter().zip(column.iter_mut()) {
            *c -= dot * v;
        }
    }
    length
}

/// One direction of a singular value decomposition of R.
struct FactorDirection<'a> {
    strength: f64,
    kept: bool,
    /// What the response has of it.
    share: f64,
    right: &'a FactorColumn,
}

/// Singular value decomposition of a leading block of R by one-sided Jacobi rotations: R·V has orthogonal columns.
struct Decomposed {
    columns: usize,
    strengths: FactorColumn,
    strongest: f64,
    shares: FactorColumn,
    v: [FactorColumn; MOST_COLUMNS],
}

impl Decomposed {
    fn new(factor: &Factor, columns: usize) -> Self {
        let mut b = factor.r;
        let mut v = [[0.0; MOST_COLUMNS]; MOST_COLUMNS];
        for (k, column) in v.iter_mut().enumerate() {
            column[k] = 1.0;
        }
        for _ in 0..60 {
            let mut turned = false;
            for i in 0..columns {
                for j in i + 1..columns {
                    turned |= rotate(&mut b, &mut v, i, j);
                }
            }
            if !turned {
                break;
            }
        }
        let mut decomposed = Self {
            columns,
            strengths: [0.0; MOST_COLUMNS],
            strongest: 0.0,
            shares: [0.0; MOST_COLUMNS],
            v,
        };
        for (k, column) in b.iter().enumerate().take(columns) {
            let strength = dot(column, column).sqrt();
            decomposed.strengths[k] = strength;
            decomposed.strongest = decomposed.strongest.max(strength);
            decomposed.shares[k] = if strength > 0.0 {
                dot(column, &factor.turned) / strength
            } else {
                0.0
            };
        }
        // A direction without strength has no left vector; what the response has of it is what the others leave.
        let taken: f64 = (0..columns).map(|k| decomposed.shares[k].powi(2)).sum();
        let whole: f64 = factor.turned[..columns].iter().map(|z| z * z).sum();
        if let Some(k) = (0..columns).find(|&k| decomposed.strengths[k] == 0.0) {
            decomposed.shares[k] = (whole - taken).max(0.0).sqrt();
        }
        decomposed
    }

    fn directions(&self) -> impl Iterator<Item = FactorDirection<'_>> {
        (0..self.columns).map(|k| FactorDirection {
            strength: self.strengths[k],
            kept: self.strengths[k] > PSEUDO_INVERSE_CUT * self.strongest,
            share: self.shares[k],
            right: &self.v[k],
        })
    }

    fn rank(&self) -> usize {
        let cut = self.strongest * self.columns as f64 * f64::EPSILON;
        self.strengths[..self.columns]
            .iter()
            .filter(|&&s| s > cut)
            .count()
    }
}

fn dot(a: &FactorColumn, b: &FactorColumn) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Makes columns i and j of `b` orthogonal; whether they were not.
fn rotate(
    b: &mut [FactorColumn; MOST_COLUMNS],
    v: &mut [FactorColumn; MOST_COLUMNS],
    i: usize,
    j: usize,
) -> bool {
    let (alpha, beta, gamma) = (dot(&b[i], &b[i]), dot(&b[j], &b[j]), dot(&b[i], &b[j]));
    if gamma.abs() <= f64::EPSILON * (alpha.sqrt() * beta.sqrt()) || gamma.is_nan() {
        return false;
    }
    let zeta = (beta - alpha) / (2.0 * gamma);
    let t = zeta.signum() / (zeta.abs() + zeta.hypot(1.0));
    let c = 1.0 / t.hypot(1.0);
    let s = c * t;
    for matrix in [b, v] {
        let (head, tail) = matrix.split_at_mut(j);
        for (x, y) in head[i].iter_mut().zip(&mut tail[0]) {
            (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_fit() {
        // y = 2 + 3x + noise orthogonal to both.
        let mut design = vec![1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 2.0, 3.0];
        let mut response = vec![2.0 + 1.0, 5.0 - 1.0, 8.0 - 1.0, 11.0 + 1.0];
        let factor = Factor::new(&mut design, &mut response);
        let left = factor.remainder(2);
        assert!((left.squares - 4.0).abs() < 1e-12 && left.rank == 2);
        // se = sqrt(4/2 / 5)
        assert!((factor.t_of_last() - 3.0 / (2.0f64 / 5.0).sqrt()).abs() < 1e-12);
        assert!((factor.remainder(1).squares - 49.0).abs() < 1e-12);
    }

    #[test]
    fn dependent_columns_are_counted_once() {
        let column = [1.0, 4.0, 2.0, 8.0, 5.0];
        for third in [[0.0; 5], column] {
            let mut design: Vec<f64> = [[1.0; 5], third, column].concat();
            let mut response = vec![3.0, 1.0, 4.0, 1.0, 5.0];
            let factor = Factor::new(&mut design, &mut response);
            let all = factor.remainder(3);
            let mut two: Vec<f64> = [[1.0; 5], column].concat();
            let mut response = vec![3.0, 1.0, 4.0, 1.0, 5.0];
            let without = Factor::new(&mut two, &mut response);
            assert_eq!(all.rank, 2);
            assert!((all.squares - without.remainder(2).squares).abs() < 1e-12);
            assert!((factor.t_of_last() - without.t_of_last()).abs() < 1e-12);
        }
    }
}
