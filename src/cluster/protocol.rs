//! What a node asks of the shared table when, and what it may do meanwhile: a state machine without I/O and without a clock.
//!
//! Whoever drives it hands in the time of a clock that only goes forward (any origin), sends what
//! [`request`](LeaseProtocol::request) gives, and tells of the answer, if one came. A lease counts from the moment the
//! heartbeat was *sent*, and ends on the node's own clock [`CLOCK_DRIFT`] before it can end in the table: a node that hears
//! nothing holds nothing in time, whatever the table says. Only one whose clock stands still (a frozen virtual machine) can
//! think longer that it owns; its writes are refused by their epoch.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::lease_store::{LeaseReply, LeaseRequest, Session, ShardLease};
use super::ownership::{ClusterNode, Ownership};
use super::rendezvous::shards_of;
use super::virtual_shard::{ShardSet, VIRTUAL_SHARDS, VirtualShard};

/// Part of a lease by which two clocks may run apart while it lasts; quartz is off by less than a ten-thousandth.
pub const CLOCK_DRIFT: f64 = 0.02;
/// Heartbeats in the length of a lease: so many may be lost but one.
const BEATS: u32 = 5;
/// Time between two heartbeats of a node that follows, at most: so long may a lead that is free wait for it.
const FOLLOWS_EACH: Duration = Duration::from_millis(500);

/// How long leases last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTerms {
    /// How long a node may be silent before what it holds is free.
    pub ttl: Duration,
}

impl LeaseTerms {
    /// Time from one heartbeat to the next.
    #[must_use]
    pub fn renew_each(&self) -> Duration {
        self.ttl / BEATS
    }

    /// Time from one heartbeat to the next of a node that could lead and does not.
    #[must_use]
    pub fn follows_each(&self) -> Duration {
        self.renew_each().min(FOLLOWS_EACH)
    }

    /// How long nobody can lead after the node that did was lost, as long as one lives that may, an exchange takes `exchange` at
    /// most and none fails: the lease runs out while a heartbeat is under way that came too early, and the next one takes it.
    /// `ttl (1 + drift) + follows each + 2 exchange`.
    #[must_use]
    pub fn longest_unled(&self, exchange: Duration) -> Duration {
        self.ttl.mul_f64(1.0 + CLOCK_DRIFT) + self.follows_each() + 2 * exchange
    }

    /// How long a shard can be without a living owner after a node was lost, if an exchange with the table takes `exchange` at
    /// most and none fails: the lease runs out, another node sees it with its next heartbeat, and takes the shard with one
    /// more. `ttl (1 + drift) + ttl / 5 + 2 exchange`.
    #[must_use]
    pub fn longest_unowned(&self, exchange: Duration) -> Duration {
        self.ttl.mul_f64(1.0 + CLOCK_DRIFT) + self.renew_each() + 2 * exchange
    }
}

/// What an answer of the table means for the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseAnswer {
    /// Go on with the next heartbeat when it is time.
    Settled,
    /// There is something to be taken: ask again at once.
    AskAgain,
    /// Another run of the node has taken its place. Its name is not its own any more.
    Replaced,
}

/// One run of one node.
#[derive(Debug)]
pub struct LeaseProtocol {
    session: Session,
    written: Arc<str>,
    terms: LeaseTerms,
    has_joined: bool,
    held: BTreeMap<VirtualShard, u64>,
    /// The highest epoch seen of each shard: a table that was lost begins above them.
    seen: Box<[u64; VIRTUAL_SHARDS]>,
    /// Shards that belong here and are free.
    free: ShardSet,
    /// Shards that are to be given back with the next heartbeat.
    release: ShardSet,
    nodes: Vec<ClusterNode>,
    /// The nodes of which `belonging` was worked out, and the shards that belong here.
    known: Vec<String>,
    belonging: ShardSet,
    /// Until when, on the node's own clock, what is held is held.
    valid_until: Option<Duration>,
    /// Until when everything is worked on, as no table can be had.
    unguarded_until: Option<Duration>,
    acquired: u64,
    lost: u64,
}

impl LeaseProtocol {
    /// A session that has not joined yet.
    #[must_use]
    pub fn new(session: Session, terms: LeaseTerms) -> Self {
        Self {
            written: Arc::from(session.to_string()),
            session,
            terms,
            has_joined: false,
            held: BTreeMap::new(),
            seen: Box::new([0; VIRTUAL_SHARDS]),
            free: ShardSet::default(),
            release: ShardSet::default(),
            nodes: Vec::new(),
            known: Vec::new(),
            belonging: ShardSet::default(),
            valid_until: None,
            unguarded_until: None,
            acquired: 0,
            lost: 0,
        }
    }

    /// Who it is.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Whether the table has ever answered.
    #[must_use]
    pub fn has_joined(&self) -> bool {
        self.has_joined
    }

    /// The next heartbeat.
    #[must_use]
    pub fn request(&self) -> LeaseRequest {
        let release = self
            .held
            .iter()
            .filter(|(shard, _)| self.release.contains(**shard));
        LeaseRequest {
            session: self.session.clone(),
            ttl: self.terms.ttl,
            joins: !self.has_joined,
            leaves: false,
            release: release.map(|(shard, epoch)| (*shard, *epoch)).collect(),
            acquire: self
                .free
                .iter()
                .map(|shard| (shard, self.seen[shard.index()]))
                .collect(),
        }
    }

