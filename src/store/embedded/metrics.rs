//! All metrics in memory: from name to number, with the last arrivals of each.

use std::collections::HashMap;

use skywatch_algorithms::Series;

use super::recent::{EmbeddedCursor, Recent, Since};

/// One known metric.
#[derive(Debug)]
struct KnownMetric {
    /// Its number in the keys of points; never given to another name.
    id: u32,
    recent: Recent,
}

/// Every known metric by name.
#[derive(Debug, Default)]
pub(super) struct KnownMetrics {
    by_name: HashMap<Box<str>, KnownMetric>,
    opening: u32,
}

impl KnownMetrics {
    pub(super) fn new(opening: u32) -> Self {
        Self {
            by_name: HashMap::new(),
            opening,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    pub(super) fn id(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).map(|metric| metric.id)
    }

    pub(super) fn insert(&mut self, name: &str, id: u32) {
        self.by_name.entry(name.into()).or_insert_with(|| KnownMetric {
            id,
            recent: Recent::default(),
        });
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.by_name.remove(name);
    }

    pub(super) fn names(&self) -> Vec<Box<str>> {
        self.by_name.keys().cloned().collect()
    }

    /// Takes note of a point stored under `id`; `false` if the name no longer has that number.
    pub(super) fn arrived(&mut self, name: &str, id: u32, time: f64, value: f64) -> bool {
        match self.by_name.get_mut(name) {
            Some(metric) if metric.id == id => {
                metric.recent.push(time, value);
                true
            }
            _ => false,
        }
    }

    /// A cursor behind everything that has arrived so far.
    pub(super) fn cursor(&self, name: &str) -> Option<EmbeddedCursor> {
        self.by_name.get(name).map(|metric| self.cursor_of(metric))
    }

    fn cursor_of(&self, metric: &KnownMetric) -> EmbeddedCursor {
        EmbeddedCursor {
            opening: self.opening,
            metric: metric.id,
            arrivals: metric.recent.arrivals(),
        }
    }

    /// Appends what arrived after `cursor` to `into`.
    pub(super) fn since(&self, name: &str, cursor: &EmbeddedCursor, into: &mut Series) -> Since {
        let Some(metric) = self.by_name.get(name) else {
            return Since::Missing;
        };
        let now = self.cursor_of(metric);
        if (now.opening, now.metric) != (cursor.opening, cursor.metric) {
            Since::Lost
        } else if now.arrivals == cursor.arrivals {
            Since::Unchanged
        } else if metric.recent.since(cursor.arrivals, into) {
            Since::New(now)
        } else {
            Since::Lost
        }
    }
}
