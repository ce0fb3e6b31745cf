//! From tables that leave things open to routes that leave nothing open.

use std::time::Duration;

use super::table::{RouteOptions, RouteTable};
use crate::alerts::Alerts;
use crate::direction::{AlertDirection, MinSeverity};
use crate::pattern::Pattern;
use crate::tag_rule::TagRule;
use crate::week::{Week, Zone};

/// One route, with all that it has from those above it.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedRoute {
    /// Its name, unique in the whole tree.
    pub name: String,
    /// It is about subjects whose name one of these picks; none is every subject.
    pub metrics: Vec<Pattern>,
    /// And for whose tags all of these hold.
    pub tags: Vec<TagRule>,
    /// And about what is at least so severe.
    pub severity: Option<MinSeverity>,
    /// And about what one of these detectors called anomalous; none is any detector.
    pub detectors: Vec<String>,
    /// And at these hours; `None` is always.
    pub hours: Option<Week>,
    /// The time zone of its hours, and of those of the routes below that name no other.
    pub zone: Zone,
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
    pub routes: Vec<ResolvedRoute>,
}

/// The route that stands for having written none: everything to everybody.
pub(crate) fn implicit(alerts: &Alerts, receivers: Vec<String>) -> ResolvedRoute {
    ResolvedRoute {
        name: "default".to_owned(),
        ..above_all(alerts, receivers)
    }
}

/// What the routes at the top have above them: `[alerts]`.
fn above_all(alerts: &Alerts, receivers: Vec<String>) -> ResolvedRoute {
    ResolvedRoute {
        name: String::new(),
        metrics: Vec::new(),
        tags: Vec::new(),
        severity: None,
        detectors: Vec::new(),
        hours: None,
        zone: alerts.zone.clone(),
        receivers,
        go_on: false,
        cooldown: alerts.cooldown,
        repeat: never(alerts.repeat),
        direction: alerts.direction,
        min_value: alerts.min_value,
        min_change: alerts.min_change,
        min_relative_change: alerts.min_relative_change,
        group_depth: alerts.group_depth,
        group_wait: alerts.group_wait,
        group_interval: alerts.group_interval,
        routes: Vec::new(),
    }
}

/// The routes with all they have from those above them.
pub(crate) fn resolve(tables: &[RouteTable], alerts: &Alerts) -> Vec<ResolvedRoute> {
    below(&above_all(alerts, Vec::new()), tables)
}

fn below(parent: &ResolvedRoute, tables: &[RouteTable]) -> Vec<ResolvedRoute> {
    let one = |table: &RouteTable| {
        let mut route = merged(parent, &table.options);
        route.routes = below(&route, &table.routes);
        route
    };
    tables.iter().map(one).collect()
}

fn merged(parent: &ResolvedRoute, own: &RouteOptions) -> ResolvedRoute {
    let mut receivers: Vec<String> = Vec::new();
    for name in &own.receivers {
        // Named twice is told once.
        if !receivers.contains(name) {
            receivers.push(name.clone());
        }
    }
    if receivers.is_empty() {
        receivers.clone_from(&parent.receivers);
    }
    let zone = own.zone.clone().unwrap_or_else(|| parent.zone.clone());
    ResolvedRoute {
        name: own.name.clone(),
        metrics: own.metrics.clone(),
        tags: own.tags.clone(),
        severity: own.severity,
        detectors: own.detectors.clone(),
        hours: (!own.days.is_empty() || own.hours.is_some())
            .then(|| Week::new(&own.days, own.hours, zone.clone())),
        zone,
        receivers,
        go_on: own.r#continue,
        cooldown: own.cooldown.unwrap_or(parent.cooldown),
        repeat: own.repeat.map_or(parent.repeat, never),
        direction: own.direction.unwrap_or(parent.direction),
        min_value: own.min_value.or(parent.min_value),
        min_change: own.min_change.or(parent.min_change),
        min_relative_change: own.min_relative_change.or(parent.min_relative_change),
        group_depth: own.group_depth.unwrap_or(parent.group_depth),
        group_wait: own.group_wait.unwrap_or(parent.group_wait),
        group_interval: own.group_interval.unwrap_or(parent.group_interval),
        routes: Vec::new(),
    }
}

/// `"0s"` is never.
fn never(repeat: Duration) -> Option<Duration> {
    (!repeat.is_zero()).then_some(repeat)
}
