//! The leases of shards in a world: of each shard and epoch one owner's writes are taken, none of an earlier epoch after one of a
//! later, no two nodes whose clocks go think that they own a shard, and none is left without an owner for longer than the bound.

use std::time::Duration;

use skywatch::cluster::{
    FencingToken, LeaseAnswer, LeaseProtocol, LeaseReply, LeaseRequest, Session, ShardSet, VIRTUAL_SHARDS,
    VirtualShard,
};

use super::memory_leases::LeaseTable;
use super::model::{
    Absence, Dice, LOOK_EACH, LastWrite, Model, Moment, Next, Seen, TERMS, TIMEOUT, counted_from,
};

/// What of the protocol is broken on purpose.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ShardFlaws {
    /// Writes are taken whatever they show.
    pub(crate) no_fence: bool,
    /// A shard changes hands under the same epoch.
    pub(crate) same_epoch: bool,
    /// Nodes count a lease from the answer on, and longer than the table does.
    pub(crate) trusting: bool,
    /// Nodes never take what another one has left.
    pub(crate) idle: bool,
}

/// The table, and what is known of all shards.
pub(crate) struct ShardModel {
    flaws: ShardFlaws,
    table: LeaseTable,
    /// By shard.
    taken: Vec<LastWrite>,
    unowned: Vec<Absence>,
    pub(crate) longest_unowned: u64,
}

impl Model for ShardModel {
    type Flaws = ShardFlaws;
    type Run = LeaseProtocol;
    type Request = LeaseRequest;
    type Reply = LeaseReply;
    type Write = (VirtualShard, FencingToken);

    const LATE: u64 = 0;

    fn new(flaws: ShardFlaws) -> Self {
        Self {
            flaws,
            table: LeaseTable {
                keeps_epochs: flaws.same_epoch,
                ..LeaseTable::default()
            },
            taken: vec![LastWrite::default(); VIRTUAL_SHARDS],
            unowned: vec![Absence::default(); VIRTUAL_SHARDS],
            longest_unowned: 0,
        }
    }

    fn begin(&mut self, name: &str, number: u64, _: &mut Dice) -> LeaseProtocol {
        LeaseProtocol::new(Session::new(name, &number.to_string()), TERMS)
    }

    fn request(&mut self, run: &mut LeaseProtocol, now: u64) -> LeaseRequest {
        let mut request = run.request();
        if self.flaws.idle && run.has_joined() && now > 40_000 {
            request.acquire.clear();
        }
        request
    }

    fn leave(&mut self, run: &mut LeaseProtocol) -> LeaseRequest {
        run.leave()
    }

    fn may_be_late(_: &LeaseRequest) -> bool {
        false
    }

    fn exchange(&mut self, now: Duration, request: &LeaseRequest) -> LeaseReply {
        self.table.now = now;
        self.table.exchange(request)
    }

    fn answered(
        &mut self,
        run: &mut LeaseProtocol,
        sent_at: Duration,
        here: Duration,
        reply: &LeaseReply,
    ) -> Next {
        let sent_at = counted_from(sent_at, here, self.flaws.trusting);
        match run.answered(sent_at, reply) {
            LeaseAnswer::Settled => Next::Later,
            LeaseAnswer::AskAgain => Next::AtOnce,
            LeaseAnswer::Replaced => Next::Renamed,
        }
    }

    fn failed(&mut self, _: &mut LeaseProtocol) {}

    fn pause(&self, _: &LeaseProtocol, _: Duration) -> Duration {
        TERMS.renew_each()
    }

    /// Writes for some shards it owns, and hands over what belongs to others.
    fn work(&mut self, run: &mut LeaseProtocol, here: Duration, dice: &mut Dice) -> (Vec<Self::Write>, bool) {
        let owned = run.owned(here);
        let some = (0..4).map(|_| VirtualShard(dice.roll(VIRTUAL_SHARDS as u64) as u8));
        let writes = some.filter_map(|shard| Some((shard, owned.token(shard)?)));
        let writes = writes.collect();
        if dice.chance(30) {
            run.release(&owned.leaving);
        }
        (writes, false)
    }

    fn write(&mut self, _: Duration, (shard, token): &Self::Write) -> Result<bool, String> {
        if !self.flaws.no_fence && !self.table.accepts(*shard, token) {
            return Ok(false);
        }
        self.taken[shard.index()].take(token)?;
        Ok(true)
    }

    fn can_take(&self, run: &LeaseProtocol) -> bool {
        // Some begin late.
        run.has_joined()
    }

    fn look(&mut self, moment: Moment, nodes: &[Seen<'_, LeaseProtocol>]) -> Result<(), String> {
        let mut owned_by_any = ShardSet::default();
        let mut steady = ShardSet::default();
        for node in nodes {
            for shard in node.run.owned(node.here).shards.iter() {
                // One whose clock stood still may be wrong until its next heartbeat: that is what the fence is for.
                if node.is_steady && steady.contains(shard) {
                    return Err(format!("two nodes think they own {shard:?}"));
                }
                if node.is_steady {
                    steady.insert(shard);
                }
                owned_by_any.insert(shard);
            }
        }
        let bound = TERMS.longest_unowned(Duration::from_millis(TIMEOUT)).as_millis() as u64 + LOOK_EACH;
        for shard in VirtualShard::all() {
            let lasts = self.unowned[shard.index()].lasts(moment, owned_by_any.contains(shard));
            self.longest_unowned = self.longest_unowned.max(lasts);
            if lasts > bound {
                return Err(format!(
                    "nobody has owned {shard:?} for {lasts} ms, {bound} at most"
                ));
            }
        }
        Ok(())
    }
}
