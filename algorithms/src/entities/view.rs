//! The ways to look at a row, by name.

use serde::{Deserialize, Serialize};

/// A way to look at a row that gives it a score of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntityView {
    /// What the row has outside of the subspace its metrics move in.
    Subspace,
    /// How far each metric is from what it should be by itself.
    Baselines,
    /// How far the row is from the nearest rows of the training.
    Neighbours,
}

impl EntityView {
    /// All of them: the default ensemble.
    pub const ALL: [Self; 3] = [Self::Subspace, Self::Baselines, Self::Neighbours];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Subspace => "subspace",
            Self::Baselines => "baselines",
            Self::Neighbours => "neighbours",
        }
    }

    /// The view of a name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|view| view.name() == name)
    }
}
