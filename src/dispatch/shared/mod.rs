//! One dispatch for several nodes on one Redis: one of them leads, and all have the history.
//!
//! The node that leads runs the dispatcher as a node that is alone would. What it writes down goes to the log first
//! ([`log_writer`]), in the same step as the check that it still leads; nodes that follow write the same into their own files
//! ([`replica`]), so whoever leads next begins as after a restart. They hand over what their finders find ([`relay`]) and what
//! their people ask ([`questions`]) as messages, which the leading one takes as if it had come over its own sockets
//! ([`leader_messages`]). Only the leading node sends, and marks what it sends ([`send_gate`]).
//!
//! The decision a reader would question: while Redis does not answer, the node that led last goes on alone. Nobody can lead
//! instead unless only this one is cut off, and then it knows nothing but what is wrong with itself: that it says, and holds
//! back what another one may say.

mod base;
mod entry;
mod follower;
mod leader_messages;
mod log_writer;
mod member;
mod node_message;
mod questions;
mod relay;
mod replica;
mod send_gate;
mod shared_lead;

pub(super) use self::base::base;
pub(super) use self::follower::{FollowEnd, FollowingNode};
pub(super) use self::leader_messages::{LeaderMessages, name_at};
pub(super) use self::log_writer::{LogOutcome, LogWriter};
pub(super) use self::member::DispatchMember;
pub use self::member::SharedDispatchOptions;
#[cfg(test)]
pub(super) use self::member::counters;
pub(super) use self::send_gate::{SendGate, SendPermit};
pub(super) use self::shared_lead::SharedLead;
