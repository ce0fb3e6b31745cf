//! `skywatch route-test` and `skywatch alert-test`: who would be told, and whether it arrives.

use clap::Args;
use skywatch_alerters::route::Tried;
use skywatch_alerters::{Severity, text};

use super::ask::{self, OutputForm, ago, ahead};
use super::context::{CommandFailure, Context, say};
use crate::dispatch::{Answer, Call, Reply, Request};

/// Which metric.
#[derive(Debug, Args)]
pub(super) struct RouteArguments {
    /// The metric's full name
    metric: String,
    /// How bad the anomaly would be: info, warning, critical
    #[arg(long, default_value = "warning", value_parser = super::silence::severity)]
    severity: Severity,
    /// Detectors that would call it anomalous; all of them, unless said
    #[arg(long = "detector", value_name = "NAME")]
    detectors: Vec<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Which route.
#[derive(Debug, Args)]
pub(super) struct TestArguments {
    /// The name of a route, or of a receiver
    #[arg(default_value = "default")]
    route: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn route_test(context: &Context, arguments: RouteArguments) -> Result<(), CommandFailure> {
    let request = Request::RouteTest {
        metric: arguments.metric,
        severity: arguments.severity,
        detectors: arguments.detectors,
    };
    let reply = ask::dispatcher(context, request, OutputForm::of(arguments.json))?;
    if arguments.json {
        return Ok(ask::print_json(&reply)?);
    }
    if let Reply::Route { tried, prospects } = reply {
        print_tried(&tried)?;
        for prospect in prospects {
            if let Some(until) = prospect.cooling_until {
                say(&format!(
                    "{} hears of it again {}",
                    prospect.receiver,
                    ahead(until)
                ))?;
            }
        }
    }
    Ok(())
}

/// The path through the tree, a route a line.
pub(super) fn print_tried(tried: &[Tried]) -> anyhow::Result<()> {
    if tried.is_empty() {
        return say("there are no routes");
    }
    for tried in tried {
        let mark = match (tried.selects, tried.takes) {
            (_, true) => "→",
            (true, false) => "↓",
            (false, _) => "·",
        };
        say(&format!(
            "{}{mark} {}: {}",
            "  ".repeat(tried.depth),
            tried.route,
            text::one_line(&tried.why)
        ))?;
    }
    if !tried.iter().any(|tried| tried.takes) {
        say("no route takes it: nobody is told")?;
    }
    Ok(())
}

pub(super) fn alert_test(context: &Context, arguments: TestArguments) -> Result<(), CommandFailure> {
    let call = Call::AlertTest {
        route: arguments.route,
        by: ask::somebody(),
    };
    let answer = ask::call(context, &call, OutputForm::of(arguments.json))?;
    let receivers = match answer {
        Answer::Tested { receivers } => receivers,
        Answer::Dispatcher {
            reply: Reply::Refused { why },
        } => return Err(anyhow::anyhow!(why).into()),
        _ => return Err(anyhow::anyhow!("the running process is of another version: restart it").into()),
    };
    if arguments.json {
        ask::print_json(&receivers)?;
    } else if receivers.is_empty() {
        say("the route leads to nobody")?;
    } else {
        for tested in &receivers {
            match &tested.error {
                None => say(&format!(
                    "{}: taken in {:.1} s, notice {}",
                    tested.receiver, tested.seconds, tested.id
                ))?,
                Some(error) => say(&format!("{}: {error}", tested.receiver))?,
            }
            if let Some(hint) = &tested.hint {
                say(&format!("hint: {hint}"))?;
            }
        }
    }
    let failed = receivers.iter().filter(|tested| tested.error.is_some()).count();
    if failed > 0 {
        return Err(anyhow::anyhow!("{failed} of {} receivers did not take it", receivers.len()).into());
    }
    Ok(())
}

/// When a receiver was told, for `explain`.
pub(super) fn told(at: Option<f64>) -> String {
    at.map_or("not told".to_owned(), |at| format!("told {}", ago(at)))
}
