//! An anomaly's life, from the first sight of it to the last word about it.
//!
//! ```text
//!            seen N of M            told, or not
//! (nothing) ───────────► pending ───────────► open ◄──────────► acknowledged
//!                           │                  │  ▲                  │
//!                  not seen │        quiet for │  │ back within      │ quiet for long enough
//!                    enough │      long enough │  │ half an hour     │
//!                           ▼                  ▼  │                  ▼
//!                       forgotten           resolved ◄───────────────┘
//!
//! whatever it is, the metric is deleted ► gone
//! ```
//!
//! Quiet time is the time that judged points cover: a metric nobody could judge is neither well nor ill, its
//! incident waits and says since when nothing is known.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::anomaly::{Anomaly, Severity, Subject};

/// Where an incident is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Seen, but not often enough yet to speak of.
    Pending,
    /// It lasts.
    Open,
    /// It lasts, and somebody has it.
    Acknowledged,
    /// It is over. For half an hour it can still come back as the same incident.
    Resolved,
    /// Its subject was deleted.
    Gone,
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
pub struct Told {
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
    /// When it was resolved or gone, Unix seconds.
    pub closed_at: Option<f64>,
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
    /// The worst it has been.
    pub severity: Severity,
    /// Who has it.
    pub ack: Option<Acknowledgement>,
    /// How often it was over and came back.
    pub returns: u32,
    /// What each receiver was told, by the receiver's name.
    pub told: BTreeMap<String, Told>,
    /// Receivers that are to hear of it, and whose group still waits.
    #[serde(default)]
    pub waiting: BTreeSet<String>,
    /// The silence that keeps it quiet, while one does.
    #[serde(default)]
    pub silenced_by: Option<u64>,
    /// When the last silence over it ended while it was open, Unix seconds.
    #[serde(default)]
    pub silence_ended_at: Option<f64>,
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

/// How one subject looked at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// What was looked at.
    pub subject: Subject,
    /// What was seen.
    pub outcome: Outcome,
}

/// What was seen of a subject.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Something is wrong with it.
    Anomalous(Box<Anomaly>),
    /// It was judged, and its last point, of this Unix time, is normal.
    Normal {
        /// Time of the point.
        at: f64,
    },
    /// Nobody could judge it.
    Unknown,
    /// It does not exist any more.
    Deleted,
}

/// One step in an incident's life, for the history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transition {
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
            anomaly: anomaly.without_window(),
            severity: anomaly.severity(),
            ack: None,
            returns: 0,
            told: BTreeMap::new(),
            waiting: BTreeSet::new(),
            silenced_by: None,
            silence_ended_at: None,
        }
    }

    /// Whether it can still change: it lasts, or ended so lately that it may come back.
    pub fn is_live(&self, now: f64, rules: &Hysteresis) -> bool {
        match self.phase {
            Phase::Pending | Phase::Open | Phase::Acknowledged => true,
            Phase::Resolved => self.closed_at.is_some_and(|at| now - at <= rules.return_within),
            Phase::Gone => false,
        }
    }

    /// Takes an anomalous point. Answers the transition it made.
    pub(crate) fn anomalous(
        &mut self,
        anomaly: &Anomaly,
        now: f64,
        rules: &Hysteresis,
    ) -> Option<Transition> {
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
        let before = self.severity;
        self.severity = self.severity.max(anomaly.severity());
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
                Some(self.turn(Phase::Open, now, self.reason(rules)))
            }
            Phase::Resolved => {
                self.returns += 1;
                self.closed_at = None;
                let to = if self.ack.is_some() {
                    Phase::Acknowledged
                } else {
                    Phase::Open
                };
                Some(self.turn(to, now, "it came back".to_owned()))
            }
            Phase::Open | Phase::Acknowledged | Phase::Gone => None,
        }
    }

    /// Takes a normal point at `at`. Answers the transition it made.
    pub(crate) fn normal(&mut self, at: f64, now: f64, rules: &Hysteresis) -> Option<Transition> {
        self.unknown_since = None;
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
        self.closed_at = Some(now);
        self.looks = 0;
        if self.ack.as_ref().is_some_and(|ack| !ack.until_resolved) {
            self.ack = None;
        }
        Some(self.turn(Phase::Resolved, now, "normal for long enough".to_owned()))
    }

    /// Whether a pending one has not been seen often enough for so long that it never was one.
    pub(crate) fn is_forgotten(&self, rules: &Hysteresis) -> bool {
        self.phase == Phase::Pending && self.sightings(rules) == 0
    }

    /// Takes the end of its subject. Answers the transition it made.
    pub(crate) fn deleted(&mut self, now: f64) -> Option<Transition> {
        if !self.phase.is_open() {
            return None;
        }
        self.closed_at = Some(now);
        Some(self.turn(Phase::Gone, now, "the metric was deleted".to_owned()))
    }

    /// Ends it as another one about the same subject goes on. Answers the transition it made.
    pub(crate) fn superseded(&mut self, by: u64) -> Option<Transition> {
        if !self.phase.is_open() {
            return None;
        }
        let at = if self.last_at.is_finite() { self.last_at } else { self.since };
        self.closed_at = Some(at);
        Some(self.turn(Phase::Gone, at, format!("incident {by} about the same goes on")))
    }

    /// Gives it to somebody.
    pub(crate) fn acknowledge(&mut self, ack: Acknowledgement, now: f64) -> Transition {
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

    fn turn(&mut self, to: Phase, now: f64, why: String) -> Transition {
        let from = (self.phase != Phase::Pending).then_some(self.phase);
        self.phase = to;
        Transition {
            incident: self.id,
            at: now,
            from,
            to,
            why,
        }
    }
}

impl Phase {
    /// Every phase, in the order of an incident's life.
    pub const ALL: [Self; 5] = [
        Self::Pending,
        Self::Open,
        Self::Acknowledged,
        Self::Resolved,
        Self::Gone,
    ];

    /// Whether the incident lasts and has been opened.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Acknowledged)
    }

    /// In one lower-case word, as in the JSON form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
            Self::Gone => "gone",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
