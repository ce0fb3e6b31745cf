//! What is asked on a node that follows and only the one that leads can answer.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use skywatch_alerters::state::AdoptedState;

use super::node_message::{MessageExchange, NodeMessage, NodeMessageBody, NodeMessageKind};
use crate::cluster::Session;
use crate::dispatch::request::{Reply, Request};
use crate::inlet::FinderAnswer;

/// How long the leading node may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long an analyzer may take: it may read a window over a slow store.
const EXAMINE_PATIENCE: Duration = Duration::from_secs(30);

/// Who waits for an answer, by the question's number.
pub(super) struct Questions {
    exchange: MessageExchange,
    asked: BTreeMap<u64, (Sender<Reply>, Instant)>,
    examined: BTreeMap<u64, (Sender<FinderAnswer>, Instant)>,
    next: u64,
}

impl Questions {
    pub(super) fn new(exchange: MessageExchange) -> Self {
        Self {
            exchange,
            asked: BTreeMap::new(),
            examined: BTreeMap::new(),
            next: 1,
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    /// Asks the node that leads.
    pub(super) fn ask(&mut self, leader: Option<&str>, request: &Request, reply: Sender<Reply>) {
        let question = self.number();
        let is_sent = leader.is_some_and(|leader| {
            let kind = NodeMessageKind::Ask { question };
            self.exchange
                .send(leader, kind, &NodeMessageBody::Request(request))
        });
        if is_sent {
            self.asked.insert(question, (reply, Instant::now()));
        } else {
            // Whoever asked may have gone.
            let _ = reply.send(Reply::Refused {
                why: not_asked(leader),
            });
        }
    }

    /// Hands over what this node has told on its own.
    pub(super) fn adopt(&mut self, leader: &str, adopted: &AdoptedState, reply: Sender<Reply>) {
        let question = self.number();
        let kind = NodeMessageKind::Adopt { question };
        if self.exchange.send(leader, kind, &NodeMessageBody::Adopt(adopted)) {
            self.asked.insert(question, (reply, Instant::now()));
        }
    }

    /// Asks what the metric's analyzer, wherever it is, makes of it at a moment, Unix seconds.
    pub(super) fn examine(
        &mut self,
        leader: Option<&str>,
        metric: &str,
        at: f64,
        reply: Sender<FinderAnswer>,
    ) {
        let question = self.number();
        let is_sent = leader.is_some_and(|leader| {
            let kind = NodeMessageKind::Examine { question, at };
            self.exchange.send(leader, kind, &NodeMessageBody::Metric(metric))
        });
        if is_sent {
            self.examined.insert(question, (reply, Instant::now()));
        } else {
            let _ = reply.send(Err(not_asked(leader)));
        }
    }

    /// Whether anybody waits for an answer.
    pub(super) fn are_waiting(&self) -> bool {
        !self.asked.is_empty() || !self.examined.is_empty()
    }

    /// Takes an answer of the leading node.
    pub(super) fn answered(&mut self, message: &NodeMessage) {
        match message.kind {
            NodeMessageKind::Replied { question } => {
                if let (Some((reply, _)), Some(answer)) = (self.asked.remove(&question), message.body()) {
                    let _ = reply.send(answer);
                }
            }
            NodeMessageKind::Examined { question } => {
                if let (Some((reply, _)), Some(answer)) = (self.examined.remove(&question), message.body()) {
                    let _ = reply.send(answer);
                }
            }
            _ => {}
        }
    }

    /// Another session leads: what the one before was asked is not answered any more, and may have been done.
    pub(super) fn led_by(&mut self, leader: Option<&str>) {
        let why = match leader {
            Some(leader) => format!(
                "node `{}` has taken the lead meanwhile: ask again, and look first whether it was done",
                Session::node_of(leader)
            ),
            None => "no node leads any more: look whether it was done once one does".to_owned(),
        };
        for (reply, _) in std::mem::take(&mut self.asked).into_values() {
            let _ = reply.send(Reply::Refused { why: why.clone() });
        }
        for (reply, _) in std::mem::take(&mut self.examined).into_values() {
            let _ = reply.send(Err(why.clone()));
        }
    }

    /// Refuses what has waited too long.
    pub(super) fn give_up(&mut self, leader: Option<&str>) {
        let why = || {
            format!(
                "node `{}` leads and has not answered in time: look whether it was done before you ask again",
                leader.map_or("?", Session::node_of)
            )
        };
        self.asked.retain(|_, (reply, since)| {
            let waits = since.elapsed() < PATIENCE;
            if !waits {
                let _ = reply.send(Reply::Refused { why: why() });
            }
            waits
        });
        self.examined.retain(|_, (reply, since)| {
            let waits = since.elapsed() < EXAMINE_PATIENCE;
            if !waits {
                let _ = reply.send(Err(why()));
            }
            waits
        });
    }
}

fn not_asked(leader: Option<&str>) -> String {
    match leader {
        Some(leader) => format!(
            "node `{}` leads, and cannot be asked: Redis does not take the question, or too many wait",
            Session::node_of(leader)
        ),
        None => {
            "no node leads at present, and Redis may be out of reach: ask again in some seconds".to_owned()
        }
    }
}
