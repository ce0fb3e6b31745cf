//! Whether a node leads: a state machine without I/O and without a clock.
//!
//! Whoever drives it hands in the time of a clock that only goes forward (any origin), sends what
//! [`request`](LeadProtocol::request) gives and tells of the answer. As with shards a lease counts from the moment its heartbeat
//! was *sent*, and ends on the node's own clock [`CLOCK_DRIFT`] before it can end in the store.

use std::time::Duration;

use super::lead_store::{LeadCandidate, LeadReply, LeadRequest, UnreadState};
use super::lease_store::{FencingToken, Session};
use super::protocol::{CLOCK_DRIFT, LeaseTerms};

/// How a node stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeadStanding {
    /// It leads, and what it writes is taken.
    Leads {
        /// The epoch from which on it has led without anybody between.
        began: u64,
        /// What it shows with what it writes.
        token: FencingToken,
    },
    /// Nobody answers. It led when it heard last (since that epoch), or has never heard of anybody.
    Apart {
        /// See above.
        began: Option<u64>,
    },
    /// Another one leads, or nobody does yet.
    Follows,
}

impl LeadStanding {
    /// Whether the node still leads as it has since that epoch (`None`: since it was apart from its start).
    #[must_use]
    pub fn is_since(&self, since: Option<u64>) -> bool {
        match self {
            Self::Leads { began, .. } => Some(*began) == since,
            Self::Apart { began } => *began == since,
            Self::Follows => false,
        }
    }
}

/// What is known of the lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeadView {
    /// How this node stands.
    pub standing: LeadStanding,
    /// Who leads, as far as was heard last.
    pub leader: Option<FencingToken>,
    /// Nodes that live, as far as was heard last.
    pub nodes: Vec<LeadCandidate>,
    /// Whether the store answers.
    pub answers: bool,
    /// What this node may not have read, as of its last heartbeat that was answered.
    pub unread: UnreadState,
}

/// The lead under one epoch.
#[derive(Debug)]
struct HeldLead {
    began: u64,
    token: FencingToken,
    valid_until: Duration,
}

/// One run of one node.
#[derive(Debug)]
pub struct LeadProtocol {
    session: Session,
    terms: LeaseTerms,
    has_joined: bool,
    held: Option<HeldLead>,
    /// The epoch under which the lead was given up, until the store has heard of it. An answer to a heartbeat that was under way
    /// meanwhile may still say that it is held.
    given_up: Option<u64>,
    /// The highest epoch seen.
    seen: u64,
    leader: Option<FencingToken>,
    nodes: Vec<LeadCandidate>,
    unread: UnreadState,
    answers: bool,
    /// Whether the lead is taken when it is free.
    is_candidate: bool,
}

impl LeadProtocol {
    /// A session that has not joined yet, and takes nothing.
    #[must_use]
    pub fn new(session: Session, terms: LeaseTerms) -> Self {
        Self {
            session,
            terms,
            has_joined: false,
            held: None,
            given_up: None,
            seen: 0,
            leader: None,
            nodes: Vec::new(),
            unread: UnreadState::default(),
            answers: true,
            is_candidate: false,
        }
    }

    /// Who it is.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Says whether the lead is to be taken when it is free.
    pub fn stand(&mut self, is_candidate: bool) {
        self.is_candidate = is_candidate;
    }

    /// The next heartbeat, with what the node says of itself.
    #[must_use]
    pub fn request(&self, about: String) -> LeadRequest {
        LeadRequest {
            session: self.session.clone(),
            ttl: self.terms.ttl,
            joins: !self.has_joined,
            gives_back: self.given_up,
            takes: self.given_up.is_none() && (self.is_candidate || self.held.is_some()),
            above: self.seen,
            about,
        }
    }

    /// Time until the next heartbeat, as of `now` of the node's clock.
    #[must_use]
    pub fn pause(&self, now: Duration) -> Duration {
        let follows = |view: LeadView| view.answers && view.standing == LeadStanding::Follows;
        match self.view(now).is_some_and(follows) {
            true => self.terms.follows_each(),
            false => self.terms.renew_each(),
        }
    }

    /// Takes the answer to a heartbeat that was sent at `sent_at` of the node's clock.
    pub fn answered(&mut self, sent_at: Duration, reply: LeadReply) {
        self.has_joined = true;
        self.answers = true;
        let valid_until = sent_at + self.terms.ttl.mul_f64(1.0 - CLOCK_DRIFT);
        let before = self.held.take();
        let session = self.session.to_string();
        let own = reply.leader.as_ref().filter(|leader| leader.session == session);
        self.given_up = self
            .given_up
            .filter(|given_up| own.is_some_and(|leader| leader.epoch == *given_up));
        if let Some(leader) = &reply.leader {
            self.seen = self.seen.max(leader.epoch);
            if own.is_some() && self.given_up.is_none() {
                // Each who takes it adds one: one more is this node itself, after its lease had run out.
                let goes_on =
                    before.filter(|held| (0..=1).contains(&leader.epoch.wrapping_sub(held.token.epoch)));
                self.held = Some(HeldLead {
                    began: goes_on.map_or(leader.epoch, |held| held.began),
                    token: leader.clone(),
                    valid_until,
                });
            }
        }
        (self.leader, self.nodes, self.unread) = (reply.leader, reply.nodes, reply.unread);
    }

