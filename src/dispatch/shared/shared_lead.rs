//! What a dispatcher that leads knows of the other nodes.

use std::sync::Arc;

use super::follower::TakenLead;
use super::member::DispatchMember;
use super::send_gate::SendGate;
use crate::cluster::LeadStanding;
use crate::inlet::FinderReport;
use crate::status::DispatchNode;

/// What a dispatcher that leads knows of the other nodes.
pub(in crate::dispatch) struct SharedLead {
    member: Arc<DispatchMember>,
    /// The epoch since which this node leads; `None` where nobody answered when it began.
    since: Option<u64>,
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
            since: taken.since,
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

    /// Whether another node leads, for who has a report in hand that rests on what the store answered: where nobody has said so for a
    /// while, Redis may answer again, and another node may have told what is reported. So it is asked before that counts.
    pub(in crate::dispatch) fn is_displaced_at(&self, report: &FinderReport) -> bool {
        let rests_on_store = match report {
            FinderReport::Seen(observations) => observations.pass.is_some(),
            FinderReport::StoreAnswers => true,
            FinderReport::NoPass { .. } => false,
        };
        let leadership = &self.member.leadership;
        rests_on_store
            && matches!(leadership.view().standing, LeadStanding::Apart { .. })
            && !leadership.refresh().standing.is_since(self.since)
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
