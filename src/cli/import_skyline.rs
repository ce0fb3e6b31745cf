//! `skywatch import-skyline`: settings out of a Skyline's `settings.py`.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use skywatch_settings::Secret;

use super::context::{CommandFailure, say_imported};
use crate::skyline_settings;

/// Where secrets are looked for if nothing else is said.
const SECRETS: &str = "/etc/skywatch/secrets";

#[derive(Debug, Args)]
pub(super) struct ImportSkylineArguments {
    /// `settings.py`. It is read, never executed
    file: PathBuf,
    /// Writes passwords and tokens into files of this folder, for this user alone; without it the settings name
    /// `/etc/skywatch/secrets`, and nothing is written
    #[arg(long, value_name = "DIR")]
    secrets: Option<PathBuf>,
}

/// Settings go to standard output, what became of each name to standard error.
pub(super) fn run(arguments: ImportSkylineArguments) -> Result<(), CommandFailure> {
    let folder = arguments.secrets.as_deref();
    let import = skyline_settings::import(&arguments.file, folder.unwrap_or(Path::new(SECRETS)))?;
    if let Some(folder) = folder {
        for (name, secret) in &import.secrets {
            write_secret(folder, name, secret)?;
        }
    }
    Ok(say_imported(import.imported)?)
}

/// Writes a secret into a file of its own. One that is there stays as it is, and is an error unless it holds the same.
fn write_secret(folder: &Path, name: &str, secret: &Secret) -> anyhow::Result<()> {
    let path = folder.join(name);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    match options.open(&path) {
        Ok(mut file) => writeln!(file, "{}", secret.expose()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let there = std::fs::read_to_string(&path).unwrap_or_default();
            if there.trim_end() == secret.expose() {
                Ok(())
            } else {
                Err(error)
            }
        }
        Err(error) => Err(error),
    }
    .with_context(|| format!("cannot write the secret `{}`", path.display()))
}
