//! What Skyline's own tools would put into Redis and read there: points by rmp-serde, names in the set.

use std::io::Cursor;

use redis::{Commands as _, Connection};
use serde::Deserialize as _;

/// The set of all metrics.
pub(crate) const NAMES: &str = "metrics.unique_metrics";

/// Appends points as Skyline's Horizon does, and names the metric.
pub(crate) fn put(redis: &mut Connection, metric: &str, points: &[(f64, f64)]) {
    put_bytes(redis, metric, &stream(points));
}

/// Points as Skyline's Horizon packs them.
pub(crate) fn stream(points: &[(f64, f64)]) -> Vec<u8> {
    let packed = |(time, value): &(f64, f64)| rmp_serde::to_vec(&(*time as u32, *value)).unwrap();
    points.iter().flat_map(packed).collect()
}

/// Appends bytes to the metric's key, and names the metric.
pub(crate) fn put_bytes(redis: &mut Connection, metric: &str, bytes: &[u8]) {
    let _: usize = redis.append(key(metric), bytes).unwrap();
    name(redis, metric);
}

/// Puts a name into the set.
pub(crate) fn name(redis: &mut Connection, metric: &str) {
    let _: usize = redis.sadd(NAMES, key(metric)).unwrap();
}

/// The metric's key.
pub(crate) fn key(metric: &str) -> String {
    format!("metrics.{metric}")
}

/// The stored points, in stored order.
pub(crate) fn points(redis: &mut Connection, metric: &str) -> Vec<(f64, f64)> {
    let bytes: Vec<u8> = redis.get(key(metric)).unwrap();
    let mut reader = rmp_serde::Deserializer::new(Cursor::new(&bytes));
    let mut points = Vec::new();
    while (reader.position() as usize) < bytes.len() {
        points.push(<(f64, f64)>::deserialize(&mut reader).unwrap());
    }
    points
}
