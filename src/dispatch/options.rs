//! What the dispatch is told once.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use skywatch_alerters::state::AlertPolicy;

use super::causes::FindCauses;
use super::dead_mans_switch::DeadMansSwitch;
use super::destination::{Destination, DispatchChange, WindowOf};
use super::self_monitor::SelfMonitorOptions;
use crate::observer::Observer;
use crate::status::StatusFile;

/// What the dispatch is told at its start.
pub struct DispatchOptions {
    /// When incidents open and end, and who is told.
    pub policy: AlertPolicy,
    /// The receivers. One of the policy that is missing here gets nothing.
    pub destinations: Vec<Destination>,
    /// The history file.
    pub history: PathBuf,
    /// How long what has ended is kept.
    pub keep_history: Duration,
    /// Whether incidents that open get a line in the log.
    pub log: bool,
    /// Where charts get windows from that came with no pass.
    pub window_of: WindowOf,
    /// How long notices may still be sent after the last word.
    pub grace: Duration,
    /// What is watched of ourselves.
    pub self_monitor: SelfMonitorOptions,
    /// Tells how receivers are, and of incidents.
    pub observer: Observer,
    /// Who looks for what moved with incidents; nobody does in a process that answers one question.
    pub causes: Option<Arc<dyn FindCauses>>,
    /// How long a notice about what has just opened waits for that.
    pub notice_wait: Duration,
    /// Where what is counted is left for others to read; nowhere in a process that answers one question.
    pub status: Option<StatusFile>,
    /// Who is told of each complete pass.
    pub dead_mans_switch: Option<DeadMansSwitch>,
}

impl DispatchOptions {
    /// Has other settings hold from here on.
    pub(super) fn change(&mut self, change: DispatchChange) {
        let DispatchChange {
            policy,
            destinations,
            keep_history,
            log,
            self_monitor,
        } = change;
        self.policy = policy;
        self.destinations = destinations;
        self.keep_history = keep_history;
        self.log = log;
        self.self_monitor = self_monitor;
    }
}
