//! Notices on their way: from a batch to the queues, from the outbox to queues that have few left, and what became of them.

use std::sync::Arc;

use skywatch_alerters::incident::{Observation, ObservedOutcome};
use skywatch_alerters::notice::Content;
use skywatch_alerters::state::IncidentEvent;
use skywatch_alerters::{Notice, Subject, render};

use super::{BEFORE, Dispatcher};
use crate::clock::unix_now;
use crate::dispatch::buffer::Settlement;
use crate::dispatch::destination::{Destination, DispatchChange};
use crate::dispatch::inbox::{Delivery, Inbox};
use crate::dispatch::queue::{DeliveryOutcome, IN_MEMORY, QueueTools, ReceiverQueue};
use crate::dispatch::reading::SHOWN;
use crate::history::HistoryBatch;
use crate::observer::{ObservedMetric, Observer};

/// How a receiver takes notices, for the health plane: `smtp:mail`, `webhook:hook`.
fn delivers(observer: &Observer, to: &Destination) -> ObservedMetric {
    let kind = match to.sender.kind() {
        "email" => "smtp",
        kind => kind,
    };
    observer.metric(&format!("{kind}:{}", to.name), "deliver")
}

impl Dispatcher {
    /// Opens a queue for each receiver, with what waits for it since before.
    pub fn open_queues(&mut self, inbox: &Inbox) {
        for destination in self.options.destinations.clone() {
            self.open_queue(destination, inbox);
        }
        self.retire_removed_receivers(unix_now());
        self.start_causes(inbox);
    }

    /// Opens the queue of one receiver, with what waits for it.
    fn open_queue(&mut self, destination: Destination, inbox: &Inbox) {
        let name = destination.name.clone();
        let delivers = delivers(&self.options.observer, &destination);
        let tools = QueueTools {
            window_of: Arc::clone(&self.options.window_of),
            delivers,
            gate: self.shared.as_ref().map(|shared| Arc::clone(&shared.gate)),
        };
        match ReceiverQueue::start(destination, inbox.sender(), tools) {
            Ok(queue) => drop(self.queues.insert(name.clone(), queue)),
            Err(error) => tracing::error!("receiver `{name}` gets nothing :: no thread for it: {error}"),
        }
        self.refill(&name, unix_now());
    }

    /// Follows other settings from the next step on. Incidents, cooldowns and what waits are those of before, so nothing is told
    /// twice; what a receiver has in hand it is told of as it was begun.
    pub(super) fn change(&mut self, change: DispatchChange, inbox: &Inbox) {
        for monitor in std::iter::once(&mut self.self_monitor).chain(self.other_monitors.values_mut()) {
            monitor.change(change.self_monitor.clone());
        }
        self.options.change(change);
        let destinations = self.options.destinations.clone();
        self.queues
            .retain(|name, _| destinations.iter().any(|destination| destination.name == *name));
        for destination in destinations {
            match self.queues.get_mut(&destination.name) {
                Some(queue) => queue.change(destination),
                None => self.open_queue(destination, inbox),
            }
        }
        self.retire_removed_receivers(unix_now());
    }

    /// Ends what belongs to receivers that are not in the settings any more: their notices become dead letters, the
    /// incidents about them are gone.
    pub(super) fn retire_removed_receivers(&mut self, now: f64) {
        let gone = |subject: &Subject| match subject {
            Subject::Component(name) => match name.strip_prefix("skywatch.receiver.") {
                Some(receiver) => !self.queues.contains_key(receiver),
                None => name == "skywatch.ingest" && self.options.self_monitor.ingest.is_none(),
            },
            _ => false,
        };
        let observations: Vec<Observation> = self
            .state
            .incidents()
            .filter(|incident| gone(&incident.subject))
            .map(|incident| Observation {
                subject: incident.subject.clone(),
                outcome: ObservedOutcome::Deleted,
            })
            .collect();
        if !observations.is_empty() {
            let _ = self.event(IncidentEvent::Observed(observations), now, HistoryBatch::new(now));
        }
        let Some(history) = self.buffer.history() else {
            return;
        };
        let depths = history.depths().unwrap_or_default();
        for depth in depths {
            if self.queues.contains_key(&depth.receiver) {
                continue;
            }
            tracing::warn!(
                "{} notices wait for `{}`, which is not in the settings any more :: `skywatch notices` shows them",
                depth.waiting,
                depth.receiver
            );
            let Some(history) = self.buffer.history() else {
                return;
            };
            let waiting = history.waiting(&depth.receiver, SHOWN, now).unwrap_or_default();
            for record in waiting {
                let error = "the receiver is not in the settings any more";
                self.buffer
                    .mark(&record.notice.id, &Settlement::Dead { error }, now);
            }
        }
    }

