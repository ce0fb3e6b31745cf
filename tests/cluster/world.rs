//! A world in which time is a number: nodes, a network that delays and loses, a table of leases, and what befalls them. One
//! seed is one history.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use skywatch::cluster::{
    FencingToken, LeaseAnswer, LeaseProtocol, LeaseReply, LeaseRequest, LeaseTerms, Session, ShardSet,
    VIRTUAL_SHARDS, VirtualShard,
};

use super::memory_leases::LeaseTable;

/// A lease in this world.
pub(crate) const TERMS: LeaseTerms = LeaseTerms {
    ttl: Duration::from_secs(10),
};
/// After so long without an answer a node counts a heartbeat as failed, milliseconds.
const TIMEOUT: u64 = 1_000;
/// Longest way of a message, milliseconds.
const LONGEST_DELAY: u64 = 400;
/// Time between two looks at what is owned and by whom, milliseconds.
const LOOK_EACH: u64 = 500;
/// Length of a history, milliseconds.
const LENGTH: u64 = 80_000;

/// What of the protocol is broken on purpose.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Flaws {
    /// Writes are taken whatever they show.
    pub(crate) no_fence: bool,
    /// A shard changes hands under the same epoch.
    pub(crate) same_epoch: bool,
    /// Nodes count a lease from the answer on, and longer than the table does.
    pub(crate) trusting: bool,
    /// Nodes never take what another one has left.
    pub(crate) idle: bool,
}

/// A schedule of random numbers (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.roll(100) < percent
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Runs,
    /// Until then; whether its clock stands still meanwhile.
    Paused(u64, bool),
    Dead,
}

struct Node {
    name: String,
    runs: u64,
    protocol: LeaseProtocol,
    life: Life,
    is_cut_off: bool,
    /// Ticks of its clock in a million milliseconds.
    rate: u64,
    /// Milliseconds its clock stood still.
    stood: u64,
    /// The heartbeat under way: its number, and when it was sent by the node's clock.
    waiting: Option<(u64, Duration)>,
    /// Events that came while it was paused.
    missed: Vec<Event>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// Of that run of the node.
    Beat(usize, u64),
    Arrives(usize, u64),
    Answered(usize, u64),
    TimedOut(usize, u64),
    /// A write that was begun, reaches the table.
    Write(usize, u64),
    Wakes(usize),
    Works(usize, u64),
    Misfortune,
    Look,
}

pub(crate) struct World {
    now: u64,
    dice: Dice,
    flaws: Flaws,
    queue: BinaryHeap<Reverse<(u64, u64, Event)>>,
    next: u64,
    nodes: Vec<Node>,
    table: LeaseTable,
    /// Ticks of the table's clock in a million milliseconds.
    rate: u64,
    requests: Vec<LeaseRequest>,
    replies: Vec<LeaseReply>,
    writes: Vec<(VirtualShard, FencingToken)>,
    /// Per cent of messages that are lost.
    loses: u64,
    /// Of each shard the last write that was taken.
    taken: Vec<Option<FencingToken>>,
    /// Of each shard since when nobody owns it.
    unowned: Vec<Option<u64>>,
    /// When something last befell anybody.
    disturbed: u64,
    pub(crate) writes_taken: u64,
    pub(crate) writes_refused: u64,
    pub(crate) longest_unowned: u64,
}

impl World {
    pub(crate) fn new(seed: u64, flaws: Flaws) -> Self {
        let mut dice = Dice(seed);
        let nodes = 2 + dice.roll(3) as usize;
        let loses = if dice.chance(50) { 0 } else { dice.roll(10) };
        let rate = 995_000 + dice.roll(10_000);
        let mut world = Self {
            now: 0,
            flaws,
            queue: BinaryHeap::new(),
            next: 0,
            nodes: Vec::new(),
            table: LeaseTable {
                keeps_epochs: flaws.same_epoch,
                ..LeaseTable::default()
            },
            rate,
            requests: Vec::new(),
            replies: Vec::new(),
            writes: Vec::new(),
            loses,
            taken: vec![None; VIRTUAL_SHARDS],
            unowned: vec![Some(0); VIRTUAL_SHARDS],
            disturbed: 0,
            writes_taken: 0,
            writes_refused: 0,
            longest_unowned: 0,
            dice,
        };
        for number in 0..nodes {
            let name = format!("node-{number}");
            world.nodes.push(Node {
                protocol: LeaseProtocol::new(Session::new(&name, "0"), TERMS),
                name,
                runs: 0,
                life: Life::Runs,
                is_cut_off: false,
                rate: 995_000 + world.dice.roll(10_000),
                stood: 0,
                waiting: None,
                missed: Vec::new(),
            });
            let begins = world.dice.roll(if number == 0 { 500 } else { 20_000 });
            world.at(begins, Event::Beat(number, 0));
            let works = begins + world.dice.roll(1_000);
            world.at(works, Event::Works(number, 0));
        }
        world.at(0, Event::Look);
        world.at(5_000, Event::Misfortune);
        world
    }

