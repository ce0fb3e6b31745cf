//! The binomial law: how many of so many trials succeed.

use statrs::function::beta::beta_reg;

/// The probability that of `trials` independent ones, each a success with probability `p`, at least `successes` are: the
/// regularized incomplete beta function I_p(k, n − k + 1), exact also where it is tiny.
#[must_use]
pub fn upper_tail(trials: u64, successes: u64, p: f64) -> f64 {
    match successes {
        0 => 1.0,
        _ if successes > trials => 0.0,
        _ => beta_reg(
            successes as f64,
            (trials - successes) as f64 + 1.0,
            p.clamp(0.0, 1.0),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::upper_tail;

    #[test]
    fn it_is_the_sum_of_its_terms() {
        let near =
            |found: f64, exact: f64| assert!((found / exact - 1.0).abs() < 1e-9, "{found} for {exact}");
        near(upper_tail(3, 1, 0.5), 0.875);
        near(upper_tail(10, 10, 0.01), 1e-20);
        // 4 of 5: 5 · 0.1⁴ · 0.9 + 0.1⁵.
        near(upper_tail(5, 4, 0.1), 4.6e-4);
        assert_eq!(
            (
                upper_tail(5, 0, 0.1),
                upper_tail(5, 6, 0.1),
                upper_tail(0, 0, 0.1)
            ),
            (1.0, 0.0, 1.0)
        );
        assert_eq!((upper_tail(5, 5, 1.0), upper_tail(5, 1, 0.0)), (1.0, 0.0));
    }
}
