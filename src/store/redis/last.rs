//! Reading the last points of very many series: a GETRANGE from the end each, as long as the points asked for.
//!
//! Where that falls within a value of points of the usual length, it begins with a point. What begins or goes on otherwise is read
//! whole; so is what is no string, or not there.

use ::redis::Value;
use skywatch_algorithms::Series;

use super::server_store::ServerStore;
use super::wire::Exchange;
use super::{EachFetched, Fetched, RedisCursor, StoreError, codec, resp};

/// Commands in a chunk: some two hundred kilobytes of replies for the tails that are compared.
const CHUNK_COMMANDS: usize = 100;

impl ServerStore {
    pub(super) fn fetch_last_points(
        &mut self,
        metrics: &[&str],
        points: usize,
        into: &mut Series,
        each: &mut EachFetched<'_, RedisCursor>,
    ) -> Result<(), StoreError> {
        let namespace = self.namespace.clone();
        let length = points * codec::USUAL_POINT_BYTES;
        let mut exchange = LastPoints {
            namespace: &namespace,
            length,
            start: format!("-{length}"),
            metrics,
            packed: 0,
            replied: 0,
            unclear: Vec::new(),
            into,
            each,
        };
        self.wire.read(&mut exchange)?;
        let LastPoints {
            unclear, into, each, ..
        } = exchange;
        let names: Vec<&str> = unclear.iter().map(|index| metrics[*index]).collect();
        let outcome = self.fetch_whole(&names, into, &mut |index, series, fetched| {
            each(unclear[index], series, fetched);
        });
        self.redirected.places_in(&unclear);
        outcome
    }
}

struct LastPoints<'a, 'e> {
    namespace: &'a str,
    /// Bytes asked for.
    length: usize,
    /// From where, as an argument.
    start: String,
    metrics: &'a [&'a str],
    packed: usize,
    replied: usize,
    /// What must be read whole.
    unclear: Vec<usize>,
    into: &'a mut Series,
    each: &'a mut EachFetched<'e, RedisCursor>,
}

impl LastPoints<'_, '_> {
    fn next(&mut self) -> usize {
        self.replied += 1;
        self.replied - 1
    }
}

impl Exchange for LastPoints<'_, '_> {
    fn pack(&mut self, out: &mut Vec<u8>) -> usize {
        let chunk = self.metrics[self.packed..].iter().take(CHUNK_COMMANDS);
        let commands = chunk.len();
        for metric in chunk {
            let range: [&[u8]; 2] = [self.start.as_bytes(), b"-1"];
            resp::pack(out, &[b"GETRANGE"], self.namespace, metric, &range);
        }
        self.packed += commands;
        commands
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let index = self.next();
        self.into.clear();
        // A shorter value was read whole.
        let is_aligned = bytes.len() < self.length || codec::is_usual(bytes);
        match codec::decode(bytes, self.into) {
            Ok(report) if is_aligned && !bytes.is_empty() => {
                let cursor = RedisCursor::new(&[], 0);
                (self.each)(index, self.into, Fetched::Found { cursor, report });
            }
            _ => self.unclear.push(index),
        }
        Ok(())
    }

    fn reply(&mut self, reply: Value) -> Result<(), StoreError> {
        if let Value::BulkString(bytes) = reply {
            return self.bytes(&bytes);
        }
        let index = self.next();
        self.unclear.push(index);
        Ok(())
    }
}
