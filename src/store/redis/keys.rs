//! Small values under plain keys, without the namespace.

use std::time::Duration;

use ::redis::Value;

use super::resp;
use super::server_store::ServerStore;
use super::{StoreError, failure};

impl super::Keys for ServerStore {
    fn get(&mut self, keys: &[&str]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut packed = Vec::new();
        pack_with_keys(&mut packed, b"MGET", keys);
        let reply = self.wire.request(&packed, 1)?.pop();
        let Some(Value::Array(values)) = reply else {
            return Err(self.unexpected(reply));
        };
        Ok(values.into_iter().map(bytes).collect())
    }

    fn set(&mut self, entries: &[(&str, &[u8])], expires_in: Option<Duration>) -> Result<(), StoreError> {
        let packed = pack_sets(entries, expires_in);
        self.wire.request(&packed, entries.len()).map(|_| ())
    }

    fn remove(&mut self, keys: &[&str]) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut packed = Vec::new();
        pack_with_keys(&mut packed, b"DEL", keys);
        self.wire.request(&packed, 1).map(|_| ())
    }
}

/// One key a command, as a node of a cluster takes them: what lies in two slots is not for one.
impl ServerStore {
    pub(super) fn get_each(&mut self, keys: &[&str]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let mut packed = Vec::new();
        for key in keys {
            resp::pack(&mut packed, &[b"GET"], "", key, &[]);
        }
        let replies = self.member_replies(&packed, keys.len())?;
        Ok(replies.into_iter().map(bytes).collect())
    }

    pub(super) fn set_each(
        &mut self,
        entries: &[(&str, &[u8])],
        expires_in: Option<Duration>,
    ) -> Result<(), StoreError> {
        let packed = pack_sets(entries, expires_in);
        self.member_replies(&packed, entries.len()).map(|_| ())
    }

    pub(super) fn remove_each(&mut self, keys: &[&str]) -> Result<(), StoreError> {
        let mut packed = Vec::new();
        for key in keys {
            resp::pack(&mut packed, &[b"DEL"], "", key, &[]);
        }
        self.member_replies(&packed, keys.len()).map(|_| ())
    }

    /// Replies to one command a key. What is sent elsewhere is noted, and of another type stays as it is.
    pub(super) fn member_replies(
        &mut self,
        packed: &[u8],
        commands: usize,
    ) -> Result<Vec<Value>, StoreError> {
        let replies = self.wire.replies(packed, commands)?;
        for (place, reply) in replies.iter().enumerate() {
            if let Value::ServerError(error) = reply
                && !self.redirected.takes_error(place, error)
                && !failure::is_wrong_type(error)
            {
                self.wire.disconnect();
                return Err(failure::of_server(self.wire.connect().server(), error));
            }
        }
        Ok(replies)
    }
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}

fn pack_sets(entries: &[(&str, &[u8])], expires_in: Option<Duration>) -> Vec<u8> {
    let milliseconds = expires_in.map(|time| time.as_millis().max(1).to_string());
    let mut packed = Vec::new();
    for (key, value) in entries {
        let mut arguments = vec![*value];
        if let Some(milliseconds) = &milliseconds {
            arguments.extend([b"PX", milliseconds.as_bytes()]);
        }
        resp::pack(&mut packed, &[b"SET"], "", key, &arguments);
    }
    packed
}

fn pack_with_keys(packed: &mut Vec<u8>, command: &[u8], keys: &[&str]) {
    resp::pack_header(packed, 1 + keys.len());
    resp::pack_bulk(packed, &[command]);
    for key in keys {
        resp::pack_bulk(packed, &[key.as_bytes()]);
    }
}
