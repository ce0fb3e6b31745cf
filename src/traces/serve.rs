//! The role at work: listeners that are bound, their runtime, the thread behind them, and the order in which all that ends.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::archive::TraceArchive;
use super::assembler::Assembler;
use super::closing::TraceCloser;
use super::counters::TraceCounters;
use super::intake::{OpenTraces, SpanIntake};
use super::operation_counts::OperationCounts;
use super::otlp::grpc;
use super::points::PointSink;
use super::rates::ServiceRates;
use super::reporting::TraceReporter;
#[cfg(feature = "learned")]
use super::teaching::{self, TeachingPlace};
use super::watch::{RequestKinds, Teacher, TraceWatch};
use super::{TracesError, TracesOptions, http};
use crate::clock::unix_now;
use crate::log;
use crate::net::TimeLimits;
use crate::net::carbon_out::CarbonOut;
use crate::net::http::HttpListener;
use crate::net::listeners::{Bound, BoundSocket, Service};
use crate::net::login::{self, Tokens};
use crate::net::routes::{ListenerRules, compose};
use crate::net::slots::{self, ConnectionSlots};
use crate::status::{StatusFile, TracesStatus};
use crate::stop::Stop;

/// The setting that bounds how many connections are open.
const CONNECTIONS: &str = "traces.max_connections";
/// Their part of the descriptors that may be connections.
const CONNECTIONS_SHARE: f64 = 0.25;
/// Exporters keep a connection open between requests, and send some seconds apart.
const TIME_LIMITS: TimeLimits = TimeLimits {
    silence: Duration::from_secs(900),
    request: Duration::from_secs(900),
    reading_is_work: true,
};
/// How long requests under way may take after stop.
const LAST_REQUESTS: Duration = Duration::from_millis(800);
/// Threads that read requests.
const WORKERS: usize = 2;
/// Requests that may be unpacked at the same time: each may take many times its size.
const UNPACKING: usize = 4;
/// Time between two status reports.
const REPORT_EACH: Duration = Duration::from_secs(1);
/// Reports between two log lines and two pushes to Graphite.
const REPORTS_A_LINE: u32 = 60;

/// Bound but not yet serving.
pub struct TraceServer {
    options: TracesOptions,
    bound: Vec<Bound>,
    #[cfg(feature = "learned")]
    teaching: Option<TeachingPlace>,
}

impl TraceServer {
    /// Binds all listeners.
    ///
    /// # Errors
    /// [`TracesError::Listen`].
    pub fn bind(options: TracesOptions) -> Result<Self, TracesError> {
        let bound = options.listeners.iter().map(|listener| listener.bind());
        Ok(Self {
            bound: bound.collect::<Result<_, _>>()?,
            options,
            #[cfg(feature = "learned")]
            teaching: None,
        })
    }

    /// The same with a trainer that fits detectors to the traces that come.
    #[cfg(feature = "learned")]
    #[must_use]
    pub fn with_teaching(self, place: TeachingPlace) -> Self {
        Self {
            teaching: Some(place),
            ..self
        }
    }

    /// The end of the watch, where there is a trainer; the other end has a thread of its own, which ends after it.
    #[cfg(feature = "learned")]
    fn teacher(&mut self) -> Result<Option<Teacher>, TracesError> {
        let Some(place) = self.teaching.take() else {
            return Ok(None);
        };
        let (teacher, end) = Teacher::pair();
        std::thread::Builder::new()
            .name("traces-teach".to_owned())
            .spawn(move || teaching::run(&place, &end))
            .map_err(TracesError::Start)?;
        Ok(Some(teacher))
    }

