//! Replaying metrics through a profile, causally: what would it have said, point by point, had it been there?
//!
//! Each metric goes through what the live analyzer would have shown its points to (`player.rs`), rows in their order, so
//! that what is said of a row depends on that row and those before it. Files are replayed in parallel, a file on one thread.
//! Left out: incidents with their lives and routes. A replay knows alarms, incidents as stretches of alarms, and alerts
//! after the rest.

mod error;
mod feed;
mod folder;
mod labels;
#[cfg(test)]
mod laws;
#[cfg(feature = "learned")]
mod learned;
mod player;
mod profile;
mod record;
mod replay;
mod rule_replay;
mod successive;
mod summary;
pub mod traces;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use rayon::prelude::*;
use skywatch_algorithms::{SameTime, Series};

use crate::analyzer::WorkerOptions;
use crate::analyzer::rule::AlarmRule;
use crate::stop::Stop;
pub use error::BacktestError;
use feed::Gathered;
pub use feed::{Feed, FeedBatch, SourceFeed, StoreFeed};
pub use labels::Measure;
use labels::ReplayLabels;
#[cfg(feature = "learned")]
pub use learned::WalkOptions;
#[cfg(feature = "learned")]
use learned::{LearnedPlayer, LearnedWalk};
use player::{AdaptivePlayer, Player, PointCollector, RowScorer, SkylinePlayer};
pub use profile::ReplayProfile;
use record::MetricRecord;
use replay::Replay;
pub use rule_replay::{BandSeries, ReplayedIncident, RuleReplay};
pub use summary::{Measured, Noisy, ReplaySummary};

/// How to replay.
#[derive(Clone)]
pub struct BacktestOptions {
    /// Through what.
    pub profile: ReplayProfile,
    /// What is an alarm, and how long the rest after it is; the first rule that picks a metric counts, the last picks all.
    pub rules: Arc<[AlarmRule]>,
    /// Where rows with scores go, if anywhere.
    pub output: Option<PathBuf>,
    /// Labels to hold the alarms against.
    pub labels: Option<PathBuf>,
    /// The classic profile's rules.
    pub worker: WorkerOptions,
    /// How the learned vote is fitted.
    #[cfg(feature = "learned")]
    pub walk: WalkOptions,
}

impl BacktestOptions {
    /// Seconds of rest of the metrics that no pattern picks.
    fn rest(&self) -> f64 {
        self.rules.last().map_or(0.0, |rule| rule.rest)
    }

    /// Which of several points of one time stays in a window.
    fn same_time(&self) -> SameTime {
        match self.profile {
            ReplayProfile::Adaptive | ReplayProfile::Learned => SameTime::Last,
            ReplayProfile::Skyline => SameTime::Smallest,
        }
    }
}

/// Who sees how far a replay is; called from several threads.
pub trait ReplayProgress: Sync {
    /// There are `all` steps to go.
    fn begin(&self, all: u64);
    /// So many more are behind.
    fn more(&self, steps: u64);
}

/// Makes the player of a metric; a thread keeps one from metric to metric.
type Players<'o> = Box<dyn Fn() -> Box<dyn Player> + Sync + 'o>;

/// Players for the profile asked for; `metrics` are all there are with their points, which only the learned vote needs
/// beforehand.
fn players<'o>(
    options: &'o BacktestOptions,
    metrics: &[(String, Series)],
    stop: &Stop,
) -> Result<Players<'o>, BacktestError> {
    Ok(match options.profile {
        ReplayProfile::Adaptive => Box::new(|| Box::new(AdaptivePlayer::default())),
        ReplayProfile::Skyline => Box::new(|| Box::new(SkylinePlayer::new(&options.worker))),
        ReplayProfile::Learned => learned_players(options, metrics, stop)?,
    })
}

#[cfg(feature = "learned")]
fn learned_players(
    options: &BacktestOptions,
    metrics: &[(String, Series)],
    stop: &Stop,
) -> Result<Players<'static>, BacktestError> {
    let walk = Arc::new(LearnedWalk::fit(metrics, &options.walk, stop)?);
    Ok(Box::new(move || Box::new(LearnedPlayer::new(Arc::clone(&walk)))))
}

#[cfg(not(feature = "learned"))]
fn learned_players(
    _: &BacktestOptions,
    _: &[(String, Series)],
    _: &Stop,
) -> Result<Players<'static>, BacktestError> {
    Err(BacktestError::Learned(
        "this Skywatch was built without learned detectors".to_owned(),
    ))
}

