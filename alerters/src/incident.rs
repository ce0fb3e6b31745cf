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

use std::collections::BTreeMap;
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
    /// How bad it was then.
    pub severity: Severity,
}

/// One incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its number, from 1 upwards in the order of opening.
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
    /// The silence that kept its opening quiet, while one does.
    pub silenced_by: Option<u64>,
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
