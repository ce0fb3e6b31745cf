//! The two-sample Kolmogorov–Smirnov test, two-sided.
//!
//! D is the largest distance between the two empirical distribution functions. It is counted in whole steps of
//! 1/lcm(n, m), so that "D > 0.5" does not hang on rounding; SciPy does the same before it looks up the exact p.
//! Source: Hodges, "The significance probability of the Smirnov two-sample test" (1958).

/// Above this many lattice cells the exact p gives way to the asymptotic one, which by then is the same in every
/// digit anybody reads.
const EXACT_CELLS: usize = 10_000_000;

/// What the test found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TwoSample {
    /// The distance, from 0 to 1; NaN if a sample is empty.
    pub d: f64,
    /// The probability of a distance at least as large under one common distribution.
    pub p: f64,
}

/// D of two samples, each sorted. O(n + m).
#[must_use]
pub fn distance(a: &[f64], b: &[f64]) -> f64 {
    match steps(a, b) {
        Some((steps, of)) => steps as f64 / of as f64,
        None => f64::NAN,
    }
}

/// D and its p for two samples, each sorted. O(n·m) for p; `row` is overwritten.
pub fn two_sample(a: &[f64], b: &[f64], row: &mut Vec<f64>) -> TwoSample {
    let Some((steps, of)) = steps(a, b) else {
        return TwoSample {
            d: f64::NAN,
            p: f64::NAN,
        };
    };
    let d = steps as f64 / of as f64;
    let p = if a.len().saturating_mul(b.len()) <= EXACT_CELLS {
        exact_p(a.len(), b.len(), steps, row)
    } else {
        let (n, m) = (a.len() as f64, b.len() as f64);
        kolmogorov_tail(d * (n * m / (n + m)).sqrt())
    };
    TwoSample { d, p }
}

/// D as `(h, lcm)`: h steps of 1/lcm. `None` if a sample is empty.
fn steps(a: &[f64], b: &[f64]) -> Option<(u64, u64)> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let (n, m) = (a.len() as u64, b.len() as u64);
    let common = gcd(n, m);
    let (mut i, mut j, mut most) = (0, 0, 0);
    while i < a.len() && j < b.len() {
        let at = if b[j] < a[i] { b[j] } else { a[i] };
        let (before_i, before_j) = (i, j);
        while i < a.len() && a[i] <= at {
            i += 1;
        }
        while j < b.len() && b[j] <= at {
            j += 1;
        }
        if (i, j) == (before_i, before_j) {
            // NaN: neither moves. The answer means nothing, but it must come.
            break;
        }
        most = most.max((i as u64 * m).abs_diff(j as u64 * n));
    }
    Some((most / common, n / common * m))
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The part of all lattice paths from (0, 0) to (n, m) that stray at least `h` steps from the diagonal. Built from
/// parts of paths only by adding, so that a p of 1e-70 keeps its digits.
fn exact_p(n: usize, m: usize, h: u64, row: &mut Vec<f64>) -> f64 {
    if h == 0 {
        return 1.0;
    }
    let common = gcd(n as u64, m as u64);
    let (rise, run) = (m as u64 / common, n as u64 / common);
    row.clear();
    row.resize(m + 1, 0.0);
    for i in 0..=n {
        for j in 0..=m {
            let strayed = (i as u64 * rise).abs_diff(j as u64 * run) >= h;
            row[j] = if strayed {
                1.0
            } else {
                // Of the paths to (i, j) the part i/(i+j) comes from (i−1, j), the rest from (i, j−1).
                let all = (i + j) as f64;
                let from_below = if i > 0 { row[j] * (i as f64 / all) } else { 0.0 };
                let from_left = if j > 0 { row[j - 1] * (j as f64 / all) } else { 0.0 };
                from_below + from_left
            };
        }
    }
    row[m].clamp(0.0, 1.0)
}

/// P(K > z) of Kolmogorov's distribution: 2 Σ (−1)ᵏ⁻¹ exp(−2k²z²).
fn kolmogorov_tail(z: f64) -> f64 {
    if z < 0.2 {
        return 1.0;
    }
    let term = |k: f64| (-2.0 * k * k * z * z).exp();
    let sum: f64 = (1..=100)
        .map(|k| {
            if k % 2 == 1 {
                term(f64::from(k))
            } else {
                -term(f64::from(k))
            }
        })
        .sum();
    (2.0 * sum).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(a: &[f64], b: &[f64]) -> TwoSample {
        let (mut a, mut b) = (a.to_vec(), b.to_vec());
        a.sort_by(f64::total_cmp);
        b.sort_by(f64::total_cmp);
        assert_eq!(
            distance(&a, &b).to_bits(),
            two_sample(&a, &b, &mut Vec::new()).d.to_bits()
        );
        two_sample(&a, &b, &mut Vec::new())
    }

    #[test]
    fn exact_values_are_those_scipy_gives() {
        let a: Vec<f64> = (0..50).map(|i| f64::from(i % 10)).collect();
        let b: Vec<f64> = (0..20).map(|i| f64::from(i % 10) + 4.0).collect();
        let found = test(&a, &b);
        assert_eq!(found.d, 0.4);
        assert!((found.p - 0.015_649_959_9).abs() < 1e-10, "{}", found.p);
        let a: Vec<f64> = (0..20).map(f64::from).collect();
        let b: Vec<f64> = (11..31).map(f64::from).collect();
        let found = test(&a, &b);
        assert_eq!(found.d, 0.55);
        assert!((found.p - 0.003_967_294_4).abs() < 1e-10, "{}", found.p);
    }

    #[test]
    fn extremes() {
        let apart = test(&[1.0; 300], &[2.0; 61]);
        assert_eq!(apart.d, 1.0);
        assert!(
            (apart.p / 2.160_737_529_623_46e-70 - 1.0).abs() < 1e-9,
            "{}",
            apart.p
        );
        assert_eq!(test(&[1.0, 2.0], &[1.0, 2.0]), TwoSample { d: 0.0, p: 1.0 });
        assert!(test(&[], &[1.0]).d.is_nan());
        assert!(distance(&[f64::NAN], &[f64::NAN]) >= 0.0);
        assert!((kolmogorov_tail(1.3581) - 0.05).abs() < 1e-4);
    }
}
