//! Snapshots in a Redis: `<prefix>.snapshot.<shard>` is a hash of parts. The check of the token and the change are one script.

use std::time::Duration;

use ::redis::{Value, cmd};

use super::lease_store::FencingToken;
use super::redis_link::RedisLink;
use super::snapshot_store::SnapshotStore;
use super::virtual_shard::VirtualShard;
use crate::store::StoreError;
use crate::store::redis::RedisConnect;

/// How long parts are kept that nobody renews, milliseconds: a week, as the states on a node's disk that nobody takes.
const KEPT_MS: u64 = 7 * 86_400_000;

/// KEYS shards snapshot; ARGV shard token name bytes kept.
const WRITE: &str = "
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
return 1";

/// KEYS shards snapshot; ARGV shard token, then names.
const REMOVE: &str = "
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
for at = 3, #ARGV do redis.call('HDEL', KEYS[2], ARGV[at]) end
return 1";

/// A handle of the snapshots.
pub struct RedisSnapshots {
    link: RedisLink,
}

impl RedisSnapshots {
    /// Those of all nodes that watch the metrics of one namespace; connects at the first call.
    #[must_use]
    pub fn new(connect: &RedisConnect, namespace: &str, limit: Duration) -> Self {
        Self {
            link: RedisLink::new(connect, namespace, limit),
        }
    }

    /// A script that begins with the check of the token.
    fn guarded(&self, script: &str, shard: VirtualShard, token: &FencingToken) -> ::redis::Cmd {
        let mut command = self.link.script(script, &["shards", &key(shard)]);
        command.arg(shard.0).arg(token.to_string());
        command
    }
}

impl SnapshotStore for RedisSnapshots {
    fn write(
        &mut self,
        shard: VirtualShard,
        token: &FencingToken,
        name: &str,
        bytes: &[u8],
    ) -> Result<bool, StoreError> {
        let mut write = self.guarded(WRITE, shard, token);
        write.arg(name).arg(bytes).arg(KEPT_MS);
        Ok(self.link.ask(&write)? == Value::Int(1))
    }

    fn names(&mut self, shard: VirtualShard) -> Result<Vec<String>, StoreError> {
        let mut names = cmd("HKEYS");
        names.arg(self.link.key(&key(shard)));
        let reply = self.link.ask(&names)?;
        ::redis::from_redis_value(reply).map_err(|_| self.link.unreadable("snapshot"))
    }

    fn read(&mut self, shard: VirtualShard, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let mut read = cmd("HGET");
        read.arg(self.link.key(&key(shard))).arg(name);
        match self.link.ask(&read)? {
            Value::BulkString(bytes) => Ok(Some(bytes)),
            Value::Nil => Ok(None),
            _ => Err(self.link.unreadable("snapshot")),
        }
    }

    fn remove(
        &mut self,
        shard: VirtualShard,
        token: &FencingToken,
        names: &[String],
    ) -> Result<bool, StoreError> {
        let mut remove = self.guarded(REMOVE, shard, token);
        remove.arg(names);
        Ok(self.link.ask(&remove)? == Value::Int(1))
    }
}

/// The hash of a virtual shard, among the keys of the cluster.
fn key(shard: VirtualShard) -> String {
    format!("snapshot.{}", shard.0)
}
