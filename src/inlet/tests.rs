use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};
use skywatch_alerters::incident::ObservedOutcome;
use skywatch_alerters::{Subject, sample};

use super::*;
use crate::net::local::LocalListener;

const PATIENCE: Duration = Duration::from_secs(20);

/// So many metrics seen, the first of them anomalous, with its window.
fn seen(metrics: usize) -> FinderReport {
    let look = |i| Observation {
        subject: Subject::Metric(format!("m{i}")),
        outcome: match i {
            0 => ObservedOutcome::Anomalous(Box::new(sample::anomaly("m0"))),
            _ => ObservedOutcome::Normal {
                at: 60.0,
                value: f64::NAN,
            },
        },
    };
    FinderReport::Seen(Box::new(Observations {
        seen: (0..metrics).map(look).collect(),
        all_of: Some(Subject::METRIC.into()),
        shards: None,
        pass: Some(Box::default()),
    }))
}

fn listen(folder: &std::path::Path) -> (LocalListener, Receiver<FromFinder>) {
    let (send, receive) = bounded(16);
    (socket::listen(folder, send).unwrap(), receive)
}

fn connected(from: &Receiver<FromFinder>) -> Sender<ToFinder> {
    loop {
        if let FromFinder::Connected { answers, .. } = from.recv_timeout(PATIENCE).unwrap() {
            return answers;
        }
    }
}

fn report(from: &Receiver<FromFinder>) -> (u64, usize) {
    match from.recv_timeout(PATIENCE).unwrap() {
        FromFinder::Report { number, report, .. } => match &*report {
            FinderReport::Seen(observations) => (number, observations.seen.len()),
            FinderReport::NoPass { .. } | FinderReport::StoreAnswers => (number, 0),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_not_confirmed_is_handed_over_again_to_the_next_dispatch() {
    let folder = tempfile::tempdir().unwrap();
    let finder = Finder::new("analyzer", Some(Subject::METRIC));
    let client = InletClient::start(InletAddress::Socket(folder.path().to_owned()), finder, None).unwrap();
    // More than a frame holds, and before anybody listens.
    client.inlet().report(seen(2_500));
    client.inlet().report(seen(1));
    let (listener, from) = listen(folder.path());
    let answers = connected(&from);
    let names = vec!["m0".to_owned()];
    answers.send(ToFinder::Followed { names }).unwrap();
    assert_eq!((report(&from), report(&from)), ((1, 2_500), (2, 1)));
    client.wait_until_connected(PATIENCE);
    assert!(client.followed().current().contains("m0"));
    answers.send(ToFinder::Taken { up_to: 1 }).unwrap();
    client.inlet().report(FinderReport::StoreAnswers);
    assert_eq!(report(&from).0, 3);
    // It dies.
    drop((listener, from, answers));
    let (_listener, from) = listen(folder.path());
    client.inlet().report(seen(0));
    let answers = connected(&from);
    assert_eq!([report(&from).0, report(&from).0, report(&from).0], [2, 3, 4]);
    answers.send(ToFinder::Taken { up_to: 4 }).unwrap();
    client.finish(PATIENCE);
    assert!(matches!(from.recv_timeout(PATIENCE), Ok(FromFinder::Gone { .. })));
}

#[test]
fn what_is_behind_for_too_long_is_given_up_oldest_first_and_what_says_least_before() {
    let folder = tempfile::tempdir().unwrap();
    let finder = Finder::new("analyzer", None);
    let client = InletClient::start(InletAddress::Socket(folder.path().to_owned()), finder, None).unwrap();
    client.inlet().report(seen(0));
    client.inlet().report(FinderReport::StoreAnswers);
    for _ in 0..12 {
        client.inlet().report(seen(0));
    }
    let (_listener, from) = listen(folder.path());
    let answers = connected(&from);
    let numbers: Vec<u64> = (0..12).map(|_| report(&from).0).collect();
    assert_eq!(numbers, Vec::from_iter(3..=14));
    answers.send(ToFinder::Taken { up_to: 14 }).unwrap();
    client.finish(PATIENCE);
}

#[test]
fn questions_are_answered_over_the_same_connection() {
    let folder = tempfile::tempdir().unwrap();
    let (_listener, from) = listen(folder.path());
    let answers: Answers = Arc::new(|metric, at| Err(format!("{metric} at {at}")));
    let finder = Finder::new("analyzer", None);
    let client = InletClient::start(
        InletAddress::Socket(folder.path().to_owned()),
        finder,
        Some(answers),
    )
    .unwrap();
    let asks = connected(&from);
    let question = ToFinder::Examine {
        question: 7,
        metric: "m".into(),
        at: 60.0,
    };
    asks.send(question).unwrap();
    match from.recv_timeout(PATIENCE).unwrap() {
        FromFinder::Answered { question: 7, answer } => assert_eq!(answer.unwrap_err(), "m at 60"),
        other => panic!("{other:?}"),
    }
    client.finish(PATIENCE);
}
