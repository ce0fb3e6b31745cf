//! Which of the nodes leads: the protocol, the store's handle, and a thread that keeps the heartbeat going.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::heartbeat::{ExchangeFailure, Heartbeat};
use super::lead_protocol::{LeadProtocol, LeadView};
use super::lead_store::LeadStore;
use super::lease_store::Session;
use super::local_process::{has_ended, run_name};
use super::protocol::LeaseTerms;

/// A run of a node that may lead what all nodes share.
///
/// Dropping it without [`leave`](Self::leave) lets its lease run out.
pub struct Leadership {
    shared: Arc<LeadShared>,
    _heartbeat: Heartbeat,
}

struct LeadShared {
    /// Where times of the protocol are counted from.
    origin: Instant,
    /// Held for a moment only.
    protocol: Mutex<LeadProtocol>,
    /// What the node says of itself.
    about: Mutex<String>,
    /// Held over an exchange.
    table: Mutex<LeadTable>,
    failure: Arc<ExchangeFailure>,
}

struct LeadTable {
    store: Box<dyn LeadStore>,
    has_left: bool,
}

impl Leadership {
    /// Joins with the first [`refresh`](Self::refresh), or heartbeat. `node`: a name that no other node has.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(store: Box<dyn LeadStore>, node: &str, terms: LeaseTerms) -> std::io::Result<Self> {
        let session = Session::new(node, &run_name());
        let shared = Arc::new(LeadShared {
            origin: Instant::now(),
            protocol: Mutex::new(LeadProtocol::new(session, terms)),
            about: Mutex::default(),
            table: Mutex::new(LeadTable {
                store,
                has_left: false,
            }),
            failure: Arc::default(),
        });
        let (waiting, beating) = (Arc::clone(&shared), Arc::clone(&shared));
        let pause = move || waiting.pause();
        let heartbeat = Heartbeat::start("lead", &shared.failure, pause, move || beating.exchange())?;
        Ok(Self {
            shared,
            _heartbeat: heartbeat,
        })
    }

    /// This run of the node.
    #[must_use]
    pub fn session(&self) -> Session {
        self.shared.protocol().session().clone()
    }

    /// One heartbeat now, and what is known after it.
    #[must_use]
    pub fn refresh(&self) -> LeadView {
        self.shared.exchange();
        self.view()
    }

    /// What is known, without asking anybody; but a lead whose lease has run out is asked about first, which takes as long as
    /// one exchange.
    #[must_use]
    pub fn view(&self) -> LeadView {
        loop {
            let known = self.shared.protocol().view(self.shared.origin.elapsed());
            if let Some(view) = known {
                return view;
            }
            self.shared.exchange();
        }
    }

    /// Says whether the lead is to be taken when it is free.
    pub fn stand(&self, is_candidate: bool) {
        self.shared.protocol().stand(is_candidate);
    }

    /// Gives up a lead that cannot be used, for others to take: at once, or with the next heartbeat that is answered.
    pub fn resign(&self) {
        self.shared.protocol().resign();
        self.shared.exchange();
    }

    /// What the node says of itself from the next heartbeat on.
    pub fn announce(&self, about: String) {
        *self.shared.about.lock().unwrap_or_else(PoisonError::into_inner) = about;
    }

    /// Something else of the same store does not answer: it is not waited for again before a heartbeat was answered.
    pub fn nobody_answers(&self) {
        self.shared.protocol().failed();
    }

    /// Leaves: what is led is free at once.
    pub fn leave(&self) {
        let session = self.session().to_string();
        let failure = &self.shared.failure;
        let Some(mut table) = failure.lock_unless_failing(|| self.shared.table()) else {
            return;
        };
        if std::mem::replace(&mut table.has_left, true) {
            return;
        }
        self.shared.protocol().resign();
        if let Err(error) = table.store.end(&session) {
            tracing::warn!("others lead only when the lease of this node has run out :: {error}");
        }
    }
}

impl LeadShared {
    fn protocol(&self) -> MutexGuard<'_, LeadProtocol> {
        self.protocol.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn table(&self) -> MutexGuard<'_, LeadTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pause(&self) -> Duration {
        self.protocol().pause(self.origin.elapsed())
    }

    /// One heartbeat, and one more if a session has ended on this machine.
    fn exchange(&self) {
        let mut table = self.table();
        for _ in 0..2 {
            if table.has_left {
                // It has left: nothing is asked any more.
                return self.protocol().failed();
            }
            let about = self.about.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let request = self.protocol().request(about);
            let sent_at = self.origin.elapsed();
            let reply = match table.store.exchange(&request) {
                Ok(reply) => reply,
                Err(error) => {
                    if self.failure.begins() {
                        tracing::debug!("nobody says who leads :: {error}");
                    }
                    return self.protocol().failed();
                }
            };
            if self.failure.ends() {
                tracing::debug!("`{}` says who leads again", table.store.describe());
            }
            let sessions = reply.nodes.iter().map(|node| &node.session);
            let led = reply.leader.iter().map(|leader| &leader.session);
            let run = |session: &&String| session.split_once('/').is_some_and(|(_, run)| has_ended(run));
            let ended: Vec<String> = sessions.chain(led).filter(run).cloned().collect();
            self.protocol().answered(sent_at, reply);
            if ended.is_empty() {
                return;
            }
            for session in &ended {
                tracing::info!("node `{}` has ended on this machine", Session::node_of(session));
                if table.store.end(session).is_err() {
                    return;
                }
            }
        }
    }
}
