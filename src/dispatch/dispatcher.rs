//! The dispatcher: one thread that knows everything about incidents, and the only one that writes it down. What it answers to
//! people is in [`answers`].

mod answers;
mod causes;
mod delivery;
mod ending;
mod incident_votes;
mod reports;
mod restore;
mod self_checks;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, never, select};
use skywatch_alerters::incident::{Incident, IncidentTransition, Phase};
use skywatch_alerters::state::{
    EventRefused, IncidentEvent, IncidentState, Next, NumberClaim, PersistedState, Step,
};
use skywatch_alerters::{host, render};

use self::incident_votes::IncidentVotes;
use super::buffer::HistoryBuffer;
use super::cause_search::CauseSearches;
use super::causes::CauseWorker;
use super::finders::Finders;
use super::inbox::DispatchMessage;
use super::node_scopes::NodeScopes;
use super::options::DispatchOptions;
use super::queue::ReceiverQueue;
use super::reading::HistoryPruner;
use super::request::Reply;
use super::self_monitor::SelfMonitor;
use super::shared::{LogWriter, SharedLead};
use crate::clock::unix_now;
use crate::history::{HistoryBatch, Posting};
use crate::inlet::FromFinder;
use crate::stop::Stop;

/// Incidents of one step that get a line in the log; the rest are counted there and shown on the pages.
const LOGGED: usize = 100;
/// How often the dispatcher looks up when nothing comes.
const TICK: Duration = Duration::from_millis(500);
/// How often the dispatcher looks at how Skywatch itself does.
const LOOK_EACH: Duration = Duration::from_secs(5);
/// How far back "how often before" looks, seconds.
const BEFORE: f64 = 30.0 * 86_400.0;
/// Seconds between two times all live incidents are written down, though they took no step.
const WRITE_ALL_EACH: f64 = 300.0;
/// Under which key the numbers lie that may have been given.
const CLAIMED: &str = "claimed";
/// Under which key it is kept which reports of finders were taken.
const TAKEN: &str = "taken";
/// Numbers claimed beyond those that are asked for: a kill makes the next run begin so far ahead.
const CLAIMED_AHEAD: u64 = 10;

/// Everything about incidents.
pub struct Dispatcher {
    options: DispatchOptions,
    state: IncidentState,
    /// Numbers below these are claimed in the file.
    claimed: Next,
    buffer: HistoryBuffer,
    queues: BTreeMap<String, ReceiverQueue>,
    all_written_at: f64,
    pruner: HistoryPruner,
    /// Receivers whose rate cap holds something back, so that it is said once.
    held_back: HashMap<String, usize>,
    self_monitor: SelfMonitor,
    votes: IncidentVotes,
    /// There once queues are open.
    causes: Option<CauseWorker>,
    searches: CauseSearches,
    looked_at: Instant,
    finders: Finders,
    /// The other nodes, where there may be any.
    shared: Option<SharedLead>,
    scopes: NodeScopes,
    /// What is known of other nodes' Skywatch, by node.
    other_monitors: BTreeMap<String, SelfMonitor>,
}

/// Why a dispatcher ended.
pub(super) enum DispatchEnd {
    /// Stop was said.
    Stopped,
    /// Another node leads; the options as they are by now.
    Displaced(Box<DispatchOptions>),
}

impl Dispatcher {
    /// Opens the history and takes up where it ended. Nothing is sent before [`Dispatcher::open_queues`].
    pub fn open(options: DispatchOptions) -> Self {
        Self::open_with(options, None, None)
    }

    /// The same for a node that leads others, which read the log.
    pub(super) fn open_shared(options: DispatchOptions, log: LogWriter, lead: SharedLead) -> Self {
        Self::open_with(options, Some(log), Some(lead))
    }

