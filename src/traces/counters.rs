//! What the role counts: by listener what came, and what became of traces. Every span that was received ends as taken or as
//! refused with a reason; every complete trace as judged or not judged with a reason.

use std::sync::atomic::{AtomicU64, Ordering};

use super::refusal::{RequestRefusal, SpanRefusal};
use crate::net::listeners::Service;

/// The listeners of the role.
pub(super) const LISTENERS: [&Service; 3] = [Service::OTLP_GRPC, Service::OTLP_HTTP, Service::ZIPKIN];

/// Counters since start. Relaxed: they are read for people, and nothing hangs on their order.
#[derive(Debug, Default)]
pub(super) struct TraceCounters {
    listeners: [SpanTally; LISTENERS.len()],
    /// By what happened.
    traces: [AtomicU64; TraceEvent::ALL.len()],
}

/// What is counted of one listener.
#[derive(Debug, Default)]
struct SpanTally {
    requests: AtomicU64,
    received: AtomicU64,
    taken: AtomicU64,
    spans: [AtomicU64; SpanRefusal::ALL.len()],
    refused: [AtomicU64; RequestRefusal::ALL.len()],
    connections: AtomicU64,
    connections_refused: AtomicU64,
    connections_evicted: AtomicU64,
    accepts_failed: AtomicU64,
}

/// What happens to traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum TraceEvent {
    /// It was judged, and is as others were.
    Normal,
    /// It was judged, and is not.
    Anomalous,
    /// Nobody could judge it: too little is known of its kind, or spans are missing.
    Unjudged,
    /// All its spans are there, as far as is known.
    Completed,
    /// It was closed while spans might still come, or spans of it were dropped.
    Partial,
    /// One of its spans came once more.
    DuplicateSpan,
    /// A parent is missing.
    OrphanSpan,
    /// Spans are each other's ancestors.
    SpanLoop,
    /// It was written to the disk.
    Kept,
    /// The disk did not take it.
    NotKept,
    /// A point, or a metric with all of its own, that cannot be read.
    MalformedPoint,
    /// A point of an exponential histogram.
    UnsupportedPoint,
    /// A request or call of services for whose rates there is no room.
    UncountedCall,
    /// A span of a service for whose operations there is no room.
    UncountedSpan,
    /// It is too long ago to be counted in rates.
    OldTrace,
    /// A point of a rate that the store did not take until the next was made.
    LostRatePoint,
}

impl TraceEvent {
    const ALL: [Self; 16] = [
        Self::Normal,
        Self::Anomalous,
        Self::Unjudged,
        Self::Completed,
        Self::Partial,
        Self::DuplicateSpan,
        Self::OrphanSpan,
        Self::SpanLoop,
        Self::Kept,
        Self::NotKept,
        Self::MalformedPoint,
        Self::UnsupportedPoint,
        Self::UncountedCall,
        Self::UncountedSpan,
        Self::OldTrace,
        Self::LostRatePoint,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Anomalous => "anomalous",
            Self::Unjudged => "unjudged",
            Self::Completed => "completed",
            Self::Partial => "partial",
            Self::DuplicateSpan => "duplicate_spans",
            Self::OrphanSpan => "orphan_spans",
            Self::SpanLoop => "span_loops",
            Self::Kept => "kept",
            Self::NotKept => "not_kept",
            Self::MalformedPoint => "malformed_points",
            Self::UnsupportedPoint => "unsupported_points",
            Self::UncountedCall => "uncounted_calls",
            Self::UncountedSpan => "uncounted_spans",
            Self::OldTrace => "old",
            Self::LostRatePoint => "lost_rate_points",
        }
    }
}

/// What happens at a listener beyond spans.
#[derive(Debug, Clone, Copy)]
pub(super) enum ListenerEvent {
    /// A request came.
    Request,
    /// A connection came.
    Connection,
    /// A connection was turned away.
    ConnectionRefused,
    /// A connection was closed for the sake of another one.
    ConnectionEvicted,
    /// A connection could not be accepted.
    AcceptFailed,
}

impl TraceCounters {
    fn of(&self, service: &Service) -> &SpanTally {
        let place = LISTENERS.iter().position(|listener| *listener == service);
        &self.listeners[place.expect("only listeners of this role count here")]
    }

