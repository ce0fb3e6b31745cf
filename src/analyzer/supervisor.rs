//! The supervisor: one pass after another, at the optimum distance.
//!
//! It owns the [workers](WorkerPool), the roster of metrics, and what is told of a pass. A worker that does not report in time cannot be
//! stopped from within; the supervisor then names what it was at and gives up, and whoever started the
//! process starts it again.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use skywatch_alerters::Anomaly;

use super::holding::ShardHolding;
use super::inquiry::MetricQuestion;
use super::losses::Losses;
use super::observed::observed;
use super::options::WorkerOptions;
use super::report::PassReport;
use super::roster::{NameOrder, Roster};
use super::shard_pass::WorkerOrder;
use super::snapshots::{SnapshotOptions, Snapshots};
use super::worker_pool::WorkerPool;
use super::{AnalyzerError, PassOutputs, sender_marks};
use crate::backoff::Backoff;
use crate::clock::unix_now;
use crate::cluster::Coordinator;
use crate::status::{Finding, Findings, FollowedOutcome, PassSummary, Seconds};
use crate::stop::Stop;
use crate::store::{Connect, Keys as _, Store as _, StoreError};

/// Life of the "up" key: two passes of a minute.
const UP_KEY_EXPIRY: Duration = Duration::from_secs(120);
/// Grace after the deadline before a worker counts as hung: longer than any single metric takes.
const HUNG_AFTER: Duration = Duration::from_secs(10);
/// Shortest and longest wait between two tries to reach the store.
const FIRST_BACKOFF: Duration = Duration::from_millis(250);
const LONGEST_BACKOFF: Duration = Duration::from_secs(10);
/// Unfinished metrics named in the log; the rest are counted.
const NAMED_UNFINISHED: usize = 10;

/// What the supervisor is told once.
pub struct AnalyzerOptions {
    /// For every worker.
    pub worker: WorkerOptions,
    /// Worker threads.
    pub workers: usize,
    /// Time from the start of one pass to the start of the next.
    pub optimum_run_duration: Duration,
    /// A pass leaves over what is not done by then.
    pub pass_deadline: Duration,
    /// Key set to the Unix time at each pass, so that others see us alive.
    pub up_key: String,
    /// End after so many passes; `None` goes on until told to stop.
    pub passes: Option<u64>,
    /// File that gets one JSON line a pass.
    pub summary: Option<PathBuf>,
    /// Where each worker hears what people ask, in the order of their seats; fewer, or none, if nobody can ask.
    pub questions: Vec<Receiver<MetricQuestion>>,
    /// Says which metrics are this node's.
    pub coordinator: Arc<dyn Coordinator>,
    /// How what was learnt goes from node to node; `None` for a node that is alone.
    pub snapshots: Option<SnapshotOptions>,
}

/// The loop's state.
pub struct Supervisor<K: Connect> {
    connect: K,
    options: AnalyzerOptions,
    outputs: PassOutputs,
    stop: Stop,
    workers: WorkerPool,
    roster: Roster,
    holding: ShardHolding,
    snapshots: Option<Snapshots>,
    /// What is lost of what there was.
    losses: Losses,
    summary: Option<File>,
    /// Anomalous metrics of the last pass, with the Unix time since when.
    since: HashMap<String, f64>,
    pass: u64,
}

impl<K: Connect> Supervisor<K> {
    /// Starts the workers.
    ///
    /// # Errors
    /// The summary file cannot be opened, or a thread cannot be started.
    pub fn new(
        connect: K,
        options: AnalyzerOptions,
        outputs: PassOutputs,
        stop: Stop,
    ) -> Result<Self, AnalyzerError> {
        let summary = options.summary.as_deref().map(open_summary).transpose()?;
        let (worker, liveness) = (&options.worker, &outputs.liveness);
        let workers = WorkerPool::start(
            &connect,
            options.workers,
            worker,
            &options.questions,
            liveness,
            &stop,
        )?;
        let adaptive = options.worker.adaptive.as_ref();
        let roster = Roster::new(adaptive.map(|adaptive| {
            let adaptive = Arc::clone(adaptive);
            let order: NameOrder = Box::new(move |names| adaptive.sort(names));
            order
        }));
        let snapshots = options
            .snapshots
            .as_ref()
            .zip(adaptive)
            .map(|(snapshots, adaptive)| {
                let pace = options.optimum_run_duration;
                Snapshots::start(snapshots, Arc::clone(adaptive), options.workers, pace)
            });
        let snapshots = snapshots.transpose().map_err(AnalyzerError::Thread)?;
        let since = outputs.status.since();
        let losses = Losses::since(outputs.status.last_pass().as_ref(), unix_now());
        Ok(Self {
            connect,
            holding: ShardHolding::new(Arc::clone(&options.coordinator)),
            snapshots,
            options,
            outputs,
            stop,
            workers,
            roster,
            losses,
            summary,
            since,
            pass: 0,
        })
    }

