use std::sync::Arc;

use skywatch_algorithms::verdicts::{SECOND, Status, VIEW_LENGTH};

use super::subject::{Sighting, SubjectSeen};
use super::{Observer, ObserverReports};

const H: Status = Status::Healthy;
const P: Status = Status::Pending;
const U: Status = Status::Unhealthy;
const TENTH: i64 = SECOND / 10;

/// A subject whose clock is the test's.
struct Seen(SubjectSeen);

impl Seen {
    fn new() -> Self {
        Self(SubjectSeen::new(Arc::from("redis:main")))
    }

    fn sees(&mut self, metric: &str, status: Status, at: i64) -> bool {
        let metric = self.0.metric(metric);
        let score = 0.0;
        self.0.inform(metric, Sighting { status, score, at })
    }

    /// What is told at that time: when, metric, status.
    fn told(&mut self, now: i64) -> Vec<(i64, String, Status)> {
        self.0.look(now);
        let unsent = self.0.take().into_iter();
        let told = |(name, status, _): &(Arc<str>, Status, f32)| (name.to_string(), *status);
        unsent
            .flat_map(|seen| {
                let each: Vec<_> = seen.metrics.iter().map(told).collect();
                each.into_iter()
                    .map(move |(name, status)| (seen.at, name, status))
            })
            .collect()
    }
}

fn one(at: i64, metric: &str, status: Status) -> Vec<(i64, String, Status)> {
    vec![(at, metric.to_owned(), status)]
}

#[test]
fn a_change_is_told_at_once_and_what_lasts_is_merged() {
    let mut seen = Seen::new();
    assert!(seen.sees("write", H, TENTH));
    assert_eq!(seen.told(TENTH), one(TENTH, "write", H));
    for at in 2..100 {
        assert!(!seen.sees("write", H, at * TENTH));
        assert_eq!(seen.told(at * TENTH), []);
    }
    // Ten seconds on, all that was seen again is told in one observation, of the time of the oldest.
    assert!(seen.sees("ping", H, 99 * TENTH));
    assert_eq!(seen.told(99 * TENTH), one(99 * TENTH, "ping", H));
    seen.sees("ping", H, 100 * TENTH);
    let told = seen.told(100 * TENTH);
    assert_eq!(
        told,
        [
            (99 * TENTH, "write".to_owned(), H),
            (99 * TENTH, "ping".to_owned(), H)
        ]
    );
    assert_eq!(seen.told(300 * TENTH), [], "nothing was seen since");
    assert!(seen.sees("write", U, 301 * TENTH));
    assert!(seen.sees("write", H, 302 * TENTH), "a recovery waits for nothing");
    assert_eq!(seen.told(302 * TENTH).len(), 2);
}

#[test]
fn a_request_that_hangs_is_pending_since_its_beginning_until_it_ends() {
    let mut seen = Seen::new();
    seen.sees("write", H, 0);
    assert_eq!(seen.told(0), one(0, "write", H));
    let write = seen.0.metric("write");
    let hung = seen.0.begin(write, TENTH);
    assert_eq!(seen.told(5 * TENTH), [], "not long enough");
    assert_eq!(seen.told(6 * TENTH), one(TENTH, "write", P));
    // Another thread's calls are answered: the one that hangs outweighs them.
    assert!(!seen.sees("write", H, 20 * TENTH));
    assert_eq!(
        seen.told(100 * TENTH),
        one(100 * TENTH, "write", P),
        "it is repeated"
    );
    seen.0.end(write, hung);
    assert!(seen.sees("write", H, 150 * TENTH));
    assert_eq!(seen.told(150 * TENTH), one(150 * TENTH, "write", H));
}

#[test]
fn a_request_that_is_withdrawn_says_nothing_and_hides_nothing() {
    let mut seen = Seen::new();
    let write = seen.0.metric("write");
    let hung = seen.0.begin(write, 0);
    assert_eq!(seen.told(5 * TENTH), one(0, "write", P));
    seen.sees("write", H, 6 * TENTH);
    seen.0.end(write, hung);
    assert_eq!(seen.told(7 * TENTH), one(6 * TENTH, "write", H));
    let quick = seen.0.begin(write, 8 * TENTH);
    seen.0.end(write, quick);
    assert_eq!(seen.told(20 * TENTH), []);
}

#[test]
fn while_nobody_takes_reports_the_newest_of_a_view_are_kept() {
    let mut seen = Seen::new();
    for at in 0..50 {
        seen.sees("write", [H, U][at as usize % 2], at);
    }
    let kept = seen.told(60);
    assert_eq!((kept.len(), kept[0].0, kept[9].0), (VIEW_LENGTH, 40, 49));
}

/// Subject, metric and status of all that is told now.
fn all(reports: &ObserverReports) -> Vec<(String, String, Status)> {
    let mut all: Vec<_> = reports
        .take()
        .iter()
        .flat_map(|report| {
            let told = |(name, status, _): &(Arc<str>, Status, f32)| {
                (report.subject.to_string(), name.to_string(), *status)
            };
            report.metrics.iter().map(told).collect::<Vec<_>>()
        })
        .collect();
    all.sort();
    all
}

#[test]
fn handles_speak_for_one_vote_and_reports_that_could_not_be_sent_come_again() {
    let (observer, reports) = Observer::new();
    observer.map_subject("redis://h:6379/0", "redis:main");
    let (one, other) = (
        observer.metric("redis:main", "write"),
        observer.metric("redis://h:6379/0", "write"),
    );
    let text = |subject: &str, metric: &str, status| (subject.to_owned(), metric.to_owned(), status);
    one.healthy();
    assert_eq!(other.watch(|| Err::<(), u8>(7)), Err(7));
    other.begin().answered();
    drop(one.begin());
    let told = reports.take();
    assert_eq!(told.len(), 3, "{told:?}");
    reports.give_back(told[1..].to_vec());
    one.failed();
    let again = reports.take();
    assert_eq!(
        again.iter().map(|report| report.metrics[0].1).collect::<Vec<_>>(),
        [U, H, U]
    );
    // Back and forth between two clocks.
    assert!(
        (again[0].at - told[1].at).abs() < SECOND / 1_000,
        "{again:?} {told:?}"
    );
    observer.metric("smtp:mail", "deliver").doubtful();
    assert_eq!(
        all(&reports),
        [text("smtp:mail", "deliver", Status::MaybeUnhealthy)]
    );
    // Nobody hears, and nothing is kept.
    let off = Observer::off().metric("redis:main", "write");
    off.begin().failed();
    assert_eq!(all(&reports), []);
}

#[test]
fn what_is_still_so_is_repeated_and_nothing_is_made_up() {
    let mut seen = Seen::new();
    let bind = seen.0.metric("bind");
    seen.0.still(bind, TENTH);
    assert_eq!(seen.told(100 * TENTH), [], "nothing was seen");
    seen.sees("bind", U, 101 * TENTH);
    assert_eq!(seen.told(101 * TENTH), one(101 * TENTH, "bind", U));
    seen.0.still(bind, 199 * TENTH);
    assert_eq!(seen.told(200 * TENTH), one(199 * TENTH, "bind", U));
}

#[test]
fn subjects_are_bounded_and_make_room_once_nobody_observes_them() {
    let (observer, reports) = Observer::new();
    let source = |number: usize| observer.metric(&format!("source:{number}"), "arrival");
    let kept: Vec<_> = (0..10_001).map(source).collect();
    kept.iter().for_each(super::ObservedMetric::healthy);
    assert_eq!(reports.take().len(), 10_000);
    drop(kept);
    source(20_000).healthy();
    assert_eq!(reports.take().len(), 1);
}
