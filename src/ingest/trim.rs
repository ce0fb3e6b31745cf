//! The trimming thread, once called roomba: every minute it looks at the metrics whose turn it is, so that each is looked at
//! once an hour, or each twenty-fourth of the window if that is shorter.
//!
//! Turns go by a hash of the name: the work is spread evenly, and no record is needed of when a metric was looked at last.
//! Between slices the store has four times as long to itself. A Horizon that is alive trims by itself and is
//! left to it, unless the settings say otherwise. Where several nodes trim one store each minute's turn is done by the one that
//! takes it first; a turn whose node dies is made up for a round later, like any other that was missed.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::counters::Counters;
use super::trim_tally::{TrimCount, TrimCounts};
use crate::clock::unix_now;
use crate::hash::hash;
use crate::stop::Stop;
use crate::store::trim::{Trim, TrimLimits, Trimmed, Watch};
use crate::store::{Connect, StoreError};

/// Time between two passes, and the length of one turn.
const EACH: Duration = Duration::from_secs(60);
/// The longest time between two looks at a metric.
const LONGEST_ROUND: Duration = Duration::from_secs(3_600);
/// A round takes this part of the window, so that at most as much of a value is surplus.
const SHARE: u32 = 24;
/// Time between two tries to reach the store; trimming is never urgent.
const RETRY: Duration = Duration::from_secs(5);
/// Pause after a slice, in lengths of that slice: the store has four fifths of its time for others …
const REST: u32 = 4;
/// … and the shortest pause, for slices too short to measure.
const LEAST_REST: Duration = Duration::from_millis(1);
/// How long a metric that cannot be read is left alone: it is named in the log once an hour, not each minute.
const QUARANTINE_SECONDS: f64 = 3_600.0;
/// Most metrics remembered as unreadable, and as empty, a bound on memory; what is beyond is looked at again earlier, or
/// removed later.
const REMEMBERED: usize = 10_000;
/// Unreadable metrics named in the log, a pass.
const NAMED: usize = 10;
/// The key a live Horizon renews, to expire after two minutes.
const HORIZON: &str = "horizon";

/// How the store is trimmed.
#[derive(Debug, Clone, Copy)]
pub struct TrimOptions {
    /// The window; what is older, counted from now, is surplus …
    pub full_duration: Duration,
    /// … once it is older by this.
    pub grace: Duration,
    /// Whether trimming is left to a Horizon that is alive.
    pub yields_to_horizon: bool,
}

/// The thread's state.
pub(super) struct Trimmer {
    options: TrimOptions,
    counters: Arc<Counters>,
    stop: Stop,
    /// The last minute that was done, counted from 1970.
    done: Option<u64>,
    /// Minutes after it that are this process's.
    claimed: BTreeSet<u64>,
    /// Metrics that could not be read, with the time from which on they are looked at again.
    quarantine: HashMap<String, f64>,
    /// Names under which nothing was found, with the time of the first look that found nothing.
    empty: HashMap<String, f64>,
    /// Whether the last pass was left to a Horizon.
    yielded: bool,
    failing: bool,
}

impl Trimmer {
    pub(super) fn new(options: TrimOptions, counters: Arc<Counters>, stop: Stop) -> Self {
        Self {
            options,
            counters,
            stop,
            done: None,
            claimed: BTreeSet::new(),
            quarantine: HashMap::new(),
            empty: HashMap::new(),
            yielded: false,
            failing: false,
        }
    }

    /// Trims until stop is said. Ends at once over a store that is not trimmed metric by metric.
    pub(super) fn run(mut self, connect: &impl Connect) {
        let mut store: Option<Box<dyn Trim>> = None;
        loop {
            let outcome = match &mut store {
                Some(store) => self.pass(&mut **store, connect, unix_now()),
                None => match connect.trimmer() {
                    Ok(Some(made)) => {
                        store = Some(made);
                        continue;
                    }
                    Ok(None) => return,
                    Err(error) => Err(error),
                },
            };
            let wait = match outcome {
                Ok(()) => {
                    self.failing = false;
                    EACH
                }
                Err(error) => {
                    self.counters.trim.failed();
                    if !self.failing {
                        tracing::error!("trimming waits :: {error}");
                    }
                    self.failing = true;
                    RETRY
                }
            };
            if self.stop.sleep(wait) {
                return;
            }
        }
    }

