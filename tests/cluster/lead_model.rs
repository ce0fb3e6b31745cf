//! The lead in a world: writes of one epoch's holder only are taken and none of an earlier epoch after one of a later, no two nodes
//! whose clocks go think that they lead, who says that it has led since an epoch was never led over between, and nobody waits for a
//! leader for longer than the bound while one lives that may lead.

use std::collections::BTreeMap;
use std::time::Duration;

use skywatch::cluster::{FencingToken, LeadProtocol, LeadReply, LeadRequest, LeadStanding, Session};

use super::memory_lead::LeadTable;
use super::model::{
    Absence, Dice, LOOK_EACH, LastWrite, Model, Moment, Next, Seen, TERMS, TIMEOUT, counted_from,
};

/// What of the protocol is broken on purpose.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LeadFlaws {
    /// Writes are taken whatever they show.
    pub(crate) no_fence: bool,
    /// The lead changes hands under the same epoch.
    pub(crate) same_epoch: bool,
    /// Nodes count the lease from the answer on, and longer than the store does.
    pub(crate) trusting: bool,
    /// A node that leads again goes on as if nobody had led between.
    pub(crate) goes_on_always: bool,
    /// A lead that was given up is free before its node has stopped to count on it.
    pub(crate) resigns_aside: bool,
    /// Nodes never take over.
    pub(crate) idle: bool,
}

/// One run of a node, which does what a dispatch does: it follows, or leads since an epoch.
pub(crate) struct LeadRun {
    protocol: LeadProtocol,
    session: Session,
    /// Whether it leads when it can.
    is_candidate: bool,
    /// Since which epoch it leads; `None` within where nobody has ever answered it.
    leads_since: Option<Option<u64>>,
    /// The first epoch under which it led, for the flaw of that kind.
    first: Option<u64>,
}

/// A write of a node that leads since an epoch.
#[derive(Debug, Clone)]
pub(crate) struct LeadWrite {
    token: FencingToken,
    since: Option<u64>,
}

pub(crate) enum LeadMessage {
    Beat(LeadRequest),
    End(String),
}

/// The store, and what is known of the lead.
pub(crate) struct LeadModel {
    flaws: LeadFlaws,
    table: LeadTable,
    taken: LastWrite,
    /// Of each session the latest epoch of a write that was taken.
    taken_of: BTreeMap<String, u64>,
    unled: Absence,
    pub(crate) longest_unled: u64,
    /// How often a node went on under a later epoch, and how often it was refused that as another had led.
    pub(crate) went_on: u64,
    pub(crate) led_over: u64,
}

impl LeadModel {
    /// How a node stands; `None` if it has to ask.
    fn standing(&self, run: &LeadRun, here: Duration) -> Option<LeadStanding> {
        let standing = run.protocol.view(here)?.standing;
        Some(match (standing, run.first) {
            (LeadStanding::Leads { token, .. }, Some(began)) if self.flaws.goes_on_always => {
                LeadStanding::Leads { began, token }
            }
            (standing, _) => standing,
        })
    }
}

impl Model for LeadModel {
    type Flaws = LeadFlaws;
    type Run = LeadRun;
    type Request = LeadMessage;
    type Reply = Option<LeadReply>;
    type Write = LeadWrite;

    const LATE: u64 = 2;

    fn new(flaws: LeadFlaws) -> Self {
        Self {
            flaws,
            table: LeadTable {
                keeps_epochs: flaws.same_epoch,
                ..LeadTable::default()
            },
            taken: LastWrite::default(),
            taken_of: BTreeMap::new(),
            unled: Absence::default(),
            longest_unled: 0,
            went_on: 0,
            led_over: 0,
        }
    }

    fn begin(&mut self, name: &str, number: u64, dice: &mut Dice) -> LeadRun {
        let session = Session::new(name, &number.to_string());
        LeadRun {
            protocol: LeadProtocol::new(session.clone(), TERMS),
            session,
            is_candidate: dice.chance(80),
            leads_since: None,
            first: None,
        }
    }

    fn request(&mut self, run: &mut LeadRun, now: u64) -> LeadMessage {
        let mut request = run.protocol.request(String::new());
        if self.flaws.idle && run.leads_since.is_none() && now > 40_000 {
            request.takes = false;
        }
        LeadMessage::Beat(request)
    }

    fn leave(&mut self, run: &mut LeadRun) -> LeadMessage {
        run.protocol.resign();
        LeadMessage::End(run.session.to_string())
    }

    fn may_be_late(request: &LeadMessage) -> bool {
        // One of a run that is over would end the run after it: it is not taken from a connection that is closed.
        matches!(request, LeadMessage::Beat(request) if !request.joins)
    }

