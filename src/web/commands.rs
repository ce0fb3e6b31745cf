//! What pages and programs ask of the process that decides: over the control socket, as commands do.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use minijinja::context;

use super::site::{Site, page};
use crate::dispatch::{Answer, Call, Reply, Request, control};

/// Why an answer of another form is of no use.
pub(super) const OTHER_VERSION: &str = "the running process is of another version: restart it";

/// Why something was not done.
#[derive(Debug)]
pub(super) enum NotDone {
    /// It cannot be done; why, for people.
    Refused(String),
    /// There is no such thing; why, for people.
    Missing(String),
    /// Nobody answers who could do it; why, for people.
    Unanswered(String),
}

impl NotDone {
    /// As a status of HTTP, and in words.
    pub(super) fn parts(self) -> (StatusCode, String) {
        match self {
            Self::Refused(why) => (StatusCode::CONFLICT, why),
            Self::Missing(why) => (StatusCode::NOT_FOUND, why),
            Self::Unanswered(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
        }
    }
}

/// Asks the dispatch.
///
/// # Errors
/// It refuses, or does not answer.
pub(super) async fn ask(site: &Arc<Site>, request: Request) -> Result<Reply, NotDone> {
    match call(site, Call::Dispatcher { request }).await? {
        Answer::Dispatcher {
            reply: Reply::Refused { why },
        } => Err(NotDone::Refused(why)),
        Answer::Dispatcher { reply } => Ok(reply),
        _ => Err(NotDone::Unanswered(OTHER_VERSION.to_owned())),
    }
}

/// Asks anything of the process that has the control socket of the state folder.
///
/// # Errors
/// It does not answer.
pub(super) async fn call(site: &Arc<Site>, call: Call) -> Result<Answer, NotDone> {
    let socket = control::socket_path(&site.state_dir);
    let asked = tokio::task::spawn_blocking(move || control::call(&socket, &call)).await;
    let why = match asked {
        Ok(Ok(Some(answer))) => return Ok(answer),
        Ok(Ok(None)) => "the dispatch does not run".to_owned(),
        Ok(Err(error)) => format!("the dispatch does not answer: {error}"),
        Err(error) => error.to_string(),
    };
    Err(NotDone::Unanswered(why))
}

/// The page that says that something was not done, and leads back.
pub(super) fn refusal(site: &Site, not_done: NotDone, back: &str) -> Response {
    let (status, why) = not_done.parts();
    let context = context! { why, back };
    let answer = page(site.pages.render("refused.html", "", &site.analyzer(), context));
    (status, answer).into_response()
}