    /// The store does not answer, or takes no heartbeat.
    pub fn failed(&mut self) {
        self.answers = false;
    }

    /// Gives the lead up: it has ended, or is handed over with the next heartbeat.
    pub fn resign(&mut self) {
        self.given_up = self.held.take().map(|held| held.token.epoch).or(self.given_up);
        self.is_candidate = false;
    }

    /// What is known at `now` of the node's clock; `None` if the lease has run out and the store has to be asked first.
    #[must_use]
    pub fn view(&self, now: Duration) -> Option<LeadView> {
        let standing = match &self.held {
            Some(held) if now < held.valid_until => LeadStanding::Leads {
                began: held.began,
                token: held.token.clone(),
            },
            Some(held) if !self.answers => LeadStanding::Apart {
                began: Some(held.began),
            },
            Some(_) => return None,
            None if !self.has_joined && !self.answers => LeadStanding::Apart { began: None },
            None => LeadStanding::Follows,
        };
        Some(LeadView {
            standing,
            leader: self.leader.clone(),
            nodes: self.nodes.clone(),
            answers: self.answers,
            unread: self.unread.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(10);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn protocol() -> LeadProtocol {
        LeadProtocol::new(Session::new("a", "1"), LeaseTerms { ttl: TTL })
    }

    fn led_by(session: &str, epoch: u64) -> LeadReply {
        LeadReply {
            leader: Some(FencingToken {
                epoch,
                session: session.to_owned(),
            }),
            ..LeadReply::default()
        }
    }

    fn began(protocol: &LeadProtocol, now: u64) -> Option<u64> {
        match protocol
            .view(seconds(now))
            .expect("nothing has to be asked")
            .standing
        {
            LeadStanding::Leads { began, .. } => Some(began),
            _ => None,
        }
    }

    #[test]
    fn a_lead_that_ran_out_has_to_be_asked_about_and_goes_on_only_if_nobody_had_it_between() {
        let mut node = protocol();
        assert!(!node.request(String::new()).takes);
        node.stand(true);
        node.answered(seconds(0), led_by("a/1", 5));
        assert_eq!(began(&node, 9), Some(5));
        // Paused for longer than the lease: nothing is done before it is asked.
        assert_eq!(node.view(seconds(10)), None);
        node.answered(seconds(60), led_by("a/1", 6));
        assert_eq!(began(&node, 61), Some(5), "nobody had it between");
        node.answered(seconds(120), led_by("a/1", 8));
        assert_eq!(began(&node, 121), Some(8), "another one had the seventh");
        node.answered(seconds(121), led_by("b/1", 9));
        assert_eq!(node.view(seconds(121)).unwrap().standing, LeadStanding::Follows);
        assert_eq!(node.request(String::new()).above, 9);
    }

    #[test]
    fn what_was_given_up_is_not_led_whatever_an_answer_says_that_was_under_way() {
        let mut node = protocol();
        node.stand(true);
        node.answered(seconds(0), led_by("a/1", 5));
        node.resign();
        node.stand(true);
        // The answer to a heartbeat from before.
        node.answered(seconds(1), led_by("a/1", 5));
        assert_eq!(node.view(seconds(1)).unwrap().standing, LeadStanding::Follows);
        let request = node.request(String::new());
        assert_eq!((request.gives_back, request.takes), (Some(5), false));
        node.answered(seconds(2), LeadReply::default());
        let request = node.request(String::new());
        assert_eq!((request.gives_back, request.takes), (None, true));
        node.answered(seconds(3), led_by("a/1", 6));
        assert_eq!(began(&node, 4), Some(6));
    }

    #[test]
    fn who_led_last_goes_on_while_nobody_answers_and_who_followed_does_not() {
        let mut node = protocol();
        node.failed();
        let apart = |began| LeadStanding::Apart { began };
        assert_eq!(node.view(seconds(0)).unwrap().standing, apart(None));
        node.answered(seconds(1), led_by("b/1", 1));
        node.failed();
        assert_eq!(node.view(seconds(90)).unwrap().standing, LeadStanding::Follows);
        node.answered(seconds(100), led_by("a/1", 2));
        node.failed();
        assert_eq!(began(&node, 109), Some(2));
        let view = node.view(seconds(110)).unwrap();
        assert_eq!(view.standing, apart(Some(2)));
        assert!(view.standing.is_since(Some(2)) && !view.standing.is_since(None));
    }
}
