//! Which of many chances are findings.
//!
//! Benjamini and Hochberg (1995): of `m` chances in ascending order all up to the largest `k` with `p(k) ≤ q k / m`. Of what is then named,
//! at most the share `q` is named by chance on average; where nothing is to be found, something is named with at most the probability `q`.

/// How many of the `ascending` chances are findings, of `tried` in all; those not listed are larger. At most a share `q` is there by chance.
#[must_use]
pub fn findings(ascending: &[f64], tried: usize, q: f64) -> usize {
    let tried = tried.max(ascending.len()) as f64;
    let limit = |place: usize| q * (place + 1) as f64 / tried;
    let last = (0..ascending.len())
        .rev()
        .find(|place| ascending[*place] <= limit(*place));
    last.map_or(0, |place| place + 1)
}

/// What share of findings would be there by chance if each of the `ascending` chances were the last that is one, of `tried` in all.
#[must_use]
pub fn adjusted(ascending: &[f64], tried: usize) -> Vec<f64> {
    let tried = tried.max(ascending.len()) as f64;
    let mut least = 1.0_f64;
    let mut shares: Vec<f64> = (1..=ascending.len())
        .rev()
        .map(|rank| {
            least = least.min(ascending[rank - 1] * tried / rank as f64);
            least
        })
        .collect();
    shares.reverse();
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fifteen chances of the paper's section 3.2, of which four are findings at q = .05.
    #[test]
    fn the_papers_example() {
        let chances = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719,
            0.6528, 0.7590, 1.0,
        ];
        assert_eq!(findings(&chances, 15, 0.05), 4);
        let shares = adjusted(&chances, 15);
        assert!((shares[3] - 0.0095 * 15.0 / 4.0).abs() < 1e-12);
        assert!(shares.windows(2).all(|pair| pair[0] <= pair[1]), "{shares:?}");
        // The more were tried, the less is one.
        assert_eq!(findings(&chances[..4], 100_000, 0.05), 0);
        assert_eq!(findings(&[], 0, 0.05), 0);
    }
}
