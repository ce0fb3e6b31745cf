//! The two backends, each as the suite needs it: started empty, closed and opened again, trimmed.

use std::fmt::Debug;

use skywatch::store::embedded::{EmbeddedConnect, EmbeddedOptions};
use skywatch::store::redis::{RedisConnect, RedisOptions};
use skywatch::store::{Connect, Fetched, Points, Sample, Tail};
use skywatch_algorithms::Series;
use tempfile::TempDir;

use crate::common::redis::RedisServer;

/// A store the suite can work on.
pub(crate) trait Backend {
    type Connect: Connect<Store: Points<Cursor = Self::Cursor>>;
    type Cursor: Send + Debug;

    /// An empty one.
    fn start() -> Self;

    fn connect(&self) -> &Self::Connect;

    /// Ends whatever keeps the data, and begins anew with it.
    fn reopen(&mut self);

    /// Takes away points older than `time` from the front of a metric; a backend that can only trim
    /// all metrics at once goes no further than `all`.
    fn trim(&mut self, metric: &str, time: f64, all: f64);

    fn store(&self) -> <Self::Connect as Connect>::Store {
        self.connect().connect().expect("the store answers")
    }
}

pub(crate) struct Redis {
    pub(crate) server: RedisServer,
    connect: RedisConnect,
}

impl Backend for Redis {
    type Connect = RedisConnect;
    type Cursor = skywatch::store::redis::RedisCursor;

    fn start() -> Self {
        let server = RedisServer::start();
        let connect = redis_at(&server.socket_url());
        Self { server, connect }
    }

    fn connect(&self) -> &RedisConnect {
        &self.connect
    }

    fn reopen(&mut self) {
        self.server.restart();
    }

    /// Cuts bytes, as a trimmer does that does not sort.
    fn trim(&mut self, metric: &str, time: f64, _: f64) {
        let key = format!("metrics.{metric}");
        cut(&mut self.server.connection(), &key, time);
    }
}

/// Cuts what is older than a time from the front of a value of usual points.
pub(crate) fn cut(connection: &mut redis::Connection, key: &str, time: f64) {
    let stream: Vec<u8> = redis::cmd("GET").arg(key).query(connection).expect("a value");
    let usual = stream.chunks_exact(15);
    let surplus = usual.take_while(|point| f64::from(u32_of(point)) < time).count();
    redis::cmd("SET")
        .arg(key)
        .arg(&stream[surplus * 15..])
        .exec(connection)
        .expect("a write");
}

fn u32_of(point: &[u8]) -> u32 {
    u32::from_be_bytes(point[2..6].try_into().expect("four bytes"))
}

/// The usual options for an address.
pub(crate) fn redis_at(url: &str) -> RedisConnect {
    let options = RedisOptions {
        url: url.to_owned(),
        ..RedisOptions::default()
    };
    RedisConnect::new(options).expect("a good address")
}

pub(crate) struct Embedded {
    pub(crate) folder: TempDir,
    /// `None` only while it is opened again.
    connect: Option<EmbeddedConnect>,
}

impl Backend for Embedded {
    type Connect = EmbeddedConnect;
    type Cursor = skywatch::store::embedded::EmbeddedCursor;

    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let connect = EmbeddedConnect::open(&EmbeddedOptions::new(folder.path())).expect("an empty store");
        Self {
            folder,
            connect: Some(connect),
        }
    }

    fn connect(&self) -> &EmbeddedConnect {
        self.connect.as_ref().expect("open")
    }

    fn reopen(&mut self) {
        drop(self.connect.take());
        let options = EmbeddedOptions::new(self.folder.path());
        self.connect = Some(EmbeddedConnect::open(&options).expect("a closed store opens again"));
    }

    /// Whole days only, of all metrics.
    fn trim(&mut self, _: &str, _: f64, all: f64) {
        self.connect().drop_before(all).expect("a write");
    }
}

/// What one read of one metric gave, with the points copied out.
#[derive(Debug)]
pub(crate) enum Read<C> {
    Found(Series, C),
    Missing,
    Unreadable(String),
}

/// Reads metrics whole; the answers are in the order of the question.
pub(crate) fn fetch<P: Points>(store: &mut P, metrics: &[&str]) -> Vec<Read<P::Cursor>> {
    let mut reads: Vec<Option<Read<P::Cursor>>> = metrics.iter().map(|_| None).collect();
    let mut buffer = Series::default();
    let outcome = store.fetch(metrics, &mut buffer, &mut |index, series, fetched| {
        let read = match fetched {
            Fetched::Found { cursor, report } => {
                assert_eq!(report.points, series.times.len());
                Read::Found(series.clone(), cursor)
            }
            Fetched::Missing => Read::Missing,
            Fetched::Unreadable(why) => Read::Unreadable(why.to_string()),
        };
        assert!(
            reads[index].replace(read).is_none(),
            "metric {index} was answered twice"
        );
    });
    outcome.expect("a read");
    reads
        .into_iter()
        .map(|read| read.expect("every metric is answered"))
        .collect()
}

/// Reads one metric that has to be there.
pub(crate) fn whole<P: Points<Cursor: Debug>>(store: &mut P, metric: &str) -> (Series, P::Cursor) {
    match fetch(store, &[metric]).pop() {
        Some(Read::Found(series, cursor)) => (series, cursor),
        other => panic!("`{metric}` is not there but {other:?}"),
    }
}

/// Reads the tail of one metric and gives its points.
pub(crate) fn tail<P: Points>(
    store: &mut P,
    metric: &str,
    cursor: &P::Cursor,
) -> (Tail<P::Cursor>, Vec<(f64, f64)>) {
    let mut buffer = Series::default();
    let mut found = None;
    let each = &mut |_, series: &mut Series, tail| {
        assert!(found.replace((tail, points(series))).is_none(), "answered twice");
    };
    store
        .fetch_tails(&[(metric, cursor)], &mut buffer, each)
        .expect("a read");
    found.expect("an answer")
}

pub(crate) fn points(series: &Series) -> Vec<(f64, f64)> {
    series
        .times
        .iter()
        .copied()
        .zip(series.values.iter().copied())
        .collect()
}

/// Appends points of one metric.
pub(crate) fn append<P: Points>(store: &mut P, metric: &str, points: &[(f64, f64)]) {
    let sample = |(time, value): &(f64, f64)| Sample {
        metric,
        time: *time,
        value: *value,
    };
    store
        .append(&points.iter().map(sample).collect::<Vec<_>>())
        .expect("a write");
}
