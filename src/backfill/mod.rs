//! Filling windows from elsewhere, so that on day one there is something to judge.
//!
//! One part of the source after the other: fetch, put in canonical order, judge as the ingest would, append, note it
//! as done. Nothing is ever replaced: points that are stored already are stored twice and vanish on reading. The pace is
//! that of the store or of `rate`, whichever is slower; nothing waits in a queue, so nothing has to be bounded.

mod ended;
mod error;
mod learn;
mod progress;
mod summary;

use std::path::Path;
use std::time::{Duration, Instant};

use skywatch_algorithms::Series;

use crate::backoff::Backoff;
use crate::clock::unix_now;
use crate::ingest::{DropReason, Gate, IntakePolicy};
use crate::metric_name;
use crate::sources::{Source, SourceError, Span};
use crate::stop::Stop;
use crate::store::{Connect, Names as _, Sample, Store, StoreError};
use ended::EndedMetrics;
pub use error::BackfillError;
pub use learn::BaselineFolders;
use learn::BaselineLearner;
use progress::BackfillProgress;
pub use summary::BackfillSummary;

/// Points appended at one go: some 300 kB, which a Redis takes in a few milliseconds.
const BATCH: usize = 10_000;
/// Batches a second when the rate is low, so that it is a stream and no burst each second.
const BATCHES_A_SECOND: u32 = 10;
/// Shortest and longest wait between two tries of a part, or of the store.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Parts in a row that fail, each after all its tries, before the source is given up: no fault of three parts.
const FAILURES_IN_A_ROW: u32 = 3;

/// How to fill.
#[derive(Debug, Clone)]
pub struct BackfillOptions {
    /// What is fetched.
    pub span: Span,
    /// What is let in.
    pub policy: IntakePolicy,
    /// Seconds of a window, if old points are asked for: of a metric of which nothing younger comes, the window before its
    /// last point is stored, whatever its age.
    pub old_windows: Option<f64>,
    /// Points a second, at most.
    pub rate: u32,
    /// Tries of a part beyond the first.
    pub retries: u32,
    /// What is taught by all points of the last 35 days, also by those too old for the store; `None` if nobody learns.
    pub knowledge: Option<BaselineFolders>,
}

/// What a backfill tells while it runs: parts there are, parts behind it, points stored so far.
pub type OnProgress<'t> = dyn FnMut(usize, usize, u64) + Send + 't;

