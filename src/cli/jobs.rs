//! `skywatch jobs`: what trainers have done, do and are to do.

use clap::{Args, Subcommand};
use skywatch_alerters::{text, units};

use super::ask::{self, OutputForm};
use super::context::{CommandFailure, Context, say};
use crate::dispatch::{Answer, Study};

#[derive(Debug, Args)]
pub(super) struct JobsArguments {
    #[command(subcommand)]
    command: Option<JobsCommand>,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum JobsCommand {
    /// Try a job again that was given up
    Retry {
        /// Its id
        id: String,
    },
}

pub(super) fn run(context: &Context, arguments: JobsArguments) -> Result<(), CommandFailure> {
    let study = match arguments.command {
        Some(JobsCommand::Retry { id }) => Study::RetryJob { id },
        None => Study::Jobs {
            limit: arguments.limit,
        },
    };
    let (place, jobs) = match ask::study(context, study, OutputForm::of(arguments.json))? {
        Answer::Jobs { place, jobs } => (place, jobs),
        answer => return Ok(ask::print_lines(answer)?),
    };
    if arguments.json {
        return Ok(say(&serde_json::to_string_pretty(&jobs)?)?);
    }
    if jobs.is_empty() {
        say(&format!("no jobs in {place}"))?;
    }
    for job in jobs {
        say(&format!(
            "{}  {:<7}  {}  {}  try {}{}",
            job.id,
            job.state.as_str(),
            units::time(job.changed_at),
            job.task.describe(),
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
