//! From settings to receivers, routes and the dispatch.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use skywatch_alerters::causes::IncidentCauses;
use skywatch_alerters::incident::Hysteresis;
use skywatch_alerters::inhibition::{InhibitRule, Inhibition};
use skywatch_alerters::matcher::Matcher;
use skywatch_alerters::render::Templates;
use skywatch_alerters::route::{Grouping, Pace, Route, RouteLimits, Routes};
use skywatch_alerters::senders::{self, SenderResources};
use skywatch_alerters::state::{AlertPolicy, ReceiverPolicy};
use skywatch_alerters::{Direction, JudgedWindow, RateCap, Severity};
use skywatch_settings::{self as settings, AlertDirection, MinSeverity, Pattern, Settings};

use super::{ProcessError, observing, wiring};
use crate::causes::{IncidentMetric, RelatedMetrics, Suspects};
use crate::dispatch::{
    CauseQuestion, DeadMansSwitch, Destination, DispatchChange, DispatchOptions, FindCauses,
    SelfMonitorOptions, WindowOf,
};
use crate::health::FOUND_EACH;
use crate::history::history_path;
use crate::observer::Observer;
use crate::status::StatusFile;
use crate::store::{AnyConnect, Connect as _};
use crate::topology::TopologyCache;
use crate::windows::{Windows, as_judged};

/// News that some incidents of a thread are over waits so long for the rest of it.
const PARTIAL_AFTER: f64 = 1_800.0;
/// What goes wrong of ourselves when the store does.
const AFTER_STORE: [&str; 7] = [
    "skywatch.data",
    "skywatch.ingest",
    "skywatch.metrics",
    "skywatch.passes",
    "skywatch.silent",
    "skywatch.store",
    "skywatch.store.writes",
];
/// Seconds in which what waits for the store has surely tried again once the store is back.
const SETTLE_AT_LEAST: f64 = 30.0;
/// Rounds of the health plane without a word of a cause after which it holds nothing back.
const FRESH_ROUNDS: f64 = 6.0;
/// Longest wait for one answer of the store for a chart …
const CHART_TIMEOUT: Duration = Duration::from_secs(3);
/// … and how long charts are done without after it did not come.
const CHART_REST: Duration = Duration::from_secs(30);

/// When incidents open and end, and who is told.
pub(crate) fn policy(settings: &Settings) -> AlertPolicy {
    let alerts = &settings.alerts;
    AlertPolicy {
        hysteresis: Hysteresis {
            seen: alerts.seen as u32,
            of: alerts.of as u32,
            resolve_after: alerts.resolve_after.as_secs_f64(),
            return_within: alerts.return_within.as_secs_f64(),
            longest_step: settings.analyzer.stale_period.as_secs_f64(),
        },
        routes: Routes {
            top: settings.routes().iter().map(route).collect(),
        },
        inhibition: inhibition(settings),
        receivers: settings
            .receivers()
            .into_iter()
            .map(|receiver| ReceiverPolicy {
                resolved: receiver.limits.resolved,
                cap: RateCap {
                    notices: receiver.limits.max_notices,
                    per: receiver.limits.per.as_secs_f64(),
                },
                fallback: receiver.limits.fallback,
                audience: senders::audience(&receiver.kind),
                name: receiver.name,
            })
            .collect(),
        digest_from: alerts.digest_from,
        partial_after: PARTIAL_AFTER,
        base_url: wiring::base_url(settings),
        command: wiring::command(settings),
    }
}

/// What follows from what the health plane finds wrong.
fn inhibition(settings: &Settings) -> Inhibition {
    if !settings.health.enabled {
        return Inhibition::default();
    }
    let rule = |source: String, targets: Vec<Pattern>| InhibitRule {
        source,
        targets: Matcher {
            metrics: targets,
            ..Matcher::default()
        },
    };
    let ours = AFTER_STORE
        .iter()
        .filter_map(|name| Pattern::parse(&format!("={name}")).ok());
    let mut rules = vec![rule(observing::store_subject(settings), ours.collect())];
    rules.extend(
        settings
            .health
            .dependents()
            .map(|(source, target)| rule(source.to_owned(), vec![target])),
    );
    Inhibition {
        rules,
        fresh: FRESH_ROUNDS * FOUND_EACH.as_secs_f64(),
        settle: (2.0 * settings.analyzer.optimum_run_duration.as_secs_f64()).max(SETTLE_AT_LEAST),
    }
}

fn route(route: &settings::ResolvedRoute) -> Route {
    Route {
        name: route.name.clone(),
        matcher: Matcher {
            metrics: route.metrics.clone(),
            tags: route.tags.clone(),
            severity: route.severity.map(|least| match least {
                MinSeverity::Info => Severity::Info,
                MinSeverity::Warning => Severity::Warning,
                MinSeverity::Critical => Severity::Critical,
            }),
            detectors: route.detectors.clone(),
        },
        hours: route.hours.clone(),
        receivers: route.receivers.clone(),
        go_on: route.go_on,
        limits: RouteLimits {
            direction: match route.direction {
                AlertDirection::Up => Some(Direction::Up),
                AlertDirection::Down => Some(Direction::Down),
                AlertDirection::Both => None,
            },
            min_value: route.min_value,
            min_change: route.min_change,
            min_relative_change: route.min_relative_change,
        },
        pace: Pace {
            cooldown: route.cooldown.as_secs_f64(),
            repeat: route.repeat.map(|repeat| repeat.as_secs_f64()),
        },
        grouping: Grouping {
            depth: route.group_depth,
            wait: route.group_wait.as_secs_f64(),
            interval: route.group_interval.as_secs_f64(),
        },
        routes: route.routes.iter().map(self::route).collect(),
    }
}

