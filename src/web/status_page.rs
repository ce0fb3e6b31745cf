//! The page that says whether it works: passes, points taken and dropped, notices.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use minijinja::{Value, context};
use skywatch_alerters::units;

use super::describe::{of_history, took};
use super::figure_families;
use super::site::{Site, SiteState, of_a_page, page};
use crate::clock::unix_now;
use crate::history::{Depth, HistoryError, HistoryReader, NoticeRecord, PassRecord};
use crate::net::routes::HttpRoute;
use crate::status::{AnalyzerStatus, DispatchStatus, IngestStatus, PassSummary};

/// Past that is listed, seconds.
const PAST: f64 = 86_400.0;
/// Rows of it.
const ROWS: usize = 30;
/// Notices that reached nobody that are listed.
const DEAD: usize = 20;

/// The routes of this page.
pub(super) fn routes(site: &Arc<Site>) -> [HttpRoute; 1] {
    [HttpRoute::login(
        "/status",
        get(status).with_state(Arc::clone(site)),
    )]
}

/// What the history says of passes and notices.
#[derive(Default)]
struct KeptRecords {
    passes: Vec<PassRecord>,
    waiting: Vec<Depth>,
    dead: Vec<NoticeRecord>,
}

fn read(history: &HistoryReader) -> Result<KeptRecords, HistoryError> {
    let now = unix_now();
    Ok(KeptRecords {
        passes: history.passes(now - PAST, now + 60.0)?,
        waiting: history.depths()?,
        dead: history.dead_letters(DEAD)?,
    })
}

async fn status(State(site): SiteState) -> Response {
    let asked = Arc::clone(&site);
    let drawn = of_a_page(&site, move || {
        let (analyzer, ingest) = (asked.analyzer(), asked.ingest());
        let (kept, unreadable) = of_history(&asked.history, read);
        let context = context! {
            skipped_causes => skipped_causes(&asked.dispatch()),
            led_by => asked.dispatch().led_by(unix_now()),
            ..describe(&analyzer, &ingest, &kept, unreadable, &asked.store)
        };
        page(asked.pages.render("status.html", "/status", &analyzer, context))
    });
    drawn.await.unwrap_or_else(|response| response)
}

fn describe(
    analyzer: &AnalyzerStatus,
    ingest: &IngestStatus,
    kept: &KeptRecords,
    unreadable: Option<String>,
    store: &str,
) -> Value {
    let now = unix_now();
    let counters = ingest.counters.iter().filter(|(_, n)| *n > 0);
    let (dropped, taken): (Vec<_>, Vec<_>) =
        counters.partition(|(name, _)| name.starts_with("dropped.") || name.contains(".dropped."));
    let rows = |counters: Vec<&(String, u64)>| -> Vec<Value> {
        let rows = counters.into_iter();
        rows.map(|(name, n)| {
            let described = figure_families::describe(&format!("ingest.{name}"));
            context! { name => described.unwrap_or_else(|| name.replace('_', " ")), n }
        })
        .collect()
    };
    let passes = kept.passes.iter().rev().take(ROWS).map(|row| {
        context! {
            at => row.at,
            passes => row.passes,
            metrics => row.metrics,
            analyzed => row.analyzed,
            anomalies => row.anomalies,
            mean => took(row.seconds / row.passes.max(1) as f64),
            longest => took(row.longest),
        }
    });
    let waiting = kept.waiting.iter().map(|depth| {
        context! { receiver => depth.receiver.as_str(), waiting => depth.waiting, oldest => depth.oldest }
    });
    let dead = kept.dead.iter().map(|dead| {
        context! {
            id => dead.notice.id.as_str(),
            receiver => dead.notice.receiver.as_str(),
            at => dead.notice.at,
            error => dead.last_error.as_deref().unwrap_or_default(),
        }
    });
    context! {
        store,
        unreadable,
        ailments => analyzer.ailments(now),
        pass => analyzer.pass.as_ref().map(|pass| describe_pass(pass, analyzer.is_quiet(now))),
        taken => rows(taken),
        dropped => rows(dropped),
        last_point => ingest.last_point,
        held_up => ingest.held_up.as_ref().map(|(since, why)| context! { since, why }),
        passes => passes.collect::<Vec<_>>(),
        waiting => waiting.collect::<Vec<_>>(),
        dead => dead.collect::<Vec<_>>(),
    }
}

