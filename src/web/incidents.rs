//! The list of incidents, and one incident with its whole life, read from the history that the dispatch writes.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use minijinja::{Value, context};
use serde::Deserialize;
use skywatch_alerters::causes::{IncidentCauses, SHOWN_RELATED, SharedCause, SuspectNode, fold};
use skywatch_alerters::incident::{Incident, Phase};
use skywatch_alerters::text::percent_encode;
use skywatch_alerters::{Subject, render, units};
use skywatch_algorithms::Series;
use skywatch_algorithms::streaming::Hour;
use skywatch_settings::Pattern;

use super::charts::{self, CHART_SIZE, ChartExtras, mark_of};
use super::describe::{chart_of, incident_line, notes, of_history, page_of, votes};
use super::metric::hours_as_series;
use super::site::{Site, SiteState, of_a_page, page};
use crate::clock::unix_now;
use crate::history::{Filter, HistoryError, HistoryReader, Life};
use crate::net::login::MayChange;
use crate::net::routes::HttpRoute;

/// Incidents on one page: some hundred kilobytes of HTML.
const A_PAGE: usize = 200;
/// Earlier incidents of the same subject that are listed.
const EARLIER: usize = 20;
/// Seconds before an incident that its chart shows, where past hours are drawn.
const BEFORE: f64 = 2.0 * 86_400.0;

/// The routes of these pages.
pub(super) fn routes(site: &Arc<Site>) -> [HttpRoute; 2] {
    [
        HttpRoute::login("/incidents", get(list).with_state(Arc::clone(site))),
        HttpRoute::login("/incidents/{id}", get(one).with_state(Arc::clone(site))),
    ]
}

/// `?all=1` also those that are over, `?before=17` the page behind number 17, `?name=web-*.cpu` those that a pattern picks.
#[derive(Deserialize)]
struct IncidentsQuery {
    all: Option<String>,
    before: Option<u64>,
    #[serde(default)]
    name: String,
}

/// What the list shows.
#[derive(Default)]
struct Listed {
    incidents: Vec<Incident>,
    /// What is known to be the cause of some of them, by their numbers.
    causes: BTreeMap<u64, SharedCause>,
    /// Notices that reached nobody.
    dead: usize,
}

async fn list(State(site): SiteState, Query(query): Query<IncidentsQuery>) -> Response {
    let asked = Arc::clone(&site);
    let drawn = of_a_page(&site, move || {
        let pattern = (!query.name.is_empty())
            .then(|| Pattern::parse(&query.name))
            .transpose();
        let (listed, unreadable) = match pattern {
            Ok(name) => of_history(&asked.history, |history| read_list(history, &query, name)),
            Err(why) => (
                Listed::default(),
                Some(format!("the pattern of names is wrong: {why}")),
            ),
        };
        let is_full = listed.incidents.len() == A_PAGE;
        let context = context! {
            all => query.all.is_some(),
            name => query.name.as_str(),
            folds => folded(&listed.incidents, &listed.causes),
            dead => listed.dead,
            unreadable,
            more => listed.incidents.last().filter(|_| is_full).map(|last| {
                let all = if query.all.is_some() { "all=1&" } else { "" };
                format!("/incidents?{all}name={}&before={}", percent_encode(&query.name), last.id)
            }),
        };
        page(
            asked
                .pages
                .render("incidents.html", "/incidents", &asked.analyzer(), context),
        )
    });
    drawn.await.unwrap_or_else(|response| response)
}

fn read_list(
    history: &HistoryReader,
    query: &IncidentsQuery,
    name: Option<Pattern>,
) -> Result<Listed, HistoryError> {
    let phases = match query.all.is_some() {
        true => Vec::new(),
        false => vec![Phase::Open, Phase::Acknowledged],
    };
    let filter = Filter {
        phases,
        name,
        before: query.before,
        ..Filter::default()
    };
    let incidents = history.incidents(&filter, A_PAGE)?;
    let numbers: Vec<u64> = incidents.iter().map(|incident| incident.id).collect();
    Ok(Listed {
        causes: history.shared_causes(&numbers)?,
        incidents,
        dead: history.dead_letters(A_PAGE)?.len(),
    })
}

