//! Our verdict on a subject, with the evidence it rests on.
//!
//! Each observer has one vote a metric, its newest value. A vote counts while it is fresh: for three of its observer's own
//! intervals, within the limits of the [`Policy`]. PENDING is no vote of its own: the vote before it stands until the request
//! is overdue, and then it is a failure until something newer arrives. Votes of the same kind of observer on the same metric
//! make one vantage, and there half of the votes, or more, make a failure. Then:
//!
//! | failing vantages | others | state |
//! |---|---|---|
//! | some | some that see it work | gray |
//! | some, overdue requests only | none that sees it work | overdue |
//! | some | none that sees it work | unhealthy |
//! | none | doubts, or failures that were outvoted | suspected |
//! | none | only success | healthy |
//! | no fresh vote at all | | unknown |
//!
//! So a heartbeat never hides a failing request (gray failure: Huang et al., HotOS 2017), and who has died does not vote for
//! ever. Cost: O(n·m) for n observations of m metrics.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{HealthState, HealthView, SECOND, Status, observer_kind};

/// When votes expire and requests are overdue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// A request that is pending for longer has failed. Nanoseconds.
    pub pending_deadline: i64,
    /// The life of a vote in intervals of its observer.
    pub intervals: i64,
    /// The least life of a vote. Nanoseconds.
    pub shortest: i64,
    /// The life of a vote of an observer with one observation, whose interval is not known. Nanoseconds.
    pub first: i64,
    /// The longest life of a vote, and the life of an overdue request. Nanoseconds.
    pub longest: i64,
}

impl Default for Policy {
    /// Panorama's clients report a pending request after 3 s and a success that goes on each 20 s; its collector, if it is on,
    /// drops observations after 5 minutes.
    fn default() -> Self {
        Self {
            pending_deadline: 3 * SECOND,
            intervals: 3,
            shortest: 60 * SECOND,
            first: 300 * SECOND,
            longest: 3_600 * SECOND,
        }
    }
}

impl Policy {
    /// How long a vote of this view counts, in nanoseconds.
    #[must_use]
    pub fn life(&self, view: &HealthView) -> i64 {
        let times = || view.iter().map(super::HealthObservation::at);
        let (Some(oldest), Some(newest)) = (times().min(), times().max()) else {
            return self.first;
        };
        let gaps = view.len() as i64 - 1;
        if gaps < 1 {
            return self.first;
        }
        let life = (newest.saturating_sub(oldest) / gaps).saturating_mul(self.intervals);
        life.clamp(self.shortest, self.longest.max(self.shortest))
    }
}

/// What became of a vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// It is a failure, and its vantage fails.
    Failing,
    /// It is a request that went unanswered for too long, and its vantage fails.
    Overdue,
    /// It is a doubt, or a failure outvoted within its vantage.
    Doubt,
    /// It saw the subject work.
    Working,
    /// It is a first request that is under way: nothing is known yet.
    Waiting,
    /// It is older than votes of its observer count.
    Expired,
}

impl Standing {
    /// Its name in answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Overdue => "overdue",
            Self::Doubt => "doubt",
            Self::Working => "working",
            Self::Waiting => "waiting",
            Self::Expired => "expired",
        }
    }
}

/// One vote: who saw what, where and when.
#[derive(Debug, Clone, PartialEq)]
pub struct HealthEvidence {
    /// Who.
    pub observer: Arc<str>,
    /// Of what, such as `write`.
    pub metric: Arc<str>,
    /// What it reported.
    pub status: Status,
    /// With which score.
    pub score: f32,
    /// When, in Unix nanoseconds; of an overdue request, since when it is pending.
    pub at: i64,
    /// What became of it.
    pub standing: Standing,
}

/// How a subject is.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// In a word.
    pub state: HealthState,
    /// The worst status of a fresh vote that was not outvoted.
    pub worst: Status,
    /// All votes: what decided first, of those the newest first.
    pub evidence: Vec<HealthEvidence>,
    /// When, if no report arrives, the assessment is due again: a vote expires or a request becomes overdue. Unix nanoseconds.
    pub due: Option<i64>,
}

/// The fresh votes of one vantage.
#[derive(Default, Clone, Copy)]
struct Vantage {
    working: u32,
    doubts: u32,
    failing: u32,
    overdue: u32,
}

impl Vantage {
    fn add(&mut self, standing: Standing) {
        match standing {
            Standing::Working => self.working += 1,
            Standing::Doubt => self.doubts += 1,
            Standing::Failing => self.failing += 1,
            Standing::Overdue => self.overdue += 1,
            Standing::Waiting | Standing::Expired => {}
        }
    }

    fn fails(self) -> bool {
        let bad = self.failing + self.overdue;
        bad > 0 && bad >= self.working + self.doubts
    }

    fn works(self) -> bool {
        !self.fails() && self.working > 0 && self.working > self.doubts
    }

    fn is_doubtful(self) -> bool {
        !self.fails() && (self.failing + self.overdue > 0 || self.doubts > 0 && self.doubts >= self.working)
    }
}

