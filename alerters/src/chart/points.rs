//! The points of a chart: finite ones, in order, and what they extend over.

/// Values are held within this, so that differences of two of them stay finite.
pub(super) const LARGEST_VALUE: f64 = 1e300;

/// The points whose time and value are finite, in ascending time.
pub(super) fn finite_points(times: &[f64], values: &[f64]) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = times
        .iter()
        .zip(values)
        .filter(|(time, value)| time.is_finite() && value.is_finite())
        .map(|(time, value)| (clamp(*time), clamp(*value)))
        .collect();
    if !points.is_sorted_by_key(|(time, _)| *time) {
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    points
}

fn clamp(value: f64) -> f64 {
    value.clamp(-LARGEST_VALUE, LARGEST_VALUE)
}

/// First and last time; zeros when there is no point.
pub(super) fn ends(points: &[(f64, f64)]) -> (f64, f64) {
    match (points.first(), points.last()) {
        (Some(first), Some(last)) => (first.0, last.0),
        _ => (0.0, 0.0),
    }
}

/// Lowest and highest value.
pub(super) fn extremes(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let mut values = points.iter().map(|(_, value)| *value);
    let first = values.next()?;
    Some(values.fold((first, first), |(low, high), value| {
        (low.min(value), high.max(value))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_put_in_order_and_stripped_of_what_is_not_finite() {
        let points = finite_points(&[2.0, 1.0, f64::NAN, 3.0], &[20.0, 10.0, 0.0, f64::INFINITY]);
        assert_eq!(points, [(1.0, 10.0), (2.0, 20.0)]);
    }
}