    /// Keeps a batch, then hands its notices to the queues.
    pub(super) fn queue(&mut self, batch: HistoryBatch) {
        let notices: Vec<Notice> = batch
            .notices
            .iter()
            .map(|posting| posting.notice.clone())
            .collect();
        self.buffer.keep(batch);
        let on_disk = self.buffer.trouble().is_none();
        for notice in notices {
            let Some(queue) = self.queues.get_mut(&notice.receiver) else {
                continue;
            };
            // What is committed can wait there; what is not must wait here.
            if on_disk && queue.is_full() {
                queue.more_wait(true);
                continue;
            }
            let reference = self
                .buffer
                .history()
                .and_then(|history| history.reference(&notice.receiver, &notice.thread).ok().flatten());
            if let Some(queue) = self.queues.get_mut(&notice.receiver) {
                queue.add(notice, reference);
            }
        }
    }

    /// Adds to a notice what the core cannot know: how often before. The window of its first incident is read by its queue.
    pub(super) fn complete(&mut self, mut notice: Notice, now: f64) -> Notice {
        let Content::Incidents(news) = &mut notice.content else {
            return notice;
        };
        let asked: Vec<(&Subject, u64)> = news
            .items
            .iter()
            .map(|item| (&item.anomaly.subject, item.incident))
            .collect();
        let before = self.buffer.before(&asked, now - BEFORE);
        for (item, before) in news.items.iter_mut().zip(before) {
            item.before = before.count;
            item.last_before = before.last;
        }
        self.add_causes(news);
        notice
    }

    pub(super) fn delivered(&mut self, delivery: Delivery) {
        let now = unix_now();
        let Some(queue) = self.queues.get_mut(&delivery.receiver) else {
            return;
        };
        let receiver = delivery.receiver.clone();
        let id = delivery.notice.id.clone();
        let summary = render::summary(&delivery.notice);
        match queue.delivered(delivery, now) {
            DeliveryOutcome::Sent(sent) => {
                tracing::info!("notice {id} sent to `{receiver}` :: {summary}");
                for refused in &sent.refused {
                    tracing::warn!("notice {id} to `{receiver}` not taken by all :: {refused}");
                }
                let reference = sent.reference.as_deref();
                self.buffer.mark(&id, &Settlement::Sent { reference }, now);
            }
            DeliveryOutcome::Again { error, after } => {
                tracing::warn!("notice {id} to `{receiver}` waits {after:.1?} :: {error}");
                let next_try = now + after.as_secs_f64();
                let error = &error;
                self.buffer
                    .mark(&id, &Settlement::Failed { error, next_try }, now);
            }
            DeliveryOutcome::HeldBack => {
                tracing::debug!("notice {id} to `{receiver}` is held back :: {summary}")
            }
            DeliveryOutcome::Dead(error) => {
                tracing::error!(
                    "notice {id} to `{receiver}` given up :: {error} :: {summary}\n  hint: `skywatch notices` shows it \
                     and can try it again"
                );
                self.buffer.mark(&id, &Settlement::Dead { error: &error }, now);
            }
        }
        // What lies in the outbox is read when little is left here, not after each notice: it may be many megabytes.
    }

    /// Brings notices from the outbox to a queue that has few left.
    pub(super) fn refill(&mut self, receiver: &str, now: f64) {
        let Some(queue) = self.queues.get_mut(receiver) else {
            return;
        };
        if queue.waiting() > IN_MEMORY / 2 {
            return;
        }
        let Some(history) = self.buffer.history() else {
            return;
        };
        let waiting = match history.waiting(receiver, IN_MEMORY, now) {
            Ok(waiting) => waiting,
            Err(error) => return tracing::warn!("outbox not readable :: {error}"),
        };
        queue.more_wait(waiting.len() == IN_MEMORY);
        for record in waiting {
            let id = &record.notice.id;
            // What was handed over while the disk was full still waits as far as the file knows.
            if queue.holds(id) || self.buffer.is_settled(id) {
                continue;
            }
            let reference = self
                .buffer
                .history()
                .and_then(|history| history.reference(receiver, &record.notice.thread).ok().flatten());
            queue.add(record.notice, reference);
        }
    }

    /// Brings notices from the outbox to queues that have few left while more wait there.
    pub(super) fn refill_the_short(&mut self, now: f64) {
        let short: Vec<String> = self
            .queues
            .values()
            .filter(|queue| queue.runs_short())
            .map(|queue| queue.name().to_owned())
            .collect();
        for name in short {
            self.refill(&name, now);
        }
    }
}
