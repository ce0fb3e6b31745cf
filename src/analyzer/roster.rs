//! The roster of metrics: which there are, and which worker has which.
//!
//! The store is asked each pass for the number of names and for the number that our writers leave there when a name
//! comes, and for the names only when one of them changed, or a minute has gone by: among names that others write, one may
//! leave as another comes. Only names of the virtual shards that are this node's are kept; when it gets more of them, names are
//! listed anew.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::shard::shard_of;
use crate::cluster::ShardSet;
use crate::store::{Names, StoreError};

/// Longest time without a full list.
const RELIST_AFTER: Duration = Duration::from_secs(60);

/// Names that came to and left one shard.
#[derive(Debug, Default)]
pub struct Change {
    /// Names new to the shard.
    pub add: Vec<Arc<str>>,
    /// Names that left it.
    pub remove: Vec<Arc<str>>,
}

/// Puts names of metrics in the order in which what is known of them is read fastest.
pub type NameOrder = Box<dyn Fn(&mut [Box<str>]) + Send + Sync>;

/// All known names, each with the number of the listing that saw it last.
#[derive(Default)]
pub struct Roster {
    order: Option<NameOrder>,
    names: HashMap<Arc<str>, u64>,
    listing: u64,
    counted: u64,
    additions: u64,
    listed: Option<Instant>,
    /// The virtual shards whose names are known.
    shards: ShardSet,
}

impl Roster {
    /// Without a name yet; those that come are put in that order.
    pub fn new(order: Option<NameOrder>) -> Self {
        Self {
            order,
            ..Self::default()
        }
    }

    /// Number of metrics on the roster.
    pub fn metrics(&self) -> usize {
        self.names.len()
    }

