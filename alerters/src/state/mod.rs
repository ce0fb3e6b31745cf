//! The core: what is known of all incidents, and what follows from an event.
//!
//! `step(state, event, now) → (state', what is to be persisted and sent)`. Nothing here reads a clock, a file or a socket.
//! The state changes in place; what changed is in the [`Step`], to be written in one transaction together with the
//! notices, so that neither is ever there without the other.
//!
//! What a receiver is to be told is not remembered as a queue of messages. After each event it is worked out anew from
//! each incident and from what the receiver [was told](crate::incident::LastTold) of it; a notice is made when the group's
//! turn comes, and says what is true then. An incident that comes and goes while its group waits is told of as that.

mod adopted;
mod decision;
mod event;
mod fallback;
mod inhibit;
#[cfg(test)]
mod laws;
mod notify;
mod numbers;
mod observation;
mod outlook;
mod persisted;
mod policy;
#[cfg(test)]
mod silence_tests;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

pub use event::{AdoptedState, Cooldown, EventRefused, IncidentEvent, Step};
pub use numbers::{APART, Next, NumberClaim};
pub use outlook::{Outlook, Prospect};
pub use persisted::PersistedState;
pub use policy::{AlertPolicy, Audience, ReceiverPolicy};

use self::policy::FailingReceivers;
use crate::anomaly::{Evidence, Severity, Subject};
use crate::group::{PendingByReceiver, RecentSends};
use crate::incident::{Acknowledgement, Incident, IncidentTransition, Observation, ObservedOutcome};
use crate::silence::{CompiledSilence, IncidentShape, Silence};

/// What is known of all incidents.
#[derive(Debug, Clone)]
pub struct IncidentState {
    /// What the ids of notices begin with: names this installation.
    origin: String,
    /// What follows in them: names this run of it.
    run: String,
    claim: NumberClaim,
    /// Boxed: numbers grow, and a tree that grows at one end is hardly more than half full.
    incidents: BTreeMap<u64, Box<Incident>>,
    by_subject: HashMap<Subject, u64>,
    silences: BTreeMap<u64, CompiledSilence>,
    /// When a receiver was last told that something is wrong with a subject.
    cooldowns: HashMap<String, HashMap<Subject, (f64, Severity)>>,
    pending: BTreeMap<String, PendingByReceiver>,
    /// The incidents of each thread.
    threads: HashMap<String, BTreeSet<u64>>,
    next: Next,
    /// Receivers that cannot be reached.
    failing: FailingReceivers,
    /// Ends of incidents that another one about the same subject goes on for; written down with the next step.
    superseded: Vec<IncidentTransition>,
    /// When there may be something to say though nothing happens, Unix seconds. Infinite after a start: what is known of
    /// incidents may be old, and nothing is said of them before the first event.
    wake_at: f64,
}

impl IncidentState {
    /// The state as it was kept. `origin` names this installation in the ids of notices, and `run` this run of it: no
    /// other may have the same, whatever became of what was kept.
    pub fn new(origin: &str, run: &str, persisted: PersistedState, claim: NumberClaim) -> Self {
        let mut state = Self {
            origin: origin.to_owned(),
            run: run.to_owned(),
            claim,
            incidents: BTreeMap::new(),
            by_subject: HashMap::new(),
            silences: BTreeMap::new(),
            cooldowns: HashMap::new(),
            pending: BTreeMap::new(),
            threads: HashMap::new(),
            next: persisted.next,
            failing: FailingReceivers::new(),
            superseded: Vec::new(),
            wake_at: f64::INFINITY,
        };
        for Cooldown {
            receiver,
            subject,
            told,
        } in persisted.cooldowns
        {
            if let Some(told) = told {
                state.cooldowns.entry(receiver).or_default().insert(subject, told);
            }
        }
        for (receiver, pace) in persisted.pace {
            state.pending.entry(receiver).or_default().pace = pace;
        }
        for silence in persisted.silences {
            if silence.id < APART {
                state.next.silence = state.next.silence.max(silence.id + 1);
            }
            // One that a later version wrote, and this one cannot read, is in force for nothing.
            if let Ok(armed) = CompiledSilence::new(silence) {
                state.silences.insert(armed.silence.id, armed);
            }
        }
        for incident in persisted.incidents {
            if incident.id < APART {
                state.next.incident = state.next.incident.max(incident.id + 1);
            }
            for told in incident.told.values() {
                state
                    .threads
                    .entry(told.thread.clone())
                    .or_default()
                    .insert(incident.id);
            }
            let subject = incident.subject.clone();
            let id = incident.id;
            state.incidents.insert(id, Box::new(incident));
            // Two that last about one subject are left by a start that could not read what was kept: the later goes on.
            if let Some(older) = state.by_subject.insert(subject, id)
                && let Some(older) = state.incidents.get_mut(&older)
                && let Some(end) = older.superseded(id)
            {
                state.superseded.push(end);
            }
        }
        state
    }

