//! The service at work: its listener, its runtime, the thread that looks for models, and the order in which all that ends.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use skywatch_settings::{Consul, Druid as DruidSettings, Outliers};
use tokio::sync::Semaphore;

use super::OutliersError;
use super::consul::ConsulRegistration;
use super::counters::OutlierCounters;
use super::routes::{self, OutlierService};
use super::sensor_models::SensorModels;
use super::source::OutlierSources;
use crate::clock::unix_now;
use crate::log;
use crate::models::ModelRegistry;
use crate::net::TimeLimits;
use crate::net::access::ListenerAccess;
use crate::net::carbon_out::CarbonOut;
use crate::net::http::{self, ConnectionLog, HttpListener};
use crate::net::listeners::Service;
use crate::net::routes::{ListenerRules, compose};
use crate::net::slots::{self, ConnectionSlots};
use crate::sources::druid::Druid;
use crate::status::{OutliersStatus, StatusFile};
use crate::stop::Stop;
use crate::store::AnyConnect;
use crate::windows::Windows;

/// The setting that bounds how many connections are open.
const CONNECTIONS: &str = "outliers.max_connections";
/// Their part of the descriptors that may be connections.
const CONNECTIONS_SHARE: f64 = 0.25;
/// A request may be large and its answer may wait for Druid, which has its own limits.
const TIME_LIMITS: TimeLimits = TimeLimits {
    silence: Duration::from_secs(300),
    request: Duration::from_secs(300),
    reading_is_work: true,
};
/// How long requests under way may take after stop.
const LAST_REQUESTS: Duration = Duration::from_millis(1_500);
/// Threads that read and write requests; judging has its own.
const WORKERS: usize = 2;
/// Time between two status reports.
const REPORT_EACH: Duration = Duration::from_secs(1);
/// Reports between two log lines and two pushes to Graphite.
const REPORTS_A_LINE: u32 = 60;

/// What the service is made of.
pub struct OutlierOptions {
    /// How it answers.
    pub settings: Outliers,
    /// The Druid that is asked.
    pub druid: DruidSettings,
    /// Where it registers itself.
    pub consul: Consul,
    /// Who may ask.
    pub access: ListenerAccess,
    /// Where models are.
    pub registry: ModelRegistry,
    /// How often it is looked whether another version should serve.
    pub refresh: Duration,
    /// The store and the length of its windows, seconds, where it is a data source.
    pub store: Option<(AnyConnect, f64)>,
}

/// Bound but not yet serving.
pub struct OutlierServer {
    listener: std::net::TcpListener,
    address: SocketAddr,
    access: ListenerAccess,
    refresh: Duration,
    consul: Option<ConsulRegistration>,
    service: Arc<OutlierService>,
}

impl OutlierServer {
    /// Binds the address.
    ///
    /// # Errors
    /// [`OutliersError::Listen`], and [`OutliersError::Source`] for an address of Druid that cannot be used.
    pub fn bind(options: OutlierOptions) -> Result<Self, OutliersError> {
        let settings = options.settings;
        let listener = Service::OUTLIERS.bind_tcp(settings.listen)?;
        let address = listener.local_addr().map_err(OutliersError::Start)?;
        let store = options.store.map(|(store, window)| Windows::new(store, window));
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let service = OutlierService {
            sources: OutlierSources::new(&settings, Druid::new(&options.druid)?, store),
            models: SensorModels::new(options.registry),
            counters: OutlierCounters::default(),
            judging: Arc::new(Semaphore::new(cores)),
            fetching: Arc::new(Semaphore::new(options.druid.concurrency)),
            settings,
        };
        Ok(Self {
            listener,
            address,
            consul: ConsulRegistration::new(&options.consul, address, options.access.tls.is_some())?,
            access: options.access,
            refresh: options.refresh,
            service: Arc::new(service),
        })
    }

