//! The queue in a Redis Stream.
//!
//! `<prefix>.stream` carries ids of jobs to one group of consumers; what a job is and where it stands is a hash each,
//! `<prefix>.job.<id>`; `<prefix>.later` holds those that wait to be tried again, by time; `<prefix>.all` all ids by the
//! time they were enqueued. Each step is one script, so a process that dies between two commands cannot leave half of
//! it, and each says in the same step whether the caller still holds the job.
//!
//! A holder's heartbeat is XCLAIM of its own entry, which sets its idle time to nothing: XAUTOCLAIM takes entries by
//! idleness, and so takes from the dead and not from the slow. Works from Redis 6.2 on. In a cluster all keys are in one slot, by a hash tag around the prefix.

use std::time::Duration;

use ::redis::{FromRedisValue, Value, cmd};
use skywatch_settings::Jobs;

use super::{Job, JobOutcome, JobQueue, JobState, OpenQueue, QueueError, TakenJob, Task, new_id, pause};
use crate::store::redis::{KeyConnection, RedisConnect};
use crate::store::{Connect as _, StoreError};

/// The one group of consumers of the stream: each entry goes to one of them.
const GROUP: &str = "trainers";

/// KEYS stream later all; ARGV prefix id payload now tick keep.
const ENQUEUE: &str = "
if ARGV[5] ~= '' and not redis.call('SET', ARGV[1] .. '.tick.' .. ARGV[5], ARGV[2], 'NX', 'EX', 604800) then return 0 end
local job = ARGV[1] .. '.job.' .. ARGV[2]
redis.call('HSET', job, 'task', ARGV[3], 'state', 'queued', 'tries', 0, 'worker', '', 'enqueued_at', ARGV[4],
  'changed_at', ARGV[4], 'outcome', '')
redis.call('ZADD', KEYS[3], ARGV[4], ARGV[2])
redis.call('XADD', KEYS[1], '*', 'job', ARGV[2])
for _, old in ipairs(redis.call('ZRANGE', KEYS[3], '-inf', '(' .. (tonumber(ARGV[4]) - 2 * tonumber(ARGV[6])), 'BYSCORE',
    'LIMIT', 0, 100)) do
  if redis.call('EXISTS', ARGV[1] .. '.job.' .. old) == 0 then redis.call('ZREM', KEYS[3], old) end
end
return 1";

/// KEYS stream later; ARGV prefix now. What is due goes back into the stream.
const PROMOTE: &str = "
local due = redis.call('ZRANGE', KEYS[2], '-inf', ARGV[2], 'BYSCORE', 'LIMIT', 0, 100)
for _, id in ipairs(due) do
  redis.call('ZREM', KEYS[2], id)
  redis.call('XADD', KEYS[1], '*', 'job', id)
  redis.call('HSET', ARGV[1] .. '.job.' .. id, 'state', 'queued', 'changed_at', ARGV[2])
end
return #due";

/// KEYS stream; ARGV prefix entry id worker now tries keep. Begins a try, or ends a job that has killed too many of its
/// holders.
const BEGIN: &str = "
local job = ARGV[1] .. '.job.' .. ARGV[3]
local task = redis.call('HGET', job, 'task')
if not task then
  redis.call('XACK', KEYS[1], 'trainers', ARGV[2]); redis.call('XDEL', KEYS[1], ARGV[2])
  return {'gone', 0}
end
local tries = tonumber(redis.call('HGET', job, 'tries'))
if tries >= tonumber(ARGV[6]) then
  redis.call('XACK', KEYS[1], 'trainers', ARGV[2]); redis.call('XDEL', KEYS[1], ARGV[2])
  redis.call('HSET', job, 'state', 'dead', 'changed_at', ARGV[5], 'outcome',
    'its trainer fell silent in try ' .. tries .. ' of ' .. ARGV[6])
  redis.call('EXPIRE', job, ARGV[7])
  return {'dead', tries}
