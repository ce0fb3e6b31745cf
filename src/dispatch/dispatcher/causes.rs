//! Incidents that have opened go to whoever looks for what moved with them, and what comes back is kept.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use skywatch_alerters::Subject;
use skywatch_alerters::causes::{IncidentCauses, SHOWN_RELATED};
use skywatch_alerters::incident::{Incident, Phase};
use skywatch_alerters::notice::News;
use skywatch_alerters::state::Step;

use super::Dispatcher;
use crate::clock::unix_now;
use crate::dispatch::causes::{CauseQuestion, CauseWorker};
use crate::dispatch::inbox::Inbox;
use crate::history::HistoryBatch;

/// Seconds after which one that was anomalous counts as so no more.
const PRESENT: f64 = 900.0;
/// Metrics that are anomalous at once and get precedence; beyond that it is everything.
const MOST_ANOMALOUS: usize = 5_000;

impl Dispatcher {
    /// Starts the thread that looks for causes, if somebody does.
    pub(super) fn start_causes(&mut self, inbox: &Inbox) {
        let Some(finder) = &self.options.causes else {
            return;
        };
        match CauseWorker::start(Arc::clone(finder), inbox.sender()) {
            Ok(worker) => self.causes = Some(worker),
            Err(error) => tracing::error!("causes are not looked for :: no thread for it: {error}"),
        }
    }

    /// Hands over what has opened in this step, worst first.
    pub(super) fn look_for_causes(&mut self, step: &Step, now: f64) {
        let Some(worker) = &mut self.causes else { return };
        let began = step.transitions.iter().filter(|step| step.to == Phase::Open);
        let began: HashSet<u64> = began.map(|step| step.incident).collect();
        let is_metric = |incident: &&Incident| matches!(incident.subject, Subject::Metric(_));
        let mut opened: Vec<&Incident> = step.incidents.iter().filter(is_metric).collect();
        opened.retain(|incident| began.contains(&incident.id));
        opened.sort_by_key(|incident| (Reverse(incident.severity), incident.id));
        let asked = opened.into_iter().map(question).collect();
        let state = &self.state;
        worker.ask(asked, || anomalous(state.incidents(), now));
    }

    /// Keeps what was found, of incidents that are known.
    pub(super) fn causes_found(&mut self, found: Vec<(u64, IncidentCauses)>) {
        self.buffer.keep(HistoryBatch {
            causes: found,
            ..HistoryBatch::new(unix_now())
        });
    }

    /// Metrics that are anomalous at present.
    pub(super) fn anomalous_metrics(&self, now: f64) -> Vec<String> {
        anomalous(self.state.incidents(), now)
    }

    /// Adds to the incidents of a notice what is known to have moved with them.
    pub(super) fn add_causes(&self, news: &mut News) {
        let asked: Vec<u64> = news.items.iter().map(|item| item.incident).collect();
        let known: BTreeMap<u64, IncidentCauses> = match self.buffer.ask(|history| history.causes(&asked)) {
            Some(Ok(known)) => known,
            Some(Err(error)) => return tracing::warn!("history not readable :: {error}"),
            None => return,
        };
        for item in &mut news.items {
            item.causes = known.get(&item.incident).map(|causes| {
                let mut causes = causes.clone();
                let beyond = causes.related.len().saturating_sub(SHOWN_RELATED);
                causes.more += beyond as u64;
                causes.related.truncate(SHOWN_RELATED);
                Box::new(causes)
            });
        }
    }
}

/// An incident as a question.
pub(super) fn question(incident: &Incident) -> CauseQuestion {
    CauseQuestion {
        incident: incident.id,
        subject: incident.subject.clone(),
        since: incident.since,
        at: incident.last_anomalous,
    }
}

fn anomalous<'i>(incidents: impl Iterator<Item = &'i Incident>, now: f64) -> Vec<String> {
    incidents
        .filter(|incident| !incident.phase.is_over() && now - incident.last_anomalous <= PRESENT)
        .filter_map(|incident| match &incident.subject {
            Subject::Metric(name) => Some(name.clone()),
            _ => None,
        })
        .take(MOST_ANOMALOUS)
        .collect()
}
