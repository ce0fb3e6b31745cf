//! Filling windows from elsewhere, so that on day one there is something to judge.
//!
//! One part of the source after the other: fetch, put in canonical order, judge as the ingest would, append, note it
//! as done. Nothing is ever replaced: points that are stored already are stored twice and vanish on reading. The pace is
//! that of the store or of `rate`, whichever is slower; nothing waits in a queue, so nothing has to be bounded.

mod progress;
mod summary;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use skywatch_algorithms::Series;
use skywatch_algorithms::streaming::{Hour, REACH};

use crate::clock::unix_now;
use crate::ingest::{Drop, Gate, Policy, canonical_name};
use crate::memory::{Hourly, InboxWriter};
use crate::sources::{Source, SourceError, Span};
use crate::stop::Stop;
use crate::store::{Connect, Names as _, Sample, Store, StoreError};
use progress::Progress;
pub use summary::Summary;

/// Points appended at one go.
const BATCH: usize = 10_000;
/// Batches a second when the rate is low.
const BATCHES_A_SECOND: u32 = 10;
/// Waits between tries of a part, and of the store.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Parts in a row that fail before the source is given up.
const FAILURES_IN_A_ROW: u32 = 3;

/// How to fill.
#[derive(Debug, Clone)]
pub struct BackfillOptions {
    /// What is fetched.
    pub span: Span,
    /// What is let in.
    pub policy: Policy,
    /// Points a second, at most.
    pub rate: u32,
    /// Tries of a part beyond the first.
    pub retries: u32,
    /// The folder of the long memory, which gets the hours of all points, also of those too old for the store; `None`
    /// without one.
    pub memory: Option<PathBuf>,
}

/// Why a backfill ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum BackfillError {
    /// The source gives nothing any more.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The store takes nothing.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Hours cannot be left for the long memory.
    #[error("cannot leave hours in `{path}`: {source}")]
    Memory {
        /// The folder of the long memory.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// What is done cannot be written down.
    #[error("cannot keep the progress in `{path}`: {source}")]
    Progress {
        /// The file or its folder.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

impl BackfillError {
    /// What a person could do.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Source(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::Progress { .. } | Self::Memory { .. } => None,
        }
    }
}

/// What a backfill tells while it runs: parts there are, parts behind it, points stored so far.
pub type Told<'t> = dyn FnMut(usize, usize, u64) + Send + 't;

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
    told: &mut Told<'_>,
    stop: &Stop,
) -> Result<Summary, BackfillError> {
    let begun = Instant::now();
    let mut store = connect.connect()?;
    let unwritten = |path: &Path, source| BackfillError::Progress {
        path: path.display().to_string(),
        source,
    };
    let mut progress = Progress::open(folder, &source.describe(), &connect.describe())
        .map_err(|source| unwritten(folder, source))?;
    let gate = Gate::new(options.policy.clone());
    let mut names = Vec::new();
    store.list(&mut |name| names.push(name.to_owned()))?;
    gate.remember(&names, unix_now());
    drop(names);
    let mut summary = Summary::default();
    let parts = with_retries(options, stop, &mut summary, || source.parts())?.unwrap_or_default();
    summary.parts = parts.len();
    let hours = options.memory.as_deref().map(Hours::new).transpose()?;
    let mut work = Work {
        hours,
        store: &mut store,
        gate: &gate,
        options,
        stop,
        begun,
        sent: 0,
    };
    let mut failed_in_a_row = 0;
    for (position, part) in parts.iter().enumerate() {
        told(parts.len(), position, summary.points);
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
                progress
                    .done(part, span)
                    .map_err(|source| unwritten(progress.path(), source))?;
                summary.fetched += 1;
            }
            Ok(None) => break,
            Err(error) => {
                failed_in_a_row += 1;
                tracing::warn!("`{part}` is left out :: {error}");
                summary.fail(part, error.to_string());
                if failed_in_a_row >= FAILURES_IN_A_ROW && position + 1 < parts.len() {
                    return Err(error.into());
                }
            }
        }
    }
    if let Some(hours) = work.hours.take() {
        summary.hours = hours.finish(options.span.until)?;
    }
    told(parts.len(), parts.len(), summary.points);
    summary.is_interrupted = stop.is_said();
    summary.seconds = begun.elapsed().as_secs_f64();
    Ok(summary)
}

/// Tries until it works, is not worth another try, or was tried often enough. `None` if stop was said before.
fn with_retries<T>(
    options: &BackfillOptions,
    stop: &Stop,
    summary: &mut Summary,
    mut attempt: impl FnMut() -> Result<T, SourceError>,
) -> Result<Option<T>, SourceError> {
    let mut wait = FIRST_WAIT;
    for left in (0..=options.retries).rev() {
        match attempt() {
            Err(error) if error.is_retryable() && left > 0 => {
                tracing::warn!("trying again in {} s :: {error}", wait.as_secs_f32());
                summary.retries += 1;
                if stop.sleep(wait) {
                    return Ok(None);
                }
                wait = (wait * 2).min(LONGEST_WAIT);
            }
            outcome => return outcome.map(Some),
        }
    }
    // The last round has returned.
    Ok(None)
}