    /// What follows from an event at `now`, Unix seconds.
    ///
    /// # Errors
    /// [`EventRefused`]; nothing has changed then.
    pub fn step(
        &mut self,
        policy: &AlertPolicy,
        event: IncidentEvent,
        now: f64,
    ) -> Result<Step, EventRefused> {
        let mut step = Step::default();
        let mut fresh = HashMap::new();
        let worth_working_out = !matches!(event, IncidentEvent::Tick) || now >= self.wake_at;
        match event {
            IncidentEvent::ObservedAll(kind, observations) => {
                self.not_looked_at(&kind, &observations, now, &mut step);
                self.observations(policy, observations, now, &mut step, &mut fresh);
            }
            IncidentEvent::Observed(observations) => {
                self.observations(policy, observations, now, &mut step, &mut fresh)
            }
            IncidentEvent::Acknowledge {
                incident,
                by,
                until_resolved,
            } => {
                let found = self.incidents.get_mut(&incident);
                let incident = found
                    .filter(|incident| incident.phase.is_open())
                    .ok_or(EventRefused::NoIncident(incident))?;
                let ack = Acknowledgement {
                    by,
                    at: now,
                    until_resolved,
                };
                step.transitions.push(incident.acknowledge(ack, now));
                step.touched.insert(incident.id);
            }
            IncidentEvent::Close { incident, by } => {
                let found = self.incidents.get_mut(&incident);
                let incident = found
                    .filter(|incident| incident.phase.is_open())
                    .ok_or(EventRefused::NoIncident(incident))?;
                step.transitions.push(incident.close(&by, now));
                step.touched.insert(incident.id);
            }
            IncidentEvent::Silence(silence) => self.add_silence(*silence, &mut step)?,
            IncidentEvent::EndSilence { silence } => {
                let armed = self.silences.get_mut(&silence);
                let armed = armed.ok_or(EventRefused::NoSilence(silence))?;
                if armed.is_over(now) {
                    return Err(EventRefused::NoSilence(silence));
                }
                armed.silence.ended_at = Some(now);
                step.touched_silences.insert(silence);
            }
            IncidentEvent::Adopt(adopted) => self.adopt(*adopted, now, &mut step),
            IncidentEvent::Tick => {}
        }
        // Only now that the event was not refused: what a refused one took along would be lost.
        for end in std::mem::take(&mut self.superseded) {
            step.touched.insert(end.incident);
            step.transitions.push(end);
        }
        let ended = self.end_silences(now, &mut step);
        if worth_working_out || ended {
            self.work_out(policy, now, &mut step);
        }
        self.flush(policy, now, &fresh, &mut step);
        // Before anything is forgotten: what is to be written must not depend on what is still remembered.
        let persisted = step.touched.iter().filter_map(|id| self.incidents.get(id));
        step.incidents = persisted.map(|incident| Incident::clone(incident)).collect();
        let persisted = step
            .touched_silences
            .iter()
            .filter_map(|id| self.silences.get(id));
        step.silences = persisted.map(|armed| armed.silence.clone()).collect();
        self.silences.retain(|_, armed| !armed.is_over(now));
        if worth_working_out {
            self.forget(policy, now);
        }
        Ok(step)
    }

    fn add_silence(&mut self, mut silence: Silence, step: &mut Step) -> Result<(), EventRefused> {
        let in_turn = self.next.silence < self.claim.silence;
        silence.id = if in_turn {
            self.next.silence
        } else {
            self.claim.apart
        };
        if let Some(until) = &mut silence.until_change {
            let incident = self.incidents.get(&until.incident);
            let incident = incident
                .filter(|incident| incident.phase.is_open())
                .ok_or(EventRefused::NoIncident(until.incident))?;
            until.was = Some(IncidentShape::of(incident));
            silence.selection.metrics = vec![format!("={}", incident.subject.name())];
        }
        let armed = CompiledSilence::new(silence).map_err(EventRefused::Silence)?;
        let open = || self.incidents().filter(|incident| incident.phase.is_open());
        if armed.silence.until_resolved && !open().any(|incident| armed.covers(incident)) {
            return Err(EventRefused::NothingToResolve);
        }
        if in_turn {
            self.next.silence += 1;
        } else {
            self.claim.apart += 1;
        }
        step.touched_silences.insert(armed.silence.id);
        self.silences.insert(armed.silence.id, armed);
        Ok(())
    }