    fn open_with(options: DispatchOptions, log: Option<LogWriter>, shared: Option<SharedLead>) -> Self {
        let now = unix_now();
        let mut buffer = HistoryBuffer::open(&options.history, log, now);
        let saved = buffer.load(now - options.policy.hysteresis.return_within);
        let origin: Option<String> = meta(&saved.meta, "origin");
        let pace = meta(&saved.meta, "pace").unwrap_or_default();
        let mut batch = HistoryBatch::new(now);
        let origin = origin.unwrap_or_else(|| {
            let origin = new_origin(now);
            batch
                .meta
                .push(("origin".to_owned(), Some(origin.clone().into())));
            origin
        });
        // What the run before claimed it may have given, and told people of, though it could not write it down.
        let next: Next = meta(&saved.meta, "next").unwrap_or_default();
        let claimed: Next = meta(&saved.meta, CLAIMED).unwrap_or(next);
        let next = Next {
            incident: next.incident.max(claimed.incident).max(saved.next_incident),
            silence: next.silence.max(claimed.silence).max(saved.next_silence),
            notice: 1,
        };
        if !buffer.is_loaded() {
            tracing::warn!(
                "what was known of before is not known now :: incidents get long numbers meanwhile"
            );
        }
        let kept = PersistedState {
            incidents: saved.incidents,
            silences: saved.silences,
            cooldowns: saved.cooldowns,
            pace,
            next,
        };
        buffer.keep(batch);
        let self_monitor = SelfMonitor::new(options.self_monitor.clone(), meta(&saved.meta, "daily"), now);
        let claim = NumberClaim::nothing((now * 1e6) as u64);
        let state = IncidentState::new(&origin, &run_name(now), kept, claim);
        Self {
            finders: Finders::new(saved.meta.get(TAKEN).cloned()),
            votes: IncidentVotes::new(options.observer.clone(), state.incidents()),
            state,
            claimed: next,
            self_monitor,
            causes: None,
            searches: CauseSearches::default(),
            looked_at: Instant::now(),
            options,
            buffer,
            queues: BTreeMap::new(),
            all_written_at: now,
            pruner: HistoryPruner::new(now),
            held_back: HashMap::new(),
            shared,
            scopes: NodeScopes::new(),
            other_monitors: BTreeMap::new(),
        }
    }

    /// Claims so many numbers, and some more, before they are given. Without a file that can be written, or whose numbers
    /// are not known, none are claimed.
    fn claim(&mut self, incidents: u64, silences: u64, now: f64) {
        let next = self.state.next();
        let is_enough = self.claimed.incident >= next.incident + incidents
            && self.claimed.silence >= next.silence + silences;
        if is_enough || !self.buffer.is_loaded() {
            return;
        }
        // A command that opens the files itself gives what it was asked for, and ends.
        let ahead = if self.options.destinations.is_empty() {
            0
        } else {
            CLAIMED_AHEAD
        };
        let claim = Next {
            incident: next.incident + incidents + ahead,
            silence: next.silence + silences + ahead,
            ..next
        };
        let mut batch = HistoryBatch::new(now);
        batch
            .meta
            .push((CLAIMED.to_owned(), serde_json::to_value(claim).ok()));
        self.buffer.keep(batch);
        if self.buffer.trouble().is_none() {
            self.claimed = claim;
            self.state.claimed(claim.incident, claim.silence);
        }
    }

    /// Why nothing is written down at present, if so.
    pub fn trouble(&self) -> Option<&str> {
        self.buffer.trouble()
    }

    /// Works until stop is said, takes what finders have handed over by then, and lets queues finish what they have in hand. Finders
    /// are those of this node and those of others.
    pub(super) fn run(
        mut self,
        finders: [&Receiver<FromFinder>; 2],
        messages: &Receiver<DispatchMessage>,
        stop: &Stop,
    ) -> DispatchEnd {
        let [mut from_finders, mut from_others] = finders.map(Clone::clone);
        while !stop.is_said() {
            if self.buffer.is_displaced() {
                return DispatchEnd::Displaced(Box::new(self.displaced(messages)));
            }
            select! {
                recv(from_finders) -> message => match message {
                    Ok(message) => self.take_in_here(message),
                    Err(_) => from_finders = never(),
                },
                recv(from_others) -> message => match message {
                    Ok(message) => self.take_in(message),
                    Err(_) => from_others = never(),
                },
                recv(messages) -> message => if let Ok(message) = message { self.message(message) },
                recv(stop.channel()) -> _ => {}
                default(self.searches.next_end().map_or(TICK, |end| end.min(TICK))) => {}
            }
            self.tick();
        }
        while let Ok(message) = from_finders.try_recv() {
            self.take_in_here(message);
        }
        self.confirm();
        self.end(messages);
        DispatchEnd::Stopped
    }

