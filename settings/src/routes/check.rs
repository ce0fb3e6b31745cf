//! What can be wrong with routes.

use std::collections::BTreeMap;

use super::RouteTable;
use crate::check::Check;
use crate::field::quote;
use crate::nearest::nearest;
use crate::{tags, when};

/// Checks the whole tree. `receivers` are the names there are.
pub(crate) fn check(routes: &[RouteTable], receivers: &[String], check: &mut Check<'_>) {
    let mut names = BTreeMap::new();
    for route in routes {
        check_route(route, false, receivers, &mut names, check);
    }
}

fn check_route<'r>(
    route: &'r RouteTable,
    parent_tells: bool,
    receivers: &[String],
    names: &mut BTreeMap<&'r str, &'r RouteTable>,
    check: &mut Check<'_>,
) {
    check_name(route, names, check);
    check_matchers(route, check);
    check_limits(route, check);
    check_receivers(route, receivers, check);
    let tells = parent_tells || !route.options.receivers.is_empty();
    if !tells {
        check.conflict_in(
            &route.origin,
            &[&route.key("receivers")],
            format!(
                "{} tells nobody: it has no `receivers`, and no route above it has any,",
                route.called()
            ),
            &listed(receivers),
        );
    }
    for below in &route.routes {
        check_route(below, tells, receivers, names, check);
    }
}

fn check_name<'r>(
    route: &'r RouteTable,
    names: &mut BTreeMap<&'r str, &'r RouteTable>,
    check: &mut Check<'_>,
) {
    let (key, name) = (route.key("name"), &route.options.name);
    if name.is_empty() {
        check.conflict_in(
            &route.origin,
            &[&key],
            format!("`{}` has no `name`", route.key),
            "name it, such as `name = \"web\"`; its name stands in notices and on the pages",
        );
        return;
    }
    check.require(
        name.trim() == name && !name.contains(char::is_control) && name.chars().count() <= 100,
        &key,
        name,
        "expected at most 100 characters without spaces around them, such as `\"web\"`",
    );
    if let Some(first) = names.insert(name, route) {
        check.conflict_in(
            &route.origin,
            &[&key],
            format!(
                "two routes are named `{name}`, `{}` and `{}`; the latter",
                first.key, route.key
            ),
            "give each its own name",
        );
    }
}

fn check_matchers(route: &RouteTable, check: &mut Check<'_>) {
    let options = &route.options;
    for rule in &options.tags {
        if let Err(why) = tags::check(rule) {
            let expected = format!("the rule `{rule}` is wrong: {why}");
            check.require(false, &route.key("tags"), &options.tags, &expected);
        }
    }
    let named = |name: &String| !name.is_empty() && !name.contains(char::is_whitespace);
    check.require(
        options.detectors.iter().all(named),
        &route.key("detectors"),
        &options.detectors,
        "expected names of detectors, such as `[\"grubbs\", \"ks_test\"]`",
    );
    check.require(
        options.days.iter().all(|text| when::is_days(text)),
        &route.key("days"),
        &options.days,
        "expected days, such as `[\"mon-fri\", \"sun\"]`",
    );
    check.require(
        options.hours.as_deref().is_none_or(when::is_hours),
        &route.key("hours"),
        &options.hours,
        "expected hours, such as `\"08:00-18:00\"`, or over midnight `\"22:00-06:00\"`",
    );
    if let Some(Err(expected)) = options.zone.as_deref().map(when::check_zone) {
        check.require(false, &route.key("zone"), &options.zone, &expected);
    }
}

fn check_limits(route: &RouteTable, check: &mut Check<'_>) {
    let options = &route.options;
    for (option, value) in [
        ("min_change", options.min_change),
        ("min_relative_change", options.min_relative_change),
    ] {
        if let Some(value) = value {
            check.within(&route.key(option), &value, Some(0.0), None);
        }
    }
}

fn check_receivers(route: &RouteTable, receivers: &[String], check: &mut Check<'_>) {
    for name in route
        .options
        .receivers
        .iter()
        .filter(|name| !receivers.contains(name))
    {
        let known = receivers.iter().map(String::as_str);
        let hint = match nearest(name, known) {
            Some(near) => format!("did you mean `{}`?", quote(near)),
            None => listed(receivers),
        };
        check.conflict_in(
            &route.origin,
            &[&route.key("receivers")],
            format!(
                "{} tells `{name}`, but there is no such receiver,",
                route.called()
            ),
            &hint,
        );
    }
}

/// Which receivers there are, or how to get one.
fn listed(receivers: &[String]) -> String {
    if receivers.is_empty() {
        return "there are no receivers; declare one with `[receivers.NAME]`, or set `email.server` and `email.to`".to_owned();
    }
    let names: Vec<String> = receivers
        .iter()
        .map(|name| format!("`{}`", quote(name)))
        .collect();
    format!("the receivers are {}", names.join(", "))
}
