//! How long a notice waits for what moved with its incident.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use skywatch::dispatch::{self, CauseQuestion, FindCauses, Inbox};
use skywatch::inlet::{Finder, InletAddress, InletClient};
use skywatch::stop::Stop;
use skywatch_alerters::causes::{IncidentCauses, Nearness, RelatedMetric};
use skywatch_alerters::incident::ObservedOutcome;
use skywatch_alerters::{Notice, Subject, sample};

use super::ear::{self, Ear};
use crate::common::series::now;
use crate::common::wait_for;

/// A search that ends when it is let.
struct HeldSearch {
    began: Sender<()>,
    may_end: Receiver<()>,
}

impl FindCauses for HeldSearch {
    fn find(&self, asked: &[CauseQuestion], _: &[String]) -> Vec<IncidentCauses> {
        let _ = self.began.send(());
        let _ = self.may_end.recv();
        let related = RelatedMetric {
            metric: "db.load".to_owned(),
            nearness: Nearness::Other,
            coefficient: 0.9,
            lead: 60.0,
            by_chance: 1e-6,
        };
        let found = IncidentCauses {
            at: now(),
            related: vec![related],
            ..IncidentCauses::default()
        };
        vec![found; asked.len()]
    }
}

/// Has one incident opened whose search is held; answers the receiver, the end of the search, and the end of it all.
fn opened(wait: Duration) -> (Arc<Ear>, Sender<()>, impl FnOnce()) {
    let folder = tempfile::tempdir().unwrap();
    let ear = Arc::new(Ear::default());
    let (began, has_begun) = bounded(1);
    let (end, may_end) = bounded(1);
    let mut options = ear::options(folder.path(), &ear);
    options.causes = Some(Arc::new(HeldSearch { began, may_end }));
    options.notice_wait = wait;
    let (send, finders) = bounded(16);
    let (inbox, messages) = Inbox::new();
    let stop = Stop::new();
    let stopped = stop.clone();
    let running =
        std::thread::spawn(move || dispatch::run(options, None, &finders, &inbox, &messages, &stopped));
    let finder = Finder::new("analyzer", Some(Subject::METRIC));
    let client = InletClient::start(InletAddress::Thread(send), finder, None).unwrap();
    let anomaly = sample::anomaly("web.cpu").without_window();
    let seen = ObservedOutcome::Anomalous(Box::new(anomaly));
    client.inlet().report(ear::pass(now(), seen));
    has_begun.recv_timeout(Duration::from_secs(30)).unwrap();
    let finish = move || {
        client.finish(Duration::from_secs(5));
        stop.say();
        running.join().unwrap().unwrap();
        drop(folder);
    };
    (ear, end, finish)
}

/// The first notice's words on what moved with its incident.
fn told(ear: &Ear) -> Option<Option<Box<IncidentCauses>>> {
    let told = ear.0.lock().unwrap();
    told.first()
        .and_then(Notice::single)
        .map(|item| item.causes.clone())
}

#[test]
fn the_first_notice_waits_for_what_moved_with_its_incident() {
    let (ear, end, finish) = opened(Duration::from_secs(30));
    assert_eq!(told(&ear), None);
    end.send(()).unwrap();
    let causes = wait_for("the notice", || told(&ear));
    assert_eq!(causes.expect("causes").related[0].metric, "db.load");
    finish();
}

#[test]
fn a_notice_goes_without_when_its_wait_is_over() {
    let began = Instant::now();
    let (ear, end, finish) = opened(Duration::from_millis(300));
    // The search never ends by itself.
    assert_eq!(wait_for("the notice", || told(&ear)), None);
    assert!(began.elapsed() >= Duration::from_millis(300));
    end.send(()).unwrap();
    finish();
}

#[test]
fn a_notice_that_waits_is_sent_at_the_end() {
    let (ear, end, finish) = opened(Duration::from_secs(3_600));
    assert_eq!(told(&ear), None);
    finish();
    assert_eq!(told(&ear), Some(None));
    drop(end);
}
