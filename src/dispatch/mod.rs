//! From anomalies to notices that arrive.
//!
//! The desk, one thread, owns the state of all incidents and the history. It takes what passes find, what people ask,
//! and what became of notices; lets the core work out what follows (`skywatch_alerters::state`); commits that in one
//! transaction; and only then hands notices to the posts, a thread for each receiver. A slow receiver keeps nobody
//! waiting but those behind it.

mod books;
pub mod control;
mod desk;
mod finders;
mod heartbeat;
mod office;
mod post;
mod request;
pub mod running;
mod vitals;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use skywatch_alerters::JudgedWindow;
use skywatch_alerters::state::Policy;

pub use desk::Desk;
pub(crate) use desk::SHOWN;
pub use heartbeat::Heartbeat;
pub use office::{Answer, Call, Examine, Office, Tested};
#[cfg(feature = "learned")]
pub use office::{AnswerStudy, Study};
pub use post::Outlet;
pub use request::{Letter, Reply, Request, Which};
pub use vitals::VitalsOptions;

use crate::inlet::{FinderAnswer, FromFinder};
use crate::stop::Stop;
use post::Delivery;

/// Questions that may wait for the desk.
const INBOX: usize = 64;
/// How long somebody waits for an answer of the desk.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long somebody waits for what a finder makes of a metric: it may read a window over a slow store.
const EXAMINE_PATIENCE: Duration = Duration::from_secs(30);
/// The finder that is asked about metrics.
const ANALYZER: &str = "analyzer";

/// Reads the window of a metric for a chart: its name, and whether rates were judged. Asked by the posts, as it may take
/// as long as the store does.
pub type WindowOf = Arc<dyn Fn(&str, bool) -> Option<JudgedWindow> + Send + Sync>;

/// What the dispatch is told once.
pub struct DispatchOptions {
    /// When incidents open and end, and who is told.
    pub policy: Policy,
    /// The receivers. One of the policy that is missing here gets nothing.
    pub outlets: Vec<Outlet>,
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
    pub vitals: VitalsOptions,
    /// Who is told of each good pass.
    pub heartbeat: Option<Heartbeat>,
}

/// To the desk.
pub enum Message {
    /// Something is asked; the answer goes back on the channel.
    Ask(Box<Request>, Sender<Reply>),
    /// A post is done with a notice.
    Delivered(Box<Delivery>),
    /// A finder is asked what it makes of a metric at a moment, Unix seconds; its answer goes back on the channel.
    Examine(String, f64, Sender<FinderAnswer>),
}

/// The way to ask a running desk.
#[derive(Clone)]
pub struct Inbox(Sender<Message>);

impl Inbox {
    /// An inbox and its other end.
    pub fn new() -> (Self, Receiver<Message>) {
        let (send, receive) = bounded(INBOX);
        (Self(send), receive)
    }

    /// Asks and waits for the answer.
    pub fn ask(&self, request: Request) -> Reply {
        let (send, receive) = bounded(1);
        let refused = |why: &str| Reply::Refused { why: why.to_owned() };
        if self
            .0
            .send_timeout(Message::Ask(Box::new(request), send), PATIENCE)
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
        let asked = Message::Examine(metric.to_owned(), at, send);
        let asked = self.0.send_timeout(asked, PATIENCE);
        asked.map_err(|_| "the dispatch is busy or has ended".to_owned())?;
        let answer = receive.recv_timeout(EXAMINE_PATIENCE);
        answer.unwrap_or_else(|_| Err("the analyzer did not answer in time, or has ended".to_owned()))
    }

    pub(crate) fn sender(&self) -> Sender<Message> {
        self.0.clone()
    }
}

/// Runs a desk until stop is said.
pub fn run(
    options: DispatchOptions,
    finders: &Receiver<FromFinder>,
    inbox: &Inbox,
    messages: &Receiver<Message>,
    stop: &Stop,
) {
    let mut desk = Desk::open(options);
    desk.open_posts(inbox);
    desk.run(finders, messages, stop);
}
