//! The health plane: who is how, by whose word, and what has changed. Asked of the plane that runs; without
//! one the answer is that there is none.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use minijinja::value::Serde;
use minijinja::{Value, context};
use serde::Deserialize;
use skywatch_alerters::text::percent_encode;

use super::site::{Site, SiteState, of_a_page, page};
use crate::health::{self, PlaneSilent};
use crate::net::routes::HttpRoute;

/// Subjects on the page; the worst come first.
const SHOWN: usize = 500;
/// Votes of a subject on the page where it is one of many.
const VOTES: usize = 6;
/// From the worst on.
const STATES: [&str; 6] = ["unhealthy", "gray", "overdue", "suspected", "unknown", "healthy"];

/// The routes of the plane.
pub(super) fn routes(site: &Arc<Site>) -> [HttpRoute; 1] {
    [HttpRoute::login(
        "/health",
        get(shown).with_state(Arc::clone(site)),
    )]
}

/// `?subject=redis:main`, one of them with all votes.
#[derive(Deserialize)]
pub(super) struct HealthQuery {
    pub(super) subject: Option<String>,
}

/// What the plane says, if settings want one.
pub(super) async fn ask(site: &Site, subject: Option<&str>) -> Result<serde_json::Value, PlaneSilent> {
    match site.has_plane {
        true => health::verdicts(&site.state_dir, subject).await,
        false => Err(PlaneSilent::Away("`health.enabled` is false".to_owned())),
    }
}

fn code(silent: &PlaneSilent) -> StatusCode {
    match silent {
        PlaneSilent::Away(_) => StatusCode::SERVICE_UNAVAILABLE,
        PlaneSilent::UnknownSubject(_) => StatusCode::NOT_FOUND,
    }
}

async fn shown(State(site): SiteState, query: Query<HealthQuery>) -> Response {
    let answer = ask(&site, query.subject.as_deref()).await;
    let asked = Arc::clone(&site);
    let drawn = of_a_page(&site, move || {
        let status = answer.as_ref().map_or_else(code, |_| StatusCode::OK);
        let shown = match &answer {
            Ok(answer) => context(answer, query.subject.as_deref()),
            Err(silent) => context! {
                silent => silent.to_string(),
                is_off => !asked.has_plane,
                subject => query.subject.as_deref(),
            },
        };
        (
            status,
            page(
                asked
                    .pages
                    .render("health.html", "/health", &asked.analyzer(), shown),
            ),
        )
            .into_response()
    });
    drawn.await.unwrap_or_else(|response| response)
}

fn value(json: &serde_json::Value) -> Value {
    Value::from(Serde(json))
}

/// What the template may name.
fn context(answer: &serde_json::Value, subject: Option<&str>) -> Value {
    let list = |name: &str| answer[name].as_array().cloned().unwrap_or_default();
    let mut verdicts = list("verdicts");
    let badness = |verdict: &serde_json::Value| {
        STATES
            .iter()
            .position(|state| verdict["state"] == *state)
            .unwrap_or(STATES.len())
    };
    verdicts.sort_by_key(badness);
    let all = verdicts.len();
    verdicts.truncate(SHOWN);
    let votes = if subject.is_some() { usize::MAX } else { VOTES };
    let described = |verdict: &serde_json::Value| {
        let name = verdict["subject"].as_str().unwrap_or_default();
        let evidence = verdict["evidence"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        context! {
            name,
            link => format!("/health?subject={}", percent_encode(name)),
            state => value(&verdict["state"]),
            failing => ["unhealthy", "gray", "overdue"].iter().any(|state| verdict["state"] == *state),
            since => value(&verdict["since"]),
            flapping => verdict["flapping"] == true,
            votes => evidence.iter().take(votes).map(value).collect::<Vec<_>>(),
            more => evidence.len().saturating_sub(votes),
        }
    };
    context! {
        subject,
        silent => (),
        verdicts => verdicts.iter().map(described).collect::<Vec<_>>(),
        left => all - verdicts.len(),
        changes => list("changes").iter().map(value).collect::<Vec<_>>(),
    }
}
