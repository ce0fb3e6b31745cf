//! The way of a following node's finders to the node that leads. Nothing is kept here: a finder keeps its reports until they are
//! confirmed, so a connection that lost something is ended, and the finder makes another one.

use std::collections::BTreeMap;

use crossbeam_channel::Sender;

use super::node_message::{MessageExchange, NodeMessage, NodeMessageBody, NodeMessageKind};
use crate::inlet::frames::{FrameRef, write_frames};
use crate::inlet::{ConnectionId, Finder, FinderReport, FromFinder, ToFinder};

/// Observations in one message: with the windows of the worst some megabytes.
const PART: usize = 200;

/// A finder of this node.
struct Relay {
    finder: Finder,
    /// Its connection in this process.
    here: ConnectionId,
    answers: Sender<ToFinder>,
    /// The number of its next frame.
    sends: u64,
    /// The number of what it is told next.
    next: u64,
}

/// All finders of this node, by the numbers of their connections.
pub(super) struct Relays {
    exchange: MessageExchange,
    /// The session that leads; without one no finder is connected.
    leader: Option<String>,
    connections: BTreeMap<u64, Relay>,
    next: u64,
    /// When the last pass of this node began, Unix seconds.
    pass_at: f64,
}

impl Relays {
    pub(super) fn new(exchange: MessageExchange) -> Self {
        Self {
            exchange,
            leader: None,
            connections: BTreeMap::new(),
            next: 1,
            pass_at: 0.0,
        }
    }

    /// When the last pass of this node began, Unix seconds; 0 before the first.
    pub(super) fn pass_at(&self) -> f64 {
        self.pass_at
    }

    /// Another session leads, or none: finders connect anew, and hand over what was not confirmed.
    pub(super) fn led_by(&mut self, leader: Option<String>) {
        self.connections.clear();
        self.leader = leader;
    }

    /// Takes what a finder of this node says.
    pub(super) fn take(&mut self, message: FromFinder) {
        let Some(leader) = self.leader.clone() else {
            // Its end of the channel goes with the message, and it tries again.
            return;
        };
        match message {
            FromFinder::Connected {
                finder,
                connection,
                answers,
            } => self.connect(&leader, finder, connection, answers),
            FromFinder::Gone { connection, .. } => {
                let gone = self
                    .connections
                    .iter()
                    .find(|(_, relay)| relay.here == connection);
                if let Some(connection) = gone.map(|(connection, _)| *connection) {
                    self.connections.remove(&connection);
                    self.exchange.send(
                        &leader,
                        NodeMessageKind::Disconnect { connection },
                        &NodeMessageBody::Nothing,
                    );
                }
            }
            FromFinder::Report {
                ref finder,
                ref report,
                ..
            } => {
                if let FinderReport::Seen(observations) = &**report
                    && let Some(pass) = &observations.pass
                {
                    self.pass_at = pass.summary.at;
                }
                let of = self
                    .connections
                    .iter()
                    .find(|(_, relay)| relay.finder.name == finder.name && relay.finder.run == finder.run);
                if let Some(connection) = of.map(|(connection, _)| *connection) {
                    self.send(&leader, connection, &message);
                }
            }
            // A question has a number of its own: whichever connection brings the answer.
            FromFinder::Answered { .. } => {
                if let Some(connection) = self.connections.keys().next().copied() {
                    self.send(&leader, connection, &message);
                }
            }
        }
    }

    fn connect(&mut self, leader: &str, finder: Finder, here: ConnectionId, answers: Sender<ToFinder>) {
        let connection = self.next;
        self.next += 1;
        self.connections
            .retain(|_, relay| relay.finder.name != finder.name);
        if self.exchange.send(
            leader,
            NodeMessageKind::Connect { connection },
            &NodeMessageBody::Finder(&finder),
        ) {
            let relay = Relay {
                finder,
                here,
                answers,
                sends: 0,
                next: 0,
            };
            self.connections.insert(connection, relay);
        }
    }

    /// Sends all frames of a message, or ends the connection.
    fn send(&mut self, leader: &str, connection: u64, message: &FromFinder) {
        let Some(relay) = self.connections.get_mut(&connection) else {
            return;
        };
        let exchange = &self.exchange;
        let sent = write_frames(message, PART, |frame: &FrameRef<'_>| {
            let number = relay.sends;
            relay.sends += 1;
            let kind = NodeMessageKind::Frame { connection, number };
            exchange
                .send(leader, kind, &NodeMessageBody::Frame(frame))
                .then_some(())
                .ok_or(())
        });
        if sent.is_err() {
            self.connections.remove(&connection);
        }
    }

    /// Takes a message of the leading node; false if it is not for a finder.
    pub(super) fn heard(&mut self, message: &NodeMessage) -> bool {
        match message.kind {
            NodeMessageKind::Told { connection, number } => {
                let Some(relay) = self.connections.get_mut(&connection) else {
                    return true;
                };
                let is_next = relay.next == number;
                relay.next += 1;
                let told = message.body().filter(|_| is_next);
                if told.is_none_or(|message| relay.answers.try_send(message).is_err()) {
                    self.connections.remove(&connection);
                }
                true
            }
            NodeMessageKind::Disconnected { connection } => {
                self.connections.remove(&connection);
                true
            }
            _ => false,
        }
    }
}
