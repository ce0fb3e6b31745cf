//! The role that sends: a thread for each sink, one that reads metadata, and the account of it all.

use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::delivery::EventDelivery;
use super::error::EventsError;
use super::kafka::{KafkaOptions, KafkaSink, MetadataReader};
use super::outbox::{EventOutbox, OutboxOptions};
use super::sinks::{EventSink, FileSink, FileSinkOptions, StdoutSink, WebhookSink, WebhookSinkOptions};
use crate::clock::unix_now;
use crate::net::carbon_out::CarbonOut;
use crate::observer::Observer;
use crate::status::{EventsStatus, StatusFile};
use crate::stop::{Stop, StopOnDrop};

/// How often what is counted is told to others, and each how many of these times to Graphite and the log.
const REPORT_EACH: Duration = Duration::from_secs(1);
const REPORTS_A_LINE: u32 = 60;
/// How often it is looked for what is too old or too much.
const PRUNE_EACH_REPORTS: u32 = 10;

/// Longest wait for the sinks at the end: a second more than they still send for, and within the usual `process.stop_timeout`.
const LAST_WAIT: Duration = Duration::from_secs(4);

/// Where events go.
#[derive(Debug, Clone, Default)]
pub struct SinkOptions {
    /// A Kafka.
    pub kafka: Option<KafkaOptions>,
    /// A webhook.
    pub webhook: Option<WebhookSinkOptions>,
    /// A file.
    pub file: Option<FileSinkOptions>,
    /// Standard output.
    pub stdout: Option<StdoutOptions>,
}

/// How standard output is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StdoutOptions {
    /// Whether this process is a child whose parent reads it.
    pub is_child: bool,
}

/// What a thread does until stop is said.
type SendingWork = Box<dyn FnOnce(&Stop) + Send>;

/// What sends, with nothing started yet.
pub struct EventSender {
    status: StatusFile,
    outbox: EventOutbox,
    limits: OutboxOptions,
    deliveries: Vec<EventDelivery>,
    metadata: Option<MetadataReader>,
}

impl SinkOptions {
    /// Reads the certificates they name.
    ///
    /// # Errors
    /// One that cannot be used.
    pub fn check(&self) -> Result<(), EventsError> {
        self.open().map(drop)
    }

    /// The sinks; nothing is connected yet.
    ///
    /// # Errors
    /// Certificates that cannot be used, a runtime the system refuses.
    pub(super) fn open(&self) -> Result<Vec<Box<dyn EventSink>>, EventsError> {
        let mut sinks: Vec<Box<dyn EventSink>> = Vec::new();
        if let Some(options) = &self.kafka {
            sinks.push(Box::new(KafkaSink::new(options)?));
        }
        if let Some(options) = &self.webhook {
            sinks.push(Box::new(WebhookSink::new(options.clone())?));
        }
        if let Some(options) = &self.file {
            sinks.push(Box::new(FileSink::new(options.clone())));
        }
        if let Some(StdoutOptions { is_child }) = self.stdout {
            sinks.push(Box::new(StdoutSink { is_child }));
        }
        Ok(sinks)
    }
}

