//! What is tried in a world, and how it is seen: the part of a simulation that knows the protocol.

use std::time::Duration;

use skywatch::cluster::{FencingToken, LeaseTerms};

/// A lease in these worlds.
pub(crate) const TERMS: LeaseTerms = LeaseTerms {
    ttl: Duration::from_secs(10),
};
/// After so long without an answer a node counts a heartbeat as failed, milliseconds.
pub(crate) const TIMEOUT: u64 = 1_000;
/// Time between two looks at what is held and by whom, milliseconds.
pub(crate) const LOOK_EACH: u64 = 500;

/// A schedule of random numbers (SplitMix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.roll(100) < percent
    }
}

/// What is tried in a world: the store, the protocol of its nodes, what they do with it, and what must never be.
pub(crate) trait Model {
    /// What of the protocol is broken on purpose.
    type Flaws: Copy + Default;
    /// One run of one node.
    type Run;
    type Request;
    type Reply;
    type Write: Clone;

    /// Per cent of requests that reach the store when nobody waits for their answer any more.
    const LATE: u64;

    fn new(flaws: Self::Flaws) -> Self;

    fn begin(&mut self, name: &str, number: u64, dice: &mut Dice) -> Self::Run;

    /// The next heartbeat, at `now` milliseconds.
    fn request(&mut self, run: &mut Self::Run, now: u64) -> Self::Request;

    /// The last message of a run that is stopped.
    fn leave(&mut self, run: &mut Self::Run) -> Self::Request;

    /// Whether a request may be one of [`LATE`](Self::LATE).
    fn may_be_late(request: &Self::Request) -> bool;

    /// The store takes a request, at `now` of its own clock.
    fn exchange(&mut self, now: Duration, request: &Self::Request) -> Self::Reply;

    /// A node hears the answer, at `here` of its clock.
    fn answered(
        &mut self,
        run: &mut Self::Run,
        sent_at: Duration,
        here: Duration,
        reply: &Self::Reply,
    ) -> Next;

    /// It hears none.
    fn failed(&mut self, run: &mut Self::Run);

    /// Time until the next heartbeat.
    fn pause(&self, run: &Self::Run, here: Duration) -> Duration;

    /// What a node does at `here` of its clock: writes under what it holds, and whether it has to ask the store first or at once.
    fn work(&mut self, run: &mut Self::Run, here: Duration, dice: &mut Dice) -> (Vec<Self::Write>, bool);

    /// A write reaches the store, at `now` of its clock; whether it was taken.
    fn write(&mut self, now: Duration, write: &Self::Write) -> Result<bool, String>;

    /// Whether a node that lives and reaches the store could take what is free.
    fn can_take(&self, run: &Self::Run) -> bool;

    /// Looks at all nodes that run. `moment` says since when nothing has befallen them.
    fn look(&mut self, moment: Moment, nodes: &[Seen<'_, Self::Run>]) -> Result<(), String>;
}

/// Since when a lease counts of which a heartbeat was sent at `sent_at`. A node that `is_trusting` counts twice as long as it is, and from the
/// answer on.
pub(crate) fn counted_from(sent_at: Duration, here: Duration, is_trusting: bool) -> Duration {
    if is_trusting { here + TERMS.ttl } else { sent_at }
}

/// The last write that was taken of what has one holder at a time.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastWrite(Option<FencingToken>);

impl LastWrite {
    /// A write was taken that showed this token: none of an earlier epoch may be, nor one of another holder of the same.
    pub(crate) fn take(&mut self, token: &FencingToken) -> Result<(), String> {
        match self.0.replace(token.clone()) {
            Some(before) if before.epoch > token.epoch => {
                Err(format!("a write of `{token}` was taken after one of `{before}`"))
            }
            Some(before) if before.epoch == token.epoch && before.session != token.session => {
                Err(format!("writes of both `{token}` and `{before}` were taken"))
            }
            _ => Ok(()),
        }
    }
}

/// What a node does after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Later,
    AtOnce,
    /// Another run of its name has taken its place.
    Renamed,
}

/// A node as it is seen from outside.
pub(crate) struct Seen<'w, R> {
    pub(crate) run: &'w R,
    /// Its clock.
    pub(crate) here: Duration,
    /// Whether its clock has always gone.
    pub(crate) is_steady: bool,
}

/// The time of a look, milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: u64,
    /// When something last befell anybody.
    pub(crate) disturbed: u64,
}

/// Since when nobody holds something.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Absence(Option<u64>);

impl Absence {
    /// How long nobody has held it although nothing befell anybody, milliseconds.
    pub(crate) fn lasts(&mut self, moment: Moment, is_held: bool) -> u64 {
        if is_held {
            self.0 = None;
            return 0;
        }
        let since = *self.0.get_or_insert(moment.now);
        moment.now - since.max(moment.disturbed).min(moment.now)
    }
}
