//! The numbers of incidents, silences and notices: never given twice.

/// The next numbers to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Next {
    /// To an incident.
    pub incident: u64,
    /// To a silence.
    pub silence: u64,
    /// To a notice; those of each run begin anew, as its name is part of their ids.
    pub notice: u64,
}

/// Numbers from here on were given without a file to write them to. They are microseconds since 1970: nobody gives a
/// million a second, so no two runs give the same, whatever either of them can read of the other.
pub const APART: u64 = 1_000_000_000_000;

/// Which numbers this run may give.
///
/// A number is given before it is written, and may be told before it is, too, when the disk takes nothing. So it must be
/// claimed first: the next run begins behind whatever was claimed. What nobody can claim is taken from a range where runs
/// cannot meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberClaim {
    /// The first number of an incident that is not claimed.
    pub incident: u64,
    /// The first number of a silence that is not claimed.
    pub silence: u64,
    /// What to give beyond: microseconds since 1970 at the start of this run.
    pub apart: u64,
}

impl NumberClaim {
    /// No number but those apart.
    pub fn nothing(apart: u64) -> Self {
        Self {
            incident: 0,
            silence: 0,
            apart: apart.max(APART),
        }
    }
}

impl Default for Next {
    fn default() -> Self {
        Self {
            incident: 1,
            silence: 1,
            notice: 1,
        }
    }
}
