//! Hands what this process observes to the health plane of this machine.
//!
//! A thread of its own, so that nobody who observes ever waits for the plane. While the plane is away the newest observations
//! are kept by the observer, and come when it is back.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tonic::transport::Channel;

use super::HealthRefusal;
use super::convert::timestamp;
use super::idl::panorama::health_service_client::HealthServiceClient;
use super::idl::panorama::{Metric, Observation, RegisterRequest, Report, Value, submit_report_reply};
use super::idl::verdicts::SubmitBatchRequest;
use super::idl::verdicts::verdicts_client::VerdictsClient;
use super::local::LocalPlane;
use crate::backoff::Backoff;
use crate::observer::{ObserverReports, OwnReport};
use crate::stop::StoppableThread;

/// The module under which Skywatch's own observers register.
const MODULE: &str = "skywatch";
/// How often it is looked for requests that hang.
const LOOK_EACH: Duration = Duration::from_millis(250);
/// Reports in one call: fewer than a server takes.
const BATCH: usize = 500;
/// Pauses before the plane is tried again: the first, and the longest. It is started again within a second or two.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// Tries in a row after which the log says that the plane is away: some three seconds, in which it is started.
const AWAY_FROM: u32 = 4;

/// The thread that reports. Dropping it sends what is there, if the plane takes it at once, and ends.
pub struct Reporter {
    _thread: StoppableThread,
}

impl Reporter {
    /// Begins to report as `observer` to the plane over a state folder, whenever there is one.
    ///
    /// # Errors
    /// The system refuses a thread or a runtime.
    pub fn start(reports: ObserverReports, state_dir: &Path, observer: String) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut sending = Sending {
            state_dir: state_dir.to_owned(),
            observer,
            connection: None,
            backoff: Backoff::new(PAUSES.0, PAUSES.1),
            try_at: Instant::now(),
            failures: 0,
        };
        let thread = StoppableThread::spawn("health-reports", move |stop| {
            while !stop.is_said() {
                reports.wait(LOOK_EACH);
                sending.send(&runtime, &reports);
            }
            sending.try_at = Instant::now();
            sending.send(&runtime, &reports);
        })?;
        Ok(Self { _thread: thread })
    }
}

/// The thread's own.
struct Sending {
    state_dir: PathBuf,
    observer: String,
    connection: Option<PlaneConnection>,
    backoff: Backoff,
    try_at: Instant,
    /// Tries in a row that failed.
    failures: u32,
}

/// A plane that knows us.
struct PlaneConnection {
    verdicts: VerdictsClient<Channel>,
    handle: u64,
    _plane: LocalPlane,
}

/// Why reports were not taken.
type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Sending {
    fn send(&mut self, runtime: &tokio::runtime::Runtime, reports: &ObserverReports) {
        if Instant::now() < self.try_at {
            return;
        }
        let mut left = reports.take();
        while !left.is_empty() {
            let rest = left.split_off(left.len().min(BATCH));
            if let Err(error) = runtime.block_on(self.hand_over(&left)) {
                left.extend(rest);
                reports.give_back(left);
                return self.failed(&*error);
            }
            left = rest;
        }
    }

    async fn hand_over(&mut self, reports: &[OwnReport]) -> Result<(), Failure> {
        if self.connection.is_none() {
            self.connection = Some(register(&self.state_dir, &self.observer).await?);
            self.backoff.reset();
            if std::mem::take(&mut self.failures) >= AWAY_FROM {
                tracing::info!("the health plane is there");
            }
        }
        let Some(connection) = &mut self.connection else {
            return Ok(());
        };
        let request = SubmitBatchRequest {
            handle: connection.handle,
            reports: reports
                .iter()
                .map(|report| message(&self.observer, report))
                .collect(),
        };
        let results = connection
            .verdicts
            .submit_batch(request)
            .await?
            .into_inner()
            .results;
        let accepted = i32::from(submit_report_reply::Status::Accepted);
        let refused: Vec<_> = results
            .iter()
            .filter(|result| result.status != accepted)
            .collect();
        if let Some(first) = refused.first() {
            // A plane that has lost its file knows us no longer: we are to register again.
            if first.reason == HealthRefusal::UnknownHandle.to_string() {
                return Err(first.reason.clone().into());
            }
            tracing::warn!(
                "the health plane refuses {} reports :: {}",
                refused.len(),
                first.reason
            );
        }
        Ok(())
    }

    fn failed(&mut self, error: &(dyn std::error::Error + Send + Sync)) {
        self.connection = None;
        self.try_at = Instant::now() + self.backoff.pause();
        self.failures += 1;
        if self.failures == AWAY_FROM {
            tracing::warn!("the health plane cannot be reached :: {error}");
        }
    }
}

async fn register(state_dir: &Path, observer: &str) -> Result<PlaneConnection, Failure> {
    let plane = LocalPlane::find(state_dir)?;
    let channel = plane.connect_to_ask().await?;
    let request = RegisterRequest {
        module: MODULE.to_owned(),
        observer: observer.to_owned(),
    };
    let reply = HealthServiceClient::new(channel.clone())
        .register(request)
        .await?;
    Ok(PlaneConnection {
        verdicts: VerdictsClient::new(channel),
        handle: reply.into_inner().handle,
        _plane: plane,
    })
}

fn message(observer: &str, report: &OwnReport) -> Report {
    let metrics = report.metrics.iter().map(|(name, status, score)| {
        let value = Value {
            status: *status as i32,
            score: *score,
        };
        let metric = Metric {
            name: name.to_string(),
            value: Some(value),
        };
        (name.to_string(), metric)
    });
    Report {
        observer: observer.to_owned(),
        subject: report.subject.to_string(),
        observation: Some(Observation {
            ts: Some(timestamp(report.at)),
            metrics: metrics.collect(),
        }),
    }
}
