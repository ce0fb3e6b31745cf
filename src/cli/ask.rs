//! Asks the process that runs, or, with none running, opens the files itself and says so.
//!
//! An answer about a running system comes from it. Which one is meant is decided here and nowhere else.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, UNIX_EPOCH};

use anyhow::Context as _;
use serde::Serialize;
use skywatch_alerters::units;
use skywatch_settings::{Origin, Settings, StoreUrl};

use super::context::{Context, PACKAGE_SETTINGS};
use crate::clock::unix_now;
#[cfg(feature = "learned")]
use crate::dispatch::Study;
use crate::dispatch::running::{self, RunningProcess};
use crate::dispatch::{Answer, Call, CommandService, Dispatcher, Reply, Request, control};
use crate::history::history_path;
use crate::log;
use crate::process::{self, alerting, judging};
use crate::status::{AnalyzerStatus, StatusFile};

/// How long a process that has the state folder, and does not listen, is waited for: it may be starting.
const STARTING: Duration = Duration::from_secs(5);
/// How often it is looked whether it listens by now.
const LOOK_EACH: Duration = Duration::from_millis(100);

/// How an answer is printed, and so where it says whom it is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OutputForm {
    /// For people: the first line says where an answer comes from, unless that is the process they mean.
    Text,
    /// For programs, and where something is done and not told: that line goes to standard error.
    Bare,
}

impl OutputForm {
    pub(super) fn of(json: bool) -> Self {
        if json { Self::Bare } else { Self::Text }
    }

    fn note(self, line: &str) -> anyhow::Result<()> {
        match self {
            Self::Text => super::context::say(line),
            Self::Bare => {
                log::last_words(line);
                Ok(())
            }
        }
    }
}

/// Asks for something the dispatcher knows.
pub(super) fn dispatcher(context: &Context, request: Request, form: OutputForm) -> anyhow::Result<Reply> {
    match call(context, &Call::Dispatcher { request }, form)? {
        Answer::Dispatcher {
            reply: Reply::Refused { why },
        } => anyhow::bail!(why),
        Answer::Dispatcher { reply } => Ok(reply),
        _ => anyhow::bail!("the running process is of another version: restart it"),
    }
}

/// Asks for anything: the process that runs over the state folder that was named; without a name, the only one that runs.
/// With none running, the files of the state folder answer, which is said, as long as one ever ran over it.
pub(super) fn call(context: &Context, call: &Call, form: OutputForm) -> anyhow::Result<Answer> {
    let settings = &context.loaded.settings;
    if let Some(answer) = of_a_process(context, call)? {
        return Ok(answer);
    }
    let folder = settings.state_dir.display();
    if has_ever_run(&settings.state_dir)? {
        let as_of = last_sign_of_life(&settings.state_dir).map_or(String::new(), |at| {
            format!(", as of {} ({})", units::time(at), ago(at))
        });
        form.note(&format!(
            "no skywatch runs over `{folder}`: this is from its files{as_of}"
        ))?;
    } else if is_of_settings_alone(call) {
        form.note(&format!(
            "no skywatch has ever run over `{folder}`: this is by these settings alone"
        ))?;
    } else {
        anyhow::bail!("{}", nobody(context));
    }
    Ok(alone(settings, call)?.answer(call.clone()))
}

/// Asks about trainings and models: the process that is meant, or, with none running, what the settings lead to. A folder in
/// which nothing was ever trained has nothing to say.
#[cfg(feature = "learned")]
pub(super) fn study(context: &Context, study: Study, form: OutputForm) -> anyhow::Result<Answer> {
    let settings = &context.loaded.settings;
    let call = Call::Study { study };
    let answer = match of_a_process(context, &call)? {
        Some(answer) => answer,
        None => {
            let Call::Study { study } = &call else {
                anyhow::bail!("asked something else");
            };
            let known = ["models", "jobs.sqlite"].map(|name| settings.state_dir.join(name));
            // What lies in a Redis or a bucket that settings name lies there whoever runs.
            let is_elsewhere = settings.store.url != StoreUrl::Embedded || settings.models.bucket().is_some();
            if !is_elsewhere
                && !has_ever_run(&settings.state_dir)?
                && !known.iter().any(|place| place.exists())
            {
                anyhow::bail!("{}", nobody(context));
            }
            form.note(&format!(
                "no skywatch runs over `{}`: this is by these settings",
                settings.state_dir.display()
            ))?;
            process::study::answer(settings, study)?
        }
    };
    match answer {
        Answer::Dispatcher {
            reply: Reply::Refused { why },
        } => anyhow::bail!(why),
        answer => Ok(answer),
    }
}

/// Lines on standard output.
#[cfg(feature = "learned")]
pub(super) fn print_lines(answer: Answer) -> anyhow::Result<()> {
    let Answer::Lines { lines } = answer else {
        anyhow::bail!("the running process is of another version: restart it");
    };
    lines.iter().try_for_each(|line| super::context::say(line))
}

/// The answer of the process that is meant; `None` if it does not run.
pub(super) fn of_a_process(context: &Context, call: &Call) -> anyhow::Result<Option<Answer>> {
    let state_dir = &context.loaded.settings.state_dir;
    let began = Instant::now();
    loop {
        let meant = meant(context)?;
        if let Some(running) = &meant
            && let Some(socket) = &running.socket
        {
            let asked = || format!("{} does not answer", shown(running));
            let answer = control::call(socket, call).with_context(asked)?;
            // One that has just ended cannot be asked.
            if answer.is_some() {
                if !is_named(context) && running.state_dir != running::whole(state_dir) {
                    log::last_words(&format!("asked {}", shown(running)));
                }
                return Ok(answer);
            }
        }
        let here = control::call(&control::socket_path(state_dir), call);
        let asked = || {
            format!(
                "the process running over `{}` does not answer",
                state_dir.display()
            )
        };
        if let Some(answer) = here.with_context(asked)? {
            return Ok(Some(answer));
        }
        let is_late = began.elapsed() > STARTING;
        match meant {
            Some(running) if is_late => {
                anyhow::bail!("{} does not answer: its dispatch does not run", shown(&running))
            }
            None if is_late || !process::is_claimed(state_dir) => return Ok(None),
            // It is starting, or is being started again.
            _ => {}
        }
        std::thread::sleep(LOOK_EACH);
    }
}

