//! What a detector is. Which there are says [`crate::registry`].

use crate::window_stats::WindowStats;

/// One detector's answer about one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vote {
    /// The newest points do not fit the rest.
    Anomalous,
    /// They do.
    Normal,
    /// The detector has no answer: the original returned None or raised.
    Failed(VoteFailure),
}

impl From<bool> for Vote {
    fn from(anomalous: bool) -> Self {
        if anomalous { Self::Anomalous } else { Self::Normal }
    }
}

/// Why a detector has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum VoteFailure {
    /// The original returned None without an error: etsy's median_absolute_deviation in place of False.
    #[error("returned None")]
    NoAnswer,
    /// There is no point to look at.
    #[error("no points")]
    Empty,
    /// Too few points for the regression or the mean it needs.
    #[error("too few points")]
    TooFew,
    /// The reference it compares with has no spread.
    #[error("constant reference")]
    ConstantReference,
    /// The values are so close together, or so far apart, that no bins fit between them.
    #[error("no bins fit between the values")]
    NoBins,
}

impl VoteFailure {
    /// Whether the original raised, rather than just returning None.
    #[must_use]
    pub fn is_error(self) -> bool {
        self != Self::NoAnswer
    }
}

/// What a detector measured and what it held it against. Each detector says which side triggers; nearly always it is
/// measured > limit. NaN: there was nothing to measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// What was measured.
    pub measured: f64,
    /// What it was held against.
    pub limit: f64,
}

/// A detector looks at one window and votes.
///
/// The ensemble calls [`Detector::vote`] once per window and pass, on the worker thread that owns the window, several
/// threads at once on different windows: a detector is shared and keeps no state of its own. It does no I/O, takes no
/// lock, allocates nothing once its buffers are warm, and is at most linear in n on the path that most windows take.
/// [`Detector::comparison`] is called for reports only and may take its time.
///
/// The same window, `now` and settings give the same vote, bit for bit. A window of any length, with any values, must
/// not panic; the answer to non-finite values means nothing.
pub trait Detector: Send + Sync {
    /// The name in reports and settings, in snake case.
    fn name(&self) -> &str;

    /// The answer about this window.
    fn vote(&self, stats: &mut WindowStats<'_>) -> Vote;

    /// The two sides of the comparison behind the vote, by the plain formula.
    fn comparison(&self, stats: &mut WindowStats<'_>) -> Comparison;

    /// Whether the vote depends on `now`. If not, a window without new points need not be looked at again.
    fn reads_clock(&self) -> bool {
        false
    }

    /// Where it stands when the cheapest go first: roughly nanoseconds a point, times ten.
    fn cost(&self) -> u32 {
        1000
    }
}