    /// Lets time pass. Answers what must never be, if it was.
    pub(crate) fn run(&mut self) -> Result<(), String> {
        while let Some(Reverse((at, _, event))) = self.queue.pop() {
            if at > LENGTH {
                break;
            }
            self.now = at;
            self.table.now = Duration::from_micros(at * self.rate / 1_000);
            self.happens(event)
                .map_err(|wrong| format!("{wrong} at {at} ms"))?;
        }
        Ok(())
    }

    fn at(&mut self, time: u64, event: Event) {
        self.next += 1;
        self.queue.push(Reverse((time, self.next, event)));
    }

    fn after(&mut self, time: u64, event: Event) {
        self.at(self.now + time, event);
    }

    fn clock(&self, node: usize) -> Duration {
        let node = &self.nodes[node];
        Duration::from_micros((self.now - node.stood) * node.rate / 1_000)
    }

    fn happens(&mut self, event: Event) -> Result<(), String> {
        if let Event::Beat(node, _)
        | Event::Answered(node, _)
        | Event::TimedOut(node, _)
        | Event::Works(node, _) = event
        {
            match self.nodes[node].life {
                Life::Runs => {}
                Life::Paused(..) => {
                    self.nodes[node].missed.push(event);
                    return Ok(());
                }
                Life::Dead => return Ok(()),
            }
        }
        match event {
            // What an earlier run had planned is not done.
            Event::Beat(node, run) | Event::Works(node, run) if run != self.nodes[node].runs => {}
            Event::Beat(node, _) => self.beat(node),
            Event::Arrives(node, number) => self.arrives(node, number),
            Event::Answered(node, number) => self.answered(node, number),
            Event::TimedOut(node, number) => {
                if self.nodes[node]
                    .waiting
                    .is_some_and(|(waiting, _)| waiting == number)
                {
                    self.nodes[node].waiting = None;
                    self.beat_later(node);
                }
            }
            Event::Works(node, _) => self.works(node),
            Event::Write(_, number) => return self.write(number),
            Event::Wakes(node) => self.wakes(node),
            Event::Misfortune => self.misfortune(),
            Event::Look => return self.look(),
        }
        Ok(())
    }

    fn beat(&mut self, node: usize) {
        let sent_at = self.clock(node);
        let number = self.requests.len() as u64;
        let mut request = self.nodes[node].protocol.request();
        if self.flaws.idle && self.nodes[node].protocol.has_joined() && self.now > 40_000 {
            request.acquire.clear();
        }
        self.requests.push(request);
        self.nodes[node].waiting = Some((number, sent_at));
        self.after(TIMEOUT, Event::TimedOut(node, number));
        self.send(node, Event::Arrives(node, number));
    }

    fn beat_later(&mut self, node: usize) {
        let run = self.nodes[node].runs;
        self.after(TERMS.renew_each().as_millis() as u64, Event::Beat(node, run));
    }

    /// Sends a message, which may be late or lost.
    fn send(&mut self, node: usize, event: Event) {
        let delay = 1 + self.dice.roll(LONGEST_DELAY);
        if self.nodes[node].is_cut_off || self.dice.chance(self.loses) {
            self.disturbed = self.now + TIMEOUT;
        } else {
            self.after(delay, event);
        }
    }

    fn arrives(&mut self, node: usize, number: u64) {
        let reply = self.table.exchange(&self.requests[number as usize]);
        self.replies.push(reply);
        let answer = self.replies.len() as u64 - 1;
        self.send(node, Event::Answered(node, answer << 32 | number));
    }

    fn answered(&mut self, node: usize, numbers: u64) {
        let (answer, number) = ((numbers >> 32) as usize, numbers & 0xffff_ffff);
        let here = self.clock(node);
        let Some((_, sent_at)) = self.nodes[node].waiting.filter(|(waiting, _)| *waiting == number) else {
            return;
        };
        // Twice as long as it is, and from the answer on.
        let sent_at = if self.flaws.trusting {
            here + TERMS.ttl
        } else {
            sent_at
        };
        self.nodes[node].waiting = None;
        let wants = self.nodes[node].protocol.answered(sent_at, &self.replies[answer]);
        match wants {
            LeaseAnswer::Settled => self.beat_later(node),
            LeaseAnswer::AskAgain => self.beat(node),
            LeaseAnswer::Replaced => {
                let here = &mut self.nodes[node];
                here.name.push('+');
                here.protocol = LeaseProtocol::new(Session::new(&here.name, "0"), TERMS);
                self.beat(node);
            }
        }
    }

    /// Writes for some shards it owns, and hands over what belongs to others.
    fn works(&mut self, node: usize) {
        let owned = self.nodes[node].protocol.owned(self.clock(node));
        for _ in 0..4 {
            let shard = VirtualShard(self.dice.roll(VIRTUAL_SHARDS as u64) as u8);
            if let Some(token) = owned.token(shard) {
                self.writes.push((shard, token));
                // Some are held up on the way for longer than a lease.
                let longest = if self.dice.chance(10) { 30_000 } else { 300 };
                let delay = self.dice.roll(longest);
                self.after(delay, Event::Write(node, self.writes.len() as u64 - 1));
            }
        }
        if self.dice.chance(30) {
            self.nodes[node].protocol.release(&owned.leaving);
        }
        let run = self.nodes[node].runs;
        self.after(700, Event::Works(node, run));
    }

