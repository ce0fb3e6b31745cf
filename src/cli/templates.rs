//! `skywatch templates FILE`: which statement of a program wrote each line of its log.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::context::{CommandFailure, Context, Global};
use crate::log::last_words;
use crate::logs;

#[derive(Debug, Args)]
pub(super) struct TemplatesArguments {
    /// Messages without header, one a line; plain or gzip
    file: PathBuf,
    /// Where `LineId,ClusterId,Template` goes; standard output if not given
    #[arg(long, value_name = "OUT.csv")]
    output: Option<PathBuf>,
    /// Settings file with a section `[templates]`; short for `--config`
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    settings: Option<PathBuf>,
}

pub(super) fn run(mut global: Global, arguments: &TemplatesArguments) -> Result<(), CommandFailure> {
    global.use_file(arguments.settings.as_ref());
    let context = Context::resolve(global)?;
    let options = logs::miner_options(&context.loaded.settings.templates);
    let assigned = logs::assign(&arguments.file, &options)?;
    if assigned.cut > 0 {
        last_words(&format!(
            "warning: {} lines of `{}` are too long; of them only the beginning was looked at",
            assigned.cut,
            arguments.file.display()
        ));
    }
    match &arguments.output {
        Some(path) => {
            let cannot = || format!("cannot write `{}`", path.display());
            let mut out = BufWriter::new(File::create(path).with_context(cannot)?);
            assigned
                .write_csv(&mut out)
                .and_then(|()| out.flush())
                .with_context(cannot)?;
        }
        None => {
            let mut out = BufWriter::new(io::stdout().lock());
            match assigned.write_csv(&mut out).and_then(|()| out.flush()) {
                // A reader who has seen enough is no failure.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                outcome => outcome.context("cannot write the templates")?,
            }
        }
    }
    Ok(())
}
