//! The trainer child, and who starts it where everything else is one process.
//!
//! Training is never done by a process that watches: it takes a core for minutes and as much memory as it learns from.
//! Where the store is embedded and only one process can have it open, histories go to the trainer in a file.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use skywatch_alerters::host;
use skywatch_settings::{Settings, StoreUrl};

use super::{ProcessError, wiring};
use crate::clock::unix_now;
use crate::jobs::{
    FamiliesJob, FileHistories, Histories, JobState, OpenQueue, OpenRedisQueue, OpenSqliteQueue, Scheduler,
    SensorJob, SensorSource, StoreHistories, Task, Trainer, TrainerOptions, Training, jobs_path,
};
use crate::sources::druid::Druid;
use crate::stop::Stop;
use crate::store::AnyConnect;

/// How often a single process looks whether there is work for a trainer, which then takes minutes.
const LOOK_EACH: Duration = Duration::from_secs(5);
/// Newest jobs that are looked through for it; older ones are over.
const LOOK_AT: usize = 200;

/// The queue that settings name.
pub(crate) fn queue(settings: &Settings) -> Result<Box<dyn OpenQueue>, ProcessError> {
    wiring::prepare_state_dir(&settings.state_dir)?;
    let jobs = settings.jobs.clone();
    Ok(match &settings.store.url {
        StoreUrl::Embedded => Box::new(OpenSqliteQueue {
            path: jobs_path(&settings.state_dir),
            jobs,
        }),
        StoreUrl::Redis(url) => Box::new(OpenRedisQueue {
            connect: wiring::redis(url, settings)?,
            jobs,
        }),
    })
}

/// What the trainer child was asked beyond the settings.
#[derive(Debug, Clone, Default)]
pub struct TrainerRun {
    /// End when there is nothing to do.
    pub drain: bool,
    /// Learn from this file instead of the store.
    pub histories: Option<PathBuf>,
}

/// The trainer's work: gives way to everybody, keeps the schedule, does jobs, until `stop` is said.
///
/// # Errors
/// A store or a place of models that cannot be used; with `drain` a queue that does not answer.
pub(super) fn train(
    settings: &Settings,
    run: &TrainerRun,
    store: Option<&AnyConnect>,
    stop: &Stop,
) -> Result<(), ProcessError> {
    if let Err(error) = rustix::process::nice(i32::try_from(settings.training.nice).unwrap_or(19)) {
        tracing::warn!("the trainer cannot give way to others: {error}");
    }
    let open = queue(settings)?;
    let registry = wiring::registry(settings)?;
    let histories: Box<dyn Histories> = match (&run.histories, store) {
        (Some(path), _) => Box::new(FileHistories::new(path.clone())),
        (None, Some(store)) => Box::new(store_histories(store.clone(), settings)),
        (None, None) => return Err(ProcessError::NoStore),
    };
    let druid = Druid::new(&settings.druid)?;
    let training = Training {
        histories: &*histories,
        registry: &registry,
        options: &settings.training,
        sensors: druid.as_ref().map(|druid| SensorSource {
            druid,
            settings: &settings.sensors,
            dimension: &settings.outliers.dimension,
        }),
        counters_as_rates: wiring::counters_as_rates(settings),
    };
    let worker = worker();
    tracing::info!("trainer `{worker}` :: models go to {}", registry.describe());
    let trainer = Trainer {
        open: &*open,
        work: &training,
        options: TrainerOptions {
            worker,
            lease: settings.jobs.lease,
            drain: run.drain,
        },
    };
    std::thread::scope(|scope| {
        let ended = Stop::new();
        if !run.drain {
            let (open, stop, ended) = (&*open, stop.clone(), ended.clone());
            scope.spawn(move || {
                // Either says it is over.
                std::thread::scope(|inner| {
                    inner.spawn(|| {
                        stop.wait();
                        ended.say();
                    });
                    for scheduler in schedulers(settings, open) {
                        let ended = &ended;
                        inner.spawn(move || scheduler.run(ended));
                    }
                });
            });
        }
        let outcome = trainer.run(stop);
        ended.say();
        outcome
    })?;
    Ok(())
}

