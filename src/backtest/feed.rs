//! Metrics that lie in no file: a store's, or those of a [`Source`].
//!
//! Points are brought into canonical order first, as the analyzer does with every window, but not cut: whatever is there
//! is replayed.

use std::time::Duration;

use skywatch_algorithms::{SameTime, Series};
use skywatch_settings::Pattern;

use super::error::BacktestError;
use crate::sources::{Source, SourceError, Span};
use crate::stop::Stop;
use crate::store::{Connect, Fetched, Store, Unreadable};

/// Metrics fetched at one go: 256 × 1,440 points are 6 MB.
const AT_ONCE: usize = 256;
/// Tries of what does not answer, and the wait between them: a restart of the other side takes seconds.
const TRIES: u32 = 4;
const WAIT: Duration = Duration::from_secs(1);

/// Some metrics, in canonical order.
pub struct FeedBatch {
    /// How many metrics, or parts, they come from.
    pub(super) parts: usize,
    /// Names and points.
    pub(super) metrics: Vec<(String, Series)>,
}

/// Hands out metrics, some at a time. One thread asks; calls block on the network or the disk.
pub trait Feed {
    /// How many metrics, or parts, there are.
    fn length(&self) -> usize;

    /// The next ones, of several points of one time the one that `same_time` says; `None` after the last.
    fn next(&mut self, same_time: SameTime, stop: &Stop) -> Result<Option<FeedBatch>, BacktestError>;
}

/// Metrics that were gathered before.
pub(super) struct Gathered {
    parts: usize,
    metrics: Vec<(String, Series)>,
}

impl Gathered {
    /// All that a feed has left.
    pub(super) fn of(feed: &mut dyn Feed, same_time: SameTime, stop: &Stop) -> Result<Self, BacktestError> {
        let mut gathered = Self {
            parts: 0,
            metrics: Vec::new(),
        };
        while let Some(batch) = feed.next(same_time, stop)? {
            gathered.parts += batch.parts;
            gathered.metrics.extend(batch.metrics);
        }
        Ok(gathered)
    }

    pub(super) fn metrics(&self) -> &[(String, Series)] {
        &self.metrics
    }
}

impl Feed for Gathered {
    fn length(&self) -> usize {
        self.parts
    }

    fn next(&mut self, _: SameTime, _: &Stop) -> Result<Option<FeedBatch>, BacktestError> {
        let metrics = std::mem::take(&mut self.metrics);
        Ok((!metrics.is_empty()).then_some(FeedBatch {
            parts: self.parts,
            metrics,
        }))
    }
}

/// The metrics of a store whose names match.
pub struct StoreFeed<S> {
    store: S,
    names: Vec<String>,
    at: usize,
}

impl<S: Store> StoreFeed<S> {
    /// Connects and lists the metrics that one of `patterns` picks.
    ///
    /// # Errors
    /// The store's, or [`BacktestError::NoMetrics`].
    pub fn open(connect: &impl Connect<Store = S>, patterns: &[Pattern]) -> Result<Self, BacktestError> {
        let mut store = connect.connect()?;
        let mut names = Vec::new();
        store.list(&mut |name| {
            if patterns.iter().any(|pattern| pattern.matches(name)) {
                names.push(name.to_owned());
            }
        })?;
        names.sort_unstable();
        names.dedup();
        if names.is_empty() {
            return Err(BacktestError::NoMetrics {
                place: connect.describe(),
            });
        }
        Ok(Self { store, names, at: 0 })
    }
}

impl<S: Store> Feed for StoreFeed<S> {
    fn length(&self) -> usize {
        self.names.len()
    }

    fn next(&mut self, same_time: SameTime, _: &Stop) -> Result<Option<FeedBatch>, BacktestError> {
        let names = &self.names[self.at..(self.at + AT_ONCE).min(self.names.len())];
        if names.is_empty() {
            return Ok(None);
        }
        self.at += names.len();
        let asks: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut found = Vec::with_capacity(names.len());
        let mut buffer = Series::default();
        self.store
            .fetch(&asks, &mut buffer, &mut |index, series, fetched| match fetched {
                Fetched::Found { .. } => {
                    series.canonicalise_by(f64::INFINITY, same_time);
                    found.push((names[index].clone(), std::mem::take(series)));
                }
                Fetched::Unreadable(Unreadable::Malformed(why)) if !series.is_empty() => {
                    tracing::warn!(
                        "`{}` is damaged behind {} points :: {why}",
                        names[index],
                        series.len()
                    );
                    series.canonicalise_by(f64::INFINITY, same_time);
                    found.push((names[index].clone(), std::mem::take(series)));
                }
                Fetched::Missing => tracing::warn!("`{}` has no points any more", names[index]),
                Fetched::Unreadable(why) => {
                    tracing::warn!("`{}` is no series and is left out :: {why}", names[index])
                }
            })?;
        Ok(Some(FeedBatch {
            parts: names.len(),
            metrics: found,
        }))
    }
}

/// What a source gives.
pub struct SourceFeed {
    source: Box<dyn Source>,
    parts: Vec<String>,
    span: Span,
    at: usize,
}

impl SourceFeed {
    /// Asks the source for its parts.
    ///
    /// # Errors
    /// The source's, or [`BacktestError::NoMetrics`].
    pub fn open(mut source: Box<dyn Source>, span: Span, stop: &Stop) -> Result<Self, BacktestError> {
        let parts = patiently(stop, || source.parts())?;
        if parts.is_empty() {
            return Err(BacktestError::NoMetrics {
                place: source.describe(),
            });
        }
        Ok(Self {
            source,
            parts,
            span,
            at: 0,
        })
    }
}

impl Feed for SourceFeed {
    fn length(&self) -> usize {
        self.parts.len()
    }

    fn next(&mut self, same_time: SameTime, stop: &Stop) -> Result<Option<FeedBatch>, BacktestError> {
        let Some(part) = self.parts.get(self.at) else {
            return Ok(None);
        };
        self.at += 1;
        let (source, span) = (&mut self.source, self.span);
        let (found, left_out) = patiently(stop, || {
            let mut found = Vec::new();
            let left_out = source.fetch(part, span, &mut |name, series| {
                series.canonicalise_by(f64::INFINITY, same_time);
                found.push((name.to_owned(), std::mem::take(series)));
            })?;
            Ok((found, left_out))
        })?;
        if !left_out.is_empty() {
            tracing::warn!("`{part}` has what is no point and is left out :: {left_out:?}");
        }
        Ok(Some(FeedBatch {
            parts: 1,
            metrics: found,
        }))
    }
}

/// Tries again what may work later.
fn patiently<T>(
    stop: &Stop,
    mut attempt: impl FnMut() -> Result<T, SourceError>,
) -> Result<T, BacktestError> {
    let mut left = TRIES;
    loop {
        left -= 1;
        match attempt() {
            Err(error) if error.is_retryable() && left > 0 => {
                tracing::warn!("trying again in {} s :: {error}", WAIT.as_secs());
                if stop.sleep(WAIT) {
                    return Err(BacktestError::Interrupted);
                }
            }
            outcome => return Ok(outcome?),
        }
    }
}
