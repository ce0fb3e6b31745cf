//! Follows log files: rates, new and vanished templates become metrics.

use std::path::Path;

use regex::Regex;
use skywatch_settings::Settings;

use super::role::{Needs, Role, RoleContext, RunOptions};
use crate::logs::{self, FollowOptions, WatchedFile};
use crate::process::{ProcessError, wiring};

/// The role of that name.
#[derive(Debug)]
pub(super) struct LogsRole;

impl Role for LogsRole {
    fn name(&self) -> &'static str {
        "logs"
    }

    fn is_wanted(&self, settings: &Settings) -> bool {
        settings.logs.files().next().is_some()
    }

    fn needs(&self, _: &RunOptions) -> Needs {
        Needs { store: true }
    }

    fn run(&self, context: &RoleContext<'_>) -> Result<(), ProcessError> {
        wiring::prepare_state_dir(&context.settings.state_dir)?;
        let options = options(context.settings);
        for file in &options.files {
            tracing::info!(
                "following `{}` as {}.{}",
                file.path.display(),
                options.prefix,
                file.name
            );
        }
        Ok(logs::follow(&options, context.store()?, context.stop)?)
    }
}

fn options(settings: &Settings) -> FollowOptions {
    let logs = &settings.logs;
    let files = logs.files().map(|file| WatchedFile {
        name: file.name.to_owned(),
        path: Path::new(file.path).to_owned(),
        // Settings refuse an expression that is none.
        header: file.header.and_then(|header| Regex::new(header).ok()),
    });
    FollowOptions {
        files: files.collect(),
        miner: logs::miner_options(&settings.templates),
        interval: logs.interval,
        prefix: logs.prefix.clone(),
        max_rates: logs.max_rates,
        folder: settings.state_dir.join("logs"),
    }
}
