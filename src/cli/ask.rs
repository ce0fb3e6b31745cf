//! Asks the process that runs over the state folder, or, with none running, opens the files itself.

use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use serde::Serialize;
use skywatch_settings::{Settings, StoreUrl};

use crate::clock::unix_now;
use crate::dispatch::{Answer, Call, Desk, Office, Reply, Request, control};
use crate::process::{self, alerting};

/// Asks for something the desk knows.
pub(super) fn desk(settings: &Settings, request: Request) -> anyhow::Result<Reply> {
    match call(settings, &Call::Desk { request })? {
        Answer::Desk {
            reply: Reply::Refused { why },
        } => anyhow::bail!(why),
        Answer::Desk { reply } => Ok(reply),
        _ => anyhow::bail!("the running process is of another version: restart it"),
    }
}

/// Asks for anything.
pub(super) fn call(settings: &Settings, call: &Call) -> anyhow::Result<Answer> {
    let answer = control::call(&settings.state_dir, call).with_context(|| {
        format!(
            "the process running over `{}` does not answer",
            settings.state_dir.display()
        )
    })?;
    match answer {
        Some(answer) => Ok(answer),
        None => Ok(alone(settings, call)?.answer(call.clone())),
    }
}

/// An office of our own.
fn alone(settings: &Settings, call: &Call) -> anyhow::Result<Office> {
    process::wiring::prepare_state_dir(&settings.state_dir)?;
    let desk = Desk::open(alerting::dispatch_alone(settings)?);
    if let Some(why) = desk.trouble() {
        anyhow::bail!("{why}");
    }
    let desk = Mutex::new(desk);
    let outlets = match call {
        Call::AlertTest { .. } => alerting::outlets(settings)?,
        _ => Vec::new(),
    };
    let examine: crate::dispatch::Examine = match (call, &settings.store.url) {
        (Call::Explain { .. }, StoreUrl::Embedded) => {
            let examiner = alerting::examiner_of(process::embedded_store(settings)?, settings);
            Box::new(move |metric, now| examiner.examine(metric, now).map_err(|error| error.to_string()))
        }
        (Call::Explain { .. }, StoreUrl::Redis(url)) => {
            let examiner = alerting::examiner_of(process::redis_store(url, settings)?, settings);
            Box::new(move |metric, now| examiner.examine(metric, now).map_err(|error| error.to_string()))
        }
        _ => Box::new(|_, _| Err("nothing was asked of the store".to_owned())),
    };
    Ok(Office::new(
        Box::new(move |request| {
            desk.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .answer(request)
        }),
        examine,
        &outlets,
        alerting::base_url(settings),
    ))
}

/// Who asks: the user as the system knows him.
pub(super) fn somebody() -> String {
    ["SUDO_USER", "USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()))
        .unwrap_or_else(|| "somebody".to_owned())
}

/// A value as JSON on standard output.
pub(super) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    super::say(&serde_json::to_string_pretty(value)?)
}

/// `14 min ago`
pub(super) fn ago(at: f64) -> String {
    format!(
        "{} ago",
        skywatch_alerters::units::length((unix_now() - at).max(0.0))
    )
}

/// `in 14 min`, or `now`.
pub(super) fn ahead(at: f64) -> String {
    let left = at - unix_now();
    if left <= 0.5 {
        "now".to_owned()
    } else {
        format!("in {}", skywatch_alerters::units::length(left))
    }
}
