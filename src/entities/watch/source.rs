//! Where values of entities come from.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::sources::LeftOut;
use crate::stop::Stop;

/// A place that gives values of entities. One thread uses it; a call blocks for no longer than the source's own limits, and ends
/// early once stop is said.
pub(super) trait EntitySource: Send {
    /// Where it is, for people; holds no secret.
    fn describe(&self) -> String;

    /// Fetches all metrics of all entities up to the step `newest`: what came since the last answer, with some of before for what
    /// was late. Each metric ends with an answer or without one: that a source has no values and that it does not say are two
    /// things.
    fn fetch(&mut self, newest: i64, each: &mut dyn FnMut(FetchedPart), stop: &Stop);
}

/// A part of what a source gives.
#[derive(Debug)]
pub(super) enum FetchedPart {
    /// Values of one metric of one entity.
    Values(FetchedValues),
    /// All values of a metric have come.
    Answered {
        /// Which.
        metric: Arc<str>,
        /// Series that came.
        series: usize,
        /// What was left out, by reason.
        left_out: LeftOut,
    },
    /// A metric of which nothing is known, though some values may have come.
    NoAnswer {
        /// Which.
        metric: Arc<str>,
        /// Why.
        why: String,
    },
}

/// Values of one metric of one entity.
#[derive(Debug)]
pub(super) struct FetchedValues {
    pub(super) metric: Arc<str>,
    pub(super) entity: String,
    /// What tells it from others, by label.
    pub(super) labels: BTreeMap<String, String>,
    /// Step and value, in any order.
    pub(super) values: Vec<(i64, f64)>,
}
