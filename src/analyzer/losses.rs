//! Whether what passes work on is still there: silence is not health.
//!
//! A metric that leaves was deleted. When most of them leave within minutes, or none can be judged any more, it is the store
//! that has lost them, and then nothing is known of them: no incident of theirs ends, and what was learnt of them is kept. A
//! loss is over when half of what was there is there again. After a day it is how things are.

use std::collections::VecDeque;

use skywatch_algorithms::Exception;

use super::tally::Tally;
use crate::status::{
    EVICTIONS_COMPONENT as EVICTIONS, METRICS_COMPONENT as METRICS, POLICY_COMPONENT as POLICY, PassSummary,
    Trouble, WRITES_COMPONENT as WRITES,
};
use crate::store::{Condition, StoreError};

/// Fewer metrics than this may go one by one; of so many, losing more than half is a loss.
const MANY: u64 = 20;
/// Seconds within which that many must go: so long the most there were are remembered.
const WITHIN: f64 = 900.0;
/// Seconds after which what is lost is not waited for any more.
const ACCEPTED_AFTER: f64 = 86_400.0;
/// Seconds without another eviction after which the store counts as throwing nothing away.
const EVICTIONS_LAST: f64 = 300.0;

/// What is known of what there was.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    /// Passes of the last minutes: when, and how many metrics could be judged then.
    held: VecDeque<(f64, u64)>,
    /// Since when most of them are lost, and how many there were.
    lost: Option<(f64, u64)>,
    /// Metrics that were analyzed, or not only because they do not move, when last any were.
    analyzed: u64,
    /// Since when none is.
    blind: Option<f64>,
    /// Since when the store takes nothing, and why.
    refusing: Option<(f64, String)>,
    /// Keys the store had thrown away when it was last asked.
    evicted: Option<u64>,
    /// Since when it throws keys away, how many by now, and when the last.
    evicting: Option<(f64, u64, f64)>,
    condition: Condition,
    /// Virtual shards whose metrics these are.
    shards: u64,
}

impl Losses {
    /// What a process before this one knew, as its last pass has it. One of more than a day ago says nothing of now.
    pub(crate) fn since(last: Option<&PassSummary>, now: f64) -> Self {
        let mut losses = Self::default();
        let Some(last) = last.filter(|last| (0.0..ACCEPTED_AFTER).contains(&(now - last.at))) else {
            return losses;
        };
        let since = |component: &str| {
            let known = last
                .troubles
                .iter()
                .find(|trouble| trouble.component == component);
            known.map(|trouble| trouble.since)
        };
        losses.shards = last.shards;
        losses.analyzed = last.analyzed;
        if last.analyzed == 0 && last.held_before == 0 {
            losses.blind = since(METRICS);
            losses.analyzed = losses.blind.map_or(0, |_| last.held.max(1));
        }
        if last.held_before > 0 {
            losses.lost = since(METRICS).map(|at| (at, last.held_before));
        } else {
            // As if of now: how long nobody looked is no matter.
            losses.held.push_back((now, last.held));
        }
        losses
    }

    /// This node holds so many virtual shards: metrics that have become another node's are not lost. What is remembered is
    /// taken in proportion, as names are spread evenly.
    pub(crate) fn share(&mut self, shards: u64) {
        let before = std::mem::replace(&mut self.shards, shards);
        if before == shards {
            return;
        }
        if before == 0 || shards == 0 {
            self.held.clear();
            (self.lost, self.blind, self.analyzed) = (None, None, 0);
            return;
        }
        let of_now = |count: &mut u64| *count = *count * shards / before;
        self.held.iter_mut().for_each(|(_, held)| of_now(held));
        self.lost.iter_mut().for_each(|(_, before)| of_now(before));
        of_now(&mut self.analyzed);
    }

    /// The store took what was written, or did not.
    pub(crate) fn written(&mut self, refused: Option<&StoreError>, now: f64) {
        self.refusing = refused.map(|error| {
            let since = self.refusing.as_ref().map_or(now, |(since, _)| *since);
            (since, error.to_string())
        });
    }

