//! The page of silences.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use minijinja::{Value, context};
use serde::Deserialize;
use skywatch_alerters::silence::Silence;
use skywatch_alerters::text::shorten;

use super::describe::of_history;
use super::site::{Site, SiteState, of_a_page, page};
use crate::clock::unix_now;
use crate::net::routes::{HttpRoute, RouteAccess};

/// Silences that are listed.
const LISTED: usize = 500;

/// The routes of this page.
pub(super) fn routes(site: &Arc<Site>) -> [HttpRoute; 1] {
    [HttpRoute {
        path: "/silences",
        access: RouteAccess::Login,
        handler: get(silences).with_state(Arc::clone(site)),
    }]
}

/// `?all=1` also those that have ended, `?metrics=` what the form for a new one begins with.
#[derive(Deserialize)]
struct SilencesPageQuery {
    all: Option<String>,
    #[serde(default)]
    metrics: String,
}

async fn silences(State(site): SiteState, Query(query): Query<SilencesPageQuery>) -> Response {
    let asked = Arc::clone(&site);
    let drawn = of_a_page(&site, move || {
        let all = query.all.is_some();
        let (mut silences, unreadable) = of_history(&asked.history, |history| history.silences(all));
        let now = unix_now();
        silences.retain(|silence| all || silence.until.is_none_or(|until| until > now));
        let listed: Vec<Value> = silences
            .iter()
            .rev()
            .take(LISTED)
            .map(|silence| line(silence, now))
            .collect();
        let context = context! { all, unreadable, metrics => query.metrics, silences => listed };
        page(
            asked
                .pages
                .render("silences.html", "/silences", &asked.analyzer(), context),
        )
    });
    drawn.await.unwrap_or_else(|response| response)
}

fn line(silence: &Silence, now: f64) -> Value {
    let selection = &silence.selection;
    let mut what: Vec<String> = selection.metrics.iter().chain(&selection.tags).cloned().collect();
    what.extend(selection.severity.map(|severity| format!("at least {severity}")));
    what.extend(
        selection
            .detectors
            .iter()
            .map(|detector| format!("by {detector}")),
    );
    let ended = silence.ended_at.or(silence.until.filter(|until| *until <= now));
    context! {
        id => silence.id,
        what => what,
        from => silence.from,
        until => silence.until,
        until_resolved => silence.until_resolved,
        ended,
        hours => silence.hours.as_ref().map(|hours| {
            let zone = if hours.zone.is_empty() { "UTC" } else { &hours.zone };
            format!("{} {} {zone}", hours.days.join(" "), hours.hours)
        }),
        author => shorten(&silence.author, 60),
        reason => shorten(&silence.reason, 200),
    }
}
