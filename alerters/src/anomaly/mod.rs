//! Everybody's word for "something is wrong".
//!
//! Whatever found it (the ensemble, a multivariate entity, a trace model, the health plane), an
//! [`Anomaly`] says what, when, how bad, how far from what was expected, and holds the [`Evidence`] a
//! reader needs to judge it for himself. It is plain data with a stable JSON form. How bad it is says its
//! finder, as only the finder knows what its scores mean.

mod evidence;
mod subject;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub(crate) use evidence::null_unless_finite;
pub use evidence::{Contributor, DetectorVote, Evidence, JudgedWindow, SpanEvidence, TraceEvidence, Votes};
pub use subject::{Subject, SubjectKind};

use crate::units;

/// A verdict worth keeping. Made by [`Anomaly::new`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Anomaly {
    /// What is wrong.
    pub subject: Subject,
    /// How much it matters, as its finder says.
    pub severity: Severity,
    /// Time of the judged point, Unix seconds.
    pub at: f64,
    /// The value that was judged; NaN where nothing was measured.
    #[serde(with = "null_unless_finite")]
    pub observed: f64,
    /// The range the value was expected in, when a detector could say.
    pub expected: Option<Expected>,
    /// What shows it, each kind at most once.
    pub evidence: Vec<Evidence>,
    /// What has a part in it, largest first: metrics of an entity, services of a trace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contributors: Vec<Contributor>,
    /// What receivers may select and sort by, beyond kind and name: `namespace` → `shop`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What was found, in a sentence, where its finder has one: `no point has come in for 7 min`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sentence: String,
    /// How far beyond its limit, where the finder has one limit for all; `None` where votes are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strength: Option<Strength>,
}

/// How strong an anomaly is by a score of one meaning, as the adaptive profile has it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Strength {
    /// 1 at the limit.
    #[serde(with = "null_unless_finite")]
    pub score: f64,
    /// Whether it may open an incident: it is not in the rest after an alert as strong. An incident that is open
    /// lasts in any case.
    pub opens: bool,
}

/// How much an anomaly matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth a look.
    #[default]
    Warning,
    /// Worth getting up for.
    Critical,
}

/// The range a value was expected in. A bound that is not finite is no bound.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// Lowest value that would have been normal.
    #[serde(with = "null_unless_finite")]
    pub low: f64,
    /// Highest value that would have been normal.
    #[serde(with = "null_unless_finite")]
    pub high: f64,
    /// The most likely value.
    #[serde(with = "null_unless_finite")]
    pub centre: f64,
}

/// The side of the expected centre a value lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Above the centre.
    Up,
    /// Below the centre.
    Down,
}

/// What stands for the window of an anomaly that has none.
static NO_WINDOW: JudgedWindow = JudgedWindow {
    times: Vec::new(),
    values: Vec::new(),
    rate: false,
};

impl Anomaly {
    /// An anomaly of which no more is known than what, how bad and when (Unix seconds). The methods that follow add what
    /// else there is.
    pub fn new(subject: Subject, severity: Severity, at: f64) -> Self {
        Self {
            subject,
            severity,
            at,
            observed: f64::NAN,
            expected: None,
            evidence: Vec::new(),
            contributors: Vec::new(),
            labels: BTreeMap::new(),
            sentence: String::new(),
            strength: None,
        }
    }

    /// With the value that was judged and the range it was expected in.
    #[must_use]
    pub fn with_value(self, observed: f64, expected: Option<Expected>) -> Self {
        Self {
            observed,
            expected,
            ..self
        }
    }

    /// With this piece of evidence, instead of one of the same kind.
    #[must_use]
    pub fn with_evidence(mut self, evidence: Evidence) -> Self {
        let kind = std::mem::discriminant(&evidence);
        match self
            .evidence
            .iter_mut()
            .find(|known| std::mem::discriminant(*known) == kind)
        {
            Some(known) => *known = evidence,
            None => self.evidence.push(evidence),
        }
        self
    }

    /// With the points that were judged.
    #[must_use]
    pub fn with_window(self, window: JudgedWindow) -> Self {
        self.with_evidence(Evidence::Window(window))
    }

    /// With every detector's answer.
    #[must_use]
    pub fn with_votes(self, votes: impl Into<Votes>) -> Self {
        let votes = votes.into();
        self.with_evidence(Evidence::Votes { votes })
    }

    /// With what its finder says in a sentence.
    #[must_use]
    pub fn with_sentence(mut self, sentence: impl Into<String>) -> Self {
        self.sentence = sentence.into();
        self
    }

    /// With how far it is beyond its limit.
    #[must_use]
    pub fn with_strength(mut self, strength: Strength) -> Self {
        self.strength = Some(strength);
        self
    }

