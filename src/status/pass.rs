//! A pass in figures: for the log, the summary file, Graphite and the status that pages read.
//!
//! Names follow the original (`reference/skyline.md` section 5) so that dashboards built for it go on
//! working under another prefix.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Wall seconds of a pass by stage. `fetch` and `judge` are thread time divided by the workers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Seconds {
    /// Listing the names and handing out shards.
    pub names: f64,
    /// Waiting for the store and decoding.
    pub fetch: f64,
    /// Judging.
    pub judge: f64,
    /// From listing the names to the last verdict.
    pub total: f64,
}

/// How long one detector takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Times it was asked in the pass.
    pub times_run: u64,
    /// Seconds it took in all: the mean of the sampled metrics × `times_run`.
    pub total_time: f64,
    /// Median of the sampled metrics, seconds.
    pub median_time: f64,
}

/// What passes find wrong is told as an incident about one of these components: metrics are lost, …
pub(crate) const METRICS_COMPONENT: &str = "skywatch.metrics";
/// … the store takes nothing, …
pub(crate) const WRITES_COMPONENT: &str = "skywatch.store.writes";
/// … it throws keys away, …
pub(crate) const EVICTIONS_COMPONENT: &str = "skywatch.store.evictions";
/// … or is set to throw keys away.
pub(crate) const POLICY_COMPONENT: &str = "skywatch.store.policy";
/// All of these.
pub(crate) const DATA_COMPONENTS: [&str; 4] = [
    METRICS_COMPONENT,
    WRITES_COMPONENT,
    EVICTIONS_COMPONENT,
    POLICY_COMPONENT,
];

/// Something wrong with what passes work on, told as an incident of Skywatch's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trouble {
    /// The component that is ill.
    pub component: String,
    /// How, in a sentence.
    pub why: String,
    /// Since when, Unix seconds.
    pub since: f64,
    /// Nothing is lost or missed yet, but may be.
    #[serde(default)]
    pub is_warning: bool,
}

/// One pass.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PassSummary {
    /// Number of the pass since start, from 1.
    pub pass: u64,
    /// The pass's "now", Unix seconds.
    pub at: f64,
    /// Metrics on the roll.
    pub metrics: u64,
    /// Metrics of which the store holds enough to judge them by.
    #[serde(default)]
    pub held: u64,
    /// How many that were before most of them were lost; 0 while they are there.
    #[serde(default)]
    pub held_before: u64,
    /// What is wrong with the store and what it holds.
    #[serde(default)]
    pub troubles: Vec<Trouble>,
    /// What was lost has been missing for so long that this is how things are now.
    #[serde(default)]
    pub loss_accepted: bool,
    /// Metrics that got a verdict.
    pub analyzed: u64,
    /// Metrics whose verdict is "anomalous".
    pub anomalies: u64,
    /// Metrics not analyzed, by exception.
    pub exceptions: BTreeMap<String, u64>,
    /// Votes for "anomalous" among the anomalies, by detector.
    pub breakdown: BTreeMap<String, u64>,
    /// Keys read whole though cached.
    pub refetched: u64,
    /// Metrics the deadline or a lost store left over.
    pub unfinished: u64,
    /// Questions asked of the store once more after it failed to answer.
    pub retried: u64,
    /// Stored points no window can use: nil, not a number, cut off.
    pub unusable_points: u64,
    /// Points that came when later ones had been learnt; they change windows only.
    #[serde(default)]
    pub late_points: u64,
    /// Metrics the adaptive profile knows too little of to judge them.
    #[serde(default)]
    pub warming: u64,
    /// Metrics judged by classic votes until the adaptive profile has learnt their windows.
    #[serde(default)]
    pub unlearnt: u64,
    /// When the first of those that are warming is judged, Unix seconds, if that is known.
    #[serde(default)]
    pub first_verdicts_at: Option<f64>,
    /// Records of memories that were damaged and learnt anew, since the start.
    #[serde(default)]
    pub memory_dropped: u64,
    /// Reads and writes of memories that failed, since the start.
    #[serde(default)]
    pub memory_failed: u64,
    /// Wall time by stage.
    pub seconds: Seconds,
    /// Length of the canary's window, hours.
    pub duration: f64,
    /// Seconds a pass would take if every window were as long as it may become.
    pub projected: f64,
    /// Cost of each detector.
    pub timings: BTreeMap<String, Timing>,
    /// Bytes of cached windows.
    pub cached_bytes: u64,
    /// Metrics read whole because `analyzer.cache_bytes` leaves no room for their windows.
    pub without_room: u64,
    /// The name of this node.
    #[serde(default)]
    pub node: String,
    /// Virtual shards whose metrics the pass looked at, of 256.
    #[serde(default = "all_shards")]
    pub shards: u64,
    /// Virtual shards this node has taken since the start …
    #[serde(default)]
    pub shards_acquired: u64,
    /// … and given back or lost.
    #[serde(default)]
    pub shards_lost: u64,
    /// Findings left out since their metrics had become another node's when the pass had ended.
    #[serde(default)]
    pub moved: u64,
    /// All nodes that live, with how many virtual shards each holds.
    #[serde(default)]
    pub nodes: BTreeMap<String, u64>,
}