/// Fills the store behind `connect` from a source, keeping its progress in `folder`.
///
/// # Errors
///
/// [`BackfillError`] once there is no going on. Parts that fail by themselves are in the summary.
pub fn run(
    source: &mut dyn Source,
    connect: &impl Connect,
    folder: &Path,
    options: &BackfillOptions,
    on_progress: &mut OnProgress<'_>,
    stop: &Stop,
) -> Result<BackfillSummary, BackfillError> {
    let begun = Instant::now();
    let mut store = connect.connect()?;
    let unwritten = |path: &Path, source| BackfillError::Progress {
        path: path.display().to_string(),
        source,
    };
    let mut progress = BackfillProgress::open(folder, &source.describe(), &connect.describe())
        .map_err(|source| unwritten(folder, source))?;
    let gate = Gate::new(options.policy.clone());
    let mut names = Vec::new();
    store.list(&mut |name| names.push(name.to_owned()))?;
    gate.remember(&names, unix_now());
    drop(names);
    let mut summary = BackfillSummary::default();
    let parts = with_retries(options, stop, &mut summary, || source.parts())?.unwrap_or_default();
    summary.parts = parts.len();
    let learner = options.knowledge.as_ref().map(BaselineLearner::new).transpose()?;
    let mut work = PointWriter {
        ended: options.old_windows.map(EndedMetrics::new),
        learner,
        store: &mut store,
        gate: &gate,
        options,
        stop,
        begun,
        sent: 0,
    };
    let mut failed_in_a_row = 0;
    for (position, part) in parts.iter().enumerate() {
        on_progress(parts.len(), position, summary.points);
        if stop.is_said() {
            break;
        }
        let Some(span) = progress.left(part, options.span) else {
            summary.done_before += 1;
            continue;
        };
        let fetched = with_retries(options, stop, &mut summary, || {
            let mut found = Vec::new();
            let left_out = source.fetch(part, span, &mut |name, series| {
                found.push((name.to_owned(), std::mem::take(series)));
            })?;
            Ok((found, left_out))
        });
        match fetched {
            Ok(Some((found, left_out))) => {
                failed_in_a_row = 0;
                left_out
                    .into_iter()
                    .for_each(|(reason, count)| summary.leave_out(reason, count));
                if !work.take(found, span, &mut summary)? {
                    break;
                }
                if let Some(learner) = &mut work.learner
                    && source.gives_metrics_whole()
                {
                    learner.release()?;
                }
                progress
                    .done(part, span)
                    .map_err(|source| unwritten(progress.path(), source))?;
                summary.fetched += 1;
            }
            Ok(None) => break,
            Err(error) => {
                // What is wrong with one part says nothing about the server.
                failed_in_a_row = if error.is_of_the_part() {
                    0
                } else {
                    failed_in_a_row + 1
                };
                tracing::warn!("`{part}` is left out :: {error}");
                summary.fail(part, error.to_string());
                if failed_in_a_row >= FAILURES_IN_A_ROW && position + 1 < parts.len() {
                    return Err(error.into());
                }
            }
        }
    }
    if !stop.is_said() {
        work.store_ended(&mut summary)?;
    }
    if let Some(learner) = work.learner.take() {
        let left = learner.finish(options.span.until)?;
        summary.hours = left.hours;
        summary.taught = left.states;
        summary.leave_out("untaught_metrics", left.without_room);
    }
    on_progress(parts.len(), parts.len(), summary.points);
    summary.is_interrupted = stop.is_said();
    summary.seconds = begun.elapsed().as_secs_f64();
    Ok(summary)
}

/// Tries until it works, is not worth another try, or was tried often enough. `None` if stop was said before.
fn with_retries<T>(
    options: &BackfillOptions,
    stop: &Stop,
    summary: &mut BackfillSummary,
    mut attempt: impl FnMut() -> Result<T, SourceError>,
) -> Result<Option<T>, SourceError> {
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
    for left in (0..=options.retries).rev() {
        match attempt() {
            Err(error) if error.is_retryable() && left > 0 => {
                let pause = backoff.pause();
                tracing::warn!("trying again in {} s :: {error}", pause.as_secs_f32());
                summary.retries += 1;
                if stop.sleep(pause) {
                    return Ok(None);
                }
            }
            outcome => return outcome.map(Some),
        }
    }
    // The last round has returned.
    Ok(None)
}

/// The points of a canonical series that were asked for.
fn within(series: &Series, span: Span) -> Series {
    let from = series.times.partition_point(|&time| time <= span.after);
    let to = series.times.partition_point(|&time| time <= span.until);
    Series {
        times: series.times[from..to.max(from)].to_vec(),
        values: series.values[from..to.max(from)].to_vec(),
    }
}

/// The storing half.
struct PointWriter<'a, S> {
    /// If old points are asked for.
    ended: Option<EndedMetrics>,
    /// If somebody learns.
    learner: Option<BaselineLearner>,
    store: &'a mut S,
    gate: &'a Gate,
    options: &'a BackfillOptions,
    stop: &'a Stop,
    begun: Instant,
    /// Points appended, for the pace.
    sent: u64,
}