/// Incidents of which it was not looked for what moved with them, by reason.
fn skipped_causes(dispatch: &DispatchStatus) -> Vec<Value> {
    let skipped = dispatch.counters.iter().filter(|(_, n)| *n > 0);
    let skipped = skipped.filter_map(|(name, n)| Some((name.strip_prefix("causes.skipped.")?, n)));
    skipped.map(|(reason, n)| context! { reason, n }).collect()
}

fn describe_pass(pass: &PassSummary, quiet: bool) -> Value {
    let rows = |counts: &std::collections::BTreeMap<String, u64>| -> Vec<Value> {
        let counts = counts.iter().filter(|(_, n)| **n > 0);
        counts.map(|(name, n)| context! { name, n }).collect()
    };
    let seconds = &pass.seconds;
    let timings = pass.timings.iter().filter(|(_, timing)| timing.total_time > 0.0);
    let timings = timings.map(|(name, timing)| {
        context! {
            name,
            total => took(timing.total_time),
            median => format!("{} µs", units::number(timing.median_time * 1e6)),
        }
    });
    context! {
        number => pass.pass,
        at => pass.at,
        quiet,
        took => took(seconds.total),
        metrics => pass.metrics,
        analyzed => pass.analyzed,
        anomalies => pass.anomalies,
        warm_up => pass.warm_up(),
        share => pass.share(),
        warming => pass.warming,
        unfinished => pass.unfinished,
        retried => pass.retried,
        refetched => pass.refetched,
        unusable => pass.unusable_points,
        late => pass.late_points,
        cached => pass.cached_bytes,
        exceptions => rows(&pass.exceptions),
        breakdown => rows(&pass.breakdown),
        timings => timings.collect::<Vec<_>>(),
    }
}

#[cfg(test)]
mod tests {
    use skywatch_alerters::notice::NewsKind;
    use skywatch_alerters::sample;

    use super::*;
    use crate::history::NoticeState;
    use crate::web::pages::Pages;

    #[test]
    fn all_that_can_be_wrong_is_on_the_page() {
        let kept = KeptRecords {
            passes: vec![PassRecord {
                at: sample::AT,
                passes: 3,
                seconds: 6.0,
                longest: 4.0,
                ..Default::default()
            }],
            waiting: vec![Depth {
                receiver: "mail".to_owned(),
                waiting: 7,
                oldest: sample::AT,
            }],
            dead: vec![NoticeRecord {
                seq: 1,
                notice: sample::notice(vec![sample::item("a.b", NewsKind::Opened)]),
                state: NoticeState::Dead,
                tries: 3,
                next_try: None,
                last_error: Some("nobody there".to_owned()),
                settled_at: None,
            }],
        };
        let ingest = IngestStatus {
            at: sample::AT,
            counters: vec![("written".to_owned(), 5), ("dropped.too_old".to_owned(), 2)],
            last_point: Some(sample::AT),
            held_up: Some((sample::AT, "the store is full".to_owned())),
        };
        let analyzer = AnalyzerStatus::default();
        let dispatch = DispatchStatus {
            counters: vec![("causes.skipped.crowd".to_owned(), 9)],
            ..DispatchStatus::default()
        };
        let context = context! {
            skipped_causes => skipped_causes(&dispatch),
            ..describe(&analyzer, &ingest, &kept, Some("unreadable".to_owned()), "a store")
        };
        let pages = Pages::new().expect("templates");
        let page = pages
            .render("status.html", "/status", &analyzer, context)
            .expect("a page");
        for words in [
            "Something is wrong",
            "no pass has ended yet",
            "7 wait for mail",
            "nobody there",
            "Points that were not stored: too old",
            "the store is full",
            "4.0 s",
            "unreadable",
            "9 incidents (crowd)",
        ] {
            assert!(page.contains(words), "no {words:?} in {page}");
        }
    }
}
