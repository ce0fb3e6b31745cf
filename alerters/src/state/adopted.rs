//! What another state had told people, taken over: so that its incidents end, and are not told again.

use std::collections::HashMap;

use super::IncidentState;
use super::event::{AdoptedState, Step};
use crate::incident::{Incident, LastTold, Phase};
use crate::silence::Silence;

impl IncidentState {
    /// Takes over what another state has told: an incident about a subject that has an open one here becomes part of that, others get
    /// numbers of this state. Doing it twice is doing it once.
    pub(super) fn adopt(&mut self, adopted: AdoptedState, now: f64, step: &mut Step) {
        let mut numbers = HashMap::new();
        for incident in adopted.incidents {
            let before = incident.id;
            // A conversation of this state: it is its own incident, which has ended here, or lasts.
            let is_own = |told: &LastTold| self.threads.contains_key(&told.thread);
            let is_own = incident.told.values().any(is_own);
            let number = match self.about(&incident.subject).map(|known| (known.id, known.phase)) {
                Some((known, phase)) if phase.is_open() => {
                    self.adopt_told(known, incident);
                    known
                }
                _ if is_own => continue,
                Some((known, Phase::Pending)) => {
                    self.drop_incident(known);
                    self.adopt_incident(incident)
                }
                _ => self.adopt_incident(incident),
            };
            numbers.insert(before, number);
            step.touched.insert(number);
        }
        for mut silence in adopted.silences {
            if let Some(until) = &mut silence.until_change {
                let Some(number) = numbers.get(&until.incident) else {
                    continue;
                };
                *until = crate::silence::UntilChange::of(*number);
            }
            let is_same = |known: &Silence| {
                (&known.selection, known.from, known.until)
                    == (&silence.selection, silence.from, silence.until)
                    && known.author == silence.author
            };
            let is_over = silence.ended_at.is_some() || silence.until.is_some_and(|until| until <= now);
            if !is_over && !self.silences().any(is_same) {
                // One that selects nothing any more is over.
                let _ = self.add_silence(silence, step);
            }
        }
    }

    /// Adds to an incident who was told of the same by the other state.
    fn adopt_told(&mut self, number: u64, other: Incident) {
        let Some(incident) = self.incidents.get_mut(&number) else {
            return;
        };
        for (receiver, told) in other.told {
            incident.told.entry(receiver).or_insert_with(|| {
                let thread = self.threads.entry(told.thread.clone());
                thread.or_default().insert(number);
                told
            });
        }
        incident.ack = incident.ack.take().or(other.ack);
        if incident.ack.is_some() && incident.phase == Phase::Open {
            incident.phase = Phase::Acknowledged;
        }
    }

    /// Takes an incident over under a number of this state.
    fn adopt_incident(&mut self, mut incident: Incident) -> u64 {
        let number = self.new_incident();
        incident.id = number;
        incident.waiting.clear();
        (incident.silenced_by, incident.inhibited_by) = (None, None);
        for told in incident.told.values() {
            self.threads
                .entry(told.thread.clone())
                .or_default()
                .insert(number);
        }
        self.by_subject.insert(incident.subject.clone(), number);
        self.incidents.insert(number, Box::new(incident));
        number
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::IncidentEvent;
    use super::super::tests::{Scene, news, policy, well, wrong};
    use super::super::{APART, NumberClaim, PersistedState};
    use super::*;
    use crate::notice::{NewsKind, Notice};

    /// What a notice says of a subject.
    fn said_of(subject: &str, notice: &Notice) -> Option<NewsKind> {
        let mut items = news(notice).items.iter();
        items
            .find(|item| item.anomaly.subject.name() == subject)
            .map(|item| item.what)
    }

    #[test]
    fn what_another_state_has_told_is_not_told_again_and_ends_in_its_conversation() {
        let mut other = Scene::new(policy());
        let at = other.now + 60.0;
        let told = other.pass(vec![wrong("web.1.cpu", at), wrong("db.cpu", at)]);
        let is_of_web = |notice: &&Notice| said_of("web.1.cpu", notice).is_some();
        let thread = told.iter().find(is_of_web).map(|notice| notice.thread.clone());
        let adopted = AdoptedState {
            incidents: other.state.incidents().cloned().collect(),
            silences: Vec::new(),
        };
        assert_eq!(adopted.incidents.len(), 2);

        let mut here = Scene::new(policy());
        // Conversations of two states never have one name.
        let claim = NumberClaim::nothing(0);
        here.state = IncidentState::new("u", "1", PersistedState::default(), claim);
        here.state.claimed(APART, APART);
        let at = here.now + 60.0;
        let own = here.pass(vec![wrong("mail.cpu", at), wrong("db.cpu", at)]);
        assert_eq!(own.len(), 2);
        for _ in 0..2 {
            assert!(
                here.event(IncidentEvent::Adopt(Box::new(adopted.clone())))
                    .is_empty()
            );
            assert_eq!(here.state.incidents().count(), 3, "each subject has one");
        }
        assert!(here.say(wrong).is_empty(), "it is not told again");
        let mut said = Vec::new();
        for _ in 0..12 {
            let at = here.now + 60.0;
            said.extend(here.pass(vec![well("web.1.cpu", at), well("mail.cpu", at)]));
        }
        let ends: Vec<&Notice> = said.iter().filter(is_of_web).collect();
        assert_eq!((ends.len(), Some(ends[0].thread.clone())), (1, thread));
        assert_eq!(said_of("web.1.cpu", ends[0]), Some(NewsKind::Resolved));
        // Who has it as open still, as it was cut off, does not bring it back.
        here.event(IncidentEvent::Adopt(Box::new(adopted)));
        assert!(here.say(well).is_empty());
        let over = here
            .state
            .incidents()
            .find(|incident| incident.subject.name() == "web.1.cpu");
        assert!(over.is_some_and(|incident| incident.phase == Phase::Resolved));
    }
}
