//! The [`Coordinator`] over a shared table: the protocol, the table's handle, and a thread that keeps the heartbeat going while
//! a pass takes as long as it takes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::coordinator::Coordinator;
use super::heartbeat::{ExchangeFailure, Heartbeat};
use super::lease_store::{LeaseStore, Session};
use super::local_process::run_name;
use super::node_name::random;
use super::ownership::Ownership;
use super::protocol::{LeaseAnswer, LeaseProtocol, LeaseTerms};
use super::virtual_shard::ShardSet;
use crate::store::StoreError;

/// Exchanges in one call: the first may show that something is free, the second takes it, and a third is for what another
/// node has taken between.
const EXCHANGES: usize = 3;

/// Holds leases in the name of one run of a node.
///
/// Dropping it without [`leave`](Coordinator::leave) lets its leases run out.
pub struct LeaseCoordinator {
    shared: Arc<Shared>,
    _heartbeat: Heartbeat,
}

struct Shared {
    /// Where times of the protocol are counted from.
    origin: Instant,
    terms: LeaseTerms,
    failure: Arc<ExchangeFailure>,
    /// Held over an exchange: the pass waits for a heartbeat that is under way, for less than a lease lasts.
    member: Mutex<LeaseMember>,
}

struct LeaseMember {
    protocol: LeaseProtocol,
    store: Box<dyn LeaseStore>,
    has_left: bool,
}

impl LeaseCoordinator {
    /// Joins with the first [`refresh`](Coordinator::refresh), or heartbeat. `node`: a name that no other node has.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(store: Box<dyn LeaseStore>, node: &str, terms: LeaseTerms) -> std::io::Result<Self> {
        let session = Session::new(node, &run_name());
        let shared = Arc::new(Shared {
            origin: Instant::now(),
            terms,
            failure: Arc::default(),
            member: Mutex::new(LeaseMember {
                protocol: LeaseProtocol::new(session, terms),
                store,
                has_left: false,
            }),
        });
        let beating = Arc::clone(&shared);
        let beat = move || {
            // What fails is said there, and tried again.
            let _ = beating.exchange(&mut beating.member());
        };
        let heartbeat = Heartbeat::start("cluster", &shared.failure, move || terms.renew_each(), beat)?;
        Ok(Self {
            shared,
            _heartbeat: heartbeat,
        })
    }
}

impl Shared {
    fn member(&self) -> MutexGuard<'_, LeaseMember> {
        self.member.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// One heartbeat, and those that follow from it at once.
    fn exchange(&self, member: &mut LeaseMember) -> Result<Ownership, StoreError> {
        for _ in 0..EXCHANGES {
            if member.has_left {
                break;
            }
            let sent_at = self.now();
            let reply = match member.store.exchange(&member.protocol.request()) {
                Ok(reply) => reply,
                Err(error) => return self.failed(member, sent_at, error),
            };
            self.works_again(member);
            match member.protocol.answered(sent_at, &reply) {
                LeaseAnswer::Settled => break,
                LeaseAnswer::AskAgain => {}
                LeaseAnswer::Replaced => self.take_another_name(member),
            }
        }
        Ok(member.protocol.owned(self.now()))
    }

    fn failed(
        &self,
        member: &mut LeaseMember,
        sent_at: Duration,
        error: StoreError,
    ) -> Result<Ownership, StoreError> {
        // A table that answers and takes nothing takes nothing from anybody.
        let is_refusal = error.is_of_writes_only()
            || matches!(error, StoreError::Denied { .. } | StoreError::Other { .. });
        if self.failure.begins() {
            let place = member.store.describe();
            tracing::warn!(
                "no heartbeat in `{place}` :: {error} :: other nodes may take over what this one holds"
            );
        }
        if !is_refusal {
            return Err(error);
        }
        member.protocol.refused(sent_at);
        Ok(member.protocol.owned(self.now()))
    }

    fn works_again(&self, member: &LeaseMember) {
        if self.failure.ends() {
            tracing::info!("heartbeats reach `{}` again", member.store.describe());
        }
    }

    /// A copied state folder has brought two nodes of one name together.
    fn take_another_name(&self, member: &mut LeaseMember) {
        let before = member.protocol.session().clone();
        let session = Session::new(
            &format!("{}.{:08x}", before.node(), random() as u32),
            before.run(),
        );
        tracing::error!(
            "another process is node `{}` :: was the state folder copied? this one goes on as `{}`\n  hint: remove the file \
             `node` from the state folder of one of them while it does not run",
            before.node(),
            session.node()
        );
        member.protocol = LeaseProtocol::new(session, self.terms);
    }
}

impl Coordinator for LeaseCoordinator {
    fn refresh(&self) -> Result<Ownership, StoreError> {
        self.shared.exchange(&mut self.shared.member())
    }

    fn release(&self, shards: &ShardSet) -> Result<(), StoreError> {
        let mut member = self.shared.member();
        member.protocol.release(shards);
        self.shared.exchange(&mut member).map(|_| ())
    }

    fn leave(&self) {
        let failure = &self.shared.failure;
        let Some(mut member) = failure.lock_unless_failing(|| self.shared.member()) else {
            tracing::warn!("what this node held is free only when its lease has run out");
            return;
        };
        if std::mem::replace(&mut member.has_left, true) {
            return;
        }
        let last = member.protocol.leave();
        if let Err(error) = member.store.exchange(&last) {
            tracing::warn!("what this node held is free only when its lease has run out :: {error}");
        }
    }
}
