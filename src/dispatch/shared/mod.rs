//! One dispatch for several nodes on one Redis: one of them leads, and all have the history.
//!
//! The node that leads runs the dispatcher as a node that is alone would. What it writes down goes to the log first
//! ([`log_writer`]), in the same step as the check that it still leads; nodes that follow write the same into their own files
//! ([`replica`]), so whoever leads next begins as after a restart. They hand over what their finders find ([`relay`]) and what
//! their people ask ([`questions`]) as messages, which the leading one takes as if it had come over its own sockets
//! ([`leader_mail`]). Only the leading node sends, and marks what it sends ([`send_gate`]).
//!
//! The decision a reader would question: while Redis does not answer, the node that led last goes on alone. Nobody can lead
//! instead unless only this one is cut off, and then it knows nothing but what is wrong with itself: that it says, and holds
//! back what another one may say.

mod base;
mod entry;
mod follower;
mod leader_mail;
mod log_writer;
mod mail;
mod member;
mod questions;
mod relay;
mod replica;
mod send_gate;

use std::sync::Arc;

use crossbeam_channel::{Receiver, bounded};

pub(super) use self::base::base;
use self::follower::{FollowEnd, Follower, TakenLead};
use self::leader_mail::LeaderMail;
pub(super) use self::leader_mail::name_at;
pub(super) use self::log_writer::{LogOutcome, LogWriter};
use self::member::DispatchMember;
#[cfg(test)]
pub(super) use self::member::counters;
pub use self::member::SharedDispatchOptions;
pub(super) use self::send_gate::{SendGate, SendPermit};
use super::dispatcher::{DispatchEnd, Dispatcher};
use super::inbox::{DispatchMessage, Inbox};
use super::options::DispatchOptions;
use crate::inlet::FromFinder;
use crate::status::DispatchNode;
use crate::stop::Stop;

/// Messages of other nodes' finders that may wait for the dispatcher.
const WAITING: usize = 16;

/// What a dispatcher that leads knows of the other nodes.
pub(super) struct SharedLead {
    member: Arc<DispatchMember>,
    /// Asked before each notice.
    pub(super) gate: Arc<SendGate>,
    /// When this node's last pass began, Unix seconds.
    pass_at: f64,
}

impl SharedLead {
    fn new(member: &Arc<DispatchMember>, taken: &TakenLead) -> Self {
        Self {
            gate: Arc::new(SendGate::new(member, taken.since, taken.was_shared)),
            member: Arc::clone(member),
            pass_at: 0.0,
        }
    }

    /// This node's name.
    pub(super) fn node(&self) -> &str {
        self.member.node()
    }

    /// Whether other nodes live.
    pub(super) fn has_others(&self) -> bool {
        self.member.has_others(&self.member.leadership.view())
    }

    /// A pass of this node began at `at`, Unix seconds.
    pub(super) fn passed(&mut self, at: f64) {
        self.pass_at = at;
        self.member.announce(true, at);
    }

    /// All nodes, for others to read.
    pub(super) fn nodes(&self) -> Vec<DispatchNode> {
        self.member.nodes(&self.member.leadership.view())
    }

    /// Counter name and value.
    pub(super) fn counters(&self) -> Vec<(String, u64)> {
        self.member.counters()
    }
}

/// Runs the dispatch of a node among others until stop is said.
///
/// # Errors
/// The system refuses a thread.
pub(super) fn run(
    mut options: DispatchOptions,
    shared: SharedDispatchOptions,
    finders: &Receiver<FromFinder>,
    inbox: &Inbox,
    messages: &Receiver<DispatchMessage>,
    stop: &Stop,
) -> std::io::Result<()> {
    let member = Arc::new(DispatchMember::start(shared)?);
    loop {
        let taken = match Follower::new(&member, &mut options).run(finders, messages, stop) {
            FollowEnd::Stopped => break,
            FollowEnd::Leads(taken) => taken,
        };
        member.announce(true, 0.0);
        let log = LogWriter::new(&member, taken.since, taken.position.clone());
        let lead = SharedLead::new(&member, &taken);
        let mut dispatcher = Dispatcher::open_shared(options, log, lead);
        dispatcher.open_queues(inbox);
        let (send, remote) = bounded(WAITING);
        let mail = LeaderMail::start(&member, inbox.clone(), send)?;
        let end = dispatcher.run([finders, &remote], messages, stop);
        // Without anybody who takes what it hands on it ends at once.
        drop(remote);
        drop(mail);
        match end {
            DispatchEnd::Stopped => break,
            DispatchEnd::Displaced(given_back) => options = *given_back,
        }
        tracing::warn!("another node leads the dispatch now :: this one follows");
    }
    member.leadership.leave();
    Ok(())
}
