//! The core: what is known of all incidents, and what follows from an event.
//!
//! `step(state, event, now) → (state', what is to be persisted and sent)`. Nothing here reads a clock, a file or a socket.
//! The state changes in place; what changed is in the [`Step`], to be written in one transaction together with the
//! notices, so that neither is ever there without the other.
//!
//! What a receiver is to be told is not remembered as a queue of messages. After each event it is worked out anew from
//! each incident and from what the receiver [was told](crate::incident::LastTold) of it; a notice is made when the group's
//! turn comes, and says what is true then. An incident that comes and goes while its group waits is told of as that.

#[cfg(test)]
mod laws;
mod notify;
mod observation;
mod outlook;
mod persisted;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

pub use outlook::{Outlook, Prospect};

use crate::anomaly::{Evidence, Severity, Subject};
use crate::group::{PendingByReceiver, RateCap, RecentSends};
use crate::incident::{
    Acknowledgement, Hysteresis, Incident, IncidentTransition, Observation, ObservedOutcome,
};
use crate::notice::Notice;
use crate::route::{Grouping, Routes};
use crate::silence::{CompiledSilence, Silence};

/// What does not change while the program runs.
#[derive(Debug, Clone)]
pub struct AlertPolicy {
    /// When an incident opens and ends.
    pub hysteresis: Hysteresis,
    /// Who is told.
    pub routes: Routes,
    /// The receivers there are.
    pub receivers: Vec<ReceiverPolicy>,
    /// More notices than this for one receiver at one moment become one digest.
    pub digest_from: usize,
    /// Seconds that the news of some incidents of a thread being over waits for the others to be over too.
    pub partial_after: f64,
    /// Public address of the pages, without a slash at the end; empty for none.
    pub base_url: String,
    /// What commands begin with that are to reach this process.
    pub command: String,
}

/// What must be known of a receiver to make notices for it.
#[derive(Debug, Clone)]
pub struct ReceiverPolicy {
    /// Its name.
    pub name: String,
    /// Whether it is told when something is over.
    pub resolved: bool,
    /// How many notices it gets, if it is people.
    pub cap: RateCap,
    /// Who reads what it gets.
    pub audience: Audience,
}

/// Who reads what a receiver gets. Limits of length and number are for people: a machine gets everything, in batches,
/// and at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Audience {
    /// People: digests, groups, rate caps.
    People,
    /// A machine.
    Machine {
        /// Seconds after which it is told again that an incident lasts, as it would take silence for its end; `None`
        /// where it does not.
        refresh: Option<f64>,
    },
}

impl Audience {
    fn refresh(self) -> Option<f64> {
        match self {
            Self::People => None,
            Self::Machine { refresh } => refresh,
        }
    }

    /// How incidents are put together for it, where a route says how for people.
    fn grouping(self, for_people: Grouping) -> Grouping {
        match self {
            Self::People => for_people,
            Self::Machine { .. } => Grouping {
                depth: 0,
                wait: 0.0,
                interval: 0.0,
            },
        }
    }
}

/// Something that happens.
#[derive(Debug, Clone)]
pub enum IncidentEvent {
    /// A finder has looked at subjects; nothing follows for those that are not among them. The order is of no importance.
    Observed(Vec<Observation>),
    /// A finder has looked at all subjects of this kind (by [`SubjectKind::name`](crate::SubjectKind::name)), and maybe at
    /// others: of live incidents about those of the kind it did not see nothing is known from then on.
    ObservedAll(String, Vec<Observation>),
    /// Somebody takes an incident.
    Acknowledge {
        /// Its number.
        incident: u64,
        /// Who.
        by: String,
        /// Nothing more is to be said until it is resolved.
        until_resolved: bool,
    },
    /// Somebody closes an incident.
    Close {
        /// Its number.
        incident: u64,
        /// Who.
        by: String,
    },
    /// Somebody asks for silence; its number is given here.
    Silence(Box<Silence>),
    /// Somebody ends one.
    EndSilence {
        /// Its number.
        silence: u64,
    },
    /// Time has passed.
    Tick,
}

