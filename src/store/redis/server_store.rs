//! One handle on one Redis server, which every kind of question is asked through.

use ::redis::Value;
use skywatch_algorithms::Series;

use super::connect::RedisConnect;
use super::known_names::KnownNames;
use super::redirect::Redirected;
use super::slice_sizes::SliceSizes;
use super::wire::Wire;
use super::{
    Condition, EachFetched, EachTail, Points, RedisCursor, Sample, Store, StoreError, Unreadable, failure,
    resp,
};

/// What a series is taken to have before any was read.
const FIRST_GUESS_BYTES: usize = 20_000;
/// Most points whose room a caller's buffer keeps after a series that needed more.
const KEPT_POINTS: usize = 1 << 19;

/// One server: a Redis of its own, or a node of a cluster, which is asked only for what it has. It reconnects by itself at the next call
/// after an error.
pub(super) struct ServerStore {
    pub(super) wire: Wire,
    pub(super) namespace: String,
    pub(super) unique_metrics: String,
    pub(super) max_value_bytes: usize,
    pub(super) known: KnownNames,
    /// Bytes a whole series has had of late: what the next chunk of reads is sized by.
    pub(super) usual_series_bytes: usize,
    /// How much of a trim this server does at a time.
    pub(super) slices: SliceSizes,
    /// What the last call was sent elsewhere with: neither answered nor an error.
    pub(super) redirected: Redirected,
}

impl ServerStore {
    pub(super) fn new(connect: RedisConnect) -> Self {
        let options = connect.options();
        Self {
            namespace: options.namespace.clone(),
            unique_metrics: format!("{}unique_metrics", options.namespace),
            max_value_bytes: options.max_value_bytes,
            known: KnownNames::default(),
            usual_series_bytes: FIRST_GUESS_BYTES,
            slices: SliceSizes::default(),
            redirected: Redirected::by(connect.member_host()),
            wire: Wire::new(connect),
        }
    }
}

impl Points for ServerStore {
    type Cursor = RedisCursor;

    fn append(&mut self, batch: &[Sample<'_>]) -> Result<(), StoreError> {
        self.append_batch(batch)
    }

    fn fetch(
        &mut self,
        metrics: &[&str],
        into: &mut Series,
        each: &mut EachFetched<'_, RedisCursor>,
    ) -> Result<(), StoreError> {
        self.fetch_whole(metrics, into, each)
    }

    fn fetch_last(
        &mut self,
        metrics: &[&str],
        points: usize,
        into: &mut Series,
        each: &mut EachFetched<'_, RedisCursor>,
    ) -> Result<(), StoreError> {
        self.fetch_last_points(metrics, points, into, each)
    }

    fn fetch_tails(
        &mut self,
        asks: &[(&str, &RedisCursor)],
        into: &mut Series,
        each: &mut EachTail<'_, RedisCursor>,
    ) -> Result<(), StoreError> {
        self.fetch_ends(asks, into, each)
    }
}

impl Store for ServerStore {
    fn ping(&mut self) -> Result<(), StoreError> {
        self.wire.ping()
    }

    fn condition(&mut self) -> Result<Condition, StoreError> {
        self.ask_condition()
    }
}

/// Asks for the types of keys that turned out to be no strings: those at these places of a question.
pub(super) fn types<'m>(
    wire: &mut Wire,
    redirected: &mut Redirected,
    namespace: &str,
    metric: impl Fn(usize) -> &'m str,
    places: &[usize],
) -> Result<Vec<(usize, Unreadable)>, StoreError> {
    let mut packed = Vec::new();
    for place in places {
        resp::pack(&mut packed, &[b"TYPE"], namespace, metric(*place), &[]);
    }
    let mut found = Vec::with_capacity(places.len());
    for (place, reply) in places.iter().zip(wire.replies(&packed, places.len())?) {
        match reply {
            Value::SimpleString(name) => found.push((*place, Unreadable::WrongType(name))),
            reply if redirected.takes(*place, &reply) => {}
            Value::ServerError(error) => return Err(failure::of_server(wire.connect().server(), &error)),
            _ => found.push((*place, Unreadable::WrongType("unknown".to_owned()))),
        }
    }
    Ok(found)
}

/// Gives back the room an unusually long series took.
pub(super) fn shrink(series: &mut Series) {
    if series.times.capacity() > KEPT_POINTS {
        series.clear();
        series.times.shrink_to(KEPT_POINTS);
        series.values.shrink_to(KEPT_POINTS);
    }
}
