//! What judging one metric came to, in either profile.

use skywatch_algorithms::{Exception, Verdict};

use super::scored::ScoredAnomaly;

/// A verdict, and what it is about.
pub(super) struct Evaluation {
    /// The ballot is blank in the adaptive profile.
    pub(super) verdict: Verdict,
    /// Time of the newest point that counts, Unix seconds; of the last one learnt if there is no newer.
    pub(super) at: f64,
    /// The anomaly of the adaptive profile: the point with the highest score among those that are new.
    pub(super) scored: Option<Box<ScoredAnomaly>>,
}

impl Evaluation {
    /// Of a metric that is not judged.
    pub(super) fn excluded(exception: Exception, at: f64) -> Self {
        Self {
            verdict: Verdict::Excluded(exception),
            at,
            scored: None,
        }
    }
}
