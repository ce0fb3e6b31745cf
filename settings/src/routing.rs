//! Receivers and routes together: the tables as written, and what must hold between them.

use crate::alerts::Alerts;
use crate::check::Check;
use crate::direction::MinSeverity;
use crate::email::Email;
use crate::origin::Origin;
use crate::receivers::{EmailReceiver, ReceiverKind, ReceiverTable, ReceiverType};
use crate::routes::{self, ResolvedRoute, RouteTable};
use crate::section::{OptionFields, OptionTable, Section};

/// The name of the receiver that `[email]` alone stands for.
const IMPLICIT: &str = "email";

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
    /// The names of all receivers that are declared, right or wrong.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        let right = self.receivers.iter().map(|receiver| &receiver.name);
        right.chain(&self.broken)
    }

    /// Whether any receiver is declared, right or wrong.
    fn declares_receivers(&self) -> bool {
        self.names().next().is_some()
    }

    /// Receivers of mail.
    fn mail(&self) -> impl Iterator<Item = (&ReceiverTable, &EmailReceiver)> {
        self.receivers.iter().filter_map(|receiver| match &receiver.kind {
            ReceiverKind::Email(mail) => Some((receiver, mail)),
            _ => None,
        })
    }

    /// What must hold between receivers, routes and `[email]`; keys are whole here.
    pub(crate) fn check_with(&self, email: &Email, check: &mut Check<'_>) {
        self.check_email(email, check);
        let mut names: Vec<String> = self.names().cloned().collect();
        if names.is_empty() && email.server.is_some() {
            names.push(IMPLICIT.to_owned());
        }
        routes::check(&self.routes, &names, check);
        self.check_fallbacks(&names, check);
    }

    /// Whether those who are told instead are there.
    fn check_fallbacks(&self, names: &[String], check: &mut Check<'_>) {
        for receiver in &self.receivers {
            let Some(fallback) = &receiver.limits.fallback else {
                continue;
            };
            if *fallback == receiver.name || !names.contains(fallback) {
                let name = &receiver.name;
                check.table("", &receiver.origin, |check| {
                    check.conflict(
                        &[&format!("receivers.{name}.fallback")],
                        format!(
                            "receiver `{name}` has `{fallback}` as its `fallback`, which is no other receiver"
                        ),
                        "name another one of the `[receivers]`",
                    );
                });
            }
        }
    }

    /// What `[email]` lacks for the receivers that are sent mail.
    fn check_email(&self, email: &Email, check: &mut Check<'_>) {
        let implicit = !self.declares_receivers();
        if email.server.is_some() {
            if email.from.is_none() && (implicit || self.mail().any(|(_, mail)| mail.from.is_none())) {
                check.conflict(
                    &["email.server", "email.from"],
                    "`email.server` is set, but `email.from` is not".to_owned(),
                    "name the sender, such as `from = \"skywatch@example.org\"`",
                );
            }
            if email.to.is_empty() && implicit {
                check.conflict(
                    &["email.server", "email.to"],
                    "`email.server` is set, but `email.to` is empty".to_owned(),
                    "name who is told, such as `to = [\"ops@example.org\"]`",
                );
            }
        }
        for (receiver, mail) in self.mail() {
            let name = &receiver.name;
            check.table("", &receiver.origin, |check| {
                if email.server.is_none() {
                    check.conflict(
                        &["email.server"],
                        format!("receiver `{name}` is sent mail, but `email.server` is not set"),
                        "name the mail server in `[email]`, such as `server = \"mail.example.org\"`",
                    );
                }
                if mail.to.is_empty() && email.to.is_empty() {
                    check.conflict(
                        &[&format!("receivers.{name}.to")],
                        format!("receiver `{name}` has no `to`"),
                        "name who is told, such as `to = [\"ops@example.org\"]`",
                    );
                }
            });
        }
    }

    /// Everybody who can be told, with what receivers of mail have from `[email]`.
    pub(crate) fn resolve_receivers(&self, email: &Email) -> Vec<ReceiverTable> {
        let mut receivers = self.receivers.clone();
        if !self.declares_receivers() && email.server.is_some() && !email.to.is_empty() {
            receivers.push(ReceiverTable::new(IMPLICIT, ReceiverType::Email, Origin::Default));
        }
        for receiver in &mut receivers {
            if let ReceiverKind::Email(mail) = &mut receiver.kind {
                mail.inherit(email);
            }
        }
        receivers
    }

    /// The tree of routes.
    pub(crate) fn resolve_routes(&self, alerts: &Alerts, email: &Email) -> Vec<ResolvedRoute> {
        if !self.routes.is_empty() {
            return routes::resolve(&self.routes, alerts);
        }
        let receivers = self.resolve_receivers(email).into_iter();
        vec![routes::implicit(
            alerts,
            receivers.map(|receiver| receiver.name).collect(),
        )]
    }

    /// What is allowed, but hardly meant.
    pub(crate) fn notes(&self, alerts: &Alerts, email: &Email) -> Vec<String> {
        let mut notes = Vec::new();
        let routes = self.resolve_routes(alerts, email);
        for receiver in &self.receivers {
            let is_fallback = |other: &ReceiverTable| other.limits.fallback.as_ref() == Some(&receiver.name);
            let is_told = routes.iter().any(|route| leads_to(route, &receiver.name));
            if !is_told && !self.receivers.iter().any(is_fallback) {
                notes.push(format!(
                    "no route leads to receiver `{}`, so it is never told\nhint: name it in the `receivers` of a route",
                    receiver.name
                ));
            }
        }
        if self.declares_receivers() && email.server.is_some() && self.mail().next().is_none() {
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

impl OptionTable for Routing {
    fn fields_under(&mut self, _table: &str) -> OptionFields<'_> {
        let receivers = self.receivers.iter_mut().flat_map(ReceiverTable::fields);
        receivers
            .chain(self.routes.iter_mut().flat_map(RouteTable::fields))
            .collect()
    }

    fn check_limits(&self, check: &mut Check<'_>) {
        check.table("", &Origin::Default, |check| {
            for receiver in &self.receivers {
                receiver.check(check);
            }
        });
    }
}

impl Section for Routing {}

fn leads_to(route: &ResolvedRoute, receiver: &str) -> bool {
    route.receivers.iter().any(|name| name == receiver)
        || route.routes.iter().any(|below| leads_to(below, receiver))
}

/// Notes routes behind one that takes everything.
fn note_unreached(routes: &[ResolvedRoute], notes: &mut Vec<String>) {
    let mut taker: Option<&ResolvedRoute> = None;
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

fn takes_everything(route: &ResolvedRoute) -> bool {
    !route.go_on
        && route.metrics.is_empty()
        && route.tags.is_empty()
        && route.severity.is_none_or(|least| least == MinSeverity::Info)
        && route.detectors.is_empty()
        && route.hours.is_none()
}
