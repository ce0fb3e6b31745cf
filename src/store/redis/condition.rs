//! What a Redis says of its memory: whether it throws keys away, and how many it has.

use ::redis::Value;

use super::server_store::ServerStore;
use super::{Condition, StoreError};

/// The policy under which nothing is lost.
const KEEPS_ALL: &str = "noeviction";

impl ServerStore {
    /// Asks for the two sections of INFO that say it. A user who may not ask learns nothing, which is no failure.
    pub(super) fn ask_condition(&mut self) -> Result<Condition, StoreError> {
        const ASKED: &[u8] = b"*2\r\n$4\r\nINFO\r\n$6\r\nmemory\r\n*2\r\n$4\r\nINFO\r\n$5\r\nstats\r\n";
        let mut text = String::new();
        for reply in self.wire.replies(ASKED, 2)? {
            match reply {
                Value::BulkString(bytes) => text.push_str(&String::from_utf8_lossy(&bytes)),
                Value::VerbatimString { text: section, .. } => text.push_str(&section),
                _ => {}
            }
        }
        Ok(read(&text))
    }
}

fn read(text: &str) -> Condition {
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    };
    let limit = field("maxmemory")
        .and_then(|bytes| bytes.parse().ok())
        .unwrap_or(0);
    let policy = field("maxmemory_policy").filter(|policy| *policy != KEEPS_ALL && limit > 0);
    Condition {
        evicted: field("evicted_keys").and_then(|keys| keys.parse().ok()),
        evicts_by: policy.map(str::to_owned),
        limit,
        silent: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_without_a_policy_that_evicts_threatens_nothing() {
        let said = |limit: &str, policy: &str| {
            let text =
                format!("# Memory\r\nmaxmemory:{limit}\r\nmaxmemory_policy:{policy}\r\nevicted_keys:7\r\n");
            let condition = read(&text);
            assert_eq!(condition.evicted, Some(7));
            condition.evicts_by
        };
        assert_eq!(said("0", "allkeys-lru"), None);
        assert_eq!(said("1000", "noeviction"), None);
        assert_eq!(said("1000", "allkeys-lru").as_deref(), Some("allkeys-lru"));
        assert_eq!(read(""), Condition::default());
    }
}
