//! What was: incidents and notices of the past, counted by day and by what they were about.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use minijinja::{Value, context};
use serde::Deserialize;
use skywatch_alerters::incident::{Incident, Phase};
use skywatch_alerters::text::{percent_encode, shorten};
use skywatch_alerters::{Severity, Subject, render};
use skywatch_settings::Pattern;

use super::describe::{incident_line, of_history, page_of};
use super::site::{Site, SiteState, of_a_page, page};
use crate::clock::unix_now;
use crate::history::{
    DayCounts, Filter, HistoryError, HistoryReader, NoticeFilter, NoticeRecord, NoticeState, SubjectCounts,
};
use crate::net::routes::HttpRoute;

/// Incidents or notices on one page.
const A_PAGE: usize = 100;
/// Subjects that are named.
const SUBJECTS: usize = 10;
/// Days that are looked at unless said, and at most: more rows than anybody reads.
const DAYS: f64 = 35.0;
const MOST_DAYS: f64 = 400.0;
const DAY: f64 = 86_400.0;
/// Widest name, characters.
const NAME_COLUMNS: usize = 120;

/// The routes of these pages.
pub(super) fn routes(site: &Arc<Site>) -> [HttpRoute; 2] {
    let site = || Arc::clone(site);
    [
        HttpRoute::login("/history", get(incidents).with_state(site())),
        HttpRoute::login("/history/notices", get(notices).with_state(site())),
    ]
}

/// Which part of the past; what is empty is any. Days are of UTC, `until` is the last of them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct PastQuery {
    name: String,
    kind: String,
    severity: String,
    /// How it ended, or `open`.
    phase: String,
    receiver: String,
    state: String,
    from: String,
    until: String,
    before: Option<u64>,
}

impl PastQuery {
    /// From and to, Unix seconds.
    fn span(&self, now: f64) -> Result<(f64, f64), String> {
        let to = match midnight(&self.until)? {
            Some(last) => last + DAY,
            None => (now / DAY).ceil() * DAY,
        };
        let from = midnight(&self.from)?.unwrap_or(to - DAYS * DAY);
        match from < to {
            true => Ok((from.max(to - MOST_DAYS * DAY), to)),
            false => Err("the first day is behind the last".to_owned()),
        }
    }

    fn pattern(&self) -> Result<Option<Pattern>, String> {
        let pattern = (!self.name.trim().is_empty()).then(|| Pattern::parse(self.name.trim()));
        let pattern = pattern.transpose();
        pattern.map_err(|why| format!("the pattern of names is wrong: {why}"))
    }

    fn filter(&self, (from, to): (f64, f64)) -> Result<Filter, String> {
        let phases = match self.phase.as_str() {
            "" => Vec::new(),
            "open" => vec![Phase::Open, Phase::Acknowledged],
            word => {
                let phase = Phase::ALL.into_iter().find(|phase| phase.as_str() == word);
                vec![phase.ok_or_else(|| format!("no incident is {word:?}"))?]
            }
        };
        let kind = &self.kind;
        if !kind.is_empty() && Subject::of_kind(kind, String::new()).is_none() {
            return Err(format!("there is no kind {kind:?}"));
        }
        Ok(Filter {
            phases,
            name: self.pattern()?,
            kind: (!kind.is_empty()).then(|| kind.clone()),
            severity: Severity::parse(&self.severity),
            since: Some(from),
            until: Some(to),
            before: self.before,
            ..Filter::default()
        })
    }

    /// This page of the list as an address, from `before` on.
    fn link(&self, path: &str, before: u64) -> String {
        let parts = [
            ("name", &self.name),
            ("kind", &self.kind),
            ("severity", &self.severity),
            ("phase", &self.phase),
            ("receiver", &self.receiver),
            ("state", &self.state),
            ("from", &self.from),
            ("until", &self.until),
        ];
        let given = parts.iter().filter(|(_, value)| !value.is_empty());
        let given: String = given
            .map(|(key, value)| format!("{key}={}&", percent_encode(value)))
            .collect();
        format!("{path}?{given}before={before}")
    }

    fn describe(&self) -> Value {
        context! {
            name => self.name.as_str(),
            kind => self.kind.as_str(),
            severity => self.severity.as_str(),
            phase => self.phase.as_str(),
            receiver => self.receiver.as_str(),
            state => self.state.as_str(),
            from => self.from.as_str(),
            until => self.until.as_str(),
        }
    }
}

/// The beginning of a day of UTC, Unix seconds; `None` for an empty text.
fn midnight(text: &str) -> Result<Option<f64>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let date: Date = text
        .parse()
        .map_err(|_| format!("{:?} is no day such as 2026-11-29", shorten(text, 40)))?;
    let begun = date.to_zoned(TimeZone::UTC).map_err(|error| error.to_string())?;
    Ok(Some(begun.timestamp().as_second() as f64))
}

/// What the page of incidents shows.
#[derive(Default)]
struct PastIncidents {
    days: Vec<DayCounts>,
    subjects: Vec<SubjectCounts>,
    incidents: Vec<Incident>,
}

