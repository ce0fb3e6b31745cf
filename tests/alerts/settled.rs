//! What a pass says became of a metric, through the dispatch itself to a receiver and into the history.

use std::sync::Arc;
use std::time::Duration;

use skywatch::dispatch::{self, Inbox, Reply, Request};
use skywatch::inlet::{Finder, InletAddress, InletClient};
use skywatch::stop::Stop;
use skywatch_alerters::incident::{Ending, ObservedOutcome, Phase};
use skywatch_alerters::notice::NewsKind;
use skywatch_alerters::{Notice, Subject, sample};

use super::ear::{self, Ear};
use crate::common::series::now;
use crate::common::wait_for;

#[test]
fn a_new_level_that_was_accepted_is_told_as_that_and_kept_as_that() {
    let folder = tempfile::tempdir().unwrap();
    let ear = Arc::new(Ear::default());
    let options = ear::options(folder.path(), &ear);
    let (send, finders) = crossbeam_channel::bounded(16);
    let (inbox, messages) = Inbox::new();
    let ask = inbox.clone();
    let stop = Stop::new();
    let stopped = stop.clone();
    let running =
        std::thread::spawn(move || dispatch::run(options, None, &finders, &inbox, &messages, &stopped));
    let finder = Finder::new("analyzer", Some(Subject::METRIC));
    let client = InletClient::start(InletAddress::Thread(send), finder, None).unwrap();
    let begin = now() - 600.0;
    let mut anomaly = sample::anomaly("web.cpu").without_window();
    anomaly.at = begin;
    anomaly.observed = 60.0;
    let inlet = client.inlet();
    inlet.report(ear::pass(begin, ObservedOutcome::Anomalous(Box::new(anomaly))));
    for step in 1..=4 {
        let at = begin + 10.0 * f64::from(step);
        let settled = ObservedOutcome::Settled {
            at,
            value: 60.0,
            before: 10.0,
        };
        inlet.report(ear::pass(at, settled));
    }
    let said = wait_for("the end", || {
        let told = ear.0.lock().unwrap();
        let items = told.iter().filter_map(Notice::single);
        let said: Vec<(NewsKind, Option<Ending>)> =
            items.map(|item| (item.what, item.ending.clone())).collect();
        (said.len() == 2).then_some(said)
    });
    let ending = Ending {
        outcome: Phase::Settled,
        value: Some(60.0),
        before: Some(10.0),
        by: String::new(),
    };
    assert_eq!(
        said,
        [
            (NewsKind::Opened, None),
            (NewsKind::Settled, Some(ending.clone()))
        ]
    );
    let summary = skywatch_alerters::render::summary(&ear.0.lock().unwrap()[1]);
    assert!(summary.contains("web.cpu settled at 60 (was 10)"), "{summary}");
    let Reply::Incidents { incidents, .. } = ask.ask(Request::Incidents {
        all: true,
        name: None,
        limit: 10,
    }) else {
        panic!("it answers something else");
    };
    assert_eq!(
        (incidents[0].phase, incidents[0].ending.clone()),
        (Phase::Settled, Some(ending))
    );
    client.finish(Duration::from_secs(5));
    stop.say();
    running.join().unwrap().unwrap();
}
