//! Incidents that have opened go to whoever looks for what moved with them, and what comes back is kept.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use skywatch_alerters::causes::{IncidentCauses, SHOWN_RELATED};
use skywatch_alerters::incident::{Incident, Phase};
use skywatch_alerters::notice::{Content, News, NoticeItem};
use skywatch_alerters::state::Step;
use skywatch_alerters::{Notice, Subject};

use super::Dispatcher;
use crate::clock::unix_now;
use crate::dispatch::cause_search::{FoundCauses, SkipReason};
use crate::dispatch::causes::{CauseQuestion, CauseWorker, skipped};
use crate::dispatch::inbox::Inbox;
use crate::dispatch::reading::{PRESENT, anomalous};
use crate::history::HistoryBatch;

impl Dispatcher {
    /// Starts the thread that looks for causes, if somebody does, with what opened just before the last end.
    pub(super) fn start_causes(&mut self, inbox: &Inbox) {
        let Some(finder) = &self.options.causes else {
            return;
        };
        match CauseWorker::start(Arc::clone(finder), inbox.sender()) {
            Ok(worker) => self.causes = Some(worker),
            Err(error) => return tracing::error!("causes are not looked for :: no thread for it: {error}"),
        }
        let now = unix_now();
        let is_young = |incident: &&Incident| {
            incident.phase.is_open() && now - incident.opened_at.unwrap_or(incident.since) <= PRESENT
        };
        let young: Vec<u64> = (self.state.incidents().filter(is_young))
            .map(|incident| incident.id)
            .collect();
        let known = self.buffer.ask(|history| history.causes(&young));
        let known = known.and_then(Result::ok).unwrap_or_default();
        let unknown = young.into_iter().filter(|id| !known.contains_key(id));
        self.ask_for_causes(&unknown.collect(), now);
    }

    /// Hands over what has opened in this step, worst first.
    pub(super) fn look_for_causes(&mut self, step: &Step, now: f64) {
        let began = step.transitions.iter().filter(|step| step.to == Phase::Open);
        let began: HashSet<u64> = began.map(|step| step.incident).collect();
        if !began.is_empty() {
            self.ask_for_causes(&began, now);
        }
    }

    /// Asks for the causes of those of these incidents that are about metrics.
    fn ask_for_causes(&mut self, incidents: &HashSet<u64>, now: f64) {
        let Some(worker) = &self.causes else { return };
        let mut opened: Vec<&Incident> = (incidents.iter())
            .filter_map(|id| self.state.incident(*id))
            .filter(|incident| matches!(incident.subject, Subject::Metric(_)))
            .collect();
        opened.sort_by_key(|incident| (Reverse(incident.severity), incident.id));
        let asked = opened.into_iter().map(question).collect();
        let answer = worker.ask(asked, || anomalous(self.state.incidents(), now));
        self.searches.began(&answer.taken, self.options.notice_wait);
        self.skip_causes(&answer.skipped);
    }

    /// Keeps what was found, of incidents that are known.
    pub(super) fn causes_found(&mut self, found: FoundCauses) {
        let FoundCauses { news, skipped } = found;
        self.searches.ended(news.iter().map(|(incident, _)| *incident));
        self.buffer.keep(HistoryBatch {
            causes: news,
            ..HistoryBatch::new(unix_now())
        });
        self.skip_causes(&skipped);
    }

    /// Counts incidents that were not looked at, and says so of each.
    fn skip_causes(&mut self, incidents: &[(u64, SkipReason)]) {
        if incidents.is_empty() {
            return;
        }
        self.searches.skipped(incidents);
        let now = unix_now();
        // Why the store was not read stands there already, more exactly.
        let unsaid = incidents.iter().filter(|(_, why)| *why != SkipReason::Store);
        self.buffer.keep(HistoryBatch {
            causes: unsaid.map(|(id, why)| (*id, skipped(*why, now))).collect(),
            ..HistoryBatch::new(now)
        });
        tracing::warn!(
            "causes of {} incidents not looked for ({} since the start) :: `skywatch causes INCIDENT` does it for one, and says why not",
            incidents.len(),
            self.searches.skipped_so_far()
        );
    }

    /// Adds to a notice what has become known of its incidents. Answers whether it may go: it waits while that is being looked for, and no
    /// longer than `causes.notice_wait`.
    pub(super) fn complete_causes(&mut self, notice: &mut Notice) -> bool {
        let Content::Incidents(news) = &mut notice.content else {
            return true;
        };
        let lacks =
            |item: &NoticeItem| item.causes.is_none() && matches!(item.anomaly.subject, Subject::Metric(_));
        if !news.items.iter().any(lacks) || self.causes.is_none() {
            return true;
        }
        let now = Instant::now();
        if (news.items.iter()).any(|item| self.searches.is_awaited(item.incident, now)) {
            return false;
        }
        self.add_causes(news);
        true
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
