//! Which node of a Redis Cluster has which slot, as one of them knew it.

use ::redis::Value;
use skywatch_settings::HostPort;

use super::hash_slot::SLOTS;

/// In place of a node: nobody has the slot.
const NOBODY: u16 = u16::MAX;

/// The nodes of a cluster and who has what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SlotMap {
    /// For each slot its primary's place among these.
    owners: Vec<u16>,
    primaries: Vec<HostPort>,
    /// Who else can be asked.
    replicas: Vec<HostPort>,
}

impl Default for SlotMap {
    fn default() -> Self {
        Self {
            owners: vec![NOBODY; SLOTS],
            primaries: Vec::new(),
            replicas: Vec::new(),
        }
    }
}

impl SlotMap {
    /// Reads what CLUSTER SLOTS answers: first and last slot, the primary, its replicas, for each range. A node that does not know its own
    /// address leaves the host out and means the one it was reached at, `asked`.
    pub(super) fn read(reply: &Value, asked: &str) -> Option<Self> {
        let Value::Array(ranges) = reply else { return None };
        let mut map = Self::default();
        for range in ranges {
            let Value::Array(parts) = range else { return None };
            let (Value::Int(first), Value::Int(last)) = (parts.first()?, parts.get(1)?) else {
                return None;
            };
            let primary = node(parts.get(2)?, asked)?;
            let place = place_of(&mut map.primaries, primary);
            let (first, last) = (usize::try_from(*first).ok()?, usize::try_from(*last).ok()?);
            map.owners.get_mut(first..=last)?.fill(u16::try_from(place).ok()?);
            for replica in parts[3..].iter().filter_map(|part| node(part, asked)) {
                place_of(&mut map.replicas, replica);
            }
        }
        Some(map)
    }

    /// The place of a slot's primary among [`primaries`](Self::primaries), if it has one.
    pub(super) fn owner(&self, slot: u16) -> Option<usize> {
        let owner = self.owners[usize::from(slot)];
        (owner != NOBODY).then_some(usize::from(owner))
    }

    /// A slot's primary.
    pub(super) fn primary(&self, slot: u16) -> Option<&HostPort> {
        self.owner(slot).map(|place| &self.primaries[place])
    }

    /// Nodes that have slots.
    pub(super) fn primaries(&self) -> &[HostPort] {
        &self.primaries
    }

    /// All nodes that are known.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &HostPort> {
        self.primaries.iter().chain(&self.replicas)
    }

    /// How many slots have another primary, or none, than in `other`.
    pub(super) fn differences(&self, other: &Self) -> usize {
        (0..SLOTS as u16)
            .filter(|slot| self.primary(*slot) != other.primary(*slot))
            .count()
    }
}

fn place_of(nodes: &mut Vec<HostPort>, node: HostPort) -> usize {
    let known = nodes.iter().position(|known| *known == node);
    known.unwrap_or_else(|| {
        nodes.push(node);
        nodes.len() - 1
    })
}

fn node(part: &Value, asked: &str) -> Option<HostPort> {
    let Value::Array(parts) = part else { return None };
    let host = match parts.first()? {
        Value::BulkString(host) => str::from_utf8(host).ok()?,
        Value::SimpleString(host) => host,
        _ => "",
    };
    let Value::Int(port) = parts.get(1)? else {
        return None;
    };
    Some(HostPort {
        host: if host.is_empty() { asked } else { host }.to_owned(),
        port: u16::try_from(*port).ok().filter(|port| *port != 0)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn range(first: i64, last: i64, nodes: &[(&str, i64)]) -> Value {
        let nodes = nodes
            .iter()
            .map(|(host, port)| Value::Array(vec![text(host), Value::Int(*port), text("id")]));
        Value::Array(
            [Value::Int(first), Value::Int(last)]
                .into_iter()
                .chain(nodes)
                .collect(),
        )
    }

    #[test]
    fn slots_belong_to_the_first_node_of_their_range() {
        let reply = Value::Array(vec![
            range(0, 99, &[("a", 1), ("b", 2)]),
            range(101, 16_383, &[("", 3)]),
        ]);
        let map = SlotMap::read(&reply, "asked").unwrap();
        let primary = |slot| map.primary(slot).map(ToString::to_string);
        assert_eq!(primary(99).as_deref(), Some("a:1"));
        assert_eq!(primary(100), None);
        assert_eq!(primary(16_383).as_deref(), Some("asked:3"));
        assert_eq!(map.nodes().count(), 3);
        assert_eq!(map.differences(&SlotMap::default()), 16_383);
    }

    #[test]
    fn what_is_no_map_is_refused() {
        for wrong in [
            Value::Nil,
            Value::Array(vec![range(0, 16_384, &[("a", 1)])]),
            Value::Array(vec![range(7, 3, &[("a", 1)])]),
            Value::Array(vec![range(-1, 3, &[("a", 1)])]),
            Value::Array(vec![range(0, 3, &[])]),
            Value::Array(vec![range(0, 3, &[("a", 70_000)])]),
        ] {
            assert_eq!(SlotMap::read(&wrong, "asked"), None, "{wrong:?}");
        }
    }
}
