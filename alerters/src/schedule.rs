//! Hours of the week as somebody wrote them for a silence. What they mean is the settings' [`Week`].

use serde::{Deserialize, Serialize};
use skywatch_settings::Week;

/// Some hours of some days in one time zone, as somebody wrote them.
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

impl Hours {
    /// The hours, ready to be asked.
    ///
    /// # Errors
    /// What is wrong with them, for people.
    pub fn week(&self) -> Result<Week, String> {
        Week::read(&self.days, &self.hours, &self.zone)
    }
}
