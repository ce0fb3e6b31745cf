//! Points on their way to the store: one arena of names, no allocation per point.

use tokio::sync::OwnedSemaphorePermit;

use crate::net::listeners::Service;
use crate::said::Said;
use crate::store::Sample;

/// Points read at one go from one client.
#[derive(Debug)]
pub(super) struct Batch {
    /// Where they came in.
    pub(super) service: Service,
    /// When they came, Unix seconds.
    pub(super) came: f64,
    /// All names, end to end.
    names: String,
    points: Vec<Point>,
    /// What was said of metrics instead of a number; few.
    said: Vec<(String, Said)>,
    /// The batch's share of the queue's bound; given back when the batch is dropped, that is, written.
    pub(super) permit: Option<OwnedSemaphorePermit>,
}

#[derive(Debug, Clone, Copy)]
struct Point {
    /// End of the name in the arena; it begins where the one before ends.
    name_end: usize,
    time: f64,
    value: f64,
}

impl Batch {
    /// An empty batch.
    pub(super) fn new(service: Service, came: f64) -> Self {
        Self {
            service,
            came,
            names: String::new(),
            points: Vec::new(),
            said: Vec::new(),
            permit: None,
        }
    }

    /// Adds a point.
    pub(super) fn push(&mut self, name: &str, time: f64, value: f64) {
        self.names.push_str(name);
        self.points.push(Point {
            name_end: self.names.len(),
            time,
            value,
        });
    }

    /// Points in the batch.
    pub(super) fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.points.is_empty() && self.said.is_empty()
    }

    /// Adds what was said of a metric.
    pub(super) fn say(&mut self, name: &str, said: Said) {
        self.said.push((name.to_owned(), said));
    }

    /// What was said, in the order it came.
    pub(super) fn said(&self) -> &[(String, Said)] {
        &self.said
    }

    /// What the batch weighs in the queue.
    pub(super) fn weight(&self) -> usize {
        self.points.len() + self.said.len()
    }

    /// The points, in the order they came.
    pub(super) fn samples(&self) -> impl Iterator<Item = Sample<'_>> {
        let mut begin = 0;
        self.points.iter().map(move |point| {
            let metric = &self.names[begin..point.name_end];
            begin = point.name_end;
            Sample {
                metric,
                time: point.time,
                value: point.value,
            }
        })
    }
}