    /// What the store says of itself.
    pub(crate) fn said(&mut self, condition: Condition, now: f64) {
        if let (Some(before), Some(evicted)) = (self.evicted, condition.evicted)
            && evicted > before
        {
            let (since, keys) = self.evicting.map_or((now, 0), |(since, keys, _)| (since, keys));
            self.evicting = Some((since, keys + evicted - before, now));
        }
        self.evicting = self.evicting.filter(|(_, _, last)| now - last < EVICTIONS_LAST);
        self.evicted = condition.evicted;
        self.condition = condition;
    }

    /// Takes a pass over `metrics` metrics, whole unless `unfinished`, and writes down what is wrong. `followed`: how many metrics
    /// have incidents that last; they were there, whatever else is remembered.
    pub(crate) fn pass(
        &mut self,
        metrics: u64,
        followed: u64,
        tally: &Tally,
        unfinished: u64,
        summary: &mut PassSummary,
    ) {
        let now = summary.at;
        let excepted = |exception: Exception| tally.exceptions[exception.index()];
        let missing = excepted(Exception::DeletedByRoomba);
        let short = excepted(Exception::TooShort);
        summary.held = metrics.saturating_sub(missing + short + unfinished);
        // Half a pass has not seen what there is.
        if unfinished == 0 {
            self.count(summary.held, followed, now, &mut summary.loss_accepted);
            let seen = tally.analyzed() + excepted(Exception::Boring);
            if seen > 0 {
                (self.analyzed, self.blind) = (seen, None);
            } else if self.analyzed > 0 {
                self.blind.get_or_insert(now);
            }
        }
        if let Some((since, before)) = self.lost {
            summary.held_before = before;
            let why = match (metrics, summary.held) {
                (0, _) => format!("the store holds no metric any more; there were {before}"),
                (_, 0) => format!(
                    "the points of all {before} metrics are gone: {missing} have none, {short} too few to judge"
                ),
                (_, held) => format!(
                    "{} of {before} metrics are gone or have lost their points: {metrics} have a name, {held} points \
                     enough to judge",
                    before.saturating_sub(held)
                ),
            };
            summary.troubles.push(trouble(METRICS, why, since));
        } else if let Some(since) = self.blind {
            let kinds = summary.exceptions.iter().filter(|(_, count)| **count > 0);
            let kinds: Vec<String> = kinds.map(|(kind, count)| format!("{count} {kind}")).collect();
            let why = format!(
                "no metric is analyzed any more, {} were: {}",
                self.analyzed,
                if kinds.is_empty() {
                    "there is none".to_owned()
                } else {
                    kinds.join(", ")
                }
            );
            summary.troubles.push(trouble(METRICS, why, since));
        }
        if let Some((since, why)) = &self.refusing {
            let why = format!("the store takes no writes, points may be lost: {why}");
            summary.troubles.push(trouble(WRITES, why, *since));
        }
        if let Some((since, keys, _)) = self.evicting {
            let why = format!(
                "the store throws keys away to stay within its memory: {keys} so far{}",
                self.condition
                    .evicts_by
                    .as_ref()
                    .map_or(String::new(), |policy| format!(", by `{policy}`"))
            );
            summary.troubles.push(trouble(EVICTIONS, why, since));
        }
        if let Some(policy) = &self.condition.evicts_by {
            let why = format!(
                "the store will throw keys away when its {} bytes are full: `maxmemory-policy` is `{policy}`, and \
                 `noeviction` loses nothing",
                self.condition.limit
            );
            summary.troubles.push(Trouble {
                is_warning: true,
                ..trouble(POLICY, why, now)
            });
        }
    }

