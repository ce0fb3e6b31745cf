//! From settings to receivers, routes and the dispatch.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use skywatch_alerters::incident::Hysteresis;
use skywatch_alerters::matcher::{Matcher, Selection};
use skywatch_alerters::render::Templates;
use skywatch_alerters::route::{Grouping, Limits, Pace, Route, Routes};
use skywatch_alerters::schedule::{Hours, Week, zone};
use skywatch_alerters::senders::{self, Sender};
use skywatch_alerters::state::{Audience, Policy, Receiver};
use skywatch_alerters::{Direction, JudgedWindow, RateCap, Severity, chart};
use skywatch_settings::{self as settings, AlertDirection, MinSeverity, ReceiverKind, Settings};

use super::{ProcessError, wiring};
use crate::dispatch::{DispatchOptions, Heartbeat, Outlet, VitalsOptions, WindowOf};
use crate::history::history_path;
use crate::status::Followed;
use crate::store::Connect;
use crate::windows::{Windows, as_judged};

/// News that some incidents of a thread are over waits so long for the rest of it.
const PARTIAL_AFTER: f64 = 1_800.0;
/// Longest wait for one answer of the store for a chart …
const CHART_TIMEOUT: Duration = Duration::from_secs(3);
/// … and how long charts are done without after it did not come.
const CHART_REST: Duration = Duration::from_secs(30);
/// Width of a picture in a chat, pixels.
const PICTURE_WIDTH: u32 = 640;

/// When incidents open and end, and who is told.
///
/// # Errors
/// [`ProcessError::Routes`]: what the settings let pass cannot be understood here.
pub(crate) fn policy(settings: &Settings) -> Result<Policy, ProcessError> {
    let alerts = &settings.alerts;
    let routes = settings.routes();
    Ok(Policy {
        hysteresis: Hysteresis {
            seen: alerts.seen as u32,
            of: alerts.of as u32,
            resolve_after: alerts.resolve_after.as_secs_f64(),
            return_within: alerts.return_within.as_secs_f64(),
            longest_step: settings.analyzer.stale_period.as_secs_f64(),
        },
        routes: Routes {
            top: routes.iter().map(route).collect::<Result<_, _>>()?,
        },
        receivers: settings
            .receivers()
            .into_iter()
            .map(|receiver| Receiver {
                name: receiver.name.clone(),
                resolved: receiver.resolved,
                cap: RateCap {
                    notices: receiver.max_notices,
                    per: receiver.per.as_secs_f64(),
                },
                audience: audience(&receiver.kind),
            })
            .collect(),
        digest_from: alerts.digest_from,
        partial_after: PARTIAL_AFTER,
        base_url: base_url(settings),
        command: wiring::command(settings),
    })
}

/// Who reads what a receiver of this kind gets.
fn audience(kind: &ReceiverKind) -> Audience {
    match kind {
        // A pager wakes people, one alert a conversation.
        ReceiverKind::Email(_) | ReceiverKind::Slack(_) | ReceiverKind::PagerDuty(_) => Audience::People,
        ReceiverKind::Alertmanager(manager) => Audience::Machine {
            refresh: Some(senders::AlertmanagerSender::refresh(manager.valid_for).as_secs_f64()),
        },
        ReceiverKind::Webhook(_) | ReceiverKind::Syslog(_) => Audience::Machine { refresh: None },
    }
}

