//! What other nodes say to the leading one: a thread hands on their finders and questions to the dispatcher as if they were here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::member::DispatchMember;
use super::node_message::{MessageExchange, NodeMessage, NodeMessageBody, NodeMessageKind};
use crate::cluster::Session;
use crate::dispatch::inbox::{DispatchMessage, Inbox};
use crate::dispatch::request::{Reply, Request};
use crate::inlet::frames::{Frame, FrameReader};
use crate::inlet::{ANSWERS, ConnectionId, Finder, FinderAnswer, FromFinder, ToFinder};
use crate::stop::{Stop, StoppableThread};

/// Time between two looks whether there are other nodes.
const ALONE_EACH: Duration = Duration::from_millis(500);
/// How long the dispatcher may take to take something: it works on a report for a second or two.
const PATIENCE: Duration = Duration::from_secs(10);
/// Questions that wait for an answer.
const QUESTIONS: usize = 64;
/// How long a question waits: whoever asked has given up before.
const QUESTION_WAITS: Duration = Duration::from_secs(40);

/// The name of a finder of a node: names of finders are told apart by node.
pub(in crate::dispatch) fn name_at(finder: &str, node: &str) -> String {
    format!("{finder}@{node}")
}

/// The thread. Dropping it ends it.
pub(in crate::dispatch) struct LeaderMessages {
    _thread: StoppableThread,
}

impl LeaderMessages {
    /// Starts it; what finders of other nodes say goes to `finders`.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub(in crate::dispatch) fn start(
        member: &Arc<DispatchMember>,
        inbox: Inbox,
        finders: Sender<FromFinder>,
    ) -> std::io::Result<Self> {
        let mut receiver = MessageReceiver {
            exchange: MessageExchange::new(member),
            member: Arc::clone(member),
            inbox,
            finders,
            remote: BTreeMap::new(),
            asked: Vec::new(),
            examined: Vec::new(),
        };
        let thread = StoppableThread::spawn("messages", move |stop| receiver.run(stop))?;
        Ok(Self { _thread: thread })
    }
}

/// A finder of another node.
struct RemoteFinder {
    finder: Arc<Finder>,
    here: ConnectionId,
    frames: FrameReader,
    /// The number of its next frame.
    next: u64,
}

/// A question of another node that is being answered.
struct WaitingQuestion<T> {
    from: String,
    question: u64,
    answer: Receiver<T>,
    since: Instant,
}

struct MessageReceiver {
    member: Arc<DispatchMember>,
    exchange: MessageExchange,
    inbox: Inbox,
    finders: Sender<FromFinder>,
    /// By session and connection.
    remote: BTreeMap<(String, u64), RemoteFinder>,
    asked: Vec<WaitingQuestion<Reply>>,
    examined: Vec<WaitingQuestion<FinderAnswer>>,
}

impl MessageReceiver {
    fn run(&mut self, stop: &Stop) {
        let mut pause = ALONE_EACH;
        while !stop.sleep(pause) {
            let view = self.member.leadership.view();
            let lives = |session: &str| view.nodes.iter().any(|node| node.session == session);
            let gone: Vec<(String, u64)> = self
                .remote
                .keys()
                .filter(|(session, _)| !lives(session))
                .cloned()
                .collect();
            if view.answers {
                gone.into_iter().for_each(|place| self.end(&place));
            }
            pause = if self.member.has_others(&view) && view.answers {
                while !stop.is_said() && self.take_some() {}
                self.exchange.look_each()
            } else {
                ALONE_EACH
            };
            self.answer();
        }
        let all: Vec<(String, u64)> = self.remote.keys().cloned().collect();
        for place in all {
            self.end(&place);
        }
    }

    /// Takes what has come; false if nothing has.
    fn take_some(&mut self) -> bool {
        let messages = self.exchange.take();
        let is_any = !messages.is_empty();
        for message in messages {
            self.take(&message);
        }
        is_any
    }

