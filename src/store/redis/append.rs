//! Writing a batch: one APPEND a metric, and SADD for names not known to be in the set.
//!
//! APPEND answers how long the value is now. If that is no more than what was appended, the key was not there: it is new,
//! or a trimmer has removed it, and the name with it. Then the name is put into the set whatever is known of it. This is what makes it
//! safe to remove names: the writer that brings a metric back learns it from the server, and names it before its batch counts as
//! stored; if that fails, the batch is sent again, and nothing is taken as known of any of its names.

use ::redis::Value;

use super::known_names::KnownNames;
use super::names::has_added;
use super::resp;
use super::wire::Exchange;
use super::{Names, RedisConnect, RedisStore, Sample, StoreError, codec, failure};

/// Packed bytes after which a chunk is sent: what a socket takes at once.
const CHUNK_BYTES: usize = 128 << 10;
/// Members put into one SADD, which keeps the server busy for well under a millisecond.
const NAMES_A_COMMAND: usize = 256;
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
            made: Vec::new(),
            has_named: false,
            replied: 0,
            failed: None,
            refused: Vec::new(),
            refusal: String::new(),
        };
        let ran = self.wire.run(&mut exchange);
        let has_named = exchange.has_named;
        let (asserted, made, outcome) = exchange.finish();
        let mut outcome = ran.and(outcome);
        if matches!(outcome, Err(StoreError::ReadOnly { .. })) {
            // It was a primary when it was connected to; another server may be one now.
            self.wire.disconnect();
        }
        // Even if the rest went wrong: sent again, these names will not be new.
        if has_named {
            self.announce_names();
        }
        if matches!(outcome, Ok(()) | Err(StoreError::Refused { .. })) && !made.is_empty() {
            let made: Vec<&str> = made.iter().map(String::as_str).collect();
            let named = Names::change(self, &made, &[]);
            outcome = named.and(outcome);
        }
        match outcome {
            Ok(()) | Err(StoreError::Refused { .. }) => self.known.assert(&asserted, now),
            // Some of the values may be new, and sending the batch again will not show it.
            Err(_) => self.known.forget_hashes(order.iter().map(|(hash, _)| *hash)),
        }
        outcome
    }
}

/// An APPEND on its way.
struct SentCommand<'a> {
    /// The metric, to name it should it be refused; empty for a command that adds names.
    metric: &'a str,
    /// Bytes appended.
    bytes: usize,
    /// Whether its name is put into the set by the same exchange, behind it.
    is_named: bool,
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
    sent: Vec<SentCommand<'a>>,
    /// Names still to be put into the set.
    unnamed: Vec<&'a str>,
    asserted: Vec<u64>,
    /// Metrics whose key an APPEND has made although their name was taken to be in the set.
    made: Vec<String>,
    /// A name has come that was not in the set.
    has_named: bool,
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
        resp::pack(out, &[b"APPEND"], self.namespace, metric, &[&self.points]);
        let is_named = self.known.is_due(hash, self.now);
        self.sent.push(SentCommand {
            metric,
            bytes: self.points.len(),
            is_named,
        });
        if is_named {
            self.unnamed.push(metric);
            self.asserted.push(hash);
        }
    }

    fn pack_names(&mut self, out: &mut Vec<u8>) {
        resp::pack_header(out, 2 + self.unnamed.len());
        resp::pack_bulk(out, &[b"SADD"]);
        resp::pack_bulk(out, &[self.unique_metrics.as_bytes()]);
        for name in self.unnamed.drain(..) {
            resp::pack_bulk(out, &[self.namespace.as_bytes(), name.as_bytes()]);
        }
        self.sent.push(SentCommand {
            metric: "",
            bytes: 0,
            is_named: true,
        });
    }

    fn finish(self) -> (Vec<u64>, Vec<String>, Result<(), StoreError>) {
        let outcome = match self.failed {
            Some(error) => Err(error),
            None if self.refused.is_empty() => Ok(()),
            None => Err(StoreError::Refused {
                place: self.connect.place().to_owned(),
                metrics: self.refused,
                reason: self.refusal,
            }),
        };
        (self.asserted, self.made, outcome)
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
        let SentCommand {
            metric,
            bytes,
            is_named,
        } = self.sent[self.replied];
        self.replied += 1;
        let error = match reply {
            Value::ServerError(error) => error,
            Value::Int(length) if !is_named && usize::try_from(length) == Ok(bytes) => {
                self.made.push(metric.to_owned());
                return Ok(());
            }
            reply => {
                self.has_named |= metric.is_empty() && has_added(&reply);
                return Ok(());
            }
        };
        if !metric.is_empty() && failure::is_of_one_key(&error) {
            if self.refused.is_empty() {
                self.refusal = error.details().unwrap_or_default().to_owned();
            }
            self.refused.push(metric.to_owned());
        } else if self.failed.is_none() {
            self.failed = Some(failure::of_server(self.connect.server(), &error));
        }
        Ok(())
    }
}
