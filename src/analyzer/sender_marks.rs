//! What the senders of metrics said instead of a number: a metric whose sender says that it has ended, or that it has no number, has not fallen
//! silent, and what was wrong with one that has ended is over.
//!
//! Asked for after each pass, of the few metrics it matters for: those that have fallen silent, and those that are
//! anomalous or followed. Leaves the rest of a pass as it is.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::report::PassReport;
use crate::sender_mark::{self, MarkKind, SenderMark};
use crate::status::FollowedOutcome;
use crate::store::{Keys, StoreError};

/// Metrics asked for at most: beyond that it is no metric that has fallen silent but their sender.
const MOST: usize = 100_000;
/// Metrics asked for at one go.
const AT_ONCE: usize = 5_000;
/// So long it counts that there is no number, seconds; it is said again each minute.
const NO_NUMBER_COUNTS: f64 = 300.0;

/// Takes out of what a pass found whatever the senders of metrics have explained.
pub(super) fn apply(
    store: &mut impl Keys,
    followed: &HashSet<String>,
    now: f64,
    found: &mut PassReport,
) -> Result<(), StoreError> {
    // Every metric with the time of its last point.
    let mut last: HashMap<Arc<str>, f64> = found.silent.iter().cloned().collect();
    for anomaly in &found.anomalies {
        last.insert(Arc::from(anomaly.subject.name()), anomaly.at);
    }
    for (name, outcome) in &found.outcomes {
        if let FollowedOutcome::Normal { at, .. } | FollowedOutcome::Settled { at, .. } = outcome {
            last.insert(Arc::clone(name), *at);
        }
    }
    if last.is_empty() || last.len() > MOST {
        return Ok(());
    }
    let names: Vec<&Arc<str>> = last.keys().collect();
    let (mut ended, mut without_number) = (HashSet::new(), HashSet::new());
    for names in names.chunks(AT_ONCE) {
        let keys: Vec<String> = names.iter().map(|name| sender_mark::key(name)).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        for (name, stored) in names.iter().zip(store.get(&keys)?) {
            let said = stored.and_then(|stored| SenderMark::read(&stored));
            // Whoever has spoken since has not ended.
            let Some(said) = said.filter(|said| last.get(*name).is_some_and(|last| said.time > *last)) else {
                continue;
            };
            match said.kind {
                MarkKind::Ended => ended.insert(Arc::clone(name)),
                MarkKind::NoNumber => {
                    now - said.time <= NO_NUMBER_COUNTS && without_number.insert(Arc::clone(name))
                }
            };
        }
    }
    found
        .silent
        .retain(|(name, _)| !ended.contains(name) && !without_number.contains(name));
    if ended.is_empty() {
        return Ok(());
    }
    let before = found.anomalies.len();
    found
        .anomalies
        .retain(|anomaly| !ended.contains(anomaly.subject.name()));
    let over = (before - found.anomalies.len()) as u64;
    found.tally.anomalous = found.tally.anomalous.saturating_sub(over);
    found.outcomes.retain(|(name, _)| !ended.contains(name));
    let gone = ended.into_iter().filter(|name| followed.contains(&**name));
    found
        .outcomes
        .extend(gone.map(|name| (name, FollowedOutcome::Deleted)));
    Ok(())
}
