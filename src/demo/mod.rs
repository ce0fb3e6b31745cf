//! `skywatch demo`: the whole product on made-up metrics, in one process, with nothing to configure.
//!
//! History goes straight into the embedded store; from then on each minute's points come in through the
//! carbon port like anybody's. What is shown is read from the same status the pages read.

mod generate;
mod view;

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use skywatch_settings::{Ingest as Ingests, Settings};

use crate::clock::unix_now;
use crate::ingest::Ingest;
use crate::observer::Observer;
use crate::process::LiveSettings;
use crate::process::launch::{PartWork, ProcessPart, together};
use crate::process::{ProcessError, RunOptions, roles, wiring};
use crate::status::{AnalyzerStatus, Liveness, StatusFile};
use crate::stop::Stop;
use crate::store::{AnyConnect, Connect, Points, Sample, StoreError};
use crate::web::{LiveSettingsTable, Web};
use generate::Fleet;
use view::Screen;

/// Time from pass to pass: short, so that there is something to see.
const PASS_EACH: Duration = Duration::from_secs(5);
/// Resolution of the made-up metrics, seconds: carbon's usual one.
const STEP: u32 = 60;
/// What the metrics are known by when the demo begins: in its first two days a metric is judged with much caution.
const HISTORY: Duration = Duration::from_secs(4 * 86_400);
/// How often the status is looked at: much oftener than passes come, so that none is missed.
const LOOK_EACH: Duration = Duration::from_millis(200);

/// What the demo is asked.
#[derive(Debug, Clone, Copy)]
pub struct DemoOptions {
    /// End after this time, but not before the first pass has ended; `None` goes on until told to stop.
    pub seconds: Option<u64>,
    /// Where the pages go if the port is free; otherwise the next free one.
    pub pages: SocketAddr,
}

/// How the demo ended.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct DemoOutcome {
    /// Metrics with a planted anomaly.
    pub planted: Vec<String>,
    /// Metrics found anomalous in any pass.
    pub found: Vec<String>,
    /// Metrics in all.
    pub metrics: usize,
    /// Passes.
    pub passes: u64,
}

/// Why the demo could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A part of it failed.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The store took no history.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Files, sockets, the terminal.
    #[error("the demo cannot go on: {0}")]
    Io(#[from] std::io::Error),
}

impl DemoError {
    /// What a person could do, where that is known and the message does not say it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Process(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::Io(_) => None,
        }
    }
}

/// Runs the demo until its time is up or `stop` is said, telling a person about it on `out`.
///
/// # Errors
/// [`DemoError`]; whatever was started is stopped and the state folder removed in any case.
pub fn run(options: DemoOptions, out: &mut dyn Write, stop: &Stop) -> Result<DemoOutcome, DemoError> {
    let begun = Instant::now();
    let folder = tempfile::Builder::new().prefix("skywatch-demo-").tempdir()?;
    let mut settings = Settings {
        state_dir: folder.path().to_owned(),
        ..Settings::default()
    };
    settings.analyzer.optimum_run_duration = PASS_EACH;
    settings.store.full_duration = HISTORY;
    settings.alerts.log = false;
    settings.ingest = Ingests {
        carbon_listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        pickle_listen: None,
        msgpack_listen: None,
        remote_write_listen: None,
        ..Ingests::default()
    };

    let fleet = Fleet::new();
    let store = wiring::store(&settings)?;
    let last = (unix_now() as u32) / STEP * STEP;
    writeln!(
        out,
        "making {} metrics with four days of history, one point a minute",
        fleet.len()
    )?;
    make_history(&fleet, &store, last, stop)?;

    let how = wiring::ingest_options(&settings, &Observer::off()).map_err(ProcessError::from)?;
    let ingest = Ingest::bind(how).map_err(ProcessError::from)?;
    let carbon = ingest.carbon_address();
    let web = Web::bind_near(options.pages).map_err(ProcessError::from)?;
    let pages = web.address();
    let mut view = Screen::new(out, store.clone(), settings.store.full_duration.as_secs_f64());
    view.begin(&fleet, carbon, pages)?;

    let outcome = std::thread::scope(|scope| {
        let (settings, fleet) = (&settings, &fleet);
        let run = RunOptions::default();
        let part = |name, work| ProcessPart {
            name,
            stops_last: name == "dispatch",
            work,
        };
        let (inlet, finders) = roles::in_this_process();
        let store = &store;
        let parts = vec![
            part(
                "dispatch",
                Box::new(move |stop: &Stop| {
                    roles::dispatch(
                        store,
                        &finders,
                        &Observer::off(),
                        settings,
                        &LiveSettings::default(),
                        stop,
                    )
                }) as PartWork<'_>,
            ),
            part(
                "ingest",
                Box::new(move |stop: &Stop| roles::take_in(ingest, store, settings, stop)),
            ),
            part(
                "web",
                Box::new(move |stop: &Stop| {
                    let live = LiveSettings::default();
                    roles::serve(web, store, settings, LiveSettingsTable::default(), &live, stop)
                }),
            ),
            part(
                "analyzer",
                Box::new(move |stop: &Stop| {
                    roles::watch(
                        store,
                        inlet,
                        &Observer::off(),
                        settings,
                        &run,
                        Liveness::default(),
                        stop,
                    )
                }),
            ),
        ];
        // A part that ends, well or not, ends the demo.
        let parts = scope.spawn(move || together(parts, stop));
        if let Some(address) = carbon {
            scope.spawn(move || feed(fleet, address, last, stop));
        }
        let outcome = watch(
            options.seconds,
            begun,
            &StatusFile::analyzer(&settings.state_dir),
            &mut view,
            stop,
        );
        stop.say();
        parts
            .join()
            .unwrap_or(Err(ProcessError::Panicked("a part of the demo")))?;
        outcome.map_err(DemoError::from)
    })?;
    Ok(DemoOutcome {
        planted: fleet.planted(),
        metrics: fleet.len(),
        ..outcome
    })
}

