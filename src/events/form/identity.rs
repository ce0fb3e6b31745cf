//! Ids of entities and events, and the labels people are shown.

use std::fmt::Write as _;

use super::super::entity_event::{EntityEventKey, EventLabels};
use super::super::metric_info::MetricInfos;
use super::options::EntityKeys;
use super::value::milliseconds;

/// The label that begins an entity's id and is no part of the rest.
const MACHINE: &str = "machine_id";

/// `MACHINE_KIND_VALUE_VALUE`: the values of the labels by which this kind of entity is told apart, `0` for one that is
/// missing; characters that the original does not take are `:`.
pub(super) fn entity_id(key: &EntityEventKey, metrics: &MetricInfos, keys: &EntityKeys) -> String {
    let kind = key
        .entity_name
        .as_deref()
        .or_else(|| metrics.entity_name(&key.metric));
    let mut id = key.machine_id.clone();
    if let Some(kind) = kind {
        let names = keys.get(kind).into_iter().flatten();
        let values = names
            .filter(|name| *name != MACHINE)
            .map(|name| key.labels.get(name).map_or("0", String::as_str));
        for part in std::iter::once(kind).chain(values) {
            id.push('_');
            id.push_str(part);
        }
    }
    id.chars().map(|c| if is_taken(c) { c } else { ':' }).collect()
}

/// Python's `[\w_\-:.@()+,=;$!*'%]`.
fn is_taken(c: char) -> bool {
    c.is_alphanumeric() || "_-:.@()+,=;$!*'%".contains(c)
}

/// `MILLISECONDS_ENTITY`.
pub(super) fn event_id(at: f64, entity_id: &str) -> String {
    format!("{}_{entity_id}", milliseconds(at))
}

/// What people are shown of a series' labels: a name, and the labels of which the first that is there is its value.
const SHOWN: [(&str, &[&str]); 8] = [
    ("PID", &["tgid", "pid"]),
    ("COMM", &["comm"]),
    ("IP", &["ip", "server_ip"]),
    ("ContainerID", &["container_id"]),
    ("POD", &["pod_name"]),
    ("Device", &["device", "dev_name", "disk_name", "Fsname"]),
    ("ContainerName", &["container_image"]),
    ("ContainerHost", &["container_hostname"]),
];

/// The labels under the original's names, without those that are empty.
pub(super) fn shown_labels(machine_id: &str, labels: &EventLabels) -> EventLabels {
    let mut shown = EventLabels::new();
    let filled = |label: &str| labels.get(label).filter(|value| !value.is_empty());
    for (name, from) in SHOWN {
        if let Some(value) = from.iter().find_map(|label| filled(label)) {
            shown.insert(name.to_owned(), value.clone());
        }
    }
    if !machine_id.is_empty() {
        let mut host = machine_id.to_owned();
        if let Some(ip) = filled("ip") {
            host = format!("{host}-{ip}");
        }
        shown.insert("Host".to_owned(), host);
    }
    shown
}

/// `metric@label=value@…`, in which `/` and `:` are `#`: how events of USAD name a series.
pub(super) fn series_name(metric: &str, labels: &EventLabels) -> String {
    let mut name = metric.to_owned();
    for (label, value) in labels {
        _ = write!(name, "@{label}={value}");
    }
    name.replace(['/', ':'], "#")
}