/// The process that is meant: by the state folder, if one was named; otherwise the only one there is.
pub(super) fn meant(context: &Context) -> anyhow::Result<Option<RunningProcess>> {
    if is_named(context) {
        return Ok(running::over(&context.loaded.settings.state_dir));
    }
    let mut all = running::all();
    if all.len() > 1 {
        let list: Vec<String> = all.iter().map(|one| format!("\n  {}", shown(one))).collect();
        anyhow::bail!(
            "{} skywatch run here:{}\nhint: say which one is meant with `--state-dir DIR`",
            all.len(),
            list.concat()
        );
    }
    Ok(all.pop())
}

/// Whether a state folder was named.
fn is_named(context: &Context) -> bool {
    !matches!(context.loaded.origin("state_dir"), None | Some(Origin::Default))
}

fn shown(running: &RunningProcess) -> String {
    format!(
        "process {} over `{}`, since {}",
        running.pid,
        running.state_dir.display(),
        units::time(running.since)
    )
}

/// That no process can answer, and which ones run elsewhere.
pub(super) fn nobody(context: &Context) -> String {
    let mut why = format!(
        "no skywatch runs over `{}`, and none ever has",
        context.loaded.settings.state_dir.display()
    );
    for one in running::all() {
        why.push_str(&format!("\n  there is {}", shown(&one)));
    }
    if let Some(folder) = running::closed_folder() {
        why.push_str(&format!(
            "\n  there may be one of the system: `{}` is not for this user to read\nhint: ask as root",
            folder.display()
        ));
    }
    let package = Path::new(PACKAGE_SETTINGS);
    let settings = match package.exists() {
        true => PACKAGE_SETTINGS,
        false => "FILE",
    };
    why.push_str(&format!(
        "\nhint: name the state folder with `--state-dir DIR`, or the settings with `--config {settings}`"
    ));
    why
}

/// Whether the answer follows from settings, with no past needed.
fn is_of_settings_alone(call: &Call) -> bool {
    matches!(
        call,
        Call::AlertTest { .. }
            | Call::Dispatcher {
                request: Request::RouteTest { .. }
            }
    )
}

/// Whether a process has ever used the folder. A backfill counts: it leaves what was learnt of metrics there.
///
/// # Errors
/// This user may not look.
pub(super) fn has_ever_run(state_dir: &Path) -> anyhow::Result<bool> {
    for file in [
        "lock",
        "status/analyzer.json",
        "status/ingest.json",
        "states/inbox",
    ] {
        match state_dir.join(file).try_exists() {
            Ok(true) => return Ok(true),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => anyhow::bail!(
                "the state folder `{}` is not for this user to read: {error}\nhint: ask as root, or as the user Skywatch runs as",
                state_dir.display()
            ),
            _ => {}
        }
    }
    Ok(false)
}

/// When a process over the folder last did something, Unix seconds.
fn last_sign_of_life(state_dir: &Path) -> Option<f64> {
    let status: Option<AnalyzerStatus> = StatusFile::analyzer(state_dir).read();
    let pass = status.and_then(|status| Some(status.pass?.at));
    let written = || {
        let changed = std::fs::metadata(history_path(state_dir)).ok()?.modified().ok()?;
        Some(changed.duration_since(UNIX_EPOCH).ok()?.as_secs_f64())
    };
    pass.or_else(written)
}

/// A command service of our own.
fn alone(settings: &Settings, call: &Call) -> anyhow::Result<CommandService> {
    process::wiring::prepare_state_dir(&settings.state_dir)?;
    let dispatcher = Dispatcher::open(alerting::dispatch_alone(settings));
    if let Some(why) = dispatcher.trouble() {
        anyhow::bail!("{why}");
    }
    let dispatcher = Mutex::new(dispatcher);
    let destinations = match call {
        Call::AlertTest { .. } => alerting::destinations(settings)?,
        _ => Vec::new(),
    };
    let examine: crate::dispatch::Examine = match call {
        Call::Explain { .. } => {
            let examiner = judging::examiner_of(process::store(settings)?, settings);
            Box::new(move |metric, now| {
                let examined = examiner.examine(metric, now);
                examined.map(Box::new).map_err(|error| error.to_string())
            })
        }
        _ => Box::new(|_, _| Err("nothing was asked of the store".to_owned())),
    };
    let causes = match call {
        Call::Causes { .. } => Some(alerting::causes(&process::store(settings)?, settings)),
        _ => None,
    };
    Ok(CommandService::new(
        Box::new(move |request| {
            dispatcher
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .answer(request)
        }),
        examine,
        &destinations,
        process::wiring::base_url(settings),
        process::wiring::command(settings),
    )
    .with_causes(causes))
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
    super::context::say(&serde_json::to_string_pretty(value)?)
}

/// `14 min ago`
pub(super) fn ago(at: f64) -> String {
    format!("{} ago", units::length((unix_now() - at).max(0.0)))
}

/// `in 14 min`, or `now`.
pub(super) fn ahead(at: f64) -> String {
    let left = at - unix_now();
    if left <= 0.5 {
        "now".to_owned()
    } else {
        format!("in {}", units::length(left))
    }
}
