//! How often each detector speaks, whether others agree, how what it spoke of ended, and what it costs.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use minijinja::{Value, context};
use serde::{Deserialize, Serialize};
use skywatch_alerters::incident::{Incident, Phase};
use skywatch_alerters::units;

use super::describe::{of_history, took};
use super::site::{Site, SiteState, of_a_page, page};
use crate::clock::unix_now;
use crate::history::Filter;
use crate::net::routes::HttpRoute;
use crate::status::PassSummary;

/// Incidents looked at, the newest.
const INCIDENTS: usize = 5_000;
/// Days looked at unless said, and at most.
const DAYS: f64 = 35.0;
const MOST_DAYS: f64 = 400.0;
const DAY: f64 = 86_400.0;

/// The routes of this page.
pub(super) fn routes(site: &Arc<Site>) -> [HttpRoute; 1] {
    [HttpRoute::login(
        "/detectors",
        get(detectors).with_state(Arc::clone(site)),
    )]
}

/// `?days=7`, how far back.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct DetectorsQuery {
    days: Option<f64>,
}

impl DetectorsQuery {
    fn days(self) -> f64 {
        let days = self.days.filter(|days| *days > 0.0);
        days.unwrap_or(DAYS).min(MOST_DAYS)
    }
}

/// What one detector said of incidents.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct DetectorRecord {
    /// Its name.
    detector: String,
    /// Incidents it was asked about and gave an answer.
    asked: usize,
    /// Those it called anomalous.
    spoke: usize,
    /// Those of them that no other detector called so.
    alone: usize,
    /// Those of them that somebody took.
    acknowledged: usize,
    /// Those of them that are over, by how they ended.
    ended: BTreeMap<&'static str, usize>,
    /// Of the incidents it spoke of, the share that each other detector called anomalous too.
    agreement: BTreeMap<String, f64>,
}

/// All detectors over some incidents.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct DetectorsFound {
    /// Unix seconds from which incidents are looked at.
    from: f64,
    /// Incidents with votes.
    incidents: usize,
    /// Whether there are more than were looked at.
    is_cut: bool,
    /// Who spoke most first.
    detectors: Vec<DetectorRecord>,
}

impl DetectorsFound {
    fn of(incidents: &[Incident], from: f64) -> Self {
        let mut records: BTreeMap<&str, DetectorRecord> = BTreeMap::new();
        let mut together: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let mut with_votes = 0;
        for incident in incidents {
            let voters: Vec<&str> = incident.anomaly.voters().collect();
            with_votes += usize::from(incident.anomaly.cast() > 0);
            for vote in incident.anomaly.votes() {
                let record = records.entry(&vote.detector).or_default();
                record.asked += usize::from(vote.answer.is_some());
                if vote.answer != Some(true) {
                    continue;
                }
                record.spoke += 1;
                record.alone += usize::from(voters.len() == 1);
                record.acknowledged += usize::from(incident.ack.is_some());
                if incident.phase.is_over() {
                    *record.ended.entry(incident.phase.as_str()).or_default() += 1;
                }
                for other in voters.iter().filter(|other| **other != vote.detector) {
                    *together.entry((&vote.detector, other)).or_default() += 1;
                }
            }
        }
        let mut detectors: Vec<DetectorRecord> = records
            .into_iter()
            .map(|(name, record)| DetectorRecord {
                detector: name.to_owned(),
                agreement: together
                    .range((name, "")..)
                    .take_while(|((one, _), _)| *one == name)
                    .map(|((_, other), count)| ((*other).to_owned(), *count as f64 / record.spoke as f64))
                    .collect(),
                ..record
            })
            .collect();
        detectors.sort_by_key(|record| std::cmp::Reverse(record.spoke));
        Self {
            from,
            incidents: with_votes,
            is_cut: incidents.len() == INCIDENTS,
            detectors,
        }
    }
}

/// What the history says of detectors; and why nothing, if so.
pub(super) fn find(site: &Site, query: DetectorsQuery) -> (DetectorsFound, Option<String>) {
    let from = unix_now() - query.days() * DAY;
    let filter = Filter {
        since: Some(from),
        ..Filter::default()
    };
    let (incidents, unreadable) = of_history(&site.history, |history| history.incidents(&filter, INCIDENTS));
    (DetectorsFound::of(&incidents, from), unreadable)
}

async fn detectors(State(site): SiteState, Query(query): Query<DetectorsQuery>) -> Response {
    let asked = Arc::clone(&site);
    let drawn = of_a_page(&site, move || {
        let (found, unreadable) = find(&asked, query);
        let analyzer = asked.analyzer();
        let context = describe(&found, query.days(), analyzer.pass.as_ref(), unreadable);
        page(
            asked
                .pages
                .render("detectors.html", "/detectors", &analyzer, context),
        )
    });
    drawn.await.unwrap_or_else(|response| response)
}

