//! Two tasks of linear algebra on small dense symmetric matrices: eigenvectors, and a solve.
//!
//! Own code and not a library: 38 metrics are 38 × 38 numbers, and a linear algebra crate would cost the build more than
//! these two functions cost a reader.

/// Rounds of rotations after which it is taken as it is; ten are enough for hundreds of columns.
const MOST_SWEEPS: usize = 50;

/// Eigenvalues, largest first, each with its eigenvector of length 1 (Jacobi's cyclic method; Golub and Van Loan, Matrix
/// Computations, 8.5). `matrix`: `size` × `size`, symmetric, row by row. O(size³) a sweep.
pub(super) fn eigen(mut matrix: Vec<f64>, size: usize) -> Vec<(f64, Vec<f64>)> {
    // Row j is the j-th eigenvector: rotations then work on two contiguous rows.
    let mut vectors = vec![0.0; size * size];
    (0..size).for_each(|at| vectors[at * size + at] = 1.0);
    let total: f64 = matrix.iter().map(|value| value * value).sum();
    for _ in 0..MOST_SWEEPS {
        let above = (0..size).flat_map(|row| (row + 1..size).map(move |column| (row, column)));
        let rest: f64 = above
            .clone()
            .map(|(row, column)| matrix[row * size + column].powi(2))
            .sum();
        if rest <= total * 1e-24 {
            break;
        }
        for (p, q) in above {
            rotate(&mut matrix, &mut vectors, size, p, q);
        }
    }
    let mut pairs: Vec<(f64, Vec<f64>)> = vectors
        .chunks(size.max(1))
        .enumerate()
        .map(|(at, vector)| (matrix[at * size + at], vector.to_vec()))
        .collect();
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    pairs
}

/// The rotation in the plane of `p` and `q` that makes their element zero.
fn rotate(matrix: &mut [f64], vectors: &mut [f64], size: usize, p: usize, q: usize) {
    let between = matrix[p * size + q];
    if between == 0.0 {
        return;
    }
    let theta = (matrix[q * size + q] - matrix[p * size + p]) / (2.0 * between);
    let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = tangent * cosine;
    for k in 0..size {
        let (a, b) = (matrix[k * size + p], matrix[k * size + q]);
        matrix[k * size + p] = cosine * a - sine * b;
        matrix[k * size + q] = sine * a + cosine * b;
    }
    for k in 0..size {
        let (a, b) = (matrix[p * size + k], matrix[q * size + k]);
        matrix[p * size + k] = cosine * a - sine * b;
        matrix[q * size + k] = sine * a + cosine * b;
        let (a, b) = (vectors[p * size + k], vectors[q * size + k]);
        vectors[p * size + k] = cosine * a - sine * b;
        vectors[q * size + k] = sine * a + cosine * b;
    }
}

/// Solves `matrix` · x = `right` in place (Cholesky). `matrix` is positive definite, row by row; its lower half is used and
/// overwritten.
pub(super) fn solve(matrix: &mut [f64], right: &mut [f64]) {
    let size = right.len();
    for row in 0..size {
        for column in 0..=row {
            let done: f64 = (0..column)
                .map(|k| matrix[row * size + k] * matrix[column * size + k])
                .sum();
            let rest = matrix[row * size + column] - done;
            matrix[row * size + column] = if row == column {
                rest.max(f64::MIN_POSITIVE).sqrt()
            } else {
                rest / matrix[column * size + column]
            };
        }
    }
    for row in 0..size {
        let done: f64 = (0..row).map(|k| matrix[row * size + k] * right[k]).sum();
        right[row] = (right[row] - done) / matrix[row * size + row];
    }
    for row in (0..size).rev() {
        let done: f64 = (row + 1..size).map(|k| matrix[k * size + row] * right[k]).sum();
        right[row] = (right[row] - done) / matrix[row * size + row];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn eigenvectors_give_the_matrix_back() {
        let (size, mut random) = (9, Random::new(7));
        let half: Vec<f64> = (0..size * size).map(|_| random.normal()).collect();
        let entry = |a: usize, b: usize| {
            (0..size)
                .map(|k| half[a * size + k] * half[b * size + k])
                .sum::<f64>()
        };
        let matrix: Vec<f64> = (0..size * size).map(|at| entry(at / size, at % size)).collect();
        let pairs = eigen(matrix.clone(), size);
        assert!(pairs.windows(2).all(|two| two[0].0 >= two[1].0));
        for (at, wanted) in matrix.iter().enumerate() {
            let (a, b) = (at / size, at % size);
            let back: f64 = pairs
                .iter()
                .map(|(value, vector)| value * vector[a] * vector[b])
                .sum();
            assert!((back - wanted).abs() < 1e-9, "{back} {wanted}");
        }
    }

    #[test]
    fn a_system_is_solved() {
        let mut matrix = [4.0, 2.0, 0.6, 2.0, 5.0, 1.0, 0.6, 1.0, 3.0];
        let mut right = [1.0, -2.0, 0.5];
        let before = matrix;
        let wanted = right;
        solve(&mut matrix, &mut right);
        for row in 0..3 {
            let product: f64 = (0..3).map(|k| before[row * 3 + k] * right[k]).sum();
            assert!((product - wanted[row]).abs() < 1e-12);
        }
    }
}
