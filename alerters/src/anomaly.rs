//! Everybody's word for "something is wrong".
//!
//! Whatever found it (the ensemble, a multivariate entity, a trace model, the health plane), an
//! [`Anomaly`] says what, when, how far from what was expected, who voted, and holds the points a
//! reader needs to judge it for himself. It is plain data with a stable JSON form.
//!
//! JSON has no NaN and no infinity. They are written as `null` and read back as NaN, so a bound
//! that is not finite means "no bound" everywhere in this crate.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::units;

/// A verdict worth keeping.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Anomaly {
    /// What is wrong.
    pub subject: Subject,
    /// Time of the judged point, Unix seconds.
    pub at: f64,
    /// The value that was judged.
    #[serde(with = "null_unless_finite")]
    pub observed: f64,
    /// The range the value was expected in, when a detector could say.
    pub expected: Option<Expected>,
    /// Every detector's answer, in the order the detectors were asked.
    pub votes: Votes,
    /// The window that was judged.
    pub evidence: Evidence,
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

/// Share of the cast votes from which an anomaly is critical: eight of the nine classic tests.
const CRITICAL_SHARE: f64 = 0.85;

/// Score from which an anomaly is critical: twice the limit. A score is 1 at the limit and 1 + ln(times the limit) / 4
/// beyond, so that 1.17 is twice, 1.4 five times and 1.75 twenty times the limit.
const CRITICAL_SCORE: f64 = 1.17;

/// What an anomaly is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "lowercase")]
pub enum Subject {
    /// One metric, by its full name.
    Metric(String),
    /// A machine, pod or container judged over several metrics at once.
    Entity(String),
    /// A trace or a service's traces.
    Trace(String),
    /// A component of the health plane.
    Component(String),
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

/// One detector's answer, with both sides of the comparison that gave it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DetectorVote {
    /// The detector's name in the registry.
    pub detector: String,
    /// `Some(true)` is anomalous, `Some(false)` is normal, `None` is no vote cast.
    pub answer: Option<bool>,
    /// What the detector measured.
    #[serde(with = "null_unless_finite")]
    pub measured: f64,
    /// What it compared the measurement with.
    #[serde(with = "null_unless_finite")]
    pub limit: f64,
}

/// Every detector's answer. Copies share their memory until one is changed: what is known of a metric goes from the pass
/// to its incident and from there to the history, and among thousands of anomalies most have the same answers.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(from = "Vec<DetectorVote>")]
pub struct Votes(Arc<Vec<DetectorVote>>);

impl From<Vec<DetectorVote>> for Votes {
    fn from(votes: Vec<DetectorVote>) -> Self {
        Self(Arc::new(votes))
    }
}

impl FromIterator<DetectorVote> for Votes {
    fn from_iter<I: IntoIterator<Item = DetectorVote>>(votes: I) -> Self {
        Vec::from_iter(votes).into()
    }
}

impl Deref for Votes {
    type Target = Vec<DetectorVote>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Votes {
    fn deref_mut(&mut self) -> &mut Self::Target {
        Arc::make_mut(&mut self.0)
    }
}

impl<'a> IntoIterator for &'a Votes {
    type Item = &'a DetectorVote;
    type IntoIter = std::slice::Iter<'a, DetectorVote>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Serialize for Votes {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self)
    }
}

/// The window that was judged. `times` and `values` have the same length, times ascend.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Unix seconds.
    pub times: Vec<f64>,
    /// The values the detectors saw.
    #[serde(with = "null_unless_finite::each")]
    pub values: Vec<f64>,
    /// Whether `values` are per-step differences of a counter.
    pub rate: bool,
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

impl Anomaly {
    /// Names of the detectors that said anomalous, in voting order.
    pub fn voters(&self) -> impl Iterator<Item = &str> {
        self.votes
            .iter()
            .filter(|vote| vote.answer == Some(true))
            .map(|vote| vote.detector.as_str())
    }