fn store_histories(store: AnyConnect, settings: &Settings) -> StoreHistories<AnyConnect> {
    StoreHistories {
        connect: store,
        full_duration: settings.store.full_duration.as_secs_f64(),
    }
}

/// What is enqueued by itself: families, and the models of sensors.
fn schedulers<'q>(settings: &Settings, open: &'q dyn OpenQueue) -> Vec<Scheduler<'q>> {
    let families = settings.training.schedule.clone().map(|cron| Scheduler {
        open,
        cron,
        tasks: vec![Task::of(&FamiliesJob {})],
    });
    let sensors = settings.sensors.names.iter().map(|sensor| {
        Task::of(&SensorJob {
            sensor: sensor.clone(),
        })
    });
    let sensors = settings.sensors.schedule.clone().map(|cron| Scheduler {
        open,
        cron,
        tasks: sensors.collect(),
    });
    families.into_iter().chain(sensors).collect()
}

/// A name no other trainer has: machine, process and moment.
fn worker() -> String {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let host = host::name();
    let moment = (unix_now() * 1e3) as u64;
    format!(
        "{host}-{}-{moment:x}-{}",
        std::process::id(),
        MADE.fetch_add(1, Ordering::Relaxed)
    )
}

/// Starts a trainer child that does what there is and ends. It ends with us too, as it holds a pipe of ours.
///
/// # Errors
/// Whatever the system says.
pub(crate) fn start_drain(
    global: &[String],
    histories: Option<&Path>,
) -> std::io::Result<std::process::Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["child", "trainer", "--drain"]).args(global);
    if let Some(path) = histories {
        command.arg("--histories").arg(path);
    }
    // One thread, in whatever its libraries think of cores.
    command.env("RAYON_NUM_THREADS", "1");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()
}

/// The trainer's keeper in a process that does everything itself: keeps the schedule, and starts a child when there is a
/// job. Runs until `stop` is said.
///
/// # Errors
/// A queue that cannot be set up.
pub(super) fn keep(
    store: AnyConnect,
    settings: &Settings,
    global: &[String],
    stop: &Stop,
) -> Result<(), ProcessError> {
    let open = queue(settings)?;
    std::thread::scope(|scope| {
        for scheduler in schedulers(settings, &*open) {
            scope.spawn(move || scheduler.run(stop));
        }
        let histories = store_histories(store, settings);
        while !stop.sleep(LOOK_EACH) {
            match has_work(&*open) {
                Ok(false) => {}
                Ok(true) => train_beside(&histories, settings, global, stop),
                Err(error) => tracing::warn!("{error}"),
            }
        }
    });
    Ok(())
}

/// Whether a job could be taken. One that is being done by nobody any more is found by its trainer.
fn has_work(open: &dyn OpenQueue) -> Result<bool, crate::jobs::QueueError> {
    let jobs = open.open()?.list(LOOK_AT)?;
    let open = |state| matches!(state, JobState::Queued | JobState::Waiting | JobState::Running);
    Ok(jobs.iter().any(|job| open(job.state)))
}

fn train_beside(histories: &dyn Histories, settings: &Settings, global: &[String], stop: &Stop) {
    let path = settings.state_dir.join("histories.tmp");
    let file = match settings.store.url {
        StoreUrl::Embedded => match FileHistories::write(histories, settings.training.max_metrics, &path) {
            Ok(_) => Some(path.as_path()),
            Err(error) => return tracing::error!("training :: {error}"),
        },
        StoreUrl::Redis(_) => None,
    };
    match start_drain(global, file) {
        Ok(mut child) => {
            tracing::info!("trainer started :: pid {}", child.id());
            while matches!(child.try_wait(), Ok(None)) {
                if stop.sleep(Duration::from_millis(200)) {
                    end(&mut child, settings.process.stop_timeout);
                    break;
                }
            }
        }
        Err(error) => tracing::error!("the trainer cannot be started :: {error}"),
    }
    if let Some(file) = file {
        let _ = std::fs::remove_file(file);
    }
}

/// Asks a child to end, and sees to it.
pub(crate) fn end(child: &mut std::process::Child, patience: Duration) {
    drop(child.stdin.take());
    let due = Instant::now() + patience;
    while matches!(child.try_wait(), Ok(None)) {
        if Instant::now() > due {
            let _ = child.kill();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