    /// Where it listens, with the port the system chose where the asked one was 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it asks, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        let sources = &self.service.sources;
        let druid = sources
            .druid
            .as_ref()
            .map(|druid| format!("Druid at {}", druid.place()));
        let store = sources.store.as_ref().map(|_| "the store".to_owned());
        let files = sources.csv_folder.as_ref();
        let files = files.map(|folder| format!("files in {}", folder.display()));
        let all: Vec<String> = druid.into_iter().chain(store).chain(files).collect();
        match all.is_empty() {
            true => "nothing; rows come with requests".to_owned(),
            false => all.join(", "),
        }
    }

    /// Serves until `stop` is said. What is counted goes to the status file in `state_dir` and, under a prefix, to Graphite.
    ///
    /// # Errors
    /// [`OutliersError::Start`].
    pub fn run(
        self,
        state_dir: &Path,
        graphite: Option<(&CarbonOut, &str)>,
        stop: &Stop,
    ) -> Result<(), OutliersError> {
        let service = &self.service;
        // Before the first request: a sensor that has a model is not to be judged without it after a restart.
        refresh(service);
        let threads = service.judging.available_permits() + service.fetching.available_permits();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .max_blocking_threads(threads)
            .thread_name("outliers-net")
            .enable_all()
            .build()
            .map_err(OutliersError::Start)?;
        self.access
            .warn_if_readable("outliers", self.address, "outliers.");
        let rules = ListenerRules {
            hosts: None,
            tokens: self.access.tokens,
            max_body: service.settings.max_request_bytes,
            // Questions wait for a permit, and are refused when too many do.
            throttle: None,
        };
        let app = compose(routes::routes(service), rules);
        let (closing, mut closed) = tokio::sync::watch::channel(());
        let serving = {
            let _context = runtime.enter();
            let most = slots::affordable(service.settings.max_connections, CONNECTIONS_SHARE, CONNECTIONS);
            let clients = HttpListener {
                listener: tokio::net::TcpListener::from_std(self.listener).map_err(OutliersError::Start)?,
                tls: self.access.tls,
                slots: ConnectionSlots::new(most),
                limits: TIME_LIMITS,
                events: ConnectionLog {
                    name: "outliers",
                    setting: CONNECTIONS,
                },
            };
            let over = async move { while closed.changed().await.is_ok() {} };
            runtime.spawn(http::serve(clients, app, over, LAST_REQUESTS))
        };
        let over = Stop::new();
        let outcome = std::thread::scope(|scope| {
            let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
            let (own, pause) = (over.clone(), self.refresh);
            let mut started = thread("outliers-models").spawn_scoped(scope, move || {
                while !own.sleep(pause) {
                    refresh(service);
                }
            });
            if let Some(consul) = &self.consul
                && started.is_ok()
            {
                // Taken out before the last requests are answered: no new ones are sent here then.
                started = thread("outliers-consul").spawn_scoped(scope, || consul.keep(stop));
            }
            let report = OutlierReport {
                file: StatusFile::outliers(state_dir),
                counters: &service.counters,
                graphite,
            };
            match &started {
                Ok(_) => report.each_second(stop),
                // Whoever has started must not be waited for.
                Err(_) => stop.say(),
            }
            drop(closing);
            over.say();
            // A panic there is a defect of ours and has been logged by the panic hook.
            let _ = runtime.block_on(serving);
            report.write();
            report.push();
            started.map(drop).map_err(OutliersError::Start)
        });
        runtime.shutdown_background();
        outcome
    }
}

fn refresh(service: &OutlierService) {
    if let Err(error) = service.models.refresh() {
        tracing::warn!("outliers :: {error} :: models that serve go on");
    }
}

/// Tells others what is counted: the status file each second, the log once a minute.
struct OutlierReport<'r> {
    file: StatusFile,
    counters: &'r OutlierCounters,
    graphite: Option<(&'r CarbonOut, &'r str)>,
}

impl OutlierReport<'_> {
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

    fn write(&self) {
        self.file.write(&OutliersStatus {
            at: unix_now(),
            counters: self.counters.snapshot(),
        });
    }

    fn push(&self) {
        let snapshot = self.counters.snapshot();
        if let Some(told) = log::counted(&snapshot) {
            tracing::info!("outliers :: {told}");
        }
        if let Some((graphite, prefix)) = self.graphite {
            graphite.push_counts(prefix, &snapshot);
        }
    }
}
