//! `skywatch notices`: the dead-letter list.

use clap::{Args, Subcommand};
use skywatch_alerters::{text, units};

use super::ask::{self, OutputForm};
use super::context::{CommandFailure, Context, say};
use crate::dispatch::{Reply, Request, Which};

/// What is to be done.
#[derive(Debug, Args)]
pub(super) struct NoticesArguments {
    #[command(subcommand)]
    command: Option<NoticesCommand>,
    /// At most so many
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum NoticesCommand {
    /// Try notices again that reached nobody
    Retry(Chosen),
    /// Take notices off the list that reached nobody
    Drop(Chosen),
}

#[derive(Debug, Args)]
struct Chosen {
    /// One notice, by its id
    id: Option<String>,
    /// All of one receiver
    #[arg(long, conflicts_with = "id")]
    receiver: Option<String>,
    /// All
    #[arg(long, conflicts_with_all = ["id", "receiver"])]
    all: bool,
}

impl Chosen {
    fn which(self) -> Result<Which, CommandFailure> {
        match (self.id, self.receiver, self.all) {
            (Some(id), ..) => Ok(Which::One(id)),
            (None, Some(receiver), _) => Ok(Which::Of(receiver)),
            (None, None, true) => Ok(Which::All),
            (None, None, false) => Err(CommandFailure::Arguments(
                "which notices?\nhint: give an id, `--receiver NAME`, or `--all`".to_owned(),
            )),
        }
    }
}

pub(super) fn run(context: &Context, arguments: NoticesArguments) -> Result<(), CommandFailure> {
    let (chosen, retry) = match arguments.command {
        Some(NoticesCommand::Retry(chosen)) => (chosen, true),
        Some(NoticesCommand::Drop(chosen)) => (chosen, false),
        None => {
            let reply = ask::dispatcher(
                context,
                Request::DeadLetters {
                    limit: arguments.limit,
                },
                OutputForm::of(arguments.json),
            )?;
            if arguments.json {
                return Ok(ask::print_json(&reply)?);
            }
            let Reply::Notices { notices } = reply else {
                return Ok(());
            };
            if notices.is_empty() {
                say("no notice has been given up")?;
            }
            for notice in notices {
                say(&format!(
                    "{}  {}  to {}  {}\n    {}",
                    notice.id,
                    units::time(notice.at),
                    notice.receiver,
                    notice.summary,
                    text::one_line(&notice.error.unwrap_or_default())
                ))?;
            }
            return Ok(());
        }
    };
    let which = chosen.which()?;
    if let Reply::Done { count } =
        ask::dispatcher(context, Request::Notices { which, retry }, OutputForm::Bare)?
    {
        if count == 0 {
            return Err(anyhow::anyhow!("there is no such notice among those that reached nobody").into());
        }
        let done = if retry { "wait again" } else { "taken off the list" };
        say(&format!("{count} notices {done}"))?;
    }
    Ok(())
}
