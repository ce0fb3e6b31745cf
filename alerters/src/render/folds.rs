//! A digest folded by common cause.

use serde::Serialize;

use super::medium::{Medium, SENTENCE_COLUMNS};
use crate::causes;
use crate::notice::News;

/// Incidents of a digest that have one cause, or one by itself.
#[derive(Debug, Serialize)]
pub(super) struct FoldWords {
    /// `Probably one cause, db.latency: 4 incidents`; empty of one by itself.
    heading: String,
    /// Places in `items` of those that are described.
    shown: Vec<usize>,
    /// The names of the others.
    names: Vec<String>,
}

impl FoldWords {
    /// The incidents of a digest, names in at most so many columns.
    pub(super) fn of(news: &News, medium: Medium, columns: usize) -> Vec<Self> {
        let shared = (news.items.iter()).map(|item| item.causes.as_ref()?.shared.as_ref());
        (causes::fold(shared).iter())
            .map(|fold| {
                let (shown, named) = fold.split();
                let name = |place: &usize| medium.quote(news.items[*place].anomaly.name(), columns);
                Self {
                    heading: fold
                        .heading()
                        .map(|heading| medium.quote(&heading, SENTENCE_COLUMNS))
                        .unwrap_or_default(),
                    shown: shown.to_vec(),
                    names: named.iter().map(name).collect(),
                }
            })
            .collect()
    }
}
