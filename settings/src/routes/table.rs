//! `[[routes]]` as they are written.

use std::time::Duration;

use crate::direction::{AlertDirection, MinSeverity};
use crate::origin::Origin;
use crate::pattern::Pattern;
use crate::section::{OptionFields, OptionTable as _};
use crate::tag_rule::TagRule;
use crate::week::{DayRange, HourSpan, Zone};

/// How deep routes may nest, the top counted.
pub(crate) const DEEPEST: usize = 8;

/// The options that a route has from the one above it, or from `[alerts]`, when it does not set them.
pub(crate) const INHERITED: [&str; 11] = [
    "zone",
    "receivers",
    "cooldown",
    "repeat",
    "direction",
    "min_value",
    "min_change",
    "min_relative_change",
    "group_depth",
    "group_wait",
    "group_interval",
];

options! {
    /// What one `[[routes]]` says.
    pub(crate) RouteOptions {
        /// Its name.
        name: String = String::new(),
        /// Patterns one of which must pick the name.
        metrics: Vec<Pattern> = Vec::new(),
        /// Rules on tags that must all hold.
        tags: Vec<TagRule> = Vec::new(),
        /// At least so severe.
        severity: Option<MinSeverity> = None,
        /// Detectors one of which must have called it anomalous.
        detectors: Vec<String> = Vec::new(),
        /// Days.
        days: Vec<DayRange> = Vec::new(),
        /// HourSpan.
        hours: Option<HourSpan> = None,
        /// Their time zone.
        zone: Option<Zone> = None,
        /// Who is told.
        receivers: Vec<String> = Vec::new(),
        /// Whether the routes after it are asked as well.
        r#continue: bool = false,
        /// How long nothing more is said about the same subject.
        cooldown: Option<Duration> = None,
        /// How often what lasts is told again.
        repeat: Option<Duration> = None,
        /// Which way the value must have gone.
        direction: Option<AlertDirection> = None,
        /// The least value.
        min_value: Option<f64> = None,
        /// The least distance from what was expected.
        min_change: Option<f64> = None => 0.0..,
        /// The same as a share of what was expected.
        min_relative_change: Option<f64> = None => 0.0..,
        /// How many leading elements of its name a group shares.
        group_depth: Option<usize> = None,
        /// How long a group waits for more.
        group_wait: Option<Duration> = None,
        /// How long it then waits.
        group_interval: Option<Duration> = None,
    }
}

/// One `[[routes]]` as written, with those below it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RouteTable {
    /// What its options' keys begin with: `routes[1].routes[2]`, counted from one as lines are.
    pub(crate) key: String,
    /// Where it begins.
    pub(crate) origin: Origin,
    pub(crate) options: RouteOptions,
    pub(crate) routes: Vec<RouteTable>,
}

impl RouteTable {
    /// A route that says nothing yet.
    pub(crate) fn new(key: String, origin: Origin) -> Self {
        Self {
            key,
            origin,
            options: RouteOptions::default(),
            routes: Vec::new(),
        }
    }

    /// Every option under its dotted key, then those of the routes below.
    pub(crate) fn fields(&mut self) -> OptionFields<'_> {
        let mut fields = self.options.fields_under(&self.key);
        fields.extend(self.routes.iter_mut().flat_map(Self::fields));
        fields
    }

    /// How a message calls it.
    pub(super) fn called(&self) -> String {
        match self.options.name.as_str() {
            "" => format!("`{}`", self.key),
            name => format!("route `{name}`"),
        }
    }
}
