//! The virtual shards a pass works on: asked for before it, confirmed after it, and handed over between passes.
//!
//! A pass may take longer than a lease lasts, and a process may be stopped in the middle of one. So what a pass has found of a
//! shard counts only if the shard is still held, under the same epoch, when the pass has ended.

use std::sync::Arc;

use super::report::PassReport;
use crate::cluster::{Coordinator, Ownership, ShardSet, VIRTUAL_SHARDS};
use crate::status::PassSummary;
use crate::store::StoreError;

/// Most shards handed over after one pass: an eighth of all, so that neither side has more than that to let go of, or to take
/// up, in one pass.
const HANDED_OVER: usize = VIRTUAL_SHARDS / 8;

/// What this node holds of all metrics.
pub(super) struct ShardHolding {
    coordinator: Arc<dyn Coordinator>,
    /// As of the beginning of the pass.
    owned: Ownership,
    /// Those of them that were still held at its end.
    confirmed: ShardSet,
    /// Findings of the last pass about metrics that had become another node's.
    moved: u64,
}

impl ShardHolding {
    /// Holds nothing before the first pass.
    pub(super) fn new(coordinator: Arc<dyn Coordinator>) -> Self {
        Self {
            coordinator,
            owned: Ownership::default(),
            confirmed: ShardSet::default(),
            moved: 0,
        }
    }

    /// Asks what the pass that begins is to work on.
    ///
    /// # Errors
    /// Nothing is held, and the store does not say more.
    pub(super) fn begin(&mut self) -> Result<ShardSet, StoreError> {
        let owned = self.coordinator.refresh()?;
        if owned.shards != self.owned.shards || owned.nodes != self.owned.nodes {
            let others = owned.nodes.iter().filter(|node| node.name != owned.node);
            let others: Vec<_> = others
                .map(|node| format!("`{}` {}", node.name, node.shards))
                .collect();
            tracing::info!(
                "node `{}` holds {} of {VIRTUAL_SHARDS} virtual shards, {} of which wait for another node :: other nodes: {}",
                owned.node,
                owned.shards.len(),
                owned.leaving.len(),
                if others.is_empty() {
                    "none".to_owned()
                } else {
                    others.join(", ")
                }
            );
        }
        self.owned = owned;
        Ok(self.owned.shards)
    }

    /// The shards of the pass under way.
    pub(super) fn shards(&self) -> &ShardSet {
        &self.owned.shards
    }

    /// The shards that were this node's throughout the last pass.
    pub(super) fn confirmed(&self) -> &ShardSet {
        &self.confirmed
    }

    /// Whether a metric was this node's throughout the last pass.
    pub(super) fn has_kept(&self, metric: &str) -> bool {
        self.confirmed.has_metric(metric)
    }

