//! What people ask of the dispatch, and what it answers. Both have a JSON form: they travel over the control socket.

use serde::{Deserialize, Serialize};
use skywatch_alerters::causes::{IncidentCauses, SharedCause};
use skywatch_alerters::incident::{Incident, IncidentTransition};
use skywatch_alerters::route::Tried;
use skywatch_alerters::silence::Silence;
use skywatch_alerters::state::{Outlook, Prospect};
use skywatch_alerters::{Severity, Subject};

/// A question or a wish.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Request {
    /// Incidents, newest first.
    Incidents {
        /// Those that are over, too.
        all: bool,
        /// Only about names like this; `*` and `?` stand for any characters.
        name: Option<String>,
        /// At most so many.
        limit: usize,
    },
    /// One incident with its life.
    Incident {
        /// Its number.
        id: u64,
    },
    /// What moved with an incident.
    Causes {
        /// Its number.
        id: u64,
    },
    /// Takes an incident.
    Acknowledge {
        /// Its number.
        id: u64,
        /// Who takes it.
        by: String,
        /// Nothing more is to be said until it is resolved.
        until_resolved: bool,
    },
    /// Closes an incident.
    Close {
        /// Its number.
        id: u64,
        /// Who closes it.
        by: String,
    },
    /// Silences.
    Silences {
        /// Those that have ended, too.
        all: bool,
    },
    /// Makes a silence; its number is given by the dispatch.
    Silence {
        /// The silence.
        silence: Box<Silence>,
    },
    /// Ends a silence.
    EndSilence {
        /// Its number.
        id: u64,
    },
    /// Which routes an anomaly would take.
    RouteTest {
        /// The metric's name.
        metric: String,
        /// How bad it would be.
        severity: Severity,
        /// Detectors that would call it anomalous; none is all of them.
        detectors: Vec<String>,
    },
    /// What is known of a metric and who would hear of it.
    Outlook {
        /// The metric's name.
        metric: String,
    },
    /// Notices that reached nobody.
    DeadLetters {
        /// At most so many.
        limit: usize,
    },
    /// Lets dead letters be tried again, or takes them off the list.
    Notices {
        /// The notice's id, a receiver's name, or nothing for all.
        which: Which,
        /// Try them again; otherwise they are dropped.
        retry: bool,
    },
    /// The receivers of a route, by its name, and an id for a notice that tries them.
    TestOf {
        /// The route's name, or a receiver's.
        route: String,
    },
}

impl Request {
    /// Whether only the history is asked.
    pub(super) fn is_of_history(&self) -> bool {
        matches!(
            self,
            Self::Incidents { .. }
                | Self::Incident { .. }
                | Self::Causes { .. }
                | Self::Silences { .. }
                | Self::DeadLetters { .. }
        )
    }
}

/// Which dead letters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// The one with this id.
    One(String),
    /// All of this receiver.
    Of(String),
    /// All.
    All,
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Reply {
    /// It cannot be done, and why, for people.
    Refused {
        /// Why.
        why: String,
    },
    /// Incidents.
    Incidents {
        /// Newest first.
        incidents: Vec<Incident>,
        /// What is known to be the common cause of some of them, each once.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        causes: Vec<SharedCause>,
    },
    /// One incident.
    Incident {
        /// As it is.
        incident: Box<Incident>,
        /// Its steps, in order.
        transitions: Vec<IncidentTransition>,
        /// The notices that told of it.
        notices: Vec<NoticeLine>,
    },
    /// What moved with an incident.
    Causes {
        /// What it is about, and when it was first and last anomalous (Unix seconds).
        subject: Subject,
        /// See `subject`.
        since: f64,
        /// See `subject`.
        at: f64,
        /// As it was worked out; `None` if it was not.
        causes: Option<Box<IncidentCauses>>,
        /// Metrics that are anomalous at present, for who works it out.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        anomalous: Vec<String>,
    },
    /// Silences.
    Silences {
        /// By number.
        silences: Vec<Silence>,
    },
    /// Routes.
    Route {
        /// Every route looked at, in order.
        tried: Vec<Tried>,
        /// Who would be told.
        prospects: Vec<Prospect>,
    },
    /// What is known of a metric.
    Outlook {
        /// Its incident, its silences, its routes.
        outlook: Box<Outlook>,
    },
    /// Notices.
    Notices {
        /// Newest first.
        notices: Vec<NoticeLine>,
    },
    /// How many it was done to.
    Done {
        /// So many.
        count: u64,
    },
    /// How a test is to be made.
    Test {
        /// The test notice's id.
        id: String,
        /// Whom the route leads to.
        receivers: Vec<String>,
    },
}

/// A notice as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoticeLine {
    /// Its id.
    pub id: String,
    /// To whom.
    pub receiver: String,
    /// By which route.
    pub route: String,
    /// When it was made, Unix seconds.
    pub at: f64,
    /// `waiting`, `sent`, `dead` or `dropped`.
    pub state: String,
    /// How often it was tried in vain.
    pub tries: u64,
    /// Why it failed the last time.
    pub error: Option<String>,
    /// It in one line.
    pub summary: String,
}