    /// Looks at the metrics whose turn has come since the last pass.
    fn pass(&mut self, store: &mut dyn Trim, connect: &impl Connect, now: f64) -> Result<(), StoreError> {
        if self.yields(store)? {
            return Ok(());
        }
        let begun = Instant::now();
        let turn = self.turn(store, now)?;
        if turn.minutes.is_empty() {
            self.done = Some(turn.last);
            return Ok(());
        }
        self.quarantine.retain(|_, until| *until > now);
        let mut keyspace = 0u64;
        let mut metrics: Vec<String> = Vec::new();
        store.list(&mut |name| {
            keyspace += 1;
            if turn.has(name) && !self.quarantine.contains_key(name) {
                metrics.push(name.to_owned());
            }
        })?;
        let names: Vec<&str> = metrics.iter().map(String::as_str).collect();
        let mut pass = TrimPass {
            stop: &self.stop,
            tally: TrimCounts::default(),
            unreadable: Vec::new(),
            empty: Vec::new(),
        };
        let kept = self.options.full_duration + self.options.grace;
        let limits = TrimLimits {
            before: now - kept.as_secs_f64(),
            now,
        };
        let outcome = store.trim(&names, limits, &mut pass);
        let TrimPass {
            mut tally,
            unreadable,
            empty,
            ..
        } = pass;
        self.set_aside(&names, unreadable, now);
        let outcome = outcome.and_then(|()| {
            tally[TrimCount::EmptyRemoved] += self.remove_empty(store, &names, &empty, now)?;
            Ok(())
        });
        self.counters.trim.add(&tally);
        if tally.any() {
            tracing::info!(
                "operated on {} in {:.2} seconds :: keyspace is {keyspace}, looked at {}, trimmed {} keys, freed {} bytes, \
                 euthanized {} geriatric keys, removed {} empty names, blocked {} times, quarantined {}",
                connect.describe(),
                begun.elapsed().as_secs_f64(),
                tally[TrimCount::LookedAt],
                tally[TrimCount::Trimmed],
                tally[TrimCount::BytesFreed],
                tally[TrimCount::DeadRemoved],
                tally[TrimCount::EmptyRemoved],
                tally[TrimCount::Raced],
                tally[TrimCount::Quarantined],
            );
        }
        outcome?;
        if !self.stop.is_said() {
            self.done = Some(turn.last);
            self.claimed.clear();
        }
        Ok(())
    }

    /// Whether a Horizon is alive and trims; each change is logged.
    fn yields(&mut self, store: &mut dyn Trim) -> Result<bool, StoreError> {
        if !self.options.yields_to_horizon {
            return Ok(false);
        }
        let yields = matches!(store.get(&[HORIZON])?.as_slice(), [Some(_)]);
        if yields && !self.yielded {
            tracing::info!("a Horizon is alive and trims :: left to it, as `ingest.trim` is \"auto\"");
        }
        if !yields && self.yielded {
            tracing::info!("no Horizon is alive any more :: trimming here");
        }
        self.yielded = yields;
        Ok(yields)
    }

    /// The minutes since the last pass that nobody else has taken.
    fn turn(&mut self, store: &mut dyn Trim, now: f64) -> Result<TrimTurn, StoreError> {
        let round = (self.options.full_duration / SHARE).min(LONGEST_ROUND);
        let turns = (round.as_secs() / EACH.as_secs()).max(1);
        let last = (now / EACH.as_secs_f64()) as u64;
        // A minute far ahead was done before the clock was set back.
        let done = self.done.filter(|done| *done < last + turns);
        let first = done.map_or(last, |done| done + 1);
        let first = first.max((last + 1).saturating_sub(turns));
        // What a pass that failed has taken is still to be done.
        self.claimed.retain(|minute| (first..=last).contains(minute));
        for minute in first..=last {
            if !self.claimed.contains(&minute) && store.claim(minute, LONGEST_ROUND)? {
                self.claimed.insert(minute);
            }
        }
        Ok(TrimTurn {
            turns,
            minutes: self.claimed.iter().map(|minute| minute % turns).collect(),
            last,
        })
    }

