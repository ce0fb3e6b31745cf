//! Receivers and routes together: the tables as written, and what must hold between them.

use crate::alerts::Alerts;
use crate::check::Check;
use crate::duration::show;
use crate::email::Email;
use crate::receivers::{self, Receiver, ReceiverTable};
use crate::routes::{self, MinSeverity, Route, RouteTable};
use crate::section::Fields;

/// The tables `[receivers.NAME]` and `[[routes]]` as written. What follows from them is given by
/// [`Settings::receivers`](crate::Settings::receivers) and [`Settings::routes`](crate::Settings::routes).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Routing {
    pub(crate) receivers: Vec<ReceiverTable>,
    /// Receivers that are declared, but whose options cannot be judged because their type is not known.
    pub(crate) broken: Vec<String>,
    pub(crate) routes: Vec<RouteTable>,
}

impl Routing {
    /// Every option under its dotted key, in the order of the file.
    pub(crate) fn fields(&mut self) -> Fields<'_> {
        let receivers = self.receivers.iter_mut().flat_map(ReceiverTable::fields);
        receivers
            .chain(self.routes.iter_mut().flat_map(RouteTable::fields))
            .collect()
    }

    /// Whether any receiver is declared, right or wrong.
    pub(crate) fn declares_receivers(&self) -> bool {
        !self.receivers.is_empty() || !self.broken.is_empty()
    }

    /// Limits, and options that must agree.
    pub(crate) fn check(&self, alerts: &Alerts, email: &Email, check: &mut Check<'_>) {
        for receiver in &self.receivers {
            receiver.check(email, check);
        }
        let mut names: Vec<String> = self
            .receivers
            .iter()
            .map(|receiver| receiver.name.clone())
            .collect();
        names.extend(self.broken.iter().cloned());
        if !self.declares_receivers() && email.server.is_some() {
            names.push("email".to_owned());
        }
        routes::check(&self.routes, &names, check);
        self.check_email_cooldown(alerts, email, check);
    }

    /// `email.cooldown` is from the time before routes. It still holds for the route that stands for having written none;
    /// elsewhere it would be ignored in silence.
    fn check_email_cooldown(&self, alerts: &Alerts, email: &Email, check: &mut Check<'_>) {
        let routed = self.declares_receivers() || !self.routes.is_empty();
        if routed && email.cooldown != alerts.cooldown {
            check.conflict(
                &["email.cooldown", "alerts.cooldown"],
                format!(
                    "`email.cooldown` is `{}`, but holds only where there are no `[receivers]` and no `[[routes]]`,",
                    show(email.cooldown)
                ),
                "set `alerts.cooldown`, or `cooldown` of a route",
            );
        }
    }

    /// Everybody who can be told.
    pub(crate) fn resolve_receivers(&self, email: &Email) -> Vec<Receiver> {
        if self.declares_receivers() {
            self.receivers
                .iter()
                .filter_map(|receiver| receiver.resolve(email))
                .collect()
        } else {
            receivers::implicit(email).into_iter().collect()
        }
    }

    /// The tree of routes.
    pub(crate) fn resolve_routes(&self, alerts: &Alerts, email: &Email) -> Vec<Route> {
        if !self.routes.is_empty() {
            return routes::resolve(&self.routes, alerts);
        }
        let receivers = self.resolve_receivers(email);
        let mut route = routes::implicit(
            alerts,
            receivers.into_iter().map(|receiver| receiver.name).collect(),
        );
        if !self.declares_receivers() && !route.receivers.is_empty() {
            route.cooldown = email.cooldown;
        }
        vec![route]
    }

    /// What is allowed, but hardly meant.
    pub(crate) fn notes(&self, alerts: &Alerts, email: &Email) -> Vec<String> {
        let mut notes = Vec::new();
        let routes = self.resolve_routes(alerts, email);
        for receiver in &self.receivers {
            if !routes.iter().any(|route| leads_to(route, &receiver.name)) {
                notes.push(format!(
                    "no route leads to receiver `{}`, so it is never told\nhint: name it in the `receivers` of a route",
                    receiver.name
                ));
            }
        }
        if self.declares_receivers()
            && email.server.is_some()
            && !self.receivers.iter().any(ReceiverTable::is_email)
        {
            notes.push(
                "`email.server` is set, but none of the `[receivers]` has the type `email`, so no mail is sent\n\
                 hint: add `[receivers.mail]` with `type = \"email\"`"
                    .to_owned(),
            );
        }
        note_unreached(&routes, &mut notes);
        notes
    }
}

fn leads_to(route: &Route, receiver: &str) -> bool {
    route.receivers.iter().any(|name| name == receiver)
        || route.routes.iter().any(|below| leads_to(below, receiver))
}

/// Notes routes behind one that takes everything.
fn note_unreached(routes: &[Route], notes: &mut Vec<String>) {
    let mut taker: Option<&Route> = None;
    for route in routes {
        match taker {
            Some(taker) => notes.push(format!(
                "route `{}` is never reached, for `{}` before it takes everything\n\
                 hint: put it before `{1}`, or let `{1}` go on with `continue = true`",
                route.name, taker.name
            )),
            None if takes_everything(route) => taker = Some(route),
            None => {}
        }
        note_unreached(&route.routes, notes);
    }
}

fn takes_everything(route: &Route) -> bool {
    !route.go_on
        && route.metrics.is_empty()
        && route.tags.is_empty()
        && route.severity.is_none_or(|least| least == MinSeverity::Info)
        && route.detectors.is_empty()
        && route.days.is_empty()
        && route.hours.is_empty()
}
