//! What broke first: suspects ranked by how far they changed, and by what their change explains.
//!
//! Without a topology a metric is as suspect as its [`change`]. With a [`CallGraph`] a node is suspect if it changed, in step with the
//! alarm, and if the nodes that depend on it changed, too: a fault shows in the node that has it and in those that call it. Nothing is
//! fitted to names or cases; `docs/algorithms/causes.md` argues each part.

mod change;
mod graph;

pub use change::{Worsening, change};
pub use graph::{CallGraph, CauseSuspect, NodeSeries, rank};