/// What a pass looked at before there were several nodes.
fn all_shards() -> u64 {
    256
}

impl PassSummary {
    /// The figures pushed to Graphite: name below the prefix, value.
    pub fn self_metrics(&self) -> Vec<(String, f64)> {
        let mut metrics = vec![
            ("run_time".to_owned(), self.seconds.total),
            ("total_analyzed".to_owned(), self.analyzed as f64),
            ("total_anomalies".to_owned(), self.anomalies as f64),
            ("total_metrics".to_owned(), self.metrics as f64),
            ("duration".to_owned(), self.duration),
            ("projected".to_owned(), self.projected),
            ("refetched".to_owned(), self.refetched as f64),
            ("unfinished".to_owned(), self.unfinished as f64),
            ("retried".to_owned(), self.retried as f64),
            ("unusable_points".to_owned(), self.unusable_points as f64),
            ("late_points".to_owned(), self.late_points as f64),
            ("cached_bytes".to_owned(), self.cached_bytes as f64),
            ("without_room".to_owned(), self.without_room as f64),
            ("warming".to_owned(), self.warming as f64),
            ("unlearnt".to_owned(), self.unlearnt as f64),
            ("memory_dropped".to_owned(), self.memory_dropped as f64),
            ("memory_failed".to_owned(), self.memory_failed as f64),
            ("held".to_owned(), self.held as f64),
            ("troubles".to_owned(), self.troubles.len() as f64),
            ("shards".to_owned(), self.shards as f64),
            ("shards_acquired".to_owned(), self.shards_acquired as f64),
            ("shards_lost".to_owned(), self.shards_lost as f64),
            ("moved".to_owned(), self.moved as f64),
            ("nodes".to_owned(), self.nodes.len() as f64),
        ];
        let counts = |kind: &str, counts: &BTreeMap<String, u64>| {
            counts
                .iter()
                .map(|(name, n)| (format!("{kind}.{name}"), *n as f64))
                .collect::<Vec<_>>()
        };
        metrics.extend(counts("exceptions", &self.exceptions));
        metrics.extend(counts("anomaly_breakdown", &self.breakdown));
        for (detector, timing) in &self.timings {
            let of = |figure: &str| format!("algorithm_breakdown.{detector}.timing.{figure}");
            metrics.push((of("times_run"), timing.times_run as f64));
            metrics.push((of("total_time"), timing.total_time));
            metrics.push((of("median_time"), timing.median_time));
        }
        metrics
    }

    /// How far the adaptive profile is in learning the metrics; `None` when it has learnt all.
    pub fn warm_up(&self) -> Option<String> {
        let mut said = Vec::new();
        if self.unlearnt > 0 {
            said.push(format!(
                "{} of {} metrics are judged by classic votes until their windows are learnt",
                grouped(self.unlearnt),
                grouped(self.metrics)
            ));
        }
        if self.warming > 0 {
            said.push(format!(
                "{} of {} metrics have too few points to be judged",
                grouped(self.warming),
                grouped(self.metrics)
            ));
            let first = self.first_verdicts_at;
            said.extend(first.map(|at| format!("first verdicts at {}", moment(at, self.at))));
        }
        (!said.is_empty()).then(|| said.join("; "))
    }

    /// Which part of all metrics is this node's, and who has the others; `None` of a pass from before there were nodes.
    pub fn share(&self) -> Option<String> {
        let others = self.nodes.iter().filter(|(name, _)| **name != self.node);
        let others: Vec<String> = others.map(|(name, shards)| format!("{name} {shards}")).collect();
        let beside = match others.as_slice() {
            [] => "no other node".to_owned(),
            others => format!("beside {}", others.join(", ")),
        };
        (!self.node.is_empty()).then(|| {
            format!(
                "{}, {} of 256 virtual shards, {beside}; {} taken and {} let go since the start",
                self.node, self.shards, self.shards_acquired, self.shards_lost
            )
        })
    }

