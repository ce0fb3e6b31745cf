//! Follows log files and makes metrics of their templates.
//!
//! One thread reads all files in turn, since a turn costs microseconds a line; another one writes, so that a store that is away keeps
//! no file from being read. Of an interval that was not watched from its beginning to its end nothing is counted: half a minute
//! of lines would look like half a rate.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use skywatch_algorithms::templates::MinerOptions;

use super::LogsError;
use super::delivery::{self, CountedPoint, PointQueue};
use super::watched::{WatchedFile, WatchedLog};
use crate::clock::unix_now;
use crate::files;
use crate::stop::{Stop, StopOnDrop};
use crate::store::Connect;

/// How often the ends of files are looked at.
const LOOK: Duration = Duration::from_millis(200);
/// Lines of one file before the next one has its turn: some 20 ms.
const TURN: usize = 20_000;
/// How often what was learnt is written to the disk.
const SAVE_EACH: Duration = Duration::from_secs(600);

/// What is followed, and what becomes of it.
#[derive(Debug, Clone)]
pub struct FollowOptions {
    /// The files.
    pub files: Vec<WatchedFile>,
    /// How templates are found.
    pub miner: MinerOptions,
    /// What a point counts the lines of.
    pub interval: Duration,
    /// What the names of all metrics begin with.
    pub prefix: String,
    /// Templates of a file that have a metric of their own, at most.
    pub max_rates: usize,
    /// Where what is learnt lies; made if it is not there.
    pub folder: PathBuf,
}

/// Follows files until `stop` is said. Blocks.
///
/// # Errors
/// A folder that cannot be made, and options of the miner that make no sense. Files and stores that do not answer are waited for.
pub fn follow<K: Connect + Sync>(options: &FollowOptions, connect: &K, stop: &Stop) -> Result<(), LogsError> {
    files::folder(&options.folder).map_err(|error| LogsError::Folder {
        path: options.folder.clone(),
        error,
    })?;
    let logs = options
        .files
        .iter()
        .map(|file| WatchedLog::new(file.clone(), &options.folder, &options.miner))
        .collect::<Result<Vec<_>, _>>()?;
    let (delivery, queue) = delivery::queue();
    std::thread::scope(|scope| {
        let writing = std::thread::Builder::new().name("logs-write".to_owned());
        let deliver = || delivery::deliver(connect, &queue, stop);
        writing.spawn_scoped(scope, deliver).map_err(LogsError::Thread)?;
        // A panic here must end the writer, too.
        let _guard = StopOnDrop(stop.clone());
        Follower {
            options,
            logs,
            delivery,
            saved: Instant::now(),
        }
        .run(stop);
        Ok(())
    })
}

struct Follower<'o> {
    options: &'o FollowOptions,
    logs: Vec<WatchedLog>,
    delivery: PointQueue,
    saved: Instant,
}

impl Follower<'_> {
    fn run(mut self, stop: &Stop) {
        let interval = self.options.interval.as_secs_f64();
        let boundary = |now: f64| ((now / interval).floor() + 1.0) * interval;
        let mut end = boundary(unix_now());
        let mut pause = Duration::ZERO;
        while !stop.sleep(pause) {
            let more: Vec<bool> = self.logs.iter_mut().map(|log| log.read(TURN)).collect();
            pause = if more.contains(&true) {
                Duration::ZERO
            } else {
                LOOK
            };
            let now = unix_now();
            if now >= end || now < end - interval {
                // When the clock was set back the interval is none. One that was looked at late counts what was written until then.
                self.close((now / interval).floor() * interval, now >= end);
                end = boundary(now);
            }
            if self.saved.elapsed() >= SAVE_EACH {
                self.save();
                self.saved = Instant::now();
            }
        }
        self.save();
    }

    /// Ends an interval; its points get `time`, Unix seconds.
    fn close(&mut self, time: f64, is_whole: bool) {
        let mut points = Vec::new();
        for log in &mut self.logs {
            let file = format!("{}.{}", self.options.prefix, log.name());
            log.close(is_whole, self.options.max_rates, |name, value| {
                points.push(CountedPoint {
                    metric: format!("{file}.{name}"),
                    time,
                    value,
                });
            });
            if let Err(error) = log.save_place() {
                tracing::warn!("logs :: `{}`: its place cannot be noted :: {error}", log.name());
            }
        }
        if !points.is_empty() {
            self.delivery.hand_over(points);
        }
    }

    fn save(&mut self) {
        for log in &mut self.logs {
            if let Err(error) = log.save() {
                tracing::warn!(
                    "logs :: what was learnt of `{}` cannot be written :: {error}",
                    log.name()
                );
            }
        }
    }
}
