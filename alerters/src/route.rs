//! Who is told of what: an ordered tree of routes.
//!
//! At each level routes are tried in order. The first that selects the subject takes it, the levels below it are tried
//! the same way, and where none of them takes it the route itself does. A route that says `continue` lets its later
//! neighbours have a look as well. What a route does not set it has from the one above it; that is done before the
//! tree gets here.

use serde::{Deserialize, Serialize};
use skywatch_settings::Week;

use crate::anomaly::{Anomaly, Direction, Expected, Subject};
use crate::matcher::{About, Matcher, bare_name};

/// One route, with everything it has from those above it.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its name, unique in the tree.
    pub name: String,
    /// What it is about.
    pub matcher: Matcher,
    /// The hours in which it exists; `None` is always.
    pub hours: Option<Week>,
    /// Whom it leads to.
    pub receivers: Vec<String>,
    /// Whether later neighbours have a look as well.
    pub go_on: bool,
    /// What is too small to speak of.
    pub limits: RouteLimits,
    /// How often it speaks of one subject.
    pub pace: Pace,
    /// What goes together in one notice.
    pub grouping: Grouping,
    /// The routes below it.
    pub routes: Vec<Route>,
}

/// What is too small to speak of. An incident that grows beyond them is told of then.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RouteLimits {
    /// Only this side of what was expected; `None` is both.
    pub direction: Option<Direction>,
    /// The value is at least this.
    pub min_value: Option<f64>,
    /// It is at least so far from what was expected, in the metric's own unit.
    pub min_change: Option<f64>,
    /// The same as a share of what was expected: 0.5 is half as much again, or half of it missing.
    pub min_relative_change: Option<f64>,
}

/// How often one receiver hears of one subject. Seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// After a notice that something is wrong, how long there is no other that it is wrong again.
    pub cooldown: f64,
    /// How often it is said again while it lasts; `None` is never.
    pub repeat: Option<f64>,
}

/// What goes together in one notice. Seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grouping {
    /// How many leading elements of their names incidents share to be told of together; 0 puts all together.
    pub depth: usize,
    /// How long the first of a group waits for others.
    pub wait: f64,
    /// Time between two notices about one group.
    pub interval: f64,
}

/// The tree.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    /// The routes of the highest level, in order.
    pub top: Vec<Route>,
}

/// One route that was looked at on the way, for people who ask why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// How deep in the tree, from 0.
    pub depth: usize,
    /// The route's name.
    pub route: String,
    /// Whether it selects the subject.
    pub selects: bool,
    /// Whether it takes it, rather than one below it.
    pub takes: bool,
    /// Why.
    pub why: String,
}

impl Routes {
    /// The routes that take this at the moment `at` (Unix seconds), in order.
    pub fn taking(&self, about: &About<'_>, at: f64) -> Vec<&Route> {
        let mut taking = Vec::new();
        walk(&self.top, about, at, 0, &mut taking, None);
        taking
    }

    /// Every route looked at on the way, in order.
    pub fn explain(&self, about: &About<'_>, at: f64) -> Vec<Tried> {
        let mut tried = Vec::new();
        walk(&self.top, about, at, 0, &mut Vec::new(), Some(&mut tried));
        tried
    }

    /// Whether any of them exists at some hours only.
    pub fn have_hours(&self) -> bool {
        fn within(routes: &[Route]) -> bool {
            routes
                .iter()
                .any(|route| route.hours.is_some() || within(&route.routes))
        }
        within(&self.top)
    }

    /// The route of that name, wherever it is in the tree.
    pub fn find(&self, name: &str) -> Option<&Route> {
        fn within<'r>(routes: &'r [Route], name: &str) -> Option<&'r Route> {
            routes.iter().find_map(|route| {
                (route.name == name)
                    .then_some(route)
                    .or_else(|| within(&route.routes, name))
            })
        }
        within(&self.top, name)
    }
}

/// Where people are told of each route that was looked at; nobody when there is nobody to ask why.
type Tell<'t> = Option<&'t mut Vec<Tried>>;

