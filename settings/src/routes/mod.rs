//! Who is told of what: `[[routes]]`, a tree that an incident walks down.
//!
//! Of the routes of one level the first that matches takes the incident, and of those below it again the first; only
//! `continue` lets one look further. What a route leaves open it has from the route above it, at the top from
//! `[alerts]`. What the tables say ([`RouteTable`]) becomes plain values ([`Route`]) in which nothing is left open.

mod check;
mod resolve;

use std::time::Duration;

pub(crate) use check::check;
pub(crate) use resolve::{implicit, resolve};

use crate::choice::choice;
use crate::origin::Origin;
use crate::pattern::Pattern;
use crate::section::Fields;

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

/// One route, with all that it has from those above it.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Its name, unique in the whole tree.
    pub name: String,
    /// It is about subjects whose name one of these picks; none is every subject.
    pub metrics: Vec<Pattern>,
    /// And whose tags all of these hold for: `dc=eu`, `dc!=eu`, `dc=~eu.*`, `dc!~eu.*`.
    pub tags: Vec<String>,
    /// And about what is at least so severe.
    pub severity: Option<MinSeverity>,
    /// And about what one of these detectors called anomalous; none is any detector.
    pub detectors: Vec<String>,
    /// And on these days, such as `mon` and `sat-sun`; none is every day.
    pub days: Vec<String>,
    /// And at these hours, such as `08:00-18:00` or over midnight `22:00-06:00`; empty is all day.
    pub hours: String,
    /// The time zone of days and hours, by its IANA name; never empty.
    pub zone: String,
    /// The names of those who are told; never empty, except for the route that stands for having none at all.
    pub receivers: Vec<String>,
    /// Whether the routes after it on its level are asked as well.
    pub go_on: bool,
    /// After a notice about a subject, how long there is no further one about it to the same receiver.
    pub cooldown: Duration,
    /// How often an incident that lasts is told again; `None` is never.
    pub repeat: Option<Duration>,
    /// Which way a value must have gone.
    pub direction: AlertDirection,
    /// The least value that is spoken of.
    pub min_value: Option<f64>,
    /// The least distance from what was expected, in the metric's own unit.
    pub min_change: Option<f64>,
    /// The same as a share of what was expected: 0.5 is half of it.
    pub min_relative_change: Option<f64>,
    /// Incidents whose names share so many leading elements go into one notice.
    pub group_depth: usize,
    /// How long the first incident of a group waits for others.
    pub group_wait: Duration,
    /// The least time between two notices about one group.
    pub group_interval: Duration,
    /// The routes below it.
    pub routes: Vec<Route>,
}

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

options! {
    /// What one `[[routes]]` says.
    pub(crate) RouteOptions {
        /// Its name.
        name: String = String::new(),
        /// Patterns one of which must pick the name.
        metrics: Vec<Pattern> = Vec::new(),
        /// Rules on tags that must all hold.
        tags: Vec<String> = Vec::new(),
        /// At least so severe.
        severity: Option<MinSeverity> = None,
        /// Detectors one of which must have called it anomalous.
        detectors: Vec<String> = Vec::new(),
        /// Days.
        days: Vec<String> = Vec::new(),
        /// Hours.
        hours: Option<String> = None,
        /// Their time zone.
        zone: Option<String> = None,
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
        min_change: Option<f64> = None,
        /// The same as a share of what was expected.
        min_relative_change: Option<f64> = None,
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
    pub(crate) fn fields(&mut self) -> Fields<'_> {
        let mut fields = self.options.fields_under(&self.key);
        fields.extend(self.routes.iter_mut().flat_map(Self::fields));
        fields
    }

    /// The dotted key of an option.
    fn key(&self, option: &str) -> String {
        format!("{}.{option}", self.key)
    }

    /// How a message calls it.
    fn called(&self) -> String {
        match self.options.name.as_str() {
            "" => format!("`{}`", self.key),
            name => format!("route `{name}`"),
        }
    }
}
