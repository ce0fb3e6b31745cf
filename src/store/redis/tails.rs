//! Reading only what is new.
//!
//! A trimmer cuts the front of a value at any time, so offsets from the start mean nothing. The
//! cursor therefore remembers the last bytes it has seen, a little more than the end of the value
//! is asked for, and what follows those bytes in the reply is new. Rules that keep this right:
//!
//! - Of several places where the bytes are found the *first* counts. What is then read again is
//!   known and changes nothing once canonical; the last place could skip new points between two.
//! - A point *before* that place with a later time than the bytes end with makes it doubtful: the
//!   bytes may have been sent again, behind new points. A larger reply shows the first place.
//! - If what follows does not decode, the place was chance or the value is broken: the series is
//!   lost and read whole, which decides.
//! - Bytes not found in the first reply are looked for in a larger one before giving up.
//!
//! Two things no suffix can show, and only the next whole read repairs: a point older than the
//! remembered ones that a *sorting* trimmer moved in front of them before it was read, and new
//! points followed by so long a replay of old ones that the reply holds nothing else.

use ::redis::Value;
use skywatch_algorithms::Series;

use super::wire::{self, Exchange};
use super::{EachTail, RedisConnect, RedisStore, StoreError, Tail, codec, failure};

/// Four usual points.
const ANCHOR_BYTES: usize = 4 * codec::USUAL_POINT_BYTES;
/// Room for new points that is asked for at least: two of them.
const LEAST_NEW_BYTES: u16 = 2 * codec::USUAL_POINT_BYTES as u16;
const MOST_NEW_BYTES: u16 = 4_000;
/// What the second look asks for: a few hundred points.
const SECOND_LOOK_BYTES: usize = 8_192;
/// Commands in a chunk: about 100 kB each way.
const CHUNK_COMMANDS: usize = 1_000;

/// The last bytes seen of a series, and how much is expected to follow them.
#[derive(Debug, Clone)]
pub struct RedisCursor {
    anchor: [u8; ANCHOR_BYTES],
    length: u8,
    new_bytes: u16,
}

impl RedisCursor {
    /// A cursor behind the last of some whole points.
    pub(super) fn at_end(points: &[u8]) -> Self {
        let tail = &points[points.len().saturating_sub(ANCHOR_BYTES)..];
        let mut anchor = [0; ANCHOR_BYTES];
        anchor[..tail.len()].copy_from_slice(tail);
        Self {
            anchor,
            length: tail.len() as u8,
            new_bytes: LEAST_NEW_BYTES,
        }
    }

    fn anchor(&self) -> &[u8] {
        &self.anchor[..usize::from(self.length)]
    }

    /// Whether the series had nothing in front of the anchor when the cursor was made.
    fn is_whole_series(&self) -> bool {
        self.anchor().len() < ANCHOR_BYTES
    }

    /// Bytes to ask for.
    fn reach(&self) -> usize {
        usize::from(self.length) + usize::from(self.new_bytes)
    }

    /// The first place in `reply` where the anchor is found.
    fn find(&self, reply: &[u8]) -> Option<usize> {
        let anchor = self.anchor();
        let (first, _) = anchor.split_first()?;
        let last_place = reply.len().checked_sub(anchor.len())?;
        (0..=last_place).find(|at| reply[*at] == *first && reply[*at..].starts_with(anchor))
    }

    /// Whether some point in front of the place where the anchor was found is newer than it.
    fn is_doubtful(&self, before: &[u8]) -> bool {
        let Some(newest) = self.anchor().last_chunk().and_then(codec::usual_time) else {
            return false;
        };
        let points = before.rchunks_exact(codec::USUAL_POINT_BYTES);
        let times = points.map_while(|point| point.first_chunk().and_then(codec::usual_time));
        times.into_iter().any(|time| time > newest)
    }

    /// Reads the end of a value into the empty `into`. `None` if a larger piece of it may say more.
    fn read(&self, reply: &[u8], asked: usize, into: &mut Series) -> Option<Tail<Self>> {
        if reply.is_empty() {
            return Some(Tail::Missing);
        }
        let more_may_say_more = reply.len() == asked && asked < SECOND_LOOK_BYTES;
        let Some(place) = self.find(reply) else {
            return (!more_may_say_more).then_some(Tail::Lost);
        };
        if place > 0 && self.is_whole_series() {
            return Some(Tail::Lost);
        }
        if more_may_say_more && self.is_doubtful(&reply[..place]) {
            return None;
        }
        let new = &reply[place + self.anchor().len()..];
        let Ok(report) = codec::decode(new, into) else {
            into.clear();
            return Some(Tail::Lost);
        };
        if report.points + report.skipped == 0 {
            return Some(Tail::Unchanged);
        }
        let mut cursor = Self::at_end(&reply[..reply.len() - report.truncated_bytes]);
        // Twice what came, or half of what was expected: bursts are met at once, calm comes slowly.
        let twice = u16::try_from(2 * new.len()).unwrap_or(u16::MAX);
        cursor.new_bytes = twice
            .max(self.new_bytes / 2)
            .clamp(LEAST_NEW_BYTES, MOST_NEW_BYTES);
        Some(Tail::New { cursor, report })
    }
}

