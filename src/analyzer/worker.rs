//! A worker: one thread, one handle of the store, one shard of the metrics.
//!
//! A pass goes in two strides. Metrics whose window is cached are asked only for what is new; all others,
//! and those whose tail could not be told apart, are read whole. Fetching and judging alternate on the
//! same thread: while this worker judges, the store already prepares the next worker's reply.
//! The deadline is checked before each metric; what it leaves over is named.

mod fetching;
mod learning;
mod snapshots;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, after, never, select};
use skywatch_algorithms::Series;

use super::inquiry::MetricQuestion;
use super::metric_pass::JudgingContext;
use super::options::WorkerOptions;
use super::report::PassReport;
use super::shard_pass::{ShardPass, WorkerOrder};
use super::state_gaps::StateGaps;
use super::tracked::TrackedMetric;
use crate::cluster::VirtualShard;
use crate::status::{WARMING_SHOWN, Warming, WorkerProgress};
use crate::stop::Stop;
use crate::store::{Connect, Points};

type CursorOf<K> = <<K as Connect>::Store as Points>::Cursor;

/// The thread's state.
pub(crate) struct Worker<K: Connect> {
    connect: K,
    /// Opened when first needed and after each failure.
    store: Option<K::Store>,
    context: JudgingContext,
    /// The shard: names, virtual shards and knowledge side by side, same index.
    names: Arc<Vec<Arc<str>>>,
    shards: Vec<VirtualShard>,
    metrics: Vec<TrackedMetric<CursorOf<K>>>,
    gaps: StateGaps,
    /// Points as they come from the store, one metric at a time.
    series: Series,
    /// What people ask about its metrics.
    questions: Receiver<MetricQuestion>,
    stop: Stop,
    /// Metrics whose windows are learnt between passes, the next one last, and the "now" of the pass that left them.
    to_learn: Vec<usize>,
    learning_at: f64,
    was_learning: bool,
}

impl<K: Connect> Worker<K> {
    /// A worker with an empty shard and no connection yet.
    pub(crate) fn new(connect: K, options: WorkerOptions, progress: WorkerProgress, stop: Stop) -> Self {
        Self {
            connect,
            store: None,
            context: JudgingContext::new(options, progress),
            names: Arc::default(),
            shards: Vec::new(),
            metrics: Vec::new(),
            gaps: StateGaps::default(),
            series: Series::default(),
            questions: never(),
            stop,
            to_learn: Vec::new(),
            learning_at: 0.0,
            was_learning: false,
        }
    }

    /// The same, which answers questions about its metrics.
    #[must_use]
    pub(super) fn with_questions(self, questions: Receiver<MetricQuestion>) -> Self {
        Self { questions, ..self }
    }

    /// Follows orders until their channel closes.
    pub(super) fn run(mut self, orders: &Receiver<WorkerOrder>, reports: &Sender<PassReport>) {
        loop {
            let idle = match self.to_learn.is_empty() {
                true => never(),
                false => after(Duration::ZERO),
            };
            let order = select! {
                recv(orders) -> order => order,
                recv(idle) -> _ => {
                    self.learn_some();
                    continue;
                }
                recv(self.questions) -> question => {
                    match question {
                        Ok(question) => self.answer(question),
                        // Nobody can ask any more.
                        Err(_) => self.questions = never(),
                    }
                    continue;
                }
            };
            match order {
                Ok(WorkerOrder::Assign { add, remove }) => self.assign(add, remove),
                Ok(WorkerOrder::Snapshot(round)) => self.hand_snapshots(&round),
                Ok(WorkerOrder::Pass {
                    number,
                    now,
                    deadline,
                    followed,
                }) => {
                    let report = self.pass(number, now, deadline, followed);
                    if reports.send(report).is_err() {
                        return;
                    }
                    self.save_a_part(number);
                    self.gaps
                        .close(self.metrics.iter_mut().map(|metric| &mut metric.known.state));
                    self.plan_learning(now);
                }
                Err(_) => break,
            }
        }
        for part in 0..self.parts() {
            self.save_a_part(part as u64);
        }
    }

    /// Says what is known of one metric.
    fn answer(&self, question: MetricQuestion) {
        let place = self.names.iter().position(|name| **name == *question.metric);
        let snapshot = place.map(|place| Box::new(self.metrics[place].snapshot()));
        // Whoever asked may have gone.
        let _ = question.reply.try_send(snapshot);
    }

    /// Parts in which states are saved; 0 in the classic profile.
    fn parts(&self) -> usize {
        let adaptive = self.context.options.adaptive.as_ref();
        let saving = adaptive.and_then(|adaptive| adaptive.saving.as_ref());
        saving.map_or(0, |saving| saving.parts)
    }

    /// Saves the states of some metrics, others each pass; the pass has been reported by then.
    fn save_a_part(&self, number: u64) {
        let parts = self.parts();
        if parts == 0 {
            return;
        }
        let part = usize::try_from(number % parts as u64).unwrap_or(0);
        let (seat, seats) = self.context.options.seat;
        let metrics = self.names.len();
        let range = metrics * part / parts..metrics * (part + 1) / parts;
        let metrics = &self.metrics[range.clone()];
        if let Some(adaptive) = self.context.evaluator.adaptive() {
            let states = metrics.iter().map(TrackedMetric::state);
            let position = |index: usize, bytes: &mut Vec<u8>| metrics[index].write_position(bytes);
            let named = self.names[range].iter().zip(states);
            adaptive.save(&format!("{seat}-of-{seats}.{part}"), named, position);
        }
    }