    /// Whether the metric is on the roster.
    pub fn holds(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// Brings the roster of the metrics in `shards` up to date. Answers what changed, a [`Change`] for each of `workers`, or
    /// nothing if nothing did as far as is known.
    ///
    /// # Errors
    /// The store's own, or that the names were not all there when they were `due`; the roster is then as before.
    pub fn refresh(
        &mut self,
        store: &mut impl Names,
        workers: usize,
        shards: &ShardSet,
        due: Instant,
    ) -> Result<Vec<Change>, StoreError> {
        // Before the listing: what comes while it runs shows at the next pass.
        let additions = store.additions()?;
        let counted = store.count()?;
        let same = (counted, additions) == (self.counted, self.additions);
        let has_gained = !shards.without(&self.shards).is_empty();
        if same && !has_gained && self.listed.is_some_and(|at| at.elapsed() < RELIST_AFTER) {
            return Ok(self.drop_lost(workers, shards));
        }
        // Counted even if it fails: what a broken listing has seen must not count as seen by the next.
        self.listing += 1;
        let listing = self.listing;
        let mut new: Vec<Vec<Box<str>>> = vec![Vec::new(); workers];
        let names = &mut self.names;
        store.list_until(due, &mut |name| {
            if !shards.has_metric(name) {
                return;
            }
            match names.get_mut(name) {
                Some(seen) => *seen = listing,
                None => new[shard_of(name, workers)].push(Box::from(name)),
            }
        })?;
        if let Some(order) = &self.order {
            new.par_iter_mut().for_each(|new| order(new));
        }
        let mut changes = no_changes(workers);
        for (change, new) in changes.iter_mut().zip(&new) {
            for name in new {
                // Only now, so that names that are used one after the other lie side by side in memory.
                let name: Arc<str> = Arc::from(&**name);
                // A listing may say a name twice.
                if names.insert(Arc::clone(&name), listing).is_none() {
                    change.add.push(name);
                }
            }
        }
        names.retain(|name, seen| {
            let stays = *seen == listing;
            if !stays {
                changes[shard_of(name, workers)].remove.push(Arc::clone(name));
            }
            stays
        });
        self.shards = *shards;
        self.counted = counted;
        self.additions = additions;
        self.listed = Some(Instant::now());
        Ok(changes)
    }

    /// Lets go of the names of virtual shards that are another node's now.
    fn drop_lost(&mut self, workers: usize, shards: &ShardSet) -> Vec<Change> {
        if self.shards == *shards {
            return Vec::new();
        }
        let mut changes = no_changes(workers);
        self.names.retain(|name, _| {
            let stays = shards.has_metric(name);
            if !stays {
                changes[shard_of(name, workers)].remove.push(Arc::clone(name));
            }
            stays
        });
        self.shards = *shards;
        changes
    }
}

/// One for each worker, to be filled.
fn no_changes(workers: usize) -> Vec<Change> {
    std::iter::repeat_with(Change::default).take(workers).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::VirtualShard;

    /// Names, and how often they were listed; a listing breaks off after `breaks_after` names.
    struct Fixed {
        names: Vec<&'static str>,
        additions: u64,
        listed: u64,
        breaks_after: usize,
    }

    fn fixed(names: &[&'static str]) -> Fixed {
        Fixed {
            names: names.to_vec(),
            additions: 0,
            listed: 0,
            breaks_after: usize::MAX,
        }
    }

    impl Names for Fixed {
        fn count(&mut self) -> Result<u64, StoreError> {
            Ok(self.names.len() as u64)
        }

        fn additions(&mut self) -> Result<u64, StoreError> {
            Ok(self.additions)
        }

        fn list(&mut self, each: &mut dyn FnMut(&str)) -> Result<(), StoreError> {
            self.listed += 1;
            self.names
                .iter()
                .take(self.breaks_after)
                .for_each(|name| each(name));
            if self.breaks_after < self.names.len() {
                return Err(StoreError::Unavailable {
                    place: "here".to_owned(),
                    reason: "cut".to_owned(),
                });
            }
            Ok(())
        }

        fn change(&mut self, _: &[&str], _: &[&str]) -> Result<(), StoreError> {
            Ok(())
        }
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    fn added(changes: &[Change]) -> usize {
        changes.iter().map(|change| change.add.len()).sum()
    }

    #[test]
    fn lists_only_on_change_and_tells_each_shard_its_part() {
        let mut store = fixed(&["a", "b", "c"]);
        let mut roster = Roster::default();
        assert_eq!(
            added(
                &roster
                    .refresh(&mut store, 2, &ShardSet::FULL, soon())
                    .expect("lists")
            ),
            3
        );
        assert_eq!(roster.metrics(), 3);
        assert!(
            roster
                .refresh(&mut store, 2, &ShardSet::FULL, soon())
                .expect("counts")
                .is_empty()
        );
        assert_eq!(store.listed, 1);
        store.names = vec!["a", "d"];
        let changes = roster
            .refresh(&mut store, 2, &ShardSet::FULL, soon())
            .expect("lists");
        assert_eq!(added(&changes), 1);
        assert_eq!(changes.iter().map(|c| c.remove.len()).sum::<usize>(), 2);
        assert_eq!(roster.metrics(), 2);
    }

    #[test]
    fn a_name_that_comes_as_another_leaves_is_seen_at_once() {
        let mut store = fixed(&["a", "b"]);
        let mut roster = Roster::default();
        roster
            .refresh(&mut store, 1, &ShardSet::FULL, soon())
            .expect("lists");
        store.names = vec!["a", "c"];
        store.additions += 1;
        let changes = roster
            .refresh(&mut store, 1, &ShardSet::FULL, soon())
            .expect("lists");
        assert_eq!((added(&changes), changes[0].remove.len()), (1, 1));
        assert!(roster.holds("c") && !roster.holds("b"));
        assert!(
            roster
                .refresh(&mut store, 1, &ShardSet::FULL, soon())
                .expect("counts")
                .is_empty()
        );
    }

    #[test]
    fn only_names_of_held_shards_are_known_and_others_come_with_their_shards() {
        let (of_a, of_b) = (VirtualShard::of("a"), VirtualShard::of("b"));
        let only = |shard: VirtualShard| [shard].into_iter().collect::<ShardSet>();
        assert_ne!(of_a, of_b);
        let mut store = fixed(&["a", "b"]);
        let mut roster = Roster::default();
        let changes = roster.refresh(&mut store, 1, &only(of_a), soon()).expect("lists");
        assert_eq!((added(&changes), roster.holds("a")), (1, true));
        let changes = roster.refresh(&mut store, 1, &only(of_b), soon()).expect("lists");
        assert_eq!(
            (&*changes[0].add[0], &*changes[0].remove[0], store.listed),
            ("b", "a", 2)
        );
        let changes = roster
            .refresh(&mut store, 1, &ShardSet::default(), soon())
            .expect("counts");
        assert_eq!(
            (changes[0].remove.len(), roster.metrics(), store.listed),
            (1, 0, 2)
        );
        assert!(
            roster
                .refresh(&mut store, 1, &ShardSet::default(), soon())
                .expect("counts")
                .is_empty()
        );
    }

    #[test]
    fn a_listing_that_breaks_off_hides_no_metric() {
        let mut store = fixed(&["a", "b", "c"]);
        let mut roster = Roster::default();
        for breaks_after in [0, 1, 2] {
            store.breaks_after = breaks_after;
            assert!(roster.refresh(&mut store, 2, &ShardSet::FULL, soon()).is_err());
            assert_eq!(roster.metrics(), 0);
        }
        store.breaks_after = usize::MAX;
        assert_eq!(
            added(
                &roster
                    .refresh(&mut store, 2, &ShardSet::FULL, soon())
                    .expect("lists")
            ),
            3,
            "every worker hears of every name"
        );
    }
}