/// A list of incidents, folded by common cause.
fn folded(incidents: &[Incident], causes: &BTreeMap<u64, SharedCause>) -> Vec<Value> {
    let lines = |members: &[usize]| -> Vec<Value> {
        (members.iter())
            .map(|place| incident_line(&incidents[*place]))
            .collect()
    };
    let folds = fold(incidents.iter().map(|incident| causes.get(&incident.id)));
    // What stands by itself is one list between two folds.
    let mut described: Vec<Value> = Vec::new();
    let mut alone: Vec<usize> = Vec::new();
    for fold in &folds {
        let Some(heading) = fold.heading() else {
            alone.extend(&fold.members);
            continue;
        };
        if !alone.is_empty() {
            described.push(context! { heading => (), shown => lines(&std::mem::take(&mut alone)) });
        }
        let (shown, more) = fold.split();
        described.push(context! { heading, shown => lines(shown), more => lines(more) });
    }
    if !alone.is_empty() {
        described.push(context! { heading => (), shown => lines(&alone) });
    }
    described
}

/// One incident, those about the same subject before it, and what moved with it.
type FoundIncident = Option<(Life, Vec<Incident>, Option<IncidentCauses>)>;

fn read_one(history: &HistoryReader, id: u64) -> Result<FoundIncident, HistoryError> {
    let Some(life) = history.incident(id)? else {
        return Ok(None);
    };
    let filter = Filter {
        subject: Some(life.incident.subject.clone()),
        before: Some(id),
        ..Filter::default()
    };
    let earlier = history.incidents(&filter, EARLIER)?;
    let causes = history.causes(&[id])?.remove(&id);
    Ok(Some((life, earlier, causes)))
}

async fn one(State(site): SiteState, may_change: MayChange, Path(id): Path<u64>) -> Response {
    let asked = Arc::clone(&site);
    let read = of_a_page(&site, move || {
        of_history(&asked.history, |history| read_one(history, id))
    });
    let (found, unreadable) = match read.await {
        Ok(read) => read,
        Err(response) => return response,
    };
    let Some((life, earlier, causes)) = found else {
        return not_there(&site, id, unreadable).await;
    };
    let drawn = series_of(&site, &life.incident).await;
    let asked = Arc::clone(&site);
    let drawn = of_a_page(&site, move || {
        let context = context! {
            causes => causes.as_ref().map(describe_causes),
            may_change => may_change.0,
            ..describe(&life, &earlier, chart(&asked, &life.incident, &drawn), drawn.note.as_deref())
        };
        page(
            asked
                .pages
                .render("incident.html", "/incidents", &asked.analyzer(), context),
        )
    });
    drawn.await.unwrap_or_else(|response| response)
}

async fn not_there(site: &Arc<Site>, id: u64, unreadable: Option<String>) -> Response {
    let asked = Arc::clone(site);
    let drawn = of_a_page(site, move || {
        let status = match unreadable {
            Some(_) => StatusCode::SERVICE_UNAVAILABLE,
            None => StatusCode::NOT_FOUND,
        };
        let why = unreadable.unwrap_or_else(|| format!("there is no incident {id}"));
        let context = context! { why, back => "/incidents" };
        let answer = page(
            asked
                .pages
                .render("refused.html", "/incidents", &asked.analyzer(), context),
        );
        (status, answer).into_response()
    });
    drawn.await.unwrap_or_else(|response| response)
}

/// What the chart of an incident draws.
#[derive(Default)]
struct IncidentSeries {
    points: Option<Series>,
    /// The hours that are kept of the metric.
    hours: Vec<Hour>,
    /// Whether the points are those of its window, from before the incident on.
    is_window: bool,
    /// What must be said of it.
    note: Option<String>,
}

