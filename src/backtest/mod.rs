//! Replaying metrics through a profile, causally: what would it have said, point by point, had it been there?
//!
//! Each metric goes through what the live analyzer would have shown its points to (`player.rs`), rows in their order, so
//! that what is said of a row depends on that row and those before it. Files are replayed in parallel, a file on one thread.
//! Left out: incidents with their lives and routes. A replay knows alarms, incidents as stretches of alarms, and alerts
//! after the rest.

mod feed;
mod folder;
mod labels;
#[cfg(feature = "learned")]
mod learned;
pub(crate) mod player;
mod record;
mod replay;
mod successive;
mod summary;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use rayon::prelude::*;
use serde::Serialize;
use skywatch_algorithms::{SameTime, Series};

use crate::analyzer::WorkerOptions;
use crate::analyzer::rule::AlarmRule;
use crate::sources::SourceError;
use crate::stop::Stop;
use crate::store::StoreError;
use feed::Gathered;
pub use feed::{Batch, Feed, SourceFeed, StoreFeed};
use labels::Labels;
pub use labels::Measure;
#[cfg(feature = "learned")]
pub use learned::WalkOptions;
#[cfg(feature = "learned")]
use learned::{LearnedPlayer, Walk};
use player::{AdaptivePlayer, Gatherer, Player, SkylinePlayer, Track};
use record::Record;
use replay::Replay;
pub use summary::{Measured, Noisy, Summary};

/// Whose answers are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// The streaming detectors.
    Adaptive,
    /// The nine classic tests.
    Skyline,
    /// The streaming detectors with the learned vote, fitted as time goes on.
    Learned,
}

impl Profile {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Adaptive => "adaptive",
            Self::Skyline => "skyline",
            Self::Learned => "learned",
        }
    }
}

/// How to replay.
#[derive(Clone)]
pub struct BacktestOptions {
    /// Through what.
    pub profile: Profile,
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
            Profile::Adaptive | Profile::Learned => SameTime::Last,
            Profile::Skyline => SameTime::Smallest,
        }
    }
}

/// Why a replay ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    /// A file or folder that is not there, or may not be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder without files to replay.
    #[error("there is no `*.csv` in `{}`", path.display())]
    NoFiles {
        /// The folder.
        path: PathBuf,
    },
    /// A place without metrics to replay.
    #[error("`{place}` has no metric that matches")]
    NoMetrics {
        /// The place; holds no secret.
        place: String,
    },
    /// What is read must not be written.
    #[error("the output `{}` lies in the input `{}`", output.display(), input.display())]
    OutputInInput {
        /// The folder for the output.
        output: PathBuf,
        /// What is replayed.
        input: PathBuf,
    },
    /// A folder or file that takes nothing.
    #[error("cannot write `{}`: {source}", path.display())]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that has no lines.
    #[error("`{}` has a line of more than a megabyte and is no file of rows", path.display())]
    LongLine {
        /// The file.
        path: PathBuf,
    },
    /// Labels that are none.
    #[error("`{}` has no labels: {reason}", path.display())]
    Labels {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The learned detectors' reason.
    #[error("the learned vote cannot be fitted: {0}")]
    Learned(String),
    /// Told to stop.
    #[error("interrupted")]
    Interrupted,
    /// The source's reason.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The store's reason.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BacktestError {
    /// What a person could do.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoFiles { .. } => Some("name a folder with files `timestamp,value`, or one such file"),
            Self::NoMetrics { .. } => {
                Some("patterns are those of the settings: `=a.b`, `web-*.cpu`, `/^test[.]/`")
            }
            Self::OutputInInput { .. } => Some("the same paths would be written; name another folder"),
            Self::Labels { .. } => {
                Some("the form is `{\"path.csv\": [[start, end], …]}`, times as in the files")
            }
            Self::Source(error) => error.hint(),
            Self::Store(error) => error.hint(),
            _ => None,
        }
    }
}

/// Who sees how far a replay is; called from several threads.
pub trait Progress: Sync {
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
        Profile::Adaptive => Box::new(|| Box::new(AdaptivePlayer::default())),
        Profile::Skyline => Box::new(|| Box::new(SkylinePlayer::new(&options.worker))),
        Profile::Learned => learned_players(options, metrics, stop)?,
    })
}