/// Why an event was refused. The state is as before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventRefused {
    /// No live incident has that number.
    #[error("there is no open incident {0}")]
    NoIncident(u64),
    /// No silence that could end has that number.
    #[error("there is no silence {0} that could end")]
    NoSilence(u64),
    /// The silence selects nothing sensible.
    #[error("{0}")]
    Silence(String),
    /// It is to last until incidents are resolved, and there are none.
    #[error("no open incident is selected that could be resolved; give a length of time instead")]
    NothingToResolve,
}

/// What follows from an event: to be kept, all of it or nothing, and then sent.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// Incidents that took a step in their lives or were told of, or are worth keeping again, as they are after it. They
    /// are here whole: one that has ended is no longer in the state, and its end must be written all the same.
    pub incidents: Vec<Incident>,
    /// The steps, in order.
    pub transitions: Vec<IncidentTransition>,
    /// Notices to be sent, in order for each receiver. Their subjects' windows are there as far as the event had them.
    pub notices: Vec<Notice>,
    /// All incidents each notice tells of, listed in it or not, in the order of `notices`.
    pub told: Vec<Vec<u64>>,
    /// Silences that were made or have ended, whole for the same reason.
    pub silences: Vec<Silence>,
    /// Each time somebody was told that something is wrong, or is over.
    pub cooldowns: Vec<Cooldown>,
    /// Receivers whose pace changed.
    pub paced: BTreeSet<String>,
    /// Notices that the rate caps hold back at present, by receiver.
    pub held_back: Vec<(String, usize)>,
    /// Numbers of the incidents to be kept, until the end of the step.
    touched: BTreeSet<u64>,
    /// The same of silences.
    touched_silences: BTreeSet<u64>,
}

/// When somebody was last told that something is wrong with a subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Cooldown {
    /// Who.
    pub receiver: String,
    /// With what.
    pub subject: Subject,
    /// When, Unix seconds, and how bad it was; `None` once he was told that it is over.
    pub told: Option<(f64, Severity)>,
}

/// What was kept of an earlier run.
#[derive(Debug, Clone, Default)]
pub struct PersistedState {
    /// Incidents that were live.
    pub incidents: Vec<Incident>,
    /// Silences that had not ended.
    pub silences: Vec<Silence>,
    /// When somebody was last told that something is wrong.
    pub cooldowns: Vec<Cooldown>,
    /// What receivers were sent lately.
    pub pace: Vec<(String, RecentSends)>,
    /// The next numbers to give.
    pub next: Next,
}

/// The next numbers to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Next {
    /// To an incident.
    pub incident: u64,
    /// To a silence.
    pub silence: u64,
    /// To a notice; those of each run begin anew, as its name is part of their ids.
    pub notice: u64,
}

/// Numbers from here on were given without a file to write them to. They are microseconds since 1970: nobody gives a
/// million a second, so no two runs give the same, whatever either of them can read of the other.
pub const APART: u64 = 1_000_000_000_000;

/// Which numbers this run may give.
///
/// A number is given before it is written, and may be told before it is, too, when the disk takes nothing. So it must be
/// claimed first: the next run begins behind whatever was claimed. What nobody can claim is taken from a range where runs
/// cannot meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberClaim {
    /// The first number of an incident that is not claimed.
    pub incident: u64,
    /// The first number of a silence that is not claimed.
    pub silence: u64,
    /// What to give beyond: microseconds since 1970 at the start of this run.
    pub apart: u64,
}

impl NumberClaim {
    /// No number but those apart.
    pub fn nothing(apart: u64) -> Self {
        Self {
            incident: 0,
            silence: 0,
            apart: apart.max(APART),
        }
    }
}

impl Default for Next {
    fn default() -> Self {
        Self {
            incident: 1,
            silence: 1,
            notice: 1,
        }
    }
}

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

    /// Ends the silences whose incidents are resolved, and drops those that are over. Answers whether one is.
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