    fn take(&mut self, message: &NodeMessage) {
        let place = |connection: u64| (message.from.clone(), connection);
        match message.kind {
            NodeMessageKind::Connect { connection } => {
                if let Some(finder) = message.body() {
                    self.connect(place(connection), finder);
                }
            }
            NodeMessageKind::Frame { connection, number } => {
                let place = place(connection);
                let frame = message.body();
                if !frame.is_some_and(|frame| self.frame(&place, number, frame)) {
                    self.end(&place);
                    self.exchange.send(
                        &message.from,
                        NodeMessageKind::Disconnected { connection },
                        &NodeMessageBody::Nothing,
                    );
                }
            }
            NodeMessageKind::Disconnect { connection } => self.end(&place(connection)),
            NodeMessageKind::Ask { question } => {
                if let Some(request) = message.body::<Request>() {
                    let (reply, answer) = bounded(1);
                    let asked = DispatchMessage::Ask(Box::new(request), reply);
                    if self.inbox.sender().send_timeout(asked, PATIENCE).is_ok() {
                        push(&mut self.asked, &message.from, question, answer);
                    }
                }
            }
            NodeMessageKind::Examine { question, at } => {
                if let Some(metric) = message.body::<String>() {
                    let (reply, answer) = bounded(1);
                    let asked = DispatchMessage::Examine(metric, at, reply);
                    if self.inbox.sender().send_timeout(asked, PATIENCE).is_ok() {
                        push(&mut self.examined, &message.from, question, answer);
                    }
                }
            }
            NodeMessageKind::Adopt { question } => {
                if let Some(adopted) = message.body() {
                    let (reply, answer) = bounded(1);
                    let asked = DispatchMessage::Adopt(Box::new(adopted), reply);
                    if self.inbox.sender().send_timeout(asked, PATIENCE).is_ok() {
                        push(&mut self.asked, &message.from, question, answer);
                    }
                }
            }
            // To a node that follows: it led before this one did, or is this one.
            NodeMessageKind::Told { .. }
            | NodeMessageKind::Disconnected { .. }
            | NodeMessageKind::Replied { .. }
            | NodeMessageKind::Examined { .. } => {}
        }
    }

    /// A finder of another node is there.
    fn connect(&mut self, place: (String, u64), finder: Finder) {
        self.end(&place);
        let finder = Finder {
            name: name_at(&finder.name, Session::node_of(&place.0)),
            ..finder
        };
        let (answers, told) = bounded(ANSWERS);
        let (exchange, to) = (self.exchange.clone(), place.clone());
        let spawned = std::thread::Builder::new()
            .name("finder-told".to_owned())
            .spawn(move || tell(&exchange, &to, &told));
        if let Err(error) = spawned {
            return tracing::error!(
                "finder `{}` is told nothing :: no thread for it: {error}",
                finder.name
            );
        }
        let known = Arc::new(finder.clone());
        let remote = RemoteFinder {
            frames: FrameReader::new(Arc::clone(&known)),
            finder: known,
            here: ConnectionId::next(),
            next: 0,
        };
        let connection = remote.here;
        if self.hand_on(FromFinder::Connected {
            finder,
            connection,
            answers,
        }) {
            self.remote.insert(place, remote);
        }
    }

    /// Takes something a finder says; false if the connection is not known, or something before it was lost.
    fn frame(&mut self, place: &(String, u64), number: u64, frame: Frame) -> bool {
        let Some(remote) = self.remote.get_mut(place).filter(|remote| remote.next == number) else {
            return false;
        };
        remote.next += 1;
        match remote.frames.take(frame) {
            Ok(Some(message)) => self.hand_on(message),
            Ok(None) => true,
            Err(_) => false,
        }
    }

    fn end(&mut self, place: &(String, u64)) {
        if let Some(remote) = self.remote.remove(place) {
            self.hand_on(FromFinder::Gone {
                finder: remote.finder,
                connection: remote.here,
            });
        }
    }

    fn hand_on(&self, message: FromFinder) -> bool {
        self.finders.send_timeout(message, PATIENCE).is_ok()
    }

    /// Sends the answers that have been found.
    fn answer(&mut self) {
        let exchange = &self.exchange;
        take_answered(&mut self.asked, |to, question, reply| {
            let kind = NodeMessageKind::Replied { question };
            exchange.send(to, kind, &NodeMessageBody::Reply(&reply));
        });
        take_answered(&mut self.examined, |to, question, answer| {
            let kind = NodeMessageKind::Examined { question };
            exchange.send(to, kind, &NodeMessageBody::Examined(&answer));
        });
    }
}

/// Takes out the questions that are answered, each to be sent to who asked, and those that were given up.
fn take_answered<T>(waiting: &mut Vec<WaitingQuestion<T>>, mut send: impl FnMut(&str, u64, T)) {
    waiting.retain(|asked| match asked.answer.try_recv() {
        Ok(answer) => {
            send(&asked.from, asked.question, answer);
            false
        }
        Err(_) => asked.since.elapsed() < QUESTION_WAITS,
    });
}

/// Remembers who waits for an answer; of very many the oldest is forgotten.
fn push<T>(waiting: &mut Vec<WaitingQuestion<T>>, from: &str, question: u64, answer: Receiver<T>) {
    if waiting.len() >= QUESTIONS {
        waiting.remove(0);
    }
    waiting.push(WaitingQuestion {
        from: from.to_owned(),
        question,
        answer,
        since: Instant::now(),
    });
}

/// Sends what a finder is told to its node, until the dispatcher lets it go or its node does not take it.
fn tell(exchange: &MessageExchange, (session, connection): &(String, u64), told: &Receiver<ToFinder>) {
    let connection = *connection;
    for (number, message) in (0..).zip(told) {
        if !exchange.send(
            session,
            NodeMessageKind::Told { connection, number },
            &NodeMessageBody::Told(&message),
        ) {
            break;
        }
    }
    exchange.send(
        session,
        NodeMessageKind::Disconnected { connection },
        &NodeMessageBody::Nothing,
    );
}
