//! `skywatch causes`: what broke first.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use skywatch_alerters::causes::{IncidentCauses, SHOWN_RELATED};
use skywatch_alerters::text;

use super::ask::{self, OutputForm, ago};
use super::context::{CommandFailure, Context, Global, say};
use crate::causes;
use crate::dispatch::{Answer, Call, Reply};
use crate::files;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct CausesArguments {
    #[command(subcommand)]
    what: Option<CausesCommand>,
    /// The incident's number
    #[arg(required = true)]
    incident: Option<u64>,
    /// At most so many of the metrics that moved with it; 100 are kept
    #[arg(long, default_value_t = SHOWN_RELATED)]
    limit: usize,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum CausesCommand {
    /// Rank the suspects of every case in a folder
    Eval(CauseEvalArguments),
}

#[derive(Debug, Args)]
struct CauseEvalArguments {
    /// Folder with cases: measurements before and after a fault, or around an alarm with a call graph
    folder: PathBuf,
    /// Seconds by which the border between before and after is taken to lie too late (or too early); cases without a call graph
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    shift: i64,
    /// Where the rankings go, as JSON; standard output if not given
    #[arg(long, value_name = "OUT.json")]
    output: Option<PathBuf>,
}

pub(super) fn run(global: Global, arguments: &CausesArguments) -> Result<(), CommandFailure> {
    match (&arguments.what, arguments.incident) {
        (Some(CausesCommand::Eval(arguments)), _) => evaluate(arguments),
        (None, Some(incident)) => of_incident(&Context::resolve(global)?, incident, arguments),
        (None, None) => Err(CommandFailure::Arguments("an incident is needed".to_owned())),
    }
}

fn of_incident(context: &Context, incident: u64, arguments: &CausesArguments) -> Result<(), CommandFailure> {
    // What is opened may have to be made; rankings of cases are for others to read, these files are not.
    files::keep_private();
    let call = Call::Causes { incident };
    let answer = ask::call(context, &call, OutputForm::of(arguments.json))?;
    let Answer::Causes {
        incident,
        subject,
        mut causes,
        is_new,
    } = answer
    else {
        return Err(match answer {
            Answer::Dispatcher {
                reply: Reply::Refused { why },
            } => anyhow::anyhow!(why),
            _ => anyhow::anyhow!("the running process is of another version: restart it"),
        }
        .into());
    };
    if arguments.json {
        let beyond = causes.related.len().saturating_sub(arguments.limit);
        causes.related.truncate(arguments.limit);
        causes.more += beyond as u64;
        return Ok(ask::print_json(&Answer::Causes {
            incident,
            subject,
            causes,
            is_new,
        })?);
    }
    let when = if is_new {
        "worked out now, from what the store holds".to_owned()
    } else {
        format!("worked out {}", ago(causes.at))
    };
    let name = text::shorten(subject.name(), 300);
    say(&format!("incident {incident}, {name}: {when}"))?;
    Ok(print_causes(&causes, arguments.limit)?)
}

/// What moved with an incident: the first `limit`, and how many more there are.
pub(super) fn print_causes(causes: &IncidentCauses, limit: usize) -> anyhow::Result<()> {
    let common = causes.common();
    if let Some(shared) = &causes.shared {
        let numbers: Vec<String> = shared.incidents.iter().map(u64::to_string).collect();
        say(&format!("{common} (incidents {})", numbers.join(", ")))?;
    }
    if !causes.suspects.is_empty() {
        say(&format!("broke first, probably: {}", causes.topology))?;
    } else if !causes.topology.is_empty() {
        say(&format!("nothing known of what broke first: {}", causes.topology))?;
    }
    for suspect in &causes.suspects {
        say(&format!("  {}", suspect.sentence()))?;
    }
    let title = match (causes.related.is_empty(), causes.note.is_empty()) {
        (true, false) => "causes not looked for",
        (true, true) => "nothing moved with it beyond chance",
        (false, _) => "moved with it",
    };
    say(&format!("{title}: {}", causes.basis()))?;
    for related in causes.related.iter().take(limit) {
        say(&format!("  {}", related.sentence()))?;
    }
    let more = causes.related.len().saturating_sub(limit);
    match (more, causes.more) {
        (0, 0) => {}
        (0, lost) => say(&format!("and {lost} more, which are not kept"))?,
        (more, lost) => say(&format!(
            "and {} more; `--limit` shows {more} of them",
            more as u64 + lost
        ))?,
    }
    Ok(())
}

fn evaluate(arguments: &CauseEvalArguments) -> Result<(), CommandFailure> {
    let rankings = causes::evaluate(&arguments.folder, arguments.shift)?;
    let text = serde_json::to_string_pretty(&rankings).context("cannot write the rankings")?;
    match &arguments.output {
        Some(path) => std::fs::write(path, format!("{text}\n"))
            .with_context(|| format!("cannot write `{}`", path.display()))?,
        None => say(&text)?,
    }
    Ok(())
}
