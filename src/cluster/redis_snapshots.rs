//! Snapshots in a Redis: for each virtual shard a hash of parts and, beside it, a fence.
//!
//! `skywatch.cluster.{NAMESPACE/SHARD}.snapshot` and `.fence` have a hash tag of their own, so that the snapshots of all shards are
//! spread over the primaries of a cluster. The table of leases is on one of them, and no step reaches over two: the fence is
//! the token of the last owner that has claimed the snapshot or changed it, and the check of a token against it is one script with the
//! change.
//!
//! Epochs of a shard grow with each owner, so of two tokens the one of the higher epoch is the later one. Only where the table has
//! lost what it had confirmed (a fail-over, a primary that came back empty) they begin below a fence that was not lost with it.
//! Who is refused therefore looks into the table: if that names him as the present owner, nobody can hold the shard under the fence's
//! epoch, and the fence is set to his, unless it has changed meanwhile. Who held it under an epoch that was lost ends with his
//! next heartbeat.

use std::time::Duration;

use ::redis::{Value, cmd, from_redis_value};

use super::lease_store::FencingToken;
use super::redis_link::{RedisLink, text};
use super::snapshot_store::SnapshotStore;
use super::virtual_shard::VirtualShard;
use crate::store::StoreError;
use crate::store::redis::RedisConnect;

/// How long parts are kept that nobody renews, milliseconds: a week, as the states on a node's disk that nobody takes.
const KEPT_MS: u64 = 7 * 86_400_000;

/// KEYS fence snapshot; ARGV epoch session kept. Answers the fence instead of going on if it is of a later owner.
const CHECK: &str = "
local fence = redis.call('GET', KEYS[1])
local epoch, owner = string.match(fence or '', '^(%d+) (.*)$')
if epoch and (tonumber(epoch) > tonumber(ARGV[1]) or (tonumber(epoch) == tonumber(ARGV[1]) and owner ~= ARGV[2])) then
  return {'later', fence}
end
local function is_ours()
  redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2], 'PX', ARGV[3])
end
";

/// Behind the check. Where there is nothing nobody has to be kept from it.
const CLAIM: &str = "
local names = redis.call('HKEYS', KEYS[2])
if #names > 0 then is_ours() end
return {'done', names}";

/// Behind the check: ARGV name bytes.
const WRITE: &str = "
is_ours()
redis.call('HSET', KEYS[2], ARGV[4], ARGV[5])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return {'done'}";

/// Behind the check: ARGV names.
const REMOVE: &str = "
is_ours()
for at = 4, #ARGV do redis.call('HDEL', KEYS[2], ARGV[at]) end
return {'done'}";

/// KEYS fence; ARGV the fence as it was found, token kept.
const LOWER: &str = "
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1";

/// A handle of the snapshots.
pub struct RedisSnapshots {
    namespace: String,
    /// To the table of leases.
    table: RedisLink,
    /// To the snapshot that was asked about last.
    parts: RedisLink,
}

impl RedisSnapshots {
    /// Those of all nodes that watch the metrics of one namespace; connects at the first call.
    #[must_use]
    pub fn new(connect: &RedisConnect, namespace: &str, limit: Duration) -> Self {
        Self {
            namespace: namespace.to_owned(),
            table: RedisLink::new(connect, namespace, limit),
            parts: RedisLink::new(connect, namespace, limit),
        }
    }

    /// Does what follows the check with these arguments, and gives what it answers; nothing if a later owner has been here.
    fn guarded(
        &mut self,
        step: &str,
        shard: VirtualShard,
        token: &FencingToken,
        arguments: &[&[u8]],
    ) -> Result<Option<Vec<Value>>, StoreError> {
        self.parts.turn_to(&self.namespace, shard.0);
        let mut command = self
            .parts
            .script(&format!("{CHECK}{step}"), &["fence", "snapshot"]);
        command
            .arg(token.epoch)
            .arg(&token.session)
            .arg(KEPT_MS)
            .arg(arguments);
        // Once more, where a fence was of an owner that the table has lost; whoever comes between is a later one.
        for _ in 0..2 {
            let reply = self.parts.ask(&command)?;
            let Value::Array(mut reply) = reply else {
                return Err(self.parts.unreadable("snapshot"));
            };
            let later = match (reply.first().and_then(text), reply.get(1).and_then(text)) {
                (Some("done"), _) => return Ok(Some(reply.split_off(1))),
                (Some("later"), Some(fence)) => fence,
                _ => return Err(self.parts.unreadable("snapshot")),
            };
            if !self.is_present_owner(shard, token)? {
                break;
            }
            let mut lower = self.parts.script(LOWER, &["fence"]);
            lower.arg(later).arg(token.to_string()).arg(KEPT_MS);
            self.parts.ask(&lower)?;
        }
        Ok(None)
    }

    /// Whether the table says that the shard is held under this token.
    fn is_present_owner(&mut self, shard: VirtualShard, token: &FencingToken) -> Result<bool, StoreError> {
        let mut row = cmd("HGET");
        row.arg(self.table.key("shards")).arg(shard.0);
        let row = self.table.ask(&row)?;
        Ok(text(&row) == Some(token.to_string().as_str()))
    }
}

impl SnapshotStore for RedisSnapshots {
    fn claim(
        &mut self,
        shard: VirtualShard,
        token: &FencingToken,
    ) -> Result<Option<Vec<String>>, StoreError> {
        let names = match self.guarded(CLAIM, shard, token, &[]) {
            Ok(None) => return Ok(None),
            Ok(Some(mut reply)) => reply.pop(),
            // A full Redis, or one that may only be read: nobody writes then.
            Err(error) if error.is_of_writes_only() || matches!(error, StoreError::Denied { .. }) => {
                return self.names(shard).map(Some);
            }
            Err(error) => return Err(error),
        };
        let names = names.and_then(|names| from_redis_value(names).ok());
        names.map(Some).ok_or_else(|| self.parts.unreadable("snapshot"))
    }

    fn write(
        &mut self,
        shard: VirtualShard,
        token: &FencingToken,
        name: &str,
        bytes: &[u8],
    ) -> Result<bool, StoreError> {
        let written = self.guarded(WRITE, shard, token, &[name.as_bytes(), bytes])?;
        Ok(written.is_some())
    }

    fn names(&mut self, shard: VirtualShard) -> Result<Vec<String>, StoreError> {
        self.parts.turn_to(&self.namespace, shard.0);
        let mut names = cmd("HKEYS");
        names.arg(self.parts.key("snapshot"));
        let reply = self.parts.ask(&names)?;
        from_redis_value(reply).map_err(|_| self.parts.unreadable("snapshot"))
    }

    fn read(&mut self, shard: VirtualShard, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.parts.turn_to(&self.namespace, shard.0);
        let mut read = cmd("HGET");
        read.arg(self.parts.key("snapshot")).arg(name);
        match self.parts.ask(&read)? {
            Value::BulkString(bytes) => Ok(Some(bytes)),
            Value::Nil => Ok(None),
            _ => Err(self.parts.unreadable("snapshot")),
        }
    }

    fn remove(
        &mut self,
        shard: VirtualShard,
        token: &FencingToken,
        names: &[String],
    ) -> Result<bool, StoreError> {
        let names: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
        let removed = self.guarded(REMOVE, shard, token, &names)?;
        Ok(removed.is_some())
    }
}
