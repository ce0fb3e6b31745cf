//! The page that finds a metric among all names.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use minijinja::{Value, context};
use serde::Deserialize;
use skywatch_alerters::text::percent_encode;

use super::names::NameIndex;
use super::site::{Site, SiteState, of_a_page, page};
use crate::net::routes::HttpRoute;

/// Names, and branches, on one page.
const LISTED: usize = 200;

/// The routes of this page.
pub(super) fn routes(site: &Arc<Site>) -> [HttpRoute; 1] {
    [HttpRoute::login("/find", get(find).with_state(Arc::clone(site)))]
}

/// `?q=` words or a pattern; without it `?below=` a beginning with a dot at its end; `?skip=` what was shown before.
#[derive(Deserialize)]
struct FindQuery {
    #[serde(default)]
    q: String,
    #[serde(default)]
    below: String,
    #[serde(default)]
    skip: usize,
}

async fn find(State(site): SiteState, Query(query): Query<FindQuery>) -> Response {
    let names = site.reader.names().await;
    let asked = Arc::clone(&site);
    let drawn = of_a_page(&site, move || {
        let context = match &names {
            Ok(names) => context! { total => names.len(), why => (), ..found(names, &query) },
            Err(why) => context! { total => 0, why, ..found(&NameIndex::default(), &query) },
        };
        page(
            asked
                .pages
                .render("find.html", "/find", &asked.analyzer(), context),
        )
    });
    drawn.await.unwrap_or_else(|response| response)
}

fn found(names: &NameIndex, query: &FindQuery) -> Value {
    let mut wrong = None;
    let (mut metrics, mut count): (Vec<Value>, usize) = (Vec::new(), 0);
    let mut branches = Vec::new();
    if query.q.trim().is_empty() {
        branches = names.below(&query.below);
        count = branches.len();
    } else {
        match names.search(query.q.trim(), query.skip, LISTED) {
            Ok(found) => {
                count = found.total;
                let link = |name: &str| context! { name, link => metric_page(name) };
                metrics = found.shown.into_iter().map(link).collect();
            }
            Err(why) => wrong = Some(why),
        }
    }
    let shown = query.skip + LISTED;
    let branches = branches.iter().skip(query.skip).take(LISTED).map(|branch| {
        context! {
            element => branch.element,
            below => branch.below,
            link => branch.is_metric.then(|| metric_page(branch.name)),
            deeper => (branch.below > 0).then(|| format!("/find?below={}.", percent_encode(branch.name))),
        }
    });
    context! {
        q => query.q.as_str(),
        below => query.below.as_str(),
        trail => trail(&query.below),
        metrics,
        branches => branches.collect::<Vec<_>>(),
        count,
        wrong,
        more => (count > shown).then(|| {
            format!("/find?q={}&below={}&skip={shown}", percent_encode(&query.q), percent_encode(&query.below))
        }),
    }
}

fn metric_page(name: &str) -> String {
    format!("/metric?name={}", percent_encode(name))
}

/// The elements on the way down to `below`, each with its link.
fn trail(below: &str) -> Vec<Value> {
    let dots = below.match_indices('.').map(|(at, _)| at);
    let mut from = 0;
    let steps = dots.map(|at| {
        let element = &below[from..at];
        from = at + 1;
        context! { element, link => format!("/find?below={}", percent_encode(&below[..=at])) }
    });
    steps.collect()
}
