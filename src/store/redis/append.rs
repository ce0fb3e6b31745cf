//! Writing a batch: one APPEND a metric, and SADD for names not known to be in the set.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::time::{Duration, Instant};

use ::redis::Value;

use super::wire::{self, Exchange};
use super::{RedisConnect, RedisStore, Sample, StoreError, codec, failure};

/// Packed bytes after which a chunk is sent.
const CHUNK_BYTES: usize = 128 << 10;
/// Members put into one SADD.
const NAMES_A_COMMAND: usize = 256;
/// A name is put into the set again after between one and two of these, so that one a trimmer has
/// removed comes back within ten minutes, and not all in the same second.
const REASSERT: Duration = Duration::from_secs(300);

impl RedisStore {
    pub(super) fn append_batch(&mut self, batch: &[Sample<'_>]) -> Result<(), StoreError> {
        self.known.forget_old();
        let now = self.known.seconds();
        let mut order: Vec<(u64, u32)> = Vec::with_capacity(batch.len());
        for (index, sample) in (0u32..).zip(batch) {
            order.push((self.known.hash(sample.metric), index));
        }
        // Samples of one metric come together and keep their order among themselves.
        order.sort_unstable();
        let mut exchange = Append {
            connect: self.wire.connect().clone(),
            namespace: &self.namespace,
            unique_metrics: &self.unique_metrics,
            known: &self.known,
            now,
            batch,
            order: &order,
            points: Vec::new(),
            sent: Vec::new(),
            unnamed: Vec::new(),
            asserted: Vec::new(),
            replied: 0,
            failed: None,
            refused: Vec::new(),
            refusal: String::new(),
        };
        self.wire.run(&mut exchange)?;
        let (asserted, outcome) = exchange.finish();
        if matches!(outcome, Ok(()) | Err(StoreError::Refused { .. })) {
            self.known.assert(&asserted, now);
        }
        outcome
    }
}

/// Names put into the set by this handle, by hash, with the time it was done.
///
/// Hashes are keyed at random, so that a collision, which would keep a name out of the set, is
/// both one in 10¹³ for a million names and gone after a restart.
pub(super) struct KnownNames {
    state: RandomState,
    since: Instant,
    names: HashMap<u64, u32, BuildHasherDefault<Hashed>>,
    swept: u32,
}

impl Default for KnownNames {
    fn default() -> Self {
        Self {
            state: RandomState::new(),
            since: Instant::now(),
            names: HashMap::default(),
            swept: 0,
        }
    }
}

impl KnownNames {
    fn hash(&self, name: &str) -> u64 {
        self.state.hash_one(name)
    }

    fn seconds(&self) -> u32 {
        u32::try_from(self.since.elapsed().as_secs()).unwrap_or(u32::MAX)
    }

    fn is_due(&self, hash: u64, now: u32) -> bool {
        let wait = REASSERT.as_secs() + hash % REASSERT.as_secs();
        self.names
            .get(&hash)
            .is_none_or(|put| u64::from(now.saturating_sub(*put)) >= wait)
    }

    fn assert(&mut self, hashes: &[u64], now: u32) {
        self.names.extend(hashes.iter().map(|hash| (*hash, now)));
    }

    /// Drops the names nothing was written to for so long that they are due anyway.
    fn forget_old(&mut self) {
        let now = self.seconds();
        let limit = 2 * REASSERT.as_secs() as u32;
        if now.saturating_sub(self.swept) >= limit {
            self.swept = now;
            self.names.retain(|_, put| now.saturating_sub(*put) < limit);
        }
    }

    /// After a removal: the next point puts the name back at once.
    pub(super) fn forget(&mut self, names: &[&str]) {
        for name in names {
            self.names.remove(&self.state.hash_one(name));
        }
    }
}

/// Passes on a number that is a hash already.
#[derive(Default)]
pub(super) struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only whole hashes are looked up")
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

struct Append<'a> {
    connect: RedisConnect,
    namespace: &'a str,
    unique_metrics: &'a str,
    known: &'a KnownNames,
    now: u32,
    batch: &'a [Sample<'a>],
    /// Hash and index of the samples not packed yet.
    order: &'a [(u64, u32)],
    /// The encoded points of the metric being packed.
    points: Vec<u8>,
    /// The metric of each APPEND sent, to name it should it be refused.
    sent: Vec<&'a str>,
    /// Names still to be put into the set.
    unnamed: Vec<&'a str>,
    asserted: Vec<u64>,
    replied: usize,
    /// The first error that concerns the whole batch.
    failed: Option<StoreError>,
    refused: Vec<String>,
    refusal: String,
}

impl<'a> Append<'a> {
    /// Packs all points of the next metric. Two names with the same hash, if ever, take turns.
    fn pack_metric(&mut self, out: &mut Vec<u8>, hash: u64, metric: &'a str) {
        self.points.clear();
        while let Some(((next, index), later)) = self.order.split_first() {
            let sample = &self.batch[*index as usize];
            if *next != hash || sample.metric != metric {
                break;
            }
            codec::encode(sample.time, sample.value, &mut self.points);
            self.order = later;
        }
        wire::pack(out, &[b"APPEND"], self.namespace, metric, &[&self.points]);
        self.sent.push(metric);
        if self.known.is_due(hash, self.now) {
            self.unnamed.push(metric);
            self.asserted.push(hash);
        }
    }

    fn pack_names(&mut self, out: &mut Vec<u8>) {
        wire::pack_header(out, 2 + self.unnamed.len());
        wire::pack_bulk(out, &[b"SADD"]);
        wire::pack_bulk(out, &[self.unique_metrics.as_bytes()]);
        for name in self.unnamed.drain(..) {
            wire::pack_bulk(out, &[self.namespace.as_bytes(), name.as_bytes()]);
        }
        self.sent.push("");
    }

    fn finish(self) -> (Vec<u64>, Result<(), StoreError>) {
        let outcome = match self.failed {
            Some(error) => Err(error),
            None if self.refused.is_empty() => Ok(()),
            None => Err(StoreError::Refused {
                place: self.connect.place().to_owned(),
                metrics: self.refused,
                reason: self.refusal,
            }),
        };
        (self.asserted, outcome)
    }
}

impl Exchange for Append<'_> {
    fn pack(&mut self, out: &mut Vec<u8>) -> usize {
        let before = self.sent.len();
        while out.len() < CHUNK_BYTES
            && let Some((hash, index)) = self.order.first()
        {
            let metric = self.batch[*index as usize].metric;
            self.pack_metric(out, *hash, metric);
            if self.unnamed.len() == NAMES_A_COMMAND {
                self.pack_names(out);
            }
        }
        if self.order.is_empty() && !self.unnamed.is_empty() {
            self.pack_names(out);
        }
        self.sent.len() - before
    }

    /// Every reply is looked at, so that one refused metric does not hide what became of others.
    fn reply(&mut self, reply: Value) -> Result<(), StoreError> {
        let metric = self.sent[self.replied];
        self.replied += 1;
        let Value::ServerError(error) = reply else {
            return Ok(());
        };
        if !metric.is_empty() && failure::is_of_one_key(&error) {
            if self.refused.is_empty() {
                self.refusal = error.details().unwrap_or_default().to_owned();
            }
            self.refused.push(metric.to_owned());
        } else if self.failed.is_none() {
            self.failed = Some(failure::of_server(&self.connect, &error));
        }
        Ok(())
    }
}
