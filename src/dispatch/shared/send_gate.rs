//! Whether a notice may be handed to its receiver: only the node that leads sends, and marks what it sends for those that may lead
//! after it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use skywatch_alerters::Notice;

use super::member::DispatchMember;
use crate::clock::unix_now;
use crate::cluster::{LeadStanding, LeadView, RedisSent, SendMark};

/// Seconds before this node was seen to be apart in which a notice may have been made that others do not have.
const APART_SEEN_AFTER: f64 = 2.0;

/// What the receiver's queue is to do with a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dispatch) enum SendPermit {
    /// Send it.
    Send,
    /// It was sent by a node that led before.
    Sent,
    /// Another node may send it: wait until that is known.
    Wait,
}

/// What all queues of a node that leads ask.
pub(in crate::dispatch) struct SendGate {
    member: Arc<DispatchMember>,
    /// The epoch since which this node leads; `None` where nobody answered when it began.
    since: Option<u64>,
    /// Whether others may have what this node's history held when it began to lead.
    was_shared: bool,
    state: Mutex<GateState>,
}

struct GateState {
    marks: RedisSent,
    /// Since when nobody answers and the lease is over, Unix seconds: what was made before may be sent by another node.
    apart_since: Option<f64>,
}

impl SendGate {
    pub(super) fn new(member: &Arc<DispatchMember>, since: Option<u64>, was_shared: bool) -> Self {
        Self {
            since,
            was_shared,
            state: Mutex::new(GateState {
                marks: member.sent(),
                apart_since: None,
            }),
            member: Arc::clone(member),
        }
    }

    fn state(&self) -> MutexGuard<'_, GateState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the notice may be sent. Takes an exchange with Redis where there are other nodes, and the wait for a replica.
    pub(in crate::dispatch) fn ask(&self, notice: &Notice) -> SendPermit {
        let view = self.member.leadership.view();
        if !view.standing.is_since(self.since) {
            return SendPermit::Wait;
        }
        let mut state = self.state();
        match &view.standing {
            LeadStanding::Leads { token, .. } if view.answers => {
                state.apart_since = None;
                if !self.member.has_others(&view) {
                    return SendPermit::Send;
                }
                match state.marks.mark(token, &notice.id) {
                    Ok(SendMark::New) => SendPermit::Send,
                    Ok(SendMark::Sent) => SendPermit::Sent,
                    Ok(SendMark::Again) => {
                        tracing::warn!(
                            "notice {} may have been sent by the node that led before :: it is sent again under the same id",
                            notice.id
                        );
                        self.member.repeats();
                        SendPermit::Send
                    }
                    Ok(SendMark::Refused) => SendPermit::Wait,
                    Err(error) => {
                        self.member
                            .failed("a notice is not marked before it is sent", &error);
                        self.unmarked(&mut state, notice)
                    }
                }
            }
            _ => self.unmarked(&mut state, notice),
        }
    }

    /// Nobody answers. While the lease lasts no other node can lead. After that one may, and has what was made before: that waits,
    /// and what has been made since, which only this node knows, is sent.
    fn unmarked(&self, state: &mut GateState, notice: &Notice) -> SendPermit {
        let view = self.member.leadership.view();
        if !view.standing.is_since(self.since) {
            return SendPermit::Wait;
        }
        if self.may_be_others(&view) {
            if matches!(view.standing, LeadStanding::Apart { .. }) {
                let since = *state
                    .apart_since
                    .get_or_insert_with(|| unix_now() - APART_SEEN_AFTER);
                if notice.at < since {
                    return SendPermit::Wait;
                }
            }
            self.member.sends_unmarked();
        }
        SendPermit::Send
    }

    fn may_be_others(&self, view: &LeadView) -> bool {
        self.was_shared || self.member.has_others(view)
    }

    /// Notes what became of a notice that was let go.
    pub(in crate::dispatch) fn done(&self, id: &str, was_taken: bool) {
        let view = self.member.leadership.view();
        let LeadStanding::Leads { token, .. } = &view.standing else {
            return;
        };
        if !view.answers || !self.member.has_others(&view) {
            return;
        }
        let mut state = self.state();
        let noted = if was_taken {
            state.marks.sent(id)
        } else {
            state.marks.failed(token, id)
        };
        if let Err(error) = noted {
            // It is in the log as well, unless this node dies now.
            self.member
                .failed("what became of a notice is not marked", &error);
        }
    }
}
