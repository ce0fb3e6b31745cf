//! The original's jobs: which of them can be run as they are.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::error::AnteaterError;
use super::yaml::{self, plain, text};
use crate::entities;

/// Jobs that are read; the original ships twelve.
const MOST_JOBS: usize = 1_000;

/// One job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AnteaterJob {
    /// Its file, from the root.
    pub(super) path: PathBuf,
    /// The name of its file.
    pub(super) file: String,
    pub(super) use_of: JobUse,
    /// Whether pods are judged and not machines.
    pub(super) judges_pods: bool,
}

/// What can be done with a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum JobUse {
    /// It is run; these of its keys have no effect.
    Run(Vec<String>),
    /// It is switched off.
    Off,
    /// It looks for causes, which is no job here.
    RootCause,
    /// It cannot be run, and why.
    Unusable(String),
}

/// All jobs of a folder, by the names of their files: `*.json`.
pub(super) fn read(folder: &Path) -> Result<Vec<AnteaterJob>, AnteaterError> {
    let unreadable = |source| AnteaterError::Unreadable {
        path: folder.to_owned(),
        source,
    };
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = std::path::absolute(entry.map_err(unreadable)?.path()).map_err(unreadable)?;
        if path.extension().is_some_and(|extension| extension == "json") {
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
    files.into_iter().map(job).collect()
}

fn job(path: PathBuf) -> Result<AnteaterJob, AnteaterError> {
    let table = yaml::read(&path)?;
    let is_on = table.get("enable").and_then(Value::as_bool).unwrap_or(false);
    let job_type = table.get("job_type").map(plain).unwrap_or_default();
    let use_of = match job_type.as_str() {
        "root_cause_analysis" => JobUse::RootCause,
        _ if !is_on => JobUse::Off,
        _ => match entities::unused_job_keys(&path) {
            Ok(unused) => JobUse::Run(unused),
            Err(error) => JobUse::Unusable(error.to_string()),
        },
    };
    let file = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let judges_pods = detect_type(&table).is_some_and(|entity| entity.starts_with("pod"));
    Ok(AnteaterJob {
        path,
        file,
        use_of,
        judges_pods,
    })
}

/// `model_config.params.detect_type`: `machine_id` or `pod_id`.
fn detect_type(table: &Map<String, Value>) -> Option<String> {
    let parameters = table.get("model_config")?.get("params")?;
    parameters.get("detect_type").map(plain)
}

/// How many metrics a `metricinfo.json` describes.
pub(super) fn count_metrics(path: &Path) -> Result<usize, AnteaterError> {
    let list: Vec<Value> = serde_json::from_str(&text(path)?).map_err(|error| AnteaterError::Malformed {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    let names: BTreeSet<_> = list
        .iter()
        .filter_map(|info| info.get("metric").map(plain))
        .collect();
    Ok(names.len())
}
