//! A world in which time is a number: nodes, a network that delays and loses, a store that all share, and what befalls them. One
//! seed is one history. What the nodes ask of the store, and what must never be, is the [`Model`]'s.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::model::{Dice, LOOK_EACH, Model, Moment, Next, Seen, TERMS, TIMEOUT};

/// Longest way of a message, milliseconds.
const LONGEST_DELAY: u64 = 400;
/// Longest way of one that is held up, for longer than its answer is waited for.
const LONGEST_LATE: u64 = 8_000;
/// Longest way of a write that is held up, for longer than a lease.
const LONGEST_LATE_WRITE: u64 = 30_000;
/// Length of a history, milliseconds.
const LENGTH: u64 = 80_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Runs,
    /// Since then; whether its clock stands still meanwhile.
    Paused(u64, bool),
    Dead,
}

struct Node<R> {
    name: String,
    runs: u64,
    run: R,
    life: Life,
    is_cut_off: bool,
    /// Ticks of its clock in a million milliseconds.
    rate: u64,
    /// Milliseconds its clock stood still.
    stood: u64,
    /// The heartbeat under way: its number, and when it was sent by the node's clock.
    waiting: Option<(u64, Duration)>,
    /// The heartbeat that is planned; earlier plans are void.
    planned: u64,
    /// Events that came while it was paused.
    missed: Vec<Event>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// By that plan of that run of the node.
    Beat(usize, u64, u64),
    Arrives(usize, u64),
    Answered(usize, u64),
    TimedOut(usize, u64),
    /// A write that was begun reaches the store.
    Write(u64),
    Wakes(usize),
    Works(usize, u64),
    Misfortune,
    Look,
}

pub(crate) struct World<M: Model> {
    now: u64,
    dice: Dice,
    queue: BinaryHeap<Reverse<(u64, u64, Event)>>,
    next: u64,
    nodes: Vec<Node<M::Run>>,
    pub(crate) model: M,
    /// Ticks of the store's clock in a million milliseconds.
    rate: u64,
    requests: Vec<M::Request>,
    replies: Vec<M::Reply>,
    writes: Vec<M::Write>,
    /// Per cent of messages that are lost, and of requests that are late.
    loses: u64,
    lates: u64,
    disturbed: u64,
    pub(crate) writes_taken: u64,
    pub(crate) writes_refused: u64,
}

