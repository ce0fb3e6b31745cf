//! Which points are let in: by age, by name, by how many metrics there are.
//!
//! What is decided about a name is kept by its hash, so that patterns are asked once a name and not once a point. Names
//! that fall silent are forgotten after `max_age`, as the trimmer removes them from the store.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, BuildHasherDefault};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use skywatch_settings::Pattern;

use super::counters::DropReason;
use crate::hash::Hashed;
use crate::live_value::LiveValue;
use crate::sender_mark::MarkKind;

/// Seconds between two log lines that there are too many metrics.
const NOTICE_EACH: u32 = 60;

/// Seconds between two marks of a metric that it has no number: each is a write to the store.
const SAY_EACH: u32 = 60;

/// What may come in.
#[derive(Debug, Clone)]
pub struct IntakePolicy {
    /// As set.
    pub settings: skywatch_settings::Ingest,
    /// Points older than this are dropped: as set, or what a window can hold.
    pub max_age: Duration,
}

impl IntakePolicy {
    pub(crate) fn skips(&self, name: &str) -> bool {
        let any = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(name));
        any(&self.settings.skip) && !any(&self.settings.do_not_skip)
    }
}

/// The policy and what it has decided so far; shared by all listeners.
pub(crate) struct Gate {
    /// Replaced as a whole, so that the points of one read are judged by one of them.
    policy: LiveValue<IntakePolicy>,
    /// Locked for the points of one read, never across waiting.
    names: Mutex<NameTable>,
}

/// Decisions about names.
#[derive(Default)]
struct NameTable {
    /// Keyed at random: a sender cannot choose names that share a hash, and by chance two do once in 10¹³ for a million.
    state: RandomState,
    known: HashMap<u64, NameDecision, BuildHasherDefault<Hashed>>,
    /// NameDecision names that are let in.
    taken: usize,
    /// When silent names were last forgotten, Unix seconds.
    swept: u32,
    /// When it was last said that there are too many.
    noticed: u32,
}

#[derive(Clone, Copy)]
struct NameDecision {
    /// Unix seconds of the last point.
    seen: u32,
    /// Unix seconds at which it was last passed on that there is no number; 0 for never.
    said: u32,
    taken: bool,
}

impl Gate {
    pub(crate) fn new(policy: IntakePolicy) -> Self {
        Self {
            policy: LiveValue::new(policy),
            names: Mutex::default(),
        }
    }

    /// What may come in now.
    pub(super) fn policy(&self) -> Arc<IntakePolicy> {
        self.policy.current()
    }

    /// Lets other points in from here on: by age, by name, by how many metrics there are. What has to do with listeners and the
    /// queue stays as it is. Names are judged anew as they come, so with as many metrics as there may be the first that come
    /// have the room.
    pub(crate) fn change(&self, new: IntakePolicy) {
        let old = self.policy();
        let settings = skywatch_settings::Ingest {
            skip: new.settings.skip,
            do_not_skip: new.settings.do_not_skip,
            max_future: new.settings.max_future,
            max_metrics: new.settings.max_metrics,
            ..old.settings.clone()
        };
        let is_by_name =
            settings.skip != old.settings.skip || settings.do_not_skip != old.settings.do_not_skip;
        let policy = IntakePolicy {
            settings,
            max_age: new.max_age,
        };
        self.policy.replace(policy);
        if is_by_name {
            let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            names.known.clear();
            names.taken = 0;
        }
    }

    /// Judges the points of one read, which came at `now` (Unix seconds).
    pub(crate) fn open(&self, now: f64) -> OpenGate<'_> {
        // In this order: names that are judged are judged by the policy in force when the table was locked, or a newer one.
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let policy = self.policy();
        OpenGate {
            names,
            now,
            oldest: now - policy.max_age.as_secs_f64(),
            latest: now + policy.settings.max_future.as_secs_f64(),
            policy,
        }
    }

    /// Makes names known that the store holds already, so that after a restart they go before new ones.
    pub(crate) fn remember(&self, names: &[String], now: f64) {
        let mut opened = self.open(now);
        for name in names {
            // What is skipped by now, or too much, is not taken from here on.
            let _ = opened.name(name);
        }
    }
}

/// The gate while one read goes through it.
pub(crate) struct OpenGate<'g> {
    policy: Arc<IntakePolicy>,
    names: MutexGuard<'g, NameTable>,
    now: f64,
    oldest: f64,
    latest: f64,
}