fn route(route: &settings::Route) -> Result<Route, ProcessError> {
    let wrong = |why: String| ProcessError::Routes {
        route: route.name.clone(),
        why,
    };
    let selection = Selection {
        metrics: route
            .metrics
            .iter()
            .map(|pattern| pattern.as_str().to_owned())
            .collect(),
        tags: route.tags.clone(),
        severity: route.severity.map(|least| match least {
            MinSeverity::Info => Severity::Info,
            MinSeverity::Warning => Severity::Warning,
            MinSeverity::Critical => Severity::Critical,
        }),
        detectors: route.detectors.clone(),
    };
    let hours = (!route.days.is_empty() || !route.hours.is_empty()).then(|| Hours {
        days: route.days.clone(),
        hours: route.hours.clone(),
        zone: route.zone.clone(),
    });
    Ok(Route {
        name: route.name.clone(),
        matcher: Matcher::new(&selection).map_err(wrong)?,
        hours: hours.as_ref().map(Week::new).transpose().map_err(wrong)?,
        receivers: route.receivers.clone(),
        go_on: route.go_on,
        limits: Limits {
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
        routes: route.routes.iter().map(self::route).collect::<Result<_, _>>()?,
    })
}

/// The receivers, ready to be sent to; nothing is connected yet.
///
/// # Errors
/// [`ProcessError::Receiver`]: a certificate file that cannot be read, a template that cannot be used.
pub(crate) fn outlets(settings: &Settings) -> Result<Vec<Outlet>, ProcessError> {
    let templates = Templates::load(settings.alerts.templates.as_deref());
    let templates = Arc::new(templates.map_err(|source| ProcessError::Templates { source })?);
    let outlet = |receiver: settings::Receiver| {
        let sender = sender(&receiver, settings, &templates).map_err(|source| ProcessError::Receiver {
            receiver: receiver.name.clone(),
            source,
        })?;
        Ok(Outlet {
            name: receiver.name,
            sender,
            give_up_after: receiver.give_up_after,
        })
    };
    settings.receivers().into_iter().map(outlet).collect()
}

fn sender(
    receiver: &settings::Receiver,
    settings: &Settings,
    templates: &Arc<Templates>,
) -> Result<Arc<dyn Sender>, skywatch_alerters::Error> {
    let timeout = receiver.timeout;
    let templates = Arc::clone(templates);
    Ok(match receiver.kind.clone() {
        ReceiverKind::Email(email) => {
            let options = wiring::email(settings, email.from, email.to, timeout);
            Arc::new(senders::EmailSender::with_templates(options, templates)?)
        }
        ReceiverKind::Slack(slack) => {
            let access = match slack.access {
                settings::SlackAccess::Webhook { url, channel } => {
                    senders::SlackAccess::Webhook { url, channel }
                }
                settings::SlackAccess::Bot {
                    token,
                    channel,
                    api_url,
                } => senders::SlackAccess::Bot {
                    token,
                    channel,
                    api_url,
                },
            };
            let options = senders::SlackOptions {
                timeout,
                ..senders::SlackOptions::new(access)
            };
            let picture = Box::new(|anomaly: &_| chart::png_of(anomaly, PICTURE_WIDTH));
            Arc::new(senders::SlackSender::with_templates(options, templates)?.with_picture(picture))
        }
        ReceiverKind::PagerDuty(pager) => {
            Arc::new(senders::PagerDutySender::new(senders::PagerDutyOptions {
                routing_key: pager.routing_key,
                url: pager.api_url,
                timeout,
                ..senders::PagerDutyOptions::default()
            })?)
        }
        ReceiverKind::Alertmanager(manager) => {
            Arc::new(senders::AlertmanagerSender::new(senders::AlertmanagerOptions {
                url: manager.url,
                login: match manager.login {
                    None => senders::AlertmanagerLogin::None,
                    Some(settings::AlertmanagerLogin::Basic { username, password }) => {
                        senders::AlertmanagerLogin::Basic { username, password }
                    }
                    Some(settings::AlertmanagerLogin::Token(token)) => {
                        senders::AlertmanagerLogin::Bearer(token)
                    }
                },
                labels: manager.labels.into_iter().collect(),
                validity: manager.valid_for,
                timeout,
                ca_file: manager.ca_file,
            })?)
        }
        ReceiverKind::Webhook(hook) => Arc::new(senders::WebhookSender::new(senders::WebhookOptions {
            url: hook.url,
            signing_key: hook.secret,
            token: hook.token,
            headers: hook.headers,
            include_window: hook.include_window,
            timeout,
            ca_file: hook.ca_file,
        })?),
        ReceiverKind::Syslog(syslog) => Arc::new(wiring::syslog(syslog, timeout, templates)?),
    })
}

/// Everything the dispatch is told once.
///
/// # Errors
/// As [`policy`] and [`outlets`]; or the system refuses a thread.
pub(crate) fn dispatch<K: Connect>(
    connect: K,
    settings: &Settings,
    followed: Followed,
) -> Result<DispatchOptions, ProcessError> {
    let heartbeat = settings.alerts.heartbeat_url.as_ref();
    let heartbeat = heartbeat
        .map(|url| Heartbeat::start(url.expose().to_owned()))
        .transpose();
    Ok(DispatchOptions {
        policy: policy(settings)?,
        outlets: outlets(settings)?,
        history: history_path(&settings.state_dir),
        keep_history: settings.alerts.keep_history,
        log: settings.alerts.log,
        window_of: window_of(connect, settings.store.full_duration),
        followed,
        grace: wiring::grace(settings),
        vitals: vitals(settings),
        heartbeat: heartbeat.map_err(|source| ProcessError::Start {
            what: "the heartbeat",
            source,
        })?,
    })
}

/// The dispatch of a command that finds none running: it can be asked, and sends nothing.
///
/// # Errors
/// As [`policy`].
pub(crate) fn dispatch_alone(settings: &Settings) -> Result<DispatchOptions, ProcessError> {
    Ok(DispatchOptions {
        policy: policy(settings)?,
        outlets: Vec::new(),
        history: history_path(&settings.state_dir),
        keep_history: settings.alerts.keep_history,
        log: false,
        window_of: Arc::new(|_, _| None),
        followed: Followed::default(),
        grace: Duration::ZERO,
        vitals: vitals(settings),
        heartbeat: None,
    })
}

fn vitals(settings: &Settings) -> VitalsOptions {
    let daily = settings
        .alerts
        .daily_digest
        .as_deref()
        .and_then(|time| time.parse().ok());
    VitalsOptions {
        optimum_run_duration: settings.analyzer.optimum_run_duration,
        ingest: settings.ingest.enabled.then(|| settings.state_dir.clone()),
        stale_digest: settings.alerts.stale_digest,
        daily: daily.zip(zone(&settings.alerts.zone).ok()),
    }
}

/// Reads windows for charts, over a connection of its own. A notice is worth more than its chart: a store that does not
/// answer soon is not waited for, and for a while not asked again.
fn window_of<K: Connect>(connect: K, full_duration: Duration) -> WindowOf {
    let windows = Windows::new(connect.within(CHART_TIMEOUT), full_duration.as_secs_f64());
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

/// Public address of the pages without a slash at the end; empty for none.
pub(crate) fn base_url(settings: &Settings) -> String {
    let url = settings.alerts.base_url.as_deref().unwrap_or_default();
    url.trim_end_matches('/').to_owned()
}
