//! What people ask that the history alone can answer, on a node that leads as on one that follows.

use std::time::Duration;

use skywatch_alerters::causes::SharedCause;
use skywatch_alerters::incident::{Incident, Phase};
use skywatch_alerters::{Subject, render};
use skywatch_settings::Pattern;

use super::request::{NoticeLine, Reply, Request};
use crate::history::{Filter, History, HistoryError, HistoryReader, NoticeRecord};

/// Entries shown for one question, at most.
pub(crate) const SHOWN: usize = 10_000;
/// Seconds after which one that was anomalous counts as so no more.
pub(super) const PRESENT: f64 = 900.0;
/// Metrics that are anomalous at once and get precedence; beyond that it is everything.
const MOST_ANOMALOUS: usize = 5_000;
/// Seconds between two times old history is thrown away …
const PRUNE_EACH: f64 = 600.0;
/// … and how much at once.
const PRUNE_SLICE: usize = 2_000;
/// Seconds after which passes are summed by the hour, and hours that are summed at once.
const THIN_AFTER: f64 = 7.0 * 86_400.0;
const THIN_SLICE: usize = 24;

/// Throws old history away now and then.
#[derive(Debug)]
pub(super) struct HistoryPruner {
    /// When it did last, Unix seconds.
    at: f64,
}

impl HistoryPruner {
    /// One that has nothing to do at `now`, Unix seconds, nor soon.
    pub(super) fn new(now: f64) -> Self {
        Self { at: now }
    }

    /// Throws away what is older than `keep` at `now`, Unix seconds, if it is time again. Of much only some goes at once, and more soon, so
    /// that others have their turn meanwhile.
    pub(super) fn work(&mut self, history: Option<&mut History>, keep: Duration, now: f64) {
        if now - self.at < PRUNE_EACH {
            return;
        }
        self.at = now;
        if history.is_some_and(|history| prune(history, keep, now)) {
            self.at = now - PRUNE_EACH + 1.0;
        }
    }
}

/// Throws away what is older than `keep` at `now`, Unix seconds, some of it at once. Whether more is left.
fn prune(history: &mut History, keep: Duration, now: f64) -> bool {
    let pruned = history.prune(now - keep.as_secs_f64(), PRUNE_SLICE);
    let more = match pruned {
        Ok(pruned) => pruned.more,
        Err(error) => {
            tracing::warn!("old history not thrown away :: {error}");
            false
        }
    };
    if let Err(error) = history.thin_passes(now - THIN_AFTER, THIN_SLICE) {
        tracing::warn!("old passes not thinned :: {error}");
    }
    more
}

/// The metrics that are anomalous at `now`, of these incidents.
pub(super) fn anomalous<'i>(incidents: impl Iterator<Item = &'i Incident>, now: f64) -> Vec<String> {
    incidents
        .filter(|incident| !incident.phase.is_over() && now - incident.last_anomalous <= PRESENT)
        .filter_map(|incident| match &incident.subject {
            Subject::Metric(name) => Some(name.clone()),
            _ => None,
        })
        .take(MOST_ANOMALOUS)
        .collect()
}

/// Answers what the history knows; `None` of anything else. `anomalous` gives metrics that are so at `now`, Unix seconds.
pub(super) fn read_request(
    history: &HistoryReader,
    request: &Request,
    anomalous: impl FnOnce() -> Vec<String>,
    now: f64,
) -> Option<Result<Reply, HistoryError>> {
    Some(match request {
        Request::Incidents { all, name, limit } => incidents(history, *all, name.as_deref(), *limit),
        Request::Incident { id } => history.incident(*id).map(|found| match found {
            Some(life) => Reply::Incident {
                incident: Box::new(life.incident),
                transitions: life.transitions,
                notices: life.notices.into_iter().map(NoticeLine::of).collect(),
            },
            None => refused(format!("there is no incident {id}")),
        }),
        Request::Causes { id } => causes(history, *id, anomalous),
        Request::Silences { all } => history.silences(*all).map(|silences| {
            let in_time = |silence: &skywatch_alerters::silence::Silence| {
                *all || silence.until.is_none_or(|until| until > now)
            };
            Reply::Silences {
                silences: silences.into_iter().filter(in_time).collect(),
            }
        }),
        Request::DeadLetters { limit } => {
            let notices = history.dead_letters((*limit).min(SHOWN));
            notices.map(|notices| Reply::Notices {
                notices: notices.into_iter().map(NoticeLine::of).collect(),
            })
        }
        _ => return None,
    })
}

fn incidents(
    history: &HistoryReader,
    all: bool,
    name: Option<&str>,
    limit: usize,
) -> Result<Reply, HistoryError> {
    let phases = if all {
        Vec::new()
    } else {
        vec![Phase::Open, Phase::Acknowledged]
    };
    let name = match name.map(Pattern::parse).transpose() {
        Ok(name) => name,
        Err(why) => return Ok(refused(format!("the pattern of names is wrong: {why}"))),
    };
    let filter = Filter {
        phases,
        name,
        ..Filter::default()
    };
    let incidents = history.incidents(&filter, limit.min(SHOWN))?;
    let numbers: Vec<u64> = incidents.iter().map(|incident| incident.id).collect();
    let mut causes: Vec<SharedCause> = Vec::new();
    for shared in history.shared_causes(&numbers)?.into_values() {
        if !causes.contains(&shared) {
            causes.push(shared);
        }
    }
    Ok(Reply::Incidents { incidents, causes })
}

fn causes(
    history: &HistoryReader,
    id: u64,
    anomalous: impl FnOnce() -> Vec<String>,
) -> Result<Reply, HistoryError> {
    let Some(life) = history.incident(id)? else {
        return Ok(refused(format!("there is no incident {id}")));
    };
    let causes = history.causes(&[id])?.remove(&id).map(Box::new);
    Ok(Reply::Causes {
        since: life.incident.since,
        at: life.incident.last_anomalous,
        subject: life.incident.subject,
        anomalous: match &causes {
            Some(known) if !known.skipped => Vec::new(),
            _ => anomalous(),
        },
        causes,
    })
}

impl NoticeLine {
    fn of(record: NoticeRecord) -> Self {
        Self {
            summary: render::summary(&record.notice),
            id: record.notice.id,
            receiver: record.notice.receiver,
            route: record.notice.route,
            at: record.notice.at,
            state: record.state.as_str().to_owned(),
            tries: record.tries,
            error: record.last_error,
        }
    }
}

/// Nothing was done, and why, for people.
pub(super) fn refused(why: String) -> Reply {
    Reply::Refused { why }
}
