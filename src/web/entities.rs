//! Entities: a list with the worst first, and for each its score over time and the metrics that drive it.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use minijinja::{Value, context};
use serde::Deserialize;
use skywatch_alerters::Expected;
use skywatch_alerters::chart::Chart;
use skywatch_alerters::text::percent_encode;
use skywatch_alerters::units;

use super::site::{Site, SiteState, of_a_page, page};
use crate::archive_file::ArchiveError;
use crate::clock::unix_now;
use crate::entities::{EntityReader, EntityScore, EntitySummary, entities_path};
use crate::net::routes::HttpRoute;

/// Entities on the page; the worst come first.
const SHOWN: usize = 500;
/// Metrics of an entity on its page.
const DRIVERS: usize = 20;
/// Size of the chart, px.
const CHART_SIZE: (u32, u32) = (900, 260);
/// Points of the chart at most: more than it has pixels show nothing more.
const CHART_POINTS: usize = 1_800;
/// Hours of scores unless asked for others, and at most.
const HOURS: f64 = 24.0;
const MOST_HOURS: f64 = 24.0 * 366.0;
/// From the worst on.
const STATES: [&str; 4] = ["anomalous", "unknown", "learning", "normal"];

/// The routes of entities.
pub(super) fn routes(site: &Arc<Site>) -> [HttpRoute; 2] {
    let site = || Arc::clone(site);
    [
        HttpRoute::login("/entities", get(list_page).with_state(site())),
        HttpRoute::login("/entities/{name}", get(entity_page).with_state(site())),
    ]
}

/// `?hours=6`, how far back.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct HoursQuery {
    hours: Option<f64>,
}

impl HoursQuery {
    fn since(self) -> f64 {
        let hours = self.hours.filter(|hours| (0.0..=MOST_HOURS).contains(hours));
        unix_now() - hours.unwrap_or(HOURS) * 3_600.0
    }
}

/// All entities, the worst first.
pub(super) fn list(site: &Site) -> Result<Vec<EntitySummary>, ArchiveError> {
    let mut all = match EntityReader::open(&entities_path(&site.state_dir)).and_then(|reader| reader.list()) {
        // Nothing has been judged yet: there are none.
        Err(ArchiveError::Missing { .. }) => Vec::new(),
        outcome => outcome?,
    };
    let badness = |entity: &EntitySummary| {
        let state = STATES.iter().position(|state| *state == entity.state);
        state.unwrap_or(STATES.len())
    };
    let score = |entity: &EntitySummary| entity.score.unwrap_or(0.0);
    all.sort_by(|a, b| badness(a).cmp(&badness(b)).then(score(b).total_cmp(&score(a))));
    Ok(all)
}

pub(super) type FoundEntity = Option<(EntitySummary, Vec<EntityScore>)>;

pub(super) fn find(site: &Site, name: &str, hours: HoursQuery) -> Result<FoundEntity, ArchiveError> {
    match EntityReader::open(&entities_path(&site.state_dir)) {
        Err(ArchiveError::Missing { .. }) => Ok(None),
        reader => reader?.entity(name, hours.since()),
    }
}

async fn list_page(State(site): SiteState) -> Response {
    let asked = Arc::clone(&site);
    let drawn = of_a_page(&site, move || {
        let (mut entities, unreadable) = match list(&asked) {
            Ok(entities) => (entities, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let all = entities.len();
        let bad = entities
            .iter()
            .filter(|entity| entity.state == "anomalous")
            .count();
        entities.truncate(SHOWN);
        let status = asked.entities();
        let shown = context! {
            all,
            bad,
            left => all - entities.len(),
            entities => entities.iter().map(described).collect::<Vec<_>>(),
            is_watched => status.at > 0.0,
            blind => status.blind,
            unanswered => status.unanswered,
            without_data => status.without_data,
            unreadable,
        };
        let pages = &asked.pages;
        page(pages.render("entities.html", "/entities", &asked.analyzer(), shown))
    });
    drawn.await.unwrap_or_else(|busy| busy)
}

fn described(entity: &EntitySummary) -> Value {
    let share = |(metric, share): &(String, f64)| {
        context! { metric, percent => format!("{:.0}", share * 100.0) }
    };
    let learnt = entity.learnt.as_ref().map(|learnt| {
        context! {
            at => learnt.at, rows => learnt.rows, metrics => learnt.metrics, from => learnt.from, until => learnt.until,
        }
    });
    context! {
        name => entity.name.as_str(),
        link => format!("/entities/{}", percent_encode(&entity.name)),
        state => entity.state.as_str(),
        anomalous => entity.state == "anomalous",
        why => entity.why.as_deref(),
        score => entity.score.map(units::number),
        judged => entity.judged,
        metrics => entity.metrics,
        labels => entity.labels.clone(),
        drivers => entity.drivers.iter().take(DRIVERS).map(share).collect::<Vec<_>>(),
        learnt,
    }
}

async fn entity_page(State(site): SiteState, Path(name): Path<String>, hours: Query<HoursQuery>) -> Response {
    let asked = Arc::clone(&site);
    let drawn = of_a_page(&site, move || match find(&asked, &name, hours.0) {
        Ok(Some((entity, scores))) => {
            let shown = context! {
                entity => described(&entity),
                chart => chart(&entity.name, &scores),
                anomalous_rows => scores.iter().filter(|score| score.is_anomalous).count(),
                rows => scores.len(),
                spans => [("6 hours", 6), ("a day", 24), ("a week", 168)],
                incidents => format!("/incidents?all=1&name={}", percent_encode(&entity.name)),
            };
            page(
                asked
                    .pages
                    .render("entity.html", "/entities", &asked.analyzer(), shown),
            )
        }
        Ok(None) => unknown(),
        Err(error) => unreadable(&error),
    });
    drawn.await.unwrap_or_else(|busy| busy)
}

/// Scores over time, of several rows the largest where there are more than can be seen; 1 and below is expected.
fn chart(name: &str, scores: &[EntityScore]) -> Option<Value> {
    let width = scores.len().div_ceil(CHART_POINTS).max(1);
    let largest = |rows: &[EntityScore]| rows.iter().map(|row| row.score).fold(0.0, f64::max);
    let times: Vec<f64> = scores.chunks(width).map(|rows| rows[0].at).collect();
    let values: Vec<f64> = scores.chunks(width).map(largest).collect();
    let expected = Expected {
        low: 0.0,
        high: 1.0,
        centre: f64::NAN,
    };
    (!times.is_empty()).then(|| {
        let chart = Chart::new(name, &times, &values).expected(expected);
        Value::from_safe_string(chart.size(CHART_SIZE.0, CHART_SIZE.1).svg())
    })
}

fn unknown() -> Response {
    (StatusCode::NOT_FOUND, "no entity of this name is watched\n").into_response()
}

fn unreadable(error: &ArchiveError) -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response()
}
