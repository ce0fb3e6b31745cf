//! `skywatch backtest`: what a profile would have said of points that are past.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
#[cfg(feature = "learned")]
use skywatch_algorithms::learned::FamilyOptions;
use skywatch_settings::{Pattern, Settings, parse_duration};

use super::backfill;
use super::context::{CommandFailure, Context, say};
use crate::analyzer::rule::AlarmRule;
#[cfg(feature = "learned")]
use crate::backtest::WalkOptions;
use crate::backtest::{
    self, BacktestError, BacktestOptions, Feed, ReplayProfile, ReplayProgress, ReplaySummary, SourceFeed,
    StoreFeed,
};
use crate::log;
use crate::process;
use crate::sources::{Graphite, GraphiteOptions};
use crate::stop::Stop;

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("source").required(true).args(["input", "metrics", "graphite"])))]
pub(super) struct BacktestArguments {
    /// A file of rows `timestamp,value`, or a folder with such files at any depth
    #[arg(long, value_name = "PATH")]
    input: Option<PathBuf>,
    /// Metrics of the store whose names match, as `web-*.cpu` or `~.*`; may be given again
    #[arg(long, value_name = "PATTERN")]
    metrics: Vec<String>,
    /// A Graphite, as `http://host:port`; user and password may be part of it
    #[arg(long, value_name = "URL", requires = "target")]
    graphite: Option<String>,
    /// What of the Graphite: a metric, a pattern such as `servers.*.cpu`, or an expression; may be given again
    #[arg(long, value_name = "TARGET", requires = "graphite")]
    target: Vec<String>,
    /// Certificates (PEM) to trust instead of the public ones
    #[arg(long, value_name = "FILE", requires = "graphite")]
    ca_file: Option<PathBuf>,
    /// The earliest time asked of the Graphite: `-30d`, Unix seconds or a date
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        default_value = "-7d",
        requires = "graphite"
    )]
    from: String,
    /// The latest time asked of it; by default now
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, requires = "graphite")]
    until: Option<String>,
    /// Where every `x/y.csv` goes again with `anomaly_score` and `alarm` beside each row
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Whose answers: `adaptive`, `skyline`, or `learned`, which is `adaptive` with the learned vote
    #[arg(long, value_name = "PROFILE", default_value = "adaptive", value_parser = profile)]
    profile: ReplayProfile,
    /// Two profiles side by side, with the difference
    #[arg(long, value_names = ["A", "B"], num_args = 2, value_parser = profile, conflicts_with_all = ["profile", "output"])]
    compare: Vec<ReplayProfile>,
    /// Of `learned`: how often models are fitted anew, on a window of what came before
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = fit_each)]
    fit_each: f64,
    /// How long after an alert only a higher score is another one, such as `6h`; `off` for no rest; by default `adaptive.rest`, 16 hours
    #[arg(long, value_name = "TIME", value_parser = rest)]
    rest: Option<f64>,
    /// What ratios to limits are multiplied by, of all metrics; by default `adaptive.sensitivity` and the overrides
    #[arg(long, value_name = "NUMBER", value_parser = sensitivity)]
    sensitivity: Option<f32>,
    /// When something was wrong: `{"x/y.csv": [[start, end], …]}`, or a `truth.json`
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// The summary as JSON
    #[arg(long)]
    json: bool,
}

fn profile(text: &str) -> Result<ReplayProfile, String> {
    match text {
        "adaptive" => Ok(ReplayProfile::Adaptive),
        "skyline" => Ok(ReplayProfile::Skyline),
        "learned" => Ok(ReplayProfile::Learned),
        _ => Err("expected `adaptive`, `skyline` or `learned`".to_owned()),
    }
}

fn rest(text: &str) -> Result<f64, String> {
    if text == "off" {
        return Ok(0.0);
    }
    parse_duration(text)
        .map(|duration| duration.as_secs_f64())
        .ok_or_else(|| "expected a time such as `6h` or `90m`, or `off`".to_owned())
}

fn sensitivity(text: &str) -> Result<f32, String> {
    let number = text.parse().ok();
    number
        .filter(|number: &f32| *number > 0.0 && number.is_finite())
        .ok_or_else(|| "expected a number above 0, such as `1.5`".to_owned())
}

fn fit_each(text: &str) -> Result<f64, String> {
    let seconds = parse_duration(text).map(|duration| duration.as_secs_f64());
    seconds
        .filter(|seconds| *seconds >= 3_600.0)
        .ok_or_else(|| "expected a time of at least an hour, such as `1d`".to_owned())
}

pub(super) fn run(context: &Context, arguments: &BacktestArguments) -> Result<(), CommandFailure> {
    let settings = &context.loaded.settings;
    log::start(&settings.log);
    let stop = Stop::new();
    let _signals = process::stop_on_signal(&stop, process::Hangup::Ends)?;
    let profiles = match arguments.compare.as_slice() {
        [] => vec![arguments.profile],
        both => both.to_vec(),
    };
    let mut summaries = Vec::new();
    for profile in profiles {
        summaries.push(replay(settings, arguments, profile, &stop)?);
    }
    match summaries.as_slice() {
        [summary] if arguments.json => say(&serde_json::to_string_pretty(summary)?)?,
        both if arguments.json => say(&serde_json::to_string_pretty(both)?)?,
        both => {
            for summary in both {
                say(&summary.to_string())?;
            }
            if let [one, other] = both {
                say(&one.compare(other))?;
            }
        }
    }
    summaries.first().map_or(Ok(()), complain)
}

