//! Which servers want to be told of which subjects.

use std::sync::Arc;

use super::Plane;
use super::records::Row;
use super::subject::SUBJECT_BYTES;
use crate::health::limits::HealthRefusal;

impl Plane {
    /// From now on `peer` is not told of a subject.
    pub fn ignore(&mut self, peer: &str, subject: &str) -> Result<(), HealthRefusal> {
        let (peer, subject) = (self.names.intern(peer), self.names.intern(subject));
        if self.subject(&subject)?.ignored_by.insert(Arc::clone(&peer)) {
            self.rows.push(Row::Ignoring(peer, subject));
        }
        Ok(())
    }

    /// From now on `peer` is told of a subject.
    pub fn attend(&mut self, peer: &str, subject: &str) {
        let Some((name, known)) = self.subjects.get_key_value(subject) else {
            return;
        };
        if !known.ignored_by.contains(peer) {
            return;
        }
        let (peer, subject) = (self.names.intern(peer), Arc::clone(name));
        if let Some(known) = self.subjects.get_mut(&subject) {
            known.ignored_by.remove(&peer);
            if known.watched.is_none() && known.ignored_by.is_empty() {
                self.subjects.remove(&subject);
                self.memory -= SUBJECT_BYTES + subject.len();
            }
        }
        self.rows.push(Row::Attending(peer, subject));
    }
}
