//! What the role that judges entities counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::sources::LeftOut;

/// Counters since start, and how the last fetch went.
#[derive(Debug, Default)]
pub(super) struct EntityCounters {
    /// Values that were taken.
    pub(super) values: u64,
    /// Values for steps that are not held any more.
    pub(super) too_old: u64,
    /// Parts of answers that could not be read, among them values that are no numbers.
    pub(super) left_out: u64,
    /// Questions that were answered, and those that were not.
    pub(super) answers: u64,
    pub(super) no_answer: u64,
    /// Answers without a series.
    pub(super) no_data: u64,
    /// Series of entities for which there was no place.
    pub(super) refused_entities: u64,
    /// Series, or what was learnt, for which there was no memory.
    pub(super) without_room: u64,
    /// Rows that were judged, and those of which nothing could be said.
    pub(super) rows_judged: u64,
    pub(super) rows_unjudged: u64,
    /// Fits, those that failed, and detectors that came from the model store.
    pub(super) fits: u64,
    pub(super) failed_fits: u64,
    pub(super) restored: u64,
    /// Looks at all entities, and those at which a source gave no answer at all.
    pub(super) looks: u64,
    pub(super) blind_looks: u64,
    /// Metrics without an answer at the last fetch, and why; metrics without data.
    pub(super) unanswered_now: BTreeMap<Arc<str>, String>,
    pub(super) without_data_now: Vec<Arc<str>>,
    answered_now: usize,
}

impl EntityCounters {
    /// A fetch begins.
    pub(super) fn begin_fetch(&mut self) {
        self.unanswered_now.clear();
        self.without_data_now.clear();
        self.answered_now = 0;
    }

    /// Counts the answer to a question for a metric: so many series, and what was left out of it.
    pub(super) fn answered(&mut self, metric: &Arc<str>, series: usize, left_out: &LeftOut) {
        self.answers += 1;
        self.answered_now += 1;
        self.left_out += left_out.values().sum::<u64>();
        if series == 0 {
            self.no_data += 1;
            self.without_data_now.push(Arc::clone(metric));
        }
    }

    pub(super) fn unanswered(&mut self, metric: &Arc<str>, why: String) {
        self.no_answer += 1;
        self.unanswered_now.insert(Arc::clone(metric), why);
    }

    /// Whether nothing was answered at the last fetch, and why.
    pub(super) fn blind(&self) -> Option<&str> {
        let why = self.unanswered_now.values().next();
        why.filter(|_| self.answered_now == 0).map(String::as_str)
    }

    /// All of them by name, in a stable order.
    pub(super) fn snapshot(&self) -> Vec<(String, u64)> {
        let all = [
            ("values", self.values),
            ("too_old", self.too_old),
            ("left_out", self.left_out),
            ("answers", self.answers),
            ("no_answer", self.no_answer),
            ("no_data", self.no_data),
            ("refused_entities", self.refused_entities),
            ("without_room", self.without_room),
            ("rows_judged", self.rows_judged),
            ("rows_unjudged", self.rows_unjudged),
            ("fits", self.fits),
            ("failed_fits", self.failed_fits),
            ("restored", self.restored),
            ("looks", self.looks),
            ("blind_looks", self.blind_looks),
        ];
        all.map(|(name, n)| (name.to_owned(), n)).into()
    }
}
