//! Trimming: looking at the front of values, and cutting the old points out of it.
//!
//! A look is STRLEN and the first bytes of a value, more of them only where these do not show where the old points end.
//! A cut is a short script that holds the seen bytes against the stored ones and, in the same step, stores
//! what is left; if nothing is left the key goes, and its name with it. So appends are never lost, a rewritten value
//! is never cut by mistake, and a metric that gets a point in the last moment stays.
//!
//! A name that goes with its key comes back with the next point of any writer: Horizon names a metric with every
//! point, ours (see [`append`](super::append)) when APPEND says that the key was not there.
//!
//! Old points behind newer ones are cut as far as they were looked at, so that one point from the future at the front does not
//! keep everything behind it for ever.

use std::ops::ControlFlow;
use std::time::Duration;

use ::redis::{ServerError, Value};

use super::resp;
use super::server_store::{ServerStore, types};
use super::slice_sizes::learn;
use super::{StoreError, Unreadable, codec, failure};
use crate::store::trim::{Trim, TrimLimits, Trimmed, Watch};

/// A value is cut once this part of it is old: a cut moves the whole rest, so it has to be worth it.
const SHARE: usize = 24;
/// Bytes of the first look: over four hours of points a minute apart.
const FIRST_LOOK_BYTES: usize = 4_096;
/// How many times as many bytes each look reads as the one before.
const DEEPER: usize = 8;
/// Bytes of the last look, which keeps one question short. Points behind them wait for the next trim.
const LAST_LOOK_BYTES: usize = 1 << 20;
/// Bytes that may be moved in one slice.
const SLICE_BYTES: usize = 512 << 10;
/// Removes the old points that were seen, if the front is still what was seen.
///
/// KEYS: the value, and the set of names if it is on this server. ARGV: the front as it was seen, and what of it stays.
/// Answers 0 if the front is another one, 1 for a cut, 2 if nothing was left.
///
/// The way of the rest through Lua is most of what a cut costs (70 of 80 µs for a day of minutes), so it is not joined to
/// nothing; a Redis has no other means of cutting a string.
///
/// A Redis at its `maxmemory` refuses a SET, even of less; the first line, which is known from Redis 7 on, says that this
/// one may be done.
const CUT: &str = "#!lua flags=allow-oom
if redis.pcall('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) ~= ARGV[1] then return 0 end
local left = redis.call('GETRANGE', KEYS[1], #ARGV[1], -1)
if ARGV[2] ~= '' then left = ARGV[2] .. left end
if left ~= '' then redis.call('SET', KEYS[1], left) return 1 end
redis.call('DEL', KEYS[1])
if KEYS[2] then redis.call('SREM', KEYS[2], KEYS[1]) end
return 2";

/// KEYS: the value, and the set of names if it is on this server. Answers how many names went, or may go.
const REMOVE_EMPTY: &str = "if redis.pcall('STRLEN', KEYS[1]) ~= 0 then return 0 end
redis.call('DEL', KEYS[1])
return KEYS[2] and redis.call('SREM', KEYS[2], KEYS[1]) or 1";

/// Whose turn a minute is.
pub(super) fn claim_key(namespace: &str, minute: u64) -> String {
    format!("skywatch.trim.{namespace}{minute}")
}

/// A value to be looked at, and how far.
struct FrontLook {
    index: usize,
    bytes: usize,
}

/// A value to be cut.
struct FrontCut {
    index: usize,
    /// Its front, whole points.
    seen: Vec<u8>,
    /// Those of them that stay.
    kept: Vec<u8>,
    /// Length of the whole value.
    length: usize,
}

/// What a look says about a value.
enum AfterLook {
    Done(Trimmed),
    Deeper(FrontLook),
    Cut(FrontCut),
}

impl Trim for ServerStore {
    fn trim(
        &mut self,
        metrics: &[&str],
        limits: TrimLimits,
        watch: &mut dyn Watch,
    ) -> Result<(), StoreError> {
        let mut work = TrimRun {
            store: self,
            metrics,
            limits,
            watch,
            deeper: Vec::new(),
            cuts: Vec::new(),
        };
        // Ended by `watch` or by itself: both are fine.
        work.run().map(|_| ())
    }

    fn remove_empty(&mut self, metrics: &[&str]) -> Result<u64, StoreError> {
        let mut removed = 0;
        for chunk in metrics.chunks(100) {
            let mut packed = Vec::new();
            for metric in chunk {
                self.pack_script(&mut packed, REMOVE_EMPTY, metric, &[]);
            }
            for reply in self.wire.request(&packed, chunk.len())? {
                removed += u64::from(reply == Value::Int(1));
            }
        }
        Ok(removed)
    }

    fn claim(&mut self, minute: u64, kept: Duration) -> Result<bool, StoreError> {
        let key = claim_key(&self.namespace, minute);
        let (value, kept) = (minute.to_string(), kept.as_millis().max(1).to_string());
        let mut packed = Vec::new();
        resp::pack(
            &mut packed,
            &[b"SET"],
            "",
            &key,
            &[value.as_bytes(), b"NX", b"PX", kept.as_bytes()],
        );
        match self.wire.request(&packed, 1) {
            // A user who may not write the key trims as if alone: twice costs less than never.
            Err(StoreError::Denied { .. }) => Ok(true),
            reply => Ok(reply? != [Value::Nil]),
        }
    }
}

impl ServerStore {
    /// Packs a script over one metric and, where it is on this server, the set of names.
    fn pack_script(&self, packed: &mut Vec<u8>, script: &str, metric: &str, arguments: &[&[u8]]) {
        let is_member = self.redirected.is_of_member();
        let keys: &[u8] = if is_member { b"1" } else { b"2" };
        let names = (!is_member).then_some(self.unique_metrics.as_bytes());
        let arguments: Vec<&[u8]> = names.into_iter().chain(arguments.iter().copied()).collect();
        let words = [b"EVAL", script.as_bytes(), keys];
        resp::pack(packed, &words, &self.namespace, metric, &arguments);
    }

    /// Of metrics of a node of a cluster, whose names are elsewhere: whether there is nothing under each. A key that is there and empty goes.
    pub(super) fn are_empty(&mut self, metrics: &[&str]) -> Result<Vec<bool>, StoreError> {
        let mut packed = Vec::new();
        for metric in metrics {
            self.pack_script(&mut packed, REMOVE_EMPTY, metric, &[]);
        }
        let replies = self.member_replies(&packed, metrics.len())?;
        Ok(replies.iter().map(|reply| *reply == Value::Int(1)).collect())
    }
}

/// One call.
struct TrimRun<'a> {
    store: &'a mut ServerStore,
    metrics: &'a [&'a str],
    limits: TrimLimits,
    watch: &'a mut dyn Watch,
    deeper: Vec<FrontLook>,
    cuts: Vec<FrontCut>,
}

