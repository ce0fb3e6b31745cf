//! Reading whole series.
//!
//! GETRANGE from 0 to the limit, pipelined, rather than MGET: it is as fast (both wait for the
//! server), cannot be made to read more than the limit, and answers for a key of another type by
//! itself. A value is decoded where it lies in the connection's buffer.

use ::redis::Value;
use skywatch_algorithms::Series;

use super::redirect::Redirected;
use super::resp;
use super::server_store::{ServerStore, shrink, types};
use super::wire::Exchange;
use super::{EachFetched, Fetched, RedisConnect, RedisCursor, StoreError, Unreadable, codec, failure};

/// Bytes of replies a chunk of commands should bring: what the socket takes at once. Of more, the server builds replies in
/// fresh memory while this side waits.
const CHUNK_BYTES: usize = 256 << 10;
const CHUNK_COMMANDS: usize = 1_000;

impl ServerStore {
    pub(super) fn fetch_whole(
        &mut self,
        metrics: &[&str],
        into: &mut Series,
        each: &mut EachFetched<'_, RedisCursor>,
    ) -> Result<(), StoreError> {
        let mut exchange = Whole {
            connect: self.wire.connect().clone(),
            namespace: &self.namespace,
            limit: self.max_value_bytes,
            last: self.max_value_bytes.to_string(),
            usual_bytes: &mut self.usual_series_bytes,
            metrics,
            packed: 0,
            replied: 0,
            wrong: Vec::new(),
            redirected: &mut self.redirected,
            into,
            each,
        };
        self.wire.read(&mut exchange)?;
        let wrong = exchange.wrong;
        let (wire, redirected) = (&mut self.wire, &mut self.redirected);
        for (index, found) in types(wire, redirected, &self.namespace, |index| metrics[index], &wrong)? {
            into.clear();
            let found = match found {
                Unreadable::WrongType(kind) if kind == "none" => Fetched::Missing,
                Unreadable::WrongType(kind) if kind == "string" => Fetched::Found {
                    cursor: RedisCursor::new(&[], 0),
                    report: codec::DecodeReport::default(),
                },
                found => Fetched::Unreadable(found),
            };
            each(index, into, found);
        }
        Ok(())
    }
}

struct Whole<'a, 'e> {
    connect: RedisConnect,
    namespace: &'a str,
    limit: usize,
    /// The limit as an argument: one byte more than may be taken, so that too much shows.
    last: String,
    usual_bytes: &'a mut usize,
    metrics: &'a [&'a str],
    packed: usize,
    replied: usize,
    /// Keys that are no strings, or empty, or not there; what they are is asked for in the end.
    wrong: Vec<usize>,
    redirected: &'a mut Redirected,
    into: &'a mut Series,
    each: &'a mut EachFetched<'e, RedisCursor>,
}

impl Exchange for Whole<'_, '_> {
    fn pack(&mut self, out: &mut Vec<u8>) -> usize {
        let room = (CHUNK_BYTES / (*self.usual_bytes).max(1)).clamp(1, CHUNK_COMMANDS);
        let chunk = self.metrics[self.packed..].iter().take(room);
        let commands = chunk.len();
        for metric in chunk {
            let range: [&[u8]; 2] = [b"0", self.last.as_bytes()];
            resp::pack(out, &[b"GETRANGE"], self.namespace, metric, &range);
        }
        self.packed += commands;
        commands
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let index = self.replied;
        self.replied += 1;
        // GETRANGE gives the same for a key that is not there.
        if bytes.is_empty() {
            self.wrong.push(index);
            return Ok(());
        }
        // A moving average over about 16 series.
        *self.usual_bytes = (*self.usual_bytes * 15 + bytes.len()) / 16;
        self.into.clear();
        let found = whole(bytes, self.limit, self.into);
        (self.each)(index, self.into, found);
        shrink(self.into);
        Ok(())
    }

    fn reply(&mut self, reply: Value) -> Result<(), StoreError> {
        if let Value::BulkString(bytes) = reply {
            return self.bytes(&bytes);
        }
        let index = self.replied;
        self.replied += 1;
        if self.redirected.takes(index, &reply) {
            return Ok(());
        }
        self.into.clear();
        let found = match reply {
            Value::Nil => Fetched::Missing,
            Value::ServerError(error) if failure::is_wrong_type(&error) => {
                self.wrong.push(index);
                return Ok(());
            }
            Value::ServerError(error) => return Err(failure::of_server(self.connect.server(), &error)),
            other => return Err(failure::unexpected(self.connect.server(), &other)),
        };
        (self.each)(index, self.into, found);
        Ok(())
    }
}

fn whole(bytes: &[u8], limit: usize, into: &mut Series) -> Fetched<RedisCursor> {
    if bytes.len() > limit {
        return Fetched::Unreadable(Unreadable::TooLarge { limit });
    }
    match codec::decode(bytes, into) {
        Ok(report) => {
            let end = bytes.len() - report.truncated_bytes;
            Fetched::Found {
                cursor: RedisCursor::new(&bytes[..end], end),
                report,
            }
        }
        Err(malformed) => Fetched::Unreadable(Unreadable::Malformed(malformed)),
    }
}
