//! The newest point in words: what was expected, between which bounds, and one sentence about why.

use super::adaptive::{Adaptive, PARTS};
use super::{Part, Report};

/// Half a band, in scales, as long as no limit is learnt.
const FIRST_LIMIT: f32 = 15.0;
const DAYS: [&str; 7] = [
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
];

pub(super) fn report(state: &Adaptive) -> Report {
    let mut parts: Vec<Part> = PARTS
        .iter()
        .zip(state.parts())
        .map(|(&detector, score)| Part { detector, score })
        // A metric that no model knows is not voted on by one.
        .filter(|part| part.detector != "learned" || state.forecast().is_some())
        .collect();
    parts.sort_by(|a, b| b.score.total_cmp(&a.score));
    let half = |side: usize| {
        let limit = state.steps.limit(side, 1.0);
        let limit = if limit.is_finite() { limit } else { FIRST_LIMIT };
        f64::from(limit) * state.scale
    };
    let (mut expected, mut low, mut high) =
        (state.expected, state.expected - half(1), state.expected + half(0));
    let strongest = parts.first().map_or("", |part| part.detector);
    if strongest == "season" {
        let [_, least, most] = state.season.compared();
        (expected, low, high) = (0.5 * (least + most), least, most);
    }
    if let ("learned", Some(forecast)) = (strongest, state.forecast()) {
        (low, high) = (low + forecast - expected, high + forecast - expected);
        expected = forecast;
    }
    Report {
        score: state.score(),
        observed: state.observed,
        expected,
        low,
        high,
        sentence: sentence(state, strongest),
        parts,
        is_rate: state.is_rate(),
    }
}

fn sentence(state: &Adaptive, strongest: &str) -> String {
    let (observed, expected) = (state.observed, state.expected);
    let side = if observed < expected { "below" } else { "above" };
    let errors = (observed - expected).abs() / state.scale.max(f64::MIN_POSITIVE);
    match strongest {
        "surge" => {
            let side = if state.direction() < 0.0 { "below" } else { "above" };
            format!(
                "several points in a row stay {side} what was expected, {}",
                number(expected)
            )
        }
        "spread" => "its errors of the last hour are much larger than they usually are".to_owned(),
        "flat" => format!(
            "it has stood at {} for {} points, and does not usually stand still so long",
            number(observed),
            state.runs.standing()
        ),
        "zero" => "it has fallen to zero, where it usually never is".to_owned(),
        "season" => season(state),
        "novelty" => "its last points look like nothing known of the days before".to_owned(),
        "record" => {
            let [low, high] = state.record.bounds();
            let (bound, what) = if observed > high {
                (high, "highest")
            } else {
                (low, "lowest")
            };
            format!(
                "{} is far beyond the {what} value of the last days, {}",
                number(observed),
                number(bound)
            )
        }
        "burst" => format!(
            "{} times the largest burst known of a metric that is mostly zero",
            number(state.burst.over())
        ),
        "learned" => {
            let expected = state.forecast().unwrap_or(expected);
            let side = if observed < expected { "below" } else { "above" };
            format!(
                "{} is far {side} what was learnt of metrics like it, {}",
                number(observed),
                number(expected)
            )
        }
        _ => format!(
            "{} times its usual error {side} the expected {}",
            number(errors),
            number(expected)
        ),
    }
}

/// "3.1 × the highest Tuesday 14:00 in 5 weeks".
fn season(state: &Adaptive) -> String {
    let [mean, least, most] = state.season.compared();
    let hour = (state.time / 3600.0) as u64;
    // The hour that is over, not the one that has begun.
    let hour = hour.saturating_sub(1);
    let when = format!("{} {:02}:00", DAYS[(hour / 24 % 7) as usize], hour % 24);
    let known = match state.season.weeks() {
        1 => "a week".to_owned(),
        weeks => format!("{weeks} weeks"),
    };
    let (bound, what, side) = if mean > most {
        (most, "highest", "above")
    } else {
        (least, "lowest", "below")
    };
    if bound > 0.0 && mean > 0.0 && (mean > 1.1 * bound || mean < 0.9 * bound) {
        format!(
            "{} × the {what} hour such as {when} UTC in {known}",
            number(mean / bound)
        )
    } else {
        format!(
            "the hour was at {}, {side} the {what} such as {when} UTC in {known}, {}",
            number(mean),
            number(bound)
        )
    }
}

/// Three significant digits.
fn number(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let digits = 2 - value.abs().log10().floor() as i32;
    if digits < 0 {
        let unit = 10f64.powi(-digits);
        format!("{}", (value / unit).round() * unit)
    } else {
        format!("{value:.*}", digits.clamp(0, 12) as usize)
    }
}