/// Tries one level. Answers whether somebody took it.
fn walk<'r>(
    routes: &'r [Route],
    about: &About<'_>,
    at: f64,
    depth: usize,
    taking: &mut Vec<&'r Route>,
    mut tell: Tell<'_>,
) -> bool {
    let mut taken = false;
    for route in routes {
        let step = |selects, takes, why: String| Tried {
            depth,
            route: route.name.clone(),
            selects,
            takes,
            why,
        };
        if let Some(miss) = route.matcher.miss(about) {
            if let Some(tried) = &mut tell {
                tried.push(step(false, false, miss.to_string()));
            }
            continue;
        }
        if route.hours.as_ref().is_some_and(|hours| !hours.contains(at)) {
            if let Some(tried) = &mut tell {
                tried.push(step(false, false, "outside its hours".to_owned()));
            }
            continue;
        }
        // A route is told of before those below it, and only they show whether it takes the subject itself.
        let mut below = Vec::new();
        let asked = tell.is_some().then_some(&mut below);
        let deeper = walk(&route.routes, about, at, depth + 1, taking, asked);
        if !deeper {
            taking.push(route);
        }
        if let Some(tried) = &mut tell {
            let onwards = if route.go_on { "; goes on to the next" } else { "" };
            let why = if deeper {
                format!("a route below takes it{onwards}")
            } else {
                format!("tells {}{onwards}", list(&route.receivers))
            };
            tried.push(step(true, !deeper, why));
            tried.append(&mut below);
        }
        taken = true;
        if !route.go_on {
            break;
        }
    }
    taken
}

impl RouteLimits {
    /// Why the anomaly is too small to speak of; `None` when it is not. Where nothing was expected, limits on change let
    /// it pass.
    pub fn hold(&self, anomaly: &Anomaly) -> Option<String> {
        let Self {
            direction,
            min_value,
            min_change,
            min_relative_change,
        } = *self;
        if let (Some(wanted), Some(seen)) = (direction, anomaly.direction())
            && wanted != seen
        {
            return Some(format!(
                "it goes {}, and the route is for {}",
                way(seen),
                way(wanted)
            ));
        }
        let number = crate::units::number;
        if let Some(least) = min_value
            && anomaly.observed < least
        {
            return Some(format!(
                "{} is below the least value {}",
                number(anomaly.observed),
                number(least)
            ));
        }
        let Expected { centre, .. } = anomaly.expected?;
        let change = (anomaly.observed - centre).abs();
        if let Some(least) = min_change
            && change < least
        {
            return Some(format!(
                "a change of {} is below the least, {}",
                number(change),
                number(least)
            ));
        }
        let relative = change / centre.abs();
        if let Some(least) = min_relative_change
            && relative < least
        {
            return Some(format!(
                "a change by a share of {} is below the least, {}",
                number(relative),
                number(least)
            ));
        }
        None
    }
}

impl Grouping {
    /// What the subject shares with the others of its group.
    pub fn namespace<'n>(&self, subject: &'n Subject) -> &'n str {
        if !subject.kind().is_grouped {
            return subject.name();
        }
        if self.depth == 0 {
            return "";
        }
        let name = bare_name(subject.name());
        match name.match_indices('.').nth(self.depth - 1) {
            Some((end, _)) => &name[..end],
            None => name,
        }
    }
}

fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "up",
        Direction::Down => "down",
    }
}