/// How a subject is at `now` (Unix nanoseconds), from all views of it.
pub fn assess<'v>(
    views: impl IntoIterator<Item = (&'v Arc<str>, &'v HealthView)>,
    policy: &Policy,
    now: i64,
) -> Assessment {
    let mut evidence = Vec::new();
    let mut due: Option<i64> = None;
    for (observer, view) in views {
        let life = policy.life(view);
        for vote in votes(view, policy, now) {
            let at = vote.at;
            let life = match vote.standing {
                Standing::Overdue => policy.longest,
                _ => life,
            };
            let end = at.saturating_add(life);
            let (standing, end) = if end < now {
                (Standing::Expired, None)
            } else {
                (vote.standing, Some(end.saturating_add(1)))
            };
            due = [vote.turns, end].into_iter().flatten().chain(due).min();
            evidence.push(HealthEvidence {
                observer: Arc::clone(observer),
                metric: Arc::clone(vote.metric),
                status: vote.status,
                score: vote.score,
                at,
                standing,
            });
        }
    }
    let state = decide(&mut evidence);
    let counted = evidence.iter().filter(|vote| match vote.standing {
        Standing::Failing | Standing::Overdue | Standing::Working => true,
        Standing::Doubt => vote.status == Status::MaybeUnhealthy,
        Standing::Waiting | Standing::Expired => false,
    });
    let worst = counted.map(|vote| vote.status).max().unwrap_or(Status::Na);
    evidence.sort_by(|a, b| {
        let order = a.standing.cmp(&b.standing).then(b.at.cmp(&a.at));
        order.then_with(|| (&a.metric, &a.observer).cmp(&(&b.metric, &b.observer)))
    });
    Assessment {
        state,
        worst,
        evidence,
        due,
    }
}

/// The state that follows from votes; failures that are outvoted within their vantage become doubts.
fn decide(evidence: &mut [HealthEvidence]) -> HealthState {
    let mut vantages: BTreeMap<(String, Arc<str>), Vantage> = BTreeMap::new();
    let key = |vote: &HealthEvidence| (observer_kind(&vote.observer).to_owned(), Arc::clone(&vote.metric));
    for vote in &*evidence {
        vantages.entry(key(vote)).or_default().add(vote.standing);
    }
    for vote in &mut *evidence {
        let failed = matches!(vote.standing, Standing::Failing | Standing::Overdue);
        if failed && vantages.get(&key(vote)).is_some_and(|vantage| !vantage.fails()) {
            vote.standing = Standing::Doubt;
        }
    }
    let all = || vantages.values().copied();
    if all().any(Vantage::fails) {
        if all().any(Vantage::works) {
            HealthState::Gray
        } else if all()
            .filter(|vantage| vantage.fails())
            .all(|vantage| vantage.failing == 0)
        {
            HealthState::Overdue
        } else {
            HealthState::Unhealthy
        }
    } else if all().any(Vantage::is_doubtful) {
        HealthState::Suspected
    } else if all().any(Vantage::works) {
        HealthState::Healthy
    } else {
        HealthState::Unknown
    }
}

/// What a view says of one metric.
struct HealthVote<'v> {
    metric: &'v Arc<str>,
    status: Status,
    score: f32,
    at: i64,
    standing: Standing,
    /// When a request that is under way becomes overdue.
    turns: Option<i64>,
}

/// The votes of a view, one a metric at most.
fn votes<'v>(view: &'v HealthView, policy: &Policy, now: i64) -> Vec<HealthVote<'v>> {
    let mut met: Vec<(&'v Arc<str>, Search<'v>)> = Vec::new();
    for observation in view.iter().rev() {
        for metric in observation.metrics() {
            let index = match met.binary_search_by(|(name, _)| (*name).cmp(&metric.name)) {
                Ok(index) => index,
                Err(index) => {
                    met.insert(index, (&metric.name, Search::default()));
                    index
                }
            };
            met[index].1.meet(metric, observation.at());
        }
    }
    let votes = met.into_iter();
    votes
        .filter_map(|(name, search)| search.vote(name, policy, now))
        .collect()
}

/// The newest value of a metric that is no PENDING, and the PENDING ones above it.
#[derive(Default)]
struct Search<'v> {
    settled: Option<(&'v super::HealthMetric, i64)>,
    /// The oldest pending request above it: since when, and its score.
    pending: Option<(i64, f32)>,
}

impl<'v> Search<'v> {
    fn meet(&mut self, older: &'v super::HealthMetric, at: i64) {
        if self.settled.is_some() {
            return;
        }
        if older.status == Status::Pending {
            let newer = self.pending.map_or(i64::MAX, |(since, _)| since);
            self.pending = Some((at.min(newer), older.score));
        } else {
            self.settled = Some((older, at));
        }
    }

    fn vote(self, metric: &'v Arc<str>, policy: &Policy, now: i64) -> Option<HealthVote<'v>> {
        let overdue = |since: i64| since.saturating_add(policy.pending_deadline);
        let (status, score, at, standing) = match (self.settled, self.pending) {
            (_, Some((since, score))) if overdue(since) < now => {
                (Status::Pending, score, since, Standing::Overdue)
            }
            (Some((settled, at)), _) if settled.status > Status::Na => {
                (settled.status, settled.score, at, standing_of(settled.status))
            }
            (_, Some((since, score))) => (Status::Pending, score, since, Standing::Waiting),
            _ => return None,
        };
        let turns = match self.pending {
            Some((since, _)) if standing != Standing::Overdue => Some(overdue(since).saturating_add(1)),
            _ => None,
        };
        Some(HealthVote {
            metric,
            status,
            score,
            at,
            standing,
            turns,
        })
    }
}

/// What a fresh vote that is no PENDING counts as.
fn standing_of(status: Status) -> Standing {
    match status {
        Status::Unhealthy | Status::Dying | Status::Dead => Standing::Failing,
        Status::Healthy => Standing::Working,
        _ => Standing::Doubt,
    }
}

#[cfg(test)]
#[path = "assessment_tests.rs"]
mod tests;
