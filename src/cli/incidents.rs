//! `skywatch incidents`, `skywatch ack` and `skywatch close`: what is wrong, who has it, and that it is over.

use clap::Args;
use skywatch_alerters::causes::fold;
use skywatch_alerters::incident::{Incident, IncidentTransition};
use skywatch_alerters::{render, text, units};

use super::ask::{self, OutputForm, ago};
use super::context::{CommandFailure, Context, say};
use crate::dispatch::{NoticeLine, Reply, Request, SHOWN};

/// Widest name in the list, characters: leaves room for the rest on a line of 120.
const NAME_COLUMNS: usize = 60;

/// What is asked.
#[derive(Debug, Args)]
pub(super) struct IncidentsArguments {
    /// One incident with its whole life, by its number
    id: Option<u64>,
    /// Also those that are over
    #[arg(long)]
    all: bool,
    /// Only about names that this picks: `web-*.cpu`, `=the.name`, `~reg.*ex`, or a part of the name
    #[arg(long, value_name = "PATTERN")]
    name: Option<String>,
    /// At most so many, and never more than 10000
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// What is taken.
#[derive(Debug, Args)]
pub(super) struct AckArguments {
    /// The incident's number
    id: u64,
    /// Say nothing more of it until it is resolved, not even that it became worse or came back
    #[arg(long)]
    until_resolved: bool,
    /// Who takes it; the user who asks, unless said
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

/// What is closed.
#[derive(Debug, Args)]
pub(super) struct CloseArguments {
    /// The incident's number
    id: u64,
    /// Who closes it; the user who asks, unless said
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

pub(super) fn run(context: &Context, arguments: IncidentsArguments) -> Result<(), CommandFailure> {
    let request = match arguments.id {
        Some(id) => Request::Incident { id },
        None => Request::Incidents {
            all: arguments.all,
            name: arguments.name,
            limit: arguments.limit,
        },
    };
    let reply = ask::dispatcher(context, request, OutputForm::of(arguments.json))?;
    if arguments.json {
        return Ok(ask::print_json(&reply)?);
    }
    match reply {
        Reply::Incident {
            incident,
            transitions,
            notices,
        } => life(&incident, &transitions, &notices)?,
        Reply::Incidents { incidents, .. } if incidents.is_empty() => say("no open incidents")?,
        Reply::Incidents { incidents, causes } => {
            let cause_of =
                |incident: &Incident| causes.iter().find(|cause| cause.incidents.contains(&incident.id));
            for fold in fold(incidents.iter().map(cause_of)) {
                let heading = fold.heading();
                if let Some(heading) = &heading {
                    say(heading)?;
                }
                let indent = if heading.is_some() { "  " } else { "" };
                for place in &fold.members {
                    say(&format!("{indent}{}", line(&incidents[*place])))?;
                }
            }
            if incidents.len() == arguments.limit.min(SHOWN) {
                let more = if arguments.limit < SHOWN {
                    "; `--limit` shows more"
                } else {
                    ""
                };
                say(&format!("the newest {}{more}", incidents.len()))?;
            }
        }
        _ => {}
    }
    Ok(())
}

pub(super) fn acknowledge(context: &Context, arguments: AckArguments) -> Result<(), CommandFailure> {
    let request = Request::Acknowledge {
        id: arguments.id,
        by: arguments.by.unwrap_or_else(ask::somebody),
        until_resolved: arguments.until_resolved,
    };
    if let Reply::Incident { incident, .. } = ask::dispatcher(context, request, OutputForm::Bare)? {
        say(&line(&incident))?;
    }
    Ok(())
}

pub(super) fn close(context: &Context, arguments: CloseArguments) -> Result<(), CommandFailure> {
    let request = Request::Close {
        id: arguments.id,
        by: arguments.by.unwrap_or_else(ask::somebody),
    };
    if let Reply::Incident { incident, .. } = ask::dispatcher(context, request, OutputForm::Bare)? {
        say(&line(&incident))?;
    }
    Ok(())
}

/// `  17  open          critical  web1.cpu is 97.2, …  since 14 min ago`
fn line(incident: &Incident) -> String {
    let phase = match incident.unknown_since {
        Some(since) if incident.phase.is_open() => {
            format!("{}, unknown since {}", incident.phase, ago(since))
        }
        _ => incident.phase.to_string(),
    };
    let end = match incident.closed_at.filter(|_| incident.phase.is_over()) {
        Some(at) => format!(", over {}{}", ago(at), how(incident)),
        None => String::new(),
    };
    let ack = incident.ack.as_ref().map_or(String::new(), |ack| {
        format!(", {} has it", text::one_line(&ack.by))
    });
    let silence = incident
        .silenced_by
        .map_or(String::new(), |silence| format!(", silence {silence}"));
    let source = incident.inhibited_by.filter(|_| incident.phase.is_open());
    let follows = source.map_or(String::new(), |source| {
        format!(", held back, as it follows from {source}")
    });
    format!(
        "{:>5}  {phase:<12}  {:<8}  {}  since {}{end}{ack}{silence}{follows}",
        incident.id,
        incident.severity.as_str(),
        text::shorten(incident.subject.name(), NAME_COLUMNS),
        ago(incident.since),
    )
}

/// `, at 60 (was 10)`, `, by ann`: what an end was like beside its name.
fn how(incident: &Incident) -> String {
    let Some(ending) = &incident.ending else {
        return String::new();
    };
    let value = ending
        .value
        .map_or(String::new(), |value| format!(", at {}", units::number(value)));
    let before = ending.before.map_or(String::new(), |before| {
        format!(" (was {})", units::number(before))
    });
    let by = match ending.by.as_str() {
        "" => String::new(),
        by => format!(", by {}", text::one_line(by)),
    };
    format!("{value}{before}{by}")
}

fn life(
    incident: &Incident,
    transitions: &[IncidentTransition],
    notices: &[NoticeLine],
) -> anyhow::Result<()> {
    say(&line(incident))?;
    say(&format!("       {}", render::log_line(&incident.anomaly)))?;
    for IncidentTransition {
        at, from, to, why, ..
    } in transitions
    {
        let from = from.map_or(String::new(), |from| format!("{from} → "));
        say(&format!(
            "       {}  {from}{to}: {}",
            units::time(*at),
            text::one_line(why)
        ))?;
    }
    for notice in notices {
        let error = notice
            .error
            .as_ref()
            .map_or(String::new(), |error| format!(": {error}"));
        say(&format!(
            "       {}  notice {} to {} {}{error}",
            units::time(notice.at),
            notice.id,
            notice.receiver,
            notice.state
        ))?;
    }
    Ok(())
}
