//! The front page: what is wrong at present, worst first.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use minijinja::{Value, context};
use serde::{Deserialize, Serialize};
use skywatch_alerters::causes::{SharedCause, fold};
use skywatch_alerters::incident::{Incident, Phase};
use skywatch_alerters::text::shorten;
use skywatch_alerters::{Anomaly, Expected, Severity, Subject, render, units};
use skywatch_algorithms::Series;

use super::describe::{chart_of, notes, of_history, page_of, took};
use super::events::modified_times;
use super::pages::no_pass;
use super::site::{Site, SiteState, of_a_page, page};
use crate::clock::unix_now;
use crate::history::Filter;
use crate::net::login::MayChange;
use crate::net::routes::HttpRoute;
use crate::status::{AnalyzerStatus, IngestStatus};

/// Cards that get a chart; a chart has some 8 kB.
const CHARTS: usize = 12;
/// Cards on the page; of what is beyond only the number is told.
const CARDS: usize = 500;
/// Open incidents read at most.
const READ: usize = 5_000;
/// Cards from which they are put under headings by what their names begin with.
const GROUPED_FROM: usize = 8;
/// Cards of a heading that are shown without being unfolded.
const UNFOLDED: usize = 5;
/// Size of a chart, px.
const CHART_SIZE: (u32, u32) = (720, 150);
/// Widest name, characters.
const NAME_COLUMNS: usize = 120;

/// The routes of this page.
pub(super) fn routes(site: &Arc<Site>) -> [HttpRoute; 1] {
    [HttpRoute::login("/", get(now).with_state(Arc::clone(site)))]
}

/// `?severity=critical` at least so bad, `?name=` names that hold this, `?unclaimed=1` nobody has it.
#[derive(Deserialize, Serialize)]
struct NowQuery {
    #[serde(default)]
    severity: String,
    #[serde(default)]
    name: String,
    unclaimed: Option<String>,
}

impl NowQuery {
    fn takes(&self, card: &AnomalyCard) -> bool {
        let least = Severity::parse(&self.severity).unwrap_or(Severity::Info);
        card.severity >= least
            && card.subject.name().contains(&*self.name)
            && (self.unclaimed.is_none() || !card.is_claimed)
    }
}

/// One thing that is wrong.
struct AnomalyCard {
    subject: Subject,
    severity: Severity,
    score: f64,
    is_claimed: bool,
    anomaly: Anomaly,
    expected: Option<Expected>,
    since: f64,
    /// Its incident's number, once it has one.
    incident: Option<u64>,
    notes: Vec<String>,
}

impl AnomalyCard {
    fn of_incident(incident: Incident) -> Self {
        Self {
            severity: incident.severity,
            score: incident.anomaly.score(),
            is_claimed: incident.ack.is_some() || incident.silenced_by.is_some(),
            expected: incident.expected.or(incident.anomaly.expected),
            since: incident.since,
            incident: Some(incident.id),
            notes: notes(&incident),
            subject: incident.subject,
            anomaly: incident.anomaly,
        }
    }

    fn describe(&self, window: Option<&Series>) -> Value {
        let anomaly = &self.anomaly;
        let name = self.subject.name();
        context! {
            id => self.incident,
            name => shorten(name, NAME_COLUMNS),
            link => match self.incident {
                Some(id) => Some(format!("/incidents/{id}")),
                None => page_of(&self.subject),
            },
            severity => self.severity.as_str(),
            observed => anomaly.observed.is_finite().then(|| units::number(anomaly.observed)),
            expected => self.expected.map(|expected| expected.to_string()),
            rate => anomaly.window().rate,
            since => self.since,
            lasted => units::length((unix_now() - self.since).max(0.0)),
            judged => render::judged(anomaly),
            sentence => anomaly.sentence.as_str(),
            is_claimed => self.is_claimed,
            notes => self.notes.join(", "),
            chart => window.map(|window| chart_of(anomaly, self.expected, window, CHART_SIZE)),
        }
    }
}

/// What the page is about.
struct PresentAnomalies {
    status: AnalyzerStatus,
    ingest: IngestStatus,
    /// Worst first.
    cards: Vec<AnomalyCard>,
    /// Those that the query leaves out.
    left_out: usize,
    /// What is known to be the cause of some incidents, by their numbers.
    causes: BTreeMap<u64, SharedCause>,
    /// Why the history could not be read.
    unread: Option<String>,
}