    /// The lines an operator of the original knows.
    pub fn log_lines(&self) -> Vec<String> {
        let counts = |counts: &BTreeMap<String, u64>| {
            let some = counts.iter().filter(|(_, n)| **n > 0);
            let some: Vec<_> = some.map(|(name, n)| format!("'{name}': {n}")).collect();
            format!("{{{}}}", some.join(", "))
        };
        let mut lines = vec![
            format!("seconds to run :: {:.2}", self.seconds.total),
            format!("total metrics :: {}", self.metrics),
            format!("total analyzed :: {}", self.analyzed),
            format!("total anomalies :: {}", self.anomalies),
            format!("exception stats :: {}", counts(&self.exceptions)),
            format!("anomaly breakdown :: {}", counts(&self.breakdown)),
            format!("canary duration :: {:.2}", self.duration),
            format!("projected :: {:.2}", self.projected),
        ];
        if let Some(warm_up) = self.warm_up() {
            lines.push(format!("warm-up :: {warm_up}"));
        }
        if self.memory_dropped + self.memory_failed > 0 {
            lines.push(format!(
                "memory :: {} records dropped, {} reads or writes failed",
                self.memory_dropped, self.memory_failed
            ));
        }
        if let Some(share) = self.share().filter(|_| self.nodes.len() > 1) {
            lines.push(format!("node :: {share}"));
        }
        if self.moved > 0 {
            lines.push(format!("left to other nodes :: {} findings", self.moved));
        }
        for trouble in &self.troubles {
            lines.push(format!("{} :: {}", trouble.component, trouble.why));
        }
        if self.refetched > 0 {
            lines.push(format!("refetched :: {}", self.refetched));
        }
        if self.retried > 0 {
            lines.push(format!("store asked again :: {} times", self.retried));
        }
        if self.without_room > 0 {
            lines.push(format!(
                "no room to keep windows :: {}, read whole (`analyzer.cache_bytes`)",
                self.without_room
            ));
        }
        if self.unusable_points > 0 {
            lines.push(format!("unusable points :: {}", self.unusable_points));
        }
        if self.late_points > 0 {
            lines.push(format!("late points :: {}", self.late_points));
        }
        lines
    }
}

/// A moment to the minute, with its day unless it is the one of `now`; of this machine's zone.
fn moment(at: f64, now: f64) -> String {
    let zoned = |at: f64| {
        let timestamp = jiff::Timestamp::from_second(at as i64).unwrap_or_default();
        timestamp.to_zoned(jiff::tz::TimeZone::system())
    };
    let (at, now) = (zoned(at.ceil()), zoned(now));
    let form = if at.date() == now.date() {
        "%H:%M"
    } else {
        "%Y-%m-%d %H:%M"
    };
    at.strftime(form).to_string()
}

/// A number with a comma before each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_warm_up_says_how_many_and_until_when() {
        let summary = |warming, metrics, first_verdicts_at| PassSummary {
            at: 1.7e9,
            warming,
            metrics,
            first_verdicts_at,
            ..PassSummary::default()
        };
        assert_eq!(summary(0, 30_000, None).warm_up(), None);
        let unknown = summary(412, 30_000, None).warm_up().expect("they are");
        assert_eq!(unknown, "412 of 30,000 metrics have too few points to be judged");
        let known = summary(1_412, 1_230_000, Some(1.7e9 + 30.0))
            .warm_up()
            .expect("they are");
        assert!(
            known.starts_with(
                "1,412 of 1,230,000 metrics have too few points to be judged; first verdicts at "
            ),
            "{known}"
        );
        assert!(
            summary(1, 1, Some(1.7e9))
                .log_lines()
                .iter()
                .any(|line| line.starts_with("warm-up :: 1 of 1 "))
        );
    }

    #[test]
    fn log_lines_leave_out_zeros() {
        let summary = PassSummary {
            exceptions: [("Boring".to_owned(), 3), ("Stale".to_owned(), 0)].into(),
            ..PassSummary::default()
        };
        assert!(
            summary
                .log_lines()
                .contains(&"exception stats :: {'Boring': 3}".to_owned())
        );
    }
}