fn list(receivers: &[String]) -> String {
    match receivers {
        [] => "nobody".to_owned(),
        some => some.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anomaly::Severity;
    use crate::matcher::Selection;
    use crate::sample;

    fn route(name: &str, metrics: &str, go_on: bool, routes: Vec<Route>) -> Route {
        let selection = Selection {
            metrics: (!metrics.is_empty())
                .then(|| metrics.to_owned())
                .into_iter()
                .collect(),
            ..Selection::default()
        };
        Route {
            name: name.into(),
            matcher: Matcher::new(&selection).unwrap(),
            hours: None,
            receivers: vec![format!("to-{name}")],
            go_on,
            limits: RouteLimits::default(),
            pace: Pace {
                cooldown: 1_800.0,
                repeat: None,
            },
            grouping: Grouping {
                depth: 2,
                wait: 0.0,
                interval: 60.0,
            },
            routes,
        }
    }

    fn taking(routes: &Routes, name: &str) -> Vec<String> {
        let about = About {
            name,
            severity: Severity::Warning,
            anomaly: None,
        };
        let taking = routes.taking(&about, 0.0);
        taking.into_iter().map(|route| route.name.clone()).collect()
    }

    #[test]
    fn the_first_that_selects_takes_unless_it_goes_on() {
        let routes = Routes {
            top: vec![
                route("audit", "", true, vec![]),
                route(
                    "web",
                    "web.**",
                    false,
                    vec![
                        route("db", "**.db", false, vec![]),
                        route("api", "**.api", false, vec![]),
                    ],
                ),
                route("rest", "", false, vec![]),
            ],
        };
        assert_eq!(taking(&routes, "web.1.api"), ["audit", "api"]);
        assert_eq!(taking(&routes, "web.1.cpu"), ["audit", "web"]);
        assert_eq!(taking(&routes, "mail.1.cpu"), ["audit", "rest"]);
        let about = About {
            name: "web.1.cpu",
            severity: Severity::Warning,
            anomaly: None,
        };
        let said: Vec<String> = routes
            .explain(&about, 0.0)
            .into_iter()
            .map(|tried| format!("{}{}: {}", "  ".repeat(tried.depth), tried.route, tried.why))
            .collect();
        assert_eq!(
            said,
            [
                "audit: tells to-audit; goes on to the next",
                "web: tells to-web",
                "  db: no pattern picks the name",
                "  api: no pattern picks the name",
            ]
        );
        assert_eq!(routes.find("api").unwrap().name, "api");
        assert!(routes.find("none").is_none());
    }

    #[test]
    fn a_route_outside_its_hours_is_as_if_it_were_not_there() {
        let mut night = route("night", "", false, vec![]);
        let hours = crate::schedule::Hours {
            hours: "22:00-06:00".into(),
            ..Default::default()
        };
        night.hours = Some(hours.week().unwrap());
        let routes = Routes {
            top: vec![night, route("day", "", false, vec![])],
        };
        assert_eq!(taking(&routes, "a"), ["night"], "midnight");
        let about = About {
            name: "a",
            severity: Severity::Warning,
            anomaly: None,
        };
        assert_eq!(routes.taking(&about, 43_200.0)[0].name, "day");
    }

    #[test]
    fn limits_hold_back_what_is_small_or_goes_the_other_way() {
        // 97.2 where 30.2 was expected.
        let anomaly = sample::anomaly("a");
        let held = |limits: RouteLimits| limits.hold(&anomaly);
        assert_eq!(held(RouteLimits::default()), None);
        let down = RouteLimits {
            direction: Some(Direction::Down),
            ..RouteLimits::default()
        };
        assert_eq!(held(down).unwrap(), "it goes up, and the route is for down");
        let at_least = |value, change, relative| RouteLimits {
            min_value: value,
            min_change: change,
            min_relative_change: relative,
            ..RouteLimits::default()
        };
        assert_eq!(held(at_least(Some(97.2), Some(67.0), Some(2.2))), None);
        assert!(held(at_least(Some(97.3), None, None)).is_some());
        assert!(held(at_least(None, Some(67.1), None)).is_some());
        assert!(held(at_least(None, None, Some(2.3))).is_some());
        let mut from_nothing = anomaly.clone();
        from_nothing.expected = from_nothing.expected.map(|expected| Expected {
            centre: 0.0,
            ..expected
        });
        assert_eq!(
            at_least(None, None, Some(1e9)).hold(&from_nothing),
            None,
            "from nothing it is any share"
        );
    }

    #[test]
    fn groups_share_the_leading_elements_of_their_names() {
        let shared = |depth, name: &str| {
            let grouping = Grouping {
                depth,
                wait: 0.0,
                interval: 0.0,
            };
            grouping.namespace(&Subject::Metric(name.into())).to_owned()
        };
        assert_eq!(shared(2, "web.1.cpu.user"), "web.1");
        assert_eq!(shared(2, "web.1.cpu;dc=eu.1"), "web.1");
        assert_eq!(shared(1, "web.1"), "web");
        assert_eq!(shared(3, "web.1.cpu"), "web.1.cpu", "all of it");
        assert_eq!(shared(2, "load"), "load");
        assert_eq!(shared(0, "web.1"), "");
    }
}
