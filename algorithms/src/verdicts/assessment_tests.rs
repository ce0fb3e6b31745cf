use super::*;
use crate::random::Random;
use crate::verdicts::{HealthMetric, HealthObservation, VIEW_LENGTH};

const H: Status = Status::Healthy;
const P: Status = Status::Pending;
const M: Status = Status::MaybeUnhealthy;
const U: Status = Status::Unhealthy;

/// Observer, metric, status, second.
type Arrival<'a> = (&'a str, &'a str, Status, i64);

fn views(history: &[Arrival]) -> BTreeMap<Arc<str>, HealthView> {
    let mut views: BTreeMap<Arc<str>, HealthView> = BTreeMap::new();
    for (observer, metric, status, second) in history {
        let metric = HealthMetric {
            name: Arc::from(*metric),
            status: *status,
            score: 50.0,
        };
        let observation = HealthObservation::new(second * SECOND, vec![metric]);
        views.entry(Arc::from(*observer)).or_default().push(observation);
    }
    views
}

fn at(history: &[Arrival], second: i64) -> Assessment {
    assess(&views(history), &Policy::default(), second * SECOND)
}

#[test]
fn a_failing_client_is_not_outvoted_by_heartbeats() {
    let peers = [("peer@1", "link", H, 100), ("peer@2", "link", H, 100)];
    assert_eq!(at(&peers, 101).state, HealthState::Healthy);
    let with_client = [&peers[..], &[("client", "link", U, 101)]].concat();
    let found = at(&with_client, 101);
    assert_eq!((found.state, found.worst), (HealthState::Gray, U));
    let first = &found.evidence[0];
    assert_eq!(
        (&*first.observer, &*first.metric, first.standing),
        ("client", "link", Standing::Failing)
    );
    // The majority says that all is well.
    let majority = crate::verdicts::infer(&views(&with_client)).expect("views");
    assert_eq!(majority.metrics[0].status, H);
    // A third peer that sees it fail is outvoted by its like, but not forgotten.
    let with_peer = [&peers[..], &[("peer@3", "link", U, 101)]].concat();
    let found = at(&with_peer, 101);
    assert_eq!(
        (found.state, found.worst, found.evidence[0].standing),
        (HealthState::Suspected, H, Standing::Doubt)
    );
    // It is as many as they are: half is enough.
    let tied = [&with_peer[..], &[("peer@4", "link", U, 101)]].concat();
    assert_eq!(at(&tied, 101).state, HealthState::Unhealthy);
}

#[test]
fn a_pending_request_is_overdue_after_its_deadline_and_any_success_ends_that() {
    let stalled = [
        ("app", "ping", H, 100),
        ("app", "write", H, 99),
        ("app", "write", P, 100),
    ];
    let found = at(&stalled, 103);
    assert_eq!(found.state, HealthState::Healthy);
    assert_eq!(found.due, Some(103 * SECOND + 1));
    let found = assess(&views(&stalled), &Policy::default(), 103 * SECOND + 1);
    assert_eq!(found.state, HealthState::Gray);
    let first = &found.evidence[0];
    assert_eq!(
        (&*first.metric, first.standing, first.at),
        ("write", Standing::Overdue, 100 * SECOND)
    );
    let cleared = [&stalled[..], &[("app", "write", H, 104)]].concat();
    assert_eq!(at(&cleared, 104).state, HealthState::Healthy);
    // With nobody who sees it work it is overdue and nothing else.
    assert_eq!(at(&[("app", "write", P, 100)], 110).state, HealthState::Overdue);
    assert_eq!(at(&[("app", "write", P, 100)], 102).state, HealthState::Unknown);
    // It is not forgotten while nobody reports, as an answer would be.
    assert_eq!(at(&stalled, 100 + 3_600).state, HealthState::Overdue);
    assert_eq!(at(&stalled, 101 + 3_600).state, HealthState::Unknown);
    // The oldest unanswered request counts.
    let again = [("app", "write", P, 100), ("app", "write", P, 103)];
    assert_eq!(at(&again, 104).evidence[0].at, 100 * SECOND);
}

#[test]
fn votes_expire_after_three_intervals_and_nobody_is_healthy_for_ever() {
    let one = [("app", "read", H, 100)];
    assert_eq!(at(&one, 400).state, HealthState::Healthy);
    assert_eq!(at(&one, 400).due, Some(400 * SECOND + 1));
    assert_eq!(at(&one, 401).state, HealthState::Unknown);
    // Each 100 seconds: three missed ones.
    let regular: Vec<_> = (0..5).map(|turn| ("app", "read", H, turn * 100)).collect();
    assert_eq!(at(&regular, 700).state, HealthState::Healthy);
    assert_eq!(at(&regular, 701).state, HealthState::Unknown);
    // Each second: a minute nevertheless.
    let fast: Vec<_> = (0..5).map(|second| ("app", "read", H, second)).collect();
    assert_eq!(at(&fast, 64).state, HealthState::Healthy);
    assert_eq!(at(&fast, 65).state, HealthState::Unknown);
    assert_eq!(at(&[], 0).state, HealthState::Unknown);
    assert_eq!(
        at(&[("app", "read", Status::Na, 0)], 0).state,
        HealthState::Unknown
    );
}

