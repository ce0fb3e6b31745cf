//! What one observer says of a subject, and what all of them together say.

/// What an observer saw. The numbers are those on the wire, and their order is the order of severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Status {
    /// No status at all: it is refused wherever reports come in.
    Invalid = 0,
    /// Nothing is known.
    Na = 1,
    /// It worked.
    Healthy = 2,
    /// A request is under way and not answered yet.
    Pending = 3,
    /// Something is odd.
    MaybeUnhealthy = 4,
    /// It failed.
    Unhealthy = 5,
    /// It says that it is going down.
    Dying = 6,
    /// It is gone.
    Dead = 7,
}

impl Status {
    /// All of them, by number.
    pub const ALL: [Self; 8] = [
        Self::Invalid,
        Self::Na,
        Self::Healthy,
        Self::Pending,
        Self::MaybeUnhealthy,
        Self::Unhealthy,
        Self::Dying,
        Self::Dead,
    ];

    /// The status of a number on the wire; `None` for numbers nobody has defined.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        usize::try_from(number)
            .ok()
            .and_then(|index| Self::ALL.get(index).copied())
    }

    /// The short code of the command line, such as `u` (case matters).
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().skip(1).find(|status| status.code() == code)
    }

    /// The name in filter files, such as `maybe_unhealthy` (case does not matter).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .skip(1)
            .find(|status| status.name().eq_ignore_ascii_case(name))
    }

    /// Its short code, empty for [`Status::Invalid`].
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Invalid => "",
            Self::Na => "n",
            Self::Healthy => "h",
            Self::Pending => "p",
            Self::MaybeUnhealthy => "m",
            Self::Unhealthy => "u",
            Self::Dying => "d",
            Self::Dead => "dd",
        }
    }

    /// Its name, as printed and as in the protocol.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Invalid => "INVALID",
            Self::Na => "NA",
            Self::Healthy => "HEALTHY",
            Self::Pending => "PENDING",
            Self::MaybeUnhealthy => "MAYBE_UNHEALTHY",
            Self::Unhealthy => "UNHEALTHY",
            Self::Dying => "DYING",
            Self::Dead => "DEAD",
        }
    }
}

/// How a subject is, all votes taken together. The order is the order of severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HealthState {
    /// All who reported lately saw it work.
    Healthy,
    /// Nobody has reported lately.
    Unknown,
    /// Somebody saw something odd, or saw a failure that others of the same vantage did not see.
    Suspected,
    /// Requests go unanswered for too long, and nobody sees it work.
    Overdue,
    /// It fails from one vantage and works from another.
    Gray,
    /// It fails wherever one looks.
    Unhealthy,
}

impl HealthState {
    /// All of them, the best first.
    pub const ALL: [Self; 6] = [
        Self::Healthy,
        Self::Unknown,
        Self::Suspected,
        Self::Overdue,
        Self::Gray,
        Self::Unhealthy,
    ];

    /// Its name in messages, series and answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Unknown => "unknown",
            Self::Suspected => "suspected",
            Self::Overdue => "overdue",
            Self::Gray => "gray",
            Self::Unhealthy => "unhealthy",
        }
    }

    /// Whether it is certain that something fails.
    #[must_use]
    pub fn is_failing(self) -> bool {
        self >= Self::Overdue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_codes_and_names_lead_back() {
        for status in Status::ALL {
            assert_eq!(Status::from_number(status as i32), Some(status));
            if status != Status::Invalid {
                assert_eq!(Status::from_code(status.code()), Some(status));
                assert_eq!(Status::from_name(&status.name().to_lowercase()), Some(status));
            }
        }
        for number in [-1, 8, i32::MAX, i32::MIN] {
            assert_eq!(Status::from_number(number), None);
        }
        for refused in ["", "U", "z", "invalid", "healthy "] {
            assert_eq!(Status::from_code(refused), None);
            assert_eq!(Status::from_name(refused), None);
        }
    }
}
