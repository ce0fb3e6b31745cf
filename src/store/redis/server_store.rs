//! One handle on a Redis, which every kind of question is asked through.

use ::redis::Value;
use skywatch_algorithms::Series;

use super::connect::RedisConnect;
use super::known_names::KnownNames;
use super::slice_sizes::SliceSizes;
use super::wire::Wire;
use super::{StoreError, Unreadable, resp};

/// What a series is taken to have before any was read.
const FIRST_GUESS_BYTES: usize = 20_000;
/// Most points whose room a caller's buffer keeps after a series that needed more.
const KEPT_POINTS: usize = 1 << 19;

/// One connection to one Redis. It reconnects by itself at the next call after an error.
pub struct RedisStore {
    pub(super) wire: Wire,
    pub(super) namespace: String,
    pub(super) unique_metrics: String,
    pub(super) max_value_bytes: usize,
    pub(super) known: KnownNames,
    /// Bytes a whole series has had of late: what the next chunk of reads is sized by.
    pub(super) usual_series_bytes: usize,
    /// How much of a trim this server does at a time.
    pub(super) slices: SliceSizes,
}

impl RedisStore {
    pub(super) fn new(connect: RedisConnect) -> Self {
        let options = connect.options();
        Self {
            namespace: options.namespace.clone(),
            unique_metrics: format!("{}unique_metrics", options.namespace),
            max_value_bytes: options.max_value_bytes,
            known: KnownNames::default(),
            usual_series_bytes: FIRST_GUESS_BYTES,
            slices: SliceSizes::default(),
            wire: Wire::new(connect),
        }
    }
}

/// Asks for the types of keys that turned out to be no strings.
pub(super) fn types(
    wire: &mut Wire,
    namespace: &str,
    metrics: &[&str],
) -> Result<Vec<Unreadable>, StoreError> {
    let mut packed = Vec::new();
    for metric in metrics {
        resp::pack(&mut packed, &[b"TYPE"], namespace, metric, &[]);
    }
    let replies = wire.request(&packed, metrics.len())?;
    let name = |reply| match reply {
        Value::SimpleString(name) => name,
        _ => "unknown".to_owned(),
    };
    let found = replies.into_iter().map(name);
    Ok(found.map(Unreadable::WrongType).collect())
}

/// Gives back the room an unusually long series took.
pub(super) fn shrink(series: &mut Series) {
    if series.times.capacity() > KEPT_POINTS {
        series.clear();
        series.times.shrink_to(KEPT_POINTS);
        series.values.shrink_to(KEPT_POINTS);
    }
}