    /// Whether nothing is to be concluded from a metric not being there.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.is_some()
    }

    fn count(&mut self, held: u64, followed: u64, now: f64, accepted: &mut bool) {
        while self.held.front().is_some_and(|(at, _)| now - at > WITHIN) {
            self.held.pop_front();
        }
        let (since, before) = match self.lost {
            Some(known) => known,
            None => {
                let most = self.held.iter().map(|(_, held)| *held).max();
                (now, most.unwrap_or(0).max(followed))
            }
        };
        let is_lost = (before > 0 && held == 0) || (before >= MANY && held * 2 < before);
        if is_lost && now - since < ACCEPTED_AFTER {
            self.lost = Some((since, before));
            return;
        }
        if self.lost.take().is_some() {
            self.held.clear();
            *accepted = is_lost;
            if is_lost {
                tracing::warn!(
                    "{held} metrics of {before} are all there is for a day :: taken as how things are"
                );
                (self.analyzed, self.blind) = (0, None);
            }
        }
        self.held.push_back((now, held));
    }
}

fn trouble(component: &str, why: String, since: f64) -> Trouble {
    Trouble {
        component: component.to_owned(),
        why,
        since,
        is_warning: false,
    }
}

#[cfg(test)]
mod tests {
    use skywatch_algorithms::Ballot;

    use super::*;

    /// A pass that judges so many, finds so many without points, and so many too short.
    fn pass(losses: &mut Losses, at: f64, [judged, missing, short]: [u64; 3]) -> PassSummary {
        let mut tally = Tally::new(0);
        (0..judged).for_each(|_| tally.judged(false, Ballot::default()));
        (0..missing).for_each(|_| tally.excepted(Exception::DeletedByRoomba));
        (0..short).for_each(|_| tally.excepted(Exception::TooShort));
        let mut summary = PassSummary {
            at,
            ..PassSummary::default()
        };
        tally.write_into(&mut summary, &[], &mut []);
        losses.pass(judged + missing + short, 0, &tally, 0, &mut summary);
        summary
    }

    fn ill(summary: &PassSummary) -> Vec<&str> {
        summary
            .troubles
            .iter()
            .map(|trouble| trouble.component.as_str())
            .collect()
    }

    #[test]
    fn losing_most_of_many_or_all_of_few_is_a_loss_and_losing_some_is_not() {
        for (before, after, is_loss) in [
            ([20, 0, 0], [10, 0, 0], false),
            ([20, 0, 0], [9, 0, 0], true),
            ([20, 0, 0], [9, 11, 0], true),
            ([20, 0, 0], [9, 0, 11], true),
            ([19, 0, 0], [1, 0, 0], false),
            ([3, 0, 0], [0, 0, 0], true),
            ([0, 5, 5], [0, 0, 0], false),
            ([1, 0, 0], [0, 0, 1], true),
        ] {
            let mut losses = Losses::default();
            assert_eq!(ill(&pass(&mut losses, 1_000.0, before)), [""; 0]);
            let seen = pass(&mut losses, 1_060.0, after);
            assert_eq!(losses.is_lost(), is_loss, "{before:?} {after:?}");
            assert_eq!(ill(&seen).len(), usize::from(is_loss), "{before:?} {after:?}");
        }
    }

    #[test]
    fn metrics_that_become_another_nodes_are_not_lost_and_those_that_stay_may_be() {
        let mut losses = Losses::default();
        losses.share(256);
        pass(&mut losses, 1_000.0, [100, 0, 0]);
        losses.share(128);
        assert_eq!(ill(&pass(&mut losses, 1_060.0, [49, 0, 0])), [""; 0]);
        losses.share(64);
        assert_eq!(
            ill(&pass(&mut losses, 1_120.0, [11, 0, 0])),
            [METRICS],
            "there were some 25"
        );
        losses.share(0);
        assert_eq!(
            ill(&pass(&mut losses, 1_180.0, [0, 0, 0])),
            [""; 0],
            "nothing is this node's"
        );
        losses.share(256);
        assert_eq!(
            ill(&pass(&mut losses, 1_240.0, [3, 0, 0])),
            [""; 0],
            "nothing is known of what was"
        );
    }