    /// With what has a part in it, largest first.
    #[must_use]
    pub fn with_contributors(mut self, contributors: Vec<Contributor>) -> Self {
        self.contributors = contributors;
        self
    }

    /// With a label.
    #[must_use]
    pub fn with_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(name.into(), value.into());
        self
    }

    /// The points that were judged; no points where there are none.
    pub fn window(&self) -> &JudgedWindow {
        let mut evidence = self.evidence.iter();
        let window = evidence.find_map(|evidence| match evidence {
            Evidence::Window(window) => Some(window),
            _ => None,
        });
        window.unwrap_or(&NO_WINDOW)
    }

    /// Every detector's answer, in the order the detectors were asked; none where nobody voted.
    pub fn votes(&self) -> &[DetectorVote] {
        let mut evidence = self.evidence.iter();
        let votes = evidence.find_map(|evidence| match evidence {
            Evidence::Votes { votes } => Some(&**votes),
            _ => None,
        });
        votes.unwrap_or_default()
    }

    /// Whether there is a value, or anybody who judged one; else all there is to say is the finder's sentence.
    pub fn is_measured(&self) -> bool {
        self.observed.is_finite() || self.expected.is_some() || !self.votes().is_empty()
    }

    /// Names of the detectors that said anomalous, in voting order.
    pub fn voters(&self) -> impl Iterator<Item = &str> {
        self.votes()
            .iter()
            .filter(|vote| vote.answer == Some(true))
            .map(|vote| vote.detector.as_str())
    }

    /// How many detectors cast a vote, either way.
    pub fn cast(&self) -> usize {
        self.votes().iter().filter(|vote| vote.answer.is_some()).count()
    }

    /// How sure it is, 0 to 1: the share of the cast votes that said anomalous (0 when none was cast), or for one with a
    /// strength s / (1 + s), one half at the limit.
    pub fn score(&self) -> f64 {
        if let Some(Strength { score, .. }) = self.strength {
            return if score.is_finite() {
                score.max(0.0) / (1.0 + score.max(0.0))
            } else {
                1.0
            };
        }
        match self.cast() {
            0 => 0.0,
            cast => self.voters().count() as f64 / cast as f64,
        }
    }

    /// The side of the expected centre the value lies on; `None` without an expectation, on the
    /// centre exactly, or when either is not a number.
    pub fn direction(&self) -> Option<Direction> {
        let centre = self.expected?.centre;
        if self.observed > centre {
            Some(Direction::Up)
        } else if self.observed < centre {
            Some(Direction::Down)
        } else {
            None
        }
    }

    /// The same without its points, to be kept or listed in numbers.
    pub fn without_window(&self) -> Self {
        let evidence = self.evidence.iter().map(|evidence| match evidence {
            Evidence::Window(JudgedWindow { rate, .. }) => Evidence::Window(JudgedWindow {
                rate: *rate,
                ..JudgedWindow::default()
            }),
            evidence => evidence.clone(),
        });
        Self {
            subject: self.subject.clone(),
            evidence: evidence.collect(),
            contributors: self.contributors.clone(),
            labels: self.labels.clone(),
            sentence: self.sentence.clone(),
            ..*self
        }
    }

    /// The subject's name.
    pub fn name(&self) -> &str {
        self.subject.name()
    }
}

