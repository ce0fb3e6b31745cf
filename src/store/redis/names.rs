//! The set of names.

use std::time::Instant;

use ::redis::Value;

use super::redirect::is_redirect;
use super::resp;
use super::server_store::ServerStore;
use super::{StoreError, failure};

/// Members asked for in one SSCAN, which keeps the server busy for well under a millisecond.
const SCAN_COUNT: &[u8] = b"2000";
/// Members put into or taken out of the set by one command.
const NAMES_A_COMMAND: usize = 256;
/// Before the key of the set: a number that grows when names have come.
pub(super) const ADDITIONS: &str = "skywatch.names.";

impl super::Names for ServerStore {
    fn count(&mut self) -> Result<u64, StoreError> {
        let mut packed = Vec::new();
        resp::pack(&mut packed, &[b"SCARD"], "", &self.unique_metrics, &[]);
        match self.wire.request(&packed, 1)?.pop() {
            Some(Value::Int(count)) => Ok(count.unsigned_abs()),
            other => Err(self.unexpected(other)),
        }
    }

    /// Whoever may not read the key learns of names by their count, and once a minute.
    fn additions(&mut self) -> Result<u64, StoreError> {
        let mut packed = Vec::new();
        resp::pack(&mut packed, &[b"GET"], ADDITIONS, &self.unique_metrics, &[]);
        let number = match self.wire.replies(&packed, 1)?.pop() {
            Some(Value::BulkString(digits)) => {
                str::from_utf8(&digits).ok().and_then(|text| text.parse().ok())
            }
            Some(Value::ServerError(error)) if is_redirect(error.code()) => {
                return Err(failure::of_server(self.wire.connect().server(), &error));
            }
            _ => None,
        };
        Ok(number.unwrap_or(0))
    }

    fn list(&mut self, each: &mut dyn FnMut(&str)) -> Result<(), StoreError> {
        self.scan(None, each)
    }

    fn list_until(&mut self, due: Instant, each: &mut dyn FnMut(&str)) -> Result<(), StoreError> {
        self.scan(Some(due), each)
    }

    fn change(&mut self, add: &[&str], remove: &[&str]) -> Result<(), StoreError> {
        if self.change_set(add, remove)?.added > 0 {
            self.announce_names();
        }
        Ok(())
    }
}

/// How many names were put into the set that were not there, and how many taken out that were.
pub(super) struct NamesChanged {
    pub(super) added: u64,
    pub(super) removed: u64,
}

impl ServerStore {
    /// Adds and removes names, which nobody is told of.
    pub(super) fn change_set(&mut self, add: &[&str], remove: &[&str]) -> Result<NamesChanged, StoreError> {
        self.known.forget(remove);
        let mut packed = Vec::new();
        let mut commands = 0;
        for (command, names) in [(b"SADD", add), (b"SREM", remove)] {
            for chunk in names.chunks(NAMES_A_COMMAND) {
                resp::pack_header(&mut packed, 2 + chunk.len());
                resp::pack_bulk(&mut packed, &[command]);
                resp::pack_bulk(&mut packed, &[self.unique_metrics.as_bytes()]);
                for name in chunk {
                    resp::pack_bulk(&mut packed, &[self.namespace.as_bytes(), name.as_bytes()]);
                }
                commands += 1;
            }
        }
        let replies = self.wire.request(&packed, commands)?;
        let (added, removed) = replies.split_at(add.len().div_ceil(NAMES_A_COMMAND));
        let sum = |replies: &[Value]| replies.iter().map(members).sum();
        Ok(NamesChanged {
            added: sum(added),
            removed: sum(removed),
        })
    }
}

/// How many members SADD or SREM says have come or gone.
pub(super) fn members(reply: &Value) -> u64 {
    match reply {
        Value::Int(members) => members.unsigned_abs(),
        _ => 0,
    }
}

impl ServerStore {
    /// Members without the namespace, or that are no text, are not ours to read and left out.
    fn scan(&mut self, due: Option<Instant>, each: &mut dyn FnMut(&str)) -> Result<(), StoreError> {
        let begun = Instant::now();
        let mut cursor = b"0".to_vec();
        let mut strangers = 0u64;
        loop {
            let mut packed = Vec::new();
            let arguments: [&[u8]; 3] = [&cursor, b"COUNT", SCAN_COUNT];
            resp::pack(&mut packed, &[b"SSCAN"], "", &self.unique_metrics, &arguments);
            let reply = self.wire.request(&packed, 1)?.pop();
            let Some((next, members)) = scan_reply(reply) else {
                return Err(self.unexpected(None));
            };
            for member in members {
                let Value::BulkString(member) = member else {
                    continue;
                };
                let name = member.strip_prefix(self.namespace.as_bytes());
                match name.and_then(|name| str::from_utf8(name).ok()) {
                    Some(name) => each(name),
                    None => strangers += 1,
                }
            }
            if next == b"0" {
                break;
            }
            cursor = next;
            if due.is_some_and(|due| Instant::now() >= due) {
                return Err(StoreError::Unavailable {
                    place: self.wire.connect().place().to_owned(),
                    reason: format!(
                        "the names are not all listed after {:.1} seconds",
                        begun.elapsed().as_secs_f64()
                    ),
                });
            }
        }
        if strangers > 0 {
            let set = &self.unique_metrics;
            tracing::debug!(strangers, %set, "members without the namespace are left out");
        }
        Ok(())
    }

    /// Notes that names have come, for those that watch the set. Should it fail, they are found a minute later; points must not
    /// wait for it.
    pub(super) fn announce_names(&mut self) {
        if let Err(error) = self.count_addition() {
            tracing::debug!("new names not announced :: {error}");
        }
    }

    pub(super) fn count_addition(&mut self) -> Result<(), StoreError> {
        let mut packed = Vec::new();
        resp::pack(&mut packed, &[b"INCR"], ADDITIONS, &self.unique_metrics, &[]);
        self.wire.request(&packed, 1).map(|_| ())
    }

    pub(super) fn unexpected(&self, reply: Option<Value>) -> StoreError {
        failure::unexpected(self.wire.connect().server(), &reply.unwrap_or(Value::Nil))
    }
}

fn scan_reply(reply: Option<Value>) -> Option<(Vec<u8>, Vec<Value>)> {
    let Some(Value::Array(parts)) = reply else {
        return None;
    };
    match <[Value; 2]>::try_from(parts) {
        Ok([Value::BulkString(next), Value::Array(members)]) => Some((next, members)),
        _ => None,
    }
}
