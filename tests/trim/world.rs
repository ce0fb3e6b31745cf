//! A Redis with handles on it, and a trim with everything it told.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use redis::Commands as _;
use skywatch::store::redis::{RedisConnect, RedisOptions, RedisStore};
use skywatch::store::trim::{Trim as _, TrimLimits, Trimmed, Watch};
use skywatch::store::{Connect as _, Points as _, Sample, StoreError, codec};
use skywatch_algorithms::{SameTime, Series};

use crate::common::redis::{RedisServer, ServerOptions};

/// The window of these tests.
pub(crate) const WINDOW: f64 = 86_400.0;
pub(crate) const GRACE: f64 = 600.0;
/// Their present.
pub(crate) const NOW: f64 = 1_700_000_000.0;
/// Points up to here are old.
pub(crate) const BEFORE: f64 = NOW - WINDOW - GRACE;
pub(crate) const LIMITS: TrimLimits = TrimLimits {
    before: BEFORE,
    now: NOW,
};

pub(crate) struct World {
    pub(crate) server: RedisServer,
    connect: RedisConnect,
}

impl World {
    pub(crate) fn start() -> Self {
        Self::start_with(ServerOptions::default())
    }

    pub(crate) fn start_with(options: ServerOptions) -> Self {
        let server = RedisServer::start_with(options);
        let connect = connect(&server.socket_url());
        Self { server, connect }
    }

    pub(crate) fn store(&self) -> RedisStore {
        self.connect.connect().unwrap()
    }

    /// The stored bytes of a metric.
    pub(crate) fn bytes(&self, metric: &str) -> Vec<u8> {
        self.server.connection().get(format!("metrics.{metric}")).unwrap()
    }

    pub(crate) fn points(&self, metric: &str) -> Vec<(f64, f64)> {
        decoded(&self.bytes(metric))
    }

    pub(crate) fn put(&self, metric: &str, bytes: &[u8]) {
        let mut raw = self.server.connection();
        let _: () = raw.append(format!("metrics.{metric}"), bytes).unwrap();
        let _: () = raw
            .sadd("metrics.unique_metrics", format!("metrics.{metric}"))
            .unwrap();
    }

    /// The names in the set, sorted, without namespace.
    pub(crate) fn names(&self) -> Vec<String> {
        let members: Vec<String> = self
            .server
            .connection()
            .smembers("metrics.unique_metrics")
            .unwrap();
        let mut names: Vec<String> = members
            .iter()
            .map(|name| name.strip_prefix("metrics.").unwrap().to_owned())
            .collect();
        names.sort_unstable();
        names
    }
}

pub(crate) fn connect(url: &str) -> RedisConnect {
    RedisConnect::new(RedisOptions {
        url: url.to_owned(),
        ..RedisOptions::default()
    })
    .unwrap()
}

pub(crate) fn append(store: &mut RedisStore, metric: &str, points: &[(f64, f64)]) {
    let samples: Vec<Sample<'_>> = points
        .iter()
        .map(|&(time, value)| Sample { metric, time, value })
        .collect();
    store.append(&samples).unwrap();
}

pub(crate) fn encoded(points: &[(f64, f64)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (time, value) in points {
        codec::encode(*time, *value, &mut bytes);
    }
    bytes
}

pub(crate) fn decoded(bytes: &[u8]) -> Vec<(f64, f64)> {
    let mut series = Series::default();
    codec::decode(bytes, &mut series).unwrap();
    pairs(&series)
}

/// The canonical window of points.
pub(crate) fn window(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    window_by(points, SameTime::Last)
}

/// The same, of several points of one time the one that `same_time` says.
pub(crate) fn window_by(points: &[(f64, f64)], same_time: SameTime) -> Vec<(f64, f64)> {
    let mut series = Series::default();
    points.iter().for_each(|&(time, value)| series.push(time, value));
    series.canonicalise_by(WINDOW, same_time);
    pairs(&series)
}

fn pairs(series: &Series) -> Vec<(f64, f64)> {
    series
        .times
        .iter()
        .copied()
        .zip(series.values.iter().copied())
        .collect()
}

/// So many points a minute apart, the last at `last`.
pub(crate) fn minutes(count: u32, last: f64) -> Vec<(f64, f64)> {
    (0..count)
        .rev()
        .map(|back| (last - 60.0 * f64::from(back), f64::from(back % 17)))
        .collect()
}

/// What a trim told; `between` is called after each slice.
pub(crate) struct Told<'b> {
    pub(crate) trimmed: BTreeMap<usize, Trimmed>,
    pub(crate) slices: Vec<Duration>,
    between: &'b mut dyn FnMut(usize) -> ControlFlow<()>,
}

impl<'b> Told<'b> {
    pub(crate) fn new(between: &'b mut dyn FnMut(usize) -> ControlFlow<()>) -> Self {
        Self {
            trimmed: BTreeMap::new(),
            slices: Vec::new(),
            between,
        }
    }
}

impl Watch for Told<'_> {
    fn trimmed(&mut self, index: usize, trimmed: Trimmed) {
        assert_eq!(
            self.trimmed.insert(index, trimmed),
            None,
            "{index} was told twice"
        );
    }

    fn worked(&mut self, time: Duration) -> ControlFlow<()> {
        self.slices.push(time);
        (self.between)(self.slices.len())
    }
}

/// Trims metrics and says what became of each.
pub(crate) fn trim(store: &mut RedisStore, metrics: &[&str]) -> Vec<Trimmed> {
    trim_between(store, metrics, &mut |_| ControlFlow::Continue(())).unwrap()
}

/// Trims metrics with something going on after each slice, of which the first has only looked.
pub(crate) fn trim_between(
    store: &mut RedisStore,
    metrics: &[&str],
    between: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Vec<Trimmed>, StoreError> {
    let mut told = Told::new(between);
    store.trim(metrics, LIMITS, &mut told)?;
    assert_eq!(told.trimmed.len(), metrics.len(), "every metric is told");
    Ok(told.trimmed.into_values().collect())
}