    /// Remembers and names what could not be read.
    fn set_aside(&mut self, names: &[&str], unreadable: Vec<(usize, String)>, now: f64) {
        let count = unreadable.len();
        for (position, (index, why)) in unreadable.into_iter().enumerate() {
            let name = names[index];
            if position < NAMED {
                tracing::warn!("`{name}` is no series and left as it is for an hour :: {why}");
            }
            if self.quarantine.len() < REMEMBERED {
                self.quarantine.insert(name.to_owned(), now + QUARANTINE_SECONDS);
            }
        }
        if count > NAMED {
            tracing::warn!("and {} further metrics that are no series", count - NAMED);
        }
    }

    /// Of the names looked at, removes those under which nothing has been found for longer than the grace.
    ///
    /// A name is put in by the first writer that appends, before or after its first point; the grace is for writers that
    /// are slow about it. It is not what makes this safe: the store removes a name only while there is nothing under it, and
    /// a writer that finds so puts the name back.
    fn remove_empty(
        &mut self,
        store: &mut dyn Trim,
        names: &[&str],
        empty: &[usize],
        now: f64,
    ) -> Result<u64, StoreError> {
        let grace = self.options.grace.as_secs_f64();
        let was: HashMap<String, f64> = names
            .iter()
            .filter_map(|name| self.empty.remove_entry(*name))
            .collect();
        let mut due = Vec::new();
        for name in empty.iter().map(|index| names[*index]) {
            let since = was.get(name).copied().unwrap_or(now);
            if now - since >= grace {
                due.push(name);
            } else if self.empty.len() < REMEMBERED {
                self.empty.insert(name.to_owned(), since);
            }
        }
        // Names that others have removed are never looked at again.
        self.empty
            .retain(|_, since| now - *since < 2.0 * LONGEST_ROUND.as_secs_f64());
        store.remove_empty(&due)
    }
}

/// The minutes to be done, and which metrics are looked at in them.
#[derive(Debug, Clone)]
struct TrimTurn {
    /// Minutes in a round.
    turns: u64,
    /// Those to be done, counted within the round.
    minutes: BTreeSet<u64>,
    /// The present one, counted from 1970.
    last: u64,
}

impl TrimTurn {
    fn has(&self, name: &str) -> bool {
        self.minutes.contains(&(hash(name) % self.turns))
    }
}

/// One pass, as the store reports it.
struct TrimPass<'a> {
    stop: &'a Stop,
    tally: TrimCounts,
    unreadable: Vec<(usize, String)>,
    empty: Vec<usize>,
}

