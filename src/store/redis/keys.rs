//! Small values under plain keys, without the namespace.

use std::time::Duration;

use ::redis::Value;

use super::resp;
use super::{RedisStore, StoreError};

impl super::Keys for RedisStore {
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
        let bytes = |value| match value {
            Value::BulkString(bytes) => Some(bytes),
            _ => None,
        };
        Ok(values.into_iter().map(bytes).collect())
    }

    fn set(&mut self, entries: &[(&str, &[u8])], expires_in: Option<Duration>) -> Result<(), StoreError> {
        let milliseconds = expires_in.map(|time| time.as_millis().max(1).to_string());
        let mut packed = Vec::new();
        for (key, value) in entries {
            let mut arguments = vec![*value];
            if let Some(milliseconds) = &milliseconds {
                arguments.extend([b"PX", milliseconds.as_bytes()]);
            }
            resp::pack(&mut packed, &[b"SET"], "", key, &arguments);
        }
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

fn pack_with_keys(packed: &mut Vec<u8>, command: &[u8], keys: &[&str]) {
    resp::pack_header(packed, 1 + keys.len());
    resp::pack_bulk(packed, &[command]);
    for key in keys {
        resp::pack_bulk(packed, &[key.as_bytes()]);
    }
}
