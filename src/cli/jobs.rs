//! `skywatch jobs`: what trainers have done, do and are to do.

use clap::{Args, Subcommand};
use skywatch_alerters::{text, units};

use super::{Context, Failure, say};
use crate::clock::unix_now;
use crate::process::trainer;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try a job again that was given up
    Retry {
        /// Its id
        id: String,
    },
}

pub(super) fn run(context: &Context, arguments: Arguments) -> Result<(), Failure> {
    let mut queue = trainer::queue(&context.loaded.settings)?.open()?;
    if let Some(Command::Retry { id }) = arguments.command {
        if !queue.revive(&id, unix_now())? {
            return Err(anyhow::anyhow!("there is no job `{id}` among those that were given up").into());
        }
        return Ok(say("it waits again")?);
    }
    let jobs = queue.list(arguments.limit)?;
    if arguments.json {
        return Ok(say(&serde_json::to_string_pretty(&jobs)?)?);
    }
    if jobs.is_empty() {
        say(&format!("no jobs in {}", queue.describe()))?;
    }
    for job in jobs {
        say(&format!(
            "{}  {:<7}  {}  {}  try {}{}",
            job.id,
            job.state.as_str(),
            units::time(job.changed_at),
            job.task.name(),
            job.tries,
            if job.worker.is_empty() {
                String::new()
            } else {
                format!("  by {}", job.worker)
            },
        ))?;
        if !job.outcome.is_empty() {
            say(&format!("    {}", text::one_line(&job.outcome)))?;
        }
    }
    Ok(())
}
