//! What finders report, and what they are answered.

use std::sync::Arc;

use skywatch_alerters::incident::{Incident, Observation, ObservedOutcome, Phase};
use skywatch_alerters::notice::Content;
use skywatch_alerters::state::IncidentEvent;

use super::{Dispatcher, TAKEN, WRITE_ALL_EACH};
use crate::clock::unix_now;
use crate::cluster::ShardSet;
use crate::dispatch::finders::kind_and_node;
use crate::dispatch::node_scopes::ReportScope;
use crate::dispatch::self_monitor::SelfMonitor;
use crate::dispatch::shared::name_at;
use crate::history::{HistoryBatch, PassRecord};
use crate::inlet::{Finder, FinderReport, FromFinder, Observations};
use crate::status::PassSummary;

/// The component to which silent metrics are told.
const SILENT: &str = "skywatch.silent";

impl Dispatcher {
    /// Takes what a finder of this node says.
    pub(super) fn take_in_here(&mut self, message: FromFinder) {
        let Some(shared) = &self.shared else {
            return self.take_in(message);
        };
        if let FromFinder::Report { report, .. } = &message
            && shared.is_displaced_at(report)
        {
            // The finder keeps it, and hands it over again to the node that leads.
            return;
        }
        let named = |finder: &Finder| Finder {
            name: name_at(&finder.name, shared.node()),
            ..finder.clone()
        };
        let message = match message {
            FromFinder::Connected {
                finder,
                connection,
                answers,
            } => FromFinder::Connected {
                finder: named(&finder),
                connection,
                answers,
            },
            FromFinder::Gone { finder, connection } => FromFinder::Gone {
                finder: Arc::new(named(&finder)),
                connection,
            },
            FromFinder::Report {
                finder,
                number,
                report,
            } => FromFinder::Report {
                finder: Arc::new(named(&finder)),
                number,
                report,
            },
            answered @ FromFinder::Answered { .. } => answered,
        };
        self.take_in(message);
    }

    pub(super) fn take_in(&mut self, message: FromFinder) {
        match message {
            FromFinder::Connected {
                finder,
                connection,
                answers,
            } => {
                tracing::debug!("finder `{}` is there", finder.name);
                self.finders.connected(finder, connection, answers);
                self.follow();
            }
            FromFinder::Gone { finder, connection } => {
                let (_, node) = kind_and_node(&finder.name);
                if self.finders.gone(&finder, connection) && !self.finders.has_any_of(node) {
                    self.scopes.gone(node);
                }
            }
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
            FinderReport::Seen(observations) => self.observed(finder, *observations),
            FinderReport::NoPass { why, since } => self.no_pass(finder, &why, since),
            FinderReport::StoreAnswers => self.monitor(finder).answers(),
        }
    }

    /// Tells finders what was taken of them, unless it is in memory only: then they must keep it.
    pub(super) fn confirm(&mut self) {
        if self.buffer.trouble().is_none() {
            self.finders.confirm();
        }
    }

    /// What is known of the Skywatch of a finder's node.
    fn monitor(&mut self, finder: &Finder) -> &mut SelfMonitor {
        let (_, node) = kind_and_node(&finder.name);
        if self.shared.as_ref().is_none_or(|shared| shared.node() == node) {
            return &mut self.self_monitor;
        }
        self.other_monitors
            .entry(node.to_owned())
            .or_insert_with(|| SelfMonitor::new(self.options.self_monitor.clone(), None, unix_now()))
    }

    /// What follows from what a finder has seen, where several nodes look.
    fn judged(
        &mut self,
        finder: &Finder,
        scope: (Option<String>, Option<ShardSet>, f64),
        seen: Vec<Observation>,
    ) -> IncidentEvent {
        let (all_of, shards, pass_at) = scope;
        if self.shared.is_none() {
            return match all_of {
                Some(kind) => IncidentEvent::ObservedAll(kind, seen),
                None => IncidentEvent::Observed(seen),
            };
        }
        IncidentEvent::Observed(self.judged_of(&finder.name, (all_of, shards, pass_at), seen))
    }

