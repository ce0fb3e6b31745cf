//! The call that tries a rule on the past.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::get;
use serde_json::json;
use skywatch_settings::Profile;

use super::problem::ApiProblem;
use crate::net::calls::{ApiCall, may, must};
use crate::web::rule_query::RuleQuery;
use crate::web::rule_trials::TrialProgress;
use crate::web::site::{Site, SiteState};

/// How long a call waits for the answer.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn calls(site: &Arc<Site>) -> Vec<ApiCall> {
    vec![ApiCall {
        method: Method::GET,
        path: "/api/v1/try",
        summary: "What a rule would have led to: stored points replayed as it is set now, and as said here",
        query: vec![
            must("metrics", "string", "a pattern, or `=` and a name"),
            may(
                "sensitivity",
                "number",
                "0.2 to 5; as `[adaptive]` says unless said, as all that follow",
            ),
            may("direction", "string", "`up`, `down` or `both`"),
            may("min_relative_change", "number", "as a share of what is expected"),
            may("min_absolute_change", "number", "in the metric's own unit"),
            may("rest", "string", "after an alert, such as `6h`"),
            may(
                "days",
                "number",
                "of the last days; all that is stored unless said",
            ),
        ],
        body: vec![],
        answer: "`now`, `tried`, `settings` to paste, and `metrics` with the most incidents; 202 with `done` and `of` while it \
                 is under way: ask the same again",
        handler: get(try_rule).with_state(Arc::clone(site)),
    }]
}

async fn try_rule(
    State(site): SiteState,
    query: Result<Query<RuleQuery>, QueryRejection>,
) -> Result<Response, ApiProblem> {
    let Query(query) = query?;
    if site.profile != Profile::Adaptive {
        return Err(ApiProblem::bad(
            "the profile is `skyline`: rules have no effect in it",
        ));
    }
    let question = query.read().map_err(ApiProblem::bad)?;
    let trial = site.trials.ask(question).map_err(ApiProblem::unavailable)?;
    match trial.wait(PATIENCE).await {
        TrialProgress::Over(Ok(outcome)) => Ok(Json(&*outcome).into_response()),
        TrialProgress::Over(Err(why)) => Err(ApiProblem::unavailable(why)),
        TrialProgress::UnderWay(done, of) => {
            let body = Json(json!({ "done": done, "of": of }));
            Ok((StatusCode::ACCEPTED, [(header::RETRY_AFTER, "1")], body).into_response())
        }
    }
}