impl PresentAnomalies {
    /// Incidents that are open, and what the last pass found that is none yet.
    fn read(site: &Site, query: &NowQuery) -> Self {
        let status = site.analyzer();
        let filter = Filter {
            phases: vec![Phase::Open, Phase::Acknowledged],
            ..Filter::default()
        };
        let ((open, causes), unread) = of_history(&site.history, |history| {
            let open = history.incidents(&filter, READ)?;
            let numbers: Vec<u64> = open.iter().map(|incident| incident.id).collect();
            let causes = history.shared_causes(&numbers)?;
            Ok((open, causes))
        });
        let mut cards: Vec<AnomalyCard> = open.into_iter().map(AnomalyCard::of_incident).collect();
        let known: HashSet<Subject> = cards.iter().map(|card| card.subject.clone()).collect();
        let others = status.anomalies.iter();
        let others = others.filter(|current| !known.contains(&current.anomaly.subject));
        cards.extend(others.map(|current| AnomalyCard {
            subject: current.anomaly.subject.clone(),
            severity: current.anomaly.severity,
            score: current.anomaly.score(),
            is_claimed: false,
            expected: current.anomaly.expected,
            since: current.since,
            incident: None,
            notes: vec!["no incident yet".to_owned()],
            anomaly: current.anomaly.clone(),
        }));
        let all = cards.len();
        cards.retain(|card| query.takes(card));
        cards.sort_by(|a, b| {
            (a.is_claimed.cmp(&b.is_claimed))
                .then(b.severity.cmp(&a.severity))
                .then(b.score.total_cmp(&a.score))
                .then_with(|| a.subject.cmp(&b.subject))
        });
        Self {
            left_out: all - cards.len(),
            ingest: site.ingest(),
            status,
            cards,
            causes,
            unread,
        }
    }

    /// The metrics to be drawn, in the order of their cards.
    fn drawn(&self) -> Vec<String> {
        let metrics = self.cards.iter().filter_map(|card| match &card.subject {
            Subject::Metric(name) => Some(name.clone()),
            _ => None,
        });
        metrics.take(CHARTS).collect()
    }

    /// Groups of cards: those of one cause together, and of the others many under what their names begin with; the group with the worst
    /// first.
    fn groups(&self, windows: &BTreeMap<&str, &Series>) -> Vec<Value> {
        let shown = &self.cards[..self.cards.len().min(CARDS)];
        let describe = |cards: &[&AnomalyCard]| -> Vec<Value> {
            let described = cards.iter().map(|card| {
                let window = match &card.subject {
                    Subject::Metric(name) => windows.get(&**name).copied(),
                    _ => None,
                };
                card.describe(window)
            });
            described.collect()
        };
        let shared = shown.iter().map(|card| self.causes.get(&card.incident?));
        let folds = fold(shared);
        let few = shown.len() < GROUPED_FROM;
        let mut groups: Vec<(String, Vec<&AnomalyCard>)> = Vec::new();
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        for fold in &folds {
            let cards = fold.members.iter().map(|place| &shown[*place]);
            if let Some(cause) = fold.cause {
                let name = format!("Probably one cause: {}", shorten(cause, NAME_COLUMNS));
                groups.push((name, cards.collect()));
                continue;
            }
            for card in cards {
                let beginning = if few { "" } else { beginning(card.subject.name()) };
                let place = *places.entry(beginning).or_insert_with(|| {
                    groups.push((beginning.to_owned(), Vec::new()));
                    groups.len() - 1
                });
                groups[place].1.push(card);
            }
        }
        let groups = groups.iter().map(|(name, cards)| {
            let unfolded = if name.is_empty() { cards.len() } else { UNFOLDED };
            let (first, rest) = cards.split_at(cards.len().min(unfolded));
            context! { name => name.as_str(), count => cards.len(), cards => describe(first), more => describe(rest) }
        });
        groups.collect()
    }
}

/// What a name begins with: all but its last element, or all of a name that has only one.
fn beginning(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(beginning, _)| beginning)
}

async fn now(State(site): SiteState, may_change: MayChange, Query(query): Query<NowQuery>) -> Response {
    let may_change = may_change.0;
    let question = serde_json::to_string(&(&query, may_change)).unwrap_or_default();
    let asked = Arc::clone(&site);
    let of = modified_times(&site).await;
    site.shared
        .get(of, question, draw(asked, query, may_change))
        .await
}

