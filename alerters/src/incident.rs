//! An anomaly's life, from the first sight of it to the last word about it.
//!
//! ```text
//!            seen N of M            told, or not
//! (nothing) ───────────► pending ───────────► open ◄──────────► acknowledged
//!                           │                  │  ▲                  │
//!                  not seen │        quiet for │  │ back within      │ quiet for long enough
//!                    enough │      long enough │  │ half an hour     │
//!                           ▼                  ▼  │                  ▼
//!                       forgotten     resolved, settled ◄────────────┘
//!
//! whatever it is: the metric is deleted ► gone, somebody closes it ► closed
//! ```
//!
//! It is resolved when the values are back within what was expected before it began, and settled when what they are now
//! has become what is expected. The second is no recovery, and no message calls it one.
//!
//! Quiet time is the time that judged points cover: a metric nobody could judge is neither well nor ill, its
//! incident waits and says since when nothing is known.

use std::collections::{BTreeMap, BTreeSet};

mod change;
mod observation;
mod phase;

use serde::{Deserialize, Serialize};

pub use change::IncidentChange;
pub use observation::{Observation, ObservedOutcome};
pub use phase::Phase;

use crate::anomaly::{Anomaly, Expected, Severity, Subject};

/// Seconds within which one that begins so often …
const FLAPPING_WITHIN: f64 = 3_600.0;
/// … is flapping.
const FLAPPING_FROM: u32 = 3;

/// How an incident ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    /// As what: resolved, settled, gone or closed.
    pub outcome: Phase,
    /// Its subject's value then, where one is known: the newest that was judged.
    pub value: Option<f64>,
    /// The level that was expected before, of one that settled.
    #[serde(default)]
    pub before: Option<f64>,
    /// Who closed it; empty where nobody did.
    #[serde(default)]
    pub by: String,
}

/// Somebody has the incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Who.
    pub by: String,
    /// When, Unix seconds.
    pub at: f64,
    /// Nothing more is said until it is resolved, not even that it became worse or came back.
    pub until_resolved: bool,
}

/// What one receiver was told of an incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastTold {
    /// The conversation it was told in; see [`Notice::thread`](crate::Notice::thread).
    pub thread: String,
    /// The route that led there.
    pub route: String,
    /// When it was last told of, Unix seconds.
    pub at: f64,
    /// When it was last told that it is wrong, Unix seconds: from then the cooldown and the repeat interval count.
    pub fired_at: f64,
    /// How bad it was then.
    pub severity: Severity,
    /// The last thing told was that it is over.
    pub over: bool,
    /// It was told that somebody has it.
    pub acknowledged: bool,
    /// When it was last told that it still lasts, as machines are on a clock of their own, Unix seconds.
    #[serde(default)]
    pub refreshed_at: Option<f64>,
}

/// One incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its number, from 1 upwards in the order of first sight.
    pub id: u64,
    /// What it is about.
    pub subject: Subject,
    /// Where it is in its life.
    pub phase: Phase,
    /// Time of the first anomalous point, Unix seconds.
    pub since: f64,
    /// When it was opened, Unix seconds; `None` while pending.
    pub opened_at: Option<f64>,
    /// When it ended, Unix seconds.
    pub closed_at: Option<f64>,
    /// How it ended; `None` while it lasts.
    #[serde(default)]
    pub ending: Option<Ending>,
    /// The last judged points, newest in the lowest bit; 1 is anomalous.
    pub looks: u64,
    /// Time of the last judged point, Unix seconds.
    pub last_at: f64,
    /// Time of the last anomalous point, Unix seconds.
    pub last_anomalous: f64,
    /// Seconds of judged, normal points since then.
    pub quiet: f64,
    /// Since when nothing is known of the subject, Unix seconds.
    pub unknown_since: Option<f64>,
    /// The latest anomaly, without its window.
    pub anomaly: Anomaly,
    /// What was expected when it began, or came back: what it must be within again to be resolved.
    #[serde(default)]
    pub expected: Option<Expected>,
    /// The newest judged value, where it is known.
    #[serde(default)]
    pub value: Option<f64>,
    /// Since it was last anomalous a new level was taken for usual.
    #[serde(default)]
    pub accepted: bool,
    /// The level before that one, where it is known.
    #[serde(default)]
    pub level_before: Option<f64>,
    /// The worst it has been.
    pub severity: Severity,
    /// Who has it.
    pub ack: Option<Acknowledgement>,
    /// How often it was over and came back.
    pub returns: u32,
    /// When it was opened and came back within the last hour, Unix seconds.
    #[serde(default)]
    pub begun: Vec<f64>,
    /// What each receiver was told, by the receiver's name.
    pub told: BTreeMap<String, LastTold>,
    /// Receivers that are to hear of it, and whose group still waits.
    #[serde(default)]
    pub waiting: BTreeSet<String>,
    /// The silence that keeps it quiet, while one does.
    #[serde(default)]
    pub silenced_by: Option<u64>,
    /// When the last silence over it ended while it was open, Unix seconds.
    #[serde(default)]
    pub silence_ended_at: Option<f64>,
    /// What ended that silence, if a change of this incident did.
    #[serde(default)]
    pub silence_ended_by: Option<IncidentChange>,
    /// The incident it follows from, while that holds it back.
    #[serde(default)]
    pub inhibited_by: Option<u64>,
}

