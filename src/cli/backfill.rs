//! `skywatch backfill`: fills windows from a Graphite, a Prometheus, from files or from another Skyline's Redis.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use crossbeam_channel::{RecvTimeoutError, bounded, select};
use indicatif::{ProgressBar, ProgressStyle};
use skywatch_algorithms::streaming::REACH;
use skywatch_settings::{Secret, Settings, StoreUrl};

use super::{Context, Failure};
use crate::backfill::{self, BackfillError, BackfillOptions, Knowledge, Summary};
use crate::clock::unix_now;
use crate::ingest::IntakePolicy;
use crate::log;
use crate::process;
use crate::sources::{
    CsvFiles, Graphite, GraphiteOptions, Prometheus, PrometheusOptions, SkylineRedis, Source, Span, row,
};
use crate::stop::Stop;
use crate::store::Connect;
use crate::store::redis::{RedisConnect, RedisOptions};

/// How long a request under way is waited for after a signal.
const LAST_WAIT: Duration = Duration::from_secs(1);
/// Time between two lines of the log where no progress bar is seen.
const SAY_EACH: u64 = 10;

// What belongs to one source both requires it and conflicts with the others: clap lets go of a requirement that another
// source present makes impossible.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("by_http").args(["graphite", "prometheus"])))]
#[command(group(clap::ArgGroup::new("may_lack_names").args(["csv", "prometheus"])))]
#[command(group(clap::ArgGroup::new("source").required(true).args(["graphite", "prometheus", "csv", "redis"])))]
pub(super) struct Arguments {
    /// A Graphite, as `http://host:port`; user and password may be part of it
    #[arg(long, value_name = "URL", requires = "target")]
    graphite: Option<String>,
    /// What of the Graphite: a metric, a pattern such as `servers.*.cpu`, or an expression; may be given again
    #[arg(long, value_name = "TARGET", requires = "graphite", conflicts_with_all = ["prometheus", "csv", "redis"])]
    target: Vec<String>,
    /// A Prometheus, as `http://host:port`; user and password may be part of it
    #[arg(long, value_name = "URL")]
    prometheus: Option<String>,
    /// Which series of the Prometheus: a selector such as `up{job="node"}`; may be given again
    #[arg(long = "match", value_name = "SELECTOR", requires = "prometheus", conflicts_with_all = ["graphite", "csv", "redis"])]
    selectors: Vec<String>,
    /// An expression of PromQL whose results are fetched; may be given again
    #[arg(long, value_name = "PROMQL", requires = "prometheus", conflicts_with_all = ["graphite", "csv", "redis"])]
    query: Vec<String>,
    /// Seconds between two points of the Prometheus, such as `15s`
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = step, requires = "prometheus", conflicts_with_all = ["graphite", "csv", "redis"])]
    step: f64,
    /// A file with a token that the Prometheus asks for (`Authorization: Bearer …`)
    #[arg(long, value_name = "FILE", requires = "prometheus", conflicts_with_all = ["graphite", "csv", "redis"])]
    bearer_token_file: Option<PathBuf>,
    /// Certificates (PEM) to trust instead of the public ones
    #[arg(long, value_name = "FILE", requires = "by_http", conflicts_with_all = ["csv", "redis"])]
    ca_file: Option<PathBuf>,
    /// A file of lines `name,time,value`, or `time,value` with --metric; a heading may give another order; may be given
    /// again
    #[arg(long, value_name = "FILE")]
    csv: Vec<PathBuf>,
    /// The name of the metric in a file without names, or of what Prometheus gives without one
    #[arg(long, value_name = "NAME", requires = "may_lack_names", conflicts_with_all = ["graphite", "redis"])]
    metric: Option<String>,
    /// Another Redis in Skyline's layout
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    /// What every metric's key begins with there
    #[arg(long, value_name = "TEXT", default_value = "metrics.", requires = "redis", conflicts_with_all = ["graphite", "prometheus", "csv"])]
    namespace: String,
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

