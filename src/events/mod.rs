//! Events for other programs: what gala-anteater sends about entities and root causes, in its forms, over Kafka, a webhook,
//! a file or standard output.
//!
//! Whoever finds something [publishes](EventPublisher::publish) it, which never waits. A thread turns it into the text that
//! goes out and commits that to an [outbox](outbox), an SQLite file in the state folder. Several processes may write there;
//! one role sends, a thread for each sink, in order and until the sink has it. Notices for people go another way, through
//! the dispatch.

mod delivery;
mod entity_event;
mod error;
mod form;
mod from_settings;
mod kafka;
mod metric_info;
mod outbox;
mod outgoing;
mod probe;
mod publisher;
mod root_cause_event;
mod sending;
mod sinks;
#[cfg(test)]
mod testing;
mod trial;

pub use entity_event::{EntityEvent, EntityEventKey, EventCategory, EventCause, EventLabels, FlaggedPoints};
pub use error::EventsError;
pub use form::{EventForms, EventSchema};
pub use kafka::{KafkaLogin, KafkaOptions, KafkaTls};
pub use metric_info::{EventLanguage, MetricInfo, MetricInfos};
#[cfg(test)]
pub(crate) use outbox::every_counter;
pub use outbox::{OutboxLimits, OutboxOptions, figures};
pub use outgoing::OutgoingEvent;
pub use probe::probes;
pub use publisher::{EventPublisher, EventWriter};
pub use root_cause_event::{AbnormalMetric, CausePathNode, CausedEvent, EventRootCause, RootCauseEvent};
pub use sending::{EventSender, SinkOptions, StdoutOptions};
pub(crate) use sinks::EVENT_MARK;
pub use sinks::{FileSinkOptions, WebhookSinkOptions};
pub use trial::{SinkTrial, try_sinks};