    /// Ends the silences whose incidents are resolved or have changed, and drops those that are over. Answers whether one is.
    fn end_silences(&mut self, now: f64, step: &mut Step) -> bool {
        for armed in self.silences.values_mut() {
            if armed.silence.ended_at.is_none() && armed.is_over(now) {
                armed.silence.ended_at = armed.silence.until;
                step.touched_silences.insert(armed.silence.id);
            }
            let lasts = |incident: &Incident| incident.phase.is_open() && armed.covers(incident);
            if armed.silence.until_resolved
                && armed.silence.from <= now
                && !armed.is_over(now)
                && !self.incidents.values().any(|incident| lasts(incident))
            {
                armed.silence.ended_at = Some(now);
                step.touched_silences.insert(armed.silence.id);
            }
            if !armed.is_over(now)
                && let Some(until) = &mut armed.silence.until_change
                && let Some(change) = until.change(self.incidents.get(&until.incident).map(Box::as_ref))
            {
                until.ended_by = Some(change);
                armed.silence.ended_at = Some(now);
                step.touched_silences.insert(armed.silence.id);
            }
        }
        !step.touched_silences.is_empty()
    }

    /// Drops incidents whose life has ended.
    fn forget(&mut self, policy: &AlertPolicy, now: f64) {
        let rules = &policy.hysteresis;
        let Self {
            incidents,
            by_subject,
            threads,
            cooldowns,
            ..
        } = self;
        incidents.retain(|id, incident| {
            let to_be_told = !incident.waiting.is_empty();
            let stays = incident.is_live(now, rules) || to_be_told;
            if !stays {
                if by_subject.get(&incident.subject) == Some(id) {
                    by_subject.remove(&incident.subject);
                }
                for told in incident.told.values() {
                    if let Some(members) = threads.get_mut(&told.thread) {
                        members.remove(id);
                        if members.is_empty() {
                            threads.remove(&told.thread);
                        }
                    }
                }
            }
            stays
        });
        for subjects in cooldowns.values_mut() {
            subjects.retain(|_, (at, _)| now - *at < 86_400.0 * 7.0);
        }
    }

    /// An incident that is live, or whose end still waits to be told.
    pub fn incident(&self, id: u64) -> Option<&Incident> {
        self.incidents.get(&id).map(Box::as_ref)
    }

    /// The live incident about a subject.
    pub fn about(&self, subject: &Subject) -> Option<&Incident> {
        self.incident(*self.by_subject.get(subject)?)
    }

    /// All live incidents, oldest first.
    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.values().map(Box::as_ref)
    }

    /// Subjects of a kind whose incidents live: whoever looks at them must report on them whatever he finds.
    pub fn followed(&self, kind: &str) -> impl Iterator<Item = &str> {
        self.incidents()
            .filter(move |incident| incident.is_watched() && incident.subject.kind().name == kind)
            .map(|incident| incident.subject.name())
    }

    /// A silence that has not ended.
    pub fn silence(&self, id: u64) -> Option<&Silence> {
        self.silences.get(&id).map(|armed| &armed.silence)
    }

    /// All silences that have not ended.
    pub fn silences(&self) -> impl Iterator<Item = &Silence> {
        self.silences.values().map(|armed| &armed.silence)
    }

    /// What a receiver was sent lately.
    pub fn recent_sends(&self, receiver: &str) -> Option<&RecentSends> {
        self.pending.get(receiver).map(|waiting_news| &waiting_news.pace)
    }

    /// The next numbers to give in turn.
    pub fn next(&self) -> Next {
        self.next
    }

    /// Lets numbers below these be given: they are claimed for this run.
    pub fn claimed(&mut self, incident: u64, silence: u64) {
        self.claim.incident = self.claim.incident.max(incident);
        self.claim.silence = self.claim.silence.max(silence);
    }

    /// How many numbers of incidents and of silences the event may ask for.
    pub fn asks_for(&self, event: &IncidentEvent) -> (u64, u64) {
        match event {
            IncidentEvent::ObservedAll(_, observations) | IncidentEvent::Observed(observations) => {
                let new = |observation: &&Observation| {
                    matches!(observation.outcome, ObservedOutcome::Anomalous(_))
                        && self
                            .about(&observation.subject)
                            .is_none_or(|incident| incident.phase.is_over())
                };
                (observations.iter().filter(new).count() as u64, 0)
            }
            IncidentEvent::Silence(_) => (0, 1),
            IncidentEvent::Adopt(adopted) => (adopted.incidents.len() as u64, adopted.silences.len() as u64),
            _ => (0, 0),
        }
    }

    /// The number of a new incident.
    fn new_incident(&mut self) -> u64 {
        let number = if self.next.incident < self.claim.incident {
            &mut self.next.incident
        } else {
            &mut self.claim.apart
        };
        *number += 1;
        *number - 1
    }

    /// The id of a new notice that the caller makes himself: about silent metrics, a day, a test.
    pub fn new_notice_id(&mut self) -> String {
        let id = format!("{}.{}.{}", self.origin, self.run, self.next.notice);
        self.next.notice += 1;
        id
    }
}

/// Evidence with windows that came with an event, by incident.
type Fresh = HashMap<u64, Vec<Evidence>>;
