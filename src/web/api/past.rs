//! Calls about what is past and about what is set: days, subjects, notices, detectors, settings.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};
use skywatch_settings::Pattern;

use super::problem::{ApiProblem, from_history};
use crate::clock::unix_now;
use crate::history::{NoticeFilter, NoticeState};
use crate::net::calls::{ApiCall, may};
use crate::web::detectors::{self, DetectorsQuery};
use crate::web::site::{Site, SiteState, of_a_page};

/// Seconds looked at unless said, and at most.
const PAST: f64 = 35.0 * 86_400.0;
const MOST_PAST: f64 = 400.0 * 86_400.0;
/// Subjects or notices of one answer, unless said, and at most.
const LISTED: usize = 100;
const MOST: usize = 1_000;

pub(super) fn calls(site: &Arc<Site>) -> Vec<ApiCall> {
    let site = || Arc::clone(site);
    let span = || {
        vec![
            may(
                "from",
                "number",
                "Unix seconds; 35 days before `until` unless said",
            ),
            may("until", "number", "Unix seconds; now unless said"),
        ]
    };
    let of_names = || {
        let mut query = span();
        query.push(may(
            "name",
            "string",
            "only about subjects whose name this pattern picks",
        ));
        query
    };
    let mut subjects = of_names();
    subjects.push(may(
        "limit",
        "integer",
        "at most so many, 100 unless said, never more than 1,000",
    ));
    let mut notices = span();
    notices.extend([
        may("receiver", "string", "only to this receiver"),
        may("state", "string", "`waiting`, `sent`, `dead` or `dropped`"),
        may("before", "integer", "with smaller `seq` only: the next page"),
        may(
            "limit",
            "integer",
            "at most so many, 100 unless said, never more than 1,000",
        ),
    ]);
    vec![
        ApiCall::question(
            "/api/v1/history/days",
            "What each day (UTC) was like",
            of_names(),
            "`days`, oldest first, without those on which nothing was",
            get(days).with_state(site()),
        ),
        ApiCall::question(
            "/api/v1/history/subjects",
            "What incidents were about, the most frequent first",
            subjects,
            "`subjects`",
            get(subjects_of).with_state(site()),
        ),
        ApiCall::question(
            "/api/v1/notices",
            "Notices with their fate, newest first",
            notices,
            "`notices`",
            get(list_notices).with_state(site()),
        ),
        ApiCall::question(
            "/api/v1/detectors",
            "How often each detector speaks of incidents, and who agrees",
            vec![may("days", "number", "how far back, 35 unless said")],
            "`detectors`, who speaks most first, and `timings` of the last pass",
            get(list_detectors).with_state(site()),
        ),
        ApiCall::question(
            "/api/v1/settings",
            "Every setting in force with its origin; secrets are `***`",
            vec![],
            "`settings`, `notes`",
            get(settings).with_state(site()),
        ),
    ]
}

#[derive(Deserialize)]
struct PastRange {
    from: Option<f64>,
    until: Option<f64>,
    #[serde(default)]
    name: String,
    limit: Option<usize>,
}

impl PastRange {
    fn span(&self) -> Result<(f64, f64), ApiProblem> {
        let until = self.until.unwrap_or_else(unix_now);
        let from = self.from.unwrap_or(until - PAST).max(until - MOST_PAST);
        match from < until {
            true => Ok((from, until)),
            false => Err(ApiProblem::bad("`from` is not before `until`")),
        }
    }

    fn pattern(&self) -> Result<Option<Pattern>, ApiProblem> {
        let pattern = (!self.name.is_empty()).then(|| Pattern::parse(&self.name));
        pattern
            .transpose()
            .map_err(|why| ApiProblem::bad(format!("the pattern is wrong: {why}")))
    }
}

async fn days(
    State(site): SiteState,
    query: Result<Query<PastRange>, QueryRejection>,
) -> Result<Response, ApiProblem> {
    let Query(query) = query?;
    let ((from, until), name) = (query.span()?, query.pattern()?);
    let days = from_history(&site, move |history| history.days(from, until, name.as_ref())).await?;
    Ok(Json(json!({ "days": days })).into_response())
}

async fn subjects_of(
    State(site): SiteState,
    query: Result<Query<PastRange>, QueryRejection>,
) -> Result<Response, ApiProblem> {
    let Query(query) = query?;
    let ((from, until), name) = (query.span()?, query.pattern()?);
    let limit = query.limit.unwrap_or(LISTED).min(MOST);
    let subjects = from_history(&site, move |history| {
        history.subjects(from, until, name.as_ref(), limit)
    });
    Ok(Json(json!({ "subjects": subjects.await? })).into_response())
}

#[derive(Deserialize)]
struct NoticesQuery {
    receiver: Option<String>,
    state: Option<String>,
    from: Option<f64>,
    until: Option<f64>,
    before: Option<u64>,
    limit: Option<usize>,
}

async fn list_notices(
    State(site): SiteState,
    query: Result<Query<NoticesQuery>, QueryRejection>,
) -> Result<Response, ApiProblem> {
    let Query(query) = query?;
    let state = query.state.map(|word| {
        let state = NoticeState::ALL.into_iter().find(|state| state.as_str() == word);
        state.ok_or_else(|| ApiProblem::bad("`state` is `waiting`, `sent`, `dead` or `dropped`"))
    });
    let filter = NoticeFilter {
        receiver: query.receiver,
        state: state.transpose()?,
        since: query.from,
        until: query.until,
        before: query.before,
    };
    let limit = query.limit.unwrap_or(LISTED).min(MOST);
    let notices = from_history(&site, move |history| history.notices(&filter, limit)).await?;
    let line = |record: crate::history::NoticeRecord| {
        json!({
            "seq": record.seq, "state": record.state.as_str(), "tries": record.tries, "next_try": record.next_try,
            "last_error": record.last_error, "settled_at": record.settled_at,
            "notice": record.notice,
        })
    };
    let notices: Vec<Value> = notices.into_iter().map(line).collect();
    Ok(Json(json!({ "notices": notices })).into_response())
}

async fn list_detectors(
    State(site): SiteState,
    query: Result<Query<DetectorsQuery>, QueryRejection>,
) -> Result<Response, ApiProblem> {
    let Query(query) = query?;
    let asked = Arc::clone(&site);
    let read = of_a_page(&site, move || {
        let timings = asked.analyzer().pass.map(|pass| pass.timings);
        (detectors::find(&asked, query), timings)
    });
    match read.await {
        Ok(((found, None), timings)) => {
            let mut body = json!(found);
            body["timings"] = json!(timings.unwrap_or_default());
            Ok(Json(body).into_response())
        }
        Ok(((_, Some(why)), _)) => Err(ApiProblem::unavailable(why)),
        Err(busy) => Ok(busy),
    }
}

async fn settings(State(site): SiteState) -> Response {
    let line = |row: &skywatch_settings::SettingRow| json!({ "key": row.key, "value": row.value, "origin": row.origin.to_string() });
    let table = site.settings.current();
    let rows: Vec<Value> = table.rows.iter().map(line).collect();
    Json(json!({ "settings": rows, "notes": table.notes })).into_response()
}
