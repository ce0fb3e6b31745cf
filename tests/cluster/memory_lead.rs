//! The lease of the lead in memory, with a clock that is set: what the one in Redis is held against, and what schedules run on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use skywatch::cluster::{FencingToken, LeadCandidate, LeadReply, LeadRequest, LeadStore, Session};
use skywatch::store::StoreError;

/// The lease.
#[derive(Debug, Default)]
pub(crate) struct LeadTable {
    /// The table's own clock.
    pub(crate) now: Duration,
    /// Who leads, and until when.
    pub(crate) lead: Option<(FencingToken, Duration)>,
    /// The epoch that was given last.
    pub(crate) epoch: u64,
    /// Until when each session lives, and what it says of itself.
    pub(crate) nodes: BTreeMap<String, (Duration, String)>,
    /// Every lead that was ever given.
    pub(crate) given: Vec<FencingToken>,
    /// Broken on purpose: whoever takes the lead gets the epoch of the one before.
    pub(crate) keeps_epochs: bool,
}

impl LeadTable {
    pub(crate) fn exchange(&mut self, request: &LeadRequest) -> LeadReply {
        let (now, session) = (self.now, request.session.to_string());
        let is_earlier_run =
            |other: &str| other != session && Session::node_of(other) == request.session.node();
        let is_over = |(lead, ends): &mut (FencingToken, Duration)| {
            *ends <= now
                || (request.joins && is_earlier_run(&lead.session))
                || (lead.session == session && Some(lead.epoch) == request.gives_back)
        };
        self.lead.take_if(is_over);
        let ends = now + request.ttl;
        match &mut self.lead {
            Some((lead, until)) if lead.session == session => *until = ends,
            None if request.takes => {
                self.epoch = self.epoch.max(request.above) + u64::from(!self.keeps_epochs);
                let token = FencingToken {
                    epoch: self.epoch,
                    session: session.clone(),
                };
                self.given.push(token.clone());
                self.lead = Some((token, ends));
            }
            _ => {}
        }
        self.nodes
            .retain(|node, (ends, _)| *ends > now && !(request.joins && is_earlier_run(node)));
        self.nodes.insert(session, (ends, request.about.clone()));
        let node = |(session, (_, about)): (&String, &(Duration, String))| LeadCandidate {
            session: session.clone(),
            about: about.clone(),
        };
        LeadReply {
            leader: self.lead.as_ref().map(|(lead, _)| lead.clone()),
            nodes: self.nodes.iter().map(node).collect(),
            ..LeadReply::default()
        }
    }

    pub(crate) fn end(&mut self, session: &str) {
        self.nodes.remove(session);
        self.lead.take_if(|(lead, _)| lead.session == session);
    }

    /// Whether a write that shows this token is taken.
    pub(crate) fn accepts(&self, token: &FencingToken) -> bool {
        self.lead
            .as_ref()
            .is_some_and(|(lead, ends)| lead == token && *ends > self.now)
    }
}

/// A handle of a lease whose clock is this machine's.
pub(crate) struct MemoryLead {
    pub(crate) table: Arc<Mutex<LeadTable>>,
    pub(crate) begun: Instant,
}

impl LeadStore for MemoryLead {
    fn exchange(&mut self, request: &LeadRequest) -> Result<LeadReply, StoreError> {
        let mut table = self.table.lock().expect("no panic while it is held");
        table.now = self.begun.elapsed();
        Ok(table.exchange(request))
    }

    fn end(&mut self, session: &str) -> Result<(), StoreError> {
        self.table.lock().expect("no panic while it is held").end(session);
        Ok(())
    }

    fn describe(&self) -> String {
        "memory".to_owned()
    }
}
