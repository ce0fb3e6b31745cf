//! The end at which events come in.
//!
//! To publish is to put something into a queue in memory: no disk, no network, no waiting. A thread writes what is there into
//! the outbox, all of it in one commit, and goes on trying while the disk takes nothing; then the queue fills, and what finds
//! no room is counted.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, select};

use super::error::EventsError;
use super::outbox::{EventOutbox, OutboxOptions};
use super::outgoing::OutgoingEvent;
use crate::clock::unix_now;
use crate::stop::{Stop, StoppableThread};

/// Events in memory at most: a tick of 1,000 entities ten times over.
const IN_MEMORY: usize = 10_000;
/// Events of one commit at most.
const TOGETHER: usize = 1_000;
/// Pause before a disk that took nothing is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// How often it is looked for what is too old or too much.
const PRUNE_EACH: Duration = Duration::from_secs(10);
/// Tries at the end, when nobody waits any longer: a disk that takes nothing must not keep the process.
const LAST_TRIES: u32 = 3;

/// A handle for whoever finds something. Cheap to clone; one that is [off](Self::off) takes everything and keeps nothing.
#[derive(Debug, Clone)]
pub struct EventPublisher(Option<PublishedQueue>);

#[derive(Debug, Clone)]
struct PublishedQueue {
    queue: Sender<OutgoingEvent>,
    /// Events that found no room and are not counted in the outbox yet.
    lost: Arc<AtomicU64>,
}

/// The thread that writes to the outbox. Dropping it writes what was published, and ends it.
#[must_use = "what is published after it is dropped is lost"]
pub struct EventWriter {
    // It ends before the way to it does.
    _thread: StoppableThread,
    publisher: EventPublisher,
}

impl EventPublisher {
    /// One whose events nobody wants.
    #[must_use]
    pub fn off() -> Self {
        Self(None)
    }

    /// Whether anybody wants events: whoever would have to work for one may ask first.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Publishes an event. Returns at once; the event outlives the process some milliseconds later.
    pub fn publish(&self, event: impl Into<OutgoingEvent>) {
        if let Some(PublishedQueue { queue, lost }) = &self.0
            && queue.try_send(event.into()).is_err()
            && lost.fetch_add(1, Ordering::Relaxed) == 0
        {
            tracing::error!("events are lost :: the outbox takes nothing, and {IN_MEMORY} wait in memory");
        }
    }
}

impl EventWriter {
    /// Opens the outbox in the state folder and starts the thread.
    ///
    /// # Errors
    /// [`EventsError::Outbox`] and [`EventsError::ForeignOutbox`] for a file that cannot be used,
    /// [`EventsError::Start`] if the system refuses the thread.
    pub fn start(state_dir: &Path, options: OutboxOptions) -> Result<Self, EventsError> {
        let outbox = EventOutbox::open(state_dir)?;
        let (queue, events) = bounded(IN_MEMORY);
        let lost = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&lost);
        let write = move |stop: &Stop| {
            let writing = Writing {
                outbox,
                options,
                lost: counted,
                stop: stop.clone(),
                failing: false,
            };
            writing.run(&events);
        };
        let thread = StoppableThread::spawn("events-write", write).map_err(|source| EventsError::Start {
            what: "the thread that writes the outbox",
            source,
        })?;
        Ok(Self {
            _thread: thread,
            publisher: EventPublisher(Some(PublishedQueue { queue, lost })),
        })
    }

    /// A handle on it.
    #[must_use]
    pub fn publisher(&self) -> EventPublisher {
        self.publisher.clone()
    }
}

/// The thread's own.
struct Writing {
    outbox: EventOutbox,
    options: OutboxOptions,
    lost: Arc<AtomicU64>,
    stop: Stop,
    /// Whether the last try failed: a lasting failure is logged once.
    failing: bool,
}

impl Writing {
    fn run(mut self, queue: &Receiver<OutgoingEvent>) {
        let stop = self.stop.clone();
        let mut pruned = Instant::now();
        while !stop.is_said() {
            select! {
                recv(queue) -> first => {
                    let Ok(first) = first else { return };
                    self.write_with(first, queue);
                }
                recv(stop.channel()) -> _ => {}
                default(PRUNE_EACH) => {}
            }
            if pruned.elapsed() >= PRUNE_EACH {
                pruned = Instant::now();
                if let Err(error) = self.outbox.prune(&self.options, unix_now()) {
                    self.fail(&error);
                }
            }
        }
        while let Ok(first) = queue.try_recv() {
            self.write_with(first, queue);
        }
    }

    fn write_with(&mut self, first: OutgoingEvent, queue: &Receiver<OutgoingEvent>) {
        let mut events = vec![first];
        events.extend(queue.try_iter().take(TOGETHER - 1));
        self.write(&events);
    }

    /// Writes until the disk takes it; at the end of the process only so often.
    fn write(&mut self, events: &[OutgoingEvent]) {
        let mut last_tries = LAST_TRIES;
        loop {
            let lost = self.lost.load(Ordering::Relaxed);
            match self.outbox.add(events, &self.options, lost, unix_now()) {
                Ok(()) => {
                    self.lost.fetch_sub(lost, Ordering::Relaxed);
                    if std::mem::take(&mut self.failing) {
                        tracing::info!("the outbox `{}` takes events again", self.outbox.path().display());
                    }
                    return;
                }
                Err(error) => self.fail(&error),
            }
            if self.stop.sleep(AGAIN) {
                last_tries -= 1;
                if last_tries == 0 {
                    tracing::error!("{} events are lost :: the process ends", events.len());
                    return;
                }
            }
        }
    }

    fn fail(&mut self, error: &rusqlite::Error) {
        if !std::mem::replace(&mut self.failing, true) {
            tracing::error!(
                "the outbox `{}` takes no events :: {error} :: they are kept in memory",
                self.outbox.path().display()
            );
        }
    }
}
