//! The pages of models: which there are, which version of each serves, and a card with its loss curves.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use minijinja::{Value, context};
use serde::Deserialize;
use skywatch_alerters::chart::{Chart, ChartMark};
use skywatch_alerters::text::shorten;
use skywatch_alerters::units;
use skywatch_algorithms::learned::FitReport;

use super::commands::{NotDone, OTHER_VERSION, call};
use super::site::{Site, SiteState, of_a_page, page};
use crate::dispatch::{Answer, Call, MODELS_LISTED, Reply, Study};
use crate::models::{Card, CardSummary, ModelListing};
use crate::net::routes::HttpRoute;

/// Size of a loss curve, px.
const CURVE_SIZE: (u32, u32) = (440, 170);
/// Networks of one card whose curves are drawn: the families of a large site are dozens.
const NETWORKS: usize = 12;
/// Most characters of what a kind says of its models.
const DETAIL_COLUMNS: usize = 300;

/// The routes of these pages.
pub(super) fn routes(site: &Arc<Site>) -> [HttpRoute; 2] {
    [
        HttpRoute::login("/models", get(list).with_state(Arc::clone(site))),
        HttpRoute::login("/models/{name}", get(one).with_state(Arc::clone(site))),
    ]
}

/// What of the models could be read: where they lie, some of them, and how many more there are.
type ReadModels = (String, Vec<ModelListing>, usize);

async fn listings(site: &Arc<Site>, only: Option<String>) -> Result<ReadModels, NotDone> {
    let study = Study::Listings {
        only,
        limit: MODELS_LISTED,
    };
    match call(site, Call::Study { study }).await? {
        Answer::Models { place, models, more } => Ok((place, models, more)),
        answer => Err(not_done(answer)),
    }
}

async fn card(site: &Arc<Site>, model: String, version: String) -> Result<Card, NotDone> {
    let study = Study::Model {
        model,
        version: Some(version),
    };
    let lines = match call(site, Call::Study { study }).await? {
        Answer::Lines { lines } => lines.concat(),
        answer => return Err(not_done(answer)),
    };
    serde_json::from_str(&lines)
        .map_err(|error| NotDone::Refused(format!("its card cannot be read: {error}")))
}

fn not_done(answer: Answer) -> NotDone {
    match answer {
        Answer::Dispatcher {
            reply: Reply::Refused { why },
        } => NotDone::Refused(why),
        _ => NotDone::Unanswered(OTHER_VERSION.to_owned()),
    }
}

async fn list(State(site): SiteState) -> Response {
    let read = listings(&site, None).await;
    draw(&site, StatusCode::OK, "models.html", move || match read {
        Ok((place, models, more)) => context! {
            place,
            more,
            models => models.iter().map(describe_listing).collect::<Vec<_>>(),
            unreadable => (),
        },
        Err(not_done) => {
            let unreadable = not_done.parts().1;
            context! { place => (), more => 0, models => Vec::<Value>::new(), unreadable }
        }
    })
    .await
}

/// `?version=`, the one that serves unless said.
#[derive(Deserialize)]
struct ModelQuery {
    version: Option<String>,
}

async fn one(State(site): SiteState, Path(name): Path<String>, Query(query): Query<ModelQuery>) -> Response {
    let found = match listings(&site, Some(name.clone())).await {
        Ok((_, models, _)) => models.into_iter().next(),
        Err(why) => return refused(&site, why).await,
    };
    let Some(listing) = found.filter(|listing| !listing.versions.is_empty()) else {
        return refused(&site, NotDone::Missing(format!("there is no model `{name}`"))).await;
    };
    let version = query.version.or_else(|| listing.serving.clone());
    let Some(version) = version.or_else(|| listing.versions.last().cloned()) else {
        return refused(&site, NotDone::Missing(format!("model `{name}` has no version"))).await;
    };
    let read = match listing.versions.contains(&version) {
        true => card(&site, name, version.clone()).await,
        false => {
            let why = format!("model `{name}` has no version `{version}`");
            return refused(&site, NotDone::Missing(why)).await;
        }
    };
    draw(&site, StatusCode::OK, "model.html", move || {
        let (card, unreadable) = match &read {
            Ok(card) => (Some(describe_card(card)), None),
            Err(NotDone::Refused(why) | NotDone::Unanswered(why) | NotDone::Missing(why)) => {
                (None, Some(why.clone()))
            }
        };
        let versions = listing.versions.iter().rev().map(|one| {
            context! {
                version => one.as_str(),
                serves => listing.serving.as_ref() == Some(one),
                is_back => listing.before.as_ref() == Some(one),
                here => *one == version,
            }
        });
        context! {
            name => listing.name.as_str(),
            version => version.as_str(),
            serves => listing.serving.as_ref() == Some(&version),
            trouble => listing.trouble.as_deref(),
            versions => versions.collect::<Vec<_>>(),
            card,
            unreadable,
        }
    })
    .await
}

