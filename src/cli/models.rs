//! `skywatch models`: what was fitted, what serves, and the way back.

use clap::{Args, Subcommand};

use super::ask::{self, OutputForm};
use super::context::{CommandFailure, Context};
use crate::dispatch::Study;

#[derive(Debug, Args)]
pub(super) struct ModelsArguments {
    #[command(subcommand)]
    command: Option<ModelsCommand>,
}

#[derive(Debug, Subcommand)]
enum ModelsCommand {
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

pub(super) fn run(context: &Context, arguments: ModelsArguments) -> Result<(), CommandFailure> {
    let study = match arguments.command {
        Some(ModelsCommand::Show { model, version }) => Study::Model { model, version },
        Some(ModelsCommand::Rollback { model, version }) => Study::RollBack { model, version },
        None => Study::Models,
    };
    let answer = ask::study(context, study, OutputForm::Bare)?;
    Ok(ask::print_lines(answer)?)
}