impl<M: Model> World<M> {
    pub(crate) fn new(seed: u64, mut model: M) -> Self {
        let mut dice = Dice(seed);
        let count = 2 + dice.roll(3) as usize;
        let loses = if dice.chance(50) { 0 } else { dice.roll(10) };
        let lates = if dice.chance(50) { 0 } else { M::LATE };
        let rate = 995_000 + dice.roll(10_000);
        let nodes = (0..count).map(|number| {
            let name = format!("node-{number}");
            Node {
                run: model.begin(&name, 0, &mut dice),
                name,
                runs: 0,
                life: Life::Runs,
                is_cut_off: false,
                rate: 995_000 + dice.roll(10_000),
                stood: 0,
                waiting: None,
                planned: 0,
                missed: Vec::new(),
            }
        });
        let nodes = nodes.collect();
        let mut world = Self {
            now: 0,
            queue: BinaryHeap::new(),
            next: 0,
            nodes,
            model,
            rate,
            requests: Vec::new(),
            replies: Vec::new(),
            writes: Vec::new(),
            loses,
            lates,
            disturbed: 0,
            writes_taken: 0,
            writes_refused: 0,
            dice,
        };
        for number in 0..count {
            let begins = world.dice.roll(if number == 0 { 500 } else { 20_000 });
            world.at(begins, Event::Beat(number, 0, 0));
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

    fn store_clock(&self) -> Duration {
        Duration::from_micros(self.now * self.rate / 1_000)
    }

    fn happens(&mut self, event: Event) -> Result<(), String> {
        if let Event::Beat(node, ..)
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
            Event::Beat(node, run, _) | Event::Works(node, run) if run != self.nodes[node].runs => {}
            Event::Beat(node, _, plan) if plan != self.nodes[node].planned => {}
            Event::Beat(node, ..) => self.beat(node),
            Event::Arrives(node, number) => self.arrives(node, number),
            Event::Answered(node, number) => self.answered(node, number),
            Event::TimedOut(node, number) => self.timed_out(node, number),
            Event::Works(node, _) => self.works(node),
            Event::Write(number) => return self.write(number),
            Event::Wakes(node) => self.wakes(node),
            Event::Misfortune => self.misfortune(),
            Event::Look => return self.look(),
        }
        Ok(())
    }

    fn beat(&mut self, node: usize) {
        let sent_at = self.clock(node);
        let number = self.requests.len() as u64;
        let here = &mut self.nodes[node];
        here.planned += 1;
        here.waiting = Some((number, sent_at));
        let request = self.model.request(&mut here.run, self.now);
        self.requests.push(request);
        self.after(TIMEOUT, Event::TimedOut(node, number));
        self.asks(node, number);
    }

    fn beat_later(&mut self, node: usize) {
        let pause = self.model.pause(&self.nodes[node].run, self.clock(node));
        self.nodes[node].planned += 1;
        let (run, plan) = (self.nodes[node].runs, self.nodes[node].planned);
        self.after(pause.as_millis() as u64, Event::Beat(node, run, plan));
    }

    /// Sends a request, which may come so late that its answer is not waited for.
    fn asks(&mut self, node: usize, number: u64) {
        let event = Event::Arrives(node, number);
        let may_be_late = M::may_be_late(&self.requests[number as usize]);
        if may_be_late && !self.nodes[node].is_cut_off && self.dice.chance(self.lates) {
            let delay = self.dice.roll(LONGEST_LATE);
            // While it is on its way, and as long as what it takes is held by nobody who knows.
            self.disturbed = self.now + delay + TERMS.ttl.as_millis() as u64;
            self.after(delay, event);
        } else {
            self.send(node, event);
        }
    }

    /// Sends a message, which may be lost.
    fn send(&mut self, node: usize, event: Event) {
        let delay = 1 + self.dice.roll(LONGEST_DELAY);
        if self.nodes[node].is_cut_off || self.dice.chance(self.loses) {
            self.disturbed = self.disturbed.max(self.now + TIMEOUT);
        } else {
            self.after(delay, event);
        }
    }

    fn arrives(&mut self, node: usize, number: u64) {
        let now = self.store_clock();
        let reply = self.model.exchange(now, &self.requests[number as usize]);
        self.replies.push(reply);
        let answer = self.replies.len() as u64 - 1;
        self.send(node, Event::Answered(node, answer << 32 | number));
    }

    fn answered(&mut self, node: usize, numbers: u64) {
        let (answer, number) = ((numbers >> 32) as usize, numbers & 0xffff_ffff);
        let clock = self.clock(node);
        let here = &mut self.nodes[node];
        let Some((_, sent_at)) = here.waiting.filter(|(waiting, _)| *waiting == number) else {
            return;
        };
        here.waiting = None;
        match self
            .model
            .answered(&mut here.run, sent_at, clock, &self.replies[answer])
        {
            Next::Later => self.beat_later(node),
            Next::AtOnce => self.beat(node),
            Next::Renamed => {
                here.name.push('+');
                here.run = self.model.begin(&here.name, 0, &mut self.dice);
                self.beat(node);
            }
        }
    }

    fn timed_out(&mut self, node: usize, number: u64) {
        let here = &mut self.nodes[node];
        if here.waiting.is_some_and(|(waiting, _)| waiting == number) {
            here.waiting = None;
            self.model.failed(&mut here.run);
            self.beat_later(node);
        }
    }

    fn works(&mut self, node: usize) {
        let clock = self.clock(node);
        let here = &mut self.nodes[node];
        let (writes, asks) = self.model.work(&mut here.run, clock, &mut self.dice);
        if asks && here.waiting.is_none() {
            self.beat(node);
        }
        for write in writes {
            self.writes.push(write);
            let longest = if self.dice.chance(10) {
                LONGEST_LATE_WRITE
            } else {
                300
            };
            let delay = self.dice.roll(longest);
            self.after(delay, Event::Write(self.writes.len() as u64 - 1));
        }
        let run = self.nodes[node].runs;
        self.after(700, Event::Works(node, run));
    }

    fn write(&mut self, number: u64) -> Result<(), String> {
        let now = self.store_clock();
        let write = self.writes[number as usize].clone();
        match self.model.write(now, &write)? {
            true => self.writes_taken += 1,
            false => self.writes_refused += 1,
        }
        Ok(())
    }

    fn wakes(&mut self, node: usize) {
        let Life::Paused(since, stands) = self.nodes[node].life else {
            return;
        };
        self.befalls();
        let here = &mut self.nodes[node];
        here.stood += if stands { self.now - since } else { 0 };
        here.life = Life::Runs;
        for event in std::mem::take(&mut here.missed) {
            // What it was about to do it does now, one thing after the other.
            self.after(1, event);
        }
    }

    fn befalls(&mut self) {
        self.disturbed = self.disturbed.max(self.now);
    }

    /// Something befalls one node, and passes.
    fn misfortune(&mut self) {
        let next = 3_000 + self.dice.roll(25_000);
        self.after(next, Event::Misfortune);
        let node = self.dice.roll(self.nodes.len() as u64) as usize;
        self.befalls();
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
                let last = self.model.leave(&mut self.nodes[node].run);
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
        here.run = self.model.begin(&here.name, here.runs, &mut self.dice);
        (here.life, here.is_cut_off, here.waiting) = (Life::Runs, false, None);
        here.missed.clear();
        let (run, plan) = (here.runs, here.planned);
        self.after(1, Event::Beat(node, run, plan));
        self.after(2, Event::Works(node, run));
    }

    /// Who thinks that it holds what.
    fn look(&mut self) -> Result<(), String> {
        self.after(LOOK_EACH, Event::Look);
        let runs = |node: &Node<M::Run>| node.life == Life::Runs;
        let can_take = |node: &Node<M::Run>| runs(node) && !node.is_cut_off && self.model.can_take(&node.run);
        if !self.nodes.iter().any(can_take) {
            self.befalls();
        }
        let clocks: Vec<Duration> = (0..self.nodes.len()).map(|node| self.clock(node)).collect();
        let running = self.nodes.iter().zip(clocks).filter(|(node, _)| runs(node));
        let seen = running.map(|(node, here)| Seen {
            run: &node.run,
            here,
            is_steady: node.stood == 0,
        });
        let seen: Vec<_> = seen.collect();
        let moment = Moment {
            now: self.now,
            disturbed: self.disturbed,
        };
        self.model.look(moment, &seen)
    }
}
