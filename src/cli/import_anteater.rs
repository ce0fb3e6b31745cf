//! `skywatch import-anteater`: settings out of gala-anteater's configuration.

use std::path::PathBuf;

use clap::Args;

use super::context::{CommandFailure, say_imported};
use crate::anteater::{self, AnteaterFiles};

#[derive(Debug, Args)]
pub(super) struct ImportAnteaterArguments {
    /// `gala-anteater.yaml`
    configuration: PathBuf,
    /// `metricinfo.json`: what metrics are
    metric_info: Option<PathBuf>,
    /// The folder with the jobs, whose metrics are judged
    #[arg(long, value_name = "DIR")]
    jobs: Option<PathBuf>,
}

/// Settings go to standard output, what became of each key to standard error.
pub(super) fn run(arguments: ImportAnteaterArguments) -> Result<(), CommandFailure> {
    let imported = anteater::import(&AnteaterFiles {
        configuration: arguments.configuration,
        metric_info: arguments.metric_info,
        jobs: arguments.jobs,
    })?;
    Ok(say_imported(imported)?)
}
