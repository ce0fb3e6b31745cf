//! Who is told, by what, and what of that may change while the dispatch runs.

use std::sync::Arc;
use std::time::Duration;

use skywatch_alerters::state::AlertPolicy;
use skywatch_alerters::{JudgedWindow, senders};

use super::self_monitor::SelfMonitorOptions;

/// Reads the window of a metric for a chart: its name, and whether rates were judged. Asked by the queues, as it may take
/// as long as the store does.
pub type WindowOf = Arc<dyn Fn(&str, bool) -> Option<JudgedWindow> + Send + Sync>;

/// A receiver that can be sent to.
#[derive(Clone)]
pub struct Destination {
    /// Its name.
    pub name: String,
    /// What carries notices there.
    pub sender: Arc<dyn senders::Sender>,
    /// How long a notice is tried.
    pub give_up_after: Duration,
}

/// What the dispatch may be told anew while it runs.
pub struct DispatchChange {
    /// When incidents open and end, and who is told.
    pub policy: AlertPolicy,
    /// The receivers.
    pub destinations: Vec<Destination>,
    /// How long what has ended is kept.
    pub keep_history: Duration,
    /// Whether incidents that open get a line in the log.
    pub log: bool,
    /// What is watched of ourselves.
    pub self_monitor: SelfMonitorOptions,
}
