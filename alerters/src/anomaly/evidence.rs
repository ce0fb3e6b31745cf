//! What shows that something is wrong: points, votes, spans, rankings.
//!
//! JSON has no NaN and no infinity. They are written as `null` and read back as NaN, so a bound
//! that is not finite means "no bound" everywhere in this crate.

use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One piece of evidence. A kind this version does not know is read as [`Evidence::Unknown`], so that a newer history does
/// not hide its incidents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Evidence {
    /// The points that were judged.
    Window(JudgedWindow),
    /// Every detector's answer, in the order the detectors were asked.
    Votes {
        /// The answers.
        votes: Votes,
    },
    /// The spans of a trace.
    Trace(TraceEvidence),
    /// Names in order of their share: suspected causes, the metrics of an entity.
    Ranking {
        /// What is ranked, for people: `root causes`.
        of: String,
        /// Largest share first.
        ranked: Vec<Contributor>,
    },
    /// Something a newer version found.
    #[serde(other)]
    Unknown,
}

/// A name and its part in an anomaly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contributor {
    /// A metric, service or component.
    pub name: String,
    /// Its share, 0 to 1.
    #[serde(with = "null_unless_finite")]
    pub weight: f64,
}

/// The window that was judged. `times` and `values` have the same length, times ascend.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct JudgedWindow {
    /// Unix seconds.
    pub times: Vec<f64>,
    /// The values the detectors saw.
    #[serde(with = "null_unless_finite::each")]
    pub values: Vec<f64>,
    /// Whether `values` are per-step differences of a counter.
    pub rate: bool,
}

impl JudgedWindow {
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

/// The trace that was judged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TraceEvidence {
    /// The trace's id, in hexadecimal digits.
    pub id: String,
    /// Its spans, parents before children.
    pub spans: Vec<SpanEvidence>,
}

/// One span of a trace that was judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpanEvidence {
    /// The service it ran in.
    pub service: String,
    /// What it did.
    pub operation: String,
    /// When it began, Unix seconds.
    pub start: f64,
    /// How long it took, seconds.
    pub seconds: f64,
    /// Whether it is one that is wrong.
    pub is_anomalous: bool,
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

/// Every detector's answer. Copies share their memory: what is known of a metric goes from the pass to its incident and
/// from there to the history, and among thousands of anomalies most have the same answers.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(from = "Vec<DetectorVote>")]
pub struct Votes(pub(super) Arc<Vec<DetectorVote>>);

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
    type Target = [DetectorVote];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Serialize for Votes {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.iter())
    }
}

/// Serde form of numbers that may not be finite: `null` stands for NaN and both infinities.
pub(crate) mod null_unless_finite {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    fn finite(value: f64) -> Option<f64> {
        value.is_finite().then_some(value)
    }

    pub(crate) fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
        finite(*value).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        Ok(Option::deserialize(from)?.unwrap_or(f64::NAN))
    }

    /// The same for every element of a list.
    pub(crate) mod each {
        use super::{Deserialize, Deserializer, Serializer, finite};

        pub(crate) fn serialize<S: Serializer>(values: &[f64], to: S) -> Result<S::Ok, S::Error> {
            to.collect_seq(values.iter().map(|value| finite(*value)))
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f64>, D::Error> {
            let values = Vec::<Option<f64>>::deserialize(from)?;
            Ok(values
                .into_iter()
                .map(|value| value.unwrap_or(f64::NAN))
                .collect())
        }
    }
}
