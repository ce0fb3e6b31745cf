//! `skywatch backfill`: fills windows from a Graphite, a Prometheus, an InfluxDB, from files or from another Skyline's Redis.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use crossbeam_channel::{RecvTimeoutError, bounded, select};
use indicatif::{ProgressBar, ProgressStyle};
use skywatch_algorithms::streaming::REACH;
use skywatch_settings::{Settings, StoreUrl};

use super::context::{CommandFailure, Context};
use crate::backfill::{self, BackfillError, BackfillOptions, BackfillSummary, BaselineFolders};
use crate::clock::unix_now;
use crate::ingest::IntakePolicy;
use crate::log;
use crate::process;
use crate::sources::{ChosenSource, Source, Span, row};
use crate::stop::Stop;
use crate::store::Connect;
use crate::store::redis::RedisConnect;

/// How long a request under way is waited for after a signal: whoever has pressed ctrl-c waits.
const LAST_WAIT: Duration = Duration::from_secs(1);
/// Seconds between two lines of the log where no progress bar is seen.
const SAY_EACH: u64 = 10;

#[derive(Debug, Args)]
pub(super) struct BackfillArguments {
    #[command(flatten)]
    source: ChosenSource,
    /// The earliest time fetched: `-24h`, Unix seconds or a date; by default all that a window can hold, of
    /// files also what can be learnt from, 35 days
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    from: Option<String>,
    /// The latest time fetched; by default now
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<String>,
    /// Points stored a second, at most
    #[arg(long, value_name = "N", default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Tries beyond the first of what does not answer
    #[arg(long, value_name = "N", default_value_t = 4)]
    retries: u32,
}

pub(super) fn run(context: &Context, arguments: BackfillArguments) -> Result<(), CommandFailure> {
    let settings = &context.loaded.settings;
    let knowledge = process::long_memory(settings).map(|memory| BaselineFolders {
        memory,
        states: process::states_folder(settings),
    });
    let window = settings.store.full_duration.as_secs_f64();
    // A file is read to its end in any case: all of it that can be learnt from is.
    let reach = match knowledge.is_some() && arguments.source.kind.reads_all {
        true => window.max(f64::from(REACH) * 3_600.0),
        false => window,
    };
    let options = BackfillOptions {
        span: span(arguments.from.as_deref(), arguments.until.as_deref(), reach)?,
        policy: policy(settings),
        old_windows: arguments.from.is_some().then_some(window),
        rate: arguments.rate,
        retries: arguments.retries,
        knowledge,
    };
    log::start(&settings.log);
    let source = arguments.source.open(options.span, redis_store(settings)?);
    let source = source.map_err(|error| CommandFailure::Arguments(error.to_string()))?;
    fill(process::store(settings)?, source, settings, options)
}

/// The store and its namespace, if it is a Redis.
fn redis_store(settings: &Settings) -> Result<Option<(RedisConnect, String)>, CommandFailure> {
    Ok(match &settings.store.url {
        StoreUrl::Embedded => None,
        StoreUrl::Redis(url) => {
            let connect = process::redis(url, settings)?;
            Some((connect, settings.store.namespace.clone()))
        }
    })
}

/// What the ingest lets in, but as old as a window can hold.
fn policy(settings: &Settings) -> IntakePolicy {
    IntakePolicy {
        max_age: settings.store.full_duration,
        ..process::ingest_policy(settings)
    }
}

/// What `--from` and `--until` mean; without the first, the last `reach` seconds.
pub(super) fn span(from: Option<&str>, until: Option<&str>, reach: f64) -> Result<Span, CommandFailure> {
    let now = unix_now();
    let after = match from {
        Some(text) => when(text, now, "--from")?,
        None => now - reach,
    };
    let until = match until {
        Some(text) => when(text, now, "--until")?,
        None => now,
    };
    if after >= until {
        return Err(CommandFailure::Arguments(
            "`--from` is not before `--until`".to_owned(),
        ));
    }
    Ok(Span { after, until })
}

