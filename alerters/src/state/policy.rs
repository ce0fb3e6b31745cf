//! The rules of incidents and notices, and the receivers there are.

use std::collections::BTreeMap;

use crate::group::RateCap;
use crate::incident::Hysteresis;
use crate::inhibition::Inhibition;
use crate::route::{Grouping, Routes};

/// What does not change while the program runs.
#[derive(Debug, Clone)]
pub struct AlertPolicy {
    /// When an incident opens and ends.
    pub hysteresis: Hysteresis,
    /// Who is told.
    pub routes: Routes,
    /// What is held back while something else lasts.
    pub inhibition: Inhibition,
    /// The receivers there are.
    pub receivers: Vec<ReceiverPolicy>,
    /// More notices than this for one receiver at one moment become one digest.
    pub digest_from: usize,
    /// Seconds that the news of some incidents of a thread being over waits for the others to be over too.
    pub partial_after: f64,
    /// Public address of the pages, without a slash at the end; empty for none.
    pub base_url: String,
    /// What commands begin with that are to reach this process.
    pub command: String,
}

/// What must be known of a receiver to make notices for it.
#[derive(Debug, Clone)]
pub struct ReceiverPolicy {
    /// Its name.
    pub name: String,
    /// Whether it is told when something is over.
    pub resolved: bool,
    /// How many notices it gets, if it is people.
    pub cap: RateCap,
    /// Who is told instead while it cannot be reached.
    pub fallback: Option<String>,
    /// Who reads what it gets.
    pub audience: Audience,
}

/// Receivers that cannot be reached, and since when, Unix seconds.
pub(super) type FailingReceivers = BTreeMap<String, f64>;

/// Who reads what a receiver gets. Limits of length and number are for people: a machine gets everything, in batches,
/// and at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Audience {
    /// People: digests, groups, rate caps.
    People,
    /// A machine.
    Machine {
        /// Seconds after which it is told again that an incident lasts, as it would take silence for its end; `None`
        /// where it does not.
        refresh: Option<f64>,
    },
}

impl Audience {
    pub(super) fn refresh(self) -> Option<f64> {
        match self {
            Self::People => None,
            Self::Machine { refresh } => refresh,
        }
    }

    /// How incidents are put together for it, where a route says how for people.
    pub(super) fn grouping(self, for_people: Grouping) -> Grouping {
        match self {
            Self::People => for_people,
            Self::Machine { .. } => Grouping {
                depth: 0,
                wait: 0.0,
                interval: 0.0,
            },
        }
    }
}
