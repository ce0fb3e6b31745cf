//! What is made of a trace.

use serde::{Deserialize, Serialize};

/// What was made of a trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum TraceJudgement {
    /// Nobody could say, and why.
    Unjudged {
        /// In a sentence.
        why: String,
    },
    /// It is as others were.
    Normal {
        /// How unusual it is; 1 is the limit.
        score: f64,
    },
    /// It is not.
    Anomalous {
        /// How unusual it is; 1 is the limit.
        score: f64,
        /// What was found, the worst first, a sentence each.
        sentences: Vec<String>,
    },
}

impl TraceJudgement {
    /// As a word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unjudged { .. } => "unjudged",
            Self::Normal { .. } => "normal",
            Self::Anomalous { .. } => "anomalous",
        }
    }

    /// Whether it is anomalous.
    #[must_use]
    pub fn is_anomalous(&self) -> bool {
        matches!(self, Self::Anomalous { .. })
    }
}

/// What was made of a trace, and of which of its spans.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct WatchedTrace {
    /// In all.
    pub(super) judgement: TraceJudgement,
    /// The kind of request it is, where it was judged.
    pub(super) kind: Option<String>,
    /// What was found of single spans: their place in the trace, and a sentence.
    pub(super) findings: Vec<(usize, String)>,
}