    fn write(&mut self, number: u64) -> Result<(), String> {
        let (shard, token) = self.writes[number as usize].clone();
        if !self.flaws.no_fence && !self.table.accepts(shard, &token) {
            self.writes_refused += 1;
            return Ok(());
        }
        self.writes_taken += 1;
        let before = self.taken[shard.index()].replace(token.clone());
        match before {
            Some(before) if before.epoch > token.epoch => {
                Err(format!("a write of `{token}` was taken after one of `{before}`"))
            }
            Some(before) if before.epoch == token.epoch && before.session != token.session => {
                Err(format!("writes of both `{token}` and `{before}` were taken"))
            }
            _ => Ok(()),
        }
    }

    fn wakes(&mut self, node: usize) {
        let Life::Paused(since, stands) = self.nodes[node].life else {
            return;
        };
        self.disturbed = self.now;
        let here = &mut self.nodes[node];
        here.stood += if stands { self.now - since } else { 0 };
        here.life = Life::Runs;
        for event in std::mem::take(&mut here.missed) {
            // What it was about to do it does now, one thing after the other.
            self.after(1, event);
        }
    }

    /// Something befalls one node, and passes.
    fn misfortune(&mut self) {
        let next = 3_000 + self.dice.roll(25_000);
        self.after(next, Event::Misfortune);
        let node = self.dice.roll(self.nodes.len() as u64) as usize;
        self.disturbed = self.now;
        match self.dice.roll(6) {
            0 | 1 if self.nodes[node].life == Life::Runs => {
                let stands = self.dice.chance(50);
                self.nodes[node].life = Life::Paused(self.now, stands);
                let lasts = 500 + self.dice.roll(40_000);
                self.after(lasts, Event::Wakes(node));
            }
            2 => self.nodes[node].is_cut_off = !self.nodes[node].is_cut_off,
            3 if self.nodes[node].life == Life::Runs => self.nodes[node].life = Life::Dead,
            4 if self.nodes[node].life == Life::Runs => {
                // SIGTERM: one last message, which may be lost.
                let last = self.nodes[node].protocol.leave();
                self.requests.push(last);
                let number = self.requests.len() as u64 - 1;
                self.send(node, Event::Arrives(node, number));
                self.nodes[node].life = Life::Dead;
            }
            _ if self.nodes[node].life == Life::Dead => self.starts_again(node),
            _ => {}
        }
    }

    fn starts_again(&mut self, node: usize) {
        let here = &mut self.nodes[node];
        here.runs += 1;
        here.protocol = LeaseProtocol::new(Session::new(&here.name, &here.runs.to_string()), TERMS);
        (here.life, here.is_cut_off, here.waiting) = (Life::Runs, false, None);
        here.missed.clear();
        let run = here.runs;
        self.after(1, Event::Beat(node, run));
        self.after(2, Event::Works(node, run));
    }

    /// Who thinks that it owns what.
    fn look(&mut self) -> Result<(), String> {
        self.after(LOOK_EACH, Event::Look);
        let mut owners = vec![0u32; VIRTUAL_SHARDS];
        let mut steady = ShardSet::default();
        for node in 0..self.nodes.len() {
            if self.nodes[node].life != Life::Runs {
                continue;
            }
            let owned = self.nodes[node].protocol.owned(self.clock(node)).shards;
            let is_steady = self.nodes[node].stood == 0;
            for shard in owned.iter() {
                // One whose clock stood still may be wrong until its next heartbeat: that is what the fence is for.
                if is_steady && steady.contains(shard) {
                    return Err(format!("two nodes think they own {shard:?}"));
                }
                if is_steady {
                    steady.insert(shard);
                }
                owners[shard.index()] += 1;
            }
        }
        // Some begin late.
        let can_work =
            |node: &Node| node.life == Life::Runs && !node.is_cut_off && node.protocol.has_joined();
        if !self.nodes.iter().any(can_work) {
            self.disturbed = self.now;
        }
        let bound = TERMS.longest_unowned(Duration::from_millis(TIMEOUT)).as_millis() as u64 + LOOK_EACH;
        for (shard, owners) in owners.iter().enumerate() {
            if *owners > 0 {
                self.unowned[shard] = None;
                continue;
            }
            let since = *self.unowned[shard].get_or_insert(self.now);
            let lasts = self.now - since.max(self.disturbed).min(self.now);
            self.longest_unowned = self.longest_unowned.max(lasts);
            if lasts > bound {
                return Err(format!(
                    "nobody has owned shard {shard} for {lasts} ms, {bound} at most"
                ));
            }
        }
        Ok(())
    }
}
