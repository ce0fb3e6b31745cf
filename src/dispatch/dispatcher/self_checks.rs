//! What is wrong with Skywatch itself between passes, and notices that are about no incident.

use skywatch_alerters::incident::{Incident, Observation, ObservedOutcome};
use skywatch_alerters::notice::Content;
use skywatch_alerters::state::{Audience, IncidentEvent};
use skywatch_alerters::{Notice, Subject};

use super::Dispatcher;
use crate::dispatch::event_sinks;
use crate::dispatch::self_monitor::{self, OWN_COMPONENTS};
use crate::dispatch::shared::SharedLead;
use crate::history::{HistoryBatch, Posting};
use crate::status::DispatchStatus;

/// Seconds without a word of the health plane on what fails after which nothing is known of it.
const PLANE_SILENT: f64 = 60.0;

impl Dispatcher {
    /// Makes a notice that is about no incident, for all to whom a component of that name would lead.
    pub(super) fn notify_all(&mut self, component: &str, content: Content, mut batch: HistoryBatch) {
        let now = batch.at;
        let subject = Subject::Component(component.to_owned());
        let outlook = self.state.outlook(&self.options.policy, &subject, now);
        if let Some(silence) = outlook.silences.first() {
            return tracing::info!("nothing is said of {component} :: silence {silence} is in force");
        }
        for prospect in outlook.prospects {
            let id = self.state.new_notice_id();
            let receivers = &self.options.policy.receivers;
            let people = receivers
                .iter()
                .any(|receiver| receiver.name == prospect.receiver && receiver.audience == Audience::People);
            let content = match content.clone() {
                Content::Silent(silent) if people => Content::Silent(silent.for_people()),
                content => content,
            };
            let notice = Notice {
                thread: id.clone(),
                id,
                receiver: prospect.receiver,
                route: prospect.route,
                at: now,
                content,
                base_url: self.options.policy.base_url.clone(),
                command: self.options.policy.command.clone(),
            };
            batch.notices.push(Posting {
                notice,
                incidents: Vec::new(),
                settled: None,
            });
        }
        let next = serde_json::to_value(self.state.next()).ok();
        batch.meta.push(("next".to_owned(), next));
        self.queue(batch);
    }

    /// Looks at ourselves between passes.
    pub(super) fn check_ourselves(&mut self, now: f64) {
        let mut observations: Vec<Observation> = self.self_monitor.ingest(now).into_iter().collect();
        if let Some((state_dir, began)) = self.self_monitor.events() {
            observations.extend(event_sinks::check(state_dir, began, now));
        }
        let trouble = self
            .buffer
            .trouble()
            .map(|why| format!("going on from memory, as {why}"));
        observations.push(self_monitor::observation("skywatch.history", trouble, now));
        for queue in self.queues.values() {
            let waiting = queue.waiting();
            let ill = queue
                .failing()
                .map(|why| format!("notices to `{}` fail, {waiting} wait: {why}", queue.name()));
            // After a start nothing is known of it until something was tried.
            if ill.is_some() || queue.is_well() {
                let component = format!("skywatch.receiver.{}", queue.name());
                observations.push(self_monitor::observation(&component, ill, now));
            }
        }
        // The health plane says each few seconds what fails. Once it is silent nothing is known of that.
        let told_by_plane = |incident: &&Incident| {
            let of_plane =
                matches!(&incident.subject, Subject::Component(name) if !name.starts_with(OWN_COMPONENTS));
            of_plane && incident.phase.is_open() && incident.unknown_since.is_none()
        };
        let silent = |incident: &&Incident| now - incident.last_at > PLANE_SILENT;
        let lost = self.state.incidents().filter(told_by_plane).filter(silent);
        let lost: Vec<Observation> = lost
            .map(|incident| Observation {
                subject: incident.subject.clone(),
                outcome: ObservedOutcome::Unknown,
            })
            .collect();
        // What is well and was well is no event.
        observations.retain(|observation| {
            let open = |incident: &Incident| incident.phase.is_open();
            matches!(observation.outcome, ObservedOutcome::Anomalous(_))
                || self.state.about(&observation.subject).is_some_and(open)
                || self.scopes.is_ill(observation.subject.name())
        });
        let mut observations = self.judged_here(observations, now);
        observations.extend(lost);
        if !observations.is_empty() {
            let _ = self.event(IncidentEvent::Observed(observations), now, HistoryBatch::new(now));
        }
        if let Some((from, to)) = self.self_monitor.day(now)
            && let Some(history) = self.buffer.history()
        {
            match history.day(from, to) {
                Ok(day) => {
                    let mut batch = HistoryBatch::new(now);
                    self.self_monitor.told_day(to);
                    batch.meta.push(("daily".to_owned(), Some(to.into())));
                    self.notify_all("skywatch.daily", Content::Daily(day), batch);
                }
                Err(error) => tracing::error!("no digest of the day :: {error}"),
            }
        }
    }

    /// Leaves what is counted for others to read.
    pub(super) fn write_status(&self, now: f64) {
        if let Some(status) = &self.options.status {
            let mut counters = self.searches.counters();
            counters.extend(self.shared.iter().flat_map(SharedLead::counters));
            status.write(&DispatchStatus {
                at: now,
                counters,
                node: self
                    .shared
                    .as_ref()
                    .map(|shared| shared.node().to_owned())
                    .unwrap_or_default(),
                nodes: self.shared.as_ref().map(SharedLead::nodes).unwrap_or_default(),
            });
        }
    }
}
