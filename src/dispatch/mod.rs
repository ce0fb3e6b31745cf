//! From anomalies to notices that arrive.
//!
//! The dispatcher, one thread, owns the state of all incidents and the history. It takes what passes find, what people ask,
//! and what became of notices; lets the core work out what follows (`skywatch_alerters::state`); commits that in one
//! transaction; and only then hands notices to the queues, a thread for each receiver. A slow receiver keeps nobody
//! waiting but those behind it.

mod buffer;
mod commands;
pub mod control;
mod dead_mans_switch;
mod dispatcher;
mod finders;
mod queue;
mod request;
pub mod running;
mod self_monitor;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use skywatch_alerters::JudgedWindow;
use skywatch_alerters::state::AlertPolicy;

pub use commands::{Answer, Call, CommandService, Examine, Tested};
#[cfg(feature = "learned")]
pub use commands::{AnswerStudy, Study};
pub use dead_mans_switch::DeadMansSwitch;
pub use dispatcher::Dispatcher;
pub(crate) use dispatcher::SHOWN;
pub use queue::Destination;
pub use request::{NoticeLine, Reply, Request, Which};
pub use self_monitor::SelfMonitorOptions;

use crate::inlet::{FinderAnswer, FromFinder};
use crate::stop::Stop;
use queue::Delivery;

/// Questions that may wait for the dispatcher.
const INBOX: usize = 64;
/// How long somebody waits for an answer of the dispatcher.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long somebody waits for what a finder makes of a metric: it may read a window over a slow store.
const EXAMINE_PATIENCE: Duration = Duration::from_secs(30);
/// The finder that is asked about metrics.
const ANALYZER: &str = "analyzer";

/// Reads the window of a metric for a chart: its name, and whether rates were judged. Asked by the queues, as it may take
/// as long as the store does.
pub type WindowOf = Arc<dyn Fn(&str, bool) -> Option<JudgedWindow> + Send + Sync>;

/// What the dispatch is told once.
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
    /// Who is told of each complete pass.
    pub dead_mans_switch: Option<DeadMansSwitch>,
}

/// To the dispatcher.
pub enum DispatchMessage {
    /// Something is asked; the answer goes back on the channel.
    Ask(Box<Request>, Sender<Reply>),
    /// A queue is done with a notice.
    Delivered(Box<Delivery>),
    /// A finder is asked what it makes of a metric at a moment, Unix seconds; its answer goes back on the channel.
    Examine(String, f64, Sender<FinderAnswer>),
}

/// The way to ask a running dispatcher.
#[derive(Clone)]
pub struct Inbox(Sender<DispatchMessage>);

impl Inbox {
    /// An inbox and its other end.
    pub fn new() -> (Self, Receiver<DispatchMessage>) {
        let (send, receive) = bounded(INBOX);
        (Self(send), receive)
    }

    /// Asks and waits for the answer.
    pub fn ask(&self, request: Request) -> Reply {
        let (send, receive) = bounded(1);
        let refused = |why: &str| Reply::Refused { why: why.to_owned() };
        if self
            .0
            .send_timeout(DispatchMessage::Ask(Box::new(request), send), PATIENCE)
            .is_err()
        {
            return refused("the dispatch is busy or has ended");
        }
        receive
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| refused("the dispatch did not answer in time"))
    }

    /// What the running analyzer makes of a metric at a moment, Unix seconds.
    ///
    /// # Errors
    /// Why there is no answer, for people.
    pub fn examine(&self, metric: &str, at: f64) -> FinderAnswer {
        let (send, receive) = bounded(1);
        let asked = DispatchMessage::Examine(metric.to_owned(), at, send);
        let asked = self.0.send_timeout(asked, PATIENCE);
        asked.map_err(|_| "the dispatch is busy or has ended".to_owned())?;
        let answer = receive.recv_timeout(EXAMINE_PATIENCE);
        answer.unwrap_or_else(|_| Err("the analyzer did not answer in time, or has ended".to_owned()))
    }

    pub(crate) fn sender(&self) -> Sender<DispatchMessage> {
        self.0.clone()
    }
}

/// Runs a dispatcher until stop is said.
pub fn run(
    options: DispatchOptions,
    finders: &Receiver<FromFinder>,
    inbox: &Inbox,
    messages: &Receiver<DispatchMessage>,
    stop: &Stop,
) {
    let mut dispatcher = Dispatcher::open(options);
    dispatcher.open_queues(inbox);
    dispatcher.run(finders, messages, stop);
}
