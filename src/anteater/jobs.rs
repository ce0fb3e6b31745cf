//! The original's jobs: which detector looks at which metrics.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::error::AnteaterError;
use super::yaml::{self, plain, text};

/// Jobs that are read; the original ships twelve.
const MOST_JOBS: usize = 1_000;

/// One job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AnteaterJob {
    /// The name of its file.
    pub(super) file: String,
    /// Whether it runs.
    pub(super) is_enabled: bool,
    pub(super) job_type: String,
    pub(super) detector: String,
    /// Whether pods are judged and not machines.
    pub(super) judges_pods: bool,
    /// Metrics it looks at, indicators first, without those that are switched off.
    pub(super) metrics: Vec<String>,
    /// All keys it has, without places in lists: `kpis.metric`.
    pub(super) keys: Vec<String>,
}

/// All jobs of a folder, by the names of their files: `*.json`, `*.yaml`, `*.yml`.
pub(super) fn read(folder: &Path) -> Result<Vec<AnteaterJob>, AnteaterError> {
    let unreadable = |source| AnteaterError::Unreadable {
        path: folder.to_owned(),
        source,
    };
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let extension = path.extension().unwrap_or_default();
        if ["json", "yaml", "yml"].iter().any(|known| extension == *known) {
            files.push(path);
        }
    }
    files.sort();
    if files.len() > MOST_JOBS {
        return Err(AnteaterError::Malformed {
            path: folder.to_owned(),
            reason: format!("more than {MOST_JOBS} jobs"),
        });
    }
    files.iter().map(|path| job(path)).collect()
}

fn job(path: &Path) -> Result<AnteaterJob, AnteaterError> {
    let table = yaml::read(path)?;
    let file = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let word = |name: &str| table.get(name).map(plain).unwrap_or_default();
    let mut keys = Vec::new();
    for (name, value) in &table {
        list_keys(name, value, &mut keys);
    }
    let mut metrics: Vec<String> = Vec::new();
    for (list, usual) in [("kpis", true), ("features", true)] {
        for entry in table.get(list).and_then(Value::as_array).into_iter().flatten() {
            let is_enabled = entry.get("enable").and_then(Value::as_bool).unwrap_or(usual);
            let metric = entry.get("metric").map(plain).unwrap_or_default();
            if is_enabled && !metric.is_empty() && !metrics.contains(&metric) {
                metrics.push(metric);
            }
        }
    }
    Ok(AnteaterJob {
        file,
        is_enabled: table.get("enable").and_then(Value::as_bool).unwrap_or(false),
        job_type: word("job_type"),
        detector: word("detector"),
        judges_pods: detect_type(&table).is_some_and(|entity| entity.starts_with("pod")),
        metrics,
        keys,
    })
}

/// `model_config.params.detect_type`: `machine_id` or `pod_id`.
fn detect_type(table: &Map<String, Value>) -> Option<String> {
    let parameters = table.get("model_config")?.get("params")?;
    parameters.get("detect_type").map(plain)
}

fn list_keys(prefix: &str, value: &Value, keys: &mut Vec<String>) {
    match value {
        // What a model is given is its own business.
        Value::Object(table) if prefix != "model_config.params" && !prefix.ends_with(".params") => {
            for (name, value) in table {
                list_keys(&format!("{prefix}.{name}"), value, keys);
            }
        }
        Value::Array(list) if list.iter().any(Value::is_object) => {
            for value in list {
                list_keys(prefix, value, keys);
            }
        }
        _ if keys.iter().all(|known| known != prefix) => keys.push(prefix.to_owned()),
        _ => {}
    }
}

/// How each metric of a `metricinfo.json` is to be aggregated, by its name.
pub(super) fn aggregations(path: &Path) -> Result<BTreeMap<String, String>, AnteaterError> {
    let list: Vec<Value> = serde_json::from_str(&text(path)?).map_err(|error| AnteaterError::Malformed {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    let pair = |info: &Value| {
        Some((
            plain(info.get("metric")?),
            info.get("aggregation").map(plain).unwrap_or_default(),
        ))
    };
    Ok(list.iter().filter_map(pair).collect())
}
