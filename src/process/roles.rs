//! What each process does, wired from settings.
//!
//! The only place that knows all rooms at once. Every role runs until told to stop, over either store.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;
use skywatch_algorithms::Ensemble;
use skywatch_settings::{Settings, StoreUrl};

use super::ProcessError;
use super::{alerting, wiring};
use crate::analyzer::watchman::Watchman;
use crate::analyzer::{AnalyzerOptions, Inquiries, Outlets, Supervisor, WorkerOptions, open_summary};
use crate::clock::unix_now;
use crate::dispatch::control::Control;
use crate::dispatch::{self, Inbox, Office, Outlet};
use crate::ingest::Ingest;
use crate::net::carbon_out::CarbonOut;
use crate::status::{AnalyzerStatusFile, Beat, Followed};
use crate::stop::{Stop, StopOnDrop};
use crate::store::Connect;
use crate::store::embedded::EmbeddedConnect;
use crate::web::Web;

/// Passes whose findings may wait for the dispatch.
const DISPATCH_QUEUE: usize = 2;
/// Longest wait for a store that is only asked whether it would let us in.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// Time between two looks for days to drop.
const DROP_EACH: Duration = Duration::from_secs(600);

/// The work of one child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Takes points in.
    Ingest,
    /// Looks at every metric.
    Analyzer,
    /// Serves the pages.
    Web,
    /// Fits the learned detectors.
    #[cfg(feature = "learned")]
    Trainer,
}

impl Role {
    /// The role as an argument and in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Analyzer => "analyzer",
            Self::Web => "web",
            #[cfg(feature = "learned")]
            Self::Trainer => "trainer",
        }
    }

    /// The roles that `settings` ask for.
    pub fn wanted(settings: &Settings) -> Vec<Self> {
        let mut roles = Vec::new();
        if settings.ingest.enabled {
            roles.push(Self::Ingest);
        }
        if settings.analyzer.enabled {
            roles.push(Self::Analyzer);
        }
        if settings.web.enabled {
            roles.push(Self::Web);
        }
        #[cfg(feature = "learned")]
        if settings.training.enabled {
            roles.push(Self::Trainer);
        }
        roles
    }
}

/// What `skywatch run` was asked beyond the settings.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// End after so many passes.
    pub passes: Option<u64>,
    /// File that gets one JSON line a pass.
    pub summary: Option<PathBuf>,
    /// The arguments that make a child resolve the same settings.
    pub global: Vec<String>,
}

/// Does one role's work until `stop` is said.
///
/// # Errors
/// Whatever keeps the role from working; the parent starts the process again.
pub fn run_role(
    role: Role,
    settings: &Settings,
    run: &RunOptions,
    beat: Beat,
    stop: &Stop,
) -> Result<(), ProcessError> {
    wiring::prepare_state_dir(&settings.state_dir)?;
    #[cfg(feature = "learned")]
    if role == Role::Trainer {
        return super::train(settings, &super::TrainerRun::default(), stop);
    }
    match &settings.store.url {
        StoreUrl::Embedded => {
            let connect = wiring::embedded(settings)?;
            role_over(connect, role, settings, run, beat, stop)
        }
        StoreUrl::Redis(url) => {
            let connect = wiring::redis(url, settings)?;
            role_over(connect, role, settings, run, beat, stop)
        }
    }
}

/// Tries once what only a person can mend, so that it is told at the start and not each second by a child: a wrong
/// password, a folder or file that cannot be written, a mail route that cannot be. A store that merely does not answer is
/// waited for by those that need it.
///
/// # Errors
/// The first of these.
pub fn check(settings: &Settings, run: &RunOptions) -> Result<(), ProcessError> {
    wiring::prepare_state_dir(&settings.state_dir)?;
    #[cfg(feature = "learned")]
    if settings.adaptive.learned {
        super::trainer::library(settings)?;
    }
    alerting::policy(settings)?;
    alerting::outlets(settings)?;
    run.summary.as_deref().map(open_summary).transpose()?;
    #[cfg(feature = "learned")]
    super::trainer::library(settings)?;
    let StoreUrl::Redis(url) = &settings.store.url else {
        return Ok(());
    };
    let mut hasty = settings.clone();
    hasty.store.response_timeout = hasty.store.response_timeout.min(CHECK_TIMEOUT);
    hasty.store.connect_timeout = hasty.store.connect_timeout.min(CHECK_TIMEOUT);
    match wiring::redis(url, &hasty)?.connect() {
        Err(error) if !error.is_retryable() => Err(error.into()),
        _ => Ok(()),
    }
}