impl OpenGate<'_> {
    /// Judges a point whose name is canonical.
    ///
    /// # Errors
    /// The reason for which it is dropped.
    pub(crate) fn point(&mut self, name: &str, time: f64, value: f64) -> Result<(), DropReason> {
        if !value.is_finite() {
            return Err(DropReason::NotFinite);
        }
        if !(time.is_finite() && time > 0.0) {
            return Err(DropReason::BadTime);
        }
        if time < self.oldest {
            return Err(DropReason::TooOld);
        }
        if time > self.latest {
            return Err(DropReason::TooFarAhead);
        }
        self.name(name)
    }

    /// Whether what was said of a metric at `time` is to be passed on: if its points are taken, and of what is said again and
    /// again once a minute.
    pub(crate) fn said(&mut self, name: &str, time: f64, kind: MarkKind) -> bool {
        if !(time >= self.oldest && time <= self.latest) {
            return false;
        }
        let hash = self.names.state.hash_one(name);
        let now = self.now as u32;
        let Some(known) = self.names.known.get_mut(&hash).filter(|known| known.taken) else {
            return false;
        };
        // It is there, though it has no number.
        known.seen = now;
        if kind == MarkKind::NoNumber && now.abs_diff(known.said) < SAY_EACH {
            return false;
        }
        known.said = now;
        true
    }

    fn name(&mut self, name: &str) -> Result<(), DropReason> {
        let hash = self.names.state.hash_one(name);
        if let Some(known) = self.names.known.get_mut(&hash) {
            known.seen = self.now as u32;
            return if known.taken {
                Ok(())
            } else {
                Err(DropReason::Skipped)
            };
        }
        let taken = !self.policy.skips(name);
        if self.names.known.len() >= self.policy.settings.max_metrics {
            self.names.forget_silent(self.now, &self.policy);
        }
        let full = self.names.known.len() >= self.policy.settings.max_metrics;
        if taken && full && self.names.taken >= self.policy.settings.max_metrics {
            self.names.notice(name, self.now, &self.policy);
            return Err(DropReason::TooManyMetrics);
        }
        if full {
            // Taken names have the room before skipped ones, which can be judged again.
            self.names.forget_skipped(taken);
        }
        if taken || !full {
            self.names.taken += usize::from(taken);
            let seen = self.now as u32;
            let known = NameDecision { seen, said: 0, taken };
            self.names.known.insert(hash, known);
        }
        if taken { Ok(()) } else { Err(DropReason::Skipped) }
    }
}

impl NameTable {
    /// At most once a minute: it looks at every name.
    fn forget_silent(&mut self, now: f64, policy: &IntakePolicy) {
        let now = now as u32;
        if now.abs_diff(self.swept) < NOTICE_EACH {
            return;
        }
        self.swept = now;
        let longest = policy.max_age.as_secs().try_into().unwrap_or(u32::MAX);
        self.known
            .retain(|_, known| now.saturating_sub(known.seen) <= longest);
        self.taken = self.known.values().filter(|known| known.taken).count();
    }

    fn forget_skipped(&mut self, all: bool) {
        if all {
            self.known.retain(|_, known| known.taken);
        }
    }