#[cfg(feature = "learned")]
fn learned_players(
    options: &BacktestOptions,
    metrics: &[(String, Series)],
    stop: &Stop,
) -> Result<Players<'static>, BacktestError> {
    let walk = Arc::new(Walk::fit(metrics, &options.walk, stop)?);
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
    let jobs = folder::jobs(input)?;
    let gathered = jobs.into_par_iter().map(|job| {
        let mut replay = Replay::new(Track::new(
            Gatherer::default(),
            Arc::from([AlarmRule::plain(0.0)]),
        ));
        let mut record = Record::new(job.name.clone(), false);
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
    progress: &dyn Progress,
    stop: &Stop,
) -> Result<Summary, BacktestError> {
    let gathered = match options.profile {
        Profile::Learned => gather(input, stop)?,
        _ => Vec::new(),
    };
    let player = players(options, &gathered, stop)?;
    drop(gathered);
    let begun = Instant::now();
    let labels = options.labels.as_deref().map(Labels::read).transpose()?;
    let mut jobs = folder::jobs(input)?;
    if let Some(output) = &options.output {
        folder::prepare(output, Some(input))?;
    }
    progress.begin(jobs.iter().map(|job| job.length).sum());
    jobs.sort_by_key(|job| std::cmp::Reverse(job.length));
    let replayed = jobs.par_iter().with_max_len(1).map_init(
        || Replay::new(Track::new(player(), Arc::clone(&options.rules))),
        |replay, job| {
            let to = options
                .output
                .as_deref()
                .map(|output| folder::place(output, &job.name))
                .transpose()?;
            let is_labelled = labels.as_ref().is_some_and(|labels| labels.name(&job.name));
            let mut record = Record::new(job.name.clone(), is_labelled);
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
    let replayed: Vec<Result<Record, String>> = replayed.collect::<Result<_, BacktestError>>()?;
    let (mut records, mut failures) = (Vec::with_capacity(replayed.len()), Vec::new());
    for outcome in replayed {
        match outcome {
            Ok(record) => records.push(record),
            Err(failure) => failures.push(failure),
        }
    }
    failures.sort();
    let mut summary = Summary::of(options.profile, options.rest(), records, labels.as_ref());
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
    progress: &dyn Progress,
    stop: &Stop,
) -> Result<Summary, BacktestError> {
    let mut gathered = match options.profile {
        Profile::Learned => Some(Gathered::of(feed, options.same_time(), stop)?),
        _ => None,
    };
    let player = players(options, gathered.as_ref().map_or(&[], Gathered::metrics), stop)?;
    let feed = gathered
        .as_mut()
        .map_or(feed, |gathered| gathered as &mut dyn Feed);
    let begun = Instant::now();
    let labels = options.labels.as_deref().map(Labels::read).transpose()?;
    if let Some(output) = &options.output {
        folder::prepare(output, None)?;
    }
    progress.begin(feed.length() as u64);
    let mut records = Vec::new();
    while let Some(Batch { parts, metrics }) = feed.next(options.same_time(), stop)? {
        let replayed = metrics.par_iter().with_max_len(1).map_init(
            || Replay::new(Track::new(player(), Arc::clone(&options.rules))),
            |replay, (name, series)| {
                if stop.is_said() {
                    return Err(BacktestError::Interrupted);
                }
                let to = options.output.as_deref();
                let to = to
                    .map(|output| folder::place(output, &folder::file_of(name)))
                    .transpose()?;
                let is_labelled = labels.as_ref().is_some_and(|labels| labels.name(name));
                let mut record = Record::new(name.clone(), is_labelled);
                replay.series(&series.times, &series.values, to.as_deref(), &mut record)?;
                Ok(record)
            },
        );
        records.extend(replayed.collect::<Result<Vec<_>, _>>()?);
        progress.more(parts as u64);
    }
    let mut summary = Summary::of(options.profile, options.rest(), records, labels.as_ref());
    summary.seconds = begun.elapsed().as_secs_f64();
    Ok(summary)
}