async fn draw(site: Arc<Site>, query: NowQuery, may_change: bool) -> Response {
    let asked = Arc::clone(&site);
    let read = of_a_page(&site, move || (PresentAnomalies::read(&asked, &query), query)).await;
    let (found, query) = match read {
        Ok(read) => read,
        Err(response) => return response,
    };
    let names = found.drawn();
    let (windows, trouble) = site.reader.windows(names.clone()).await;
    let asked = Arc::clone(&site);
    let drawn = of_a_page(&site, move || {
        let windows = names.iter().map(String::as_str).zip(&windows);
        let windows = windows.filter_map(|(name, window)| Some((name, window.as_ref()?)));
        let context = context! {
            store => asked.store.as_str(),
            may_change,
            chart_trouble => trouble,
            ..describe(&found, &query, &windows.collect())
        };
        page(asked.pages.render("now.html", "/", &found.status, context))
    });
    drawn.await.unwrap_or_else(|response| response)
}

fn describe(found: &PresentAnomalies, query: &NowQuery, windows: &BTreeMap<&str, &Series>) -> Value {
    context! {
        groups => found.groups(windows),
        unread => found.unread.as_deref(),
        query => context! {
            severity => query.severity.as_str(),
            name => query.name.as_str(),
            unclaimed => query.unclaimed.is_some(),
        },
        ..facts(found)
    }
}

/// What stands above the cards.
fn facts(found: &PresentAnomalies) -> Value {
    let now = unix_now();
    let status = &found.status;
    let pass = status.pass.as_ref().map(|pass| {
        context! {
            ago => units::length((now - pass.at).max(0.0)),
            quiet => status.is_quiet(now),
            took => took(pass.seconds.total),
            metrics => pass.metrics,
            analyzed => pass.analyzed,
            anomalies => pass.anomalies,
            unfinished => pass.unfinished,
            warm_up => pass.warm_up(),
        }
    });
    let dropped = found.ingest.counters.iter();
    let dropped =
        dropped.filter(|(name, n)| name.starts_with("dropped.") && !name.ends_with(".skipped") && *n > 0);
    context! {
        pass,
        is_watching => no_pass(status).is_none(),
        total => found.cards.len() + found.left_out,
        left_out => found.left_out,
        beyond => found.cards.len().saturating_sub(CARDS),
        unclaimed => found.cards.iter().filter(|card| !card.is_claimed).count(),
        last_anomaly => status.last_anomaly.map(|at| units::length((now - at).max(0.0))),
        last_point => found.ingest.last_point.map(|at| units::length((now - at).max(0.0))),
        dropped => dropped.map(|(_, n)| n).sum::<u64>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::describe::testing::incident;
    use crate::web::pages::Pages;

    /// What every page shows of many metrics of one machine that are wrong at once.
    #[test]
    fn many_of_one_beginning_are_folded_under_it() {
        let names = (0..9).map(|number| format!("web1.disk.{number}"));
        let mut cards: Vec<AnomalyCard> = names
            .chain(["db.load".to_owned()])
            .map(|name| AnomalyCard::of_incident(incident(&name)))
            .collect();
        cards[3].is_claimed = true;
        let found = PresentAnomalies {
            status: AnalyzerStatus::default(),
            ingest: IngestStatus::default(),
            cards,
            left_out: 2,
            causes: BTreeMap::new(),
            unread: Some("the history is broken".to_owned()),
        };
        let query = NowQuery {
            severity: "critical".to_owned(),
            name: "\"<b>".to_owned(),
            unclaimed: None,
        };
        let pages = Pages::new().expect("templates");
        let draw = |may_change: bool| {
            let context = context! {
                store => "a store",
                may_change,
                chart_trouble => "no answer",
                ..describe(&found, &query, &BTreeMap::new())
            };
            let drawn = pages.render("now.html", "/", &found.status, context);
            drawn.expect("a page")
        };
        let page = draw(true);
        assert!(page.contains("<summary>4 more in web1.disk</summary>"), "{page}");
        assert_eq!(page.matches("<article").count(), 10, "{page}");
        assert_eq!(page.matches("/acknowledge").count(), 9, "one has it: {page}");
        assert_eq!(draw(false).matches("<button>Acknowledge").count(), 0);
        assert!(page.contains("<h2>db <span") && !page.contains("<b>"), "{page}");
    }

    #[test]
    fn names_begin_with_all_but_their_last_element() {
        assert_eq!(beginning("a.b.c"), "a.b");
        assert_eq!(beginning("a"), "a");
    }
}