/// The receivers, ready to be sent to; nothing is connected yet.
///
/// # Errors
/// [`ProcessError::Receiver`]: a certificate file that cannot be read, a template that cannot be used.
pub(crate) fn destinations(settings: &Settings) -> Result<Vec<Destination>, ProcessError> {
    let templates = Templates::load(settings.alerts.templates.as_deref());
    let shared = SenderResources {
        email: settings.email.clone(),
        templates: Arc::new(templates.map_err(|source| ProcessError::Templates { source })?),
    };
    let destination = |receiver: settings::ReceiverTable| {
        let sender = senders::sender(&receiver.kind, &shared);
        Ok(Destination {
            sender: sender.map_err(|source| ProcessError::Receiver {
                receiver: receiver.name.clone(),
                source,
            })?,
            name: receiver.name,
            give_up_after: receiver.limits.give_up_after,
        })
    };
    settings.receivers().into_iter().map(destination).collect()
}

/// Everything the dispatch is told once.
///
/// # Errors
/// As [`destinations`]; or the system refuses a thread.
pub(crate) fn dispatch(
    store: AnyConnect,
    observer: &Observer,
    settings: &Settings,
) -> Result<DispatchOptions, ProcessError> {
    let dead_mans_switch = settings.alerts.heartbeat_url.as_ref();
    let dead_mans_switch = dead_mans_switch
        .map(|url| DeadMansSwitch::start(url.expose().as_str().to_owned()))
        .transpose();
    Ok(DispatchOptions {
        policy: policy(settings),
        destinations: destinations(settings)?,
        history: history_path(&settings.state_dir),
        keep_history: settings.alerts.keep_history,
        log: settings.alerts.log,
        causes: settings.causes.enabled.then(|| causes(&store, settings)),
        notice_wait: settings.causes.notice_wait,
        status: Some(StatusFile::dispatch(&settings.state_dir)),
        window_of: window_of(store, settings.store.full_duration),
        grace: wiring::grace(settings),
        self_monitor: self_monitor(settings),
        observer: observer.clone(),
        dead_mans_switch: dead_mans_switch.map_err(|source| ProcessError::Start {
            what: "the heartbeat",
            source,
        })?,
    })
}

/// What a dispatch that runs is told of new settings.
///
/// # Errors
/// As [`destinations`].
pub(crate) fn dispatch_change(settings: &Settings) -> Result<DispatchChange, ProcessError> {
    Ok(DispatchChange {
        policy: policy(settings),
        destinations: destinations(settings)?,
        keep_history: settings.alerts.keep_history,
        log: settings.alerts.log,
        self_monitor: self_monitor(settings),
    })
}

/// The dispatch of a command that finds none running: it can be asked, and sends nothing.
pub(crate) fn dispatch_alone(settings: &Settings) -> DispatchOptions {
    DispatchOptions {
        policy: policy(settings),
        destinations: Vec::new(),
        history: history_path(&settings.state_dir),
        keep_history: settings.alerts.keep_history,
        log: false,
        causes: None,
        notice_wait: Duration::ZERO,
        status: None,
        window_of: Arc::new(|_, _| None),
        grace: Duration::ZERO,
        self_monitor: self_monitor(settings),
        observer: Observer::off(),
        dead_mans_switch: None,
    }
}

/// Who looks for what moved with incidents, in this store.
pub(crate) fn causes(store: &AnyConnect, settings: &Settings) -> Arc<dyn FindCauses> {
    let full_duration = settings.store.full_duration.as_secs_f64();
    let topology = TopologyCache::new(&settings.causes, &settings.state_dir);
    let suspects = Suspects::new(topology, settings.causes.ranking);
    Arc::new(StoredCauses(RelatedMetrics::new(store, full_duration, suspects)))
}

/// Metrics that moved with incidents, of those in the store.
struct StoredCauses(RelatedMetrics);

impl FindCauses for StoredCauses {
    fn find(&self, asked: &[CauseQuestion], anomalous: &[String]) -> Vec<IncidentCauses> {
        let metrics: Vec<IncidentMetric<'_>> = asked
            .iter()
            .map(|question| IncidentMetric {
                subject: &question.subject,
                since: question.since,
                at: question.at,
            })
            .collect();
        self.0.find(&metrics, anomalous)
    }
}

fn self_monitor(settings: &Settings) -> SelfMonitorOptions {
    let alerts = &settings.alerts;
    SelfMonitorOptions {
        optimum_run_duration: settings.analyzer.optimum_run_duration,
        ingest: settings.ingest.enabled.then(|| settings.state_dir.clone()),
        events: settings.events.is_wanted().then(|| settings.state_dir.clone()),
        stale_digest: alerts.stale_digest,
        daily: alerts
            .daily_digest
            .map(|time| (time.0, alerts.zone.rules().clone())),
    }
}

/// Reads windows for charts, over a connection of its own. A notice is worth more than its chart: a store that does not
/// answer soon is not waited for, and for a while not asked again.
fn window_of(store: AnyConnect, full_duration: Duration) -> WindowOf {
    let windows = Windows::new(store.within(CHART_TIMEOUT), full_duration.as_secs_f64());
    let failed = Mutex::new(None::<Instant>);
    Arc::new(move |metric, rate| {
        let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.is_some_and(|at| at.elapsed() < CHART_REST) {
            return None;
        }
        let (mut found, trouble) = windows.read(&[metric]);
        *failed = trouble.map(|_| Instant::now());
        drop(failed);
        let judged = as_judged(&found.pop().flatten()?, rate);
        Some(JudgedWindow {
            times: judged.times,
            values: judged.values,
            rate,
        })
    })
}
