//! Events for other programs: what gala-anteater sends about entities and root causes, in its forms, over Kafka, a webhook,
//! a file or standard output.
//!
//! Whoever finds something [publishes](EventPublisher::publish) it, which never waits. A thread turns it into the text that
//! goes out and commits that to an [outbox](outbox), an SQLite file in the state folder. Several processes may write there;
//! one role sends, a thread for each sink, in order and until the sink has it. Notices for people go another way, through
//! the dispatch.

mod entity_event;
mod error;
mod form;
mod metric_info;
mod outbox;
mod publisher;
mod root_cause_event;

pub use entity_event::{EntityEvent, EntityEventKey, EventCategory, EventCause, EventLabels, FlaggedPoints};
pub use error::EventsError;
pub use form::{EventForms, EventLanguage, EventSchema};
pub use metric_info::{MetricInfo, MetricInfos};
pub use outbox::{OutboxLimits, OutboxOptions};
pub use publisher::{EventPublisher, EventWriter, OutgoingEvent};
pub use root_cause_event::{AbnormalMetric, CausePathNode, CausedEvent, EventRootCause, RootCauseEvent};