type Flow = Result<ControlFlow<()>, StoreError>;

impl TrimRun<'_> {
    fn run(&mut self) -> Flow {
        let mut next = 0;
        while next < self.metrics.len() {
            let fits = self.store.slices.looks.min(SLICE_BYTES / FIRST_LOOK_BYTES);
            let end = self.metrics.len().min(next + fits);
            let looks: Vec<FrontLook> = (next..end)
                .map(|index| FrontLook {
                    index,
                    bytes: FIRST_LOOK_BYTES,
                })
                .collect();
            next = end;
            let took = self.look(&looks)?;
            learn(&mut self.store.slices.looks, looks.len(), took);
            if self.watch.worked(took).is_break() || self.follow_up()?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Does what the looks have called for, before there is more of it.
    fn follow_up(&mut self) -> Flow {
        while !self.deeper.is_empty() || !self.cuts.is_empty() {
            // Cuts first: they hold bytes.
            let took = if self.cuts.is_empty() {
                let slice = slice(&mut self.deeper, self.store.slices.deeper, |look| look.bytes);
                let took = self.look(&slice)?;
                learn(&mut self.store.slices.deeper, slice.len(), took);
                took
            } else {
                let slice = slice(&mut self.cuts, self.store.slices.cuts, |cut| {
                    cut.length + cut.seen.len()
                });
                let took = self.cut(&slice)?;
                learn(&mut self.store.slices.cuts, slice.len(), took);
                took
            };
            if self.watch.worked(took).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn look(&mut self, looks: &[FrontLook]) -> Result<Duration, StoreError> {
        let mut packed = Vec::new();
        for look in looks {
            let metric = self.metrics[look.index];
            let last = (look.bytes - 1).to_string();
            let namespace = &self.store.namespace;
            // Should a point come between the two, the length is a little too small, which does not matter.
            resp::pack(&mut packed, &[b"STRLEN"], namespace, metric, &[]);
            resp::pack(
                &mut packed,
                &[b"GETRANGE"],
                namespace,
                metric,
                &[b"0", last.as_bytes()],
            );
        }
        let (replies, took) = self.timed(&packed, 2 * looks.len())?;
        let mut wrong = Vec::new();
        for (look, replies) in looks.iter().zip(replies.as_chunks().0) {
            let sight = match replies {
                [Value::Int(length), Value::BulkString(front)] => {
                    let length = usize::try_from(*length).unwrap_or(0);
                    sight(look, front, length.max(front.len()), self.limits)
                }
                [_, Value::ServerError(error)] if failure::is_wrong_type(error) => {
                    wrong.push(look.index);
                    continue;
                }
                [_, second] if self.store.redirected.takes(look.index, second) => continue,
                [first, second] => return Err(self.refused(first, second)),
            };
            match sight {
                AfterLook::Done(trimmed) => self.watch.trimmed(look.index, trimmed),
                AfterLook::Deeper(look) => self.deeper.push(look),
                AfterLook::Cut(cut) => self.cuts.push(cut),
            }
        }
        let metric = |index: usize| self.metrics[index];
        let ServerStore {
            wire,
            redirected,
            namespace,
            ..
        } = &mut *self.store;
        for (index, found) in types(wire, redirected, namespace, metric, &wrong)? {
            self.watch.trimmed(index, Trimmed::Unreadable(found));
        }
        Ok(took)
    }

    fn cut(&mut self, cuts: &[FrontCut]) -> Result<Duration, StoreError> {
        let (mut replies, mut took) = self.send_cuts(cuts)?;
        if !self.store.slices.plain_script && replies.iter().any(is_of_the_script) {
            self.store.slices.plain_script = true;
            (replies, took) = self.send_cuts(cuts)?;
        }
        for (cut, reply) in cuts.iter().zip(&replies) {
            let bytes = cut.seen.len() - cut.kept.len();
            let trimmed = match reply {
                Value::Int(0) => Trimmed::Raced,
                Value::Int(1) => Trimmed::Cut { bytes },
                Value::Int(2) => Trimmed::Removed { bytes },
                other if self.store.redirected.takes(cut.index, other) => continue,
                other => return Err(self.refused(other, &Value::Nil)),
            };
            self.watch.trimmed(cut.index, trimmed);
        }
        Ok(took)
    }

    fn send_cuts(&mut self, cuts: &[FrontCut]) -> Result<(Vec<Value>, Duration), StoreError> {
        let script = match self.store.slices.plain_script {
            true => CUT.split_once('\n').map_or(CUT, |(_, plain)| plain),
            false => CUT,
        };
        let mut packed = Vec::new();
        for cut in cuts {
            let metric = self.metrics[cut.index];
            self.store
                .pack_script(&mut packed, script, metric, &[&cut.seen, &cut.kept]);
        }
        self.timed(&packed, cuts.len())
    }

    /// Sends commands between two looks at the server's clock.
    fn timed(&mut self, packed: &[u8], commands: usize) -> Result<(Vec<Value>, Duration), StoreError> {
        const TIME: &[u8] = b"*1\r\n$4\r\nTIME\r\n";
        let packed = [TIME, packed, TIME].concat();
        let mut replies = self.store.wire.replies(&packed, commands + 2)?;
        let end = replies.pop().unwrap_or(Value::Nil);
        let start = replies.remove(0);
        match (microseconds(&start), microseconds(&end)) {
            (Some(start), Some(end)) => Ok((replies, Duration::from_micros(end.saturating_sub(start)))),
            _ => Err(self.refused(&start, &end)),
        }
    }

    /// The error among two replies, or that there should have been one.
    fn refused(&self, first: &Value, second: &Value) -> StoreError {
        let server = self.store.wire.connect().server();
        match (first, second) {
            (Value::ServerError(error), _) | (_, Value::ServerError(error)) => {
                failure::of_server(server, error)
            }
            _ => failure::unexpected(server, first),
        }
    }
}

/// Takes from the end what fits into one slice, one at least.
fn slice<T>(waiting: &mut Vec<T>, most: usize, bytes_of: impl Fn(&T) -> usize) -> Vec<T> {
    let mut bytes = 0;
    let fits = waiting.iter().rev().take(most).take_while(|one| {
        bytes += bytes_of(one);
        bytes <= SLICE_BYTES
    });
    let fits = fits.count().max(1);
    waiting.split_off(waiting.len() - fits)
}

/// Judges a value by its front.
fn sight(look: &FrontLook, front: &[u8], length: usize, limits: TrimLimits) -> AfterLook {
    if front.is_empty() {
        return AfterLook::Done(Trimmed::Missing);
    }
    let mut kept = Vec::new();
    let mut has_times = false;
    let mut tells_the_rest = false;
    let seen = codec::walk(front, |time, point| {
        if time.is_none_or(|time| time <= limits.before) {
            has_times |= time.is_some();
        } else {
            has_times = true;
            kept.extend_from_slice(point);
        }
        if let Some(time) = time {
            tells_the_rest = time > limits.before && time <= limits.now;
        }
    });
    let seen = match seen {
        Ok(seen) => seen,
        Err(malformed) => return unreadable(Unreadable::Malformed(malformed)),
    };
    let is_all = front.len() < look.bytes;
    if !tells_the_rest && !is_all && look.bytes < LAST_LOOK_BYTES {
        return AfterLook::Deeper(FrontLook {
            index: look.index,
            bytes: (look.bytes * DEEPER).min(LAST_LOOK_BYTES),
        });
    }
    if !has_times {
        // Not one point with a time: msgpack of another kind, or the beginning of something large.
        return unreadable(Unreadable::Malformed(codec::Malformed { offset: 0 }));
    }
    let old = seen - kept.len();
    if old == 0 || old * SHARE < length && look.bytes < LAST_LOOK_BYTES {
        return AfterLook::Done(Trimmed::Kept);
    }
    AfterLook::Cut(FrontCut {
        index: look.index,
        seen: front[..seen].to_vec(),
        kept,
        length,
    })
}

fn unreadable(why: Unreadable) -> AfterLook {
    AfterLook::Done(Trimmed::Unreadable(why))
}

/// Whether a reply says that the server cannot read the script.
fn is_of_the_script(reply: &Value) -> bool {
    matches!(reply, Value::ServerError(error) if details(error).contains("compiling script"))
}

fn details(error: &ServerError) -> &str {
    error.details().unwrap_or_default()
}

/// The reply to TIME.
fn microseconds(reply: &Value) -> Option<u64> {
    let Value::Array(parts) = reply else {
        return None;
    };
    let number = |part: &Value| match part {
        Value::BulkString(digits) => str::from_utf8(digits).ok()?.parse::<u64>().ok(),
        _ => None,
    };
    Some(number(parts.first()?)? * 1_000_000 + number(parts.get(1)?)?)
}
