//! What the buttons of the pages do. Each answers with the page to look at then.

use std::sync::Arc;

use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::post;
use serde::Deserialize;
use skywatch_alerters::matcher::Selection;
use skywatch_alerters::silence::{CompiledSilence, Silence, UntilChange};
use skywatch_settings::parse_duration;

use super::commands::{NotDone, ask, refusal};
use super::site::{Site, SiteState};
use crate::clock::unix_now;
use crate::dispatch::{Reply, Request};
use crate::net::routes::{HttpRoute, RouteAccess};

/// Who does something at the pages and gives no name.
const NO_NAME: &str = "somebody at the pages";
/// The length of a silence that ends when its incident changes.
pub(super) const UNTIL_CHANGE: &str = "change";

/// The routes of changes.
pub(super) fn routes(site: &Arc<Site>) -> [HttpRoute; 5] {
    let site = || Arc::clone(site);
    let change = |path, handler| HttpRoute {
        path,
        access: RouteAccess::Change,
        handler,
    };
    [
        change(
            "/incidents/{id}/acknowledge",
            post(acknowledge).with_state(site()),
        ),
        change("/incidents/{id}/close", post(close).with_state(site())),
        change(
            "/incidents/{id}/silence",
            post(silence_incident).with_state(site()),
        ),
        change("/silences/add", post(add_silence).with_state(site())),
        change("/silences/{id}/end", post(end_silence).with_state(site())),
    ]
}

/// What the forms of an incident hold.
#[derive(Deserialize)]
struct IncidentForm {
    #[serde(default)]
    by: String,
    /// Nothing more is said until it is resolved.
    until_resolved: Option<String>,
    /// `2h`, `resolved`, or `change`.
    #[serde(default)]
    length: String,
    #[serde(default)]
    reason: String,
    /// The page to go to then: that of the incident unless said.
    #[serde(default)]
    back: String,
}

/// What the form of a new silence holds.
#[derive(Deserialize)]
struct SilenceForm {
    /// Patterns, with blanks between them.
    metrics: String,
    length: String,
    #[serde(default)]
    by: String,
    #[serde(default)]
    reason: String,
}

fn name_of(by: &str) -> String {
    match by.trim() {
        "" => NO_NAME.to_owned(),
        name => name.to_owned(),
    }
}

/// Where a form leads when it is done. A path of ours only: nobody is to be sent elsewhere.
fn back_to(back: &str, otherwise: String) -> String {
    match back == "/" || (back.starts_with('/') && !back.starts_with("//") && !back.contains('\\')) {
        true => back.to_owned(),
        false => otherwise,
    }
}

async fn done(site: &Arc<Site>, request: Request, then: String) -> Response {
    match ask(site, request).await {
        Ok(_) => Redirect::to(&then).into_response(),
        Err(not_done) => refusal(site, not_done, &then),
    }
}

async fn acknowledge(
    State(site): SiteState,
    Path(id): Path<u64>,
    Form(form): Form<IncidentForm>,
) -> Response {
    let request = Request::Acknowledge {
        id,
        by: name_of(&form.by),
        until_resolved: form.until_resolved.is_some(),
    };
    done(&site, request, back_to(&form.back, format!("/incidents/{id}"))).await
}

async fn close(State(site): SiteState, Path(id): Path<u64>, Form(form): Form<IncidentForm>) -> Response {
    let request = Request::Close {
        id,
        by: name_of(&form.by),
    };
    done(&site, request, back_to(&form.back, format!("/incidents/{id}"))).await
}

async fn silence_incident(
    State(site): SiteState,
    Path(id): Path<u64>,
    Form(form): Form<IncidentForm>,
) -> Response {
    let then = format!("/incidents/{id}");
    if form.length.trim() == UNTIL_CHANGE {
        let silence = silence_until_change(id, &form.by, &form.reason);
        return done(&site, request_of(silence), then).await;
    }
    let subject = match ask(&site, Request::Incident { id }).await {
        Ok(Reply::Incident { incident, .. }) => incident.subject,
        Ok(_) => {
            return refusal(
                &site,
                NotDone::Refused(format!("there is no incident {id}")),
                &then,
            );
        }
        Err(not_done) => return refusal(&site, not_done, &then),
    };
    let silence = silence_of(
        vec![format!("={}", subject.name())],
        &form.length,
        &form.by,
        &form.reason,
    );
    match silence {
        Ok(silence) => done(&site, request_of(silence), then).await,
        Err(why) => refusal(&site, NotDone::Refused(why), &then),
    }
}