/// The window if the incident lies in it, else the hours of those days.
async fn series_of(site: &Site, incident: &Incident) -> IncidentSeries {
    let Subject::Metric(name) = &incident.subject else {
        return IncidentSeries::default();
    };
    let windows = site.reader.windows(vec![name.clone()]);
    let ((mut windows, trouble), hours) = tokio::join!(windows, site.reader.hours(name.clone()));
    let window = windows.pop().flatten().filter(|window| !window.is_empty());
    let reaches = |window: &Series| window.times.first().is_some_and(|first| *first <= incident.since);
    if window.as_ref().is_some_and(reaches) {
        return IncidentSeries {
            points: window,
            hours: hours.unwrap_or_default(),
            is_window: true,
            note: None,
        };
    }
    let (points, note) = match &hours {
        Ok(hours) => {
            let until = incident.closed_at.unwrap_or_else(unix_now) + BEFORE / 4.0;
            let past = hours_as_series(hours, incident.since - BEFORE, until);
            if past.is_empty() {
                let nothing = || Some("no points of that time are kept".to_owned());
                (window, trouble.or_else(nothing))
            } else {
                let note = "the lowest and highest value of each hour, as older points are kept no finer";
                (Some(past), Some(note.to_owned()))
            }
        }
        Err(why) => (window, Some(why.clone())),
    };
    IncidentSeries {
        points,
        hours: Vec::new(),
        is_window: false,
        note,
    }
}

/// The chart: within the incident the band that was stored with it, around it what a replay of the window says; where that is
/// not to be had, the stored band alone.
fn chart(site: &Site, incident: &Incident, drawn: &IncidentSeries) -> Option<Value> {
    let points = drawn.points.as_ref()?;
    let anomaly = &incident.anomaly;
    let expected = incident.expected.or(anomaly.expected);
    let replayed = match drawn.is_window {
        true => site.replay(incident.subject.name(), points, &drawn.hours),
        false => None,
    };
    let until = incident.closed_at.unwrap_or(f64::INFINITY);
    let extras = ChartExtras {
        incidents: vec![(incident.since, until.min(unix_now()))],
        mark: mark_of(anomaly),
        stored: expected.map(|expected| (expected, incident.since, until)),
        title: anomaly.name(),
    };
    let all = (f64::NEG_INFINITY, f64::INFINITY);
    let judged = replayed.and_then(|replayed| charts::judged(&replayed, all, &extras));
    Some(judged.unwrap_or_else(|| {
        context! { values => chart_of(anomaly, expected, points, CHART_SIZE), scores => () }
    }))
}

fn describe(life: &Life, earlier: &[Incident], chart: Option<Value>, chart_note: Option<&str>) -> Value {
    let incident = &life.incident;
    let anomaly = &incident.anomaly;
    let expected = incident.expected.or(anomaly.expected);
    let steps = life.transitions.iter().map(|step| {
        context! { at => step.at, from => step.from.map(|from| from.as_str()), to => step.to.as_str(), why => step.why.as_str() }
    });
    let notices = life.notices.iter().map(|notice| {
        context! {
            at => notice.notice.at,
            receiver => notice.notice.receiver.as_str(),
            route => notice.notice.route.as_str(),
            state => notice.state.as_str(),
            tries => notice.tries,
            error => notice.last_error.as_deref(),
            summary => render::summary(&notice.notice),
        }
    });
    context! {
        id => incident.id,
        name => incident.subject.name(),
        kind => incident.subject.kind().name,
        link => page_of(&incident.subject),
        phase => incident.phase.as_str(),
        open => incident.phase.is_open(),
        severity => incident.severity.as_str(),
        observed => anomaly.observed.is_finite().then(|| units::number(anomaly.observed)),
        rate => anomaly.window().rate,
        value => incident.value.map(units::number),
        expected => expected.map(|expected| expected.to_string()),
        at => anomaly.at,
        since => incident.since,
        lasted => units::length((incident.closed_at.unwrap_or_else(unix_now) - incident.since).max(0.0)),
        closed_at => incident.closed_at,
        sentence => anomaly.sentence.as_str(),
        judged => render::judged(anomaly),
        is_claimed => incident.ack.is_some(),
        notes => notes(incident),
        returns => incident.returns,
        contributors => anomaly.contributors.iter().map(|part| part.name.clone()).collect::<Vec<_>>(),
        labels => anomaly.labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>(),
        votes => votes(anomaly),
        chart,
        chart_note,
        steps => steps.collect::<Vec<_>>(),
        notices => notices.collect::<Vec<_>>(),
        earlier => earlier.iter().map(incident_line).collect::<Vec<_>>(),
        earlier_is_full => earlier.len() == EARLIER,
    }
}

