//! What finders report, and what they are answered.

use std::sync::Arc;

use skywatch_alerters::incident::{Observation, ObservedOutcome, Phase};
use skywatch_alerters::notice::Content;
use skywatch_alerters::state::IncidentEvent;

use super::{Dispatcher, TAKEN, WRITE_ALL_EACH};
use crate::clock::unix_now;
use crate::history::{HistoryBatch, PassRecord};
use crate::inlet::{Finder, FinderReport, FromFinder, Observations};
use crate::status::PassSummary;

/// The component to which silent metrics are told.
const SILENT: &str = "skywatch.silent";

impl Dispatcher {
    pub(super) fn take_in(&mut self, message: FromFinder) {
        match message {
            FromFinder::Connected { finder, answers } => {
                tracing::debug!("finder `{}` is there", finder.name);
                self.finders.connected(finder, answers);
                self.follow();
            }
            FromFinder::Gone { finder, answers } => self.finders.gone(&finder, &answers),
            FromFinder::Answered { question, answer } => self.finders.answered(question, answer),
            FromFinder::Report {
                finder,
                number,
                report,
            } => {
                if self.finders.takes(&finder, number) {
                    self.report(&finder, Arc::unwrap_or_clone(report));
                } else {
                    tracing::info!("report {number} of `{}` was taken before", finder.name);
                    self.finders.repeated(&finder.name);
                }
            }
        }
    }

    pub(super) fn report(&mut self, finder: &Finder, report: FinderReport) {
        match report {
            FinderReport::Seen(observations) => self.observed(*observations),
            FinderReport::NoPass { why, since } => self.no_pass(finder, &why, since),
            FinderReport::StoreAnswers => self.self_monitor.answers(),
        }
    }

    /// Tells finders what was taken of them, unless it is in memory only: then they must keep it.
    pub(super) fn confirm(&mut self) {
        if self.buffer.trouble().is_none() {
            self.finders.confirm();
        }
    }

    /// Takes what a finder has seen.
    pub(super) fn observed(&mut self, observations: Observations) {
        let Observations {
            mut seen,
            all_of,
            pass,
        } = observations;
        // The moment it is taken in, as with all other events: the core's time must not run backwards.
        let now = unix_now();
        let mut batch = HistoryBatch::new(now);
        batch.meta.push((TAKEN.to_owned(), self.finders.taken()));
        let is_held = self.state.inhibitor(&self.options.policy, SILENT, now).is_some();
        let silent = pass.as_ref().and_then(|pass| {
            if is_held {
                self.self_monitor.hold_silent(pass);
                return None;
            }
            self.self_monitor.silent(pass)
        });
        if let Some(pass) = pass {
            seen.extend(self.self_monitor.pass(&pass));
            self.passed(&pass.summary, &mut batch);
        }
        let event = match all_of {
            Some(kind) => IncidentEvent::ObservedAll(kind, seen),
            None => IncidentEvent::Observed(seen),
        };
        // No event of a finder is ever refused.
        let _ = self.event(event, now, batch);
        self.follow();
        if let Some(silent) = silent {
            self.notify_all(SILENT, Content::Silent(silent), HistoryBatch::new(now));
        }
    }

    /// Notes that a pass has ended.
    pub(super) fn passed(&mut self, summary: &PassSummary, batch: &mut HistoryBatch) {
        let now = batch.at;
        if let Some(dead_mans_switch) = &self.options.dead_mans_switch
            && summary.unfinished == 0
        {
            dead_mans_switch.beat();
        }
        batch.passes.push(PassRecord::one(
            summary.at,
            summary.metrics,
            summary.analyzed,
            summary.anomalies,
            summary.seconds.total,
        ));
        if now - self.all_written_at > WRITE_ALL_EACH {
            self.all_written_at = now;
            let live = self
                .state
                .incidents()
                .filter(|incident| incident.phase != Phase::Pending);
            batch.incidents.extend(live.cloned());
        }
    }

    /// The store has let no pass run since then, Unix seconds: told once that has lasted, and nothing is known of its subjects.
    pub(super) fn no_pass(&mut self, finder: &Finder, why: &str, since: f64) {
        let now = unix_now();
        if let Some(observation) = self.self_monitor.trouble(why, since, now) {
            let mut observations = vec![observation];
            let open = self.state.incidents().filter(|incident| incident.phase.is_open());
            observations.extend(open.filter_map(|incident| {
                let is_its = Some(incident.subject.kind().name) == finder.follows.as_deref();
                (is_its && incident.unknown_since.is_none()).then(|| Observation {
                    subject: incident.subject.clone(),
                    outcome: ObservedOutcome::Unknown,
                })
            }));
            let _ = self.event(IncidentEvent::Observed(observations), now, HistoryBatch::new(now));
        }
    }

    /// Tells finders whose incidents live.
    pub(super) fn follow(&mut self) {
        let state = &self.state;
        self.finders
            .follow(|kind| state.followed(kind).map(str::to_owned).collect());
    }
}
