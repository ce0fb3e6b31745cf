//! What events of jobs say beside metric and score, in the original's words.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::finding::{JobFinding, NodeVerdict};
use super::limits::{JobLimits, SeriesVerdict};

/// What the original's result of slow nodes says for "all are as they should be" and "some are slow".
const NONE_SLOW: u16 = 200;
const SOME_SLOW: u16 = 201;
/// Values of a node that go along.
const VALUES: usize = 60;

/// A series of a metric with what was said of it.
pub(super) struct JudgedSeries<'s> {
    pub(super) metric: &'s str,
    /// The labels of all series that were judged together, and which of them it is.
    pub(super) all: &'s [&'s BTreeMap<String, String>],
    pub(super) place: usize,
    /// Oldest first, without those missing.
    pub(super) values: &'s [f64],
    pub(super) verdict: SeriesVerdict,
    /// Unix seconds of the newest value, and seconds from one to the next.
    pub(super) newest: f64,
    pub(super) step: f64,
}

impl JudgedSeries<'_> {
    /// What is said beside metric and score; nothing of most.
    pub(super) fn details(&self, limits: &JobLimits) -> Map<String, Value> {
        let details = match limits {
            JobLimits::Node(_) => self.of_node(),
            JobLimits::Disruption { options, .. } if self.verdict.is_anomalous => {
                self.of_disruption(options.observed)
            }
            _ => return Map::new(),
        };
        details.as_object().cloned().unwrap_or_default()
    }

    fn label(&self, names: &[&str]) -> &str {
        let labels = self.all[self.place];
        let found = names.iter().find_map(|name| labels.get(*name));
        found.map_or("", String::as_str)
    }

    fn milliseconds(&self, back: usize) -> i64 {
        ((self.newest - back as f64 * self.step) * 1_000.0).round() as i64
    }

    fn of_node(&self) -> Value {
        let others = self
            .all
            .iter()
            .enumerate()
            .filter(|(place, _)| *place != self.place);
        let others: Vec<String> = others.map(|(_, labels)| node_id(labels)).collect();
        let values = self.values.iter().rev().take(VALUES).enumerate();
        let mut values: Vec<Value> = values
            .map(|(back, value)| json!({"timestamp": self.milliseconds(back), "value": value}))
            .collect();
        values.reverse();
        let labels = self.all[self.place];
        json!({
            "objectId": node_id(labels),
            "serverIp": self.label(&["instance", "machine_id"]).split(':').next(),
            "deviceInfo": labels.get("id").map_or("-1", String::as_str),
            "kpiId": self.metric,
            "methodType": if self.verdict.is_by_others { "SPACE" } else { "TIME" },
            "kpiData": values,
            "relaIds": if self.verdict.is_by_others { others } else { Vec::new() },
            "omittedDevices": [],
        })
    }

    fn of_disruption(&self, observed: usize) -> Value {
        json!({
            "event_source": "spot",
            "info": {
                "abnormal_start": self.milliseconds(observed.saturating_sub(1)),
                "abnormal_end": self.milliseconds(0),
                "container_name": self.label(&["container_name", "container_id"]),
                "machine_id": self.label(&["machine_id", "instance"]),
                "appkey": self.label(&["appkey"]),
            },
        })
    }
}

/// What the original calls a device of a host, or the host itself.
fn node_id(labels: &BTreeMap<String, String>) -> String {
    let host = labels.get("instance").or_else(|| labels.values().next());
    let device = labels.get("id").map_or("-1", String::as_str);
    format!("{}*{device}", host.map_or("", String::as_str))
}

/// The original's result of a look for slow nodes over all machines of a job: the `Attributes` of its event.
pub(in crate::entities::watch) fn slow_node_result(findings: &[&JobFinding]) -> Map<String, Value> {
    let nodes = || findings.iter().flat_map(|finding| &finding.nodes);
    let details = |is_slow: bool| -> Vec<&Map<String, Value>> {
        let of_kind = nodes().filter(|node| node.is_slow == is_slow);
        of_kind.map(|node| &node.detail).collect()
    };
    let is_slow = |node: &NodeVerdict| node.is_slow;
    let result = json!({
        "timestamp": findings.first().map(|finding| (finding.at * 1_000.0).round() as i64),
        "resultCode": if nodes().any(is_slow) { SOME_SLOW } else { NONE_SLOW },
        "compute": slow_of(findings, &["npu", "compute", "cpu", "aicore"]),
        "network": slow_of(findings, &["net", "hccl", "roce", "link", "bandwidth"]),
        "storage": slow_of(findings, &["disk", "io", "storage"]),
        "abnormalDetail": details(true),
        "normalDetail": details(false),
        "errorMsg": "",
    });
    result.as_object().cloned().unwrap_or_default()
}

/// Whether a slow node shows by a metric with one of these words in its name.
fn slow_of(findings: &[&JobFinding], words: &[&str]) -> bool {
    let mut found = findings.iter().flat_map(|finding| &finding.found);
    found.any(|found| {
        let mut parts = found.metric.split('_');
        parts.any(|part| words.iter().any(|word| part.eq_ignore_ascii_case(word)))
    })
}

#[cfg(test)]
mod tests {
    use skywatch_algorithms::entities::rules::{SpaceOptions, TimeOptions};

    use super::super::limits::NodeLimits;
    use super::*;

    #[test]
    fn a_slow_node_is_said_with_its_values_and_those_it_was_held_against() {
        let labels = |host: &str| {
            BTreeMap::from([
                ("id".to_owned(), "3".to_owned()),
                ("instance".to_owned(), host.to_owned()),
            ])
        };
        let (one, two) = (labels("10.0.0.1:8888"), labels("10.0.0.2:8888"));
        let limits = JobLimits::Node(NodeLimits {
            time: TimeOptions::default(),
            space: Some(SpaceOptions::default()),
            is_device: true,
            method: "avg".to_owned(),
        });
        let mut judged = JudgedSeries {
            metric: "npu_step_time",
            all: &[&one, &two],
            place: 1,
            values: &[1.0, 9.0],
            verdict: SeriesVerdict {
                score: 1.0,
                is_anomalous: true,
                is_by_others: true,
            },
            newest: 1_700_000_000.0,
            step: 5.0,
        };
        let said = Value::Object(judged.details(&limits));
        let wanted = json!({
            "objectId": "10.0.0.2:8888*3", "serverIp": "10.0.0.2", "deviceInfo": "3", "kpiId": "npu_step_time",
            "methodType": "SPACE", "relaIds": ["10.0.0.1:8888*3"], "omittedDevices": [],
            "kpiData": [{"timestamp": 1_699_999_995_000_i64, "value": 1.0}, {"timestamp": 1_700_000_000_000_i64, "value": 9.0}],
        });
        assert_eq!(said, wanted);
        judged.verdict.is_by_others = false;
        assert_eq!(judged.details(&limits)["methodType"], "TIME");
        assert!(judged.details(&JobLimits::Sum { threshold: 1.0 }).is_empty());
    }
}
