//! `skywatch models`: what was fitted, what serves, and the way back.

use clap::{Args, Subcommand};
use skywatch_alerters::units;

use super::{Context, Failure, say};
use crate::models::Kind;
use crate::process::trainer;

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
    let library = trainer::library(&context.loaded.settings)?;
    match arguments.command {
        Some(Command::Show { model, version }) => {
            let card = match version {
                Some(version) => library.card(&model, &version, None)?,
                None => {
                    let pointer = library.pointer(&model)?;
                    let pointer = pointer.ok_or_else(|| anyhow::anyhow!("there is no model `{model}`"))?;
                    library.card(&model, &pointer.version, Some(&pointer.card_sha256))?
                }
            };
            say(&serde_json::to_string_pretty(&card)?)?;
        }
        Some(Command::Rollback { model, version }) => {
            let version = library.roll_back(&model, version.as_deref())?;
            say(&format!("version {version} of {model} serves"))?;
        }
        None => {
            let names = library.names()?;
            if names.is_empty() {
                say(&format!(
                    "no models in {}\nhint: `skywatch train` fits them",
                    library.describe()
                ))?;
            }
            for name in names {
                let serving = library.pointer(&name)?.map(|pointer| pointer.version);
                for version in library.versions(&name)? {
                    let mark = if serving.as_ref() == Some(&version) {
                        "serves"
                    } else {
                        ""
                    };
                    // One that cannot be read does not hide the others.
                    let about = match library.card(&name, &version, None) {
                        Ok(card) => {
                            let what = match &card.kind {
                                Kind::Sequence { columns, .. } => format!("{} columns", columns.len()),
                                Kind::Families { metrics, .. } => {
                                    let count: usize = metrics.iter().map(Vec::len).sum();
                                    format!("{count} metrics in {} families", metrics.len())
                                }
                            };
                            format!(
                                "{what}, error {:.4} held back, made {}",
                                card.holdout.error,
                                units::time(card.made_at)
                            )
                        }
                        Err(error) => error.to_string(),
                    };
                    say(&format!("{name}  {version}  {mark:<6}  {about}"))?;
                }
            }
        }
    }
    Ok(())
}
