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
    /// Messages that were taken and refused, as far as that is not in the outbox yet.
    taken: u64,
    refused: u64,
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
            taken: 0,
            refused: 0,
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
        let sent = if unsent.is_empty() {
            Ok(())
        } else {
            let (done, taken) = (&mut self.done, &mut self.taken);
            self.sink.send(&unsent, &mut |id, outcome| {
                done.insert(id);
                match outcome {
                    SinkOutcome::Taken => *taken += 1,
                    SinkOutcome::Refused(why) => refused.push((id, why)),
                }
            })
        };
        self.name_refused(&unsent, &refused);
        self.refused += refused.len() as u64;
        self.note(&waiting)?;
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
    fn note(&mut self, waiting: &[EventMessage]) -> Result<(), SinkFailure> {
        let ids = waiting.iter().map(|message| message.id);
        let through = ids.take_while(|id| self.done.contains(id)).last();
        if through.is_none() && self.taken + self.refused == 0 {
            return Ok(());
        }
        let counted = [("sent", self.taken), ("refused", self.refused)];
        let noted = self.outbox.sent(self.sink.name(), through.unwrap_or(0), &counted);
        noted.map_err(|error| SinkFailure(format!("the outbox takes nothing: {error}")))?;
        (self.taken, self.refused) = (0, 0);
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
        // What the disk does not count now is not counted; the log has it.
        let _ = self
            .outbox
            .count(&[(&format!("sink.{}.failures", self.sink.name()), 1)]);
        if self.failing.is_none() {
            self.failing = Some(Instant::now());
            tracing::warn!("{} takes no events, which wait :: {failure}", self.sink.place());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::super::testing;
    use super::*;

    /// Takes what it is told to, then fails; keeps what it was given.
    struct PartialSink {
        takes: Arc<Mutex<Vec<Vec<i64>>>>,
        given: Arc<Mutex<Vec<Vec<i64>>>>,
    }

    impl EventSink for PartialSink {
        fn name(&self) -> &'static str {
            "partial"
        }

        fn place(&self) -> String {
            "nowhere".to_owned()
        }

        fn send(
            &mut self,
            messages: &[EventMessage],
            outcome: &mut dyn FnMut(i64, SinkOutcome),
        ) -> Result<(), SinkFailure> {
            let ids: Vec<i64> = messages.iter().map(|message| message.id).collect();
            let takes = self
                .takes
                .lock()
                .expect("nobody panics")
                .pop()
                .unwrap_or_default();
            let is_all = takes.len() == ids.len();
            takes.into_iter().for_each(|id| outcome(id, SinkOutcome::Taken));
            self.given.lock().expect("nobody panics").push(ids);
            if is_all {
                Ok(())
            } else {
                Err(SinkFailure("not now".to_owned()))
            }
        }
    }

    #[test]
    fn what_arrived_behind_one_that_did_not_is_not_sent_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut outbox = EventOutbox::open(folder.path()).expect("a new one");
        outbox.set_sinks(&["partial"]).expect("room");
        let options = testing::options(Duration::ZERO);
        let numbered = |number: u32| testing::event(f64::from(number), &format!("m{number}")).into();
        let events: Vec<_> = (1..=4).map(numbered).collect();
        outbox.add(&events, &options, 0, 0.0).expect("room");
        let given = Arc::new(Mutex::new(Vec::new()));
        let sink = PartialSink {
            // The last is the first.
            takes: Arc::new(Mutex::new(vec![vec![2], vec![1], vec![3, 4]])),
            given: Arc::clone(&given),
        };
        let mut delivery = EventDelivery::new(Box::new(sink), outbox, ObservedMetric::off());
        assert!(delivery.round().is_err());
        assert!(delivery.round().is_err());
        assert_eq!(delivery.round(), Ok(3));
        assert_eq!(delivery.round(), Ok(0));
        assert_eq!(
            *given.lock().expect("nobody panics"),
            [vec![1, 2, 3, 4], vec![1, 2], vec![2]]
        );
        let figures = delivery.outbox.figures(0.0).expect("readable");
        assert!(
            figures.contains(&("sink.partial.sent".to_owned(), 4)),
            "{figures:?}"
        );
    }
}