#[test]
fn doubts_are_suspicions() {
    assert_eq!(at(&[("app", "read", M, 100)], 100).state, HealthState::Suspected);
    let mixed = [("app", "read", M, 100), ("app", "write", H, 100)];
    let found = at(&mixed, 100);
    assert_eq!((found.state, found.worst), (HealthState::Suspected, M));
    assert_eq!(
        at(&[("app", "read", U, 100), ("app", "write", M, 100)], 100).state,
        HealthState::Unhealthy
    );
}

/// The definition, word for word, from the list of arrivals.
fn by_definition(history: &[Arrival], policy: &Policy, now: i64) -> HealthState {
    let mut vantages: BTreeMap<(String, &str), Vec<char>> = BTreeMap::new();
    let mut observers: Vec<_> = history.iter().map(|arrival| arrival.0).collect();
    observers.sort_unstable();
    observers.dedup();
    for observer in observers {
        let all: Vec<_> = history.iter().filter(|arrival| arrival.0 == observer).collect();
        let view = &all[all.len().saturating_sub(VIEW_LENGTH)..];
        let times: Vec<i64> = view.iter().map(|arrival| arrival.3 * SECOND).collect();
        let life = if times.len() < 2 {
            policy.first
        } else {
            let span = times.iter().max().expect("some") - times.iter().min().expect("some");
            (span / (times.len() as i64 - 1) * 3).clamp(policy.shortest, policy.longest)
        };
        for metric in ["ping", "write"] {
            let own: Vec<_> = view.iter().filter(|arrival| arrival.1 == metric).collect();
            let run = own.iter().rev().take_while(|arrival| arrival.2 == P).count();
            let pending = own[own.len() - run..]
                .iter()
                .map(|arrival| arrival.3 * SECOND)
                .min();
            let settled = own[..own.len() - run].last();
            let (letter, time, life) = if pending.is_some_and(|since| now - since > policy.pending_deadline) {
                ('o', pending.unwrap_or_default(), policy.longest)
            } else if let Some(settled) = settled {
                let letter = match settled.2 {
                    Status::Healthy => 'h',
                    Status::MaybeUnhealthy => 'm',
                    Status::Invalid | Status::Na => continue,
                    _ => 'u',
                };
                (letter, settled.3 * SECOND, life)
            } else {
                continue;
            };
            if now - time <= life {
                let kind = observer
                    .trim_end_matches(|c: char| c.is_ascii_digit())
                    .trim_end_matches('@');
                vantages
                    .entry((kind.to_owned(), metric))
                    .or_default()
                    .push(letter);
            }
        }
    }
    let count = |votes: &[char], letters: &str| votes.iter().filter(|vote| letters.contains(**vote)).count();
    let fails = |votes: &&Vec<char>| count(votes, "uo") > 0 && 2 * count(votes, "uo") >= votes.len();
    let works = |votes: &&Vec<char>| !fails(votes) && count(votes, "h") > count(votes, "m");
    let doubtful = |votes: &&Vec<char>| {
        !fails(votes) && (count(votes, "uo") > 0 || count(votes, "m") >= count(votes, "h"))
    };
    let failing: Vec<_> = vantages.values().filter(fails).collect();
    if failing.is_empty() {
        if vantages.is_empty() {
            HealthState::Unknown
        } else if vantages.values().any(|votes| doubtful(&votes)) {
            HealthState::Suspected
        } else {
            HealthState::Healthy
        }
    } else if vantages.values().any(|votes| works(&votes)) {
        HealthState::Gray
    } else if failing.iter().all(|votes| count(votes, "u") == 0) {
        HealthState::Overdue
    } else {
        HealthState::Unhealthy
    }
}

#[test]
fn a_hundred_thousand_histories_agree_with_the_definition() {
    let mut random = Random::new(17);
    let policy = Policy::default();
    let mut seen = BTreeMap::new();
    for _ in 0..100_000 {
        let mut second = 0;
        let step = [1, 10, 120][random.below(3)];
        let mut history: Vec<Arrival> = Vec::new();
        for _ in 0..random.below(25) {
            second += random.below(step) as i64;
            let observer = ["peer@1", "peer@2", "peer@3", "client"][random.below(4)];
            let metric = ["ping", "write"][random.below(2)];
            let status = [H, H, H, P, M, U, Status::Dead, Status::Na][random.below(8)];
            // Some arrive late.
            history.push((observer, metric, status, second - random.below(3) as i64));
        }
        let now = (second + random.below(2 * step) as i64) * SECOND;
        let views = views(&history);
        let found = assess(&views, &policy, now);
        assert_eq!(
            found.state,
            by_definition(&history, &policy, now),
            "{now} {history:?}"
        );
        *seen.entry(found.state).or_insert(0u32) += 1;
        // Until it is due the state stays as it is; it is due in the future.
        if let Some(due) = found.due {
            assert!(due > now, "{due} {now} {history:?}");
            assert_eq!(
                assess(&views, &policy, due - 1).state,
                found.state,
                "{due} {history:?}"
            );
        }
    }
    // Each state was met often enough to have been tried.
    assert!(
        seen.len() == 6 && seen.values().all(|count| *count > 200),
        "{seen:?}"
    );
}
