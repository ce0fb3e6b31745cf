//! A page that many look at, drawn once for all of them.
//!
//! Everybody who has the front page open is told of each change at the same moment and asks for it anew; drawn for each of
//! them it would take from the pass what the next one needs. So who asks for the same while it is drawn waits for it, and who asks
//! before anything has changed gets what is there. Nothing of a page depends on who reads it but whether he is shown buttons, which is part of the question.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::body::{Bytes, to_bytes};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::Mutex;

/// How long it is shown though nothing has changed: it tells how long ago things were.
const FRESH: Duration = Duration::from_secs(5);
/// Pages remembered: the filters that people use at one time.
const KEPT: usize = 32;
/// Largest page, bytes.
const LARGEST: usize = 16 << 20;

/// When what pages show was last written.
pub(super) type ModifiedTimes = [Option<SystemTime>; 3];

/// A page as it was drawn.
#[derive(Clone)]
struct DrawnPage {
    drawn: Instant,
    of: ModifiedTimes,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl DrawnPage {
    fn serves(&self, of: &ModifiedTimes) -> bool {
        self.of == *of && self.drawn.elapsed() < FRESH
    }

    fn answer(self) -> Response {
        (self.status, self.headers, self.body).into_response()
    }
}

type PageSlot = Arc<Mutex<Option<DrawnPage>>>;

/// Pages by what was asked.
#[derive(Default)]
pub(super) struct SharedPages(Mutex<HashMap<String, PageSlot>>);

impl SharedPages {
    /// The page of a question, drawn by `draw` unless it is there as of these times.
    pub(super) async fn get(
        &self,
        of: ModifiedTimes,
        question: String,
        draw: impl Future<Output = Response>,
    ) -> Response {
        let slot = self.slot(question).await;
        // Held while it is drawn.
        let mut slot = slot.lock().await;
        if let Some(page) = slot.as_ref().filter(|page| page.serves(&of)) {
            return page.clone().answer();
        }
        let (parts, body) = draw.await.into_parts();
        let body = match to_bytes(body, LARGEST).await {
            Ok(body) => body,
            Err(error) => return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        };
        let page = DrawnPage {
            drawn: Instant::now(),
            of,
            status: parts.status,
            headers: parts.headers,
            body,
        };
        // What could not be drawn is tried again.
        *slot = Some(page.clone()).filter(|page| page.status == StatusCode::OK);
        page.answer()
    }

    async fn slot(&self, question: String) -> PageSlot {
        let mut slots = self.0.lock().await;
        if slots.len() >= KEPT && !slots.contains_key(&question) {
            slots.clear();
        }
        Arc::clone(slots.entry(question).or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn all_who_ask_get_one_drawing_until_something_changes() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let (pages, drawn) = (SharedPages::default(), AtomicUsize::new(0));
        let ask = |of: ModifiedTimes, question: &str, status| {
            let drawn = &drawn;
            let draw = async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                let number = drawn.fetch_add(1, Ordering::Relaxed);
                (status, number.to_string()).into_response()
            };
            let question = question.to_owned();
            let pages = &pages;
            async move {
                let answer = pages.get(of, question, draw).await;
                to_bytes(answer.into_body(), 100).await.expect("a body")
            }
        };
        let (before, after) = ([None; 3], [Some(SystemTime::UNIX_EPOCH), None, None]);
        runtime.block_on(async {
            let good = StatusCode::OK;
            let (one, other) = tokio::join!(ask(before, "a", good), ask(before, "a", good));
            assert_eq!((&*one, &*other), (&b"0"[..], &b"0"[..]));
            assert_eq!(ask(before, "b", good).await, "1");
            assert_eq!(ask(after, "a", good).await, "2");
            assert_eq!(ask(after, "c", StatusCode::SERVICE_UNAVAILABLE).await, "3");
            assert_eq!(ask(after, "c", good).await, "4", "what failed is tried again");
        });
    }
}