    fn notice(&mut self, name: &str, now: f64, policy: &IntakePolicy) {
        let now = now as u32;
        if now.abs_diff(self.noticed) < NOTICE_EACH {
            return;
        }
        self.noticed = now;
        tracing::warn!(
            "{} distinct metrics are known, the limit; points of any other are dropped until old ones fall silent for {}, \
             now of `{name}`\nhint: raise `ingest.max_metrics`, or keep the names that never come again out by `ingest.skip`",
            self.taken,
            skywatch_settings::show_duration(policy.max_age),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: f64 = 1_700_000_000.0;

    fn gate(max_metrics: usize) -> Gate {
        let patterns = |all: &[&str]| all.iter().map(|p| Pattern::parse(p).expect("good")).collect();
        Gate::new(IntakePolicy {
            settings: skywatch_settings::Ingest {
                max_future: Duration::from_secs(60),
                skip: patterns(&["/^skywatch[.]/", "noise."]),
                do_not_skip: patterns(&["analyzer.run_time"]),
                max_metrics,
                max_name_bytes: 100,
                ..Default::default()
            },
            max_age: Duration::from_secs(1_000),
        })
    }

    #[test]
    fn points_too_old_or_too_far_ahead_are_dropped() {
        let gate = gate(10);
        let mut open = gate.open(NOW);
        assert_eq!(open.point("a", NOW - 1_000.0, 1.0), Ok(()));
        assert_eq!(open.point("a", NOW - 1_000.5, 1.0), Err(DropReason::TooOld));
        assert_eq!(open.point("a", NOW + 60.0, 1.0), Ok(()));
        assert_eq!(open.point("a", NOW + 60.5, 1.0), Err(DropReason::TooFarAhead));
        assert_eq!(open.point("a", f64::NAN, 1.0), Err(DropReason::BadTime));
        assert_eq!(open.point("a", -5.0, 1.0), Err(DropReason::BadTime));
        assert_eq!(open.point("a", NOW, f64::INFINITY), Err(DropReason::NotFinite));
    }

    #[test]
    fn our_own_metrics_are_skipped_but_for_those_worth_watching() {
        let gate = gate(10);
        for _ in 0..2 {
            let mut open = gate.open(NOW);
            assert_eq!(
                open.point("skywatch.ingest.accepted", NOW, 1.0),
                Err(DropReason::Skipped)
            );
            assert_eq!(open.point("skywatch.analyzer.run_time", NOW, 1.0), Ok(()));
            assert_eq!(open.point("servers.skywatch.cpu", NOW, 1.0), Ok(()));
            assert_eq!(open.point("a.noise.b", NOW, 1.0), Err(DropReason::Skipped));
        }
    }

    #[test]
    fn another_policy_holds_from_the_next_read_on() {
        let gate = gate(10);
        assert_eq!(gate.open(NOW).point("a.b", NOW, 1.0), Ok(()));
        assert_eq!(
            gate.open(NOW).point("noise.1", NOW, 1.0),
            Err(DropReason::Skipped)
        );
        let mut settings = gate.policy().settings.clone();
        settings.skip = vec![Pattern::parse("a.").expect("good")];
        settings.flush_interval = Duration::from_secs(7);
        gate.change(IntakePolicy {
            settings,
            max_age: Duration::from_secs(10),
        });
        assert_eq!(gate.open(NOW).point("a.b", NOW, 1.0), Err(DropReason::Skipped));
        assert_eq!(gate.open(NOW).point("noise.1", NOW, 1.0), Ok(()));
        assert_eq!(
            gate.open(NOW).point("noise.1", NOW - 11.0, 1.0),
            Err(DropReason::TooOld)
        );
        assert_ne!(
            gate.policy().settings.flush_interval.as_secs(),
            7,
            "that takes a restart"
        );
    }

    #[test]
    fn one_metric_too_many_waits_until_another_falls_silent() {
        let gate = gate(2);
        assert_eq!(
            gate.open(NOW).point("noise.1", NOW, 1.0),
            Err(DropReason::Skipped)
        );
        for name in ["a", "b", "a", "b"] {
            assert_eq!(gate.open(NOW).point(name, NOW, 1.0), Ok(()), "{name}");
        }
        assert_eq!(
            gate.open(NOW).point("c", NOW, 1.0),
            Err(DropReason::TooManyMetrics)
        );
        assert_eq!(
            gate.open(NOW).point("noise.1", NOW, 1.0),
            Err(DropReason::Skipped)
        );
        let later = NOW + 900.0;
        assert_eq!(gate.open(later).point("a", later, 1.0), Ok(()));
        assert_eq!(
            gate.open(later).point("c", later, 1.0),
            Err(DropReason::TooManyMetrics)
        );
        let later = NOW + 1_001.0;
        assert_eq!(gate.open(later).point("c", later, 1.0), Ok(()));
        assert_eq!(gate.open(later).point("a", later, 1.0), Ok(()));
        assert_eq!(
            gate.open(later).point("b", later, 1.0),
            Err(DropReason::TooManyMetrics)
        );
    }

    #[test]
    fn what_is_said_of_a_metric_that_is_taken_is_passed_on_once_a_minute() {
        let gate = gate(10);
        assert!(!gate.open(NOW).said("a", NOW, MarkKind::NoNumber), "not known");
        assert_eq!(gate.open(NOW).point("a", NOW, 1.0), Ok(()));
        assert_eq!(
            gate.open(NOW).point("noise.1", NOW, 1.0),
            Err(DropReason::Skipped)
        );
        assert!(
            !gate.open(NOW).said("noise.1", NOW, MarkKind::NoNumber),
            "not taken"
        );
        assert!(
            !gate.open(NOW).said("a", NOW - 1_001.0, MarkKind::NoNumber),
            "too old"
        );
        assert!(!gate.open(NOW).said("a", f64::NAN, MarkKind::NoNumber));
        for (later, is_passed_on) in [
            (0.0, true),
            (15.0, false),
            (59.0, false),
            (60.0, true),
            (75.0, false),
        ] {
            let now = NOW + later;
            assert_eq!(
                gate.open(now).said("a", now, MarkKind::NoNumber),
                is_passed_on,
                "{later}"
            );
        }
        assert!(gate.open(NOW + 76.0).said("a", NOW + 76.0, MarkKind::Ended));
    }

    #[test]
    fn what_the_store_holds_goes_before_what_is_new() {
        let gate = gate(2);
        gate.remember(&["a".to_owned(), "noise.1".to_owned(), "b".to_owned()], NOW);
        assert_eq!(
            gate.open(NOW).point("c", NOW, 1.0),
            Err(DropReason::TooManyMetrics)
        );
        assert_eq!(gate.open(NOW).point("b", NOW, 1.0), Ok(()));
    }
}
