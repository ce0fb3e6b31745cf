//! Telling others what was counted: the status file each second, the log and Graphite once a minute and at the end.

use std::time::Duration;

use super::arrivals::Arrivals;
use super::counters::Counters;
use crate::clock::unix_now;
use crate::log;
use crate::net::carbon_out::CarbonOut;
use crate::net::listeners::Service;
use crate::observer::ObservedMetric;
use crate::status::{IngestStatus, StatusFile};
use crate::stop::Stop;

/// Time between two status reports.
const REPORT_EACH: Duration = Duration::from_secs(1);
/// Reports of nothing new between two that are written all the same, so that their age shows whether the ingest lives.
const REPORTS_A_SIGN: u32 = 10;
/// Reports between two pushes to Graphite and two log lines.
const REPORTS_A_PUSH: u32 = 60;

/// What is told to the health plane each second.
pub(super) struct SeenEachSecond<'s> {
    /// Whether listeners have their addresses.
    pub(super) listening: &'s [ObservedMetric],
    /// Who sends.
    pub(super) arrivals: &'s Arrivals,
}

/// Reports until stop is said.
pub(super) fn each_second(
    counters: &Counters,
    services: &[&Service],
    seen: &SeenEachSecond<'_>,
    file: &StatusFile,
    graphite: Option<(&CarbonOut, &str)>,
    stop: &Stop,
) {
    let mut reported = Vec::new();
    let mut reports = 0u32;
    let mut was_held_up = false;
    while !stop.sleep(REPORT_EACH) {
        seen.listening.iter().for_each(ObservedMetric::still);
        seen.arrivals.look();
        let snapshot = counters.snapshot(services, unix_now());
        reports += 1;
        let is_held_up = counters.held_up().is_some();
        if snapshot != reported
            || std::mem::replace(&mut was_held_up, is_held_up) != is_held_up
            || reports.is_multiple_of(REPORTS_A_SIGN)
        {
            reported = snapshot;
            write_status(counters, &reported, file);
        }
        if reports.is_multiple_of(REPORTS_A_PUSH) {
            push(&reported, graphite);
        }
    }
}

/// Reports once more, when everything has ended.
pub(super) fn last(
    counters: &Counters,
    services: &[&Service],
    file: &StatusFile,
    graphite: Option<(&CarbonOut, &str)>,
) {
    let snapshot = counters.snapshot(services, unix_now());
    write_status(counters, &snapshot, file);
    push(&snapshot, graphite);
}

fn push(snapshot: &[(String, u64)], graphite: Option<(&CarbonOut, &str)>) {
    let told = log::counted(snapshot);
    tracing::info!("ingest :: {}", told.as_deref().unwrap_or("nothing yet"));
    if let Some((graphite, prefix)) = graphite {
        graphite.push_counts(prefix, snapshot);
    }
}

fn write_status(counters: &Counters, snapshot: &[(String, u64)], file: &StatusFile) {
    file.write(&IngestStatus {
        at: unix_now(),
        counters: snapshot.to_vec(),
        last_point: counters.last_point(),
        held_up: counters.held_up(),
    });
}
