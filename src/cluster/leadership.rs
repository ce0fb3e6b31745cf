//! Which of the nodes leads: the protocol, the store's handle, and a thread that keeps the heartbeat going.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::lead_protocol::{LeadProtocol, LeadStanding, LeadView};
use super::lead_store::LeadStore;
use super::lease_store::Session;
use super::local_process::{has_ended, run_name};
use super::protocol::LeaseTerms;
use crate::stop::Stop;

/// Time between two heartbeats of a node that follows, at most: so long may a lead that is free wait for it.
const FOLLOWS_EACH: Duration = Duration::from_millis(500);

/// A run of a node that may lead what all nodes share.
///
/// Dropping it without [`leave`](Self::leave) lets its lease run out.
pub struct Leadership {
    shared: Arc<LeadShared>,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

struct LeadShared {
    /// Where times of the protocol are counted from.
    origin: Instant,
    terms: LeaseTerms,
    /// Held for a moment only.
    protocol: Mutex<LeadProtocol>,
    /// What the node says of itself.
    about: Mutex<String>,
    /// Held over an exchange; with whether the node has left.
    store: Mutex<(Box<dyn LeadStore>, bool)>,
    is_failing: AtomicBool,
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
            terms,
            protocol: Mutex::new(LeadProtocol::new(session, terms)),
            about: Mutex::default(),
            store: Mutex::new((store, false)),
            is_failing: AtomicBool::new(false),
        });
        let stop = Stop::new();
        let (beating, told) = (Arc::clone(&shared), stop.clone());
        let thread = std::thread::Builder::new()
            .name("lead".to_owned())
            .spawn(move || {
                while !told.sleep(beating.pause()) {
                    beating.exchange();
                }
            })?;
        Ok(Self {
            shared,
            stop,
            thread: Some(thread),
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

    /// Gives up a lead that cannot be used, for others to take.
    pub fn resign(&self) {
        self.shared.protocol().resign();
        let session = self.session().to_string();
        let mut store = self.shared.store();
        if let Err(error) = store.0.end(&session) {
            tracing::debug!("the lead is free only when its lease has run out :: {error}");
        }
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
        let is_failing = || self.shared.is_failing.load(Ordering::Relaxed);
        if is_failing() {
            return;
        }
        let session = self.session().to_string();
        let mut store = self.shared.store();
        // The exchange that was under way may have failed.
        if is_failing() || std::mem::replace(&mut store.1, true) {
            return;
        }
        self.shared.protocol().resign();
        if let Err(error) = store.0.end(&session) {
            tracing::warn!("others lead only when the lease of this node has run out :: {error}");
        }
    }
}

impl LeadShared {
    fn protocol(&self) -> MutexGuard<'_, LeadProtocol> {
        self.protocol.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self) -> MutexGuard<'_, (Box<dyn LeadStore>, bool)> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pause(&self) -> Duration {
        let follows = self
            .protocol()
            .view(self.origin.elapsed())
            .is_some_and(|view| view.answers && view.standing == LeadStanding::Follows);
        let each = self.terms.renew_each();
        if follows { each.min(FOLLOWS_EACH) } else { each }
    }

    /// One heartbeat, and one more if a session has ended on this machine.
    fn exchange(&self) {
        let mut store = self.store();
        for _ in 0..2 {
            if store.1 {
                // It has left: nothing is asked any more.
                return self.protocol().failed();
            }
            let about = self.about.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let request = self.protocol().request(about);
            let sent_at = self.origin.elapsed();
            let reply = match store.0.exchange(&request) {
                Ok(reply) => reply,
                Err(error) => {
                    if !self.is_failing.swap(true, Ordering::Relaxed) {
                        tracing::debug!("nobody says who leads :: {error}");
                    }
                    return self.protocol().failed();
                }
            };
            if self.is_failing.swap(false, Ordering::Relaxed) {
                tracing::debug!("`{}` says who leads again", store.0.describe());
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
                if store.0.end(session).is_err() {
                    return;
                }
            }
        }
    }
}

impl Drop for Leadership {
    fn drop(&mut self) {
        self.stop.say();
        let thread = self.thread.take();
        if let Some(thread) = thread.filter(|_| !self.shared.is_failing.load(Ordering::Relaxed)) {
            let _ = thread.join();
        }
    }
}