    fn assign(&mut self, add: Vec<Arc<str>>, remove: Vec<Arc<str>>) {
        // Places change; the next pass takes stock anew.
        self.to_learn.clear();
        if !remove.is_empty() {
            let gone: HashSet<_> = remove.into_iter().collect();
            if let Some(adaptive) = self.context.evaluator.adaptive() {
                let all = self.names.iter().zip(&self.metrics);
                let released = all.filter(|(name, _)| gone.contains(*name));
                let released: Vec<_> = released
                    .filter_map(|(name, metric)| Some((name, metric.state()?)))
                    .collect();
                self.gaps.add(released.len());
                adaptive.release(released.into_iter());
            }
            let stays: Vec<bool> = self.names.iter().map(|name| !gone.contains(name)).collect();
            retain(self.context.change(&mut self.names), &stays);
            retain(&mut self.metrics, &stays);
            retain(&mut self.shards, &stays);
        }
        self.shards.extend(add.iter().map(|name| VirtualShard::of(name)));
        self.context.change(&mut self.names).extend(add);
        self.metrics.resize_with(self.names.len(), TrackedMetric::default);
    }

    fn pass(
        &mut self,
        number: u64,
        now: f64,
        deadline: Instant,
        followed: Arc<HashSet<String>>,
    ) -> PassReport {
        let report = PassReport::new(&self.context.options);
        let mut pass = ShardPass {
            number,
            now,
            deadline,
            followed,
            report,
            unread: None,
            classes: Vec::new(),
            without_window: Vec::new(),
        };
        let begun = Instant::now();
        self.context.begin(number, &self.names, &mut self.metrics);
        pass.report.trouble = self.look_at_all(&mut pass).err();
        pass.report.fetching = begun.elapsed().saturating_sub(pass.report.judging);
        self.context.end();
        for (name, metric) in self.names.iter().zip(&self.metrics) {
            if !metric.is_done(number) {
                pass.report.unfinished.push(Arc::clone(name));
            }
            if pass.report.warming.len() < WARMING_SHOWN
                && let Some((warmth, ready_at)) = self.context.warmth(metric)
            {
                pass.report.warming.push(Warming {
                    metric: name.to_string(),
                    warmth,
                    ready_at,
                });
            }
        }
        pass.report.cached_bytes = self.keep_to_the_limit();
        pass.report
    }

    /// Gives up the windows that came last until the others are within the limit, and answers their bytes.
    ///
    /// A pass looks at every metric once, in the same order. Whatever gave way to what is looked at now (the least recently
    /// used, the oldest) would be missed again before the pass is over, and nothing would be served from memory. So who is
    /// there stays; who comes when there is no room, or no longer has any as windows grow, is read whole.
    fn keep_to_the_limit(&mut self) -> usize {
        let mut bytes: usize = self.metrics.iter().map(TrackedMetric::bytes).sum();
        for metric in self.metrics.iter_mut().rev() {
            if bytes <= self.context.options.cache_bytes {
                break;
            }
            bytes -= metric.bytes();
            metric.forget();
        }
        self.context.cached_bytes = bytes;
        bytes
    }
}

/// Keeps what `stays`, in its order: what is looked at one after the other lies side by side in memory.
fn retain<T>(all: &mut Vec<T>, stays: &[bool]) {
    let mut stays = stays.iter();
    all.retain(|_| stays.next().is_none_or(|&stays| stays));
}

/// Steps of a worker one by one, for the law that a live watch and a replay agree.
#[cfg(test)]
impl<K: Connect> Worker<K> {
    pub(crate) fn take_over(&mut self, metrics: Vec<Arc<str>>) {
        self.assign(metrics, Vec::new());
    }

    pub(crate) fn look(&mut self, number: u64, now: f64) -> PassReport {
        self.look_following(number, now, &[])
    }

    pub(crate) fn look_following(&mut self, number: u64, now: f64, followed: &[&str]) -> PassReport {
        let deadline = Instant::now() + std::time::Duration::from_secs(600);
        let followed = followed.iter().map(|&name| name.to_owned()).collect();
        self.pass(number, now, deadline, Arc::new(followed))
    }

    pub(crate) fn limit_cache(&mut self, bytes: usize) {
        self.context.options.cache_bytes = bytes;
    }

    /// Learns all that the last pass left.
    pub(crate) fn learn_the_rest(&mut self, now: f64) {
        self.plan_learning(now);
        while !self.to_learn.is_empty() {
            self.learn_some();
        }
    }

    /// Takes over what another node has left.
    pub(crate) fn adopt(&self, snapshot: &super::shard_snapshot::ShardSnapshot) {
        let adaptive = self
            .context
            .options
            .adaptive
            .as_ref()
            .expect("the adaptive profile");
        let mut states = adaptive.states.adoption();
        snapshot
            .states
            .iter()
            .for_each(|part| states.add(part).expect("room"));
        adaptive.states.adopt(states).expect("room");
        for part in snapshot.hours.values().flatten() {
            adaptive.memory.adopt(part);
        }
    }

    pub(crate) fn save(&self, number: u64) {
        self.save_a_part(number);
    }

    /// Each metric's state as it would be saved: all points but the newest.
    pub(crate) fn states(&self) -> Vec<(Arc<str>, Vec<u8>)> {
        let all = self.names.iter().zip(&self.metrics);
        all.filter_map(|(name, metric)| {
            let mut bytes = Vec::new();
            metric.state()?.adaptive().write(&mut bytes);
            Some((Arc::clone(name), bytes))
        })
        .collect()
    }
}
