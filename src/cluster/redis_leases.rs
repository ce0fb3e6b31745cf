//! The table of leases in a Redis.
//!
//! `<prefix>.sessions` is a sorted set of sessions by the server's millisecond at which each ends; `<prefix>.shards` a hash with
//! `epoch session` for each shard that was ever taken, the session left out where it was given back; `<prefix>.run.<node>` the
//! run of a node that joined last. One script is one step; its clock is the server's. One lease a session, not one a
//! shard: a heartbeat writes two keys, however many shards are held. Works from Redis 5 on.

use std::time::Duration;

use ::redis::{Value, cmd};

use super::lease_store::{LeaseReply, LeaseRequest, LeaseStore, Session, ShardLease};
use super::local_process::has_ended;
use super::redis_link::{RedisLink, text};
use super::virtual_shard::VIRTUAL_SHARDS;
use crate::store::StoreError;
use crate::store::redis::RedisConnect;

/// Leases after which the run of a node that was not heard of is forgotten.
const RUN_KEPT: u32 = 10;

/// KEYS sessions shards run; ARGV node run ttl step, number of releases, then pairs of shard and epoch: releases, then those to be
/// acquired.
///
/// A Redis at its `maxmemory` would refuse the heartbeat; the first line, which is known from Redis 7 on, says that this little
/// may be written.
const EXCHANGE: &str = "#!lua flags=allow-oom
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local session, ttl, step = ARGV[1] .. '/' .. ARGV[2], tonumber(ARGV[3]), ARGV[4]
local run = redis.call('GET', KEYS[3])
if run and run ~= ARGV[2] then
  if step ~= 'join' then return {'replaced'} end
  redis.call('ZREM', KEYS[1], ARGV[1] .. '/' .. run)
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if step == 'leave' then
  redis.call('ZREM', KEYS[1], session)
  redis.call('DEL', KEYS[3])
else
  redis.call('SET', KEYS[3], ARGV[2], 'PX', ttl * tonumber(ARGV[5]))
  redis.call('ZADD', KEYS[1], now + ttl, session)
end
local at = 7
for _ = 1, tonumber(ARGV[6]) do
  if redis.call('HGET', KEYS[2], ARGV[at]) == ARGV[at + 1] .. ' ' .. session then
    redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1] .. ' ')
  end
  at = at + 2
end
while at < #ARGV do
  local epoch, owner = string.match(redis.call('HGET', KEYS[2], ARGV[at]) or '0 ', '^(%d+) (.*)$')
  if not owner or owner == '' or not redis.call('ZSCORE', KEYS[1], owner) then
    local next = math.max(tonumber(epoch or 0), tonumber(ARGV[at + 1])) + 1
    redis.call('HSET', KEYS[2], ARGV[at], string.format('%.0f %s', next, session))
  end
  at = at + 2
end
return {'table', redis.call('ZRANGE', KEYS[1], 0, -1), redis.call('HGETALL', KEYS[2])}";

/// A handle of the table.
pub struct RedisLeases {
    link: RedisLink,
}

impl RedisLeases {
    /// The table of all nodes that watch the metrics of one namespace; connects at the first call. No wait is longer than
    /// `limit`: an answer that comes later is of no use.
    #[must_use]
    pub fn new(connect: &RedisConnect, namespace: &str, limit: Duration) -> Self {
        Self {
            link: RedisLink::new(connect, namespace, limit),
        }
    }

    fn command(&self, request: &LeaseRequest) -> ::redis::Cmd {
        let session = &request.session;
        let step = match (request.joins, request.leaves) {
            (_, true) => "leave",
            (true, _) => "join",
            _ => "stay",
        };
        let run = format!("run.{}", session.node());
        let mut command = self.link.script(EXCHANGE, &["sessions", "shards", &run]);
        command
            .arg(session.node())
            .arg(session.run())
            .arg(request.ttl.as_millis().to_string())
            .arg(step)
            .arg(RUN_KEPT)
            .arg(request.release.len());
        for (shard, epoch) in request.release.iter().chain(&request.acquire) {
            command.arg(shard.0).arg(*epoch);
        }
        command
    }
}

impl RedisLeases {
    /// Ends the sessions of processes of this machine that were killed. Each has a name that no other ever has, so that none is ended
    /// that has begun meanwhile.
    fn forget_ended(&mut self) -> Result<(), StoreError> {
        let sessions = self.link.key("sessions");
        let found = self.link.ask(cmd("ZRANGE").arg(&sessions).arg(0).arg(-1))?;
        let Value::Array(found) = found else { return Ok(()) };
        let run = |session: &&str| session.split_once('/').is_some_and(|(_, run)| has_ended(run));
        for ended in found.iter().filter_map(text).filter(run) {
            tracing::info!("node `{}` has ended on this machine", Session::node_of(ended));
            self.link.ask(cmd("ZREM").arg(&sessions).arg(ended))?;
        }
        Ok(())
    }
}

impl LeaseStore for RedisLeases {
    fn exchange(&mut self, request: &LeaseRequest) -> Result<LeaseReply, StoreError> {
        if request.joins {
            self.forget_ended()?;
        }
        let reply = self.link.ask(&self.command(request))?;
        read(&reply).ok_or_else(|| self.link.unreadable("table of leases"))
    }

    fn describe(&self) -> String {
        self.link.describe()
    }
}

fn read(reply: &Value) -> Option<LeaseReply> {
    let Value::Array(parts) = reply else { return None };
    match (text(parts.first()?)?, parts.get(1..)?) {
        ("replaced", _) => Some(LeaseReply::Replaced),
        ("table", [Value::Array(sessions), Value::Array(fields)]) => {
            let mut shards = LeaseReply::empty_table();
            for field in fields.as_chunks::<2>().0 {
                let number: usize = text(&field[0])?.parse().ok()?;
                let (epoch, owner) = text(&field[1])?.split_once(' ')?;
                // A later version may have more of them; this one's are the first.
                if number < VIRTUAL_SHARDS {
                    shards[number] = ShardLease {
                        epoch: epoch.parse().ok()?,
                        owner: (!owner.is_empty()).then(|| owner.to_owned()),
                    };
                }
            }
            let sessions = sessions.iter().map(|session| text(session).map(str::to_owned));
            Some(LeaseReply::Table {
                sessions: sessions.collect::<Option<_>>()?,
                shards,
            })
        }
        _ => None,
    }
}
