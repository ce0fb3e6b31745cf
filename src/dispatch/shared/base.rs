//! What makes an empty history what another one is: what lasts and waits, and the recent past.

use std::collections::BTreeMap;

use skywatch_alerters::incident::Incident;

use crate::history::{
    Filter, HistoryBatch, HistoryError, HistoryReader, LOG_POSITION, NoticeFilter, NoticeRecord, NoticeState,
    Posting, Saved, Settled,
};

/// Incidents that are handed on at most, beside those that last: the pages of a node that comes show so many at once.
const PAST: usize = 1_000;
/// Notices of each state, beside those of these incidents.
const NOTICES: usize = 10_000;
/// Incidents, and notices, in one batch.
const SLICE: usize = 100;
/// Seconds of past passes.
const PASSES: f64 = 86_400.0;

/// Everything that is handed on at `now` (Unix seconds), with incidents as [`HistoryReader::load`] gives them for `since`.
///
/// # Errors
/// As any reading.
pub(in crate::dispatch) fn base(
    history: &HistoryReader,
    since: f64,
    now: f64,
) -> Result<Vec<HistoryBatch>, HistoryError> {
    let saved = history.load(since)?;
    let mut incidents: BTreeMap<u64, Incident> = BTreeMap::new();
    let mut notices: BTreeMap<u64, (NoticeRecord, Vec<u64>)> = BTreeMap::new();
    let mut transitions = Vec::new();
    let live = saved.incidents.iter().map(|incident| incident.id);
    let past = history.incidents(&Filter::default(), PAST)?;
    let numbers: Vec<u64> = live.chain(past.iter().map(|incident| incident.id)).collect();
    for number in &numbers {
        if incidents.contains_key(number) {
            continue;
        }
        let Some(life) = history.incident(*number)? else {
            continue;
        };
        transitions.extend(life.transitions);
        for record in life.notices {
            let known = notices.entry(record.seq).or_insert_with(|| (record, Vec::new()));
            known.1.push(*number);
        }
        incidents.insert(*number, life.incident);
    }
    for state in [NoticeState::Waiting, NoticeState::Dead] {
        let filter = NoticeFilter {
            state: Some(state),
            ..NoticeFilter::default()
        };
        for record in history.notices(&filter, NOTICES)? {
            notices.entry(record.seq).or_insert_with(|| (record, Vec::new()));
        }
    }
    let postings = notices.into_values().filter_map(|(record, incidents)| {
        let settled = match record.state {
            NoticeState::Waiting => None,
            NoticeState::Sent => Some(Settled::Sent {
                at: record.settled_at.unwrap_or(now),
                reference: history
                    .reference(&record.notice.receiver, &record.notice.thread)
                    .ok()
                    .flatten(),
            }),
            NoticeState::Dead => Some(Settled::Dead {
                at: record.settled_at.unwrap_or(now),
                error: record.last_error.unwrap_or_default(),
            }),
            NoticeState::Dropped => return None,
        };
        Some(Posting {
            notice: record.notice,
            incidents,
            settled,
        })
    });
    let mut batches = vec![standing(saved, now)];
    let mut sliced = |fill: &mut dyn FnMut(&mut HistoryBatch) -> bool| {
        let mut batch = HistoryBatch::new(now);
        while fill(&mut batch) {
            batches.push(std::mem::replace(&mut batch, HistoryBatch::new(now)));
        }
    };
    let mut incidents = incidents.into_values();
    sliced(&mut |batch| {
        batch.incidents.extend(incidents.by_ref().take(SLICE));
        !batch.incidents.is_empty()
    });
    let mut transitions = transitions.into_iter();
    sliced(&mut |batch| {
        batch.transitions.extend(transitions.by_ref().take(10 * SLICE));
        !batch.transitions.is_empty()
    });
    let mut postings = postings;
    sliced(&mut |batch| {
        batch.notices.extend(postings.by_ref().take(SLICE));
        !batch.notices.is_empty()
    });
    let mut causes = history.causes(&numbers)?.into_iter();
    sliced(&mut |batch| {
        batch.causes.extend(causes.by_ref().take(SLICE));
        !batch.causes.is_empty()
    });
    let mut passes = history.passes(now - PASSES, now)?.into_iter();
    sliced(&mut |batch| {
        batch.passes.extend(passes.by_ref().take(10 * SLICE));
        !batch.passes.is_empty()
    });
    Ok(batches)
}

/// What is no past: silences, rests, and all that is kept by a key.
fn standing(saved: Saved, now: f64) -> HistoryBatch {
    let meta = saved.meta.into_iter().filter(|(key, _)| key != LOG_POSITION);
    HistoryBatch {
        silences: saved.silences,
        cooldowns: saved.cooldowns,
        meta: meta.map(|(key, value)| (key, Some(value))).collect(),
        ..HistoryBatch::new(now)
    }
}