impl Severity {
    /// In one lower-case word, as in the JSON form and in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// The one of that word.
    pub fn parse(word: &str) -> Option<Self> {
        let all = [Self::Info, Self::Warning, Self::Critical];
        all.into_iter().find(|severity| severity.as_str() == word)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Expected {
    /// `20.1 to 40.3`, `at least 20.1`, `at most 40.3` or `anything`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = units::distinct(&[self.low, self.high]);
        f.write_str(&self.in_words(&shown[0], &shown[1]))
    }
}

impl Expected {
    /// The range in words, with the bounds as the caller wrote them.
    pub(crate) fn in_words(&self, low: &str, high: &str) -> String {
        match (self.low.is_finite(), self.high.is_finite()) {
            (true, true) => format!("{low} to {high}"),
            (true, false) => format!("at least {low}"),
            (false, true) => format!("at most {high}"),
            (false, false) => "anything".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote(detector: &str, answer: Option<bool>) -> DetectorVote {
        DetectorVote {
            detector: detector.into(),
            answer,
            measured: 4.0,
            limit: 3.0,
        }
    }

    fn anomaly() -> Anomaly {
        let expected = Expected {
            low: 20.0,
            high: 40.0,
            centre: 30.0,
        };
        let window = JudgedWindow {
            times: vec![0.0, 60.0],
            values: vec![30.0, 97.2],
            rate: false,
        };
        Anomaly::new(
            Subject::Metric("web1.cpu".into()),
            Severity::Warning,
            1_795_268_520.0,
        )
        .with_value(97.2, Some(expected))
        .with_votes(vec![
            vote("a", Some(true)),
            vote("b", Some(false)),
            vote("c", None),
        ])
        .with_window(window)
    }

    #[test]
    fn score_counts_only_votes_that_were_cast() {
        let anomaly = anomaly();
        assert_eq!(anomaly.voters().collect::<Vec<_>>(), ["a"]);
        assert_eq!(anomaly.cast(), 2);
        assert_eq!(anomaly.score(), 0.5);
        assert_eq!(anomaly.with_votes(Vec::new()).score(), 0.0);
    }

    #[test]
    fn a_copy_shares_its_votes_and_keeps_everything_but_the_points() {
        let first = anomaly().with_label("dc", "eu");
        let second = first.without_window();
        assert!(std::ptr::eq(first.votes(), second.votes()));
        assert_eq!(second.labels, first.labels);
        assert!(second.window().times.is_empty());
        let third = second.with_votes(Vec::new());
        assert_eq!((first.cast(), third.cast()), (2, 0));
        assert_eq!(third.evidence.len(), 2, "one of each kind");
    }

    #[test]
    fn evidence_of_a_kind_nobody_knows_hides_nothing() {
        let mut json = serde_json::to_value(anomaly()).unwrap();
        json["evidence"][0] = serde_json::json!({"kind": "hologram", "of": [1, 2]});
        let back: Anomaly = serde_json::from_value(json).unwrap();
        assert_eq!(back.evidence[0], Evidence::Unknown);
        assert_eq!(back.window(), anomaly().window());
    }

    #[test]
    fn every_kind_of_evidence_survives_json() {
        let spans = vec![SpanEvidence {
            service: "cart".into(),
            operation: "GET /cart".into(),
            start: 1.5,
            seconds: 0.25,
            is_anomalous: true,
        }];
        let ranked = vec![Contributor {
            name: "db.latency".into(),
            weight: 0.7,
        }];
        let anomaly = anomaly()
            .with_evidence(Evidence::Trace(TraceEvidence {
                id: "4bf9".into(),
                spans,
            }))
            .with_contributors(ranked.clone())
            .with_evidence(Evidence::Ranking {
                of: "root causes".into(),
                ranked,
            })
            .with_label("namespace", "shop");
        let json = serde_json::to_string(&anomaly).unwrap();
        assert_eq!(serde_json::from_str::<Anomaly>(&json).unwrap(), anomaly);
    }

    #[test]
    fn direction_needs_a_centre_to_be_on_a_side_of() {
        let mut anomaly = anomaly();
        assert_eq!(anomaly.direction(), Some(Direction::Up));
        anomaly.observed = 3.0;
        assert_eq!(anomaly.direction(), Some(Direction::Down));
        anomaly.observed = f64::NAN;
        assert_eq!(anomaly.direction(), None);
        anomaly.expected = None;
        assert_eq!(anomaly.direction(), None);
    }

    #[test]
    fn a_bound_that_is_not_finite_is_no_bound() {
        let expected = |low, high| {
            Expected {
                low,
                high,
                centre: 0.0,
            }
            .to_string()
        };
        assert_eq!(expected(20.1, 40.3), "20.1 to 40.3");
        assert_eq!(expected(20.1, f64::INFINITY), "at least 20.1");
        assert_eq!(expected(f64::NAN, 40.3), "at most 40.3");
        assert_eq!(expected(f64::NAN, f64::NAN), "anything");
    }

    #[test]
    fn json_round_trip_is_exact() {
        let json = serde_json::to_string(&anomaly()).unwrap();
        assert_eq!(serde_json::from_str::<Anomaly>(&json).unwrap(), anomaly());
        assert!(
            json.contains(r#""subject":{"kind":"metric","name":"web1.cpu"}"#),
            "{json}"
        );
    }

    #[test]
    fn numbers_that_are_not_finite_become_null_and_come_back_as_nan() {
        let mut window = anomaly().window().clone();
        window.values[0] = f64::NAN;
        let mut odd = vote("a", None);
        (odd.measured, odd.limit) = (f64::NAN, f64::INFINITY);
        let expected = Expected {
            low: f64::NEG_INFINITY,
            high: 40.0,
            centre: 30.0,
        };
        let anomaly = anomaly()
            .with_value(97.2, Some(expected))
            .with_votes(vec![odd])
            .with_window(window);
        let json = serde_json::to_string(&anomaly).unwrap();
        assert!(json.contains(r#""low":null"#), "{json}");
        assert!(json.contains(r#""measured":null,"limit":null"#), "{json}");
        assert!(json.contains(r#""values":[null,97.2]"#), "{json}");
        let back: Anomaly = serde_json::from_str(&json).unwrap();
        assert!(back.votes()[0].measured.is_nan() && back.votes()[0].limit.is_nan());
        assert!(back.window().values[0].is_nan());
    }
}