impl Watch for TrimPass<'_> {
    fn trimmed(&mut self, index: usize, trimmed: Trimmed) {
        self.tally[TrimCount::LookedAt] += 1;
        let (counter, bytes) = match trimmed {
            Trimmed::Kept => return,
            Trimmed::Cut { bytes } => (TrimCount::Trimmed, bytes),
            Trimmed::Removed { bytes } => (TrimCount::DeadRemoved, bytes),
            Trimmed::Raced => (TrimCount::Raced, 0),
            Trimmed::Missing => {
                self.empty.push(index);
                return;
            }
            Trimmed::Unreadable(why) => {
                self.unreadable.push((index, why.to_string()));
                (TrimCount::Quarantined, 0)
            }
        };
        self.tally[counter] += 1;
        self.tally[TrimCount::BytesFreed] += bytes as u64;
    }

    fn worked(&mut self, time: Duration) -> ControlFlow<()> {
        if self.stop.sleep((time * REST).max(LEAST_REST)) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Keys, Malformed, Names, Unreadable};

    const NOW: f64 = 1_700_000_000.0;

    /// A store of names, with what a trim finds under each.
    #[derive(Default)]
    struct Found {
        names: Vec<(String, Option<Trimmed>)>,
        horizon: bool,
        /// Names asked for, pass by pass.
        looked_at: Vec<Vec<String>>,
        removed: Vec<String>,
        before: f64,
        slices: usize,
        /// Minutes that another node has taken.
        taken: BTreeSet<u64>,
    }

    impl Found {
        fn with(metrics: u32) -> Self {
            Self {
                names: (0..metrics).map(|n| (format!("metric.{n}"), None)).collect(),
                ..Self::default()
            }
        }
    }

    impl Names for Found {
        fn count(&mut self) -> Result<u64, StoreError> {
            Ok(self.names.len() as u64)
        }

        fn additions(&mut self) -> Result<u64, StoreError> {
            Ok(0)
        }

        fn list(&mut self, each: &mut dyn FnMut(&str)) -> Result<(), StoreError> {
            self.names.iter().for_each(|(name, _)| each(name));
            Ok(())
        }

        fn change(&mut self, _: &[&str], _: &[&str]) -> Result<(), StoreError> {
            unreachable!("names are removed with their keys only")
        }
    }

    impl Keys for Found {
        fn get(&mut self, keys: &[&str]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
            assert_eq!(keys, ["horizon"]);
            Ok(vec![self.horizon.then(|| b"1700000000".to_vec())])
        }

        fn set(&mut self, _: &[(&str, &[u8])], _: Option<Duration>) -> Result<(), StoreError> {
            unreachable!("trimming keeps no keys")
        }

        fn remove(&mut self, _: &[&str]) -> Result<(), StoreError> {
            unreachable!("trimming keeps no keys")
        }
    }

    impl Trim for Found {
        fn trim(
            &mut self,
            metrics: &[&str],
            limits: TrimLimits,
            watch: &mut dyn Watch,
        ) -> Result<(), StoreError> {
            self.before = limits.before;
            self.looked_at
                .push(metrics.iter().map(|&name| name.to_owned()).collect());
            for (index, metric) in metrics.iter().enumerate() {
                let found = self.names.iter().find(|(name, _)| name == metric);
                let trimmed = found.and_then(|(_, trimmed)| trimmed.clone());
                watch.trimmed(index, trimmed.unwrap_or(Trimmed::Kept));
                self.slices += 1;
                if watch.worked(Duration::ZERO).is_break() {
                    return Ok(());
                }
            }
            Ok(())
        }

        fn remove_empty(&mut self, metrics: &[&str]) -> Result<u64, StoreError> {
            self.removed.extend(metrics.iter().map(|&name| name.to_owned()));
            self.names.retain(|(name, _)| !metrics.contains(&name.as_str()));
            Ok(metrics.len() as u64)
        }

        fn claim(&mut self, minute: u64, _: Duration) -> Result<bool, StoreError> {
            Ok(self.taken.insert(minute))
        }
    }

    fn trimmer(full_duration: u64) -> Trimmer {
        let options = TrimOptions {
            full_duration: Duration::from_secs(full_duration),
            grace: Duration::from_secs(600),
            yields_to_horizon: true,
        };
        Trimmer::new(options, Arc::default(), Stop::new())
    }

    fn connect() -> crate::store::redis::RedisConnect {
        crate::store::redis::RedisConnect::new(Default::default()).expect("the usual address")
    }

    fn store(names: &[(&str, Option<Trimmed>)]) -> Found {
        Found {
            names: names
                .iter()
                .map(|(name, found)| (name.to_string(), found.clone()))
                .collect(),
            ..Found::default()
        }
    }

    fn counter(trimmer: &Trimmer, name: &str) -> u64 {
        let mut all = trimmer.counters.trim.snapshot();
        all.find(|(found, _)| found == &format!("trim.{name}"))
            .map_or(0, |(_, n)| n)
    }

    #[test]
    fn every_metric_has_its_turn_once_a_round_and_passes_left_out_are_made_up_for() {
        for (full_duration, minutes) in [(86_400, 60), (43_200, 30), (60, 1), (7 * 86_400, 60)] {
            let mut found = Found::with(300);
            let mut trimmer = trimmer(full_duration);
            // Passes at uneven times: some minutes see two, some none.
            let mut now = NOW;
            for pass in 0.. {
                trimmer
                    .pass(&mut found, &connect(), now)
                    .expect("nothing can fail");
                if now >= NOW + 60.0 * f64::from(minutes - 1) {
                    break;
                }
                now = (now + [20.0, 60.0, 150.0][pass % 3]).min(NOW + 60.0 * f64::from(minutes - 1));
            }
            let mut seen: Vec<String> = found.looked_at.concat();
            seen.sort_unstable();
            let mut all: Vec<String> = found.names.iter().map(|(name, _)| name.clone()).collect();
            all.sort_unstable();
            assert!(
                seen == all,
                "{full_duration}: {} looks at {}",
                seen.len(),
                all.len()
            );
            let most = found.looked_at.iter().map(Vec::len).max().expect("a pass");
            assert!(minutes == 1 || most < 60, "{most} of 300 in one pass");
        }
    }

    #[test]
    fn a_minute_that_another_node_has_taken_is_left_to_it() {
        let mut found = Found::with(300);
        let mut trimmer = trimmer(86_400);
        let minute = (NOW / 60.0) as u64;
        found.taken = (minute + 1..minute + 30).collect();
        for pass in 0..60 {
            trimmer
                .pass(&mut found, &connect(), NOW + 60.0 * f64::from(pass))
                .expect("a pass");
        }
        let seen: BTreeSet<String> = found.looked_at.concat().into_iter().collect();
        let others = (0..300)
            .filter(|n| (1..30).contains(&((hash(&format!("metric.{n}")) % 60 + 60 - minute % 60) % 60)));
        assert_eq!(300 - seen.len(), others.count());
        assert_eq!(found.looked_at.len(), 31, "names are not listed in vain");
    }

    #[test]
    fn surplus_is_what_is_older_than_window_and_grace() {
        let mut found = store(&[("a", None)]);
        trimmer(1_200).pass(&mut found, &connect(), NOW).expect("a pass");
        assert_eq!(found.before, NOW - 1_800.0);
    }

    #[test]
    fn a_live_horizon_is_left_alone_until_it_is_gone() {
        let mut found = store(&[("a", None)]);
        found.horizon = true;
        let mut auto = trimmer(60);
        auto.pass(&mut found, &connect(), NOW).expect("a pass");
        assert!(found.looked_at.is_empty());
        found.horizon = false;
        auto.pass(&mut found, &connect(), NOW + 60.0).expect("a pass");
        assert_eq!(found.looked_at, [["a"]]);
        found.horizon = true;
        let mut on = trimmer(60);
        on.options.yields_to_horizon = false;
        on.pass(&mut found, &connect(), NOW).expect("a pass");
        assert_eq!(found.looked_at.len(), 2);
    }

    #[test]
    fn what_cannot_be_read_is_left_alone_for_an_hour() {
        let garbage = Trimmed::Unreadable(Unreadable::Malformed(Malformed { offset: 0 }));
        let mut found = store(&[("good", Some(Trimmed::Cut { bytes: 30 })), ("bad", Some(garbage))]);
        let mut trimmer = trimmer(60);
        for minute in 0..61 {
            trimmer
                .pass(&mut found, &connect(), NOW + 60.0 * f64::from(minute))
                .expect("a pass");
        }
        let looks = |name: &str| {
            found
                .looked_at
                .iter()
                .filter(|pass| pass.iter().any(|n| n == name))
                .count()
        };
        assert_eq!((looks("good"), looks("bad")), (61, 2));
        assert_eq!(counter(&trimmer, "quarantined"), 2);
        assert_eq!(counter(&trimmer, "trimmed"), 61);
        assert_eq!(counter(&trimmer, "bytes_freed"), 61 * 30);
        assert_eq!(counter(&trimmer, "looked_at"), 63);
    }

    #[test]
    fn an_empty_name_goes_once_it_has_been_empty_for_longer_than_the_grace() {
        let mut found = store(&[("empty", Some(Trimmed::Missing)), ("kept", None)]);
        let mut trimmer = trimmer(60);
        for minute in 0..10 {
            trimmer
                .pass(&mut found, &connect(), NOW + 60.0 * f64::from(minute))
                .expect("a pass");
            assert!(found.removed.is_empty());
        }
        trimmer.pass(&mut found, &connect(), NOW + 600.0).expect("a pass");
        assert_eq!(found.removed, ["empty"]);
        assert_eq!(counter(&trimmer, "empty_removed"), 1);
        assert!(trimmer.empty.is_empty());
    }

    #[test]
    fn a_name_that_was_filled_in_between_starts_anew() {
        let mut found = store(&[("a", Some(Trimmed::Missing))]);
        let mut trimmer = trimmer(60);
        trimmer.pass(&mut found, &connect(), NOW).expect("a pass");
        found.names[0].1 = None;
        trimmer.pass(&mut found, &connect(), NOW + 300.0).expect("a pass");
        found.names[0].1 = Some(Trimmed::Missing);
        trimmer.pass(&mut found, &connect(), NOW + 660.0).expect("a pass");
        assert!(found.removed.is_empty(), "it was there five minutes ago");
    }

    #[test]
    fn stop_ends_a_pass_at_the_next_slice_and_its_turn_is_not_taken_as_done() {
        let mut found = Found::with(100);
        let mut trimmer = trimmer(60);
        trimmer.stop.say();
        trimmer.pass(&mut found, &connect(), NOW).expect("a pass");
        assert_eq!(found.slices, 1);
        assert_eq!(trimmer.done, None);
    }
}