/// Does the work of all wanted roles in this one process until `stop` is said or the asked passes are done.
///
/// # Errors
/// The first role's that fails; the others are stopped.
pub fn run_all(settings: &Settings, run: &RunOptions, stop: &Stop) -> Result<(), ProcessError> {
    wiring::prepare_state_dir(&settings.state_dir)?;
    match &settings.store.url {
        StoreUrl::Embedded => {
            let connect = wiring::embedded(settings)?;
            std::thread::scope(|scope| {
                scope.spawn(|| drop_old_days(&connect, settings, stop));
                let outcome = all_over(connect.clone(), settings, run, stop);
                stop.say();
                outcome
            })
        }
        StoreUrl::Redis(url) => all_over(wiring::redis(url, settings)?, settings, run, stop),
    }
}

/// Trims the embedded store until stop is said: whole days, once nothing of them can be in a window any more.
fn drop_old_days(connect: &EmbeddedConnect, settings: &Settings, stop: &Stop) {
    let keep = (settings.store.full_duration + settings.store.grace).as_secs_f64();
    loop {
        match connect.drop_before(unix_now() - keep) {
            Ok(dropped) if dropped.days > 0 => {
                tracing::info!(
                    "dropped {} old days and {} dead metrics",
                    dropped.days,
                    dropped.names
                );
            }
            Ok(_) => {}
            Err(error) => tracing::error!("old days not dropped :: {error}"),
        }
        if stop.sleep(DROP_EACH) {
            return;
        }
    }
}

fn all_over<K: Connect>(
    connect: K,
    settings: &Settings,
    run: &RunOptions,
    stop: &Stop,
) -> Result<(), ProcessError> {
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for role in Role::wanted(settings) {
            let connect = connect.clone();
            // The ingest must outlive nobody; all are told at once and each ends in its own order.
            let work = move || {
                // Whichever ends first, well, with an error or by a panic, ends all.
                let _stop = StopOnDrop(stop.clone());
                role_over(connect, role, settings, run, Beat::default(), stop)
            };
            let thread = std::thread::Builder::new()
                .name(role.name().to_owned())
                .spawn_scoped(scope, work);
            match thread {
                Ok(thread) => threads.push((role, thread)),
                Err(source) => {
                    stop.say();
                    return Err(ProcessError::Start {
                        what: "a thread",
                        source,
                    });
                }
            }
        }
        let outcomes = threads
            .into_iter()
            .map(|(role, thread)| thread.join().unwrap_or(Err(ProcessError::Panicked(role.name()))));
        outcomes.collect::<Vec<_>>().into_iter().collect()
    })
}

fn role_over<K: Connect>(
    connect: K,
    role: Role,
    settings: &Settings,
    run: &RunOptions,
    beat: Beat,
    stop: &Stop,
) -> Result<(), ProcessError> {
    match role {
        Role::Ingest => ingest(
            Ingest::bind(wiring::ingest_options(settings))?,
            connect,
            settings,
            stop,
        ),
        Role::Analyzer => analyzer(connect, settings, run, beat, stop),
        Role::Web => {
            let web = Web::bind(settings.web.listen)?;
            web_pages(web, connect, settings, stop)
        }
        // In a process that does everything itself only the keeper: the training is a child's.
        #[cfg(feature = "learned")]
        Role::Trainer => super::trainer::keep(connect, settings, &run.global, stop),
    }
}

