//! What all listeners of the role share, and the way of spans from a request into assembly.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::assembler::Assembler;
use super::counters::{ListenerEvent, TraceCounters, TraceEvent};
use super::otlp::metrics::MetricBatch;
use super::otlp::quantiles::CumulativeHistograms;
use super::points::PointSink;
use super::refusal::{RequestRefusal, SpanRefusal};
use super::span::ReceivedSpan;
use crate::log::is_shown;
use crate::net::http::ConnectionEvents;
use crate::net::listeners::Service;

/// Cheap to clone: one for each listener, and for each request.
#[derive(Clone)]
pub(super) struct SpanIntake {
    /// The listener's own.
    pub(super) service: &'static Service,
    pub(super) open: OpenTraces,
    pub(super) counters: Arc<TraceCounters>,
    /// Where points go.
    pub(super) points: Arc<dyn PointSink>,
    /// Attributes of a resource that become tags of its metrics.
    pub(super) metric_labels: Arc<[String]>,
    /// What cumulative histograms last said. Locked for the points of one request.
    pub(super) histograms: Arc<Mutex<CumulativeHistograms>>,
    /// Taken by whoever has a request unpacked: it may be many times its size.
    pub(super) unpacking: Arc<Semaphore>,
    /// Largest request, bytes, also after it is unpacked.
    pub(super) max_request: usize,
}

/// The traces under way, and the clock they are timed by. Locked for the spans of one request, or for a look at what is due.
#[derive(Clone)]
pub(super) struct OpenTraces {
    assembler: Arc<Mutex<Assembler>>,
    begun: Instant,
}

impl OpenTraces {
    pub(super) fn new(assembler: Assembler) -> Self {
        Self {
            assembler: Arc::new(Mutex::new(assembler)),
            begun: Instant::now(),
        }
    }

    /// The assembler, and the time by its clock.
    pub(super) fn lock(&self) -> (MutexGuard<'_, Assembler>, Duration) {
        let assembler = self.assembler.lock().unwrap_or_else(PoisonError::into_inner);
        (assembler, self.begun.elapsed())
    }
}

/// The spans of one request.
#[derive(Debug, Default)]
pub(super) struct SpanBatch {
    spans: Vec<ReceivedSpan>,
    refused: [u64; SpanRefusal::ALL.len()],
}

impl SpanBatch {
    /// Adds a span, or notes why there is none.
    pub(super) fn add(&mut self, span: Result<ReceivedSpan, SpanRefusal>) {
        match span.and_then(ReceivedSpan::checked) {
            Ok(span) => self.spans.push(span),
            Err(reason) => self.refused[reason as usize] += 1,
        }
    }

    /// The spans that can be taken, and how many were refused by reason.
    pub(super) fn into_parts(self) -> (Vec<ReceivedSpan>, Vec<(&'static str, u64)>) {
        (self.spans, some(&self.refused))
    }
}

fn some(refused: &[u64; SpanRefusal::ALL.len()]) -> Vec<(&'static str, u64)> {
    let each = SpanRefusal::ALL
        .iter()
        .map(|reason| (reason.name(), refused[*reason as usize]));
    each.filter(|(_, n)| *n > 0).collect()
}

/// What became of the spans, or points, of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RequestOutcome {
    /// How many were not taken.
    pub(super) rejected: u64,
    /// Why, for people; empty if all were taken.
    pub(super) why: String,
}

impl SpanIntake {
    /// Whether there is room for a request.
    pub(super) fn has_room(&self) -> bool {
        self.open.lock().0.has_room()
    }

    /// Takes the spans of a request, whole; to be asked only after [`has_room`](Self::has_room).
    pub(super) fn take(&self, batch: SpanBatch, peer: Option<SocketAddr>) -> RequestOutcome {
        let SpanBatch { spans, mut refused } = batch;
        let mut taken = 0;
        {
            let (mut assembler, now) = self.open.lock();
            for span in spans {
                match assembler.add(span, now) {
                    Ok(()) => taken += 1,
                    Err(reason) => refused[reason as usize] += 1,
                }
            }
        }
        self.counters.taken(self.service, taken);
        for reason in SpanRefusal::ALL {
            let spans = refused[reason as usize];
            let before = self.counters.refused(self.service, reason, spans);
            if is_shown(before, spans) {
                let from = peer.map_or(String::new(), |peer| format!(", from {peer}"));
                tracing::warn!(
                    "{} :: span dropped, {} ({} so far){from}",
                    self.service.name,
                    reason.name(),
                    before + spans,
                );
            }
        }
        let reasons = some(&refused)
            .into_iter()
            .map(|(reason, n)| format!("{n} {reason}"));
        RequestOutcome {
            rejected: refused.iter().sum(),
            why: reasons.collect::<Vec<_>>().join(", "),
        }
    }

    /// Takes the points that `read` finds in a request; `None` if there is no room for them.
    pub(super) fn take_points(&self, read: impl FnOnce(&mut MetricBatch<'_>)) -> Option<RequestOutcome> {
        let mut histograms = self.histograms.lock().unwrap_or_else(PoisonError::into_inner);
        let mut batch = MetricBatch::new(&mut histograms, &self.metric_labels);
        read(&mut batch);
        let dropped = self.points.take(&batch.points)?;
        self.counters.count(TraceEvent::MalformedPoint, batch.malformed);
        self.counters
            .count(TraceEvent::UnsupportedPoint, batch.unsupported);
        let reasons = [
            (batch.malformed, "malformed"),
            (batch.unsupported, "of exponential histograms"),
            (dropped, "too old, too far ahead or otherwise not let in"),
        ];
        let reasons = reasons.iter().filter(|(n, _)| *n > 0);
        Some(RequestOutcome {
            rejected: batch.malformed + batch.unsupported + dropped,
            why: reasons
                .map(|(n, why)| format!("{n} {why}"))
                .collect::<Vec<_>>()
                .join(", "),
        })
    }

    /// Counts a request that is refused as a whole, and shows some of it.
    pub(super) fn refuse(&self, reason: RequestRefusal, peer: Option<SocketAddr>, why: &str) {
        let before = self.counters.refused_request(self.service, reason);
        if is_shown(before, 1) {
            let from = peer.map_or(String::new(), |peer| format!(", from {peer}"));
            tracing::warn!(
                "{} :: request refused, {} ({} so far){from} :: {why:?}",
                self.service.name,
                reason.name(),
                before + 1,
            );
        }
    }
}

impl ConnectionEvents for SpanIntake {
    fn admitted(&self, instead: bool) {
        self.counters.listener(self.service, ListenerEvent::Connection);
        if instead {
            let before = self
                .counters
                .listener(self.service, ListenerEvent::ConnectionEvicted);
            if is_shown(before, 1) {
                tracing::warn!(
                    "{} :: the idlest connection closed for another one, `traces.max_connections` are open ({} so far)",
                    self.service.name,
                    before + 1
                );
            }
        }
    }

    fn refused(&self, peer: SocketAddr) {
        let before = self
            .counters
            .listener(self.service, ListenerEvent::ConnectionRefused);
        if is_shown(before, 1) {
            tracing::warn!(
                "{} :: connection of {peer} refused, `traces.max_connections` are open and at work ({} so far)",
                self.service.name,
                before + 1
            );
        }
    }

    fn failed(&self, error: &std::io::Error) {
        let before = self.counters.listener(self.service, ListenerEvent::AcceptFailed);
        if is_shown(before, 1) {
            tracing::warn!(
                "{} :: cannot accept a connection ({} times so far) :: {error}",
                self.service.name,
                before + 1
            );
        }
    }
}