    #[test]
    fn a_loss_in_steps_is_one_and_a_slow_one_is_not() {
        for (apart, is_loss) in [(60.0, true), (1_000.0, false)] {
            let mut losses = Losses::default();
            for (step, left) in [100, 80, 64, 49].into_iter().enumerate() {
                pass(&mut losses, 1_000.0 + apart * step as f64, [left, 0, 0]);
            }
            assert_eq!(losses.is_lost(), is_loss, "{apart} s apart");
        }
    }

    #[test]
    fn a_loss_lasts_until_half_is_back_or_a_day_has_gone_by_and_a_restart_knows_of_it() {
        let mut losses = Losses::default();
        pass(&mut losses, 1_000.0, [100, 0, 0]);
        let lost = pass(&mut losses, 1_060.0, [0, 0, 0]);
        assert_eq!(lost.held_before, 100);
        let mut losses = Losses::since(Some(&lost), 1_200.0);
        assert!(losses.is_lost());
        assert_eq!(pass(&mut losses, 5_000.0, [0, 0, 100]).troubles[0].since, 1_060.0);
        assert_eq!(ill(&pass(&mut losses, 5_060.0, [50, 0, 50])), [""; 0]);
        assert!(!losses.is_lost());

        let mut losses = Losses::since(Some(&lost), 1_200.0);
        assert_eq!(ill(&pass(&mut losses, 87_000.0, [9, 0, 0])), [METRICS]);
        let accepted = pass(&mut losses, 87_460.0, [9, 0, 0]);
        assert!(accepted.loss_accepted && ill(&accepted).is_empty());
        assert_eq!(ill(&pass(&mut losses, 87_520.0, [9, 0, 0])), [""; 0]);
        assert!(!Losses::since(Some(&lost), 90_000.0).is_lost());
    }

    #[test]
    fn what_a_process_before_held_is_missed_by_the_next() {
        let whole = pass(&mut Losses::default(), 1_000.0, [30, 0, 0]);
        let mut losses = Losses::since(Some(&whole), 9_000.0);
        assert_eq!(ill(&pass(&mut losses, 9_001.0, [0, 0, 0])), [METRICS]);
    }

    #[test]
    fn incidents_that_last_are_of_metrics_that_were_there() {
        let mut losses = Losses::default();
        let mut summary = PassSummary::default();
        losses.pass(0, 1, &Tally::new(0), 0, &mut summary);
        assert_eq!(ill(&summary), [METRICS], "nothing else was remembered");
    }

    #[test]
    fn nothing_analyzed_where_something_was_is_said_whatever_the_reason() {
        let mut losses = Losses::default();
        pass(&mut losses, 1_000.0, [3, 0, 0]);
        let mut tally = Tally::new(0);
        (0..3).for_each(|_| tally.excepted(Exception::Stale));
        let mut summary = PassSummary {
            at: 1_060.0,
            ..PassSummary::default()
        };
        tally.write_into(&mut summary, &[], &mut []);
        losses.pass(3, 0, &tally, 0, &mut summary);
        assert_eq!(
            summary.troubles[0].why,
            "no metric is analyzed any more, 3 were: 3 Stale"
        );
    }

    #[test]
    fn evictions_are_those_of_our_time_and_end_when_no_more_come() {
        let mut losses = Losses::default();
        let evicted = |evicted| Condition {
            evicted: Some(evicted),
            evicts_by: Some("allkeys-lru".to_owned()),
            limit: 1_000,
            ..Condition::default()
        };
        losses.said(evicted(70), 1_000.0);
        assert_eq!(ill(&pass(&mut losses, 1_000.0, [3, 0, 0])), [POLICY]);
        losses.said(evicted(75), 1_060.0);
        let seen = pass(&mut losses, 1_060.0, [3, 0, 0]);
        assert_eq!(ill(&seen), [EVICTIONS, POLICY]);
        assert!(seen.troubles[0].why.contains(": 5 so far"), "{seen:?}");
        assert!(seen.troubles[1].is_warning && !seen.troubles[0].is_warning);
        losses.said(evicted(75), 1_360.0);
        assert_eq!(ill(&pass(&mut losses, 1_360.0, [3, 0, 0])), [POLICY]);
    }
}
