//! What can be wrong with routes.

use std::collections::BTreeMap;

use super::table::RouteTable;
use crate::check::Check;
use crate::field::quote;
use crate::nearest::nearest;
use crate::section::OptionTable as _;

/// The longest name of a route, in characters: it stands in the subjects of notices.
const LONGEST_NAME: usize = 100;

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
    check.table(&route.key, &route.origin, |check| {
        route.options.check_limits(check);
        check_name(route, names, check);
        check_receivers(route, parent_tells, receivers, check);
        let named = |name: &String| !name.is_empty() && !name.contains(char::is_whitespace);
        check.require(
            route.options.detectors.iter().all(named),
            "detectors",
            &route.options.detectors,
            "expected names of detectors, such as `[\"grubbs\", \"ks_test\"]`",
        );
    });
    let tells = parent_tells || !route.options.receivers.is_empty();
    for below in &route.routes {
        check_route(below, tells, receivers, names, check);
    }
}

fn check_name<'r>(
    route: &'r RouteTable,
    names: &mut BTreeMap<&'r str, &'r RouteTable>,
    check: &mut Check<'_>,
) {
    let name = &route.options.name;
    if name.is_empty() {
        check.conflict(
            &["name"],
            format!("`{}` has no `name`", route.key),
            "name it, such as `name = \"web\"`; its name stands in notices and on the pages",
        );
        return;
    }
    check.require(
        name.trim() == name && !name.contains(char::is_control) && name.chars().count() <= LONGEST_NAME,
        "name",
        name,
        "expected at most 100 characters without spaces around them, such as `\"web\"`",
    );
    if let Some(first) = names.insert(name, route) {
        check.conflict(
            &["name"],
            format!(
                "two routes are named `{name}`, `{}` and `{}`; the latter",
                first.key, route.key
            ),
            "give each its own name",
        );
    }
}

fn check_receivers(route: &RouteTable, parent_tells: bool, receivers: &[String], check: &mut Check<'_>) {
    let named = &route.options.receivers;
    for name in named.iter().filter(|name| !receivers.contains(name)) {
        let hint = match nearest(name, receivers.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{}`?", quote(near)),
            None => listed(receivers),
        };
        check.conflict(
            &["receivers"],
            format!(
                "{} tells `{name}`, but there is no such receiver,",
                route.called()
            ),
            &hint,
        );
    }
    if named.is_empty() && !parent_tells {
        check.conflict(
            &["receivers"],
            format!(
                "{} tells nobody: it has no `receivers`, and no route above it has any,",
                route.called()
            ),
            &listed(receivers),
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
