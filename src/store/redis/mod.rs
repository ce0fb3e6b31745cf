//! A Redis in Skyline's own layout, so that both can work on the same one: under
//! `<namespace><name>` a string, the point stream of one metric; in the set
//! `<namespace>unique_metrics` all such keys.
//!
//! In a cluster ([`cluster_store`]) each key is where its slot is, without hash tags, as another program would have written it.
//!
//! One blocking connection a handle and server, and a second one for reading in bulk ([`plain`]). Commands are packed by hand into one
//! reused buffer and pipelined, with the next chunk on its way while the replies to the last are read ([`wire`]).

mod append;
mod cluster_keys;
mod cluster_nodes;
mod cluster_points;
mod cluster_store;
mod cluster_trim;
mod condition;
mod connect;
mod cursor;
mod failure;
mod fetch;
mod hash_slot;
mod key_connection;
mod keys;
mod known_names;
mod last;
mod login;
mod names;
mod options;
mod partly_stored;
mod plain;
mod redirect;
mod resp;
mod sentinel;
mod server_store;
mod slice_sizes;
mod slot_map;
mod slots;
mod store;
mod tails;
mod trim;
mod wire;

use super::{
    Condition, Connect, EachFetched, EachTail, Fetched, Keys, Names, Points, Sample, SavedCursor, Store,
    StoreError, Tail, Trim, Unreadable, codec,
};

pub use connect::RedisConnect;
pub use cursor::RedisCursor;
pub(crate) use key_connection::KeyConnection;
pub use options::RedisOptions;
pub use sentinel::SentinelOptions;
pub use store::RedisStore;
