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
use crate::net::login::MayChange;
use crate::net::routes::HttpRoute;

/// Silences that are listed.
const LISTED: usize = 500;

/// The routes of this page.
pub(super) fn routes(site: &Arc<Site>) -> [HttpRoute; 1] {
    [HttpRoute::login(
        "/silences",
        get(silences).with_state(Arc::clone(site)),
    )]
}

/// `?all=1` also those that have ended, `?metrics=` what the form for a new one begins with.
#[derive(Deserialize)]
struct SilencesPageQuery {
    all: Option<String>,
    #[serde(default)]
    metrics: String,
}

async fn silences(
    State(site): SiteState,
    may_change: MayChange,
    Query(query): Query<SilencesPageQuery>,
) -> Response {
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
        let may_change = may_change.0;
        let context = context! { all, may_change, unreadable, metrics => query.metrics, silences => listed };
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
        incident => silence.until_change.as_ref().map(|until| until.incident),
        ended_by => silence.until_change.as_ref().and_then(|until| until.ended_by).map(|change| change.to_string()),
        ended,
        hours => silence.hours.as_ref().map(|hours| {
            let zone = if hours.zone.is_empty() { "UTC" } else { &hours.zone };
            format!("{} {} {zone}", hours.days.join(" "), hours.hours)
        }),
        author => shorten(&silence.author, 60),
        reason => shorten(&silence.reason, 200),
    }
}

#[cfg(test)]
mod tests {
    use skywatch_alerters::incident::IncidentChange;
    use skywatch_alerters::matcher::Selection;
    use skywatch_alerters::schedule::Hours;
    use skywatch_alerters::silence::UntilChange;

    use super::*;
    use crate::status::AnalyzerStatus;
    use crate::web::pages::Pages;

    #[test]
    fn every_kind_of_silence_is_listed_with_its_end() {
        let now = 1_795_268_520.0;
        let plain = Silence {
            id: 1,
            selection: Selection {
                metrics: vec!["web<*>".to_owned()],
                detectors: vec!["spike".to_owned()],
                ..Selection::default()
            },
            from: now - 60.0,
            until: None,
            until_resolved: false,
            until_change: None,
            hours: None,
            author: "ann".to_owned(),
            reason: String::new(),
            ended_at: None,
        };
        let silences = [
            Silence {
                until: Some(now + 60.0),
                reason: "deploy".to_owned(),
                ..plain.clone()
            },
            Silence {
                until_resolved: true,
                ..plain.clone()
            },
            Silence {
                ended_at: Some(now),
                ..plain.clone()
            },
            Silence {
                until_change: Some(UntilChange::of(17)),
                ..plain.clone()
            },
            Silence {
                ended_at: Some(now),
                until_change: Some(UntilChange {
                    ended_by: Some(IncidentChange::Direction),
                    ..UntilChange::of(18)
                }),
                ..plain.clone()
            },
            Silence {
                hours: Some(Hours {
                    days: vec!["sat-sun".to_owned()],
                    hours: "01:00-03:00".to_owned(),
                    zone: String::new(),
                }),
                ..plain
            },
        ];
        let listed: Vec<Value> = silences.iter().map(|silence| line(silence, now)).collect();
        let context =
            context! { all => true, may_change => true, unreadable => (), metrics => "", silences => listed };
        let pages = Pages::new().expect("templates");
        let status = AnalyzerStatus::default();
        let page = pages
            .render("silences.html", "/silences", &status, context)
            .expect("a page");
        for words in [
            "until <time",
            "until resolved",
            "ended <time",
            "incidents/17\">incident 17</a> changes",
            "as it went to the other side",
            "sat-sun 01:00-03:00 UTC",
            "by spike",
            ": deploy",
        ] {
            assert!(page.contains(words), "no {words:?} in {page}");
        }
        assert_eq!(
            page.matches("/end\"").count(),
            4,
            "what has ended cannot be ended: {page}"
        );
    }
}
