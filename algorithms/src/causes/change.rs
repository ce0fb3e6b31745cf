//! The robust change of one metric, in spreads of what it was before.
//!
//! `c = Q.9((x − m) / s)` over the values `x` after the border, with `m` the median before it, `s` the larger of the interquartile range before
//! it and `m / 1,000`, and `Q.9` the quantile that one value in ten is above. After BARO (Pham, Ha, Zhang, FSE 2024), which takes the largest
//! deviation over the interquartile range: median and quartiles do not move when a quarter of what is taken for normal is already faulty.
//! Two things are ours. Not the largest value but one that a tenth of them exceed, since one odd scrape is no fault. And a floor
//! of the spread: of a metric that stands still (allocated memory, an availability of 100 %) the slightest step would be infinitely many
//! spreads; a thousandth of its level is below what anybody would call a change. O(n log n).

/// Values before the border below which there is no telling what was usual.
const LEAST_BEFORE: usize = 10;
/// What share of the values after the border is not above the change; see above.
const SUSTAINED: f64 = 0.9;
/// The least spread, as a share of the median.
const LEAST_SPREAD: f64 = 0.001;

/// Spreads from which a value is no usual one: 4 standard deviations of normal noise.
const ONSET: f64 = 3.0;

/// Which way a metric gets worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worsening {
    /// By rising: latency, errors, use of resources.
    Rising,
    /// By falling: availability.
    Falling,
    /// By either.
    Either,
}

/// How far the values `after` a border lie from those `before` it, in spreads, in the direction of worse: negative for better. Values
/// that are not finite are left out. `None` if there are fewer than ten before or none after, or if all before are 0 and so there is no scale.
#[must_use]
pub fn change(before: &[f64], after: &[f64], worsening: Worsening) -> Option<f64> {
    let mut before = finite(before);
    let mut after = finite(after);
    if before.len() < LEAST_BEFORE || after.is_empty() {
        return None;
    }
    before.sort_by(f64::total_cmp);
    let median = quantile(&before, 0.5);
    let range = quantile(&before, 0.75) - quantile(&before, 0.25);
    let spread = range.max(LEAST_SPREAD * median.abs());
    if spread <= 0.0 {
        return None;
    }
    for value in &mut after {
        let deviation = (*value - median) / spread;
        *value = match worsening {
            Worsening::Rising => deviation,
            Worsening::Falling => -deviation,
            Worsening::Either => deviation.abs(),
        };
    }
    after.sort_by(f64::total_cmp);
    Some(quantile(&after, SUSTAINED)).filter(|change| change.is_finite())
}

/// The first of the values `after` a border that lies more than three spreads from those `before` it, in the direction of worse; with the
/// same spread as [`change`]. `None` if none does, or there is no scale.
#[must_use]
pub fn onset(before: &[f64], after: &[f64], worsening: Worsening) -> Option<usize> {
    (0..after.len()).find(|place| {
        let one = change(before, &after[*place..=*place], worsening);
        one.is_some_and(|change| change > ONSET)
    })
}

fn finite(values: &[f64]) -> Vec<f64> {
    values.iter().copied().filter(|value| value.is_finite()).collect()
}

/// The quantile of sorted values, with a line between neighbours (Hyndman and Fan's type 7).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let below = place as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_in_spreads_and_in_the_direction_of_worse() {
        let before: Vec<_> = (0..=100).map(f64::from).collect();
        let after = [150.0; 20];
        assert_eq!(change(&before, &after, Worsening::Rising), Some(2.0));
        assert_eq!(change(&before, &after, Worsening::Falling), Some(-2.0));
        assert_eq!(change(&before, &[-50.0; 3], Worsening::Either), Some(2.0));
        // One odd value in twenty is no change.
        let mut odd = [50.0; 20];
        odd[7] = 1e9;
        assert_eq!(change(&before, &odd, Worsening::Rising), Some(0.0));
    }

    #[test]
    fn an_onset_is_the_first_value_that_is_out_of_the_usual() {
        let before: Vec<_> = (0..=100).map(f64::from).collect();
        let after = [50.0, -150.0, 190.0, 250.0, 260.0];
        assert_eq!(onset(&before, &after, Worsening::Rising), Some(3));
        assert_eq!(onset(&before, &after, Worsening::Falling), Some(1));
        assert_eq!(onset(&before, &[99.0], Worsening::Either), None);
        assert_eq!(onset(&[0.0; 20], &[9.0], Worsening::Either), None);
    }

    #[test]
    fn what_stood_still_has_a_scale_and_what_says_nothing_has_none() {
        let still = [100.0; 50];
        let change_of = |before: &[f64], after: &[f64]| change(before, after, Worsening::Falling);
        let fallen = change_of(&still, &[97.0, f64::NAN]).expect("a scale");
        assert!((fallen - 30.0).abs() < 1e-9, "{fallen}");
        assert_eq!(change_of(&[0.0; 50], &[1.0]), None);
        assert_eq!(change_of(&still[..9], &[97.0]), None);
        assert_eq!(change_of(&still, &[f64::INFINITY]), None);
        // The unit does not matter.
        let in_bytes: Vec<_> = (0..50).map(|i| 1e9 + f64::from(i)).collect();
        let in_megabytes: Vec<_> = in_bytes.iter().map(|bytes| bytes / 1e6).collect();
        let (one, other) = (
            change_of(&in_bytes, &[9e8]).unwrap(),
            change_of(&in_megabytes, &[9e2]).unwrap(),
        );
        assert!((one - other).abs() < 1e-6);
    }
}
