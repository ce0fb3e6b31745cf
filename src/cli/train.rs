//! `skywatch train`: fits the learned detectors now.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;

use super::context::{CommandFailure, Context, say};
use crate::clock::unix_now;
use crate::jobs::{Job, JobState, SensorJob, Task};
use crate::log;
use crate::process::study::{self, StudyError};
use crate::process::{self, trainer};
use crate::stop::Stop;

/// How often it is looked how the job stands: it may be over at once.
const LOOK_EACH: Duration = Duration::from_millis(200);
/// Looks in a row that may fail. The signal of a child that ends interrupts a wait for an answer, and the queue may be
/// away for a moment: the training goes on.
const FAILED_LOOKS: u32 = 50;
/// How many of the newest jobs are looked through for ours: more than anybody enqueues while it runs.
const LOOK_AT: usize = 1_000;

#[derive(Debug, Args)]
pub(super) struct TrainArguments {
    /// Fit one model of several metrics under this name, instead of all families
    #[arg(long, value_name = "NAME", requires = "metrics")]
    model: Option<String>,
    /// The metrics it is made of, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "model")]
    metrics: Vec<String>,
    /// Fit the model of one sensor to what Druid knows of it
    #[arg(long, value_name = "NAME", conflicts_with_all = ["model", "metrics"])]
    sensor: Option<String>,
    /// Only enqueue it, for whichever trainer is free
    #[arg(long)]
    enqueue: bool,
}

pub(super) fn run(context: &Context, arguments: TrainArguments) -> Result<(), CommandFailure> {
    let settings = &context.loaded.settings;
    log::start(&settings.log);
    let task = match arguments.sensor {
        Some(_) if settings.druid.url.is_none() => {
            let why = "there is no Druid to learn from
hint: `druid.url` names one";
            return Err(CommandFailure::Arguments(why.to_owned()));
        }
        Some(sensor) => Task::of(&SensorJob { sensor }),
        None => {
            study::task_of(settings, arguments.model, arguments.metrics).map_err(|error| match error {
                StudyError::Unknown(why) => CommandFailure::Arguments(why),
                other => other.into(),
            })?
        }
    };
    submit(context, &task, arguments.enqueue)
}

/// Enqueues a task and, unless that is all that is wanted, has a trainer do it and says what came of it.
pub(super) fn submit(context: &Context, task: &Task, enqueue_only: bool) -> Result<(), CommandFailure> {
    let settings = &context.loaded.settings;
    let mut queue = trainer::queue(settings)?.open()?;
    let id = queue
        .enqueue(task, None, unix_now())?
        .context("the job was not enqueued")?;
    if enqueue_only {
        return Ok(say(&id)?);
    }
    let stop = Stop::new();
    let _signals = process::stop_on_signal(&stop, process::Hangup::Ends)?;
    let mut child =
        trainer::start_drain(&context.global.as_arguments(), None).context("cannot start the trainer")?;
    let mut failed_looks = 0;
    loop {
        let stopped = stop.sleep(LOOK_EACH);
        let ended = child.try_wait().context("the trainer")?;
        let jobs = match queue.list(LOOK_AT) {
            Err(_) if !stopped && failed_looks < FAILED_LOOKS => {
                failed_looks += 1;
                continue;
            }
            outcome => outcome?,
        };
        failed_looks = 0;
        let job = jobs.into_iter().find(|job| job.id == id);
        let job = job.ok_or_else(|| anyhow!("job {id} is gone"))?;
        match job.state {
            JobState::Done => {
                trainer::end(&mut child, settings.process.stop_timeout);
                return Ok(say(&job.outcome)?);
            }
            JobState::Dead => return Err(failed(&job)),
            JobState::Waiting if ended.is_some() => return Err(failed(&job)),
            JobState::Queued if ended.is_some_and(|status| !status.success()) => {
                return Err(anyhow!(
                    "the trainer could not work; job {id} waits for another\nhint: with the embedded store and a \
                     running `skywatch run`, set `training.enabled = true` there and use `skywatch train --enqueue`"
                )
                .into());
            }
            _ => {}
        }
        if stopped {
            trainer::end(&mut child, settings.process.stop_timeout);
            return Err(anyhow!("interrupted\nhint: job {id} waits for the next trainer").into());
        }
    }
}

fn failed(job: &Job) -> CommandFailure {
    anyhow!("{}", job.outcome).into()
}
