//! Verdicts of the health plane: what several observers report about a subject, and what follows from it.
//!
//! An observer keeps one [`HealthView`] of a subject, its last ten observations. Two judges look at the same views.
//! [`infer`] is Panorama's (Huang et al., OSDI 2018; github.com/ryanphuang/panorama): one vote an observer and metric, the
//! majority wins, ties go to the worse; nothing ages. [`assess`] is ours: votes expire, a pending request that is overdue is a
//! failure, and a failure seen from one vantage point is never outvoted by success seen from another
//! ([`HealthState::Gray`]). [`Track`] turns assessments into a state that does not flap.
//!
//! Observations are never changed once they are made: the original writes means back into what it averages, so its scores
//! drift with each look. Times are Unix nanoseconds and `now` is passed in.

mod assessment;
mod majority;
mod observation;
mod status;
mod track;
mod vantage;

pub use assessment::{Assessment, HealthEvidence, Policy, Standing, assess};
pub use majority::{Inference, Summary, infer, merge, summarise};
pub use observation::{HealthMetric, HealthObservation, HealthView, VIEW_LENGTH};
pub use status::{HealthState, Status};
pub use track::{Damping, REMEMBERED, Track, Transition};
pub use vantage::observer_kind;

/// A second in the unit of all times here.
pub const SECOND: i64 = 1_000_000_000;