    #[cfg(not(feature = "learned"))]
    #[expect(
        clippy::unnecessary_wraps,
        clippy::unused_self,
        reason = "as where models are learned"
    )]
    fn teacher(&mut self) -> Result<Option<Teacher>, TracesError> {
        Ok(None)
    }

    /// What is listened on, with the ports the system chose where the asked one was 0.
    pub fn addresses(&self) -> impl Iterator<Item = (&'static Service, SocketAddr)> {
        self.bound.iter().map(|bound| (bound.service, bound.address))
    }

    /// Serves until `stop` is said and everything that was taken has been looked at. Points go to `points`, what is found
    /// to `reporter`, what is counted to the status file and, under a prefix, to Graphite.
    ///
    /// # Errors
    /// [`TracesError::Archive`] and [`TracesError::Start`].
    pub fn run(
        mut self,
        points: Arc<dyn PointSink>,
        reporter: TraceReporter,
        state_dir: &Path,
        graphite: Option<(&CarbonOut, &str)>,
        stop: &Stop,
    ) -> Result<(), TracesError> {
        let teacher = self.teacher()?;
        let settings = &self.options.settings;
        let counters = Arc::<TraceCounters>::default();
        let open = OpenTraces::new(Assembler::new(settings.clone()));
        let closer = TraceCloser {
            open: open.clone(),
            counters: Arc::clone(&counters),
            archive: TraceArchive::open(&self.options.archive, settings)?,
            settings: settings.clone(),
            rates: ServiceRates::new(settings.max_services, settings.max_edges, unix_now()),
            operations: OperationCounts::open(
                self.options.operations.clone(),
                settings.max_services,
                settings.max_operations,
                unix_now(),
            ),
            points: Arc::clone(&points),
            watch: TraceWatch::open(self.options.learnt.clone(), teacher, unix_now()),
            kinds: RequestKinds::default(),
            reporter,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("traces-net")
            .enable_all()
            .build()
            .map_err(TracesError::Start)?;
        let intake = SpanIntake {
            // Each listener gets its own.
            service: Service::OTLP_HTTP,
            open,
            counters: Arc::clone(&counters),
            points: Arc::clone(&points),
            metric_labels: settings.metric_labels.clone().into(),
            histograms: Arc::default(),
            unpacking: Arc::new(Semaphore::new(UNPACKING)),
            max_request: settings.max_request_bytes,
        };
        let (closing, closed) = tokio::sync::watch::channel(());
        let mut serving = JoinSet::new();
        {
            let _context = runtime.enter();
            let most = slots::affordable(settings.max_connections, CONNECTIONS_SHARE, CONNECTIONS);
            let slots = ConnectionSlots::new(most);
            for bound in self.bound {
                let BoundSocket::Tcp(socket) = bound.socket else {
                    continue;
                };
                let service = bound.service;
                let intake = SpanIntake {
                    service,
                    ..intake.clone()
                };
                let access = self.options.access.clone();
                access.warn_if_readable(service.name, bound.address, "traces.");
                let app = app(&intake, access.tokens);
                let clients = HttpListener {
                    listener: tokio::net::TcpListener::from_std(socket).map_err(TracesError::Start)?,
                    tls: access.tls,
                    slots: Arc::clone(&slots),
                    limits: TIME_LIMITS,
                    events: intake,
                };
                let mut closed = closed.clone();
                let over = async move { while closed.changed().await.is_ok() {} };
                serving.spawn(crate::net::http::serve(clients, app, over, LAST_REQUESTS));
            }
        }
        drop(closed);
        // What is open is closed once nobody adds to it.
        let listeners_over = Stop::new();
        let own_stop = listeners_over.clone();
        let closer = std::thread::Builder::new()
            .name("traces-close".to_owned())
            .spawn(move || closer.run(&own_stop))
            .map_err(TracesError::Start)?;
        let report = StatusReport {
            file: StatusFile::traces(state_dir),
            counters: &counters,
            intake: &intake,
            graphite,
        };
        report.each_second(stop);
        drop(closing);
        // A panic there is a defect of ours and has been logged by the panic hook.
        runtime.block_on(async { while serving.join_next().await.is_some() {} });
        runtime.shutdown_background();
        listeners_over.say();
        let _ = closer.join();
        report.write();
        report.push();
        Ok(())
    }
}

/// All that a listener serves, under its rules.
fn app(intake: &SpanIntake, tokens: Option<Tokens>) -> Router {
    if intake.service == Service::OTLP_GRPC {
        let app = grpc::routes(intake);
        return match tokens {
            Some(tokens) => login::require(tokens, app),
            None => app,
        };
    }
    let rules = ListenerRules {
        hosts: None,
        tokens,
        throttle: None,
        max_body: intake.max_request,
    };
    if intake.service == Service::ZIPKIN {
        compose(http::zipkin_routes(intake), rules)
    } else {
        compose(http::otlp_routes(intake), rules)
    }
}

/// Tells others what is counted: the status file each second, the log once a minute.
struct StatusReport<'r> {
    file: StatusFile,
    counters: &'r TraceCounters,
    intake: &'r SpanIntake,
    graphite: Option<(&'r CarbonOut, &'r str)>,
}

impl StatusReport<'_> {
    fn each_second(&self, stop: &Stop) {
        let mut reports = 0u32;
        while !stop.sleep(REPORT_EACH) {
            reports += 1;
            self.write();
            if reports.is_multiple_of(REPORTS_A_LINE) {
                self.push();
            }
        }
    }

    fn push(&self) {
        let snapshot = self.snapshot();
        let told = log::counted(&snapshot);
        tracing::info!("traces :: {}", told.as_deref().unwrap_or("nothing yet"));
        if let Some((graphite, prefix)) = self.graphite {
            graphite.push_counts(prefix, &snapshot);
        }
    }

    fn write(&self) {
        self.file.write(&TracesStatus {
            at: unix_now(),
            counters: self.snapshot(),
        });
    }

    fn snapshot(&self) -> Vec<(String, u64)> {
        let mut all = self.counters.snapshot();
        let (open, bytes) = self.intake.open.lock().0.held();
        all.push(("open".to_owned(), open as u64));
        all.push(("open_bytes".to_owned(), bytes as u64));
        let points = self.intake.points.counters().into_iter();
        all.extend(points.map(|(name, n)| (format!("points.{name}"), n)));
        all
    }
}
