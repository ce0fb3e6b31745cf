//! What nodes say to each other: a line that says what it is, and a body, both JSON.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use skywatch_alerters::state::AdoptedState;

use super::member::DispatchMember;
use crate::cluster::RedisMessages;
use crate::inlet::frames::FrameRef;
use crate::inlet::{Finder, FinderAnswer, ToFinder};

use crate::dispatch::request::{Reply, Request};

/// Time between two looks for messages while some come and go …
const LOOK_EACH: Duration = Duration::from_millis(100);
/// … for so long after the last one …
const LIVELY_FOR: Duration = Duration::from_millis(300);
/// … and while all is quiet: each look is a third of a millisecond of the processor, here and in Redis.
const QUIET_LOOK_EACH: Duration = Duration::from_millis(500);

/// What a message is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub(super) enum NodeMessageKind {
    /// To the node that leads: a finder is there. Body: the [`Finder`].
    Connect { connection: u64 },
    /// Something it says, the `number`-th of its connection. Body: a frame.
    Frame { connection: u64, number: u64 },
    /// It is gone.
    Disconnect { connection: u64 },
    /// Somebody asks the dispatch. Body: the [`Request`].
    Ask { question: u64 },
    /// Somebody asks what a metric's analyzer makes of it at a moment, Unix seconds. Body: the metric's name.
    Examine { question: u64, at: f64 },
    /// A node that led on its own has told people of this. Body: an [`AdoptedState`](skywatch_alerters::state::AdoptedState).
    Adopt { question: u64 },
    /// From the node that leads: what a finder is told, the `number`-th of its connection. Body: a [`ToFinder`].
    Told { connection: u64, number: u64 },
    /// The connection has ended, or is not known.
    Disconnected { connection: u64 },
    /// The answer of the dispatch. Body: the [`Reply`].
    Replied { question: u64 },
    /// The answer of the analyzer. Body: a [`FinderAnswer`].
    Examined { question: u64 },
}

/// The head of a message.
#[derive(Serialize, Deserialize)]
struct NodeMessageHead {
    from: String,
    #[serde(flatten)]
    kind: NodeMessageKind,
}

/// A message as it came.
pub(super) struct NodeMessage {
    /// The session it is from.
    pub(super) from: String,
    pub(super) kind: NodeMessageKind,
    body: Vec<u8>,
}

impl NodeMessage {
    fn read(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let NodeMessageHead { from, kind } = serde_json::from_slice(&bytes[..end]).ok()?;
        Some(Self {
            from,
            kind,
            body: bytes[end + 1..].to_vec(),
        })
    }

    /// What its body says; `None`, and a line in the log, if that is not understood.
    pub(super) fn body<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body)
            .inspect_err(|error| tracing::warn!("a message of `{}` is not understood :: {error}", self.from))
            .ok()
    }
}

/// What is in the body of a message.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum NodeMessageBody<'b> {
    Nothing,
    Finder(&'b Finder),
    Frame(&'b FrameRef<'b>),
    Request(&'b Request),
    Metric(&'b str),
    Told(&'b ToFinder),
    Reply(&'b Reply),
    Examined(&'b FinderAnswer),
    Adopt(&'b AdoptedState),
}

/// Sends messages of this node, and takes those for it. Cheap to clone.
#[derive(Clone)]
pub(super) struct MessageExchange {
    member: Arc<DispatchMember>,
    sends: Arc<Mutex<RedisMessages>>,
    takes: Arc<Mutex<RedisMessages>>,
    /// When the last message was sent or taken.
    last: Arc<Mutex<Instant>>,
}

impl MessageExchange {
    pub(super) fn new(member: &Arc<DispatchMember>) -> Self {
        Self {
            sends: Arc::new(Mutex::new(member.messages())),
            takes: Arc::new(Mutex::new(member.messages())),
            member: Arc::clone(member),
            last: Arc::new(Mutex::new(Instant::now())),
        }
    }

    /// Whether messages come and go, so that one may wait already.
    pub(super) fn is_lively(&self) -> bool {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.elapsed() < LIVELY_FOR
    }

    /// Time until the next look for messages.
    pub(super) fn look_each(&self) -> Duration {
        if self.is_lively() {
            LOOK_EACH
        } else {
            QUIET_LOOK_EACH
        }
    }

    fn note_message(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Sends a message to a session. False if that is known to have failed; it may be lost all the same.
    pub(super) fn send(&self, to: &str, kind: NodeMessageKind, body: &NodeMessageBody<'_>) -> bool {
        let head = NodeMessageHead {
            from: self.member.session.clone(),
            kind,
        };
        let mut bytes = serde_json::to_vec(&head).expect("a map with text for keys has a JSON form");
        bytes.push(b'\n');
        if let Err(error) = serde_json::to_writer(&mut bytes, body) {
            tracing::error!("a message to `{to}` cannot be written :: {error}");
            return false;
        }
        let mut sends = self.sends.lock().unwrap_or_else(PoisonError::into_inner);
        match sends.send(to, &bytes) {
            Ok(is_taken) => {
                self.note_message();
                is_taken
            }
            Err(error) => {
                self.member.failed("a message to another node is lost", &error);
                false
            }
        }
    }

    /// What has come for this node; nothing where nobody answers.
    pub(super) fn take(&self) -> Vec<NodeMessage> {
        let mut takes = self.takes.lock().unwrap_or_else(PoisonError::into_inner);
        match takes.take(&self.member.session) {
            Ok(taken) => {
                if !taken.is_empty() {
                    self.note_message();
                }
                let messages = taken.iter().filter_map(|bytes| NodeMessage::read(bytes));
                messages.collect()
            }
            Err(error) => {
                self.member.failed("no message of other nodes is taken", &error);
                Vec::new()
            }
        }
    }
}