/// How often something must be seen to be opened, and for how long it must be well to be resolved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hysteresis {
    /// Anomalous points …
    pub seen: u32,
    /// … among so many of the last judged ones; at most 64.
    pub of: u32,
    /// Seconds of judged, normal points after which it is over.
    pub resolve_after: f64,
    /// Seconds after its end in which it comes back as the same incident.
    pub return_within: f64,
    /// Seconds that one step between two points counts for at most: what lies in a gap was not judged.
    pub longest_step: f64,
}

/// One step in an incident's life, for the history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IncidentTransition {
    /// The incident.
    pub incident: u64,
    /// When, Unix seconds.
    pub at: f64,
    /// From which phase; `None` at the beginning.
    pub from: Option<Phase>,
    /// To which phase.
    pub to: Phase,
    /// Why, in a few words.
    pub why: String,
}

impl Incident {
    /// The first sight of one.
    pub(crate) fn first_seen(id: u64, anomaly: &Anomaly) -> Self {
        Self {
            id,
            subject: anomaly.subject.clone(),
            phase: Phase::Pending,
            since: anomaly.at,
            opened_at: None,
            closed_at: None,
            looks: 0,
            last_at: f64::NEG_INFINITY,
            last_anomalous: anomaly.at,
            quiet: 0.0,
            unknown_since: None,
            ending: None,
            expected: anomaly.expected,
            value: finite(anomaly.observed),
            accepted: false,
            level_before: None,
            anomaly: anomaly.without_window(),
            severity: anomaly.severity,
            ack: None,
            returns: 0,
            begun: Vec::new(),
            told: BTreeMap::new(),
            waiting: BTreeSet::new(),
            silenced_by: None,
            silence_ended_at: None,
            silence_ended_by: None,
            inhibited_by: None,
        }
    }

    /// Whether it can still change: it lasts, or ended so lately that it may come back.
    pub fn is_live(&self, now: f64, rules: &Hysteresis) -> bool {
        match self.phase {
            Phase::Pending | Phase::Open | Phase::Acknowledged => true,
            Phase::Resolved | Phase::Settled => {
                self.closed_at.is_some_and(|at| now - at <= rules.return_within)
            }
            // Until it has been well, and no longer than nobody sees it.
            Phase::Closed => self.quiet == 0.0 && now - self.last_anomalous <= rules.return_within,
            Phase::Gone => false,
        }
    }

    /// Whether what becomes of its subject still matters to it.
    pub(crate) fn is_watched(&self) -> bool {
        self.phase != Phase::Gone
    }