async fn add_silence(State(site): SiteState, Form(form): Form<SilenceForm>) -> Response {
    let then = "/silences";
    let metrics = form.metrics.split_whitespace().map(str::to_owned).collect();
    match silence_of(metrics, &form.length, &form.by, &form.reason) {
        Ok(silence) => done(&site, request_of(silence), then.to_owned()).await,
        Err(why) => refusal(&site, NotDone::Refused(why), then),
    }
}

async fn end_silence(State(site): SiteState, Path(id): Path<u64>) -> Response {
    done(&site, Request::EndSilence { id }, "/silences".to_owned()).await
}

fn request_of(silence: Silence) -> Request {
    Request::Silence {
        silence: Box::new(silence),
    }
}

/// A silence from now on about one incident, until that changes.
pub(super) fn silence_until_change(incident: u64, by: &str, reason: &str) -> Silence {
    Silence {
        until_change: Some(UntilChange::of(incident)),
        // What it selects is given by the dispatch: the incident's subject.
        ..silence_from(unix_now(), by, reason)
    }
}

/// A silence of no end and about nothing yet.
fn silence_from(now: f64, by: &str, reason: &str) -> Silence {
    Silence {
        id: 0,
        selection: Selection::default(),
        from: now,
        until: None,
        until_resolved: false,
        until_change: None,
        hours: None,
        author: name_of(by),
        reason: reason.trim().to_owned(),
        ended_at: None,
    }
}

/// A silence from now on, for `length` (`90m`, `2h`) or, for `resolved`, until the incidents it is over are.
///
/// # Errors
/// What is wrong with it, for people.
pub(super) fn silence_of(
    metrics: Vec<String>,
    length: &str,
    by: &str,
    reason: &str,
) -> Result<Silence, String> {
    if metrics.is_empty() {
        return Err("nothing is selected: name patterns of metrics; `**` is all of them".to_owned());
    }
    let now = unix_now();
    let until_resolved = length.trim() == "resolved";
    let until = match parse_duration(length.trim()) {
        _ if until_resolved => None,
        Some(length) if !length.is_zero() => Some(now + length.as_secs_f64()),
        _ => {
            return Err(format!(
                "`{length}` is no length of time: it is a number and a unit, such as `90m` or `2h`, or `resolved`"
            ));
        }
    };
    let silence = Silence {
        selection: Selection {
            metrics,
            ..Selection::default()
        },
        until,
        until_resolved,
        ..silence_from(now, by, reason)
    };
    CompiledSilence::new(silence.clone())?;
    Ok(silence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_lead_to_pages_of_ours_only() {
        let back = |to: &str| back_to(to, "/incidents/1".to_owned());
        assert_eq!(back("/"), "/");
        assert_eq!(back("/?severity=critical"), "/?severity=critical");
        for elsewhere in [
            "",
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "now",
        ] {
            assert_eq!(back(elsewhere), "/incidents/1", "{elsewhere}");
        }
    }

    #[test]
    fn a_silence_needs_a_selection_and_a_length() {
        let made = |metrics: &[&str], length: &str| {
            let metrics = metrics.iter().map(|&pattern| pattern.to_owned()).collect();
            silence_of(metrics, length, " ", "deploy")
        };
        let silence = made(&["web-*.cpu"], "2h").unwrap();
        assert_eq!(silence.author, NO_NAME);
        assert_eq!(silence.until.map(|until| until - silence.from), Some(7_200.0));
        assert!(made(&["a"], "resolved").unwrap().until_resolved);
        for (metrics, length) in [
            (&[][..], "2h"),
            (&["a"], ""),
            (&["a"], "soon"),
            (&["a"], "0s"),
            (&["~("], "1h"),
        ] {
            assert!(made(metrics, length).is_err(), "{metrics:?} {length}");
        }
    }
}