async fn refused(site: &Arc<Site>, why: NotDone) -> Response {
    let (status, why) = why.parts();
    draw(
        site,
        status,
        "refused.html",
        move || context! { why, back => "/models" },
    )
    .await
}

async fn draw(
    site: &Arc<Site>,
    status: StatusCode,
    template: &'static str,
    describe: impl FnOnce() -> Value + Send + 'static,
) -> Response {
    let asked = Arc::clone(site);
    let drawn = of_a_page(site, move || {
        let context = describe();
        let answer = page(
            asked
                .pages
                .render(template, "/models", &asked.analyzer(), context),
        );
        match status {
            StatusCode::OK => answer,
            status => (status, answer).into_response(),
        }
    });
    drawn.await.unwrap_or_else(|response| response)
}

fn describe_listing(listing: &ModelListing) -> Value {
    context! {
        name => listing.name.as_str(),
        serving => listing.serving.as_deref(),
        versions => listing.versions.len(),
        before => listing.before.as_deref(),
        trouble => listing.trouble.as_deref(),
        card => listing.card.as_ref().map(describe_summary),
    }
}

fn describe_summary(card: &CardSummary) -> Value {
    context! {
        kind => card.kind.as_str(),
        about => shorten(&card.about, DETAIL_COLUMNS),
        threshold => shorten(&card.threshold, DETAIL_COLUMNS),
        from => card.trained.0,
        until => card.trained.1,
        span => units::length((card.trained.1 - card.trained.0).max(0.0)),
        made_at => card.made_at,
        error => units::number(card.error),
        previous => card.previous.map(units::number),
        kilobytes => units::number((card.bytes as f64 / 1e3).ceil()),
        sha256 => card.sha256.as_str(),
    }
}

/// A card as it was written; of one whose kind is not known what all cards say.
fn describe_card(card: &Card) -> Value {
    let provenance = &card.provenance;
    let summary = CardSummary::of(card);
    let unknown = summary.as_ref().err().map(ToString::to_string);
    let curves = provenance.fits.iter().take(NETWORKS).enumerate();
    context! {
        summary => summary.ok().as_ref().map(describe_summary),
        unknown,
        kind => card.kind.as_str(),
        held_back_from => provenance.holdout.from,
        made_by => provenance.made_by.as_str(),
        seed => provenance.seed,
        cpu => provenance.cpu.join(" "),
        curves => curves.map(|(number, fit)| describe_fit(number + 1, fit)).collect::<Vec<_>>(),
        networks => provenance.fits.len(),
    }
}

/// The loss of one network by epoch, in learning and on what was held back from it.
fn describe_fit(number: usize, fit: &FitReport) -> Value {
    let epochs: Vec<f64> = fit.epochs.iter().map(|epoch| epoch.number as f64).collect();
    let losses: Vec<f64> = fit.epochs.iter().map(|epoch| epoch.loss).collect();
    let held_back: Vec<f64> = fit
        .epochs
        .iter()
        .map(|epoch| epoch.validation.unwrap_or(f64::NAN))
        .collect();
    let curve = |title: &str, values: &[f64]| {
        let (width, height) = CURVE_SIZE;
        let mut chart = Chart::new(title, &epochs, values)
            .counts("epoch")
            .size(width, height);
        let best = fit.best.checked_sub(1).and_then(|place| values.get(place));
        if let Some(value) = best {
            chart = chart.mark(ChartMark {
                at: fit.best as f64,
                value: *value,
            });
        }
        Value::from_safe_string(chart.svg())
    };
    context! {
        number,
        epochs => fit.epochs.len(),
        best => fit.best,
        stopped_early => fit.stopped_early,
        loss => curve("loss as it learnt", &losses),
        held_back => held_back.iter().any(|loss| loss.is_finite())
            .then(|| curve("loss on what was held back", &held_back)),
    }
}

