//! `skywatch run`: the parent and its children, or everything in one process.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use crossbeam_channel::select;
use skywatch_settings::{Settings, StoreUrl};

use super::context::{CommandFailure, Context};
use crate::clock::unix_now;
use crate::dispatch::running::Entry;
use crate::log;
use crate::net::slots;
use crate::process::reload::log_reload;
use crate::process::{
    self, ChildSpec, LiveSettings, Parent, ParentOptions, RunOptions, Signals, Systemd, roles,
};
use crate::status::{ProcessStatus, StatusFile};
use crate::stop::Stop;
use crate::web::LiveSettingsTable;

#[derive(Debug, Args)]
pub(super) struct RunArguments {
    /// Stop after so many passes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    passes: Option<u64>,
    /// Append one JSON line a pass to this file
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
    /// Do everything in one process, as with the embedded store
    #[arg(long)]
    single_process: bool,
}

pub(super) fn run(context: &Context, arguments: &RunArguments) -> Result<(), CommandFailure> {
    let settings = &context.loaded.settings;
    log::start(&settings.log);
    slots::raise_descriptors();
    let stop = Stop::new();
    let signals = process::stop_on_signal(&stop, process::Hangup::Reloads)?;
    let options = RunOptions {
        passes: arguments.passes,
        summary: arguments.summary.clone(),
        global: context.global.as_arguments(),
        live: LiveSettings::default(),
        ..RunOptions::default()
    };
    let _claim = process::StateFolderClaim::take(&settings.state_dir)?;
    let outcome = work(context, &options, arguments.single_process, signals, &stop);
    if let Err(CommandFailure::Other(error)) = &outcome {
        leave_word(settings, error);
    }
    outcome
}

/// Leaves behind why it ends, for `skywatch status`: who looks may not find the log.
fn leave_word(settings: &Settings, error: &anyhow::Error) {
    let file = StatusFile::process(&settings.state_dir);
    let known: Option<ProcessStatus> = file.read();
    file.write(&ProcessStatus {
        ended: Some(format!("{error:#}").replace('\n', "; ")),
        ..known.unwrap_or_default()
    });
}

/// Works until `stop` is said, in the folder that is claimed.
fn work(
    context: &Context,
    options: &RunOptions,
    single_process: bool,
    signals: Signals,
    stop: &Stop,
) -> Result<(), CommandFailure> {
    let settings = &context.loaded.settings;
    // Without it commands know only what the analyzer itself says while it runs.
    let keeper = settings
        .analyzer
        .enabled
        .then(|| Entry::of_keeper(&settings.state_dir));
    let _keeper = keeper.transpose().unwrap_or_else(|error| {
        tracing::warn!("commands may not find this process :: {error}");
        None
    });
    process::check(settings, options)?;
    let mut systemd = Systemd::from_environment();
    let embedded = settings.store.url == StoreUrl::Embedded;
    if embedded || single_process || settings.process.single_process {
        process::end_by_force(stop, process::time_to_end(settings))?;
        reload_on_signal(context, options, &signals, stop)?;
        let told = tell_systemd(systemd, stop)?;
        let outcome = process::run_all(settings, options, stop);
        stop.say();
        let _ = told.join();
        return Ok(outcome?);
    }
    let specs = roles::wanted(settings).map(|role| ChildSpec {
        name: role.name(),
        arguments: options.child_arguments(role.name()),
        ends_all: role.ends_all(options),
        stops_last: role.stops_last(),
    });
    let specs = specs.collect();
    let options = ParentOptions {
        restart_backoff: settings.process.restart_backoff,
        restart_backoff_max: settings.process.restart_backoff_max,
        stop_timeout: settings.process.stop_timeout,
    };
    let parent = Parent::new(specs, options)?
        .with_status(StatusFile::process(&settings.state_dir))
        .with_reloader(context.reloader(LiveSettings::default(), LiveSettingsTable::default()));
    Ok(parent.run(&signals, &mut systemd, stop)?)
}

/// Reads settings anew whenever that is asked for, until `stop` is said, and shows what became of them.
fn reload_on_signal(
    context: &Context,
    options: &RunOptions,
    signals: &Signals,
    stop: &Stop,
) -> Result<(), CommandFailure> {
    let mut reloader = context.reloader(options.live.clone(), options.settings.clone());
    let file = StatusFile::process(&context.loaded.settings.state_dir);
    let mut status = ProcessStatus {
        pid: std::process::id(),
        since: unix_now(),
        ..ProcessStatus::default()
    };
    file.write(&status);
    let (asked, stop) = (signals.reload.clone(), stop.clone());
    std::thread::Builder::new()
        .name("reload".to_owned())
        .spawn(move || {
            loop {
                select! {
                    recv(asked) -> message => if message.is_err() {
                        return;
                    },
                    recv(stop.channel()) -> _ => return,
                }
                let reload = reloader.reload();
                log_reload(&reload);
                status.reload = Some(reload);
                file.write(&status);
            }
        })?;
    Ok(())
}

/// Tells systemd how the one process is, until `stop` is said.
fn tell_systemd(mut systemd: Systemd, stop: &Stop) -> Result<std::thread::JoinHandle<()>, CommandFailure> {
    let stop = stop.clone();
    let thread = std::thread::Builder::new()
        .name("systemd".to_owned())
        .spawn(move || {
            systemd.ready();
            while !stop.sleep(systemd.patience().unwrap_or(Duration::from_secs(3_600))) {
                systemd.alive();
            }
            systemd.stopping();
        });
    Ok(thread?)
}
