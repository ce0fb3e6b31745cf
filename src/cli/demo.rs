//! `skywatch demo`: see it work, with nothing to configure.

use std::io::Write as _;
use std::net::SocketAddr;

use clap::Args;
use skywatch_settings::Log;

use super::context::CommandFailure;
use crate::demo::{self, DemoOptions};
use crate::log;
use crate::net::slots;
use crate::process;
use crate::stop::Stop;

#[derive(Debug, Args)]
pub(super) struct DemoArguments {
    /// End by itself after so many seconds
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Print what was planted and found as one line of JSON at the end; all else goes to stderr
    #[arg(long)]
    json: bool,
    /// Where to serve the pages; a taken port is replaced by the next free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:1500")]
    listen: SocketAddr,
}

pub(super) fn run(arguments: &DemoArguments) -> Result<(), CommandFailure> {
    if !arguments.listen.ip().is_loopback() {
        return Err(CommandFailure::Arguments(format!(
            "`--listen {}` is not a loopback address\nhint: the demo's pages have no password; use 127.0.0.1",
            arguments.listen
        )));
    }
    log::start(&Log {
        level: skywatch_settings::LogLevel::Error,
        ..Log::default()
    });
    slots::raise_descriptors();
    let stop = Stop::new();
    let _signals = process::stop_on_signal(&stop, process::Hangup::Ends)?;
    let options = DemoOptions {
        seconds: arguments.seconds,
        pages: arguments.listen,
    };
    let outcome = if arguments.json {
        demo::run(options, &mut log::Stderr, &stop)?
    } else {
        demo::run(options, &mut std::io::stdout(), &stop)?
    };
    let mut out = std::io::stdout().lock();
    if arguments.json {
        let line = serde_json::to_string(&outcome)?;
        writeln!(out, "{line}")?;
    } else {
        let hits = outcome
            .planted
            .iter()
            .filter(|planted| outcome.found.contains(planted))
            .count();
        writeln!(
            out,
            "\nfound {hits} of {} planted anomalies and {} others among {} metrics in {} passes",
            outcome.planted.len(),
            outcome.found.len() - hits,
            outcome.metrics,
            outcome.passes
        )?;
    }
    Ok(())
}