impl EventSender {
    /// Over the outbox in `state_dir`; how each sink does is told to `observer`.
    ///
    /// # Errors
    /// What [`SinkOptions`] refuse, and an outbox that cannot be used.
    pub fn new(
        state_dir: &Path,
        limits: OutboxOptions,
        sinks: &SinkOptions,
        observer: &Observer,
    ) -> Result<Self, EventsError> {
        let mut outbox = EventOutbox::open(state_dir)?;
        let opened = sinks.open()?;
        let names: Vec<_> = opened.iter().map(|sink| sink.name()).collect();
        outbox.set_sinks(&names).map_err(|error| EventsError::Outbox {
            path: outbox.path().to_owned(),
            reason: error.to_string(),
        })?;
        let deliveries = opened.into_iter().map(|sink| {
            tracing::info!("events go to {}", sink.place());
            let observed = observer.metric(&sink.place(), "send");
            Ok(EventDelivery::new(sink, EventOutbox::open(state_dir)?, observed))
        });
        let deliveries = deliveries.collect::<Result<_, EventsError>>()?;
        let kafka = sinks.kafka.as_ref();
        let metadata = kafka.and_then(|kafka| {
            let topic = kafka.metadata_topic.as_deref()?;
            let observed = observer.metric(&kafka.place(), "fetch");
            Some(MetadataReader::new(kafka, topic, state_dir, observed))
        });
        Ok(Self {
            status: StatusFile::events(state_dir),
            outbox,
            limits,
            deliveries,
            metadata: metadata.transpose()?,
        })
    }

    /// Sends until stop is said, then for some seconds what waits. What is counted goes to the status file and, with the
    /// prefix beside it, to Graphite.
    ///
    /// # Errors
    /// [`EventsError::Start`] if the system refuses a thread.
    pub fn run(mut self, graphite: Option<(&CarbonOut, &str)>, stop: &Stop) -> Result<(), EventsError> {
        let mut works: Vec<(String, SendingWork)> = Vec::new();
        for delivery in std::mem::take(&mut self.deliveries) {
            let name = format!("events-{}", delivery.sink_name());
            works.push((name, Box::new(move |stop| delivery.run(stop))));
        }
        if let Some(metadata) = self.metadata.take() {
            let name = "events-metadata".to_owned();
            works.push((name, Box::new(move |stop| metadata.run(stop))));
        }
        let mut threads = Vec::new();
        for (name, work) in works {
            // By a panic, too: the role is started again then.
            let stop = StopOnDrop(stop.clone());
            let thread = std::thread::Builder::new().name(name);
            let thread = thread
                .spawn(move || work(&stop.0))
                .map_err(|source| EventsError::Start {
                    what: "a thread that sends events",
                    source,
                })?;
            threads.push(thread);
        }
        self.report_each_second(graphite, stop);
        wait_for(&threads);
        self.write(&self.figures());
        Ok(())
    }

    fn report_each_second(&mut self, graphite: Option<(&CarbonOut, &str)>, stop: &Stop) {
        let mut reports = 0u32;
        while !stop.sleep(REPORT_EACH) {
            reports += 1;
            if reports.is_multiple_of(PRUNE_EACH_REPORTS) {
                self.prune();
            }
            let figures = self.figures();
            self.write(&figures);
            if let Some((graphite, prefix)) = graphite.filter(|_| reports.is_multiple_of(REPORTS_A_LINE)) {
                graphite.push_counts(prefix, &figures);
            }
        }
    }

    fn prune(&mut self) {
        match self.outbox.prune(&self.limits, unix_now()) {
            Ok(0) => {}
            Ok(dropped) => tracing::error!(
                "{dropped} events dropped :: they waited longer than `events.keep`, or there were more than `events.max_bytes`"
            ),
            Err(error) => tracing::warn!("the outbox of events cannot be pruned :: {error}"),
        }
    }

    fn figures(&self) -> Vec<(String, u64)> {
        self.outbox.figures(unix_now()).unwrap_or_else(|error| {
            tracing::warn!("the outbox of events cannot be read :: {error}");
            Vec::new()
        })
    }

    fn write(&self, figures: &[(String, u64)]) {
        self.status.write(&EventsStatus {
            at: unix_now(),
            counters: figures.to_vec(),
        });
    }
}

/// Waits until all have ended. One that hangs in a request is left behind: its messages are in the outbox.
fn wait_for(threads: &[JoinHandle<()>]) {
    let ends = Instant::now() + LAST_WAIT;
    while threads.iter().any(|thread| !thread.is_finished()) && Instant::now() < ends {
        std::thread::sleep(Duration::from_millis(10));
    }
}
