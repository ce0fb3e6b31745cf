//! Points on their way to the store: one arena of names, no allocation per point.
//!
//! A name that came a moment ago is not written a second time: a few bytes can stand for many points of one long name
//! (a series of remote write, a memo of a pickle), and would otherwise become a thousand times as many.

use tokio::sync::OwnedSemaphorePermit;

use crate::net::listeners::Service;
use crate::sender_mark::SenderMark;
use crate::store::Sample;

/// Points read at one go from one client.
#[derive(Debug)]
pub(super) struct PointBatch {
    /// Where they came in.
    pub(super) service: &'static Service,
    /// When they came, Unix seconds.
    pub(super) came: f64,
    /// All names, end to end.
    names: String,
    points: Vec<BatchPoint>,
    /// What was said of metrics instead of a number; few.
    said: Vec<(String, SenderMark)>,
    /// Bytes of the names in it.
    said_bytes: usize,
    /// Where the most recent names lie in the arena.
    recent: [(u32, u32); RECENT_NAMES],
    /// Which of them the next new name replaces.
    oldest: usize,
    /// The batch's share of the queue's bounds, points and bytes; given back when the batch is dropped, that is, written.
    pub(super) permits: Option<[OwnedSemaphorePermit; 2]>,
}

/// Recent names a new one is compared with before it is stored: clients that repeat a name do so at once, and each
/// comparison is paid for every point.
const RECENT_NAMES: usize = 4;

#[derive(Debug, Clone, Copy)]
struct BatchPoint {
    /// The name in the arena: where it begins and ends.
    name: (u32, u32),
    time: f64,
    value: f64,
}

impl PointBatch {
    /// An empty batch.
    pub(super) fn new(service: &'static Service, came: f64) -> Self {
        Self {
            service,
            came,
            names: String::new(),
            points: Vec::new(),
            said: Vec::new(),
            said_bytes: 0,
            recent: [(0, 0); RECENT_NAMES],
            oldest: 0,
            permits: None,
        }
    }

    /// Adds a point.
    pub(super) fn push(&mut self, name: &str, time: f64, value: f64) {
        let known = |&(begin, end): &(u32, u32)| self.names.get(begin as usize..end as usize) == Some(name);
        let place = match self.recent.iter().copied().find(known) {
            Some(place) => place,
            None => {
                // No overflow: a batch is limited to far fewer bytes than a `u32` counts.
                let begin = self.names.len() as u32;
                self.names.push_str(name);
                let place = (begin, self.names.len() as u32);
                self.recent[self.oldest] = place;
                self.oldest = (self.oldest + 1) % RECENT_NAMES;
                place
            }
        };
        self.points.push(BatchPoint {
            name: place,
            time,
            value,
        });
    }

    /// Bytes it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        let said = self.said_bytes + self.said.capacity() * size_of::<(String, SenderMark)>();
        self.names.capacity() + self.points.capacity() * size_of::<BatchPoint>() + said
    }

    /// Points in the batch.
    pub(super) fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.points.is_empty() && self.said.is_empty()
    }

    /// Adds what was said of a metric; of what is said of one again and again, the last.
    pub(super) fn say(&mut self, name: &str, said: SenderMark) {
        if let Some((last, before)) = self.said.last_mut()
            && last == name
        {
            *before = said;
            return;
        }
        self.said_bytes += name.len();
        self.said.push((name.to_owned(), said));
    }

    /// What was said, in the order it came.
    pub(super) fn said(&self) -> &[(String, SenderMark)] {
        &self.said
    }

    /// What the batch weighs in the queue.
    pub(super) fn weight(&self) -> usize {
        self.points.len() + self.said.len()
    }

    /// The points, in the order they came.
    pub(super) fn samples(&self) -> impl Iterator<Item = Sample<'_>> {
        self.points.iter().map(|point| Sample {
            metric: &self.names[point.name.0 as usize..point.name.1 as usize],
            time: point.time,
            value: point.value,
        })
    }
}
