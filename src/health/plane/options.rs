//! How a plane works.

use skywatch_algorithms::verdicts::{Damping, Policy};

use super::hold::Holding;
use crate::health::limits::HealthLimits;

/// How a plane works.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Bounds on what is taken.
    pub limits: HealthLimits,
    /// When votes expire.
    pub policy: Policy,
    /// When a subject flaps.
    pub damping: Damping,
    /// What is held of what is not watched.
    pub holding: Holding,
    /// Whether reports of other servers are taken only about subjects that are watched here.
    pub filter: bool,
}
