//! Tells open pages that there is something new, by server-sent events.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tokio_stream::wrappers::ReceiverStream;

use super::shared_page::ModifiedTimes;
use super::site::{Site, SiteState};
use crate::net::routes::HttpRoute;

/// How often it is looked whether a pass has ended or an incident has changed.
const LOOK_EACH: Duration = Duration::from_secs(1);
/// How long a page is told before it has to ask anew, which browsers do by themselves: shorter than a request may take.
const LENGTH: Duration = Duration::from_secs(50);

/// The routes of events.
pub(super) fn routes(site: &Arc<Site>) -> [HttpRoute; 1] {
    [HttpRoute::login(
        "/events",
        get(events).with_state(Arc::clone(site)),
    )]
}

/// When what pages show was last written.
pub(super) async fn modified_times(site: &Site) -> ModifiedTimes {
    let paths = site.what_pages_show();
    let modified = |path: &PathBuf| std::fs::metadata(path).and_then(|found| found.modified()).ok();
    let read = tokio::task::spawn_blocking(move || paths.each_ref().map(modified));
    read.await.unwrap_or_default()
}

async fn events(State(site): SiteState) -> Response {
    let (send, receive) = tokio::sync::mpsc::channel::<Result<Event, Infallible>>(1);
    tokio::spawn(async move {
        let mut known = modified_times(&site).await;
        let end = tokio::time::Instant::now() + LENGTH;
        while tokio::time::Instant::now() < end {
            tokio::time::sleep(LOOK_EACH).await;
            let now = modified_times(&site).await;
            let event = match now == known {
                // A comment shows whether anybody still listens.
                true => Event::default().comment(""),
                false => Event::default().event("change").data("1"),
            };
            known = now;
            if send.send(Ok(event)).await.is_err() {
                return;
            }
        }
    });
    Sse::new(ReceiverStream::new(receive)).into_response()
}
