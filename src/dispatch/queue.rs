//! The queue of one receiver: a thread that sends, and the notices that wait for it.
//!
//! Notices go out in their order, one at a time. One that cannot be handed over at the moment holds up those behind it
//! and is tried again, ever more rarely; while tries fail the receiver counts as failing, which is told to others. One
//! that is refused for good, or too old, becomes a dead letter, and the next has its turn.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use skywatch_alerters::notice::Content;
use skywatch_alerters::senders::{self, Sent};
use skywatch_alerters::{JudgedWindow, Notice, Subject};

use super::destination::{Destination, WindowOf};
use super::inbox::{Delivery, DispatchMessage};
use super::shared::{SendGate, SendPermit};
use crate::backoff::Backoff;
use crate::observer::ObservedMetric;

/// First and longest pause between two tries.
const FIRST_BACKOFF: Duration = Duration::from_secs(2);
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);
/// Pause before a notice that another node may send is looked at again.
const HELD_BACK_FOR: Duration = Duration::from_millis(500);
/// Tries in a row after which the receiver counts as failing.
pub(super) const FAILING_AFTER: u32 = 3;
/// Notices kept in memory for one receiver; the rest of them is in the outbox.
pub(super) const IN_MEMORY: usize = 200;

/// One notice to be sent now.
pub(super) struct SendJob {
    /// What carries it: settings may have changed since the one before.
    sender: Arc<dyn senders::Sender>,
    notice: Notice,
    reference: Option<String>,
}

/// A notice that waits.
struct QueuedNotice {
    notice: Notice,
    /// What the other side calls the conversation, as far as it was known when the notice came here.
    reference: Option<String>,
}

/// What a queue's thread works with.
pub(super) struct QueueTools {
    /// Where charts get windows from.
    pub(super) window_of: WindowOf,
    /// Says how the receiver takes notices.
    pub(super) delivers: ObservedMetric,
    /// Says whether a notice may be sent, where there are other nodes.
    pub(super) gate: Option<Arc<SendGate>>,
}

/// One receiver's queue.
pub(super) struct ReceiverQueue {
    destination: Destination,
    waiting: VecDeque<QueuedNotice>,
    jobs: Sender<SendJob>,
    thread: JoinHandle<()>,
    /// Further ones lie in the outbox; whatever comes goes behind them.
    more: bool,
    busy: bool,
    try_at: Instant,
    backoff: Backoff,
    /// Tries in a row that failed.
    failures: u32,
    /// Whether anything was handed over since the start.
    proven: bool,
    last_error: String,
}

/// What follows from a delivery.
pub(super) enum DeliveryOutcome {
    /// It is there.
    Sent(Sent),
    /// It is tried again after this time.
    Again { error: String, after: Duration },
    /// It is given up.
    Dead(String),
    /// It was held back, and is tried again soon.
    HeldBack,
}

impl ReceiverQueue {
    /// Starts the thread.
    pub(super) fn start(
        destination: Destination,
        deliveries: Sender<DispatchMessage>,
        tools: QueueTools,
    ) -> std::io::Result<Self> {
        let (jobs, receive) = bounded(1);
        let name = destination.name.clone();
        let thread = std::thread::Builder::new()
            .name(format!("queue-{name}"))
            .spawn(move || deliver(&name, &tools, &receive, &deliveries))?;
        Ok(Self {
            destination,
            waiting: VecDeque::new(),
            jobs,
            thread,
            more: false,
            busy: false,
            try_at: Instant::now(),
            backoff: Backoff::new(FIRST_BACKOFF, LONGEST_BACKOFF).with_jitter(),
            failures: 0,
            proven: false,
            last_error: String::new(),
        })
    }

    /// Sends by another sender from the next notice on, and tries again at once what an old one could not hand over.
    pub(super) fn change(&mut self, destination: Destination) {
        self.destination = destination;
        self.hurry();
    }

    pub(super) fn name(&self) -> &str {
        &self.destination.name
    }

    /// How many notices wait in memory.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Why the receiver is failing, if it is.
    pub(super) fn failing(&self) -> Option<&str> {
        (self.failures >= FAILING_AFTER).then_some(self.last_error.as_str())
    }

    /// Whether it is known to be well: something was handed over, and nothing failed since.
    pub(super) fn is_well(&self) -> bool {
        self.proven && self.failures == 0
    }

    /// Whether the notice waits here already.
    pub(super) fn holds(&self, id: &str) -> bool {
        self.waiting.iter().any(|queued| queued.notice.id == id)
    }

    /// Whether a new notice must be left in the outbox: there is no room for it, or others wait there for their turn.
    pub(super) fn is_full(&self) -> bool {
        self.more || self.waiting.len() >= IN_MEMORY
    }

    /// Whether there is room again for those that wait in the outbox.
    pub(super) fn runs_short(&self) -> bool {
        self.more && self.waiting.len() <= IN_MEMORY / 2
    }

    /// Says whether notices wait in the outbox that are not here.
    pub(super) fn more_wait(&mut self, more: bool) {
        self.more = more;
    }

