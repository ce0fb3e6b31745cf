//! Writing a batch: one APPEND a metric, and SADD for names not known to be in the set.
//!
//! APPEND answers how long the value is now. If that is no more than what was appended, the key was not there: it is new,
//! or a trimmer has removed it, and the name with it. Then the name is put into the set whatever is known of it. This is what makes it
//! safe to remove names: the writer that brings a metric back learns it from the server, and names it before its batch counts as
//! stored; if that fails, the batch is sent again, and nothing is taken as known of any of its names.

use ::redis::Value;

use super::known_names::KnownNames;
use super::names::members;
use super::redirect::Redirected;
use super::resp;
use super::server_store::ServerStore;
use super::wire::Exchange;
use super::{Names, RedisConnect, Sample, StoreError, codec, failure};

/// Packed bytes after which a chunk is sent: what a socket takes at once.
const CHUNK_BYTES: usize = 128 << 10;
/// Members put into one SADD, which keeps the server busy for well under a millisecond.
const NAMES_A_COMMAND: usize = 256;

/// What came of the points of a batch.
struct Appended {
    /// Hashes of all names.
    hashes: Vec<u64>,
    /// Hashes of those that are in the set from `now` on, or will be once `to_name` is.
    asserted: Vec<u64>,
    now: u32,
    /// Names to be put into the set.
    to_name: Vec<String>,
    /// A name has come that was not in the set.
    has_named: bool,
}

impl ServerStore {
    pub(super) fn append_batch(&mut self, batch: &[Sample<'_>]) -> Result<(), StoreError> {
        let (mut outcome, appended) = self.append_points(batch);
        // Even if the rest went wrong: sent again, these names will not be new.
        if appended.has_named {
            self.announce_names();
        }
        if is_stored(&outcome) && !appended.to_name.is_empty() {
            let made: Vec<&str> = appended.to_name.iter().map(String::as_str).collect();
            let named = Names::change(self, &made, &[]);
            outcome = named.and(outcome);
        }
        self.know(&appended, &outcome);
        outcome
    }

    /// The same at a node of a cluster, where the set of names is elsewhere: adds to `to_name` what the caller has to put into it before the
    /// batch counts as stored, and to [`forget`](KnownNames::forget) here if that fails.
    pub(super) fn append_as_member(
        &mut self,
        batch: &[Sample<'_>],
        to_name: &mut Vec<String>,
    ) -> Result<(), StoreError> {
        let (outcome, appended) = self.append_points(batch);
        self.know(&appended, &outcome);
        if is_stored(&outcome) {
            to_name.extend(appended.to_name);
        }
        outcome
    }

    fn know(&mut self, appended: &Appended, outcome: &Result<(), StoreError>) {
        if is_stored(outcome) {
            self.known.assert(&appended.asserted, appended.now);
        } else {
            // Some of the values may be new, and sending the batch again will not show it.
            self.known.forget_hashes(appended.hashes.iter().copied());
        }
    }

    fn append_points(&mut self, batch: &[Sample<'_>]) -> (Result<(), StoreError>, Appended) {
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
            names_elsewhere: self.redirected.is_of_member(),
            redirected: &mut self.redirected,
            now,
            batch,
            order: &order,
            points: Vec::new(),
            sent: Vec::new(),
            unnamed: Vec::new(),
            asserted: Vec::new(),
            to_name: Vec::new(),
            has_named: false,
            replied: 0,
            failed: None,
            refused: Vec::new(),
            refusal: String::new(),
        };
        let ran = self.wire.run(&mut exchange);
        let (appended, outcome) = exchange.finish();
        let outcome = ran.and(outcome);
        if matches!(outcome, Err(StoreError::ReadOnly { .. })) {
            // It was a primary when it was connected to; another server may be one now.
            self.wire.disconnect();
        }
        let hashes = order.iter().map(|(hash, _)| *hash).collect();
        (outcome, Appended { hashes, ..appended })
    }
}

/// Whether all of a batch is stored that ever will be.
fn is_stored(outcome: &Result<(), StoreError>) -> bool {
    matches!(outcome, Ok(()) | Err(StoreError::Refused { .. }))
}

/// An APPEND on its way.
struct SentCommand<'a> {
    /// The metric, to name it should it be refused; empty for a command that adds names.
    metric: &'a str,
    /// Its first sample in the batch.
    sample: usize,
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
    /// The set of names is on another server.
    names_elsewhere: bool,
    /// By the first sample of each metric.
    redirected: &'a mut Redirected,
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
    /// Metrics whose key an APPEND has made although their name was taken to be in the set, and those whose name is for another server.
    to_name: Vec<String>,
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
        let sample = self.order.first().map_or(0, |(_, index)| *index as usize);
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
            sample,
            bytes: self.points.len(),
            is_named,
        });
        if is_named {
            self.asserted.push(hash);
            match self.names_elsewhere {
                true => self.to_name.push(metric.to_owned()),
                false => self.unnamed.push(metric),
            }
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
            sample: 0,
            bytes: 0,
            is_named: true,
        });
    }

    fn finish(self) -> (Appended, Result<(), StoreError>) {
        let outcome = match self.failed {
            Some(error) => Err(error),
            None if self.refused.is_empty() => Ok(()),
            None => Err(StoreError::Refused {
                place: self.connect.place().to_owned(),
                metrics: self.refused,
                reason: self.refusal,
            }),
        };
        let appended = Appended {
            hashes: Vec::new(),
            asserted: self.asserted,
            now: self.now,
            to_name: self.to_name,
            has_named: self.has_named,
        };
        (appended, outcome)
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
            sample,
            bytes,
            is_named,
        } = self.sent[self.replied];
        self.replied += 1;
        let error = match reply {
            Value::ServerError(error) => error,
            Value::Int(length) if !is_named && usize::try_from(length) == Ok(bytes) => {
                self.to_name.push(metric.to_owned());
                return Ok(());
            }
            reply => {
                self.has_named |= metric.is_empty() && members(&reply) > 0;
                return Ok(());
            }
        };
        if self.redirected.takes_error(sample, &error) {
            return Ok(());
        }
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
