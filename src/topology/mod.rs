//! Who depends on whom: read from a file, a server or the names of trace metrics, and kept.
//!
//! A topology is read when it is needed and the last one is older than `causes.refresh`. Where that fails the last one that is known goes on
//! to be used, also one of an earlier run, and its age is said; so a server that is away costs freshness and never an incident its causes.

mod arangodb;
mod cache;
mod client;
mod document;
mod probe;
mod trace_metrics;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use skywatch_algorithms::causes::{CallGraph, FaultWays};

pub use cache::{CurrentTopology, TopologyCache};
pub use probe::probes;

/// Calls that are taken of a source: what would not fit into memory is no topology.
const MOST_CALLS: usize = 200_000;

/// Who depends on whom.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Topology {
    /// Pairs of caller and called.
    pub calls: BTreeSet<(String, String)>,
    /// When it was read, Unix seconds.
    pub read_at: f64,
    /// Where it is from, for people; holds no secret.
    pub place: String,
    /// Whether there were more calls than are taken.
    #[serde(default)]
    pub is_cut: bool,
}

impl Topology {
    /// These calls, from caller to called.
    pub(crate) fn new(
        calls: impl IntoIterator<Item = (String, String)>,
        place: String,
        read_at: f64,
    ) -> Self {
        let mut topology = Self {
            place,
            read_at,
            ..Self::default()
        };
        for call in calls {
            if topology.calls.len() >= MOST_CALLS {
                topology.is_cut = true;
                break;
            }
            topology.calls.insert(call);
        }
        topology
    }

    /// All who call or are called.
    pub fn nodes(&self) -> BTreeSet<&str> {
        self.pairs()
            .flat_map(|(caller, called)| [caller, called])
            .collect()
    }

    /// For the ranking by what a change explains.
    pub fn call_graph(&self) -> CallGraph {
        CallGraph::new(self.pairs())
    }

    /// For the ways of faults, which go from who is called to who calls.
    pub fn fault_ways(&self) -> FaultWays {
        FaultWays::new(self.pairs().map(|(caller, called)| (called, caller)))
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.calls
            .iter()
            .map(|(caller, called)| (caller.as_str(), called.as_str()))
    }
}

/// Why a topology was not read.
#[derive(Debug, thiserror::Error)]
pub enum TopologyError {
    /// No answer, or a file that cannot be read.
    #[error("`{place}` cannot be read: {why}")]
    Unreadable {
        /// Where.
        place: String,
        /// Why.
        why: String,
    },
    /// An answer that is no topology.
    #[error("`{place}` holds no topology: {why}")]
    Malformed {
        /// Where.
        place: String,
        /// What is wrong.
        why: String,
    },
}