    /// Runs passes until told to stop, or until the asked number is done.
    ///
    /// # Errors
    /// A worker hangs or has died, or the summary file cannot be written.
    pub fn run(mut self) -> Result<(), AnalyzerError> {
        let outcome = self.run_passes();
        // Before states are saved, which takes its time: others may go on at once.
        self.holding.leave();
        outcome.and_then(|()| self.workers.end())
    }

    fn run_passes(&mut self) -> Result<(), AnalyzerError> {
        let mut store = None;
        while !self.stop.is_said() {
            let begun = Instant::now();
            let Some(reached) = self.reach(&mut store) else {
                break;
            };
            match self.one_pass(reached)? {
                Some(error) => {
                    tracing::warn!("a pass gave up :: {error}");
                    store = None;
                }
                None if self.holding.shards().is_empty() => {
                    tracing::info!("no virtual shard is this node's :: other nodes watch, or hand some over");
                }
                None if self.roster.metrics() == 0 => {
                    tracing::info!(
                        "no metrics in {} :: nothing to analyze yet",
                        self.connect.describe()
                    );
                }
                None => {}
            }
            if self.options.passes.is_some_and(|passes| self.pass >= passes) {
                break;
            }
            let left = self.options.optimum_run_duration.saturating_sub(begun.elapsed());
            if left.is_zero() {
                tracing::warn!(
                    "pass overran :: took {:.2} seconds of {:.2}",
                    begun.elapsed().as_secs_f64(),
                    self.options.optimum_run_duration.as_secs_f64()
                );
            } else {
                tracing::info!(
                    "sleeping for {:.2} seconds due to low run time",
                    left.as_secs_f64()
                );
            }
            self.stop.sleep(left);
        }
        Ok(())
    }