    /// How many detectors cast a vote, either way.
    pub fn cast(&self) -> usize {
        self.votes.iter().filter(|vote| vote.answer.is_some()).count()
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

    /// How much it matters. This is the one definition; `docs/alerting.md` says it in words.
    ///
    /// Where a score decides, it holds both how far and how sure: limits lie where a metric's own noise hardly ever comes,
    /// and twice that is critical. Where votes are counted, critical is that (nearly) all who voted agree. A component has
    /// neither and is critical, as whoever reports one has decided already; unless its strength says less.
    pub fn severity(&self) -> Severity {
        match self.subject {
            Subject::Component(_) if self.strength.is_none() => Severity::Critical,
            _ if let Some(Strength { score, .. }) = self.strength => {
                if score >= CRITICAL_SCORE {
                    Severity::Critical
                } else {
                    Severity::Warning
                }
            }
            _ if self.score() >= CRITICAL_SHARE => Severity::Critical,
            _ => Severity::Warning,
        }
    }

    /// The same without its window, to be kept or listed in numbers.
    pub fn without_window(&self) -> Self {
        Self {
            subject: self.subject.clone(),
            votes: self.votes.clone(),
            evidence: Evidence {
                rate: self.evidence.rate,
                ..Evidence::default()
            },
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
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Subject {
    /// The name, whatever kind of subject it is.
    pub fn name(&self) -> &str {
        let (Self::Metric(name) | Self::Entity(name) | Self::Trace(name) | Self::Component(name)) = self;
        name
    }

    /// The kind in one lower-case word, as in the JSON form.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Metric(_) => "metric",
            Self::Entity(_) => "entity",
            Self::Trace(_) => "trace",
            Self::Component(_) => "component",
        }
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

impl Evidence {
    /// Seconds the points cover, each standing for one step: 1,440 points a minute apart cover 24 h.
    /// 0 with fewer than two points.
    pub fn covered(&self) -> f64 {
        match (self.times.first(), self.times.last()) {
            (Some(first), Some(last)) if last > first => {
                let points = self.times.len() as f64;
                (last - first) * points / (points - 1.0)
            }
            _ => 0.0,
        }
    }
}

/// Serde form of numbers that may not be finite: `null` stands for NaN and both infinities.
mod null_unless_finite {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    fn finite(value: f64) -> Option<f64> {
        value.is_finite().then_some(value)
    }

    pub(super) fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
        finite(*value).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        Ok(Option::deserialize(from)?.unwrap_or(f64::NAN))
    }

    /// The same for every element of a list.
    pub(super) mod each {
        use super::{Deserialize, Deserializer, Serializer, finite};

        pub(in super::super) fn serialize<S: Serializer>(values: &[f64], to: S) -> Result<S::Ok, S::Error> {
            to.collect_seq(values.iter().map(|value| finite(*value)))
        }

        pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Vec<f64>, D::Error> {
            let values = Vec::<Option<f64>>::deserialize(from)?;
            Ok(values
                .into_iter()
                .map(|value| value.unwrap_or(f64::NAN))
                .collect())
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
        Anomaly {
            subject: Subject::Metric("web1.cpu".into()),
            at: 1_795_268_520.0,
            observed: 97.2,
            expected: Some(Expected {
                low: 20.0,
                high: 40.0,
                centre: 30.0,
            }),
            votes: vec![vote("a", Some(true)), vote("b", Some(false)), vote("c", None)].into(),
            evidence: Evidence {
                times: vec![0.0, 60.0],
                values: vec![30.0, 97.2],
                rate: false,
            },
            sentence: String::new(),
            strength: None,
        }
    }

    #[test]
    fn score_counts_only_votes_that_were_cast() {
        let mut anomaly = anomaly();
        assert_eq!(anomaly.voters().collect::<Vec<_>>(), ["a"]);
        assert_eq!(anomaly.cast(), 2);
        assert_eq!(anomaly.score(), 0.5);
        anomaly.votes.clear();
        assert_eq!(anomaly.score(), 0.0);
    }

    #[test]
    fn a_copy_that_is_changed_changes_nobody_else() {
        let first = anomaly();
        let mut second = first.without_window();
        assert!(Arc::ptr_eq(&first.votes.0, &second.votes.0));
        second.votes[0].answer = None;
        assert_eq!((first.cast(), second.cast()), (2, 1));
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
        let mut anomaly = anomaly();
        anomaly.expected = Some(Expected {
            low: f64::NEG_INFINITY,
            high: 40.0,
            centre: 30.0,
        });
        anomaly.votes[0].measured = f64::NAN;
        anomaly.votes[0].limit = f64::INFINITY;
        anomaly.evidence.values[0] = f64::NAN;
        let json = serde_json::to_string(&anomaly).unwrap();
        assert!(json.contains(r#""low":null"#), "{json}");
        assert!(json.contains(r#""measured":null,"limit":null"#), "{json}");
        assert!(json.contains(r#""values":[null,97.2]"#), "{json}");
        let back: Anomaly = serde_json::from_str(&json).unwrap();
        assert!(back.votes[0].measured.is_nan() && back.votes[0].limit.is_nan());
        assert!(back.evidence.values[0].is_nan());
    }
}
