//! What is seen of one subject, and what of that is to be told. Times are nanoseconds of the observer's own clock.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use skywatch_algorithms::verdicts::{Status, VIEW_LENGTH};

/// How long a request may take before it is told as pending.
pub const PENDING_AFTER: Duration = Duration::from_millis(500);
/// How often what has not changed is told: votes count for a minute at least.
pub const REPEAT: Duration = Duration::from_secs(10);
/// Scores that go with a status where the observer has no better one, 0 (worst) to 100.
pub(super) const WORKING: f32 = 100.0;
pub(super) const DOUBTFUL: f32 = 50.0;
pub(super) const BROKEN: f32 = 0.0;

/// How one metric looked at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sighting {
    pub(super) status: Status,
    /// 0 (worst) to 100.
    pub(super) score: f32,
    pub(super) at: i64,
}

/// What is to be told of a subject at one moment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct UnsentObservation {
    pub(super) at: i64,
    pub(super) metrics: Vec<(Arc<str>, Status, f32)>,
}

/// A request that is under way.
#[derive(Debug)]
struct OpenRequest {
    number: u64,
    begun: i64,
    /// It was told as pending.
    is_told: bool,
}

#[derive(Debug)]
struct MetricSeen {
    name: Arc<str>,
    /// What was told last.
    told: Option<Status>,
    /// The score of the newest sighting.
    score: f32,
    /// The newest sighting that was not told, as it says no other thing.
    again: Option<Sighting>,
    under_way: Vec<OpenRequest>,
}

/// What is seen of one subject.
#[derive(Debug)]
pub(super) struct SubjectSeen {
    name: Arc<str>,
    metrics: Vec<MetricSeen>,
    /// Not handed out yet, oldest first: no more than a server keeps of one observer.
    unsent: VecDeque<UnsentObservation>,
    repeated: i64,
    requests: u64,
}

impl MetricSeen {
    /// Whether a request hangs that was told as pending.
    fn hangs(&self) -> bool {
        self.told == Some(Status::Pending) && self.under_way.iter().any(|request| request.is_told)
    }
}

impl SubjectSeen {
    pub(super) fn new(name: Arc<str>) -> Self {
        Self {
            name,
            metrics: Vec::new(),
            unsent: VecDeque::new(),
            repeated: 0,
            requests: 0,
        }
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The place of a metric; made if there is none.
    pub(super) fn metric(&mut self, name: &str) -> usize {
        if let Some(place) = self.metrics.iter().position(|metric| *metric.name == *name) {
            return place;
        }
        self.metrics.push(MetricSeen {
            name: Arc::from(name),
            told: None,
            score: DOUBTFUL,
            again: None,
            under_way: Vec::new(),
        });
        self.metrics.len() - 1
    }

    /// A request begins. Gives its number.
    pub(super) fn begin(&mut self, metric: usize, now: i64) -> u64 {
        self.requests += 1;
        self.metrics[metric].under_way.push(OpenRequest {
            number: self.requests,
            begun: now,
            is_told: false,
        });
        self.requests
    }

    /// A request is under way no longer.
    pub(super) fn end(&mut self, metric: usize, number: u64) {
        let under_way = &mut self.metrics[metric].under_way;
        under_way.retain(|request| request.number != number);
    }

    /// Takes a sighting. Answers whether it is to be told at once.
    pub(super) fn inform(&mut self, metric: usize, sighting: Sighting) -> bool {
        let seen = &mut self.metrics[metric];
        seen.score = sighting.score;
        // That others are answered says nothing of the one that hangs.
        let outweighed = sighting.status == Status::Healthy && seen.hangs();
        if seen.told == Some(sighting.status) || outweighed {
            seen.again = Some(sighting);
            return false;
        }
        (seen.told, seen.again) = (Some(sighting.status), None);
        let told = (Arc::clone(&seen.name), sighting.status, sighting.score);
        self.push(sighting.at, vec![told]);
        true
    }

    /// It is as it was told last; a request that hangs says so itself.
    pub(super) fn still(&mut self, metric: usize, at: i64) {
        let seen = &mut self.metrics[metric];
        if let Some(status) = seen.told.filter(|status| *status != Status::Pending) {
            let score = seen.score;
            seen.again = Some(Sighting { status, score, at });
        }
    }

    /// Whether there is something to be sent.
    pub(super) fn is_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Looks for what is to be told though nobody said anything: requests that take long, and from time to time what lasts.
    pub(super) fn look(&mut self, now: i64) {
        for metric in 0..self.metrics.len() {
            self.look_at_requests(metric, now);
        }
        if now - self.repeated >= nanoseconds(REPEAT) {
            self.repeated = now;
            self.repeat(now);
        }
    }

    fn look_at_requests(&mut self, metric: usize, now: i64) {
        let seen = &mut self.metrics[metric];
        let limit = now - nanoseconds(PENDING_AFTER);
        let late = |request: &&mut OpenRequest| !request.is_told && request.begun <= limit;
        let mut since = i64::MAX;
        for request in seen.under_way.iter_mut().filter(late) {
            request.is_told = true;
            since = since.min(request.begun);
        }
        if since < i64::MAX && seen.told != Some(Status::Pending) {
            (seen.told, seen.again) = (Some(Status::Pending), None);
            let told = (Arc::clone(&seen.name), Status::Pending, DOUBTFUL);
            self.push(since, vec![told]);
        } else if seen.told == Some(Status::Pending) && !seen.hangs() {
            // The one that hung was withdrawn; what others saw meanwhile counts.
            if let Some(sighting) = seen.again.take() {
                self.inform(metric, sighting);
            }
        }
    }

    /// Tells all that was seen again, or is still pending, in one observation of the time of the oldest.
    fn repeat(&mut self, now: i64) {
        let mut at = now;
        let mut metrics = Vec::new();
        for seen in &mut self.metrics {
            if seen.hangs() {
                metrics.push((Arc::clone(&seen.name), Status::Pending, DOUBTFUL));
            } else if let Some(sighting) = seen.again.take() {
                at = at.min(sighting.at);
                metrics.push((Arc::clone(&seen.name), sighting.status, sighting.score));
            }
        }
        if !metrics.is_empty() {
            self.push(at, metrics);
        }
    }

    fn push(&mut self, at: i64, metrics: Vec<(Arc<str>, Status, f32)>) {
        self.unsent.push_back(UnsentObservation { at, metrics });
        self.shorten();
    }

    /// Takes out what is to be sent, oldest first.
    pub(super) fn take(&mut self) -> VecDeque<UnsentObservation> {
        std::mem::take(&mut self.unsent)
    }

    /// Puts back one that could not be sent, before the others.
    pub(super) fn put_back(&mut self, observation: UnsentObservation) {
        self.unsent.push_front(observation);
        self.shorten();
    }

    /// Older ones would be forgotten by a server as soon as it has them all.
    fn shorten(&mut self) {
        while self.unsent.len() > VIEW_LENGTH {
            self.unsent.pop_front();
        }
    }
}

fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}