end
redis.call('HSET', job, 'state', 'running', 'worker', ARGV[4], 'changed_at', ARGV[5], 'tries', tries + 1)
return {task, tries + 1}";

/// KEYS stream; ARGV entry worker.
const BEAT: &str = "
local held = redis.call('XPENDING', KEYS[1], 'trainers', ARGV[1], ARGV[1], 1)
if #held == 0 or held[1][2] ~= ARGV[2] then return 0 end
redis.call('XCLAIM', KEYS[1], 'trainers', ARGV[2], 0, ARGV[1], 'JUSTID')
return 1";

/// KEYS stream later; ARGV prefix entry id worker state now outcome due keep.
const FINISH: &str = "
local held = redis.call('XPENDING', KEYS[1], 'trainers', ARGV[2], ARGV[2], 1)
if #held == 0 or held[1][2] ~= ARGV[4] then return 0 end
local job = ARGV[1] .. '.job.' .. ARGV[3]
redis.call('XACK', KEYS[1], 'trainers', ARGV[2]); redis.call('XDEL', KEYS[1], ARGV[2])
if ARGV[5] == 'queued' then
  redis.call('HINCRBY', job, 'tries', -1)
  redis.call('HSET', job, 'state', 'queued', 'changed_at', ARGV[6])
  redis.call('XADD', KEYS[1], '*', 'job', ARGV[3])
  return 1
end
redis.call('HSET', job, 'state', ARGV[5], 'changed_at', ARGV[6], 'outcome', ARGV[7])
if ARGV[5] == 'waiting' then redis.call('ZADD', KEYS[2], ARGV[8], ARGV[3])
else redis.call('EXPIRE', job, ARGV[9]) end
return 1";

/// KEYS stream; ARGV prefix id now.
const REVIVE: &str = "
local job = ARGV[1] .. '.job.' .. ARGV[2]
if redis.call('HGET', job, 'state') ~= 'dead' then return 0 end
redis.call('HSET', job, 'state', 'queued', 'tries', 0, 'changed_at', ARGV[3])
redis.call('PERSIST', job)
redis.call('XADD', KEYS[1], '*', 'job', ARGV[2])
return 1";

/// A handle of the queue.
pub struct RedisQueue {
    keys: KeyConnection,
    jobs: Jobs,
}

