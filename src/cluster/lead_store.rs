//! The lease of the one node that leads what all nodes share, and the nodes that live.

use std::time::Duration;

use super::lease_store::{FencingToken, Session};
use crate::store::StoreError;

/// A heartbeat of a node that could lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeadRequest {
    /// Who asks.
    pub session: Session,
    /// How long it lives, and leads, without another heartbeat.
    pub ttl: Duration,
    /// Whether it is the session's first: earlier runs of the same node are over then.
    pub joins: bool,
    /// The epoch under which the lead is given back, for others to take.
    pub gives_back: Option<u64>,
    /// Whether the lead is to be taken if it is free.
    pub takes: bool,
    /// The highest epoch that was seen: one that is given now is above it.
    pub above: u64,
    /// What the node says of itself to others.
    pub about: String,
}

/// A node that lives, as it says itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeadCandidate {
    /// Its session as it is written down.
    pub session: String,
    /// What it says of itself.
    pub about: String,
}

/// What a node may not have read yet, so that it need not ask for each by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnreadState {
    /// The last entry of the log that all nodes follow; `None` while there is none.
    pub log_end: Option<String>,
    /// Messages that wait for the session.
    pub messages: u64,
}

/// The state after a heartbeat.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeadReply {
    /// Who leads, and since which epoch.
    pub leader: Option<FencingToken>,
    /// All nodes that live, by session.
    pub nodes: Vec<LeadCandidate>,
    /// What the session may not have read.
    pub unread: UnreadState,
}

/// Where the lease of the lead is kept. One thread at a time uses a handle; calls block on the network, for less than the lease
/// lasts.
pub trait LeadStore: Send {
    /// One heartbeat, in one step that nothing comes between.
    ///
    /// # Errors
    /// The store's own. Whether the step was taken is not known after one that is retryable.
    fn exchange(&mut self, request: &LeadRequest) -> Result<LeadReply, StoreError>;

    /// Ends a session: its node lives no more, and what it led is free.
    ///
    /// # Errors
    /// The store's own.
    fn end(&mut self, session: &str) -> Result<(), StoreError>;

    /// Where the lease is, for people; holds no secret.
    fn describe(&self) -> String;
}