fn describe(
    found: &DetectorsFound,
    days: f64,
    pass: Option<&PassSummary>,
    unreadable: Option<String>,
) -> Value {
    let percent = |share: f64| format!("{:.0} %", 100.0 * share);
    let of_all = |count: usize, all: usize| (all > 0).then(|| percent(count as f64 / all as f64));
    let lines = found.detectors.iter().map(|record| {
        let ended = |phase: Phase| record.ended.get(phase.as_str()).copied().unwrap_or(0);
        context! {
            name => record.detector.as_str(),
            spoke => record.spoke,
            share => of_all(record.spoke, found.incidents),
            alone => of_all(record.alone, record.spoke),
            resolved => ended(Phase::Resolved),
            settled => ended(Phase::Settled),
            closed => ended(Phase::Closed),
            gone => ended(Phase::Gone),
            acknowledged => record.acknowledged,
            a_day => format!("{:.2}", record.spoke as f64 / days),
        }
    });
    let spoke: Vec<&DetectorRecord> = found.detectors.iter().filter(|record| record.spoke > 0).collect();
    let names: Vec<String> = spoke.iter().map(|record| record.detector.clone()).collect();
    let rows = spoke.iter().map(|record| {
        let cell = |other: &String| match *other == record.detector {
            true => "–".to_owned(),
            false => percent(record.agreement.get(other).copied().unwrap_or(0.0)),
        };
        context! { name => record.detector.as_str(), cells => names.iter().map(cell).collect::<Vec<_>>() }
    });
    context! {
        unreadable,
        days => units::number(days),
        incidents => found.incidents,
        is_cut => found.is_cut,
        detectors => lines.collect::<Vec<_>>(),
        names => names.clone(),
        agreement => rows.collect::<Vec<_>>(),
        cost => pass.map(cost),
    }
}

/// What judging cost in the last pass.
fn cost(pass: &PassSummary) -> Value {
    let seconds = &pass.seconds;
    let timings = pass.timings.iter().filter(|(_, timing)| timing.times_run > 0);
    let timings = timings.map(|(name, timing)| {
        context! {
            name,
            total => took(timing.total_time),
            times => timing.times_run,
            median => format!("{} µs", units::number(timing.median_time * 1e6)),
            spoke => pass.breakdown.get(name).copied().unwrap_or(0),
        }
    });
    context! {
        at => pass.at,
        judge => took(seconds.judge),
        fetch => took(seconds.fetch),
        names => took(seconds.names),
        total => took(seconds.total),
        each => (pass.analyzed > 0).then(|| format!("{} µs", units::number(seconds.judge * 1e6 / pass.analyzed as f64))),
        timings => timings.collect::<Vec<_>>(),
    }
}

#[cfg(test)]
mod tests {
    use skywatch_alerters::{DetectorVote, Votes};

    use super::*;
    use crate::web::describe::testing::incident;

    fn voted(votes: &[(&str, Option<bool>)], phase: Phase) -> Incident {
        let mut incident = incident("a");
        let votes = votes.iter().map(|(detector, answer)| DetectorVote {
            detector: (*detector).to_owned(),
            answer: *answer,
            measured: 1.0,
            limit: 1.0,
        });
        incident.anomaly.evidence.clear();
        incident.anomaly = incident.anomaly.with_votes(votes.collect::<Votes>());
        incident.phase = phase;
        incident
    }

    #[test]
    fn each_detector_is_held_against_the_others() {
        let incidents = [
            voted(&[("spike", Some(true)), ("shift", Some(true))], Phase::Resolved),
            voted(&[("spike", Some(true)), ("shift", Some(false))], Phase::Settled),
            voted(&[("spike", None), ("shift", Some(true))], Phase::Open),
        ];
        let found = DetectorsFound::of(&incidents, 0.0);
        assert_eq!(found.incidents, 3);
        let of = |name: &str| {
            let record = found.detectors.iter().find(|record| record.detector == name);
            record.expect("it spoke").clone()
        };
        let (spike, shift) = (of("spike"), of("shift"));
        assert_eq!((spike.asked, spike.spoke, spike.alone), (2, 2, 1));
        assert_eq!((shift.asked, shift.spoke, shift.alone), (3, 2, 1));
        assert_eq!(spike.agreement, [("shift".to_owned(), 0.5)].into());
        assert_eq!(spike.ended, [("resolved", 1), ("settled", 1)].into());
        assert_eq!(shift.ended, [("resolved", 1)].into());
    }
}