/// Hours on their way to the long memory.
struct Hours {
    folder: PathBuf,
    hourly: Hourly,
    inbox: InboxWriter,
    whole: Vec<Hour>,
    /// Points before this are beyond its reach, Unix seconds.
    from: f64,
}

impl Hours {
    fn new(folder: &Path) -> Result<Self, BackfillError> {
        Ok(Self {
            inbox: InboxWriter::new(folder).map_err(|source| unremembered(folder, source))?,
            folder: folder.to_owned(),
            hourly: Hourly::default(),
            whole: Vec::new(),
            from: unix_now() - f64::from(REACH) * 3_600.0,
        })
    }

    fn take(&mut self, name: &str, points: impl Iterator<Item = (f64, f64)>) -> Result<(), BackfillError> {
        self.whole.clear();
        let from = self.from;
        self.hourly
            .take(name, points.filter(|&(time, _)| time >= from), &mut self.whole);
        if self.whole.is_empty() {
            return Ok(());
        }
        let added = self.inbox.add(name, &self.whole);
        added.map_err(|source| unremembered(&self.folder, source))
    }

    /// How many hours there were.
    fn finish(mut self, until: f64) -> Result<u64, BackfillError> {
        let unremembered = |source| unremembered(&self.folder, source);
        for (name, hour) in self.hourly.finish(until) {
            self.inbox.add(&name, &[hour]).map_err(unremembered)?;
        }
        self.inbox.finish().map_err(unremembered)
    }
}

fn unremembered(folder: &Path, source: std::io::Error) -> BackfillError {
    BackfillError::Memory {
        path: folder.display().to_string(),
        source,
    }
}

/// The storing half.
struct Work<'a, S> {
    /// With a long memory.
    hours: Option<Hours>,
    store: &'a mut S,
    gate: &'a Gate,
    options: &'a BackfillOptions,
    stop: &'a Stop,
    begun: Instant,
    /// Points appended, for the pace.
    sent: u64,
}

impl<S: Store> Work<'_, S> {
    /// Stores the series of one part; false if stop was said before the end.
    fn take(
        &mut self,
        found: Vec<(String, Series)>,
        span: Span,
        summary: &mut Summary,
    ) -> Result<bool, BackfillError> {
        let mut names: Vec<String> = Vec::new();
        let mut points: Vec<(usize, f64, f64)> = Vec::new();
        for (name, series) in found {
            let Ok(name) = canonical_name(&name, self.options.policy.max_name_bytes) else {
                summary.leave_out(Drop::BadName.name(), series.len() as u64);
                continue;
            };
            let mut finite = Series::default();
            for (&time, &value) in series.times.iter().zip(&series.values) {
                if time.is_finite() && value.is_finite() {
                    finite.push(time, value);
                }
            }
            summary.leave_out(Drop::NotFinite.name(), (series.len() - finite.len()) as u64);
            let cut = finite.canonicalise(f64::INFINITY);
            summary.leave_out("duplicate", cut.duplicates as u64);
            if let Some(hours) = &mut self.hours
                && !self.options.policy.skips(&name)
            {
                let points = finite.times.iter().copied().zip(finite.values.iter().copied());
                hours.take(
                    &name,
                    points.filter(|&(time, _)| time > span.after && time <= span.until),
                )?;
            }
            let mut gate = self.gate.open(unix_now());
            for (&time, &value) in finite.times.iter().zip(&finite.values) {
                let refused = if time <= span.after {
                    Some("before_from")
                } else if time > span.until {
                    Some("after_until")
                } else {
                    gate.point(&name, time, value).err().map(Drop::name)
                };
                match refused {
                    Some(reason) => summary.leave_out(reason, 1),
                    None => points.push((names.len(), time, value)),
                }
            }
            names.push(name.into_owned());
        }
        let size = BATCH.min((self.options.rate / BATCHES_A_SECOND).max(1) as usize);
        for batch in points.chunks(size) {
            if !self.append(&names, batch, summary)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn append(
        &mut self,
        names: &[String],
        batch: &[(usize, f64, f64)],
        summary: &mut Summary,
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
        let mut wait = FIRST_WAIT;
        let refused = loop {
            match self.store.append(&samples) {
                Ok(()) => break Vec::new(),
                Err(StoreError::Refused { metrics, .. }) => break metrics,
                Err(error) if error.is_retryable() => {
                    tracing::warn!("points wait for the store :: {error}");
                    summary.retries += 1;
                    if self.stop.sleep(wait) {
                        return Ok(false);
                    }
                    wait = (wait * 2).min(LONGEST_WAIT);
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