    /// Adds a notice behind the others.
    pub(super) fn add(&mut self, notice: Notice, reference: Option<String>) {
        self.waiting.push_back(QueuedNotice { notice, reference });
    }

    /// The notices that wait in memory, in their order.
    pub(super) fn notices(&self) -> impl Iterator<Item = &Notice> {
        self.waiting.iter().map(|queued| &queued.notice)
    }

    /// Tries again at once, as somebody asked for it.
    pub(super) fn hurry(&mut self) {
        self.try_at = Instant::now();
    }

    /// Hands the first notice to the thread if it is free, it is time, and `complete` lets it go; that may still add to it.
    pub(super) fn work(&mut self, complete: impl FnOnce(&mut Notice) -> bool) {
        if self.busy || Instant::now() < self.try_at {
            return;
        }
        if let Some(queued) = self.waiting.front_mut() {
            if !complete(&mut queued.notice) {
                return;
            }
            let job = SendJob {
                sender: Arc::clone(&self.destination.sender),
                notice: queued.notice.clone(),
                reference: queued.reference.clone(),
            };
            self.busy = self.jobs.try_send(job).is_ok();
        }
    }

    /// Whether the thread is at a notice.
    pub(super) fn is_busy(&self) -> bool {
        self.busy
    }

    /// Takes back what became of the first notice. `now` is Unix seconds.
    pub(super) fn delivered(&mut self, delivery: Delivery, now: f64) -> DeliveryOutcome {
        self.busy = false;
        let Some(outcome) = delivery.outcome else {
            self.try_at = Instant::now() + HELD_BACK_FOR;
            return DeliveryOutcome::HeldBack;
        };
        match outcome {
            Ok(sent) => {
                self.waiting.pop_front();
                if let Some(reference) = &sent.reference {
                    for queued in &mut self.waiting {
                        if queued.notice.thread == delivery.notice.thread {
                            queued.reference = Some(reference.clone());
                        }
                    }
                }
                self.well();
                DeliveryOutcome::Sent(sent)
            }
            Err(error) => {
                self.last_error = error.to_string();
                let age = now - delivery.notice.at;
                if error.is_transient() && age < self.destination.give_up_after.as_secs_f64() {
                    self.failures += 1;
                    let pause = self.backoff.pause();
                    let after = error
                        .retry_after()
                        .unwrap_or(pause)
                        .max(Duration::from_millis(100));
                    self.try_at = Instant::now() + after;
                    return DeliveryOutcome::Again {
                        error: self.last_error.clone(),
                        after,
                    };
                }
                self.waiting.pop_front();
                // A notice that reaches nobody is told to others at once; the next one need not wait for that.
                self.failures = self.failures.max(FAILING_AFTER);
                DeliveryOutcome::Dead(self.last_error.clone())
            }
        }
    }

    fn well(&mut self) {
        self.failures = 0;
        self.proven = true;
        self.backoff.reset();
        self.try_at = Instant::now();
    }

    /// Ends the thread once it is done with what it has in hand.
    pub(super) fn end(self) -> JoinHandle<()> {
        self.thread
    }
}

fn deliver(
    receiver: &str,
    tools: &QueueTools,
    jobs: &Receiver<SendJob>,
    deliveries: &Sender<DispatchMessage>,
) {
    for SendJob {
        sender,
        mut notice,
        reference,
    } in jobs
    {
        illustrate(&mut notice, &*tools.window_of);
        let send = || {
            tools
                .delivers
                .watch(|| sender.send(&notice, reference.as_deref()))
        };
        let outcome = match tools.gate.as_deref() {
            None => Some(send()),
            Some(gate) => match gate.ask(&notice) {
                SendPermit::Wait => None,
                SendPermit::Sent => {
                    tracing::info!("notice {} was sent by the node that led before", notice.id);
                    Some(Ok(Sent::default()))
                }
                SendPermit::Send => {
                    let outcome = send();
                    gate.done(&notice.id, outcome.is_ok());
                    Some(outcome)
                }
            },
        };
        let delivery = Delivery {
            receiver: receiver.to_owned(),
            notice,
            outcome,
        };
        if deliveries
            .send(DispatchMessage::Delivered(Box::new(delivery)))
            .is_err()
        {
            return;
        }
    }
}

/// Adds the window of the first incident, where none came with it: for the chart, or for whoever wants the values. Here and
/// not at the dispatcher, which must not wait for the store. What came after the notice was made is no part of it.
fn illustrate(notice: &mut Notice, window_of: &(dyn Fn(&str, bool) -> Option<JudgedWindow> + Send + Sync)) {
    let made = notice.at;
    if let Content::Incidents(news) = &mut notice.content
        && let Some(item) = news.items.first_mut()
        && item.anomaly.window().times.is_empty()
        && let Subject::Metric(name) = &item.anomaly.subject
        && let Some(mut window) = window_of(name, item.anomaly.window().rate)
    {
        let until = window.times.partition_point(|&time| time <= made);
        // A clock that is ahead of ours must not cost the whole window.
        if until > 0 {
            window.times.truncate(until);
            window.values.truncate(until);
        }
        item.anomaly = item.anomaly.clone().with_window(window);
    }
}
