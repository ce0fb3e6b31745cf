//! This node among those that share one dispatch.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::{
    LeadStanding, LeadView, Leadership, LeaseTerms, RedisLead, RedisLog, RedisMessages, RedisSent, Session,
};
use crate::status::DispatchNode;
use crate::store::StoreError;
use crate::store::redis::RedisConnect;

/// What is shared, and by whom.
#[derive(Clone)]
pub struct SharedDispatchOptions {
    /// The Redis that all nodes have.
    pub connect: RedisConnect,
    /// What tells the nodes that belong together from others on the same Redis.
    pub namespace: String,
    /// This node's name.
    pub node: String,
    /// How long a node may be silent before another one leads.
    pub terms: LeaseTerms,
}

/// What a node says of itself to the others.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct NodeNews {
    /// Whether its history has all that the leading node's has.
    is_whole: bool,
    /// When its last pass began, Unix seconds; 0 before the first.
    pass_at: f64,
}

/// This node among those that share one dispatch.
pub(in crate::dispatch) struct DispatchMember {
    options: SharedDispatchOptions,
    pub(in crate::dispatch) leadership: Leadership,
    /// This run of the node, as it is written down.
    pub(super) session: String,
    /// Notices that were sent although another node may have sent them.
    repeated: AtomicU64,
    /// Notices that were sent without a mark that all nodes see, as nobody answered.
    unmarked: AtomicU64,
    /// Whether the log says that Redis refuses something.
    has_said_refused: AtomicBool,
}

impl DispatchMember {
    /// Takes part.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub(in crate::dispatch) fn start(options: SharedDispatchOptions) -> std::io::Result<Self> {
        let lead = RedisLead::new(&options.connect, &options.namespace, options.terms.renew_each());
        let leadership = Leadership::start(Box::new(lead), &options.node, options.terms)?;
        let member = Self {
            session: leadership.session().to_string(),
            leadership,
            options,
            repeated: AtomicU64::new(0),
            unmarked: AtomicU64::new(0),
            has_said_refused: AtomicBool::new(false),
        };
        member.announce(false, 0.0);
        Ok(member)
    }

    /// The node's name.
    pub(super) fn node(&self) -> &str {
        &self.options.node
    }

    /// How long a node may be silent.
    pub(super) fn ttl(&self) -> Duration {
        self.options.terms.ttl
    }

    /// An answer later than the next heartbeat is of no use.
    fn limit(&self) -> Duration {
        self.options.terms.renew_each()
    }

    pub(super) fn log(&self) -> RedisLog {
        RedisLog::new(&self.options.connect, &self.options.namespace, self.limit())
    }

    pub(super) fn messages(&self) -> RedisMessages {
        RedisMessages::new(&self.options.connect, &self.options.namespace, self.limit())
    }

    pub(super) fn sent(&self) -> RedisSent {
        RedisSent::new(&self.options.connect, &self.options.namespace, self.limit())
    }

    /// Says how it stands with this node.
    pub(in crate::dispatch) fn announce(&self, is_whole: bool, pass_at: f64) {
        let news = serde_json::to_string(&NodeNews { is_whole, pass_at });
        self.leadership.announce(news.unwrap_or_default());
    }

    /// Whether other nodes live.
    pub(super) fn has_others(&self, view: &LeadView) -> bool {
        view.nodes.iter().any(|node| node.session != self.session)
    }

    /// Whether the histories of all others have everything.
    pub(super) fn all_are_whole(&self, view: &LeadView) -> bool {
        let mut others = view.nodes.iter().filter(|node| node.session != self.session);
        others.all(|node| news(&node.about).is_whole)
    }

    /// The session that leads, if another one does, as far as was heard last.
    pub(super) fn leader<'v>(&self, view: &'v LeadView) -> Option<&'v str> {
        let leader = view.leader.as_ref()?;
        (leader.session != self.session).then_some(leader.session.as_str())
    }

    /// Something else than a heartbeat has failed: nothing is asked again before the next heartbeat was answered. That Redis is away
    /// others say; that it refuses is said here, once.
    pub(super) fn failed(&self, what: &str, error: &StoreError) {
        let is_away = matches!(error, StoreError::Unavailable { .. });
        if is_away || self.has_said_refused.swap(true, Ordering::Relaxed) {
            tracing::debug!("{what} :: {error}");
        } else {
            tracing::warn!("{what} :: {error} :: nodes do not have all of each other's incidents");
        }
        self.leadership.nobody_answers();
    }

    /// All nodes, for others to read.
    pub(super) fn nodes(&self, view: &LeadView) -> Vec<DispatchNode> {
        let leader = match &view.standing {
            LeadStanding::Leads { .. } | LeadStanding::Apart { .. } => Some(self.session.as_str()),
            LeadStanding::Follows => view.leader.as_ref().map(|leader| leader.session.as_str()),
        };
        let node = |node: &crate::cluster::LeadCandidate| {
            let said = news(&node.about);
            DispatchNode {
                name: Session::node_of(&node.session).to_owned(),
                leads: Some(node.session.as_str()) == leader,
                is_whole: said.is_whole,
                pass_at: said.pass_at,
            }
        };
        view.nodes.iter().map(node).collect()
    }

    /// Counts a notice that was sent although another node may have sent it.
    pub(super) fn repeats(&self) {
        self.repeated.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a notice that was sent without a mark.
    pub(super) fn sends_unmarked(&self) {
        self.unmarked.fetch_add(1, Ordering::Relaxed);
    }

    /// Counter name and value.
    pub(super) fn counters(&self) -> Vec<(String, u64)> {
        counters(
            self.repeated.load(Ordering::Relaxed),
            self.unmarked.load(Ordering::Relaxed),
        )
    }
}

fn news(about: &str) -> NodeNews {
    // A node of another version may say something else: it is taken for one that has nothing.
    serde_json::from_str(about).unwrap_or_default()
}

/// Counter name and value.
pub(in crate::dispatch) fn counters(repeated: u64, unmarked: u64) -> Vec<(String, u64)> {
    vec![
        ("notices.repeated".to_owned(), repeated),
        ("notices.unmarked".to_owned(), unmarked),
    ]
}
