//! Reading only what is new, by the rules of [`cursor`](super::cursor): a GETRANGE a metric, and
//! for the few that call for a second look, a GETRANGE of the end with a STRLEN in front of it.

use ::redis::Value;
use skywatch_algorithms::Series;

use super::cursor::SECOND_LOOK_BYTES;
use super::redirect::Redirected;
use super::resp;
use super::server_store::{ServerStore, types};
use super::wire::Exchange;
use super::{EachTail, RedisConnect, RedisCursor, StoreError, Tail, failure};

/// Metrics in a chunk of commands: about 100 kB each way.
const CHUNK_METRICS: usize = 1_000;

type Asks<'a> = [(&'a str, &'a RedisCursor)];

impl ServerStore {
    pub(super) fn fetch_ends(
        &mut self,
        asks: &Asks<'_>,
        into: &mut Series,
        each: &mut EachTail<'_, RedisCursor>,
    ) -> Result<(), StoreError> {
        let mut looks = Looks {
            connect: self.wire.connect().clone(),
            namespace: &self.namespace,
            asks,
            unclear: Vec::new(),
            wrong: Vec::new(),
            redirected: &mut self.redirected,
            argument: Vec::new(),
            into,
            each,
        };
        self.wire.read(&mut First {
            looks: &mut looks,
            packed: 0,
            replied: 0,
        })?;
        let which = std::mem::take(&mut looks.unclear);
        if !which.is_empty() {
            let rest = &which;
            self.wire.read(&mut Second {
                looks: &mut looks,
                which: rest,
                packed: 0,
                replied: 0,
                length: None,
            })?;
        }
        let Looks {
            wrong,
            redirected,
            into,
            each,
            ..
        } = looks;
        for (index, found) in types(
            &mut self.wire,
            redirected,
            &self.namespace,
            |index| asks[index].0,
            &wrong,
        )? {
            into.clear();
            each(index, into, Tail::Unreadable(found));
        }
        Ok(())
    }
}

/// What both looks share.
struct Looks<'a, 'e> {
    connect: RedisConnect,
    namespace: &'a str,
    asks: &'a Asks<'a>,
    /// Metrics that need the second look.
    unclear: Vec<usize>,
    /// Keys that are no strings; what they are is asked for in the end.
    wrong: Vec<usize>,
    redirected: &'a mut Redirected,
    /// The changing argument of a command, as text.
    argument: Vec<u8>,
    into: &'a mut Series,
    each: &'a mut EachTail<'e, RedisCursor>,
}

impl Looks<'_, '_> {
    /// Takes a reply that is no string: notes a key of another type, or that another node has.
    fn no_string(&mut self, index: usize, reply: Value) -> Result<(), StoreError> {
        match reply {
            reply if self.redirected.takes(index, &reply) => Ok(()),
            Value::ServerError(error) if failure::is_wrong_type(&error) => {
                self.wrong.push(index);
                Ok(())
            }
            Value::ServerError(error) => Err(failure::of_server(self.connect.server(), &error)),
            other => Err(failure::unexpected(self.connect.server(), &other)),
        }
    }
}

struct First<'a, 'b, 'e> {
    looks: &'b mut Looks<'a, 'e>,
    packed: usize,
    replied: usize,
}

impl Exchange for First<'_, '_, '_> {
    fn pack(&mut self, out: &mut Vec<u8>) -> usize {
        let looks = &mut *self.looks;
        let chunk = looks.asks[self.packed..].iter().take(CHUNK_METRICS);
        let metrics = chunk.len();
        for (metric, cursor) in chunk {
            looks.argument.clear();
            resp::pack_decimal(&mut looks.argument, cursor.start());
            resp::pack(
                out,
                &[b"GETRANGE"],
                looks.namespace,
                metric,
                &[&looks.argument, b"-1"],
            );
        }
        self.packed += metrics;
        metrics
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let index = self.replied;
        self.replied += 1;
        let looks = &mut *self.looks;
        looks.into.clear();
        match looks.asks[index].1.first_look(bytes, looks.into) {
            Some(tail) => (looks.each)(index, looks.into, tail),
            None => looks.unclear.push(index),
        }
        Ok(())
    }

    fn reply(&mut self, reply: Value) -> Result<(), StoreError> {
        if let Value::BulkString(bytes) = reply {
            return self.bytes(&bytes);
        }
        let index = self.replied;
        self.replied += 1;
        self.looks.no_string(index, reply)
    }
}

struct Second<'a, 'b, 'e> {
    looks: &'b mut Looks<'a, 'e>,
    which: &'b [usize],
    packed: usize,
    replied: usize,
    /// The length of the value whose end comes next.
    length: Option<usize>,
}

impl Exchange for Second<'_, '_, '_> {
    fn pack(&mut self, out: &mut Vec<u8>) -> usize {
        let looks = &mut *self.looks;
        let chunk = self.which[self.packed..].iter().take(CHUNK_METRICS / 10);
        let metrics = chunk.len();
        looks.argument.clear();
        looks.argument.push(b'-');
        resp::pack_decimal(&mut looks.argument, SECOND_LOOK_BYTES);
        for index in chunk {
            let (metric, _) = looks.asks[*index];
            // Should a point come between the two, the length is too small and the next look is
            // unclear again: never wrong.
            resp::pack(out, &[b"STRLEN"], looks.namespace, metric, &[]);
            resp::pack(
                out,
                &[b"GETRANGE"],
                looks.namespace,
                metric,
                &[&looks.argument, b"-1"],
            );
        }
        self.packed += metrics;
        2 * metrics
    }

    fn reply(&mut self, reply: Value) -> Result<(), StoreError> {
        let Some(length) = self.length.take() else {
            self.length = Some(match reply {
                Value::Int(length) => usize::try_from(length).unwrap_or(0),
                // Another type; the GETRANGE says so as well.
                _ => 0,
            });
            return Ok(());
        };
        let index = self.which[self.replied];
        self.replied += 1;
        let looks = &mut *self.looks;
        let Value::BulkString(bytes) = reply else {
            return looks.no_string(index, reply);
        };
        looks.into.clear();
        let tail = looks.asks[index].1.second_look(&bytes, length, looks.into);
        (looks.each)(index, looks.into, tail);
        Ok(())
    }
}
