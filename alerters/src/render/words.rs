//! The parts of a message, made readable once for all templates.

use std::borrow::Cow;

use serde::Serialize;

use crate::anomaly::{Anomaly, DetectorVote, Direction};
use crate::chart::sparkline;
use crate::notice::{Item, Notice};
use crate::{text, units};

/// Widest name in the body of a message; names may be kilobytes long.
const NAME_COLUMNS: usize = 300;
/// Bars of the sparkline in a plain text message: fits 80 columns with its margin.
const SPARKLINE_COLUMNS: usize = 72;

/// Everything a template may name. A change here is a change for whoever wrote a template.
#[derive(Debug, Serialize)]
pub(super) struct Words {
    /// `metric`, `entity`, `trace` or `component`.
    kind: &'static str,
    name: String,
    /// `97.2, above the expected 20.1 to 40.3`
    findings: String,
    value: String,
    /// `20.1 to 40.3`, or `unknown`.
    expected: String,
    /// The most likely value, empty when unknown.
    centre: String,
    /// `up`, `down`, or empty when unknown.
    direction: &'static str,
    at: String,
    /// `24 h, 1440 points`
    window: String,
    rate: bool,
    sparkline: String,
    /// `2 of 3 detectors call it anomalous`
    vote_count: String,
    votes: Vec<VoteWords>,
    /// Time before which no further notice follows, empty without a cooldown.
    not_before: String,
    /// Address of the page, empty when there is none.
    page: String,
}

/// One detector's vote.
#[derive(Debug, Serialize)]
struct VoteWords {
    detector: String,
    /// `anomalous`, `normal` or `no vote`.
    answer: &'static str,
    anomalous: bool,
    measured: String,
    limit: String,
}

impl Words {
    pub(super) fn of(notice: &Notice, item: &Item) -> Self {
        let anomaly = &item.anomaly;
        let evidence = &anomaly.evidence;
        let points = evidence.values.len();
        Self {
            kind: anomaly.subject.kind(),
            name: name(anomaly).into_owned(),
            findings: findings(anomaly),
            value: numbers(anomaly).0,
            expected: numbers(anomaly).1.unwrap_or_else(|| "unknown".into()),
            centre: anomaly
                .expected
                .filter(|expected| expected.centre.is_finite())
                .map(|expected| units::number(expected.centre))
                .unwrap_or_default(),
            direction: match anomaly.direction() {
                Some(Direction::Up) => "up",
                Some(Direction::Down) => "down",
                None => "",
            },
            at: units::time(anomaly.at),
            window: format!(
                "{}, {points} point{}",
                units::length(evidence.covered()),
                if points == 1 { "" } else { "s" }
            ),
            rate: evidence.rate,
            sparkline: sparkline(&evidence.times, &evidence.values, SPARKLINE_COLUMNS),
            vote_count: match (anomaly.voters().count(), anomaly.cast()) {
                (_, 0) => "no detector voted".into(),
                (anomalous, cast) => format!("{anomalous} of {cast} detectors call it anomalous"),
            },
            votes: anomaly.votes.iter().map(VoteWords::of).collect(),
            not_before: item.not_before.map(units::time).unwrap_or_default(),
            page: notice.page_of(item),
        }
    }
}

impl VoteWords {
    fn of(vote: &DetectorVote) -> Self {
        let mut sides = units::distinct(&[vote.measured, vote.limit]).into_iter();
        let mut side = |value: f64| {
            let shown = sides.next().unwrap_or_default();
            if value.is_nan() { "-".into() } else { shown }
        };
        Self {
            detector: text::one_line(&vote.detector).into_owned(),
            answer: match vote.answer {
                Some(true) => "anomalous",
                Some(false) => "normal",
                None => "no vote",
            },
            anomalous: vote.answer == Some(true),
            measured: side(vote.measured),
            limit: side(vote.limit),
        }
    }
}

/// The subject's name on one line, its middle left out when it is very long.
pub(super) fn name(anomaly: &Anomaly) -> Cow<'_, str> {
    text::shorten(anomaly.name(), NAME_COLUMNS)
}

/// `97.2, above the expected 20.1 to 40.3`; `97.2, expected 20 to 100` for a value inside its
/// range; `97.2` without one.
pub(super) fn findings(anomaly: &Anomaly) -> String {
    let (value, range) = numbers(anomaly);
    let (Some(expected), Some(range)) = (anomaly.expected, range) else {
        return value;
    };
    if anomaly.observed > expected.high {
        format!("{value}, above the expected {range}")
    } else if anomaly.observed < expected.low {
        format!("{value}, below the expected {range}")
    } else {
        format!("{value}, expected {range}")
    }
}

/// The value and the expected range, in digits enough to tell them apart.
fn numbers(anomaly: &Anomaly) -> (String, Option<String>) {
    let Some(expected) = anomaly.expected else {
        return (units::number(anomaly.observed), None);
    };
    let shown = units::distinct(&[anomaly.observed, expected.low, expected.high]);
    let range = expected.in_words(&shown[1], &shown[2]);
    (shown[0].clone(), Some(range))
}

/// `2 of 3 detectors: grubbs, ks_test`
pub(super) fn votes_in_short(anomaly: &Anomaly) -> String {
    let voters: Vec<Cow<'_, str>> = anomaly.voters().map(text::one_line).collect();
    match (voters.len(), anomaly.cast()) {
        (_, 0) => "no detector voted".into(),
        (0, cast) => format!("0 of {cast} detectors"),
        (anomalous, cast) => format!("{anomalous} of {cast} detectors: {}", voters.join(", ")),
    }
}
