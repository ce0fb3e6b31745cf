//! The lease of the lead in a Redis.
//!
//! `<prefix>.lead` is `epoch session` and expires with the lease; `<prefix>.lead.epoch` the epoch given last;
//! `<prefix>.lead.nodes` a hash of sessions with the server's millisecond at which each ends and what its node says of itself.
//! Works from Redis 5 on.

use std::time::Duration;

use ::redis::Value;

use super::lead_store::{LeadCandidate, LeadReply, LeadRequest, LeadStore, UnreadState};
use super::lease_store::FencingToken;
use super::redis_link::{RedisLink, text};
use super::{redis_log, redis_messages};
use crate::store::StoreError;
use crate::store::redis::RedisConnect;

/// KEYS lead epoch nodes log messages; ARGV node run ttl joins takes above about, and the epoch that is given back or nothing.
///
/// What is said of the first line in the script of the table of leases holds here, too.
const EXCHANGE: &str = "#!lua flags=allow-oom
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local session, ttl = ARGV[1] .. '/' .. ARGV[2], tonumber(ARGV[3])
local function owner()
  local lead = redis.call('GET', KEYS[1])
  return lead and string.match(lead, '^%d+ (.*)$')
end
if ARGV[4] == '1' then
  local before = owner()
  if before and before ~= session and string.match(before, '^([^/]*)/') == ARGV[1] then redis.call('DEL', KEYS[1]) end
end
if ARGV[8] ~= '' and redis.call('GET', KEYS[1]) == ARGV[8] .. ' ' .. session then redis.call('DEL', KEYS[1]) end
local leads = owner()
if leads == session then
  redis.call('PEXPIRE', KEYS[1], ttl)
elseif not leads and ARGV[5] == '1' then
  local epoch = math.max(tonumber(redis.call('GET', KEYS[2]) or '0') or 0, tonumber(ARGV[6])) + 1
  redis.call('SET', KEYS[2], string.format('%.0f', epoch))
  redis.call('SET', KEYS[1], string.format('%.0f %s', epoch, session), 'PX', ttl)
end
redis.call('HSET', KEYS[3], session, string.format('%.0f %s', now + ttl, ARGV[7]))
local nodes = {}
local all = redis.call('HGETALL', KEYS[3])
for at = 1, #all, 2 do
  local ends, about = string.match(all[at + 1], '^(%d+) (.*)$')
  local is_past = all[at] ~= session and ARGV[4] == '1' and string.match(all[at], '^([^/]*)/') == ARGV[1]
  if not ends or tonumber(ends) <= now or is_past then
    redis.call('HDEL', KEYS[3], all[at])
  else
    nodes[#nodes + 1] = all[at]
    nodes[#nodes + 1] = about
  end
end
local last = redis.call('XREVRANGE', KEYS[4], '+', '-', 'COUNT', 1)
return {redis.call('GET', KEYS[1]) or '', nodes, last[1] and last[1][1] or '', redis.call('LLEN', KEYS[5])}";

/// KEYS lead nodes; ARGV session.
const END: &str = "
redis.call('HDEL', KEYS[2], ARGV[1])
local lead = redis.call('GET', KEYS[1])
if lead and string.match(lead, '^%d+ (.*)$') == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1";

/// A handle of the lease.
pub struct RedisLead {
    link: RedisLink,
}

impl RedisLead {
    /// That of all nodes that watch the metrics of one namespace; connects at the first call. No wait is longer than `limit`.
    #[must_use]
    pub fn new(connect: &RedisConnect, namespace: &str, limit: Duration) -> Self {
        Self {
            link: RedisLink::new(connect, namespace, limit),
        }
    }
}

impl LeadStore for RedisLead {
    fn exchange(&mut self, request: &LeadRequest) -> Result<LeadReply, StoreError> {
        let messages = redis_messages::key(&request.session.to_string());
        let keys = ["lead", "lead.epoch", "lead.nodes", redis_log::KEY, &messages];
        let mut command = self.link.script(EXCHANGE, &keys);
        command
            .arg(request.session.node())
            .arg(request.session.run())
            .arg(request.ttl.as_millis().to_string())
            .arg(u8::from(request.joins))
            .arg(u8::from(request.takes))
            .arg(request.above)
            .arg(&request.about)
            .arg(
                request
                    .gives_back
                    .map_or_else(String::new, |epoch| epoch.to_string()),
            );
        let reply = self.link.ask(&command)?;
        read(&reply).ok_or_else(|| self.link.unreadable("lease of the lead"))
    }

    fn end(&mut self, session: &str) -> Result<(), StoreError> {
        let mut command = self.link.script(END, &["lead", "lead.nodes"]);
        command.arg(session);
        self.link.ask(&command).map(drop)
    }

    fn describe(&self) -> String {
        self.link.describe()
    }
}

fn read(reply: &Value) -> Option<LeadReply> {
    let Value::Array(parts) = reply else { return None };
    let [lead, Value::Array(fields), log_end, Value::Int(messages)] = parts.as_slice() else {
        return None;
    };
    let unread = UnreadState {
        log_end: Some(text(log_end)?.to_owned()).filter(|at| !at.is_empty()),
        messages: u64::try_from(*messages).ok()?,
    };
    let leader = match text(lead)? {
        "" => None,
        lead => {
            let (epoch, session) = lead.split_once(' ')?;
            Some(FencingToken {
                epoch: epoch.parse().ok()?,
                session: session.to_owned(),
            })
        }
    };
    let mut nodes = Vec::new();
    for field in fields.as_chunks::<2>().0 {
        nodes.push(LeadCandidate {
            session: text(&field[0])?.to_owned(),
            about: text(&field[1])?.to_owned(),
        });
    }
    nodes.sort_by(|a, b| a.session.cmp(&b.session));
    Some(LeadReply {
        leader,
        nodes,
        unread,
    })
}
