//! The charts of a metric's page: values with the band that would have been no alarm, scores below.

use minijinja::{Value, context};
use skywatch_alerters::chart::{Chart, ChartBand, ChartMark};
use skywatch_alerters::{Anomaly, Expected};
use skywatch_algorithms::Series;

use crate::backtest::BandSeries;

/// Size of the chart of values, px.
pub(super) const CHART_SIZE: (u32, u32) = (900, 260);
/// Height of the chart of scores below it, px.
const SCORES_HEIGHT: u32 = 90;
/// Width of a chart on a phone, px.
const NARROW: u32 = 340;
/// Scores of a chart: as many as can be told apart.
const SCORES: usize = 450;

/// What a chart shows beside the points.
#[derive(Default)]
pub(super) struct ChartExtras<'a> {
    /// Unix seconds from and until which incidents lasted.
    pub(super) incidents: Vec<(f64, f64)>,
    /// The point that was judged.
    pub(super) mark: Option<ChartMark>,
    /// What was expected from and until some moments (Unix seconds), in place of what a replay says.
    pub(super) stored: Option<(Expected, f64, f64)>,
    /// The title; none for no title.
    pub(super) title: &'a str,
}

/// A chart drawn twice: for wide screens in a size, and for phones, where the letters of the other would be too small to be read.
/// Each screen shows one of them.
pub(super) fn on_both_screens((width, height): (u32, u32), draw: impl Fn((u32, u32)) -> String) -> Value {
    let (wide, narrow) = (draw((width, height)), draw((NARROW, height)));
    let both = format!(r#"<div class="on-wide">{wide}</div><div class="on-narrow">{narrow}</div>"#);
    Value::from_safe_string(both)
}

/// The mark of an anomaly.
pub(super) fn mark_of(anomaly: &Anomaly) -> Option<ChartMark> {
    let mark = ChartMark {
        at: anomaly.at,
        value: anomaly.observed,
    };
    anomaly.observed.is_finite().then_some(mark)
}

/// Points as they are, with nothing said of what was expected.
pub(super) fn plain(points: &Series, extras: &ChartExtras<'_>) -> Value {
    let mut chart = Chart::new(extras.title, &points.times, &points.values)
        .spans(&extras.incidents)
        .with_geometry();
    if let Some(mark) = extras.mark {
        chart = chart.mark(mark);
    }
    let draw = |(width, height)| chart.clone().size(width, height).svg();
    context! { values => on_both_screens(CHART_SIZE, draw), scores => () }
}

/// The part of a replayed metric from and until some moments (Unix seconds): values with the band, and scores.
pub(super) fn judged(
    replayed: &BandSeries,
    (from, until): (f64, f64),
    extras: &ChartExtras<'_>,
) -> Option<Value> {
    let begin = replayed.times.partition_point(|time| *time < from);
    let end = replayed.times.partition_point(|time| *time <= until);
    if begin >= end {
        return None;
    }
    let part = begin..end;
    let times = &replayed.times[part.clone()];
    let (mut low, mut high) = (
        replayed.low[part.clone()].to_vec(),
        replayed.high[part.clone()].to_vec(),
    );
    if let Some((expected, from, until)) = extras.stored {
        let stored = times.iter().enumerate();
        for (place, _) in stored.filter(|(_, time)| (from..=until).contains(*time)) {
            (low[place], high[place]) = (expected.low, expected.high);
        }
    }
    let mut chart = Chart::new(extras.title, times, &replayed.values[part.clone()])
        .rate(replayed.is_rate)
        .band(ChartBand {
            times,
            low: &low,
            high: &high,
        })
        .spans(&extras.incidents)
        .with_geometry();
    if let Some(mark) = extras.mark {
        chart = chart.mark(mark);
    }
    let scores = &replayed.scores[part];
    Some(context! {
        values => on_both_screens(CHART_SIZE, |(width, height)| chart.clone().size(width, height).svg()),
        scores => score_chart(times, scores),
    })
}

/// Scores over time, of several points the largest where there are more than can be told apart; 1 is the limit.
fn score_chart(times: &[f64], scores: &[f32]) -> Value {
    let width = scores.len().div_ceil(SCORES).max(1);
    let times: Vec<f64> = times.chunks(width).map(|times| times[0]).collect();
    let largest = |scores: &[f32]| f64::from(scores.iter().copied().fold(0.0, f32::max));
    let values: Vec<f64> = scores.chunks(width).map(largest).collect();
    let limit = Expected {
        low: 0.0,
        high: 1.0,
        centre: f64::NAN,
    };
    let chart = Chart::new("score", &times, &values).expected(limit);
    let size = (CHART_SIZE.0, SCORES_HEIGHT);
    on_both_screens(size, |(width, height)| chart.clone().size(width, height).svg())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A day of minutes.
    fn day() -> BandSeries {
        let times: Vec<f64> = (0..1_440)
            .map(|minute| 1.7e9 + 60.0 * f64::from(minute))
            .collect();
        let each = |number: f64| vec![number; times.len()];
        BandSeries {
            values: each(5.0),
            scores: vec![0.1; times.len()],
            low: each(1.0),
            high: each(9.0),
            is_rate: false,
            times,
        }
    }

    #[test]
    fn what_is_asked_for_is_drawn_and_nothing_of_nothing() {
        let extras = ChartExtras {
            incidents: vec![(1.7e9 + 600.0, 1.7e9 + 1_200.0)],
            ..ChartExtras::default()
        };
        let drawn = judged(&day(), (1.7e9, 1.7e9 + 3_600.0), &extras).expect("an hour");
        let drawn = drawn.get_attr("values").expect("a chart").to_string();
        assert!(drawn.contains("61 points"), "{drawn}");
        assert!(drawn.contains("data-plot=\"1700000000 1700003600 "), "{drawn}");
        assert!(
            drawn.contains("fill-opacity=\".16\"") && drawn.contains("fill-opacity=\".2\""),
            "{drawn}"
        );
        assert!(judged(&day(), (0.0, 1.0), &extras).is_none());
    }

    #[test]
    fn a_page_with_a_chart_of_a_day_is_small() {
        let mut busy = day();
        for (place, value) in busy.values.iter_mut().enumerate() {
            let noise = f64::from((place as u32).wrapping_mul(2_654_435_761) >> 22);
            *value += noise;
            busy.high[place] += noise / 2.0;
        }
        let drawn = judged(&busy, (0.0, f64::INFINITY), &ChartExtras::default()).expect("a day");
        let bytes: usize = ["values", "scores"]
            .iter()
            .map(|chart| drawn.get_attr(chart).expect("a chart").to_string().len())
            .sum();
        assert!(bytes < 80_000, "{bytes}");
    }
}
