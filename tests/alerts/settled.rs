//! What a pass says became of a metric, through the dispatch itself to a receiver and into the history.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossbeam_channel::unbounded;
use skywatch::dispatch::{self, DispatchOptions, Inbox, Outlet, Reply, Request, VitalsOptions};
use skywatch::status::{Fate, Finding, Findings, Followed, PassSummary, Word};
use skywatch_alerters::incident::{Ending, Hysteresis, Phase};
use skywatch_alerters::matcher::Matcher;
use skywatch_alerters::notice::What;
use skywatch_alerters::route::{Grouping, Limits, Pace, Route, Routes};
use skywatch_alerters::senders::{Sender, Sent};
use skywatch_alerters::state::{Audience, Policy, Receiver};
use skywatch_alerters::{Error, Notice, RateCap, sample};

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
}

fn policy() -> Policy {
    Policy {
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
                limits: Limits::default(),
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
        receivers: vec![Receiver {
            name: "ear".into(),
            resolved: true,
            cap: RateCap {
                notices: 20,
                per: 600.0,
            },
            audience: Audience::People,
        }],
        digest_from: 5,
        partial_after: 1_800.0,
        base_url: String::new(),
        command: "skywatch".to_owned(),
    }
}

fn pass(at: f64, finding: Option<Finding>, fate: Option<Fate>) -> Word {
    Word::Pass(Box::new(Findings {
        summary: PassSummary {
            at,
            metrics: 1,
            analyzed: 1,
            ..PassSummary::default()
        },
        findings: finding.into_iter().collect(),
        fates: fate
            .map(|fate| (Arc::from("web.cpu"), fate))
            .into_iter()
            .collect(),
        newest: at,
        ..Findings::default()
    }))
}

#[test]
fn a_new_level_that_was_accepted_is_told_as_that_and_kept_as_that() {
    let folder = tempfile::tempdir().unwrap();
    let ear = Arc::new(Ear::default());
    let options = DispatchOptions {
        policy: policy(),
        outlets: vec![Outlet {
            name: "ear".into(),
            sender: ear.clone(),
            give_up_after: Duration::from_secs(60),
        }],
        history: folder.path().join("history.sqlite"),
        keep_history: Duration::from_secs(86_400),
        log: false,
        window_of: Arc::new(|_, _| None),
        followed: Followed::default(),
        grace: Duration::from_secs(2),
        vitals: VitalsOptions {
            optimum_run_duration: Duration::from_secs(60),
            ingest: None,
            stale_digest: false,
            daily: None,
        },
        heartbeat: None,
    };
    let (words, heard) = unbounded();
    let (inbox, messages) = Inbox::new();
    let ask = inbox.clone();
    let running = std::thread::spawn(move || dispatch::run(options, &heard, &inbox, &messages));
    let begin = now() - 600.0;
    let mut anomaly = sample::anomaly("web.cpu").without_window();
    anomaly.at = begin;
    anomaly.observed = 60.0;
    let finding = Finding {
        anomaly,
        since: begin,
        is_new: true,
    };
    words.send(pass(begin, Some(finding), None)).unwrap();
    for step in 1..=4 {
        let at = begin + 10.0 * f64::from(step);
        let settled = Fate::Settled {
            at,
            value: 60.0,
            before: 10.0,
        };
        words.send(pass(at, None, Some(settled))).unwrap();
    }
    let said = wait_for("the end", || {
        let told = ear.0.lock().unwrap();
        let items = told.iter().filter_map(Notice::single);
        let said: Vec<(What, Option<Ending>)> = items.map(|item| (item.what, item.ending.clone())).collect();
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
        [(What::Opened, None), (What::Settled, Some(ending.clone()))]
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
    drop(words);
    running.join().unwrap();
}