pub(super) fn run(context: &Context, arguments: Arguments) -> Result<(), Failure> {
    let settings = &context.loaded.settings;
    let knowledge = process::long_memory(settings).map(|memory| Knowledge {
        memory,
        states: process::states_folder(settings),
    });
    let window = settings.store.full_duration.as_secs_f64();
    // A file is read to its end in any case: all of it that can be learnt from is.
    let reach = match knowledge.is_some() && !arguments.csv.is_empty() {
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
    let source = source(settings, arguments, options.span)?;
    fill(process::store(settings)?, source, settings, options)
}

fn source(settings: &Settings, arguments: Arguments, span: Span) -> Result<Box<dyn Source>, Failure> {
    let refused = |error: crate::sources::SourceError| Failure::Arguments(error.to_string());
    if let Some(url) = arguments.graphite {
        let graphite = Graphite::new(GraphiteOptions {
            url,
            targets: arguments.target,
            ca_file: arguments.ca_file,
            ..GraphiteOptions::default()
        });
        return Ok(Box::new(graphite.map_err(refused)?));
    }
    if let Some(url) = arguments.prometheus {
        if arguments.selectors.is_empty() && arguments.query.is_empty() {
            return Err(Failure::Arguments(
                "`--prometheus` needs `--match` or `--query`, which say what is fetched".to_owned(),
            ));
        }
        let token = arguments.bearer_token_file.map(|path| {
            let text = std::fs::read_to_string(&path);
            let text = text.with_context(|| format!("cannot read the token in `{}`", path.display()))?;
            anyhow::Ok(Secret::new(text.trim()))
        });
        let prometheus = Prometheus::new(PrometheusOptions {
            url,
            selectors: arguments.selectors,
            queries: arguments.query,
            metric: arguments.metric,
            step: arguments.step,
            span,
            bearer_token: token.transpose()?,
            ca_file: arguments.ca_file,
            ..PrometheusOptions::default()
        });
        return Ok(Box::new(prometheus.map_err(refused)?));
    }
    if let Some(url) = arguments.redis {
        let connect = RedisConnect::new(RedisOptions {
            url,
            namespace: arguments.namespace.clone(),
            ..RedisOptions::default()
        });
        let connect = connect.map_err(|error| Failure::Arguments(error.to_string()))?;
        if let StoreUrl::Redis(url) = &settings.store.url {
            let store = process::wiring::redis(url, settings)?.describe();
            if store == connect.describe() && settings.store.namespace == arguments.namespace {
                return Err(Failure::Arguments(format!(
                    "`{store}` is the store itself\nhint: `--store` names the store to be filled, `--redis` where its points come \
                     from"
                )));
            }
        }
        return Ok(Box::new(SkylineRedis::new(connect)));
    }
    let absolute = |path: PathBuf| path.canonicalize().unwrap_or(path);
    let files = arguments.csv.into_iter().map(absolute).collect();
    Ok(Box::new(CsvFiles::new(files, arguments.metric)))
}

/// What the ingest lets in, but as old as a window can hold.
fn policy(settings: &Settings) -> IntakePolicy {
    IntakePolicy {
        max_age: settings.store.full_duration,
        ..process::ingest_policy(settings)
    }
}

/// What `--from` and `--until` mean; without the first, the last `reach` seconds.
pub(super) fn span(from: Option<&str>, until: Option<&str>, reach: f64) -> Result<Span, Failure> {
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
        return Err(Failure::Arguments("`--from` is not before `--until`".to_owned()));
    }
    Ok(Span { after, until })
}

/// A time of at least a second.
fn step(text: &str) -> Result<f64, String> {
    let seconds = skywatch_settings::parse_duration(text).map(|step| step.as_secs_f64());
    seconds
        .filter(|step| *step >= 1.0)
        .ok_or_else(|| "expected a time of at least a second, such as `15s`".to_owned())
}

/// `-24h`, Unix seconds, a date, or `now`.
fn when(text: &str, now: f64, flag: &str) -> Result<f64, Failure> {
    let back = text.strip_prefix('-').and_then(skywatch_settings::parse_duration);
    let time = match (text, back) {
        ("now", _) => Some(now),
        (_, Some(back)) => Some(now - back.as_secs_f64()),
        _ => row::time(text).filter(|time| *time >= 0.0),
    };
    time.ok_or_else(|| {
        Failure::Arguments(format!(
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
) -> Result<(), Failure> {
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
            let view = View::new();
            let mut told = |parts, behind, points| view.tell(parts, behind, points);
            let outcome = backfill::run(&mut *source, &connect, &folder, &options, &mut told, &working);
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

fn report(outcome: Result<Summary, BackfillError>, from: &str, into: &str) -> Result<(), Failure> {
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

fn interrupted() -> Failure {
    anyhow!("interrupted\nhint: the same command goes on where this one ended").into()
}

/// A bar for people, a line now and then for logs.
struct View {
    bar: ProgressBar,
    begun: std::time::Instant,
    /// Seconds from the beginning to the last line.
    said: AtomicU64,
}

impl View {
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

    fn tell(&self, parts: usize, behind: usize, points: u64) {
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