    fn message(&mut self, message: DispatchMessage) {
        match message {
            DispatchMessage::Ask(request, reply) => {
                // Whoever asked may have gone.
                let _ = reply.send(self.answer(*request));
            }
            DispatchMessage::Delivered(delivery) => self.delivered(*delivery),
            DispatchMessage::Examine(metric, at, reply) => {
                let by = self.scopes.finder_of(&metric).map(str::to_owned);
                self.finders.examine(by.as_deref(), metric, at, reply);
            }
            DispatchMessage::CausesFound(found) => self.causes_found(found),
            DispatchMessage::Adopt(adopted, reply) => {
                let now = unix_now();
                let incidents = adopted.incidents.len();
                tracing::info!("a node that led on its own hands over {incidents} open incidents");
                let _ = self.event(IncidentEvent::Adopt(adopted), now, HistoryBatch::new(now));
                self.follow();
                let _ = reply.send(Reply::Done {
                    count: incidents as u64,
                });
            }
            DispatchMessage::Change(change, inbox) => self.change(*change, &inbox),
        }
    }

    /// Lets the core work out what follows, keeps it, and hands out the notices.
    fn event(&mut self, event: IncidentEvent, now: f64, mut batch: HistoryBatch) -> Result<(), EventRefused> {
        let (incidents, silences) = self.state.asks_for(&event);
        if incidents + silences > 0 {
            self.claim(incidents, silences, now);
        }
        let step = self.state.step(&self.options.policy, event, now)?;
        self.log_step(&step);
        self.votes.follow(&step);
        self.look_for_causes(&step, now);
        let Step {
            incidents,
            transitions,
            notices,
            told,
            silences,
            cooldowns,
            paced,
            ..
        } = step;
        let touched: HashSet<u64> = incidents.iter().map(|incident| incident.id).collect();
        batch.incidents.retain(|incident| !touched.contains(&incident.id));
        batch.incidents.extend(incidents);
        batch.transitions = transitions;
        batch.silences = silences;
        batch.cooldowns = cooldowns;
        if !paced.is_empty() {
            let pace: Vec<_> = self
                .options
                .policy
                .receivers
                .iter()
                .filter_map(|receiver| Some((&receiver.name, self.state.recent_sends(&receiver.name)?)))
                .collect();
            batch
                .meta
                .push(("pace".to_owned(), serde_json::to_value(pace).ok()));
        }
        if !(paced.is_empty() && batch.incidents.is_empty() && batch.silences.is_empty()) {
            let next = serde_json::to_value(self.state.next()).ok();
            batch.meta.push(("next".to_owned(), next));
        }
        let postings = notices.into_iter().zip(told);
        batch.notices = postings
            .map(|(notice, incidents)| Posting {
                notice: self.complete(notice, now),
                incidents,
                settled: None,
            })
            .collect();
        self.queue(batch);
        Ok(())
    }

