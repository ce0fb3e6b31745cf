//! Filling windows from elsewhere, black box: the real binary between a Graphite on a socket, files and a real Redis, and
//! everything that goes wrong on the way.

mod files;
mod graphite;
mod influx;
mod on_cluster;
mod otherwise;
mod prometheus;
mod skyline;

use redis::Commands as _;
use skywatch::store::codec;
use skywatch_algorithms::Series;

use crate::common::redis::RedisServer;
use crate::common::skywatch::{Ended, Setup};

/// Settings over a Redis, with the defaults for age that the common ones leave out.
fn over(redis: &RedisServer) -> Setup {
    Setup::new()
        .on(redis)
        .without("ingest.max_age")
        .without("ingest.max_future")
}

/// Runs `skywatch backfill` to its end.
fn backfill(setup: &Setup, arguments: &[&str]) -> Ended {
    setup.run(&[&["backfill"], arguments].concat())
}

/// The same, which has to go well.
fn filled(setup: &Setup, arguments: &[&str]) -> String {
    let ended = backfill(setup, arguments);
    assert_eq!(ended.code(), 0, "{}", ended.log);
    ended.log
}

/// Points of a metric as they are stored in Skyline's layout.
fn stored(redis: &RedisServer, metric: &str) -> Vec<(f64, f64)> {
    let bytes: Vec<u8> = redis.connection().get(format!("metrics.{metric}")).unwrap();
    let mut series = Series::default();
    codec::decode(&bytes, &mut series).unwrap();
    series.times.into_iter().zip(series.values).collect()
}

/// A day of minutes up to now, of changing values.
fn a_day(seed: u32) -> Vec<(f64, f64)> {
    let now = (crate::common::series::now() / 60.0).floor() * 60.0;
    (0..1_440u32)
        .map(|minute| {
            let value = 100.0 + f64::from((minute * 7 + seed * 13) % 23);
            (now - 60.0 * f64::from(1_439 - minute), value)
        })
        .collect()
}

/// What one pass of the analyzer says: analyzed, and TooShort.
fn judged(setup: Setup) -> (u64, u64) {
    let setup = setup.with("ingest.enabled", "false").with("web.enabled", "false");
    let (passes, _) = setup.run_passes(1);
    let too_short = passes[0]["exceptions"]["TooShort"].as_u64().unwrap();
    (passes[0]["analyzed"].as_u64().unwrap(), too_short)
}
