//! `skywatch models`: what was fitted, what serves, and the way back.

use clap::{Args, Subcommand};

use super::ask::{self, Form};
use super::{Context, Failure};
use crate::dispatch::Study;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the card of a model
    Show {
        /// Its name
        model: String,
        /// The version; without it the one that serves
        version: Option<String>,
    },
    /// Let an earlier version serve again
    Rollback {
        /// The model's name
        model: String,
        /// The version; without it the one before the one that serves
        version: Option<String>,
    },
}

pub(super) fn run(context: &Context, arguments: Arguments) -> Result<(), Failure> {
    let study = match arguments.command {
        Some(Command::Show { model, version }) => Study::Model { model, version },
        Some(Command::Rollback { model, version }) => Study::RollBack { model, version },
        None => Study::Models,
    };
    let answer = ask::study(context, study, Form::Bare)?;
    Ok(ask::print_lines(answer)?)
}