    /// Takes an anomalous point. Answers the transition it made.
    pub(crate) fn anomalous(
        &mut self,
        anomaly: &Anomaly,
        now: f64,
        rules: &Hysteresis,
    ) -> Option<IncidentTransition> {
        if anomaly.at > self.last_at {
            self.looks = self.looks << 1 | 1;
            self.last_at = anomaly.at;
        } else {
            // The same point again: it may have been judged otherwise before.
            self.looks |= 1;
        }
        self.last_anomalous = self.last_anomalous.max(anomaly.at);
        self.quiet = 0.0;
        self.unknown_since = None;
        self.anomaly = anomaly.without_window();
        self.value = finite(anomaly.observed).or(self.value);
        self.accepted = false;
        self.level_before = None;
        let before = self.severity;
        self.severity = self.severity.max(anomaly.severity);
        let taken = self.ack.as_ref().is_some_and(|ack| !ack.until_resolved);
        if self.phase == Phase::Acknowledged && self.severity > before && taken {
            self.ack = None;
            let why = "it became worse than what was taken".to_owned();
            return Some(self.turn(Phase::Open, now, why));
        }
        if self.sightings(rules) < rules.seen {
            return None;
        }
        match self.phase {
            Phase::Pending => {
                self.opened_at = Some(now);
                self.begins(now);
                Some(self.turn(Phase::Open, now, self.reason(rules)))
            }
            Phase::Resolved | Phase::Settled => {
                self.returns += 1;
                self.expected = anomaly.expected;
                self.begins(now);
                let to = if self.ack.is_some() {
                    Phase::Acknowledged
                } else {
                    Phase::Open
                };
                Some(self.turn(to, now, "it came back".to_owned()))
            }
            Phase::Closed if self.severity > before => {
                self.begins(now);
                Some(self.turn(
                    Phase::Open,
                    now,
                    "it became worse than what was closed".to_owned(),
                ))
            }
            Phase::Open | Phase::Acknowledged | Phase::Gone | Phase::Closed => None,
        }
    }

    /// Notes that it begins, for the first time or anew.
    fn begins(&mut self, now: f64) {
        self.closed_at = None;
        self.ending = None;
        self.begun.retain(|at| now - at < FLAPPING_WITHIN && *at <= now);
        self.begun.push(now);
    }

    /// How often it has begun within the last hour, when that is so often that it is flapping.
    pub fn flapping(&self, now: f64) -> Option<u32> {
        let lately = |at: &&f64| now - **at < FLAPPING_WITHIN && **at <= now;
        let times = self.begun.iter().filter(lately).count();
        u32::try_from(times).ok().filter(|times| *times >= FLAPPING_FROM)
    }

    /// Takes a normal point at `at`. Answers the transition it made.
    pub(crate) fn normal(
        &mut self,
        at: f64,
        value: f64,
        now: f64,
        rules: &Hysteresis,
    ) -> Option<IncidentTransition> {
        self.unknown_since = None;
        if at >= self.last_at {
            self.value = finite(value);
        }
        if at > self.last_at {
            self.looks <<= 1;
            self.quiet += (at - self.last_at).min(rules.longest_step);
            self.last_at = at;
        } else if rules.resolve_after > 0.0 {
            return None;
        }
        if !self.phase.is_open() || self.quiet < rules.resolve_after {
            return None;
        }
        Some(if self.is_back() {
            self.end(Phase::Resolved, None, now, "normal for long enough".to_owned())
        } else {
            let before = self.level_before.or_else(|| self.expected_level());
            self.end(Phase::Settled, before, now, "a new level was accepted".to_owned())
        })
    }

    /// Takes a point at `at` that is normal as a new level was taken for usual. Answers the transition it made.
    pub(crate) fn settled(
        &mut self,
        at: f64,
        value: f64,
        before: f64,
        now: f64,
        rules: &Hysteresis,
    ) -> Option<IncidentTransition> {
        self.accepted = true;
        self.level_before = finite(before);
        self.normal(at, value, now, rules)
    }

    /// Whether the newest value is within what was expected before it began, as far as that can be said. Where nobody
    /// said that a new level was accepted, one that is nearer to where it was anomalous than to what was expected is one
    /// all the same: what calls it normal has got used to it, as every window does that slides over a step.
    fn is_back(&self) -> bool {
        let (Some(value), Some(expected)) = (self.value, self.expected) else {
            return !self.accepted;
        };
        // A bound that is no number bounds nothing.
        let outside = value < expected.low || value > expected.high;
        let stayed = self
            .expected_level()
            .is_some_and(|level| (value - self.anomaly.observed).abs() < (value - level).abs());
        !(outside && (self.accepted || stayed))
    }

