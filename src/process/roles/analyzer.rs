//! Looks at every metric, and sends what is found.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;
use skywatch_settings::Settings;

use super::{Needs, Role, RoleContext, RunOptions};
use crate::analyzer::store_probe::StoreProbe;
use crate::analyzer::{AnalyzerOptions, Inquiries, PassOutputs, Supervisor, WorkerOptions};
use crate::dispatch::control::Control;
use crate::dispatch::{self, Inbox, Office, Outlet};
#[cfg(feature = "learned")]
use crate::process::study;
use crate::process::{ProcessError, alerting, judging, wiring};
use crate::status::{AnalyzerStatusFile, Beat, Followed};
use crate::stop::Stop;
use crate::store::{AnyConnect, Connect};

/// Passes whose findings may wait for the dispatch.
const DISPATCH_QUEUE: usize = 2;

/// The role of that name.
#[derive(Debug)]
pub(super) struct Analyzer;

impl Role for Analyzer {
    fn name(&self) -> &'static str {
        "analyzer"
    }

    fn is_wanted(&self, settings: &Settings) -> bool {
        settings.analyzer.enabled
    }

    fn needs(&self, _: &RunOptions) -> Needs {
        Needs { store: true }
    }

    /// Without a number of passes it has no reason to end: whoever ended it, it is started again.
    fn ends_all(&self, run: &RunOptions) -> bool {
        run.passes.is_some()
    }

    fn run(&self, context: &RoleContext<'_>) -> Result<(), ProcessError> {
        watch(
            context.store()?,
            context.settings,
            context.run,
            context.beat.clone(),
            context.stop,
        )
    }
}

/// Looks at every metric, and sends what is found.
pub(crate) fn watch(
    store: &AnyConnect,
    settings: &Settings,
    run: &RunOptions,
    beat: Beat,
    stop: &Stop,
) -> Result<(), ProcessError> {
    let worker = WorkerOptions {
        adaptive: judging::adaptive(settings, stop)?.map(Arc::new),
        ..judging::worker_options(settings)
    };
    let (send, receive) = bounded(DISPATCH_QUEUE);
    let followed = Followed::default();
    let dispatch = alerting::dispatch(store.clone(), settings, followed.clone())?;
    let (inbox, messages) = Inbox::new();
    let workers = wiring::workers(settings);
    let (inquiries, questions) = Inquiries::new(workers);
    let control = control(
        store.clone(),
        settings,
        &dispatch.outlets,
        inbox.clone(),
        inquiries,
    );
    let desk = inbox.clone();
    let dispatching = std::thread::Builder::new()
        .name("dispatch".to_owned())
        .spawn(move || dispatch::run(dispatch, &receive, &inbox, &messages))
        .map_err(|source| ProcessError::Start {
            what: "the dispatch thread",
            source,
        })?;
    let status = AnalyzerStatusFile::open(Path::new(&settings.state_dir), wiring::quiet_after(settings));
    let status = Arc::new(status);
    let on_answer = Box::new(move |silent| desk.store(silent));
    let probe =
        StoreProbe::start(store, Arc::clone(&status), on_answer).map_err(|source| ProcessError::Start {
            what: "the thread that asks the store",
            source,
        })?;
    let outputs = PassOutputs {
        status,
        beat,
        graphite: wiring::graphite(settings)?.map(|out| (out, wiring::prefix(settings, "analyzer"))),
        dispatch: send,
        backlog: VecDeque::new(),
        followed,
        is_dispatch_gone: false,
    };
    let options = AnalyzerOptions {
        worker,
        workers,
        optimum_run_duration: settings.analyzer.optimum_run_duration,
        pass_deadline: settings.analyzer.pass_deadline,
        up_key: settings.analyzer.up_key.clone(),
        passes: run.passes,
        summary: run.summary.clone(),
        questions,
    };
    tracing::info!(
        "watching metrics in {} with {} workers, a pass each {} seconds",
        store.describe(),
        options.workers,
        options.optimum_run_duration.as_secs_f64()
    );
    // Here and not further in: workers are hot.
    let outcome = match store.clone() {
        AnyConnect::Redis(connect) => Supervisor::new(connect, options, outputs, stop.clone())?.run(),
        AnyConnect::Embedded(connect) => Supervisor::new(connect, options, outputs, stop.clone())?.run(),
    };
    drop(probe);
    // The supervisor has dropped its end of the channel: the dispatch sends what waits and ends.
    let due = Instant::now() + wiring::grace(settings);
    while stop.is_said() && !dispatching.is_finished() {
        if Instant::now() >= due {
            tracing::error!(
                "dispatch still waits for a mail server :: left behind, as there is no time left"
            );
            return Ok(outcome?);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let dispatched = dispatching.join();
    drop(control);
    outcome?;
    dispatched.map_err(|_| ProcessError::Panicked("dispatch"))
}

/// Lets commands on this machine speak to us. Without it the watch goes on.
fn control(
    store: AnyConnect,
    settings: &Settings,
    outlets: &[Outlet],
    inbox: Inbox,
    inquiries: Inquiries,
) -> Option<Control> {
    let examiner = judging::examiner_of(store, settings);
    let office = Office::new(
        Box::new(move |request| inbox.ask(request)),
        Box::new(move |metric, now| examiner.ask(&inquiries, metric, now)),
        outlets,
        wiring::base_url(settings),
        wiring::command(settings),
    );
    #[cfg(feature = "learned")]
    let office = {
        let settings = settings.clone();
        office.with_study(Box::new(move |asked| {
            study::answer(&settings, asked)
                .unwrap_or_else(|error| dispatch::Answer::refused(error.to_string()))
        }))
    };
    match Control::start(&settings.state_dir, office) {
        Ok(control) => Some(control),
        Err(error) => {
            tracing::error!(
                "no control socket in `{}` :: {error} :: `skywatch ack` and the like will not reach this process",
                settings.state_dir.display()
            );
            None
        }
    }
}