fn describe_causes(causes: &IncidentCauses) -> Value {
    let related = causes.related.iter().take(SHOWN_RELATED).map(|related| {
        let page = page_of(&Subject::Metric(related.metric.clone()));
        context! { name => related.metric.as_str(), page, says => related.movement() }
    });
    context! {
        suspects => causes.suspects.iter().map(SuspectNode::sentence).collect::<Vec<_>>(),
        topology => causes.topology.as_str(),
        common => causes.common(),
        incidents => causes.shared.as_ref().map(|shared| shared.incidents.clone()),
        related => related.collect::<Vec<_>>(),
        more => causes.more + causes.related.len().saturating_sub(SHOWN_RELATED) as u64,
        basis => causes.basis(),
    }
}

#[cfg(test)]
mod tests {
    use skywatch_alerters::causes::{Nearness, RelatedMetric};
    use skywatch_alerters::incident::IncidentTransition;
    use skywatch_alerters::notice::NewsKind;
    use skywatch_alerters::{Contributor, sample};

    use super::*;
    use crate::history::{NoticeRecord, NoticeState};
    use crate::status::AnalyzerStatus;
    use crate::web::describe::testing::incident;
    use crate::web::pages::Pages;

    #[test]
    fn all_that_is_known_of_an_incident_is_on_its_page() {
        let name = "web<1>.cpu";
        let mut open = incident(name);
        open.anomaly.contributors.push(Contributor {
            name: "checkout".to_owned(),
            weight: 0.5,
        });
        open.anomaly.labels.insert("team".to_owned(), "shop".to_owned());
        let life = Life {
            transitions: vec![IncidentTransition {
                incident: 17,
                at: sample::AT,
                from: None,
                to: Phase::Open,
                why: "seen twice".to_owned(),
            }],
            notices: vec![NoticeRecord {
                seq: 1,
                notice: sample::notice(vec![sample::item(name, NewsKind::Opened)]),
                state: NoticeState::Dead,
                tries: 3,
                next_try: None,
                last_error: Some("nobody there".to_owned()),
                settled_at: None,
            }],
            incident: open,
        };
        let earlier = vec![incident(name); EARLIER];
        let chart = context! { values => "a chart", scores => () };
        let causes = IncidentCauses {
            related: vec![RelatedMetric {
                metric: "db.latency".to_owned(),
                nearness: Nearness::Anomalous,
                coefficient: 0.97,
                lead: 120.0,
                by_chance: 1e-9,
            }],
            more: 3,
            shared: Some(SharedCause {
                metric: "db.latency".to_owned(),
                incidents: vec![17, 18],
            }),
            ..IncidentCauses::default()
        };
        let context = context! {
            causes => describe_causes(&causes),
            may_change => true,
            ..describe(&life, &earlier, Some(chart), Some("a note"))
        };
        let pages = Pages::new().expect("templates");
        let status = AnalyzerStatus::default();
        let page = pages
            .render("incident.html", "/incidents", &status, context)
            .expect("a page");
        for words in [
            "web&lt;1&gt;.cpu",
            "checkout",
            "team=shop",
            "seen twice",
            "nobody there",
            "tried 3 times in vain",
            "came back 2 times",
            "a note",
            "The newest twenty.",
            "0.97, 2 min before, anomalous too",
            "one cause with 1 other incident: db.latency",
            "/incidents/18\"",
            "and 3 more",
            "formaction=\"/incidents/17/silence\"",
        ] {
            assert!(page.contains(words), "no {words:?} in {page}");
        }
        assert!(!page.contains("web<1>"), "{page}");
    }
}
