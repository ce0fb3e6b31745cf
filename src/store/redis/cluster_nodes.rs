//! Whether a server that was named alone is a node of a Redis Cluster, for who is told one address and no list of nodes.

use ::redis::{ConnectionAddr, ErrorKind, cmd};
use skywatch_settings::HostPort;

use super::StoreError;
use super::connect::RedisConnect;
use super::options::RedisOptions;
use super::slot_map::SlotMap;

/// So many nodes are enough to find the others by, whichever of them dies.
const SEEDS: usize = 6;

impl RedisConnect {
    /// Addresses of some nodes of the cluster of which the server is one; none if it is a Redis of its own, or keeps to itself
    /// what it is (a proxy, an ACL user without `+cluster|slots`).
    ///
    /// # Errors
    /// It does not answer, or does not let us in.
    pub fn cluster_nodes(&self) -> Result<Vec<HostPort>, StoreError> {
        let mut connection = self.open()?;
        let reply = match cmd("CLUSTER").arg("SLOTS").query(&mut connection) {
            Ok(reply) => reply,
            Err(error) if matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension) => {
                return Ok(Vec::new());
            }
            Err(error) => return Err(self.failure(&error)),
        };
        let host = self.host().unwrap_or_default();
        let map = SlotMap::read(&reply, &host).unwrap_or_default();
        let nodes = map.nodes().filter(|node| !node.host.is_empty());
        Ok(nodes.take(SEEDS).cloned().collect())
    }

    /// The way to the cluster of which the server is a node; the same way if it is none, or the options name a cluster already.
    ///
    /// # Errors
    /// It does not answer, or does not let us in.
    pub fn to_whole_cluster(&self) -> Result<Self, StoreError> {
        if self.is_cluster() {
            return Ok(self.clone());
        }
        match self.cluster_nodes()? {
            nodes if nodes.is_empty() => Ok(self.clone()),
            cluster => Self::new(RedisOptions {
                cluster,
                ..self.options().clone()
            }),
        }
    }

    /// Whether both are the same cluster, by whichever of its nodes.
    ///
    /// # Errors
    /// One of them does not answer.
    pub fn is_same_cluster(&self, other: &Self) -> Result<bool, StoreError> {
        if !self.is_cluster() || !other.is_cluster() {
            return Ok(false);
        }
        let (here, there) = (self.slot_map()?, other.slot_map()?);
        let is_there = |node: &HostPort| there.primaries().contains(node);
        Ok(here.primaries().iter().any(is_there))
    }

    /// The host of the address, where it has one.
    pub(super) fn host(&self) -> Option<String> {
        match self.address() {
            ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => Some(host.clone()),
            _ => None,
        }
    }
}