/// Serves an ingest that is bound already.
pub(crate) fn ingest<K: Connect>(
    ingest: Ingest,
    connect: K,
    settings: &Settings,
    stop: &Stop,
) -> Result<(), ProcessError> {
    for (service, address) in ingest.addresses() {
        tracing::info!(
            "taking {} on {address}, storing in {}",
            service.what(),
            connect.describe()
        );
    }
    let graphite = graphite(settings)?;
    let prefix = wiring::prefix(settings, "ingest");
    let graphite = graphite.as_ref().map(|graphite| (graphite, prefix.as_str()));
    Ok(ingest.run(connect, &settings.state_dir, graphite, stop)?)
}

/// Serves pages on a socket that is bound already.
pub(crate) fn web_pages<K: Connect>(
    web: Web,
    connect: K,
    settings: &Settings,
    stop: &Stop,
) -> Result<(), ProcessError> {
    if let Some(address) = web.address() {
        tracing::info!("pages on http://{address}");
    }
    Ok(web.run(connect, &settings.state_dir, &wiring::web_options(settings), stop)?)
}

pub(crate) fn analyzer<K: Connect>(
    connect: K,
    settings: &Settings,
    run: &RunOptions,
    beat: Beat,
    stop: &Stop,
) -> Result<(), ProcessError> {
    let worker = WorkerOptions {
        adaptive: wiring::adaptive(settings, stop)?.map(Arc::new),
        ..worker_options(settings)
    };
    let (send, receive) = bounded(DISPATCH_QUEUE);
    let followed = Followed::default();
    let dispatch = alerting::dispatch(connect.clone(), settings, followed.clone())?;
    let (inbox, messages) = Inbox::new();
    let workers = wiring::workers(settings);
    let (inquiries, questions) = Inquiries::new(workers);
    let control = control(
        connect.clone(),
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
    let hears = Box::new(move |silent| desk.store(silent));
    let watchman =
        Watchman::start(&connect, Arc::clone(&status), hears).map_err(|source| ProcessError::Start {
            what: "the thread that asks the store",
            source,
        })?;
    let outlets = Outlets {
        status,
        beat,
        graphite: graphite(settings)?.map(|out| (out, wiring::prefix(settings, "analyzer"))),
        dispatch: send,
        behind: VecDeque::new(),
        followed,
        deserted: false,
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
        connect.describe(),
        options.workers,
        options.optimum_run_duration.as_secs_f64()
    );
    let outcome = Supervisor::new(connect, options, outlets, stop.clone())?.run();
    drop(watchman);
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

/// What every worker is told, and everybody who judges as workers do.
pub(crate) fn worker_options(settings: &Settings) -> WorkerOptions {
    let rules = wiring::rules(settings);
    WorkerOptions {
        full_duration: rules.full_duration,
        stale_period: rules.stale_period,
        ensemble: Ensemble::classic(rules).into(),
        counters_as_rates: wiring::counters_as_rates(settings),
        cache: settings.analyzer.cache,
        cache_bytes: match settings.analyzer.cache_bytes {
            0 => usize::MAX,
            all => all / wiring::workers(settings),
        },
        canary: settings.analyzer.canary_metric.clone().unwrap_or_default(),
        adaptive: None,
        seat: (0, 1),
    }
}

/// Lets commands on this machine speak to us. Without it the watch goes on.
fn control<K: Connect>(
    connect: K,
    settings: &Settings,
    outlets: &[Outlet],
    inbox: Inbox,
    inquiries: Inquiries,
) -> Option<Control> {
    let examiner = alerting::examiner_of(connect, settings);
    let office = Office::new(
        Box::new(move |request| inbox.ask(request)),
        Box::new(move |metric, now| examiner.ask(&inquiries, metric, now)),
        outlets,
        alerting::base_url(settings),
        wiring::command(settings),
    );
    #[cfg(feature = "learned")]
    let office = {
        let settings = settings.clone();
        office.with_study(Box::new(move |asked| {
            super::study::answer(&settings, asked)
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

fn graphite(settings: &Settings) -> Result<Option<CarbonOut>, ProcessError> {
    let Some(address) = &settings.graphite.address else {
        return Ok(None);
    };
    CarbonOut::start(address.to_string(), settings.graphite.timeout)
        .map(Some)
        .map_err(|source| ProcessError::Start {
            what: "the Graphite connection",
            source,
        })
}
