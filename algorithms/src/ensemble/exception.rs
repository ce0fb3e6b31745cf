//! Why a metric was not analyzed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a metric was not analyzed, under the names the originals print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Exception {
    /// Fewer points than the shortest series worth a look.
    TooShort,
    /// The newest point is too old.
    Stale,
    /// Too few distinct values among the newest points.
    Boring,
    /// The metric was gone when it was fetched. Set by the caller.
    DeletedByRoomba,
    /// Anything else. Set by the caller.
    Other,
}

impl Exception {
    /// All of them, in the order of [`Exception::index`].
    pub const ALL: [Self; 5] = [
        Self::TooShort,
        Self::Stale,
        Self::Boring,
        Self::DeletedByRoomba,
        Self::Other,
    ];

    /// The name as printed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TooShort => "TooShort",
            Self::Stale => "Stale",
            Self::Boring => "Boring",
            Self::DeletedByRoomba => "DeletedByRoomba",
            Self::Other => "Other",
        }
    }

    /// Place in [`Exception::ALL`], for counters kept in an array.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_the_place_among_all() {
        for (i, exception) in Exception::ALL.into_iter().enumerate() {
            assert_eq!(exception.index(), i);
        }
    }
}
