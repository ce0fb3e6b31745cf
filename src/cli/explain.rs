//! `skywatch explain`: everything about one metric, and who would hear of it.

use clap::Args;
use skywatch_alerters::causes::SHOWN_RELATED;
use skywatch_alerters::state::Outlook;
use skywatch_alerters::{text, units};

use super::ask::{self, OutputForm, ahead};
use super::causes::print_causes;
use super::context::{CommandFailure, Context, say};
use super::routes::{print_tried, told};
use crate::dispatch::{Answer, Call, Reply};
use crate::status::Examination;

/// Which metric.
#[derive(Debug, Args)]
pub(super) struct ExplainArguments {
    /// The metric's full name
    metric: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &Context, arguments: ExplainArguments) -> Result<(), CommandFailure> {
    let call = Call::Explain {
        metric: arguments.metric,
    };
    let answer = ask::call(context, &call, OutputForm::of(arguments.json))?;
    if arguments.json {
        return Ok(ask::print_json(&answer)?);
    }
    match answer {
        Answer::Explained {
            examined,
            outlook,
            causes,
        } => {
            match examined {
                Ok(examined) => print_examined(&examined)?,
                Err(why) => say(&format!("not looked at: {why}"))?,
            }
            print_outlook(&outlook)?;
            if let Some(causes) = causes {
                say("")?;
                print_causes(&causes, SHOWN_RELATED)?;
            }
            Ok(())
        }
        Answer::Dispatcher {
            reply: Reply::Refused { why },
        } => Err(anyhow::anyhow!(why).into()),
        _ => Err(anyhow::anyhow!("the running process is of another version: restart it").into()),
    }
}

fn print_examined(found: &Examination) -> anyhow::Result<()> {
    say(&format!(
        "{}: {}, {}",
        text::shorten(&found.metric, 300),
        found.verdict,
        found.why
    ))?;
    let age = found.age.map_or("none".to_owned(), |age| {
        if age < 0.0 {
            format!("{} ahead of this clock", units::length(-age))
        } else {
            format!("{} ago", units::length(age))
        }
    });
    if !found.answered_by.is_empty() {
        say(&format!("  answer of  {}", found.answered_by))?;
    }
    say(&format!("  source     {}", found.source))?;
    say(&format!(
        "  window     {} points over {}",
        found.points,
        units::length(found.length)
    ))?;
    say(&format!("  last point {age}"))?;
    say(&format!(
        "  judged     {}",
        if found.rate {
            "by the rate, as a counter that never falls"
        } else {
            "by its values"
        }
    ))?;
    if let Some(warmth) = found.warmth {
        say(&format!("  learnt     {}", learnt(warmth, found.ready_at)))?;
    }
    if let Some(since) = found.known_since {
        say(&format!("  known      since {}", units::time(since)))?;
    }
    if found.unusable > 0 {
        say(&format!("  unusable   {} stored points", found.unusable))?;
    }
    let Some(anomaly) = &found.judged else {
        return Ok(());
    };
    say(&format!("  value      {}", units::number(anomaly.observed)))?;
    if let Some(expected) = &anomaly.expected {
        say(&format!("  expected   {expected}"))?;
    }
    say("")?;
    for vote in anomaly.votes() {
        let answer = match vote.answer {
            Some(true) => "anomalous",
            Some(false) => "normal",
            None => "no vote",
        };
        let side = |value: f64| {
            if value.is_nan() {
                "-".to_owned()
            } else {
                units::number(value)
            }
        };
        say(&format!(
            "  {answer:<9}  {:<28} measured {:<12} limit {}",
            vote.detector,
            side(vote.measured),
            side(vote.limit)
        ))?;
    }
    Ok(())
}

/// How far the adaptive profile has learnt a metric.
fn learnt(warmth: f64, ready_at: Option<f64>) -> String {
    if warmth >= 1.0 {
        return "enough to be judged".to_owned();
    }
    let until = ready_at.map_or(String::new(), |at| {
        format!(", by {} if points go on", units::time(at))
    });
    format!("{:.0} %{until}; not judged yet", (100.0 * warmth).floor())
}

fn print_outlook(outlook: &Outlook) -> anyhow::Result<()> {
    say("")?;
    match &outlook.incident {
        None => say("incident: none")?,
        Some(incident) => {
            let unknown = incident.unknown_since.map_or(String::new(), |since| {
                format!(", unknown since {}", units::time(since))
            });
            say(&format!(
                "incident: {} is {}, {}, since {}{unknown}",
                incident.id,
                incident.phase,
                incident.severity,
                units::time(incident.since)
            ))?;
        }
    }
    match outlook.silences.as_slice() {
        [] => say("silence: none")?,
        some => {
            let some: Vec<String> = some.iter().map(u64::to_string).collect();
            say(&format!("silence: {}", some.join(", ")))?;
        }
    }
    say("routes:")?;
    print_tried(&outlook.tried)?;
    for prospect in &outlook.prospects {
        let cooling = prospect
            .cooling_until
            .map_or(String::new(), |until| format!(", cooldown ends {}", ahead(until)));
        let next = prospect.next_at.map_or("no notice is due".to_owned(), |at| {
            format!("next notice {}", ahead(at))
        });
        say(&format!(
            "{} by {}: {}{cooling}, {next}: {}",
            prospect.receiver,
            prospect.route,
            told(prospect.told_at),
            text::one_line(&prospect.why)
        ))?;
    }
    Ok(())
}
