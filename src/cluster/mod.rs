//! Who looks at which metrics when several nodes work on one Redis.
//!
//! Names fall into 256 [virtual shards](virtual_shard); each belongs to one of the live nodes by
//! [rendezvous hashing](rendezvous). A node shows that it lives by a heartbeat, which is also the lease on all shards it holds;
//! each time a shard changes hands its *epoch* grows, and a write in the name of an earlier one is refused (a fencing token).
//! What a node does when is worked out without I/O by [`LeaseProtocol`]; the shared table is a [`LeaseStore`], in Redis
//! [`RedisLeases`]; [`LeaseCoordinator`] puts both together behind the trait that the analyzer knows, [`Coordinator`]. What was learnt of the metrics
//! of a shard is left for its next node in a [`SnapshotStore`].
//!
//! What is not divided is led: of all nodes one keeps the incidents and sends notices ([`Leadership`], a lease of its own with its
//! epochs). What it writes down goes to all through a [`RedisLog`], messages between nodes through [`RedisMessages`], and which
//! notices were sent is known to all by [`RedisSent`]. What the entries and messages say is the dispatch's business.
//!
//! The decision a reader would question: no consensus of our own, only one Redis that is asked. A Redis that fails over loses
//! what its replica had not got, so tokens name the session as well as the epoch: a table from before a hand-over gives the
//! shard back to who held it then, and never to two.

mod coordinator;
mod heartbeat;
mod lead_protocol;
mod lead_store;
mod leadership;
mod lease_coordinator;
mod lease_store;
mod local_process;
mod node_name;
mod ownership;
mod protocol;
mod redis_lead;
mod redis_leases;
mod redis_link;
mod redis_log;
mod redis_messages;
mod redis_sent;
mod redis_snapshots;
pub mod rendezvous;
mod snapshot_store;
mod virtual_shard;

pub use coordinator::{Coordinator, LocalCoordinator};
pub use lead_protocol::{LeadProtocol, LeadStanding, LeadView};
pub use lead_store::{LeadCandidate, LeadReply, LeadRequest, LeadStore, UnreadState};
pub use leadership::Leadership;
pub use lease_coordinator::LeaseCoordinator;
pub use lease_store::{FencingToken, LeaseReply, LeaseRequest, LeaseStore, Session, ShardLease};
pub use node_name::node_name;
pub use ownership::{ClusterNode, Ownership};
pub use protocol::{CLOCK_DRIFT, LeaseAnswer, LeaseProtocol, LeaseTerms};
pub use redis_lead::RedisLead;
pub use redis_leases::RedisLeases;
pub use redis_log::{LogAppend, LogEntries, RedisLog};
pub use redis_messages::RedisMessages;
pub use redis_sent::{RedisSent, SendMark};
pub use redis_snapshots::RedisSnapshots;
pub use snapshot_store::{OpenSnapshots, SnapshotStore};
pub use virtual_shard::{ShardSet, VIRTUAL_SHARDS, VirtualShard};
