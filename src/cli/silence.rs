//! `skywatch silence`: times at which nothing is said about some metrics.

use clap::{Args, Subcommand};
use skywatch_alerters::matcher::Selection;
use skywatch_alerters::schedule::Hours;
use skywatch_alerters::silence::{CompiledSilence, Silence, UntilChange};
use skywatch_alerters::{Severity, text, units};

use super::ask::{self, OutputForm, ahead};
use super::context::{CommandFailure, Context, say};
use crate::clock::unix_now;
use crate::dispatch::{Reply, Request};

/// What is to be done.
#[derive(Debug, Args)]
pub(super) struct SilenceArguments {
    #[command(subcommand)]
    command: SilenceCommand,
}

#[derive(Debug, Subcommand)]
enum SilenceCommand {
    /// Say nothing about some metrics for a while
    Add(Box<Add>),
    /// Show silences
    List {
        /// Also those that have ended
        #[arg(long)]
        all: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// End a silence before its time
    End {
        /// Its number
        id: u64,
    },
}

#[derive(Debug, Args)]
struct Add {
    /// Patterns of metrics, as in routes: `web-*.cpu`, `=the.name`, `~reg.*ex`; any of them
    #[arg(value_name = "PATTERN")]
    metrics: Vec<String>,
    /// Tags that must hold: `dc=eu`, `dc!=eu`, `dc=~eu.*`, `dc!~eu.*`
    #[arg(long = "tag", value_name = "RULE")]
    tags: Vec<String>,
    /// Only what is at least so severe: info, warning, critical
    #[arg(long, value_parser = severity)]
    severity: Option<Severity>,
    /// Only what one of these detectors calls anomalous
    #[arg(long = "detector", value_name = "NAME")]
    detectors: Vec<String>,
    /// For how long: `90m`, `2h`, `3d`
    #[arg(long = "for", value_name = "LENGTH", value_parser = length, conflicts_with = "until_resolved")]
    length: Option<f64>,
    /// Until the incidents that are open now, and selected, are resolved
    #[arg(long)]
    until_resolved: bool,
    /// About this incident only, until it becomes more severe, goes to the other side of what is expected, meets another expected
    /// level, or is over
    #[arg(long, value_name = "INCIDENT", conflicts_with_all = ["metrics", "tags", "severity", "detectors", "length",
          "until_resolved", "days", "hours"])]
    until_change: Option<u64>,
    /// Only on these days, again and again: `mon`, `sat-sun`
    #[arg(long = "on", value_name = "DAYS")]
    days: Vec<String>,
    /// Only at these hours, again and again: `01:00-03:30`
    #[arg(long, value_name = "FROM-TO")]
    hours: Option<String>,
    /// The time zone of days and hours; UTC, unless said
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// Why
    #[arg(long, default_value = "")]
    reason: String,
    /// Who asks for it; the user who asks, unless said
    #[arg(long, value_name = "NAME")]
    author: Option<String>,
}

pub(super) fn severity(text: &str) -> Result<Severity, String> {
    Severity::parse(text).ok_or_else(|| "it is one of `info`, `warning` and `critical`".to_owned())
}

fn length(text: &str) -> Result<f64, String> {
    match skywatch_settings::parse_duration(text) {
        Some(length) if !length.is_zero() => Ok(length.as_secs_f64()),
        _ => Err("a length of time is a number and a unit, such as `90m` or `2h`".to_owned()),
    }
}