    /// Spans were taken.
    pub(super) fn taken(&self, service: &Service, spans: u64) {
        let tally = self.of(service);
        tally.received.fetch_add(spans, Ordering::Relaxed);
        tally.taken.fetch_add(spans, Ordering::Relaxed);
    }

    /// Spans were not taken. Answers how many were refused for that reason before.
    pub(super) fn refused(&self, service: &Service, reason: SpanRefusal, spans: u64) -> u64 {
        let tally = self.of(service);
        tally.received.fetch_add(spans, Ordering::Relaxed);
        tally.spans[reason as usize].fetch_add(spans, Ordering::Relaxed)
    }

    /// A request as a whole was not taken. Answers how many were refused for that reason before.
    pub(super) fn refused_request(&self, service: &Service, reason: RequestRefusal) -> u64 {
        self.of(service).refused[reason as usize].fetch_add(1, Ordering::Relaxed)
    }

    /// Something happened at a listener. Answers how often it has before.
    pub(super) fn listener(&self, service: &Service, event: ListenerEvent) -> u64 {
        let tally = self.of(service);
        let counter = match event {
            ListenerEvent::Request => &tally.requests,
            ListenerEvent::Connection => &tally.connections,
            ListenerEvent::ConnectionRefused => &tally.connections_refused,
            ListenerEvent::ConnectionEvicted => &tally.connections_evicted,
            ListenerEvent::AcceptFailed => &tally.accepts_failed,
        };
        counter.fetch_add(1, Ordering::Relaxed)
    }

    /// Something happened to traces or their spans, so many times.
    pub(super) fn count(&self, event: TraceEvent, times: u64) {
        self.traces[event as usize].fetch_add(times, Ordering::Relaxed);
    }

    /// Name and value of every counter, in a stable order: of refusals of spans the sum over all listeners first, then what
    /// became of traces, then under `listener.NAME.` what each has counted, of refusals only those that happened.
    pub(super) fn snapshot(&self) -> Vec<(String, u64)> {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let sum = |of: fn(&SpanTally) -> &AtomicU64| self.listeners.iter().map(|tally| read(of(tally))).sum();
        let mut all = vec![
            ("spans.received".to_owned(), sum(|tally| &tally.received)),
            ("spans.taken".to_owned(), sum(|tally| &tally.taken)),
        ];
        for reason in SpanRefusal::ALL {
            let dropped = self
                .listeners
                .iter()
                .map(|tally| read(&tally.spans[reason as usize]));
            all.push((format!("spans.dropped.{}", reason.name()), dropped.sum()));
        }
        for event in TraceEvent::ALL {
            all.push((event.name().to_owned(), read(&self.traces[event as usize])));
        }
        for (service, tally) in LISTENERS.iter().zip(&self.listeners) {
            tally.push(service.name, &mut all);
        }
        all
    }
}

/// The name of every counter there can be.
#[cfg(test)]
pub(crate) fn every_counter() -> Vec<String> {
    let counters = TraceCounters::default();
    for service in LISTENERS {
        for reason in SpanRefusal::ALL {
            counters.refused(service, reason, 1);
        }
        for reason in RequestRefusal::ALL {
            counters.refused_request(service, reason);
        }
    }
    let names = counters.snapshot().into_iter().map(|(name, _)| name);
    names.collect()
}

impl SpanTally {
    fn push(&self, name: &str, all: &mut Vec<(String, u64)>) {
        let plain = [
            ("requests", &self.requests),
            ("received", &self.received),
            ("taken", &self.taken),
            ("connections", &self.connections),
            ("connections_refused", &self.connections_refused),
            ("connections_evicted", &self.connections_evicted),
            ("accepts_failed", &self.accepts_failed),
        ];
        let plain = plain.map(|(what, counter)| (what.to_owned(), counter.load(Ordering::Relaxed)));
        all.extend(plain.map(|(what, n)| (format!("listener.{name}.{what}"), n)));
        let spans = SpanRefusal::ALL
            .map(|reason| (format!("dropped.{}", reason.name()), &self.spans[reason as usize]));
        let requests = RequestRefusal::ALL.map(|reason| {
            (
                format!("refused.{}", reason.name()),
                &self.refused[reason as usize],
            )
        });
        for (what, counter) in spans.into_iter().chain(requests) {
            let n = counter.load(Ordering::Relaxed);
            if n > 0 {
                all.push((format!("listener.{name}.{what}"), n));
            }
        }
    }
}