impl<S: Store> PointWriter<'_, S> {
    /// Stores the series of one part; false if stop was said before the end.
    fn take(
        &mut self,
        found: Vec<(String, Series)>,
        span: Span,
        summary: &mut BackfillSummary,
    ) -> Result<bool, BackfillError> {
        let mut names: Vec<String> = Vec::new();
        let mut points: Vec<(usize, f64, f64)> = Vec::new();
        for (name, series) in found {
            let Ok(name) = metric_name::canonical(&name, self.options.policy.settings.max_name_bytes) else {
                summary.leave_out(DropReason::BadName.name(), series.len() as u64);
                continue;
            };
            let mut finite = Series::default();
            for (&time, &value) in series.times.iter().zip(&series.values) {
                if time.is_finite() && value.is_finite() {
                    finite.push(time, value);
                }
            }
            summary.leave_out(DropReason::NotFinite.name(), (series.len() - finite.len()) as u64);
            let cut = finite.canonicalise(f64::INFINITY);
            summary.leave_out("duplicate", cut.duplicates as u64);
            if let Some(learner) = &mut self.learner
                && !self.options.policy.skips(&name)
            {
                learner.take(&name, &within(&finite, span))?;
            }
            let mut old = Series::default();
            let before = points.len();
            let mut gate = self.gate.open(unix_now());
            for (&time, &value) in finite.times.iter().zip(&finite.values) {
                let refused = if time <= span.after {
                    Some("before_from")
                } else if time > span.until {
                    Some("after_until")
                } else {
                    gate.point(&name, time, value).err().map(DropReason::name)
                };
                match refused {
                    Some(reason) if reason == DropReason::TooOld.name() && self.ended.is_some() => {
                        old.push(time, value)
                    }
                    Some(reason) => summary.leave_out(reason, 1),
                    None => points.push((names.len(), time, value)),
                }
            }
            drop(gate);
            if let Some(ended) = &mut self.ended {
                let has_young = points.len() > before || summary.metrics.contains(&*name);
                summary.leave_out(DropReason::TooOld.name(), ended.take(&name, &old, has_young));
            }
            names.push(name.into_owned());
        }
        for batch in points.chunks(self.batch()) {
            if !self.append(&names, batch, summary)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Stores the windows of metrics that have ended.
    fn store_ended(&mut self, summary: &mut BackfillSummary) -> Result<(), BackfillError> {
        let Some(ended) = &mut self.ended else {
            return Ok(());
        };
        let (windows, too_old) = ended.finish(&summary.metrics);
        summary.leave_out(DropReason::TooOld.name(), too_old);
        for (name, window) in windows {
            if self.options.policy.skips(&name) {
                summary.leave_out(DropReason::Skipped.name(), window.len() as u64);
                continue;
            }
            let names = [name];
            let points = window.times.iter().zip(&window.values);
            let points: Vec<_> = points.map(|(&time, &value)| (0, time, value)).collect();
            for batch in points.chunks(self.batch()) {
                if !self.append(&names, batch, summary)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Points appended at one go, at the asked pace.
    fn batch(&self) -> usize {
        BATCH.min((self.options.rate / BATCHES_A_SECOND).max(1) as usize)
    }

    fn append(
        &mut self,
        names: &[String],
        batch: &[(usize, f64, f64)],
        summary: &mut BackfillSummary,
    ) -> Result<bool, BackfillError> {
        let due = Duration::from_secs_f64(self.sent as f64 / f64::from(self.options.rate));
        if self.stop.sleep(due.saturating_sub(self.begun.elapsed())) || self.stop.is_said() {
            return Ok(false);
        }
        let samples: Vec<Sample<'_>> = batch
            .iter()
            .map(|&(index, time, value)| Sample {
                metric: &names[index],
                time,
                value,
            })
            .collect();
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        let refused = loop {
            match self.store.append(&samples) {
                Ok(()) => break Vec::new(),
                Err(StoreError::Refused { metrics, .. }) => break metrics,
                Err(error) if error.is_retryable() => {
                    tracing::warn!("points wait for the store :: {error}");
                    summary.retries += 1;
                    if self.stop.sleep(backoff.pause()) {
                        return Ok(false);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        };
        let mut stored = 0;
        for sample in &samples {
            if refused.iter().any(|metric| metric == sample.metric) {
                continue;
            }
            stored += 1;
            if !summary.metrics.contains(sample.metric) {
                summary.metrics.insert(sample.metric.to_owned());
            }
        }
        summary.points += stored;
        summary.leave_out("refused_by_store", samples.len() as u64 - stored);
        self.sent += samples.len() as u64;
        Ok(true)
    }
}