impl RedisStore {
    pub(super) fn fetch_ends(
        &mut self,
        asks: &[(&str, &RedisCursor)],
        into: &mut Series,
        each: &mut EachTail<'_, RedisCursor>,
    ) -> Result<(), StoreError> {
        let mut wrong = Vec::new();
        let all: Vec<u32> = (0u32..).take(asks.len()).collect();
        let unclear = self.look(asks, &all, None, &mut wrong, into, each)?;
        if !unclear.is_empty() {
            self.look(asks, &unclear, Some(SECOND_LOOK_BYTES), &mut wrong, into, each)?;
        }
        let names: Vec<&str> = wrong.iter().map(|index| asks[*index].0).collect();
        for (index, found) in wrong.iter().zip(self.types(&names)?) {
            into.clear();
            each(*index, into, Tail::Unreadable(found));
        }
        Ok(())
    }

    /// Asks for the ends of some series and returns those a larger piece may say more of.
    fn look(
        &mut self,
        asks: &[(&str, &RedisCursor)],
        which: &[u32],
        reach: Option<usize>,
        wrong: &mut Vec<usize>,
        into: &mut Series,
        each: &mut EachTail<'_, RedisCursor>,
    ) -> Result<Vec<u32>, StoreError> {
        let mut exchange = Ends {
            connect: self.wire.connect().clone(),
            namespace: &self.namespace,
            asks,
            which,
            reach,
            packed: 0,
            replied: 0,
            start: Vec::new(),
            unclear: Vec::new(),
            wrong,
            into,
            each,
        };
        self.wire.run(&mut exchange)?;
        Ok(exchange.unclear)
    }
}

struct Ends<'a, 'e> {
    connect: RedisConnect,
    namespace: &'a str,
    asks: &'a [(&'a str, &'a RedisCursor)],
    which: &'a [u32],
    /// Bytes to ask for instead of what each cursor says.
    reach: Option<usize>,
    packed: usize,
    replied: usize,
    /// The start of the range as an argument.
    start: Vec<u8>,
    unclear: Vec<u32>,
    wrong: &'a mut Vec<usize>,
    into: &'a mut Series,
    each: &'a mut EachTail<'e, RedisCursor>,
}

impl Ends<'_, '_> {
    fn reach(&self, cursor: &RedisCursor) -> usize {
        self.reach.unwrap_or_else(|| cursor.reach())
    }
}

impl Exchange for Ends<'_, '_> {
    fn pack(&mut self, out: &mut Vec<u8>) -> usize {
        let chunk = self.which[self.packed..].iter().take(CHUNK_COMMANDS);
        let commands = chunk.len();
        for index in chunk {
            let (metric, cursor) = self.asks[*index as usize];
            let reach = self.reach(cursor);
            self.start.clear();
            self.start.push(b'-');
            wire::pack_decimal(&mut self.start, reach);
            let range: [&[u8]; 2] = [&self.start, b"-1"];
            wire::pack(out, &[b"GETRANGE"], self.namespace, metric, &range);
        }
        self.packed += commands;
        commands
    }

    fn reply(&mut self, reply: Value) -> Result<(), StoreError> {
        let index = self.which[self.replied];
        self.replied += 1;
        let (_, cursor) = self.asks[index as usize];
        self.into.clear();
        let tail = match reply {
            Value::BulkString(bytes) => match cursor.read(&bytes, self.reach(cursor), self.into) {
                Some(tail) => tail,
                None => {
                    self.unclear.push(index);
                    return Ok(());
                }
            },
            Value::Nil => Tail::Missing,
            Value::ServerError(error) if failure::is_wrong_type(&error) => {
                self.wrong.push(index as usize);
                return Ok(());
            }
            Value::ServerError(error) => return Err(failure::of_server(&self.connect, &error)),
            other => return Err(failure::unexpected(&self.connect, &other)),
        };
        (self.each)(index as usize, self.into, tail);
        Ok(())
    }
}
