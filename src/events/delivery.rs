//! One sink's thread: takes what waits in the outbox, sends it, notes what has arrived.
//!
//! The outbox is looked at five times a second, which costs microseconds, so that whoever publishes need not know who sends, and
//! in which process. A sink that takes nothing is tried again after a pause that grows to a minute; its messages wait, others'
//! do not. Some that arrived behind one that did not are remembered and not sent again while the process lives.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::outbox::{EventMessage, EventOutbox};
use super::sinks::{EventSink, SinkFailure, SinkOutcome};
use crate::backoff::Backoff;
use crate::observer::ObservedMetric;
use crate::stop::Stop;

/// Time between two looks at an empty outbox.
const LOOK_EACH: Duration = Duration::from_millis(200);
/// First and longest pause before a sink that takes nothing is tried again.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Messages and bytes that are sent together: less than the mebibyte that Kafka's brokers take of one request by default.
const TOGETHER: usize = 500;
const TOGETHER_BYTES: usize = 512 << 10;
/// Time after stop is said in which what waits is still sent, if the sink takes it.
const LAST_MOMENT: Duration = Duration::from_secs(3);
/// Refused messages that are named in the log in a row; of more the number is told.
const NAMED: usize = 10;

/// A sink with what is needed to serve it.
pub(super) struct EventDelivery {
    sink: Box<dyn EventSink>,
    outbox: EventOutbox,
    observed: ObservedMetric,
    /// Messages that have an outcome while one before them has none.
    done: BTreeSet<i64>,
    backoff: Backoff,
    /// Since when the sink takes nothing.
    failing: Option<Instant>,
}

impl EventDelivery {
    pub(super) fn new(sink: Box<dyn EventSink>, outbox: EventOutbox, observed: ObservedMetric) -> Self {
        Self {
            sink,
            outbox,
            observed,
            done: BTreeSet::new(),
            backoff: Backoff::new(BACKOFF.0, BACKOFF.1).with_jitter(),
            failing: None,
        }
    }

    /// The name of its sink.
    pub(super) fn sink_name(&self) -> &'static str {
        self.sink.name()
    }

    /// Sends until stop is said; then what waits is tried once more.
    pub(super) fn run(mut self, stop: &Stop) {
        while !stop.is_said() {
            match self.round() {
                Ok(0) => _ = stop.sleep(LOOK_EACH),
                Ok(_) => self.well(),
                Err(failure) => {
                    self.fail(&failure);
                    stop.sleep(self.backoff.pause());
                }
            }
        }
        let ends = Instant::now() + LAST_MOMENT;
        while self.failing.is_none() && Instant::now() < ends {
            match self.round() {
                Ok(0) => return,
                Ok(_) => {}
                Err(failure) => self.fail(&failure),
            }
        }
    }

    /// Sends some of what waits. Gives how many messages had an outcome.
    fn round(&mut self) -> Result<usize, SinkFailure> {
        let name = self.sink.name();
        let waiting = self
            .outbox
            .waiting(name, TOGETHER + self.done.len(), TOGETHER_BYTES);
        let waiting = waiting.map_err(|error| SinkFailure(format!("the outbox cannot be read: {error}")))?;
        let unsent: Vec<EventMessage> = waiting
            .iter()
            .filter(|message| !self.done.contains(&message.id))
            .cloned()
            .collect();
        let mut refused = Vec::new();
        let mut taken = 0;
        let sent = if unsent.is_empty() {
            Ok(())
        } else {
            let done = &mut self.done;
            self.sink.send(&unsent, &mut |id, outcome| {
                done.insert(id);
                match outcome {
                    SinkOutcome::Taken => taken += 1,
                    SinkOutcome::Refused(why) => refused.push((id, why)),
                }
            })
        };
        self.name_refused(&unsent, &refused);
        self.note(&waiting, taken, refused.len() as u64)?;
        sent.map(|()| waiting.len())
    }

    fn name_refused(&self, messages: &[EventMessage], refused: &[(i64, String)]) {
        for (id, why) in refused.iter().take(NAMED) {
            let event = messages.iter().find(|message| message.id == *id);
            let event_id = event.map_or("", |message| message.event_id.as_str());
            tracing::error!(
                "event `{event_id}` is dropped :: {} refuses it :: {why}",
                self.sink.place()
            );
        }
        let more = refused.len().saturating_sub(NAMED);
        if more > 0 {
            tracing::error!(
                "and {more} more events dropped :: {} refuses them",
                self.sink.place()
            );
        }
    }

    /// Notes how far the sink has everything.
    fn note(&mut self, waiting: &[EventMessage], taken: u64, refused: u64) -> Result<(), SinkFailure> {
        let all_done = waiting
            .iter()
            .map(|message| message.id)
            .take_while(|id| self.done.contains(id));
        let through = all_done.last();
        if through.is_none() && taken + refused == 0 {
            return Ok(());
        }
        let counted = [("sent", taken), ("refused", refused)];
        let noted = self.outbox.sent(self.sink.name(), through.unwrap_or(0), &counted);
        noted.map_err(|error| SinkFailure(format!("the outbox takes nothing: {error}")))?;
        if let Some(through) = through {
            self.done = self.done.split_off(&(through + 1));
        }
        Ok(())
    }

    fn well(&mut self) {
        self.observed.healthy();
        self.backoff.reset();
        if let Some(since) = self.failing.take() {
            let seconds = since.elapsed().as_secs();
            tracing::info!("{} takes events again after {seconds} s", self.sink.place());
        }
    }

    fn fail(&mut self, failure: &SinkFailure) {
        self.observed.failed();
        // Counted when it is written down the next time; a disk that takes nothing is the failure itself.
        let _ = self
            .outbox
            .count(&[(&format!("sink.{}.failures", self.sink.name()), 1)]);
        if self.failing.is_none() {
            self.failing = Some(Instant::now());
            tracing::warn!("{} takes no events, which wait :: {failure}", self.sink.place());
        }
    }
}