    fn exchange(&mut self, now: Duration, request: &LeadMessage) -> Option<LeadReply> {
        self.table.now = now;
        match request {
            LeadMessage::Beat(request) => Some(self.table.exchange(request)),
            LeadMessage::End(session) => {
                self.table.end(session);
                None
            }
        }
    }

    fn answered(
        &mut self,
        run: &mut LeadRun,
        sent_at: Duration,
        here: Duration,
        reply: &Option<LeadReply>,
    ) -> Next {
        let sent_at = counted_from(sent_at, here, self.flaws.trusting);
        if let Some(reply) = reply {
            run.protocol.answered(sent_at, reply.clone());
        }
        Next::Later
    }

    fn failed(&mut self, run: &mut LeadRun) {
        run.protocol.failed();
    }

    fn pause(&self, run: &LeadRun, here: Duration) -> Duration {
        run.protocol.pause(here)
    }

    /// Takes the lead where it can, writes what it leads under, and gives the lead up now and then.
    fn work(&mut self, run: &mut LeadRun, here: Duration, dice: &mut Dice) -> (Vec<LeadWrite>, bool) {
        run.protocol.stand(run.is_candidate);
        let Some(standing) = self.standing(run, here) else {
            return (Vec::new(), true);
        };
        if run.leads_since.is_some_and(|since| !standing.is_since(since)) {
            self.led_over += u64::from(matches!(standing, LeadStanding::Leads { .. }));
            run.leads_since = None;
        }
        let LeadStanding::Leads { began, token } = standing else {
            if standing == (LeadStanding::Apart { began: None }) {
                run.leads_since = Some(None);
            }
            return (Vec::new(), false);
        };
        self.went_on += u64::from(run.leads_since.is_some() && began != token.epoch);
        run.leads_since = Some(Some(began));
        run.first.get_or_insert(began);
        let writes = vec![LeadWrite {
            since: Some(began),
            token: token.clone(),
        }];
        if !dice.chance(2) {
            return (writes, false);
        }
        // It cannot use the lead.
        run.leads_since = None;
        if self.flaws.resigns_aside {
            self.table.end(&token.session);
            return (writes, false);
        }
        run.protocol.resign();
        (writes, true)
    }

    fn write(&mut self, now: Duration, write: &LeadWrite) -> Result<bool, String> {
        self.table.now = now;
        let token = &write.token;
        if !self.flaws.no_fence && !self.table.accepts(token) {
            return Ok(false);
        }
        self.taken.take(token)?;
        let others = self
            .taken_of
            .iter()
            .filter(|(session, _)| **session != token.session);
        if let Some((other, epoch)) = others.max_by_key(|(_, epoch)| **epoch)
            && write.since.is_some_and(|since| since < *epoch)
        {
            return Err(format!(
                "`{token}` writes as the leader since {:?}, and `{other}` led between",
                write.since
            ));
        }
        self.taken_of.insert(token.session.clone(), token.epoch);
        Ok(true)
    }

    fn can_take(&self, run: &LeadRun) -> bool {
        // Some begin late, some do not want it, and who gives it up leaves it to others first.
        let request = run.protocol.request(String::new());
        !request.joins && request.takes
    }

    fn look(&mut self, moment: Moment, nodes: &[Seen<'_, LeadRun>]) -> Result<(), String> {
        let (mut steady, mut is_led) = (None, false);
        for node in nodes {
            let Some(LeadStanding::Leads { began, token }) = self.standing(node.run, node.here) else {
                continue;
            };
            is_led = true;
            let between = |given: &&FencingToken| (began..=token.epoch).contains(&given.epoch);
            let mut given = self.table.given.iter().filter(between);
            if let Some(other) = given.find(|given| given.session != token.session) {
                return Err(format!(
                    "`{token}` says it leads since {began}, and `{other}` was given between"
                ));
            }
            // One whose clock stood still may be wrong until its next heartbeat: that is what the fence is for.
            if let (true, Some(other)) = (node.is_steady, &steady) {
                return Err(format!("two nodes think they lead: `{other}` and `{token}`"));
            }
            if node.is_steady {
                steady = Some(token);
            }
        }
        let bound = TERMS.longest_unled(Duration::from_millis(TIMEOUT)).as_millis() as u64 + LOOK_EACH;
        let lasts = self.unled.lasts(moment, is_led);
        self.longest_unled = self.longest_unled.max(lasts);
        if lasts > bound {
            return Err(format!("nobody has led for {lasts} ms, {bound} at most"));
        }
        Ok(())
    }
}