    /// Pings the store, connecting again as often as needed; nothing if told to stop meanwhile.
    fn reach<'s>(&mut self, store: &'s mut Option<K::Store>) -> Option<&'s mut K::Store> {
        let mut backoff = Backoff::new(FIRST_BACKOFF, LONGEST_BACKOFF);
        let mut failures = 0;
        loop {
            let outcome = match store {
                Some(store) => store.ping(),
                None => self.connect.connect().and_then(|mut new| {
                    new.ping()?;
                    *store = Some(new);
                    Ok(())
                }),
            };
            match outcome {
                Ok(()) => break,
                Err(error) => {
                    *store = None;
                    failures += 1;
                    tracing::error!("store unreachable, try {failures} :: {error}");
                    self.outputs.trouble(&error);
                    if self.stop.sleep(backoff.pause()) {
                        return None;
                    }
                }
            }
        }
        if failures > 0 {
            tracing::info!("store reached again after {failures} tries");
        }
        store.as_mut()
    }

    /// One look at all metrics. Answers the error that cut it short, if one did.
    fn one_pass(&mut self, store: &mut K::Store) -> Result<Option<StoreError>, AnalyzerError> {
        let now = unix_now();
        let begun = Instant::now();
        if let Some(adaptive) = &self.options.worker.adaptive {
            adaptive.memory.tend(now);
            adaptive.states.tend(now);
        }
        if let Err(error) = self.announce_and_list(store, now, begun + self.options.pass_deadline) {
            // A pass that could not even list its metrics is none: nothing is known, nothing is said.
            self.outputs.trouble(&error);
            return Ok(Some(error));
        }
        self.pass += 1;
        let names = begun.elapsed();
        let deadline = begun + self.options.pass_deadline;
        self.outputs.liveness.pass_begins(deadline + HUNG_AFTER);
        let followed = self.outputs.followed.current();
        self.workers.order(|| WorkerOrder::Pass {
            number: self.pass,
            now,
            deadline,
            followed: Arc::clone(&followed),
        })?;
        let mut sum = PassReport::new(&self.options.worker);
        for _ in 0..self.workers.len() {
            sum.add(
                self.workers
                    .next_report(deadline + HUNG_AFTER, &self.outputs.liveness)?,
            );
        }
        self.outputs.liveness.pass_ends();
        if self.stop.is_said() && !sum.unfinished.is_empty() {
            // Half a pass says nothing about the metrics it did not reach: what the last whole one said stands.
            tracing::info!(
                "pass {} broken off to stop :: {} metrics left over",
                self.pass,
                sum.unfinished.len()
            );
            return Ok(None);
        }
        if let Err(error) = self.holding.confirm(&mut sum) {
            self.outputs.trouble(&error);
            return Ok(Some(error));
        }
        // Asked each pass, not only when one leaves: it may have left while nobody looked.
        let gone = followed
            .iter()
            .filter(|name| !self.roster.holds(name) && self.holding.has_kept(name));
        sum.outcomes
            .extend(gone.map(|name| (Arc::from(name.as_str()), FollowedOutcome::Deleted)));
        if let Err(error) = sender_marks::apply(store, &followed, now, &mut sum) {
            // What was found stands as it is.
            sum.trouble = sum.trouble.or(Some(error));
        }
        let total = begun.elapsed();
        let workers = self.workers.len() as f64;
        let seconds = Seconds {
            names: names.as_secs_f64(),
            fetch: sum.fetching.as_secs_f64() / workers,
            judge: sum.judging.as_secs_f64() / workers,
            total: total.as_secs_f64(),
        };
        let lasting = followed.iter().filter(|name| self.holding.has_kept(name)).count();
        let trouble = self.publish(sum, now, seconds, lasting as u64)?;
        self.hand_over(now)?;
        Ok(trouble)
    }

    /// Leaves snapshots for other nodes, and gives back some of what belongs to them.
    fn hand_over(&mut self, now: f64) -> Result<(), AnalyzerError> {
        let leaving = self.holding.leaving();
        let Some(snapshots) = &self.snapshots else {
            self.holding.hand_over(&leaving);
            return Ok(());
        };
        let Some((round, all_done)) = snapshots.round(self.holding.owned(), &leaving, self.pass, now) else {
            return Ok(());
        };
        self.workers.order(|| WorkerOrder::Snapshot(round.clone()))?;
        drop(round);
        if !leaving.is_empty() {
            let whole = snapshots.wait(&all_done, &self.stop);
            self.holding.hand_over(&leaving.within(&whole));
        }
        Ok(())
    }

    /// Says that we are alive, and gives each worker its metrics, all of which must be known when they are `due`.
    fn announce_and_list(&mut self, store: &mut K::Store, now: f64, due: Instant) -> Result<(), StoreError> {
        let up = (now as u64).to_string();
        let refused = match store.set(&[(&self.options.up_key, up.as_bytes())], Some(UP_KEY_EXPIRY)) {
            // A full store can be read: not to watch would be the worse failure. Who may not even read is told so next.
            Err(error) if error.is_of_writes_only() || matches!(error, StoreError::Denied { .. }) => {
                tracing::warn!(
                    "watching, though nobody can see it by `{}` :: {error}",
                    self.options.up_key
                );
                Some(error)
            }
            outcome => outcome.map(|()| None)?,
        };
        self.losses.written(refused.as_ref(), now);
        self.losses.said(store.condition()?, now);
        let shards = self.holding.begin()?;
        if let Some(snapshots) = &mut self.snapshots {
            snapshots.adopt(self.holding.owned())?;
        }
        let changes = self.roster.refresh(store, self.workers.len(), &shards, due)?;
        self.workers.assign(changes);
        Ok(())
    }

    /// Says what a finished pass found: log, summary file, status, Graphite, dispatch.
    fn publish(
        &mut self,
        mut sum: PassReport,
        now: f64,
        seconds: Seconds,
        followed: u64,
    ) -> Result<Option<StoreError>, AnalyzerError> {
        let ensemble = self.options.worker.ensemble.current();
        let detectors: Vec<&str> = ensemble.names().collect();
        let hours = sum.canary_hours(&self.options.worker);
        let full_hours = self.options.worker.full_duration / 3600.0;
        let mut summary = PassSummary {
            pass: self.pass,
            at: now,
            metrics: self.roster.metrics() as u64,
            unfinished: sum.unfinished.len() as u64,
            retried: sum.retried,
            seconds,
            duration: hours,
            projected: if hours > 0.0 {
                full_hours * seconds.total / hours
            } else {
                0.0
            },
            cached_bytes: sum.cached_bytes as u64,
            without_room: sum.without_room,
            ..PassSummary::default()
        };
        self.holding.write_into(&mut summary);
        self.losses.share(summary.shards);
        sum.tally.write_into(&mut summary, &detectors, &mut sum.timings);
        let unfinished = summary.unfinished;
        self.losses
            .pass(summary.metrics, followed, &sum.tally, unfinished, &mut summary);
        if self.losses.is_lost() {
            // Whether a metric was deleted or lost with the others nobody knows.
            sum.outcomes
                .retain(|(_, outcome)| *outcome != FollowedOutcome::Deleted);
        }
        if let Some(adaptive) = &self.options.worker.adaptive {
            let [dropped, failed, _] = adaptive.memory.losses().counts();
            summary.memory_dropped = dropped + adaptive.states.counts().damaged;
            summary.memory_failed = failed;
        }
        for line in summary.log_lines() {
            tracing::info!("{line}");
        }
        for (reason, which) in &sum.tally.reasons {
            tracing::warn!(
                "not analyzed, {} metrics :: {reason} :: first {:?}",
                which.count,
                which.metrics
            );
        }
        if !sum.unfinished.is_empty() {
            let named: Vec<_> = sum.unfinished.iter().take(NAMED_UNFINISHED).collect();
            tracing::warn!(
                "unfinished :: {} metrics :: first {named:?}",
                sum.unfinished.len()
            );
        }
        if let Some(file) = &mut self.summary {
            let mut line = serde_json::to_vec(&summary).map_err(AnalyzerError::Summary)?;
            line.push(b'\n');
            let written = file.write_all(&line).and_then(|()| file.flush());
            written.map_err(|source| AnalyzerError::SummaryFile {
                path: self.options.summary.clone().unwrap_or_default(),
                source,
            })?;
        }
        let findings = Findings {
            findings: self.findings(std::mem::take(&mut sum.anomalies), &sum.unfinished),
            outcomes: std::mem::take(&mut sum.outcomes),
            silent: sum.silent.drain(..).map(|(name, _)| name).collect(),
            warming: std::mem::take(&mut sum.warming),
            back: std::mem::take(&mut sum.back),
            newest: sum.newest,
            cut_short: sum.trouble.as_ref().map(ToString::to_string),
            summary,
        };
        self.outputs.status.pass(&findings);
        if let Some(error) = &sum.trouble {
            self.outputs.trouble(error);
        }
        self.outputs.push(&findings.summary);
        let looked_at = *self.holding.confirmed();
        self.outputs.inlet.report(observed(findings, looked_at));
        Ok(sum.trouble)
    }

    /// Adds to each anomaly since when it lasts. A metric that was left over keeps what was known of it.
    fn findings(&mut self, anomalies: Vec<Anomaly>, unfinished: &[Arc<str>]) -> Vec<Finding> {
        let before = std::mem::take(&mut self.since);
        for name in unfinished {
            if let Some((name, since)) = before.get_key_value(&**name) {
                self.since.insert(name.clone(), *since);
            }
        }
        let findings = anomalies.into_iter().map(|anomaly| {
            let name = anomaly.subject.name().to_owned();
            let since = before.get(&name).copied().unwrap_or(anomaly.at);
            self.since.insert(name, since);
            Finding { anomaly, since }
        });
        findings.collect()
    }
}

/// Opens a summary file, which is appended to.
///
/// # Errors
/// [`AnalyzerError::SummaryFile`].
pub fn open_summary(path: &Path) -> Result<File, AnalyzerError> {
    let opened = File::options().create(true).append(true).open(path);
    opened.map_err(|source| AnalyzerError::SummaryFile {
        path: path.to_owned(),
        source,
    })
}
