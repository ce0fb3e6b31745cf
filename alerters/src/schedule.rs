//! Hours of the week.

use serde::{Deserialize, Serialize};

/// Some hours of some days, in one time zone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hours {
    /// Days: `mon`, `sat`, `mon-fri`; none is every day.
    pub days: Vec<String>,
    /// `08:00-18:00`; `22:00-06:00` reaches into the next day and belongs to the day it begins on. Empty is all day.
    pub hours: String,
    /// IANA name of the zone, such as `Europe/Berlin`; empty is UTC.
    pub zone: String,
}
