//! `skywatch settings`: every option, its value and who set it; then what is allowed but hardly meant.

use std::io::Write as _;

use clap::{Args, Subcommand};
use skywatch_alerters::render::Templates;

use super::context::{CommandFailure, Context};
use crate::net::login;

#[derive(Debug, Args)]
pub(super) struct SettingsArguments {
    /// Print a commented settings file with every option and its default instead
    #[arg(long)]
    example: bool,
    #[command(subcommand)]
    command: Option<SettingsCommand>,
}

#[derive(Debug, Subcommand)]
enum SettingsCommand {
    /// Try every message with the templates in force
    CheckTemplates,
    /// Print the hash of a token read from standard input, to stand in the settings in its stead
    HashToken,
}

pub(super) fn run(context: &Context, arguments: &SettingsArguments) -> Result<(), CommandFailure> {
    let mut out = std::io::stdout().lock();
    if arguments.example {
        out.write_all(skywatch_settings::EXAMPLE.as_bytes())?;
        return Ok(());
    }
    match arguments.command {
        Some(SettingsCommand::CheckTemplates) => return check_templates(context),
        Some(SettingsCommand::HashToken) => return hash_token(),
        None => {}
    }
    let rows: Vec<_> = context.loaded.table().collect();
    let longest =
        |column: fn(&(&str, &str, &skywatch_settings::Origin)) -> usize| rows.iter().map(column).max();
    let keys = longest(|row| row.0.len()).unwrap_or(0);
    let values = longest(|row| row.1.len()).unwrap_or(0).min(40);
    for (key, value, origin) in rows {
        writeln!(out, "{key:keys$}  {value:values$}  {origin}")?;
    }
    // What is read by a program stays a table; what is for people goes beside it.
    for note in context.loaded.notes() {
        crate::log::last_words(&format!("note: {note}"));
    }
    Ok(())
}

fn hash_token() -> Result<(), CommandFailure> {
    let token = std::io::read_to_string(std::io::stdin().lock())?;
    let hash = login::hash_token(token.trim()).map_err(CommandFailure::Arguments)?;
    super::context::say(&hash)?;
    Ok(())
}

fn check_templates(context: &Context) -> Result<(), CommandFailure> {
    let folder = context.loaded.settings.alerts.templates.as_deref();
    let templates = Templates::load(folder).map_err(anyhow::Error::from)?;
    if let Err(errors) = templates.check() {
        for error in &errors {
            crate::log::last_words(&error.to_string());
        }
        return Err(anyhow::anyhow!("{} messages cannot be written", errors.len()).into());
    }
    match folder {
        Some(folder) => super::context::say(&format!("templates in `{}` are right", folder.display()))?,
        None => super::context::say("built-in templates are right; `alerts.templates` names no folder")?,
    }
    Ok(())
}
