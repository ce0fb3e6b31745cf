//! A band that moves with time: what was expected at each point.

use std::fmt::Write as _;

use super::builder::ChartBand;
use super::drawing::px;
use super::scale::{TimeScale, ValueScale};
use crate::anomaly::Expected;

/// Pixels between two corners of the band: closer ones are not told apart, and cost bytes.
const CORNER: f64 = 2.0;

/// How far the band reaches, as one range; `None` if nothing was known at any time.
pub(super) fn reach(band: ChartBand<'_>) -> Option<Expected> {
    let finite = |bounds: &[f64], pick: fn(f64, f64) -> f64| {
        let bounds = bounds.iter().copied().filter(|bound| bound.is_finite());
        bounds.reduce(pick)
    };
    Some(Expected {
        low: finite(band.low, f64::min)?,
        high: finite(band.high, f64::max)?,
        centre: f64::NAN,
    })
}

/// The band as closed paths, one for each stretch in which both bounds are known.
pub(super) fn path(band: ChartBand<'_>, x: &TimeScale, y: &ValueScale) -> String {
    let mut path = String::new();
    // Corners of the stretch under way: place, upper and lower edge, px.
    let mut corners: Vec<(f64, f64, f64)> = Vec::new();
    let (top, bottom) = y.pixels();
    let edge = |bound: f64| y.pixel(bound).clamp(top, bottom);
    let points = band.times.iter().zip(band.low.iter().zip(band.high));
    for (&time, (&low, &high)) in points {
        if !(low.is_finite() && high.is_finite()) {
            close(&corners, &mut path);
            corners.clear();
            continue;
        }
        let (at, upper, lower) = (x.pixel(time), edge(high), edge(low));
        match corners.last_mut() {
            // Of what falls together the widest is drawn: nothing is shown as unexpected that was not.
            Some(last) if at - last.0 < CORNER => {
                (last.1, last.2) = (last.1.min(upper), last.2.max(lower));
            }
            _ => corners.push((at, upper, lower)),
        }
    }
    close(&corners, &mut path);
    path
}

/// Along the upper edge and back along the lower one; at least two pixels high, so that it can be seen.
fn close(corners: &[(f64, f64, f64)], path: &mut String) {
    if corners.len() < 2 {
        return;
    }
    let widen = |upper: f64, lower: f64| ((2.0 - (lower - upper)) / 2.0).max(0.0);
    for (place, &(at, upper, lower)) in corners.iter().enumerate() {
        let command = if place == 0 { 'M' } else { 'L' };
        _ = write!(path, "{command}{} {}", px(at), px(upper - widen(upper, lower)));
    }
    for &(at, upper, lower) in corners.iter().rev() {
        _ = write!(path, "L{} {}", px(at), px(lower + widen(upper, lower)));
    }
    path.push('Z');
}
