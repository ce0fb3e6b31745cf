//! What a pass says became of a metric, through the dispatch itself to a receiver and into the history.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use skywatch::dispatch::{self, Destination, DispatchOptions, Inbox, Reply, Request, SelfMonitorOptions};
use skywatch::inlet::{Finder, FinderReport, InletAddress, InletClient, Observations, PassNews};
use skywatch::observer::Observer;
use skywatch::status::PassSummary;
use skywatch::stop::Stop;
use skywatch_alerters::incident::{Ending, Hysteresis, Observation, ObservedOutcome, Phase};
use skywatch_alerters::inhibition::Inhibition;
use skywatch_alerters::matcher::Matcher;
use skywatch_alerters::notice::NewsKind;
use skywatch_alerters::route::{Grouping, Pace, Route, RouteLimits, Routes};
use skywatch_alerters::senders::{Sender, Sent};
use skywatch_alerters::state::{AlertPolicy, Audience, ReceiverPolicy};
use skywatch_alerters::{Error, Notice, RateCap, Subject, sample};

use crate::common::series::now;
use crate::common::wait_for;

/// Keeps what it is sent.
#[derive(Default)]
struct Ear(Mutex<Vec<Notice>>);

impl Sender for Ear {
    fn kind(&self) -> &'static str {
        "ear"
    }

    fn send(&self, notice: &Notice, _reference: Option<&str>) -> Result<Sent, Error> {
        self.0.lock().unwrap().push(notice.clone());
        Ok(Sent::default())
    }

    fn probe(&self) -> Result<String, Error> {
        Ok("it hears".to_owned())
    }
}

fn policy() -> AlertPolicy {
    AlertPolicy {
        hysteresis: Hysteresis {
            seen: 1,
            of: 1,
            resolve_after: 30.0,
            return_within: 1_800.0,
            longest_step: 500.0,
        },
        routes: Routes {
            top: vec![Route {
                name: "default".into(),
                matcher: Matcher::default(),
                hours: None,
                receivers: vec!["ear".into()],
                go_on: false,
                limits: RouteLimits::default(),
                pace: Pace {
                    cooldown: 1_800.0,
                    repeat: None,
                },
                grouping: Grouping {
                    depth: 0,
                    wait: 0.0,
                    interval: 0.0,
                },
                routes: Vec::new(),
            }],
        },
        inhibition: Inhibition::default(),
        receivers: vec![ReceiverPolicy {
            name: "ear".into(),
            resolved: true,
            cap: RateCap {
                notices: 20,
                per: 600.0,
            },
            fallback: None,
            audience: Audience::People,
        }],
        digest_from: 5,
        partial_after: 1_800.0,
        base_url: String::new(),
        command: "skywatch".to_owned(),
    }
}

/// A pass that sees one metric.
fn pass(at: f64, outcome: ObservedOutcome) -> FinderReport {
    FinderReport::Seen(Box::new(Observations {
        seen: vec![Observation {
            subject: Subject::Metric("web.cpu".into()),
            outcome,
        }],
        all_of: Some(Subject::METRIC.into()),
        pass: Some(Box::new(PassNews {
            summary: PassSummary {
                at,
                metrics: 1,
                analyzed: 1,
                ..PassSummary::default()
            },
            newest: at,
            ..PassNews::default()
        })),
    }))
}

#[test]
fn a_new_level_that_was_accepted_is_told_as_that_and_kept_as_that() {
    let folder = tempfile::tempdir().unwrap();
    let ear = Arc::new(Ear::default());
    let options = DispatchOptions {
        causes: None,
        policy: policy(),
        destinations: vec![Destination {
            name: "ear".into(),
            sender: ear.clone(),
            give_up_after: Duration::from_secs(60),
        }],
        history: folder.path().join("history.sqlite"),
        keep_history: Duration::from_secs(86_400),
        log: false,
        window_of: Arc::new(|_, _| None),
        grace: Duration::from_secs(2),
        self_monitor: SelfMonitorOptions {
            optimum_run_duration: Duration::from_secs(60),
            ingest: None,
            events: None,
            stale_digest: false,
            daily: None,
        },
        observer: Observer::off(),
        dead_mans_switch: None,
    };
    let (send, finders) = crossbeam_channel::bounded(16);
    let (inbox, messages) = Inbox::new();
    let ask = inbox.clone();
    let stop = Stop::new();
    let stopped = stop.clone();
    let running = std::thread::spawn(move || dispatch::run(options, &finders, &inbox, &messages, &stopped));
    let finder = Finder::new("analyzer", Some(Subject::METRIC));
    let client = InletClient::start(InletAddress::Thread(send), finder, None).unwrap();
    let begin = now() - 600.0;
    let mut anomaly = sample::anomaly("web.cpu").without_window();
    anomaly.at = begin;
    anomaly.observed = 60.0;
    let inlet = client.inlet();
    inlet.report(pass(begin, ObservedOutcome::Anomalous(Box::new(anomaly))));
    for step in 1..=4 {
        let at = begin + 10.0 * f64::from(step);
        let settled = ObservedOutcome::Settled {
            at,
            value: 60.0,
            before: 10.0,
        };
        inlet.report(pass(at, settled));
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
    let Reply::Incidents { incidents } = ask.ask(Request::Incidents {
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
    running.join().unwrap();
}