    /// The last heartbeat: from now on the node holds nothing, whether or not the table hears of it.
    #[must_use]
    pub fn leave(&mut self) -> LeaseRequest {
        let request = LeaseRequest {
            leaves: true,
            release: Vec::new(),
            acquire: Vec::new(),
            ..self.request()
        };
        self.let_go();
        request
    }

    /// Gives shards back with the next heartbeat. Until the table confirms it they are held, so nobody is to work on them.
    pub fn release(&mut self, shards: &ShardSet) {
        shards.iter().for_each(|shard| self.release.insert(shard));
    }

    /// Takes the answer to a heartbeat that was sent at `sent_at` of the node's clock.
    pub fn answered(&mut self, sent_at: Duration, reply: &LeaseReply) -> LeaseAnswer {
        let LeaseReply::Table { sessions, shards } = reply else {
            self.let_go();
            return LeaseAnswer::Replaced;
        };
        self.has_joined = true;
        let until = sent_at + self.terms.ttl.mul_f64(1.0 - CLOCK_DRIFT);
        self.valid_until = self.valid_until.max(Some(until));
        self.unguarded_until = None;
        self.know_nodes(sessions, shards);
        let held_before = std::mem::take(&mut self.held);
        self.free = ShardSet::default();
        for (shard, lease) in VirtualShard::all().zip(shards) {
            let seen = &mut self.seen[shard.index()];
            *seen = lease.epoch.max(*seen);
            match &lease.owner {
                Some(owner) if **owner == *self.written => drop(self.held.insert(shard, lease.epoch)),
                Some(owner) if sessions.contains(owner) => {}
                _ if self.belonging.contains(shard) => self.free.insert(shard),
                _ => {}
            }
        }
        let is_kept = |(shard, epoch): &(&VirtualShard, &u64)| held_before.get(shard) == Some(epoch);
        let kept: ShardSet = self
            .held
            .iter()
            .filter(is_kept)
            .map(|(shard, _)| *shard)
            .collect();
        self.acquired += (self.held.len() - kept.len()) as u64;
        self.lost += (held_before.len() - kept.len()) as u64;
        // One that is back under another epoch was not meant.
        self.release = self
            .release
            .iter()
            .filter(|shard| kept.contains(*shard))
            .collect();
        match self.free.is_empty() {
            true => LeaseAnswer::Settled,
            false => LeaseAnswer::AskAgain,
        }
    }

    /// The table answers but takes no heartbeat (a full or read-only Redis, a user without scripts): nobody else can take
    /// anything from it either, so what is held stays held. A node that knows of no other one works on everything then: to
    /// watch nothing would be worse than to watch twice.
    pub fn refused(&mut self, sent_at: Duration) {
        let until = Some(sent_at + self.terms.ttl.mul_f64(1.0 - CLOCK_DRIFT));
        if self.valid_until.is_some_and(|valid| sent_at < valid) {
            self.valid_until = self.valid_until.max(until);
        } else if self.nodes.iter().all(|node| node.name == self.session.node()) {
            self.unguarded_until = self.unguarded_until.max(until);
        }
    }

    /// What the node may work on at `now` of its clock.
    #[must_use]
    pub fn owned(&self, now: Duration) -> Ownership {
        if self.unguarded_until.is_some_and(|until| now < until) {
            return Ownership::of_all(self.session.node());
        }
        let is_valid = self.valid_until.is_some_and(|until| now < until);
        let mut epochs = [0; VIRTUAL_SHARDS];
        let mut shards = ShardSet::default();
        for (shard, epoch) in self
            .held
            .iter()
            .filter(|(shard, _)| is_valid && !self.release.contains(**shard))
        {
            epochs[shard.index()] = *epoch;
            shards.insert(*shard);
        }
        Ownership {
            node: self.session.node().to_owned(),
            leaving: shards.without(&self.belonging),
            shards,
            nodes: self.nodes.clone(),
            acquired: self.acquired,
            lost: self.lost,
            session: Arc::clone(&self.written),
            epochs: Arc::new(epochs),
        }
    }

    fn let_go(&mut self) {
        self.lost += self.held.len() as u64;
        self.held.clear();
        (self.valid_until, self.unguarded_until) = (None, None);
    }

    /// Notes who lives and what each of them holds.
    fn know_nodes(&mut self, sessions: &[String], shards: &[ShardLease]) {
        let mut holds: BTreeMap<&str, u64> = sessions
            .iter()
            .map(|session| (Session::node_of(session), 0))
            .collect();
        for owner in shards.iter().filter_map(|lease| lease.owner.as_ref()) {
            if let Some(held) = holds
                .get_mut(Session::node_of(owner))
                .filter(|_| sessions.contains(owner))
            {
                *held += 1;
            }
        }
        let node = |(name, shards): (&str, u64)| ClusterNode {
            name: name.to_owned(),
            shards,
        };
        self.nodes = holds.into_iter().map(node).collect();
        if !self.nodes.iter().map(|node| &node.name).eq(&self.known) {
            self.known = self.nodes.iter().map(|node| node.name.clone()).collect();
            self.belonging = shards_of(self.session.node(), &self.known);
        }
    }
}