impl RedisQueue {
    /// The queue whose keys begin with [`Jobs::prefix`]; connects at the first call.
    #[must_use]
    pub fn new(connect: RedisConnect, mut jobs: Jobs) -> Self {
        if connect.is_cluster() && !jobs.prefix.contains('{') {
            // Scripts reach only keys of one slot.
            jobs.prefix = format!("{{{}}}", jobs.prefix);
        }
        Self {
            keys: KeyConnection::new(connect, &jobs.prefix),
            jobs,
        }
    }

    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.jobs.prefix)
    }

    /// Asks, with the group there.
    fn ask<T: FromRedisValue>(&mut self, command: &::redis::Cmd) -> Result<T, QueueError> {
        self.open()?;
        let reply = self.keys.ask(command)?;
        T::from_redis_value(reply).map_err(|error| {
            self.keys.close();
            self.unreadable(&error.to_string())
        })
    }

    /// Connects, and makes the group of consumers: one that is gone (FLUSHALL) is made again after the error that this leads to.
    fn open(&mut self) -> Result<(), QueueError> {
        if self.keys.is_open() {
            return Ok(());
        }
        let mut create = cmd("XGROUP");
        create
            .arg("CREATE")
            .arg(self.key("stream"))
            .arg(GROUP)
            .arg("0")
            .arg("MKSTREAM");
        match self.keys.ask(&create) {
            Err(StoreError::Other { reason, .. }) if reason.starts_with("BUSYGROUP") => Ok(()),
            made => Ok(made.map(|_| ())?),
        }
    }

    fn script<T: FromRedisValue>(
        &mut self,
        text: &str,
        keys: &[&str],
        arguments: &[&str],
    ) -> Result<T, QueueError> {
        let mut command = cmd("EVAL");
        command.arg(text).arg(keys.len());
        for key in keys {
            command.arg(self.key(key));
        }
        for argument in arguments {
            command.arg(*argument);
        }
        self.ask(&command)
    }

    /// An entry to begin with: one whose holder has fallen silent, else a new one.
    fn entry(&mut self, worker: &str, wait: Duration) -> Result<Option<(String, String)>, QueueError> {
        let idle = self.jobs.lease.as_millis().to_string();
        let mut claim = cmd("XAUTOCLAIM");
        claim
            .arg(self.key("stream"))
            .arg(GROUP)
            .arg(worker)
            .arg(idle)
            .arg("0")
            .arg("COUNT")
            .arg(1);
        let claimed: Value = self.ask(&claim)?;
        if let Value::Array(parts) = &claimed
            && let Some(entry) = parts.get(1).and_then(first_entry)
        {
            return Ok(Some(entry));
        }
        let mut read = cmd("XREADGROUP");
        read.arg("GROUP").arg(GROUP).arg(worker).arg("COUNT").arg(1);
        let wait = wait.as_millis();
        if wait > 0 {
            read.arg("BLOCK").arg(wait.to_string());
        }
        read.arg("STREAMS").arg(self.key("stream")).arg(">");
        let read: Value = self.ask(&read)?;
        Ok(match &read {
            // One stream: its name and its entries; RESP3 has a map there.
            Value::Array(streams) => match streams.first() {
                Some(Value::Array(stream)) => stream.get(1).and_then(first_entry),
                _ => None,
            },
            Value::Map(streams) => streams.first().and_then(|(_, entries)| first_entry(entries)),
            _ => None,
        })
    }

    fn unreadable(&self, what: &str) -> QueueError {
        QueueError::Unreadable {
            place: self.describe(),
            what: what.to_owned(),
        }
    }
}

/// Entry and job of the first of some entries.
fn first_entry(entries: &Value) -> Option<(String, String)> {
    let Value::Array(entries) = entries else {
        return None;
    };
    entries.iter().find_map(|entry| {
        let Value::Array(parts) = entry else { return None };
        let id = text(parts.first()?)?;
        let Value::Array(fields) = parts.get(1)? else {
            return None;
        };
        Some((id, text(fields.get(1)?)?))
    })
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) => Some(text.clone()),
        _ => None,
    }
}

impl JobQueue for RedisQueue {
    fn enqueue(&mut self, task: &Task, tick: Option<&str>, now: f64) -> Result<Option<String>, QueueError> {
        let id = new_id(now);
        let payload = serde_json::to_string(task).map_err(|error| self.unreadable(&error.to_string()))?;
        let (prefix, now) = (self.jobs.prefix.clone(), now.to_string());
        let keep = self.jobs.keep.as_secs().to_string();
        let arguments = [&prefix, &id, &payload, &now, tick.unwrap_or(""), &keep];
        let added: i64 = self.script(ENQUEUE, &["stream", "later", "all"], &arguments)?;
        Ok((added == 1).then_some(id))
    }

    fn take(&mut self, worker: &str, now: f64, wait: Duration) -> Result<Option<TakenJob>, QueueError> {
        let (prefix, now) = (self.jobs.prefix.clone(), now.to_string());
        let _: i64 = self.script(PROMOTE, &["stream", "later"], &[&prefix, &now])?;
        // What is gone or dead is passed over, but not for ever: the caller has other things to do.
        for _ in 0..16 {
            let Some((entry, id)) = self.entry(worker, wait)? else {
                return Ok(None);
            };
            let (tries, keep) = (self.jobs.tries.to_string(), self.jobs.keep.as_secs().to_string());
            let arguments = [&*prefix, &entry, &id, worker, &now, &tries, &keep];
            let (task, tries): (String, u32) = self.script(BEGIN, &["stream"], &arguments)?;
            if task == "gone" || task == "dead" {
                tracing::warn!("job {id} :: {task}, passed over");
                continue;
            }
            let Ok(task) = serde_json::from_str(&task) else {
                // Of a later version, perhaps; it is tried again, here or elsewhere, and ends with the dead.
                let (taken, why) = (
                    TakenJob {
                        id,
                        task: Task::default(),
                        tries,
                        hold: entry,
                    },
                    self.unreadable(&task),
                );
                self.finish(
                    &taken,
                    worker,
                    &JobOutcome::Failed(why.to_string()),
                    now.parse().unwrap_or(0.0),
                )?;
                continue;
            };
            return Ok(Some(TakenJob {
                id,
                task,
                tries,
                hold: entry,
            }));
        }
        Ok(None)
    }