/// What was replayed is told; what was not makes the command fail all the same.
fn complain(summary: &ReplaySummary) -> Result<(), CommandFailure> {
    let some = |names: &[String]| match names {
        [one] => format!("`{one}`"),
        [one, rest @ ..] => format!("`{one}` and {} more", rest.len()),
        [] => String::new(),
    };
    match (summary.failures.as_slice(), summary.unusable.as_slice()) {
        ([], []) => Ok(()),
        ([], unusable) => Err(anyhow!(
            "no row with a time and a number in {}\nhint: rows are `timestamp,value`, times Unix seconds or dates such as \
             `2024-01-31 23:59:59`",
            some(unusable)
        )
        .into()),
        ([failure], _) => Err(anyhow!("{failure}").into()),
        ([failure, more @ ..], _) => Err(anyhow!("{failure}, and {} more", more.len()).into()),
    }
}

fn replay(
    settings: &Settings,
    arguments: &BacktestArguments,
    profile: ReplayProfile,
    stop: &Stop,
) -> Result<ReplaySummary, CommandFailure> {
    let options = BacktestOptions {
        profile,
        rules: rules(settings, arguments, profile).into(),
        output: arguments.output.clone(),
        labels: arguments.labels.clone(),
        worker: process::worker_options(settings),
        #[cfg(feature = "learned")]
        walk: WalkOptions {
            each: arguments.fit_each,
            history: settings.store.full_duration.as_secs_f64(),
            most: settings.training.max_families,
            family: FamilyOptions {
                epochs: settings.training.epochs,
                seed: settings.training.seed as u64,
                ..FamilyOptions::default()
            },
        },
    };
    let bar = Bar::new(arguments.input.is_some());
    if let Some(input) = &arguments.input {
        return backtest::files(input, &options, &bar, stop).map_err(failure);
    }
    let mut feed = feed(settings, arguments, stop)?;
    backtest::series(&mut *feed, &options, &bar, stop).map_err(failure)
}

/// What the live analyzer calls anomalous, unless the command says otherwise. To the classic profile only the rest applies.
fn rules(settings: &Settings, arguments: &BacktestArguments, profile: ReplayProfile) -> Vec<AlarmRule> {
    let mut rules = match profile {
        ReplayProfile::Skyline => vec![AlarmRule::plain(settings.adaptive.rest.as_secs_f64())],
        ReplayProfile::Adaptive | ReplayProfile::Learned => process::adaptive_rules(settings),
    };
    for rule in &mut rules {
        rule.rest = arguments.rest.unwrap_or(rule.rest);
        if profile != ReplayProfile::Skyline {
            rule.sensitivity = arguments.sensitivity.unwrap_or(rule.sensitivity);
        }
    }
    rules
}

fn feed(
    settings: &Settings,
    arguments: &BacktestArguments,
    stop: &Stop,
) -> Result<Box<dyn Feed>, CommandFailure> {
    if let Some(url) = &arguments.graphite {
        let graphite = Graphite::new(GraphiteOptions {
            url: url.clone(),
            targets: arguments.target.clone(),
            ca_file: arguments.ca_file.clone(),
            ..GraphiteOptions::default()
        });
        let graphite = graphite.map_err(|error| CommandFailure::Arguments(error.to_string()))?;
        let span = backfill::span(Some(&arguments.from), arguments.until.as_deref(), f64::INFINITY)?;
        return Ok(Box::new(SourceFeed::open(Box::new(graphite), span, stop)?));
    }
    let patterns = arguments.metrics.iter().map(|text| {
        Pattern::parse(text)
            .map_err(|why| CommandFailure::Arguments(format!("the pattern `{text}` is wrong: {why}")))
    });
    let patterns = patterns.collect::<Result<Vec<_>, _>>()?;
    Ok(Box::new(StoreFeed::open(&process::store(settings)?, &patterns)?))
}

/// A question that cannot be answered is refused; the rest failed.
fn failure(error: BacktestError) -> CommandFailure {
    match &error {
        BacktestError::OutputInInput { .. } => CommandFailure::Arguments(match error.hint() {
            Some(hint) => format!("{error}\nhint: {hint}"),
            None => error.to_string(),
        }),
        _ => error.into(),
    }
}

/// A bar on a terminal; nothing in a pipe.
struct Bar(ProgressBar);

impl Bar {
    fn new(is_bytes: bool) -> Self {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template(match is_bytes {
            true => "{bar:30} {bytes} of {total_bytes}, {eta} left",
            false => "{bar:30} {pos} of {len} metrics, {eta} left",
        });
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Self(bar)
    }
}

impl ReplayProgress for Bar {
    fn begin(&self, all: u64) {
        self.0.set_length(all);
    }

    fn more(&self, steps: u64) {
        self.0.inc(steps);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