    /// Takes out of what a pass has found whatever is about metrics that have become another node's meanwhile.
    ///
    /// # Errors
    /// Nobody says what is still held, and no lease is left.
    pub(super) fn confirm(&mut self, found: &mut PassReport) -> Result<(), StoreError> {
        self.moved = 0;
        let now = match self.coordinator.refresh() {
            Ok(now) => now,
            // Nobody is known who could have taken anything over: what was found is worth more than nothing.
            Err(_) if self.owned.is_alone() => {
                self.confirmed = self.owned.shards;
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.confirmed = now.kept_since(&self.owned);
        if self.confirmed != self.owned.shards {
            let confirmed = self.confirmed;
            self.moved = found.retain(|metric| confirmed.has_metric(metric));
            tracing::warn!(
                "{} virtual shards were lost while the pass was under way :: {} findings left to their new owners",
                self.owned.shards.without(&self.confirmed).len(),
                self.moved
            );
        }
        self.owned = now;
        Ok(())
    }

    /// Shards that are to be handed over now: some of those that belong to other nodes.
    pub(super) fn leaving(&self) -> ShardSet {
        self.owned.leaving.iter().take(HANDED_OVER).collect()
    }

    /// What is held, as of the end of the last pass.
    pub(super) fn owned(&self) -> &Ownership {
        &self.owned
    }

    /// Gives back shards that belong to other nodes. No pass may be under way.
    pub(super) fn hand_over(&mut self, shards: &ShardSet) {
        if shards.is_empty() {
            return;
        }
        if let Err(error) = self.coordinator.release(shards) {
            tracing::warn!("{} virtual shards are handed over later :: {error}", shards.len());
        }
    }

    /// Gives everything back.
    pub(super) fn leave(&self) {
        self.coordinator.leave();
    }

    /// Adds to a pass in figures what was held.
    pub(super) fn write_into(&self, summary: &mut PassSummary) {
        summary.node.clone_from(&self.owned.node);
        summary.shards = self.confirmed.len() as u64;
        summary.shards_acquired = self.owned.acquired;
        summary.shards_lost = self.owned.lost;
        summary.moved = self.moved;
        let nodes = self.owned.nodes.iter();
        summary.nodes = nodes.map(|node| (node.name.clone(), node.shards)).collect();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use super::super::rule::AlarmRule;
    use super::super::testing;
    use super::*;
    use crate::cluster::{LeaseProtocol, LeaseReply, LeaseTerms, Session, VirtualShard};
    use crate::status::FollowedOutcome;

    /// A table that somebody else writes, and the node that reads it.
    struct Written(Mutex<(LeaseProtocol, Vec<(u64, &'static str)>)>);

    impl Coordinator for Written {
        fn refresh(&self) -> Result<Ownership, StoreError> {
            let (protocol, rows) = &mut *self.0.lock().expect("no panic while it is held");
            let mut shards = LeaseReply::empty_table();
            for (shard, (epoch, owner)) in shards.iter_mut().zip(rows) {
                (shard.epoch, shard.owner) = (*epoch, Some(owner.to_owned()));
            }
            let sessions = ["a/1", "b/1"].map(str::to_owned).to_vec();
            protocol.answered(Duration::ZERO, &LeaseReply::Table { sessions, shards });
            Ok(protocol.owned(Duration::ZERO))
        }

        fn release(&self, _: &ShardSet) -> Result<(), StoreError> {
            Ok(())
        }

        fn leave(&self) {}
    }

    #[test]
    fn what_was_found_of_a_shard_that_was_lost_in_between_is_left_to_its_new_owner() {
        let terms = LeaseTerms {
            ttl: Duration::from_secs(10),
        };
        let protocol = LeaseProtocol::new(Session::new("a", "1"), terms);
        let written = Arc::new(Written(Mutex::new((protocol, vec![(1, "a/1"); VIRTUAL_SHARDS]))));
        let mut holding = ShardHolding::new(Arc::clone(&written) as Arc<dyn Coordinator>);
        let names: Vec<Arc<str>> = ["kept", "lost", "lost for a moment"].map(Arc::from).to_vec();
        let folder = tempfile::tempdir().expect("room");
        let options = testing::options(folder.path(), 86_400.0, true, (0, 1), AlarmRule::plain(0.0));
        let mut summary = PassSummary::default();
        for lost in [false, true] {
            assert_eq!(holding.begin().expect("an answer"), ShardSet::FULL);
            let mut found = PassReport::new(&options);
            let normal = FollowedOutcome::Normal { at: 0.0, value: 0.0 };
            found
                .outcomes
                .extend(names.iter().map(|name| (Arc::clone(name), normal.clone())));
            found.silent.push((Arc::clone(&names[1]), 0.0));
            if lost {
                let rows = &mut written.0.lock().expect("no panic while it is held").1;
                rows[VirtualShard::of(&names[1]).index()] = (2, "b/1");
                // Another one has had it, and it is back.
                rows[VirtualShard::of(&names[2]).index()] = (3, "a/1");
            }
            holding.confirm(&mut found).expect("an answer");
            let left: Vec<&str> = found.outcomes.iter().map(|(name, _)| &**name).collect();
            assert_eq!(
                left.as_slice(),
                if lost {
                    &["kept"][..]
                } else {
                    &["kept", "lost", "lost for a moment"][..]
                }
            );
            assert_eq!(holding.has_kept("lost"), !lost);
            holding.write_into(&mut summary);
        }
        assert_eq!((summary.moved, summary.shards, summary.shards_lost), (3, 254, 2));
        assert_eq!(
            summary.nodes.into_iter().collect::<Vec<_>>(),
            [("a".to_owned(), 255), ("b".to_owned(), 1)]
        );
    }
}