/// `-24h`, Unix seconds, a date, or `now`.
fn when(text: &str, now: f64, flag: &str) -> Result<f64, CommandFailure> {
    let back = text.strip_prefix('-').and_then(skywatch_settings::parse_duration);
    let time = match (text, back) {
        ("now", _) => Some(now),
        (_, Some(back)) => Some(now - back.as_secs_f64()),
        _ => row::time(text).filter(|time| *time >= 0.0),
    };
    time.ok_or_else(|| {
        CommandFailure::Arguments(format!(
            "`{flag} {text}` is no time\nhint: such as `-24h`, `1700000000` or `2023-11-14 22:13:20` (UTC)"
        ))
    })
}

/// Works on a thread of its own, so that a signal ends the command even while a server lets it wait.
fn fill(
    connect: impl Connect,
    mut source: Box<dyn Source>,
    settings: &Settings,
    options: BackfillOptions,
) -> Result<(), CommandFailure> {
    let stop = Stop::new();
    let _signals = process::stop_on_signal(&stop, process::Hangup::Ends)?;
    let folder = settings.state_dir.join("backfill");
    let (from, into) = (source.describe(), connect.describe());
    tracing::info!(
        "backfill from {from} into {into}, {} points a second at most",
        options.rate
    );
    let (finished, outcome) = bounded(1);
    let working = stop.clone();
    let thread = std::thread::Builder::new()
        .name("backfill".to_owned())
        .spawn(move || {
            let view = ProgressBars::new();
            let mut on_progress = |parts, behind, points| view.show(parts, behind, points);
            let outcome = backfill::run(
                &mut *source,
                &connect,
                &folder,
                &options,
                &mut on_progress,
                &working,
            );
            view.end();
            // Nobody listens any more if a signal came.
            let _ = finished.send(outcome);
        });
    let thread = thread.context("cannot start a thread")?;
    let outcome = select! {
        recv(outcome) -> ended => ended.map_err(|_| RecvTimeoutError::Disconnected),
        recv(stop.channel()) -> _ => outcome.recv_timeout(LAST_WAIT),
    };
    match outcome {
        Ok(outcome) => {
            let _ = thread.join();
            report(outcome, &from, &into)
        }
        Err(RecvTimeoutError::Disconnected) => Err(anyhow!("the backfill panicked").into()),
        // It waits for a server; what it has done is written down.
        Err(RecvTimeoutError::Timeout) => Err(interrupted()),
    }
}

fn report(
    outcome: Result<BackfillSummary, BackfillError>,
    from: &str,
    into: &str,
) -> Result<(), CommandFailure> {
    let summary = outcome?;
    log::last_words(&format!("from       {from}\ninto       {into}\n{summary}"));
    if summary.is_interrupted {
        return Err(interrupted());
    }
    if let Some(why) = summary.why_nothing() {
        return Err(anyhow!(why).into());
    }
    if summary.failures > 0 {
        return Err(anyhow!(
            "{} parts failed\nhint: the same command tries them again and leaves out what is done",
            summary.failures
        )
        .into());
    }
    Ok(())
}

fn interrupted() -> CommandFailure {
    anyhow!("interrupted\nhint: the same command goes on where this one ended").into()
}

/// A bar for people, a line now and then for logs.
struct ProgressBars {
    bar: ProgressBar,
    begun: std::time::Instant,
    /// Seconds from the beginning to the last line.
    said: AtomicU64,
}

impl ProgressBars {
    fn new() -> Self {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{bar:30} {pos} of {len} parts, {msg}, {eta} left");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Self {
            bar,
            begun: std::time::Instant::now(),
            said: AtomicU64::new(0),
        }
    }

    fn show(&self, parts: usize, behind: usize, points: u64) {
        self.bar.set_length(parts as u64);
        self.bar.set_position(behind as u64);
        self.bar.set_message(format!("{points} points"));
        let seconds = self.begun.elapsed().as_secs();
        if self.bar.is_hidden() && seconds >= self.said.load(Ordering::Relaxed) + SAY_EACH {
            self.said.store(seconds, Ordering::Relaxed);
            tracing::info!("backfill :: {behind} of {parts} parts, {points} points");
        }
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}
