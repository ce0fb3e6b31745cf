//! A series in one line of text, for terminals and logs.

use super::{line, points};

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// `values` over `times` as `columns` bars; a column without points is a space.
///
/// A column shows the point farthest from the series' mean, so that one spike in a day is seen. A
/// constant series is drawn at half height. Points that are not finite are left out.
///
/// ```
/// use skywatch_alerters::chart::sparkline;
/// assert_eq!(sparkline(&[0.0, 1.0, 2.0, 3.0, 7.0], &[1.0, 2.0, 4.0, 5.0, 8.0], 8), "▁▂▄▅   █");
/// ```
pub fn sparkline(times: &[f64], values: &[f64], columns: usize) -> String {
    let points = points::finite_points(times, values);
    let Some((low, high)) = points::extremes(&points) else {
        return " ".repeat(columns);
    };
    let (first, last) = points::ends(&points);
    let count = points.len() as f64;
    let mean = points.iter().fold(0.0, |mean, (_, value)| mean + value / count);
    let mut shown: Vec<Option<f64>> = vec![None; columns];
    for &(time, value) in &points {
        let share = if last > first {
            (time - first) / (last - first)
        } else {
            0.0
        };
        let column = ((share * columns as f64) as usize).min(columns.saturating_sub(1));
        if let Some(shown) = shown.get_mut(column) {
            let farther = shown.is_none_or(|s: f64| (value - mean).abs() > (s - mean).abs());
            *shown = if farther { Some(value) } else { *shown };
        }
    }
    bridge_sparse_columns(&mut shown, &points);
    shown
        .into_iter()
        .map(|value| match value {
            None => ' ',
            Some(_) if high == low => BARS[3],
            Some(value) => BARS[(((value - low) / (high - low) * 8.0) as usize).min(7)],
        })
        .collect()
}

/// With fewer points than columns most columns are empty without any gap in the data: those take
/// the value before them, unless the step they lie in is a gap.
fn bridge_sparse_columns(shown: &mut [Option<f64>], points: &[(f64, f64)]) {
    let (first, last) = points::ends(points);
    let longest_step = line::longest_step(points.iter().map(|(time, _)| *time));
    if points.len() >= shown.len() || last <= first {
        return;
    }
    let seconds_a_column = (last - first) / shown.len() as f64;
    let bridged = (longest_step / seconds_a_column).ceil();
    let mut empty = 0.0;
    let mut before = None;
    for i in 0..shown.len() {
        if shown[i].is_some() {
            before = shown[i];
            empty = 0.0;
            continue;
        }
        empty += 1.0;
        let ahead = shown[i..].iter().position(Option::is_some).unwrap_or(0) as f64;
        if empty + ahead <= bridged {
            shown[i] = before;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spike_survives_being_squeezed() {
        let times: Vec<f64> = (0..1_440).map(|i| f64::from(i) * 60.0).collect();
        let mut values = vec![1.0; 1_440];
        values[1_000] = 50.0;
        let line = sparkline(&times, &values, 24);
        assert_eq!(line.chars().count(), 24);
        assert_eq!(line.matches('█').count(), 1);
    }

    #[test]
    fn gaps_are_spaces_and_sparse_points_are_not_gaps() {
        let times: Vec<f64> = (0..100)
            .filter(|i| !(40..60).contains(i))
            .map(f64::from)
            .collect();
        let values: Vec<f64> = times.iter().map(|t| t % 10.0).collect();
        assert_eq!(sparkline(&times, &values, 20).matches(' ').count(), 4);
        let line = sparkline(&[0.0, 1.0, 2.0, 3.0], &[1.0, 2.0, 3.0, 4.0], 12);
        assert_eq!(line, "▁▁▁▁▃▃▃▃▆▆▆█");
    }

    #[test]
    fn nothing_and_constants_and_no_room() {
        assert_eq!(sparkline(&[], &[], 3), "   ");
        assert_eq!(sparkline(&[1.0], &[f64::NAN], 2), "  ");
        assert_eq!(sparkline(&[0.0, 1.0], &[5.0, 5.0], 2), "▄▄");
        assert_eq!(sparkline(&[0.0, 1.0], &[5.0, 6.0], 0), "");
    }
}
