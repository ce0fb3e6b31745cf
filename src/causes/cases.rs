//! Folders of cases, and the suspects of each.
//!
//! A folder with `normal` and `anomalous` is a case without a topology: its suspects are metrics. One with `metrics` and `target.json` is an
//! alarm in a call graph, which lies with the usual measurements (`graph.json`, `normal`) in a folder above: its suspects are nodes.
//! Tables end in `.csv` or `.csv.gz`. Nothing else is read, `truth.json` least of all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use skywatch_algorithms::causes::{CallGraph, NodeSeries, Worsening, change, rank};

use super::CausesError;
use super::table::SampleTable;

/// The suspects of each case, most suspicious first; cases by their path in the folder.
pub type CaseRankings = BTreeMap<String, Vec<String>>;

/// Folders within folders that are looked into.
const DEEPEST: usize = 8;

/// Ranks the suspects of every case in `folder`. In cases without a topology the border between usual and faulty is taken to lie `shift`
/// seconds after the true one, or before it.
///
/// # Errors
/// A file that cannot be read or makes no sense, and a folder without a case.
pub fn evaluate(folder: &Path, shift: i64) -> Result<CaseRankings, CausesError> {
    let mut rankings = CaseRankings::new();
    look_into(folder, &mut Vec::new(), None, shift, &mut rankings)?;
    if rankings.is_empty() {
        return Err(CausesError::NoCase(folder.to_owned()));
    }
    Ok(rankings)
}

/// What the cases in a folder share.
struct Surroundings {
    graph: CallGraph,
    normal: SampleTable,
}

fn look_into(
    folder: &Path,
    name: &mut Vec<String>,
    shared: Option<&Surroundings>,
    shift: i64,
    rankings: &mut CaseRankings,
) -> Result<(), CausesError> {
    let normal = table(folder, "normal");
    let own = match &normal {
        Some(normal) if folder.join("graph.json").is_file() => Some(Surroundings {
            graph: read_graph(&folder.join("graph.json"))?,
            normal: SampleTable::read(normal)?,
        }),
        _ => None,
    };
    let shared = own.as_ref().or(shared);
    let found = match (normal, table(folder, "anomalous"), table(folder, "metrics")) {
        (Some(normal), Some(anomalous), _) => Some(rank_metrics(
            &SampleTable::read(&normal)?,
            &SampleTable::read(&anomalous)?,
            shift,
        )),
        (_, _, Some(metrics)) if folder.join("target.json").is_file() => {
            let shared = shared.ok_or_else(|| CausesError::Malformed {
                path: folder.to_owned(),
                expected: "case",
                reason: "no folder above it has `graph.json` and `normal.csv.gz`".to_owned(),
            })?;
            let alarm: AlarmTarget = read_json(&folder.join("target.json"), "alarm")?;
            Some(rank_nodes(shared, &SampleTable::read(&metrics)?, &alarm))
        }
        _ => None,
    };
    if let Some(suspects) = found {
        rankings.insert(name.join("/"), suspects);
    }
    if name.len() < DEEPEST {
        for (part, below) in folders(folder)? {
            name.push(part);
            look_into(&below, name, shared, shift, rankings)?;
            name.pop();
        }
    }
    Ok(())
}

/// Metrics by how far they changed.
fn rank_metrics(normal: &SampleTable, anomalous: &SampleTable, shift: i64) -> Vec<String> {
    let rows = (shift as f64 / normal.step()).round() as i64;
    let mut ranked = Vec::new();
    for column in &normal.columns {
        let Some(faulty) = anomalous.column(&column.name) else {
            continue;
        };
        let all = [column.values.as_slice(), faulty].concat();
        let border = (column.values.len() as i64 + rows).clamp(0, all.len() as i64) as usize;
        if let Some(change) = change(&all[..border], &all[border..], worsening(&column.name)) {
            ranked.push((change, column.name.clone()));
        }
    }
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    ranked.into_iter().map(|(_, name)| name).collect()
}

/// Nodes by what the alarm's statistic says of them.
fn rank_nodes(shared: &Surroundings, metrics: &SampleTable, alarm: &AlarmTarget) -> Vec<String> {
    let mut nodes = Vec::new();
    for column in &metrics.columns {
        // A node's name may have any character; the two parts behind it have no bar.
        let mut parts = column.name.rsplitn(3, '|');
        let (statistic, metric, node) = (parts.next(), parts.next(), parts.next());
        if let (true, true, Some(node)) = (statistic == Some(&alarm.agg), metric == Some(&alarm.metric), node)
        {
            let before = shared.normal.column(&column.name).unwrap_or_default();
            nodes.push(NodeSeries {
                node,
                before,
                around: &column.values,
            });
        }
    }
    let ranked = rank(&shared.graph, &alarm.node, &nodes, worsening(&alarm.metric));
    ranked.into_iter().map(|suspect| suspect.node).collect()
}

/// Which way a metric gets worse, by the words everybody uses: what is available gets less, traffic may break down or break loose, and of
/// everything else (latency, errors, load, use of a resource) more is worse.
fn worsening(metric: &str) -> Worsening {
    let metric = metric.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| metric.contains(word));
    if has(&["availab", "success", "uptime"]) {
        Worsening::Falling
    } else if has(&["request", "throughput", "traffic"]) {
        Worsening::Either
    } else {
        Worsening::Rising
    }
}

/// What an alarm is about.
#[derive(Debug, Deserialize)]
struct AlarmTarget {
    node: String,
    metric: String,
    agg: String,
}

#[derive(Debug, Deserialize)]
struct WrittenGraph {
    edges: Vec<(String, String)>,
}

fn read_graph(path: &Path) -> Result<CallGraph, CausesError> {
    let written: WrittenGraph = read_json(path, "call graph")?;
    Ok(CallGraph::new(
        written
            .edges
            .iter()
            .map(|(caller, callee)| (caller.as_str(), callee.as_str())),
    ))
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path, expected: &'static str) -> Result<T, CausesError> {
    let bytes = std::fs::read(path).map_err(|error| CausesError::Unreadable {
        path: path.to_owned(),
        error,
    })?;
    serde_json::from_slice(&bytes).map_err(|error| CausesError::Malformed {
        path: path.to_owned(),
        expected,
        reason: error.to_string(),
    })
}

/// The table of that name in a folder, if there is one.
fn table(folder: &Path, name: &str) -> Option<PathBuf> {
    let endings = ["csv.gz", "csv"].into_iter();
    endings
        .map(|ending| folder.join(format!("{name}.{ending}")))
        .find(|path| path.is_file())
}

/// The folders in a folder, by name.
fn folders(folder: &Path) -> Result<BTreeMap<String, PathBuf>, CausesError> {
    let unreadable = |error| CausesError::Unreadable {
        path: folder.to_owned(),
        error,
    };
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        // A link could lead in a circle.
        if entry.file_type().map_err(unreadable)?.is_dir() {
            found.insert(entry.file_name().to_string_lossy().into_owned(), entry.path());
        }
    }
    Ok(found)
}
