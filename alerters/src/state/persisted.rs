//! What there is to be kept, whole: for a history that has to begin anew while the state lives on.

use super::IncidentState;
use super::event::Cooldown;
use super::numbers::Next;
use crate::group::RecentSends;
use crate::incident::Incident;
use crate::silence::Silence;

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