    /// The level that was expected when it began.
    fn expected_level(&self) -> Option<f64> {
        let Expected { low, high, centre } = self.expected?;
        let middle = finite((low + high) / 2.0).or(finite(high)).or(finite(low));
        finite(centre).or(middle)
    }

    /// Ends it.
    fn end(&mut self, outcome: Phase, before: Option<f64>, now: f64, why: String) -> IncidentTransition {
        self.closed_at = Some(now);
        self.looks = 0;
        self.ending = Some(Ending {
            outcome,
            value: self.value,
            before,
            by: String::new(),
        });
        if self.ack.as_ref().is_some_and(|ack| !ack.until_resolved) {
            self.ack = None;
        }
        self.turn(outcome, now, why)
    }

    /// Ends it as somebody says so.
    pub(crate) fn close(&mut self, by: &str, now: f64) -> IncidentTransition {
        let transition = self.end(Phase::Closed, None, now, format!("closed by {by}"));
        if let Some(ending) = &mut self.ending {
            by.clone_into(&mut ending.by);
        }
        self.quiet = 0.0;
        self.ack = None;
        transition
    }

    /// Whether a pending one has not been seen often enough for so long that it never was one.
    pub(crate) fn is_forgotten(&self, rules: &Hysteresis) -> bool {
        self.phase == Phase::Pending && self.sightings(rules) == 0
    }

    /// Takes the end of its subject. Answers the transition it made.
    pub(crate) fn deleted(&mut self, now: f64) -> Option<IncidentTransition> {
        if !self.phase.is_open() {
            return None;
        }
        let why = self.subject.kind().deleted.to_owned();
        Some(self.end(Phase::Gone, None, now, why))
    }

    /// Ends it as another one about the same subject goes on. Answers the transition it made.
    pub(crate) fn superseded(&mut self, by: u64) -> Option<IncidentTransition> {
        if !self.phase.is_open() {
            return None;
        }
        let at = if self.last_at.is_finite() {
            self.last_at
        } else {
            self.since
        };
        Some(self.end(
            Phase::Closed,
            None,
            at,
            format!("incident {by} about the same goes on"),
        ))
    }

    /// Gives it to somebody.
    pub(crate) fn acknowledge(&mut self, ack: Acknowledgement, now: f64) -> IncidentTransition {
        let why = format!("acknowledged by {}", ack.by);
        self.ack = Some(ack);
        for told in self.told.values_mut() {
            told.acknowledged = false;
        }
        self.turn(Phase::Acknowledged, now, why)
    }

    fn sightings(&self, rules: &Hysteresis) -> u32 {
        let window = u64::MAX >> (64 - rules.of.clamp(1, 64));
        (self.looks & window).count_ones()
    }

    fn reason(&self, rules: &Hysteresis) -> String {
        match (rules.seen, rules.of) {
            (1, _) => "anomalous".to_owned(),
            (seen, of) => format!("anomalous in {seen} of the last {of} points"),
        }
    }

    fn turn(&mut self, to: Phase, now: f64, why: String) -> IncidentTransition {
        let from = (self.phase != Phase::Pending).then_some(self.phase);
        self.phase = to;
        IncidentTransition {
            incident: self.id,
            at: now,
            from,
            to,
            why,
        }
    }
}

impl Hysteresis {
    /// The rules for one that has begun so often within the last hour: what flaps must be well for twice as long each
    /// time, up to eight times, until it counts as over. That damps it; nothing of it is kept back.
    pub(crate) fn damped(self, flapping: Option<u32>) -> Self {
        let Some(times) = flapping else { return self };
        let doublings = (times - FLAPPING_FROM + 1).min(3);
        Self {
            resolve_after: self.resolve_after * f64::from(1_u32 << doublings),
            ..self
        }
    }
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
