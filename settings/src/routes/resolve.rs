//! From tables that leave things open to routes that leave nothing open.

use std::time::Duration;

use super::{Route, RouteOptions, RouteTable};
use crate::alerts::Alerts;

/// The route that stands for having written none: everything to everybody.
pub(crate) fn implicit(alerts: &Alerts, receivers: Vec<String>) -> Route {
    Route {
        name: "default".to_owned(),
        ..above_all(alerts, receivers)
    }
}

/// What the routes at the top have above them: `[alerts]`.
fn above_all(alerts: &Alerts, receivers: Vec<String>) -> Route {
    Route {
        name: String::new(),
        metrics: Vec::new(),
        tags: Vec::new(),
        severity: None,
        detectors: Vec::new(),
        days: Vec::new(),
        hours: String::new(),
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
pub(crate) fn resolve(tables: &[RouteTable], alerts: &Alerts) -> Vec<Route> {
    below(&above_all(alerts, Vec::new()), tables)
}

fn below(parent: &Route, tables: &[RouteTable]) -> Vec<Route> {
    let one = |table: &RouteTable| {
        let mut route = merged(parent, &table.options);
        route.routes = below(&route, &table.routes);
        route
    };
    tables.iter().map(one).collect()
}

fn merged(parent: &Route, own: &RouteOptions) -> Route {
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
    Route {
        name: own.name.clone(),
        metrics: own.metrics.clone(),
        tags: own.tags.clone(),
        severity: own.severity,
        detectors: own.detectors.clone(),
        days: own.days.clone(),
        hours: own.hours.clone().unwrap_or_default(),
        zone: own.zone.clone().unwrap_or_else(|| parent.zone.clone()),
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
