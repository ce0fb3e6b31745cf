//! Silences that end when their incident changes.
//!
//! "Changed" is one of four things, each of which can be said of two moments without knowing what lay between: the incident became
//! more severe than it had been, the value lies on the other side of what is expected, what is expected now would have been an
//! anomaly then, or the incident is over. A value that moves within these is the same trouble.

use serde::{Deserialize, Serialize};

use crate::anomaly::{Direction, Expected, Severity};
use crate::incident::{Incident, IncidentChange};

/// The one incident a silence is about until it changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UntilChange {
    /// The incident's number.
    pub incident: u64,
    /// The incident as it was when the silence was made; given by the core.
    #[serde(default)]
    pub was: Option<IncidentShape>,
    /// What ended the silence, if a change did.
    #[serde(default)]
    pub ended_by: Option<IncidentChange>,
}

/// What of an incident counts as a change of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct IncidentShape {
    /// The worst it had been.
    pub severity: Severity,
    /// The side of what was expected the last anomalous value was on, if that could be said.
    pub direction: Option<Direction>,
    /// What was expected at the last anomalous value, if a detector could say.
    pub expected: Option<Expected>,
}

impl UntilChange {
    /// About this incident; as it is, is written down by the core when the silence begins.
    #[must_use]
    pub fn of(incident: u64) -> Self {
        Self {
            incident,
            was: None,
            ended_by: None,
        }
    }

    /// How the incident has changed, if it has; `None` for the incident is one that is not live any more.
    pub(crate) fn change(&self, incident: Option<&Incident>) -> Option<IncidentChange> {
        match incident.filter(|incident| incident.phase.is_open()) {
            Some(incident) => self.was?.change(&IncidentShape::of(incident)),
            None => Some(IncidentChange::Over),
        }
    }
}

impl IncidentShape {
    /// That of an incident as it is.
    pub(crate) fn of(incident: &Incident) -> Self {
        Self {
            severity: incident.severity,
            direction: incident.anomaly.direction(),
            expected: incident.anomaly.expected,
        }
    }

    /// How it has changed by `now`. What cannot be said of one of the two moments has not changed.
    fn change(&self, now: &Self) -> Option<IncidentChange> {
        if now.severity > self.severity {
            return Some(IncidentChange::Severity);
        }
        if let (Some(then), Some(now)) = (self.direction, now.direction)
            && then != now
        {
            return Some(IncidentChange::Direction);
        }
        let (then, level) = (self.expected?, now.expected?.centre);
        // A bound that is no number bounds nothing, and a centre that is none is nowhere outside.
        (level < then.low || level > then.high).then_some(IncidentChange::ExpectedLevel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_said_of_both_moments_is_a_change() {
        let expected = |low, high, centre| Some(Expected { low, high, centre });
        let was = IncidentShape {
            severity: Severity::Warning,
            direction: Some(Direction::Up),
            expected: expected(20.0, 40.0, 30.0),
        };
        let cases = [
            (was, None),
            (
                IncidentShape {
                    severity: Severity::Critical,
                    ..was
                },
                Some(IncidentChange::Severity),
            ),
            (
                IncidentShape {
                    severity: Severity::Info,
                    ..was
                },
                None,
            ),
            (
                IncidentShape {
                    direction: Some(Direction::Down),
                    ..was
                },
                Some(IncidentChange::Direction),
            ),
            (
                IncidentShape {
                    direction: None,
                    expected: None,
                    ..was
                },
                None,
            ),
            (
                IncidentShape {
                    expected: expected(25.0, 55.0, 39.0),
                    ..was
                },
                None,
            ),
            (
                IncidentShape {
                    expected: expected(40.0, 90.0, 41.0),
                    ..was
                },
                Some(IncidentChange::ExpectedLevel),
            ),
            (
                IncidentShape {
                    expected: expected(f64::NAN, f64::NAN, f64::NAN),
                    ..was
                },
                None,
            ),
        ];
        for (now, change) in cases {
            assert_eq!(was.change(&now), change, "{now:?}");
        }
        let boundless = IncidentShape {
            expected: expected(f64::NAN, f64::INFINITY, 30.0),
            ..was
        };
        let far = IncidentShape {
            expected: expected(1e6, 3e6, 2e6),
            ..was
        };
        assert_eq!(boundless.change(&far), None);
    }
}