    fn beat(&mut self, taken: &TakenJob, worker: &str, _now: f64) -> Result<bool, QueueError> {
        let ours: i64 = self.script(BEAT, &["stream"], &[&taken.hold, worker])?;
        Ok(ours == 1)
    }

    fn finish(
        &mut self,
        taken: &TakenJob,
        worker: &str,
        outcome: &JobOutcome,
        now: f64,
    ) -> Result<bool, QueueError> {
        let (state, text) = outcome.ends(taken.tries, self.jobs.tries);
        let due = (now + pause(&self.jobs, taken.tries)).to_string();
        let (prefix, now) = (self.jobs.prefix.clone(), now.to_string());
        let keep = self.jobs.keep.as_secs().to_string();
        let arguments = [
            &*prefix,
            &taken.hold,
            &taken.id,
            worker,
            state.as_str(),
            &now,
            text,
            &due,
            &keep,
        ];
        let ours: i64 = self.script(FINISH, &["stream", "later"], &arguments)?;
        Ok(ours == 1)
    }

    fn list(&mut self, most: usize) -> Result<Vec<Job>, QueueError> {
        let mut range = cmd("ZRANGE");
        range
            .arg(self.key("all"))
            .arg(0)
            .arg(most.saturating_sub(1))
            .arg("REV");
        let ids: Vec<String> = self.ask(&range)?;
        let mut jobs = Vec::with_capacity(ids.len());
        for id in ids {
            let mut get = cmd("HMGET");
            get.arg(self.key(&format!("job.{id}")));
            get.arg(&[
                "task",
                "state",
                "tries",
                "worker",
                "enqueued_at",
                "changed_at",
                "outcome",
            ]);
            let fields: Vec<Option<String>> = self.ask(&get)?;
            // One that is forgotten already is passed over.
            if let [
                Some(task),
                Some(state),
                Some(tries),
                Some(worker),
                Some(enqueued),
                Some(changed),
                Some(outcome),
            ] = fields.as_slice()
                && let (Ok(task), Some(state)) = (serde_json::from_str(task), JobState::read(state))
            {
                jobs.push(Job {
                    id,
                    task,
                    state,
                    tries: tries.parse().unwrap_or(0),
                    worker: worker.clone(),
                    enqueued_at: enqueued.parse().unwrap_or(0.0),
                    changed_at: changed.parse().unwrap_or(0.0),
                    outcome: outcome.clone(),
                });
            }
        }
        Ok(jobs)
    }

    fn revive(&mut self, id: &str, now: f64) -> Result<bool, QueueError> {
        let (prefix, now) = (self.jobs.prefix.clone(), now.to_string());
        let revived: i64 = self.script(REVIVE, &["stream"], &[&prefix, id, &now])?;
        Ok(revived == 1)
    }

    fn describe(&self) -> String {
        self.keys.connect().describe()
    }
}

/// Makes handles of the queue in one Redis.
pub struct OpenRedisQueue {
    /// The way there.
    pub connect: RedisConnect,
    /// Limits, and what all keys begin with.
    pub jobs: Jobs,
}

impl OpenQueue for OpenRedisQueue {
    fn open(&self) -> Result<Box<dyn JobQueue>, QueueError> {
        let mut queue = RedisQueue::new(self.connect.clone(), self.jobs.clone());
        queue.open()?;
        Ok(Box::new(queue))
    }
}