#[cfg(test)]
mod tests {
    use skywatch_algorithms::learned::Epoch;

    use super::*;
    use crate::models::{Holdout, Provenance};
    use crate::status::AnalyzerStatus;
    use crate::web::pages::Pages;

    fn card() -> Card {
        let epoch = |number: usize| Epoch {
            number,
            loss: 1.0 / number as f64,
            validation: Some(1.5 / number as f64),
        };
        let provenance = Provenance {
            trained: (1.7e9, 1.7e9 + 86_400.0),
            made_at: 1.7e9 + 90_000.0,
            fits: vec![FitReport {
                epochs: (1..=12).map(epoch).collect(),
                best: 11,
                stopped_early: true,
            }],
            holdout: Holdout {
                error: 0.0625,
                previous: Some(0.125),
                from: 1.7e9 + 70_000.0,
            },
            seed: 7,
            cpu: vec!["avx2".to_owned()],
            made_by: "skywatch <0.1>".to_owned(),
        };
        let details = serde_json::json!({
            "columns": ["bytes"], "scaling": "s", "window": 32,
            "limits": { "rule": { "rule": "k_sigma", "k": 3.0, "robust": false }, "all": 0.25, "columns": [0.5] },
        });
        Card {
            format: 2,
            model: "web".to_owned(),
            version: "v2".to_owned(),
            kind: "sequence".to_owned(),
            provenance,
            bytes: 48_000,
            sha256: "0a1b".to_owned(),
            details: details.as_object().cloned().unwrap_or_default(),
        }
    }

    #[test]
    fn a_card_is_shown_with_its_curves_and_the_way_back() {
        let pages = Pages::new().expect("templates");
        let status = AnalyzerStatus::default();
        let versions = [("v2", true, false), ("v1", false, true)].map(|(version, serves, is_back)| {
            context! { version, serves, is_back, here => serves }
        });
        let context = context! {
            name => "web", version => "v2", serves => true, trouble => (), unreadable => (),
            versions => versions.to_vec(),
            card => describe_card(&card()),
        };
        let page = pages
            .render("model.html", "/models", &status, context)
            .expect("a page");
        for words in [
            "1 column",
            "0.25 over all columns, or above 0.5 in one",
            "0a1b",
            "skywatch &lt;0.1&gt;",
            "0.0625",
            "0.125",
            "12 epochs",
            "stopped early",
            "skywatch models rollback web",
        ] {
            assert!(page.contains(words), "no {words:?} in {page}");
        }
        assert_eq!(page.matches("<svg").count(), 2, "{page}");
        assert!(!page.contains("UTC</text>"), "epochs are no times: {page}");
    }

    #[test]
    fn a_list_says_what_serves_and_what_cannot() {
        let pages = Pages::new().expect("templates");
        let good = ModelListing {
            name: "web".to_owned(),
            versions: vec!["v1".to_owned(), "v2".to_owned()],
            serving: Some("v2".to_owned()),
            before: Some("v1".to_owned()),
            card: CardSummary::of(&card()).ok(),
            trouble: None,
        };
        let bad = ModelListing {
            name: "db".to_owned(),
            trouble: Some("its pointer is broken".to_owned()),
            ..ModelListing::default()
        };
        let context = context! {
            place => "/var/models", more => 3, unreadable => (),
            models => vec![describe_listing(&good), describe_listing(&bad)],
        };
        let page = pages
            .render("models.html", "/models", &AnalyzerStatus::default(), context)
            .expect("a page");
        for words in [
            "/models/web\"",
            "v2 serves",
            "v1",
            "its pointer is broken",
            "3 more",
        ] {
            assert!(page.contains(words), "no {words:?} in {page}");
        }
    }
}
