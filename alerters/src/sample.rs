//! Notices about things that never happened: for checking templates, for trying receivers, for tests.

use crate::anomaly::{Anomaly, DetectorVote, Evidence, Expected, Severity, Subject};
use crate::notice::{Content, Counts, Item, News, Notice, What};

/// An hour at which the samples play, Unix seconds: 2026-11-21 13:42 UTC.
pub const AT: f64 = 1_795_268_520.0;

/// A day of a quiet metric with one point far outside at its end.
pub fn anomaly(name: &str) -> Anomaly {
    let times: Vec<f64> = (0..1_440).map(|i| AT + f64::from(i - 1_439) * 60.0).collect();
    let mut values: Vec<f64> = times
        .iter()
        .map(|time| 30.0 + 8.0 * (time / 13_750.0).sin())
        .collect();
    values[1_439] = 97.2;
    let vote = |detector: &str, answer, measured, limit| DetectorVote {
        detector: detector.into(),
        answer,
        measured,
        limit,
    };
    Anomaly {
        subject: Subject::Metric(name.into()),
        at: AT,
        observed: 97.2,
        expected: Some(Expected {
            low: 20.1,
            high: 40.3,
            centre: 30.2,
        }),
        votes: vec![
            vote("grubbs", Some(true), 8.123, 3.98),
            vote("ks_test", Some(false), 3.000_1, 3.0),
            vote("least_squares", Some(true), 61.0, 24.5),
            vote("histogram_bins", None, f64::NAN, f64::NAN),
        ],
        evidence: Evidence {
            times,
            values,
            rate: false,
        },
        sentence: String::new(),
    }
}

/// An incident about [`anomaly`].
pub fn item(name: &str, what: What) -> Item {
    Item {
        incident: 17,
        what,
        anomaly: anomaly(name),
        severity: Severity::Warning,
        since: AT,
        until: matches!(what, What::Resolved | What::Passed).then_some(AT + 1_320.0),
        before: 0,
        last_before: None,
        not_before: what.is_firing().then_some(AT + 1_800.0),
        remark: String::new(),
    }
}

/// A notice about these incidents.
pub fn notice(items: Vec<Item>) -> Notice {
    let count = |wanted: &dyn Fn(&Item) -> bool| items.iter().filter(|item| wanted(item)).count() as u64;
    let counts = Counts {
        firing: count(&|item| item.what.is_firing()),
        resolved: count(&|item| matches!(item.what, What::Resolved | What::Passed)),
        acknowledged: count(&|item| item.what == What::Acknowledged),
        critical: count(&|item| item.what.is_firing() && item.severity == Severity::Critical),
    };
    Notice {
        id: "7f3a.17".into(),
        thread: "7f3a.17".into(),
        receiver: "ops".into(),
        route: "default".into(),
        at: AT + 5.0,
        content: Content::Incidents(News {
            still_open: counts.firing + counts.acknowledged,
            counts,
            items,
            ..News::default()
        }),
        base_url: "https://watch.example.org".into(),
    }
}
