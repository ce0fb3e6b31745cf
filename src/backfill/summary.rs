//! What a backfill did, for the end of the command.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

/// Failed parts that are named; the rest is a number, as there may be thousands.
const NAMED: usize = 10;

/// What was done and what was not.
#[derive(Debug, Default)]
pub struct BackfillSummary {
    /// Parts there are.
    pub parts: usize,
    /// Parts fetched now.
    pub fetched: usize,
    /// Parts that were done before.
    pub done_before: usize,
    /// Parts that failed, with the reason, as far as they are named.
    pub failed: Vec<(String, String)>,
    /// Parts that failed.
    pub failures: usize,
    /// Metrics that got points.
    pub metrics: HashSet<String>,
    /// Points stored.
    pub points: u64,
    /// Hours left for the long memory.
    pub hours: u64,
    /// Metrics whose states were left for the analyzer.
    pub taught: u64,
    /// Points left out, by reason.
    pub left_out: BTreeMap<&'static str, u64>,
    /// Tries beyond the first, of the source and of the store.
    pub retries: u64,
    /// Whether it was on_progress to stop before the end.
    pub is_interrupted: bool,
    /// Seconds it took.
    pub seconds: f64,
}

impl BackfillSummary {
    pub(super) fn leave_out(&mut self, reason: &'static str, count: u64) {
        if count > 0 {
            *self.left_out.entry(reason).or_default() += count;
        }
    }

    fn left_out(&self) -> String {
        let left_out: Vec<String> = self
            .left_out
            .iter()
            .map(|(reason, count)| format!("{reason} {count}"))
            .collect();
        match left_out.is_empty() {
            true => "nothing".to_owned(),
            false => left_out.join(", "),
        }
    }

    /// Why nothing came of it, if nothing did: neither points for the store nor anything learnt, now or before.
    #[must_use]
    pub fn why_nothing(&self) -> Option<String> {
        if self.points + self.hours + self.taught > 0 || self.done_before > 0 || self.failures > 0 {
            return None;
        }
        let worst = self.left_out.iter().max_by_key(|(_, count)| **count);
        let hint = match worst.map(|(reason, _)| *reason) {
            None if self.parts == 0 => "the source has nothing by that name",
            None => "the source has no points of that time; `--from` and `--until` say which is meant",
            Some("before_from") => "`--from` reaches further back",
            Some("after_until" | "too_far_ahead") => "points lie after `--until`, or ahead of this clock",
            Some("too_old") => {
                "points are older than `store.full_duration`; with `--from` the last window of what has ended is stored"
            }
            Some("bad_name" | "name_too_long") => {
                "names hold no blanks, and no more than `ingest.max_name_bytes` bytes"
            }
            Some("unnamed_series") => "`--metric NAME` names what has no `__name__`",
            Some("skipped") => "`ingest.skip` leaves these metrics out",
            Some(_) => "nothing in it is a point that can be stored",
        };
        Some(format!(
            "no point was stored; left out: {}\nhint: {hint}",
            self.left_out()
        ))
    }

    pub(super) fn fail(&mut self, part: &str, reason: String) {
        self.failures += 1;
        if self.failed.len() < NAMED {
            self.failed.push((part.to_owned(), reason));
        }
    }
}

impl fmt::Display for BackfillSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "parts      {} of {} fetched, {} done before, {} failed",
            self.fetched, self.parts, self.done_before, self.failures
        )?;
        writeln!(f, "metrics    {}", self.metrics.len())?;
        writeln!(f, "points     {} stored", self.points)?;
        if self.hours > 0 {
            writeln!(f, "hours      {} for the long memory", self.hours)?;
        }
        if self.taught > 0 {
            writeln!(f, "taught     {} metrics", self.taught)?;
        }
        writeln!(f, "left out   {}", self.left_out())?;
        write!(f, "took       {:.1} s, {} retries", self.seconds, self.retries)?;
        for (part, reason) in &self.failed {
            write!(f, "\nfailed     `{part}`: {reason}")?;
        }
        if self.failures > self.failed.len() {
            write!(f, "\nfailed     and {} more", self.failures - self.failed.len())?;
        }
        Ok(())
    }
}
