//! What broke first: suspects ranked by how far they changed, and by what their change explains.
//!
//! Without a topology a metric is as suspect as its [`change`]. With a [`CallGraph`] a node is suspect if it changed, in step with the
//! alarm, and if the nodes that depend on it changed, too: a fault shows in the node that has it and in those that call it. Nothing is
//! fitted to names or cases; `docs/algorithms/causes.md` argues each part. Of plain metrics, [`TailCorrelator`] says which moved with
//! one of them and how much earlier, [`findings`] which of many that is more than chance for, and [`shared_causes`] which incidents
//! have one cause. Of a sum and its parts, [`contributions`] says which part made it what it was.

mod change;
mod co_movement;
mod contributors;
mod discovery;
mod graph;
mod propagation;
mod search;
mod shared;
mod tails;

pub use change::{Worsening, change, onset};
pub use co_movement::{CoMovement, MOST_LEAD, TailCorrelator};
pub use contributors::{Contribution, contributions};
pub use discovery::{adjusted, findings};
pub use graph::{CallGraph, CauseSuspect, NodeSeries, rank};
pub use propagation::{
    FaultWays, GrangerFault, InferenceQuestion, InferredCause, ScoredEntity, ScoredSeries, granger, infer,
};
pub use search::{BY_CHANCE, FoundRelation, MOST_KEPT, RelatedSearch, RelatedTier};
pub use shared::{IncidentRelations, SharedCauseGroup, shared_causes};
pub use tails::{GridValues, LEAST_PRESENT, PreparedTail, TAIL_POINTS, TailGrid};
