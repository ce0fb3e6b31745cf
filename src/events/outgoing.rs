//! All that can be published.

use super::entity_event::EntityEvent;
use super::root_cause_event::RootCauseEvent;

/// Something to be published.
#[derive(Debug, Clone, PartialEq)]
pub enum OutgoingEvent {
    /// What is said of an entity.
    Entity(Box<EntityEvent>),
    /// What is said of a cause.
    RootCause(Box<RootCauseEvent>),
}

impl From<EntityEvent> for OutgoingEvent {
    fn from(event: EntityEvent) -> Self {
        Self::Entity(Box::new(event))
    }
}

impl From<RootCauseEvent> for OutgoingEvent {
    fn from(event: RootCauseEvent) -> Self {
        Self::RootCause(Box::new(event))
    }
}
