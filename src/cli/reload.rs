//! `skywatch reload`: has the running process read its settings anew, and says what that changed.

use clap::Args;

use super::ask::{meant, print_json};
use super::context::{CommandFailure, Context, Global, say};
use crate::log::last_words;
use crate::process::reload::request_reload;
use crate::status::ReloadStatus;

#[derive(Debug, Args)]
pub(super) struct ReloadArguments {
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Exit code 0 if the settings are in force, also where some take a restart; 2 if they are refused as anywhere else; 1 if what
/// they name is wrong, such as a template; 3 if nothing runs.
pub(super) fn run(global: Global, arguments: &ReloadArguments) -> Result<(), CommandFailure> {
    let context = Context::resolve(global).inspect_err(|failure| {
        // The process was not even asked: it is found by settings.
        if matches!(failure, CommandFailure::Settings(_)) {
            last_words("the settings before stay in force");
        }
    })?;
    let state_dir = match meant(&context)? {
        Some(running) => running.state_dir,
        None => context.loaded.settings.state_dir.clone(),
    };
    let reload = request_reload(&state_dir).map_err(CommandFailure::NotRunning)?;
    if arguments.json {
        print_json(&reload)?;
    } else {
        show(&reload)?;
    }
    match reload.refused {
        None => Ok(()),
        Some(why) => Err(anyhow::anyhow!("the settings before stay in force\n{why}").into()),
    }
}

fn show(reload: &ReloadStatus) -> anyhow::Result<()> {
    if reload.refused.is_some() {
        return Ok(());
    }
    if reload.applied.is_empty() && reload.restart.is_empty() {
        say("read anew; nothing is other than before but what files hold: secrets, templates, certificates")?;
    }
    for key in &reload.applied {
        say(&format!("in force        {key}"))?;
    }
    for key in &reload.restart {
        say(&format!("takes a restart {key}"))?;
    }
    Ok(())
}
