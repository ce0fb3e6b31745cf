//! What a dispatcher that leads knows of the other nodes.

use std::sync::Arc;

use super::follower::TakenLead;
use super::member::DispatchMember;
use super::send_gate::SendGate;
use crate::status::DispatchNode;

/// What a dispatcher that leads knows of the other nodes.
pub(in crate::dispatch) struct SharedLead {
    member: Arc<DispatchMember>,
    /// Asked before each notice.
    pub(in crate::dispatch) gate: Arc<SendGate>,
    /// When this node's last pass began, Unix seconds.
    pass_at: f64,
}

impl SharedLead {
    pub(in crate::dispatch) fn new(member: &Arc<DispatchMember>, taken: &TakenLead) -> Self {
        Self {
            gate: Arc::new(SendGate::new(member, taken.since, taken.was_shared)),
            member: Arc::clone(member),
            pass_at: 0.0,
        }
    }

    /// This node's name.
    pub(in crate::dispatch) fn node(&self) -> &str {
        self.member.node()
    }

    /// Whether other nodes live.
    pub(in crate::dispatch) fn has_others(&self) -> bool {
        self.member.has_others(&self.member.leadership.view())
    }

    /// A pass of this node began at `at`, Unix seconds.
    pub(in crate::dispatch) fn passed(&mut self, at: f64) {
        self.pass_at = at;
        self.member.announce(true, at);
    }

    /// All nodes, for others to read.
    pub(in crate::dispatch) fn nodes(&self) -> Vec<DispatchNode> {
        self.member.nodes(&self.member.leadership.view())
    }

    /// Counter name and value.
    pub(in crate::dispatch) fn counters(&self) -> Vec<(String, u64)> {
        self.member.counters()
    }
}
