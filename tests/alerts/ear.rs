//! The dispatch over a history of its own, with one receiver that keeps what it is told and passes that see one metric.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use skywatch::dispatch::{Destination, DispatchOptions, SelfMonitorOptions};
use skywatch::inlet::{FinderReport, Observations, PassNews};
use skywatch::observer::Observer;
use skywatch::status::PassSummary;
use skywatch_alerters::incident::{Hysteresis, Observation, ObservedOutcome};
use skywatch_alerters::inhibition::Inhibition;
use skywatch_alerters::matcher::Matcher;
use skywatch_alerters::route::{Grouping, Pace, Route, RouteLimits, Routes};
use skywatch_alerters::senders::{Sender, Sent};
use skywatch_alerters::state::{AlertPolicy, Audience, ReceiverPolicy};
use skywatch_alerters::{Error, Notice, RateCap, Subject};

/// Keeps what it is sent.
#[derive(Default)]
pub(crate) struct Ear(pub(crate) Mutex<Vec<Notice>>);

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
pub(crate) fn pass(at: f64, outcome: ObservedOutcome) -> FinderReport {
    FinderReport::Seen(Box::new(Observations {
        seen: vec![Observation {
            subject: Subject::Metric("web.cpu".into()),
            outcome,
        }],
        all_of: Some(Subject::METRIC.into()),
        shards: None,
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

/// A dispatch over the history in that folder.
pub(crate) fn options(folder: &Path, ear: &Arc<Ear>) -> DispatchOptions {
    DispatchOptions {
        causes: None,
        notice_wait: Duration::ZERO,
        status: None,
        policy: policy(),
        destinations: vec![Destination {
            name: "ear".into(),
            sender: Arc::clone(ear) as Arc<dyn Sender>,
            give_up_after: Duration::from_secs(60),
        }],
        history: folder.join("history.sqlite"),
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
    }
}