/// The points of all files, as a replay takes them; a file that cannot be read has none, and is told of when it is replayed.
fn gather(input: &Path, stop: &Stop) -> Result<Vec<(String, Series)>, BacktestError> {
    let jobs = folder::csv_files(input)?;
    let gathered = jobs.into_par_iter().map(|job| {
        let mut replay = Replay::new(RowScorer::new(
            PointCollector::default(),
            Arc::from([AlarmRule::plain(0.0)]),
        ));
        let mut record = MetricRecord::new(job.name.clone(), false);
        match replay.file(&job.path, None, &mut record, &|_| {}, stop) {
            Err(BacktestError::Interrupted) => Err(BacktestError::Interrupted),
            _ => Ok((job.name, replay.track.into_player().series)),
        }
    });
    gathered.collect()
}

/// Replays a file, or all files below a folder.
///
/// # Errors
/// [`BacktestError`] once there is no going on. A file that cannot be read, or has no usable row, is in the summary.
pub fn files(
    input: &Path,
    options: &BacktestOptions,
    progress: &dyn ReplayProgress,
    stop: &Stop,
) -> Result<ReplaySummary, BacktestError> {
    let gathered = match options.profile {
        ReplayProfile::Learned => gather(input, stop)?,
        _ => Vec::new(),
    };
    let player = players(options, &gathered, stop)?;
    drop(gathered);
    let begun = Instant::now();
    let labels = options.labels.as_deref().map(ReplayLabels::read).transpose()?;
    let mut jobs = folder::csv_files(input)?;
    if let Some(output) = &options.output {
        folder::prepare(output, Some(input))?;
    }
    progress.begin(jobs.iter().map(|job| job.length).sum());
    jobs.sort_by_key(|job| std::cmp::Reverse(job.length));
    let replayed = jobs.par_iter().with_max_len(1).map_init(
        || Replay::new(RowScorer::new(player(), Arc::clone(&options.rules))),
        |replay, job| {
            let to = options
                .output
                .as_deref()
                .map(|output| folder::place(output, &job.name))
                .transpose()?;
            let is_labelled = labels.as_ref().is_some_and(|labels| labels.name(&job.name));
            let mut record = MetricRecord::new(job.name.clone(), is_labelled);
            let more = |bytes| progress.more(bytes);
            match replay.file(&job.path, to.as_deref(), &mut record, &more, stop) {
                Ok(()) => Ok(Ok(record)),
                Err(error @ (BacktestError::Unreadable { .. } | BacktestError::LongLine { .. })) => {
                    Ok(Err(error.to_string()))
                }
                Err(error) => Err(error),
            }
        },
    );
    let replayed: Vec<Result<MetricRecord, String>> = replayed.collect::<Result<_, BacktestError>>()?;
    let (mut records, mut failures) = (Vec::with_capacity(replayed.len()), Vec::new());
    for outcome in replayed {
        match outcome {
            Ok(record) => records.push(record),
            Err(failure) => failures.push(failure),
        }
    }
    failures.sort();
    let mut summary = ReplaySummary::of(options.profile, options.rest(), records, labels.as_ref());
    summary.failures = failures;
    summary.seconds = begun.elapsed().as_secs_f64();
    Ok(summary)
}

/// Replays the metrics of a feed.
///
/// # Errors
/// [`BacktestError`] once there is no going on.
pub fn series(
    feed: &mut dyn Feed,
    options: &BacktestOptions,
    progress: &dyn ReplayProgress,
    stop: &Stop,
) -> Result<ReplaySummary, BacktestError> {
    let mut gathered = match options.profile {
        ReplayProfile::Learned => Some(Gathered::of(feed, options.same_time(), stop)?),
        _ => None,
    };
    let player = players(options, gathered.as_ref().map_or(&[], Gathered::metrics), stop)?;
    let feed = gathered
        .as_mut()
        .map_or(feed, |gathered| gathered as &mut dyn Feed);
    let begun = Instant::now();
    let labels = options.labels.as_deref().map(ReplayLabels::read).transpose()?;
    if let Some(output) = &options.output {
        folder::prepare(output, None)?;
    }
    progress.begin(feed.length() as u64);
    let mut records = Vec::new();
    while let Some(FeedBatch { parts, metrics }) = feed.next(options.same_time(), stop)? {
        let replayed = metrics.par_iter().with_max_len(1).map_init(
            || Replay::new(RowScorer::new(player(), Arc::clone(&options.rules))),
            |replay, (name, series)| {
                if stop.is_said() {
                    return Err(BacktestError::Interrupted);
                }
                let to = options.output.as_deref();
                let to = to
                    .map(|output| folder::place(output, &folder::file_of(name)))
                    .transpose()?;
                let is_labelled = labels.as_ref().is_some_and(|labels| labels.name(name));
                let mut record = MetricRecord::new(name.clone(), is_labelled);
                replay.series(&series.times, &series.values, to.as_deref(), &mut record)?;
                Ok(record)
            },
        );
        records.extend(replayed.collect::<Result<Vec<_>, _>>()?);
        progress.more(parts as u64);
    }
    let mut summary = ReplaySummary::of(options.profile, options.rest(), records, labels.as_ref());
    summary.seconds = begun.elapsed().as_secs_f64();
    Ok(summary)
}
