//! A history that was deleted under the running process is begun anew with everything that is in memory.

use skywatch_alerters::incident::Phase;
use skywatch_alerters::notice::Content;
use skywatch_alerters::state::PersistedState;

use super::{CLAIMED, Dispatcher, TAKEN};
use crate::history::{HistoryBatch, Posting};

impl Dispatcher {
    /// Looks whether the history is still where it was, and writes it again if it is not.
    pub(super) fn restore_deleted_history(&mut self, now: f64) {
        if !self.buffer.was_taken_away(now) {
            return;
        }
        let PersistedState {
            incidents,
            silences,
            cooldowns,
            pace,
            next,
        } = self.state.persisted();
        let mut batch = HistoryBatch::new(now);
        batch.incidents = incidents;
        batch
            .incidents
            .retain(|incident| incident.phase != Phase::Pending);
        batch.silences = silences;
        batch.cooldowns = cooldowns;
        for (key, value) in [
            ("origin", serde_json::to_value(self.state.origin())),
            ("next", serde_json::to_value(next)),
            (CLAIMED, serde_json::to_value(self.claimed)),
            ("pace", serde_json::to_value(pace)),
        ] {
            batch.meta.push((key.to_owned(), value.ok()));
        }
        batch.meta.push((TAKEN.to_owned(), self.finders.taken()));
        for queue in self.queues.values_mut() {
            // Those that waited on the disk only are gone with it.
            queue.more_wait(false);
            batch.notices.extend(queue.notices().map(|notice| Posting {
                incidents: match &notice.content {
                    Content::Incidents(news) => news.items.iter().map(|item| item.incident).collect(),
                    _ => Vec::new(),
                },
                notice: notice.clone(),
                settled: None,
            }));
        }
        self.buffer.keep(batch);
    }
}
