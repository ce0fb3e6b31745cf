//! What a route asks of an anomaly, and the adaptive profile of a value: a way it went, and how bad it is.

use crate::choice::choice;

/// Which way a value must have gone from what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AlertDirection {
    /// Above.
    Up,
    /// Below.
    Down,
    /// Either.
    #[default]
    Both,
}
choice!(AlertDirection { "up" => Up, "down" => Down, "both" => Both });

/// The least severity a route is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MinSeverity {
    /// Worth knowing, and all above: everything.
    Info,
    /// Worth a look.
    Warning,
    /// Worth getting up for.
    Critical,
}
choice!(MinSeverity { "info" => Info, "warning" => Warning, "critical" => Critical });
