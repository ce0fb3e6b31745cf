//! Counters: series that only ever grow, and the rate at which they do.
//!
//! A counter says nothing by its height; earthgecko's Analyzer therefore judges the difference from point to point.

use crate::window::{Series, Window};

/// Fewer points than this are never called a counter.
pub const LEAST_POINTS: usize = 90;
/// Newest values of which nearly every series that is no counter has one below the one before it.
const LOOKED_AT_FIRST: usize = 32;

/// Whether the series is a counter: at least [`LEAST_POINTS`] points, none negative, not constant, not all zero
/// after the first, and no value below the one before it.
///
/// O(n), and O(1) for nearly every series that is no counter, because the first fall ends it. NaN: false.
#[must_use]
pub fn never_decreasing(window: Window<'_>) -> bool {
    let falls = |values: &[f64]| !values.is_sorted_by(|before, after| after >= before);
    if window.len() < LEAST_POINTS || falls(window.newest(LOOKED_AT_FIRST)) {
        return false;
    }
    let values = window.values();
    let [first, .., last] = values else {
        return false;
    };
    // With no fall, a first value of at least 0 means none is negative, and a last above the first means it is
    // neither constant nor all zero.
    *first >= 0.0 && last > first && !falls(values)
}

/// The non-negative derivative: difference from point to point at the time of the later one. The first point is
/// dropped, and so is every point below the one before it (a reset). `rates` is cleared first.
pub fn rates(window: Window<'_>, rates: &mut Series) {
    rates.clear();
    let values = window.values();
    for (i, time) in window.times().iter().enumerate().skip(1) {
        let difference = values[i] - values[i - 1];
        if difference >= 0.0 {
            rates.push(*time, difference);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(values: &[f64]) -> bool {
        let times: Vec<f64> = (0..values.len()).map(|i| i as f64).collect();
        never_decreasing(Window::new(&times, values))
    }

    #[test]
    fn only_a_long_growing_series_is_a_counter() {
        let growing: Vec<f64> = (0..90).map(f64::from).collect();
        assert!(counts(&growing));
        assert!(!counts(&growing[1..]));
        let resting: Vec<f64> = growing.iter().map(|v| (v / 3.0).floor()).collect();
        assert!(counts(&resting));
        let mut reset = growing.clone();
        reset[60] = 3.0;
        assert!(!counts(&reset));
        let below: Vec<f64> = growing.iter().map(|v| v - 1.0).collect();
        assert!(!counts(&below));
        assert!(!counts(&[7.0; 90]));
        let mut zero_after_first = [0.0; 90];
        zero_after_first[0] = 4.0;
        assert!(!counts(&zero_after_first));
        assert!(!counts(&[]));
    }

    #[test]
    fn rates_drop_the_first_point_and_resets() {
        let times = [10.0, 20.0, 30.0, 40.0];
        let values = [5.0, 8.0, 1.0, 1.0];
        let mut out = Series::default();
        rates(Window::new(&times, &values), &mut out);
        assert_eq!(out.times, [20.0, 40.0]);
        assert_eq!(out.values, [3.0, 0.0]);
    }
}
