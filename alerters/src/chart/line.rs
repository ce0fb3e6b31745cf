//! From points to what is drawn: runs between gaps, a column a pixel.

use super::scale::TimeScale;

/// A step longer than this many median steps is a gap.
const GAP_STEPS: f64 = 2.5;

/// The longest step that is still no gap; infinite when there are too few points to tell.
pub(super) fn longest_step(times: impl Iterator<Item = f64> + Clone) -> f64 {
    let mut steps: Vec<f64> = times
        .clone()
        .zip(times.skip(1))
        .map(|(a, b)| b - a)
        .filter(|step| *step > 0.0)
        .collect();
    if steps.len() < 2 {
        return f64::INFINITY;
    }
    let middle = (steps.len() - 1) / 2;
    let (_, median, _) = steps.select_nth_unstable_by(middle, f64::total_cmp);
    *median * GAP_STEPS
}

/// The plot's pixel columns.
#[derive(Debug, Clone, Copy)]
pub(super) struct PixelColumns {
    pub(super) left: f64,
    pub(super) count: f64,
}

/// Points without a gap between them.
#[derive(Debug, Default)]
pub(super) struct LineRun {
    pub(super) columns: Vec<PixelColumn>,
}

/// What is drawn at one x: a single point, or all points of one pixel column.
#[derive(Debug, Clone, Copy)]
pub(super) struct PixelColumn {
    pub(super) x: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) mean: f64,
    points: f64,
}

/// Cuts `points` at gaps. Where points outnumber pixel columns, those of one column are merged.
pub(super) fn runs(points: &[(f64, f64)], scale: &TimeScale, columns: PixelColumns) -> Vec<LineRun> {
    let longest_step = longest_step(points.iter().map(|(time, _)| *time));
    let merge = points.len() as f64 > columns.count;
    let mut runs = vec![LineRun::default()];
    let mut before = f64::NEG_INFINITY;
    for &(time, value) in points {
        if time - before > longest_step && before.is_finite() {
            runs.push(LineRun::default());
        }
        before = time;
        let mut x = scale.pixel(time);
        if merge {
            let column = (x - columns.left).floor().min(columns.count - 1.0);
            x = columns.left + column + 0.5;
        }
        let Some(run) = runs.last_mut() else { continue };
        match run.columns.last_mut() {
            Some(column) if merge && column.x == x => column.add(value),
            _ => run.columns.push(PixelColumn {
                x,
                low: value,
                high: value,
                mean: value,
                points: 1.0,
            }),
        }
    }
    runs
}

impl PixelColumn {
    fn add(&mut self, value: f64) {
        self.points += 1.0;
        self.low = self.low.min(value);
        self.high = self.high.max(value);
        self.mean += (value - self.mean) / self.points;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(count: f64) -> PixelColumns {
        PixelColumns { left: 0.0, count }
    }

    #[test]
    fn a_step_over_two_and_a_half_medians_is_a_gap() {
        let points: Vec<(f64, f64)> = [0.0, 60.0, 120.0, 269.0, 420.0, 480.0]
            .into_iter()
            .map(|t| (t, 1.0))
            .collect();
        let scale = TimeScale::new(0.0, 480.0, 0.0, 100.0);
        let runs = runs(&points, &scale, columns(100.0));
        let lengths: Vec<usize> = runs.iter().map(|run| run.columns.len()).collect();
        assert_eq!(
            lengths,
            [4, 2],
            "149 s is a step of two and a half minutes, 151 s is a gap"
        );
    }

    #[test]
    fn a_column_keeps_the_lowest_and_highest_of_its_points() {
        let points: Vec<(f64, f64)> = (0..1_000)
            .map(|i| (f64::from(i), if i == 500 { 9.0 } else { f64::from(i % 2) }))
            .collect();
        let scale = TimeScale::new(0.0, 999.0, 0.0, 50.0);
        let runs = runs(&points, &scale, columns(50.0));
        assert_eq!(runs.len(), 1);
        assert_eq!(runs[0].columns.len(), 50);
        assert!(
            runs[0]
                .columns
                .iter()
                .any(|column| column.high == 9.0 && column.low == 0.0)
        );
        assert!(
            runs[0]
                .columns
                .iter()
                .all(|column| (0.4..=1.0).contains(&column.mean))
        );
    }
}