    /// Says in the log what happened.
    fn log_step(&mut self, step: &Step) {
        if self.options.log {
            // Those that have ended are known from the step alone.
            let kept: HashMap<u64, &Incident> = step
                .incidents
                .iter()
                .map(|incident| (incident.id, incident))
                .collect();
            let lines =
                |wanted: fn(&IncidentTransition) -> bool| step.transitions.iter().filter(move |t| wanted(t));
            for transition in lines(|transition| transition.to == Phase::Open).take(LOGGED) {
                if let Some(incident) = kept.get(&transition.incident) {
                    let line = render::log_line(&incident.anomaly);
                    tracing::warn!(target: "skywatch::anomaly", "{line}; incident {}", incident.id);
                }
            }
            for transition in lines(|transition| transition.to != Phase::Open).take(LOGGED) {
                if let Some(incident) = kept.get(&transition.incident) {
                    let name = skywatch_alerters::text::shorten(incident.subject.name(), 300);
                    tracing::info!(
                        target: "skywatch::anomaly",
                        "{name} {} :: {}; incident {}", transition.to, transition.why, incident.id
                    );
                }
            }
            let rest = step.transitions.len().saturating_sub(LOGGED);
            if rest > 0 {
                tracing::warn!(target: "skywatch::anomaly", "and up to {rest} more changes of incidents");
            }
        }
        for (receiver, held) in &step.held_back {
            if self.held_back.insert(receiver.clone(), *held) != Some(*held) {
                tracing::warn!(
                    "{held} notices to `{receiver}` held back by its rate cap :: the next one says so"
                );
            }
        }
        self.held_back.retain(|receiver, _| {
            step.held_back.iter().any(|(held, _)| held == receiver) || step.paced.is_empty()
        });
    }

    fn tick(&mut self) {
        let now = unix_now();
        // Groups whose turn comes between two passes.
        let _ = self.event(IncidentEvent::Tick, now, HistoryBatch::new(now));
        if self.looked_at.elapsed() >= LOOK_EACH {
            self.looked_at = Instant::now();
            self.check_ourselves(now);
            self.write_status(now);
        }
        self.votes.tick();
        self.restore_deleted_history(now);
        self.buffer.tick(now);
        if self.buffer.log_is_to_begin() {
            self.write_live(now);
            let since = now - self.options.policy.hysteresis.return_within;
            self.buffer.begin_log(self.state.origin(), since, now);
        }
        self.confirm();
        self.refill_the_short(now);
        self.work_queues();
        let keep = self.options.keep_history;
        self.pruner.work(self.buffer.history(), keep, now);
    }

    fn work_queues(&mut self) {
        self.work_queues_if(|_| true);
    }

    fn work_queues_that_are_well(&mut self) {
        self.work_queues_if(|queue| queue.failing().is_none());
    }

    /// Lets queues hand out what is complete.
    fn work_queues_if(&mut self, is_wanted: impl Fn(&ReceiverQueue) -> bool) {
        let mut queues = std::mem::take(&mut self.queues);
        for queue in queues.values_mut().filter(|queue| is_wanted(queue)) {
            queue.work(|notice| self.complete_causes(notice));
        }
        self.queues = queues;
    }

    /// All live incidents, also those that took no step.
    fn live(&self) -> Vec<Incident> {
        let live = self.state.incidents();
        live.filter(|incident| incident.phase != Phase::Pending)
            .cloned()
            .collect()
    }

    /// Writes them down.
    fn write_live(&mut self, now: f64) {
        self.buffer.keep(HistoryBatch {
            incidents: self.live(),
            ..HistoryBatch::new(now)
        });
    }
}

fn meta<T: serde::de::DeserializeOwned>(kept: &BTreeMap<String, serde_json::Value>, key: &str) -> Option<T> {
    serde_json::from_value(kept.get(key)?.clone()).ok()
}

/// The name of this run, as no other has it: whatever lies on the disk, and whether or not it can be written, ids of
/// notices made of it were never given before. Letters and digits.
fn run_name(now: f64) -> String {
    // The library seeds each hasher by the system's randomness and a counter.
    let random = RandomState::new().hash_one((std::process::id(), now.to_bits()));
    format!("{:x}{:04x}", now as u64, random & 0xffff)
}

/// What the ids of this history's notices begin with: never the same for two histories.
fn new_origin(now: f64) -> String {
    let seed = format!("{} {} {now}", host::name(), std::process::id());
    format!("{:08x}", crate::hash::hash(&seed) & 0xffff_ffff)
}
