//! `skywatch backup` and `skywatch restore`: the state folder to a folder elsewhere, and back.

use std::path::PathBuf;

use clap::Args;
use skywatch_alerters::units;

use super::ask::meant;
use super::context::{CommandFailure, Context, say};
use crate::backup;
use crate::process;

#[derive(Debug, Args)]
pub(super) struct BackupArguments {
    /// Where the copy goes: a folder that is not there yet
    folder: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArguments {
    /// A folder that `skywatch backup` has made
    folder: PathBuf,
    /// Move aside what the state folder holds
    #[arg(long)]
    replace: bool,
}

pub(super) fn back_up(context: &Context, arguments: &BackupArguments) -> Result<(), CommandFailure> {
    let state_dir = match meant(context)? {
        Some(running) => running.state_dir,
        None => context.loaded.settings.state_dir.clone(),
    };
    let is_running = process::is_claimed(&state_dir);
    let made = backup::back_up(&state_dir, &arguments.folder, is_running)?;
    let bytes: u64 = made.manifest.files.iter().map(|file| file.bytes).sum();
    say(&format!(
        "{} files, {} bytes of `{}` are in `{}`",
        made.manifest.files.len(),
        units::number(bytes as f64),
        state_dir.display(),
        arguments.folder.display()
    ))?;
    if made.left_store_out {
        say(
            "not in it: the points of the embedded store, as a process works with them; stop it to have them copied, too",
        )?;
    }
    Ok(())
}

pub(super) fn restore(context: &Context, arguments: &RestoreArguments) -> Result<(), CommandFailure> {
    let state_dir = &context.loaded.settings.state_dir;
    // Nobody may begin to work in it meanwhile.
    let claim = process::StateFolderClaim::take(state_dir)?;
    let restored = backup::restore(&arguments.folder, state_dir, arguments.replace)?;
    drop(claim);
    say(&format!(
        "{} files of Skywatch {}, as of {}, are in `{}`",
        restored.manifest.files.len(),
        restored.manifest.version,
        units::time(restored.manifest.at),
        state_dir.display()
    ))?;
    if let Some(before) = restored.before {
        say(&format!(
            "what was there is in `{}`; delete it when all is well",
            before.display()
        ))?;
    }
    Ok(())
}
