//! The names of parts of a snapshot: `states/NODE/SEAT/TIME/PART` and `hours/DAY/NODE/SEAT/TIME/PART`.
//!
//! The time is in them so that a snapshot is written beside the one before it, and takes its place only when it is whole.

use std::fmt;

use crate::baseline::KEPT_DAYS;

/// Which part of a virtual shard's snapshot it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SnapshotName {
    /// States.
    States(SnapshotSource),
    /// Hours of one day (UTC, since 1970).
    Hours {
        /// The day.
        day: u32,
        /// Who wrote it.
        source: SnapshotSource,
    },
}

/// Who wrote a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SnapshotSource {
    /// The node.
    pub(super) node: String,
    /// The worker, and of how many.
    pub(super) seat: (usize, usize),
    /// Which snapshot it is of: when that was begun, Unix milliseconds. No two of a node have the same.
    pub(super) at: u64,
    /// The number of the part.
    pub(super) part: usize,
}

impl SnapshotName {
    /// Reads a name; `None` for one of another form.
    pub(super) fn read(name: &str) -> Option<Self> {
        let parts: Vec<&str> = name.split('/').collect();
        match parts.as_slice() {
            ["states", rest @ ..] => Some(Self::States(SnapshotSource::read(rest)?)),
            ["hours", day, rest @ ..] => Some(Self::Hours {
                day: day.parse().ok()?,
                source: SnapshotSource::read(rest)?,
            }),
            _ => None,
        }
    }

    /// Who wrote it.
    pub(super) fn source(&self) -> &SnapshotSource {
        match self {
            Self::States(source) | Self::Hours { source, .. } => source,
        }
    }

    /// The day whose hours it holds, if it holds any.
    pub(super) fn day(&self) -> Option<u32> {
        match self {
            Self::States(_) => None,
            Self::Hours { day, .. } => Some(*day),
        }
    }

    /// Whether hours of that day are of no use once there are some of `newest`.
    pub(super) fn is_out_of_reach(day: u32, newest: u32) -> bool {
        day.saturating_add(KEPT_DAYS) < newest
    }
}

impl SnapshotSource {
    fn read(parts: &[&str]) -> Option<Self> {
        let [node, seat, at, part] = parts else {
            return None;
        };
        let (seat, seats) = seat.split_once("-of-")?;
        Some(Self {
            node: (*node).to_owned(),
            seat: (seat.parse().ok()?, seats.parse().ok()?),
            at: at.parse().ok()?,
            part: part.parse().ok()?,
        })
    }
}

impl fmt::Display for SnapshotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::States(source) => write!(f, "states/{source}"),
            Self::Hours { day, source } => write!(f, "hours/{day}/{source}"),
        }
    }
}

impl fmt::Display for SnapshotSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seat, seats) = self.seat;
        write!(f, "{}/{seat}-of-{seats}/{}/{}", self.node, self.at, self.part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_was_written() {
        let source = SnapshotSource {
            node: "web-1.a_b-0123abcd".to_owned(),
            seat: (1, 4),
            at: 1_764_412_345_678,
            part: 17,
        };
        let hours = SnapshotName::Hours {
            day: 20_421,
            source: source.clone(),
        };
        for name in [SnapshotName::States(source), hours] {
            assert_eq!(SnapshotName::read(&name.to_string()), Some(name));
        }
        for other in [
            "",
            "states",
            "states/a/1-of-4/5",
            "hours/x/a/1-of-4/5/6",
            "later/a/1-of-4/5/6",
        ] {
            assert_eq!(SnapshotName::read(other), None, "{other}");
        }
    }
}
