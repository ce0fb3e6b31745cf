//! What there is to be kept, whole: for a history that has to begin anew while the state lives on.

use super::{Cooldown, IncidentState, PersistedState};

impl IncidentState {
    /// All that a new [`IncidentState`] would have to be given to go on as this one.
    pub fn persisted(&self) -> PersistedState {
        let cooldowns = self.cooldowns.iter().flat_map(|(receiver, subjects)| {
            subjects.iter().map(|(subject, told)| Cooldown {
                receiver: receiver.clone(),
                subject: subject.clone(),
                told: Some(*told),
            })
        });
        let pace = self.pending.iter();
        PersistedState {
            incidents: self.incidents().cloned().collect(),
            silences: self.silences().cloned().collect(),
            cooldowns: cooldowns.collect(),
            pace: pace
                .map(|(receiver, waiting_news)| (receiver.clone(), waiting_news.pace.clone()))
                .collect(),
            next: self.next,
        }
    }

    /// What the ids of notices begin with.
    pub fn origin(&self) -> &str {
        &self.origin
    }
}