/// Writes [`HISTORY`] up to `last`, with a progress bar where there is a terminal, unless stop is said before.
fn make_history(fleet: &Fleet, connect: &AnyConnect, last: u32, stop: &Stop) -> Result<(), StoreError> {
    let minutes = HISTORY.as_secs() as u32 / STEP;
    let bar = ProgressBar::new(u64::from(minutes));
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} minutes of history");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut store = connect.connect()?;
    let mut tick = fleet.begin(last - (minutes - 1) * STEP);
    // An hour at a time: one commit of some ten thousand points.
    for hour in 0..minutes / 60 {
        if stop.is_said() {
            break;
        }
        let mut samples = Vec::new();
        for minute in hour * 60..(hour + 1) * 60 {
            let time = last - (minutes - 1 - minute) * STEP;
            let planted = minute + generate::PLANTED_MINUTES >= minutes;
            tick.points(time, planted, &mut |metric, value| {
                samples.push(Sample {
                    metric,
                    time: f64::from(time),
                    value,
                });
            });
            bar.inc(1);
        }
        store.append(&samples)?;
    }
    bar.finish_and_clear();
    fleet.keep(tick);
    Ok(())
}

/// Sends each minute's points over the carbon port, like any client.
fn feed(fleet: &Fleet, address: SocketAddr, last: u32, stop: &Stop) {
    let Some(mut tick) = fleet.resume() else { return };
    let mut time = last + STEP;
    loop {
        let wait = (f64::from(time) - unix_now()).max(0.0);
        if stop.sleep(Duration::from_secs_f64(wait)) {
            return;
        }
        let mut lines = String::new();
        tick.points(time, true, &mut |metric, value| {
            lines.push_str(&format!("{metric} {value} {time}\n"));
        });
        let sent = TcpStream::connect(address).and_then(|mut stream| stream.write_all(lines.as_bytes()));
        if let Err(error) = sent {
            tracing::error!("the demo cannot feed itself :: {error}");
            return;
        }
        time += STEP;
    }
}

/// Shows each pass until the time is up.
fn watch(
    seconds: Option<u64>,
    begun: Instant,
    file: &StatusFile,
    view: &mut Screen<'_>,
    stop: &Stop,
) -> std::io::Result<DemoOutcome> {
    let mut found = BTreeSet::new();
    let mut passes = 0;
    loop {
        let stopped = stop.sleep(LOOK_EACH);
        if let Some(AnalyzerStatus {
            pass: Some(pass),
            anomalies,
            ..
        }) = file.read()
            && pass.pass > passes
        {
            passes = pass.pass;
            found.extend(anomalies.iter().map(|current| current.anomaly.name().to_owned()));
            view.pass(&pass, &anomalies)?;
        }
        let over = seconds.is_some_and(|seconds| begun.elapsed() >= Duration::from_secs(seconds));
        if stopped || (over && passes > 0) {
            return Ok(DemoOutcome {
                found: found.into_iter().collect(),
                passes,
                ..DemoOutcome::default()
            });
        }
    }
}
