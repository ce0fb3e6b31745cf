//! What the dispatcher is told, and how others ask it.

use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use skywatch_alerters::senders::Sent;
use skywatch_alerters::state::AdoptedState;
use skywatch_alerters::{Error, Notice};

use super::cause_search::FoundCauses;
use super::destination::DispatchChange;
use super::request::{Reply, Request};
use crate::inlet::FinderAnswer;

/// Questions that may wait for the dispatcher.
const INBOX: usize = 64;
/// How long somebody waits for an answer of the dispatcher.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long somebody waits for what a finder makes of a metric: it may read a window over a slow store.
const EXAMINE_PATIENCE: Duration = Duration::from_secs(30);
/// To the dispatcher.
pub enum DispatchMessage {
    /// Something is asked; the answer goes back on the channel.
    Ask(Box<Request>, Sender<Reply>),
    /// A queue is done with a notice.
    Delivered(Box<Delivery>),
    /// A finder is asked what it makes of a metric at a moment, Unix seconds; its answer goes back on the channel.
    Examine(String, f64, Sender<FinderAnswer>),
    /// What moved with incidents.
    CausesFound(FoundCauses),
    /// A node that led on its own has told people of this; answered once it is kept.
    Adopt(Box<AdoptedState>, Sender<Reply>),
    /// Other settings hold from here on; queues of new receivers speak to that inbox.
    Change(Box<DispatchChange>, Inbox),
}

/// How it went with a notice.
pub struct Delivery {
    pub(super) receiver: String,
    pub(super) notice: Notice,
    /// `None` if it was held back, as another node may send it.
    pub(super) outcome: Option<Result<Sent, Error>>,
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

    /// Has the dispatcher follow other settings.
    ///
    /// # Errors
    /// It is busy or has ended; for people.
    pub fn change(&self, change: DispatchChange) -> Result<(), String> {
        let message = DispatchMessage::Change(Box::new(change), self.clone());
        let sent = self.0.send_timeout(message, PATIENCE);
        sent.map_err(|_| "the dispatch is busy or has ended".to_owned())
    }

    pub(crate) fn sender(&self) -> Sender<DispatchMessage> {
        self.0.clone()
    }
}