fn read_incidents(
    history: &HistoryReader,
    (from, to): (f64, f64),
    filter: &Filter,
) -> Result<PastIncidents, HistoryError> {
    let name = filter.name.as_ref();
    Ok(PastIncidents {
        days: history.days(from, to, name)?,
        subjects: history.subjects(from, to, name, SUBJECTS)?,
        incidents: history.incidents(filter, A_PAGE)?,
    })
}

async fn incidents(State(site): SiteState, Query(query): Query<PastQuery>) -> Response {
    let asked = Arc::clone(&site);
    let drawn = of_a_page(&site, move || {
        let wanted = query
            .span(unix_now())
            .and_then(|span| Ok((span, query.filter(span)?)));
        let (found, wrong) = match wanted {
            Ok((span, filter)) => {
                of_history(&asked.history, |history| read_incidents(history, span, &filter))
            }
            Err(why) => (PastIncidents::default(), Some(why)),
        };
        let is_full = found.incidents.len() == A_PAGE;
        let last = found.incidents.last().filter(|_| is_full);
        let context = context! {
            asked => query.describe(),
            wrong,
            days => days(&found.days),
            subjects => found.subjects.iter().map(subject_line).collect::<Vec<_>>(),
            incidents => found.incidents.iter().map(incident_line).collect::<Vec<_>>(),
            more => last.map(|last| query.link("/history", last.id)),
        };
        page(
            asked
                .pages
                .render("history.html", "/history", &asked.analyzer(), context),
        )
    });
    drawn.await.unwrap_or_else(|response| response)
}

/// Newest first, each with the share of the busiest day that it has, percent.
fn days(days: &[DayCounts]) -> Vec<Value> {
    let most = days.iter().map(|day| day.opened).max().unwrap_or(0).max(1);
    let line = |day: &DayCounts| {
        context! {
            day => date_of(day.day),
            opened => day.opened,
            critical => day.critical,
            ended => day.ended,
            sent => day.sent,
            dead => day.dead,
            share => 100 * day.opened / most,
        }
    };
    days.iter().rev().map(line).collect()
}

fn date_of(at: f64) -> String {
    let at = jiff::Timestamp::from_second(at as i64).unwrap_or_default();
    at.to_zoned(TimeZone::UTC).date().to_string()
}

fn subject_line(counts: &SubjectCounts) -> Value {
    let name = counts.subject.name();
    context! {
        name => shorten(name, NAME_COLUMNS),
        kind => counts.subject.kind().name,
        link => page_of(&counts.subject),
        incidents => counts.incidents,
        last => counts.last,
        only => format!("/history?name={}", percent_encode(&format!("={name}"))),
    }
}

async fn notices(State(site): SiteState, Query(query): Query<PastQuery>) -> Response {
    let asked = Arc::clone(&site);
    let drawn = of_a_page(&site, move || {
        let (notices, wrong) = match query.span(unix_now()) {
            Ok((from, to)) => {
                let filter = NoticeFilter {
                    receiver: (!query.receiver.is_empty()).then(|| query.receiver.clone()),
                    state: NoticeState::ALL
                        .into_iter()
                        .find(|state| state.as_str() == query.state),
                    since: Some(from),
                    until: Some(to),
                    before: query.before,
                };
                of_history(&asked.history, |history| history.notices(&filter, A_PAGE))
            }
            Err(why) => (Vec::new(), Some(why)),
        };
        let last = notices.last().filter(|_| notices.len() == A_PAGE);
        let context = context! {
            asked => query.describe(),
            wrong,
            notices => notices.iter().map(notice_line).collect::<Vec<_>>(),
            more => last.map(|last| query.link("/history/notices", last.seq)),
        };
        page(
            asked
                .pages
                .render("notices.html", "/history", &asked.analyzer(), context),
        )
    });
    drawn.await.unwrap_or_else(|response| response)
}

fn notice_line(record: &NoticeRecord) -> Value {
    context! {
        at => record.notice.at,
        receiver => record.notice.receiver.as_str(),
        route => record.notice.route.as_str(),
        state => record.state.as_str(),
        is_dead => record.state == NoticeState::Dead,
        tries => record.tries,
        error => record.last_error.as_deref(),
        summary => render::summary(&record.notice),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_of_whole_days_and_not_without_end() {
        let span = |from: &str, until: &str| {
            let query = PastQuery {
                from: from.to_owned(),
                until: until.to_owned(),
                ..PastQuery::default()
            };
            query.span(1_700_000_000.0)
        };
        assert_eq!(span("", ""), Ok((1_700_006_400.0 - 35.0 * DAY, 1_700_006_400.0)));
        assert_eq!(
            span("2023-11-14", "2023-11-14"),
            Ok((1_699_920_000.0, 1_700_006_400.0))
        );
        assert_eq!(
            span("1990-01-01", "").map(|(from, to)| (to - from) / DAY),
            Ok(MOST_DAYS)
        );
        assert!(span("2023-11-15", "2023-11-14").is_err());
        assert!(span("yesterday", "").is_err());
    }

    #[test]
    fn the_next_page_asks_for_the_same() {
        let query = PastQuery {
            name: "web &1".to_owned(),
            severity: "critical".to_owned(),
            ..PastQuery::default()
        };
        assert_eq!(
            query.link("/history", 7),
            "/history?name=web%20%261&severity=critical&before=7"
        );
    }
}