pub(super) fn run(context: &Context, arguments: SilenceArguments) -> Result<(), CommandFailure> {
    match arguments.command {
        SilenceCommand::Add(add) => {
            let silence = add.silence()?;
            if let Reply::Silences { silences } = ask::dispatcher(
                context,
                Request::Silence {
                    silence: Box::new(silence),
                },
                OutputForm::Bare,
            )? {
                for silence in &silences {
                    say(&line(silence))?;
                }
            }
        }
        SilenceCommand::List { all, json } => {
            let reply = ask::dispatcher(context, Request::Silences { all }, OutputForm::of(json))?;
            if json {
                return Ok(ask::print_json(&reply)?);
            }
            match reply {
                Reply::Silences { silences } if silences.is_empty() => say("no silences")?,
                Reply::Silences { silences } => {
                    for silence in &silences {
                        say(&line(silence))?;
                    }
                }
                _ => {}
            }
        }
        SilenceCommand::End { id } => {
            ask::dispatcher(context, Request::EndSilence { id }, OutputForm::Bare)?;
            say(&format!(
                "silence {id} has ended; what is still open is told of with the next pass"
            ))?;
        }
    }
    Ok(())
}

impl Add {
    fn silence(self) -> Result<Silence, CommandFailure> {
        let now = unix_now();
        let recurs = !self.days.is_empty() || self.hours.is_some();
        if self.metrics.is_empty()
            && self.tags.is_empty()
            && self.severity.is_none()
            && self.detectors.is_empty()
            && self.until_change.is_none()
        {
            return Err(CommandFailure::Arguments(
                "nothing is selected\nhint: name patterns of metrics; `**` is all of them".to_owned(),
            ));
        }
        if self.length.is_none() && !self.until_resolved && !recurs && self.until_change.is_none() {
            return Err(CommandFailure::Arguments(
                "for how long?\nhint: `--for 2h`, `--until-resolved`, `--until-change INCIDENT`, or again and again with \
                 `--on sat-sun` or `--hours 01:00-03:00`"
                    .to_owned(),
            ));
        }
        let silence = Silence {
            id: 0,
            selection: Selection {
                metrics: self.metrics,
                tags: self.tags,
                severity: self.severity,
                detectors: self.detectors,
            },
            from: now,
            until: self.length.map(|length| now + length),
            until_resolved: self.until_resolved,
            until_change: self.until_change.map(UntilChange::of),
            hours: recurs.then(|| Hours {
                days: self.days,
                hours: self.hours.unwrap_or_default(),
                zone: self.zone.unwrap_or_default(),
            }),
            author: self.author.unwrap_or_else(ask::somebody),
            reason: self.reason,
            ended_at: None,
        };
        CompiledSilence::new(silence.clone()).map_err(CommandFailure::Arguments)?;
        Ok(silence)
    }
}

/// `3  web-*.cpu  ends in 2 h  by ann: deploy`
fn line(silence: &Silence) -> String {
    let Selection {
        metrics,
        tags,
        severity,
        detectors,
    } = &silence.selection;
    let mut what: Vec<String> = metrics.iter().chain(tags).cloned().collect();
    what.extend(severity.map(|severity| format!("at least {severity}")));
    what.extend(detectors.iter().map(|detector| format!("by {detector}")));
    let until_change = silence.until_change.as_ref();
    let end = match (silence.ended_at, silence.until) {
        (Some(at), _) => {
            let change = until_change.and_then(|until| until.ended_by);
            let why = change.map_or(String::new(), |change| format!(", as {change}"));
            format!("ended {}{why}", ask::ago(at))
        }
        (None, Some(until)) if until <= unix_now() => format!("ended {}", ask::ago(until)),
        (None, Some(until)) => format!("ends {} ({})", ahead(until), units::time(until)),
        (None, None) if silence.until_resolved => "until resolved".to_owned(),
        (None, None) => match until_change {
            Some(until) => format!("until incident {} changes", until.incident),
            None => "until somebody ends it".to_owned(),
        },
    };
    let hours = silence.hours.as_ref().map_or(String::new(), |hours| {
        let zone = if hours.zone.is_empty() { "UTC" } else { &hours.zone };
        format!(", {} {} {zone}", hours.days.join(" "), hours.hours)
    });
    let reason = if silence.reason.is_empty() {
        String::new()
    } else {
        format!(": {}", text::shorten(&silence.reason, 200))
    };
    format!(
        "{:>5}  {}  {end}{hours}  by {}{reason}",
        silence.id,
        text::shorten(&what.join(", "), 120),
        text::one_line(&silence.author)
    )
}