    /// The same of what this process sees of itself at `now`, Unix seconds.
    pub(super) fn judged_here(&mut self, seen: Vec<Observation>, now: f64) -> Vec<Observation> {
        let Some(shared) = &self.shared else { return seen };
        let finder = name_at("dispatch", shared.node());
        self.judged_of(&finder, (None, None, now), seen)
    }

    fn judged_of(
        &mut self,
        finder: &str,
        (all_of, shards, pass_at): (Option<String>, Option<ShardSet>, f64),
        seen: Vec<Observation>,
    ) -> Vec<Observation> {
        let Some(shared) = &self.shared else { return seen };
        let (_, node) = kind_and_node(finder);
        let scope = ReportScope {
            finder,
            node,
            all_of: all_of.as_deref(),
            shards,
            pass_at,
            has_others: shared.has_others(),
        };
        let lasting = self.state.incidents();
        let lasting = lasting.filter(|incident| incident.phase.is_open() || incident.phase == Phase::Pending);
        let lasting = lasting.map(|incident| &incident.subject);
        self.scopes.judged(&scope, seen, lasting)
    }

    /// Takes what a finder has seen.
    pub(super) fn observed(&mut self, finder: &Finder, observations: Observations) {
        let Observations {
            mut seen,
            all_of,
            shards,
            pass,
        } = observations;
        // The moment it is taken in, as with all other events: the core's time must not run backwards.
        let now = unix_now();
        let mut batch = HistoryBatch::new(now);
        batch.meta.push((TAKEN.to_owned(), self.finders.taken()));
        let is_held = self.state.inhibitor(&self.options.policy, SILENT, now).is_some();
        let monitor = self.monitor(finder);
        let silent = pass.as_ref().and_then(|pass| {
            if is_held {
                monitor.hold_silent(pass);
                return None;
            }
            monitor.silent(pass)
        });
        let pass_at = pass.as_ref().map_or(now, |pass| pass.summary.at);
        if let Some(pass) = pass {
            seen.extend(monitor.pass(&pass));
            self.passed(&pass.summary, &mut batch);
            if let Some(shared) = &mut self.shared
                && kind_and_node(&finder.name).1 == shared.node()
            {
                shared.passed(pass.summary.at);
            }
        }
        let event = self.judged(finder, (all_of, shards, pass_at), seen);
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
            batch.incidents.extend(self.live());
        }
    }

    /// The store has let no pass run since then, Unix seconds: told once that has lasted, and nothing is known of its subjects.
    pub(super) fn no_pass(&mut self, finder: &Finder, why: &str, since: f64) {
        let now = unix_now();
        if let Some(observation) = self.monitor(finder).trouble(why, since, now) {
            let mut observations = vec![observation];
            let open = self.state.incidents().filter(|incident| incident.phase.is_open());
            let is_elsewhere = |incident: &&Incident| {
                let metric = incident.subject.name();
                self.shared.is_some() && self.scopes.finder_of(metric).is_some_and(|by| by != finder.name)
            };
            observations.extend(
                open.filter(|incident| !is_elsewhere(incident))
                    .filter_map(|incident| {
                        let is_its = Some(incident.subject.kind().name) == finder.follows.as_deref();
                        (is_its && incident.unknown_since.is_none()).then(|| Observation {
                            subject: incident.subject.clone(),
                            outcome: ObservedOutcome::Unknown,
                        })
                    }),
            );
            let event = self.judged(finder, (None, None, now), observations);
            let _ = self.event(event, now, HistoryBatch::new(now));
        }
    }

    /// Tells finders whose incidents live.
    pub(super) fn follow(&mut self) {
        let state = &self.state;
        self.finders
            .follow(|kind| state.followed(kind).map(str::to_owned).collect());
    }
}
