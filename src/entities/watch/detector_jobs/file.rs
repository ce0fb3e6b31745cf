//! Jobs as gala-anteater writes them: a JSON file with a detector, metrics and their limits.
//!
//! Every key of a file is mapped or named as not used. What is left out has the value that the original's shipped jobs have.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use skywatch_algorithms::entities::rules::{
    DisruptionOptions, NSigmaOptions, NSigmaSide, NodeBounds, SpaceOptions, TimeOptions,
};

use super::limits::{JobLimits, NodeLimits, OutlierLimits};
use crate::events::EventCategory;

/// Largest file, bytes: the original's largest has 11,000.
const LARGEST: u64 = 1 << 20;

/// A job that is run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DetectorJob {
    pub(crate) name: String,
    /// Words for its events.
    pub(crate) keywords: Vec<String>,
    /// What kind of detector its events say has spoken.
    pub(crate) category: EventCategory,
    pub(crate) detector: JobDetector,
    pub(crate) metrics: Vec<JobMetric>,
    /// Keys that are not used, by their paths.
    pub(crate) unused: Vec<String>,
}

/// What judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobDetector {
    /// Series by themselves, with limits that stand beside each metric.
    Series,
    /// The rules for Java processes.
    Jvm,
    /// Slow nodes of a cluster.
    SlowNode,
    /// Networks over all metrics of a machine (VAE, USAD). The ensemble, which finds more, judges in their stead.
    Machine,
}

/// One metric of a job.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JobMetric {
    pub(crate) metric: String,
    /// The kind of entity it belongs to, and what it is, for events.
    pub(crate) entity_name: Option<String>,
    pub(crate) description: Option<String>,
    /// Seconds that are looked back upon.
    pub(crate) look_back: f64,
    pub(crate) limits: JobLimits,
}

/// Why a job is not run.
#[derive(Debug, thiserror::Error)]
pub enum DetectorJobError {
    /// A file that cannot be read.
    #[error("cannot read the job `{}`: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that is no job.
    #[error("the job `{}` cannot be used: {why}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl DetectorJob {
    /// The job of a file; none if it says that it is not enabled.
    ///
    /// # Errors
    /// [`DetectorJobError`].
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, DetectorJobError> {
        let unreadable = |source| DetectorJobError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let length = std::fs::metadata(path).map_err(unreadable)?.len();
        if length > LARGEST {
            return Err(DetectorJobError::Wrong {
                path: path.to_owned(),
                why: format!("it has {length} bytes, and {LARGEST} are read at most"),
            });
        }
        let text = std::fs::read(path).map_err(unreadable)?;
        let parsed = serde_json::from_slice(&text).map_err(|error| error.to_string());
        let job = parsed.and_then(|value| Self::of(&value));
        job.map_err(|why| DetectorJobError::Wrong {
            path: path.to_owned(),
            why,
        })
    }

    /// The job of a JSON text.
    pub(super) fn of(value: &Value) -> Result<Option<Self>, String> {
        let mut keys = JobKeys::of("", value)?;
        if !keys.flag("enable")?.unwrap_or(false) {
            return Ok(None);
        }
        let name = keys.text("name")?.ok_or("it has no `name`")?;
        match keys.text("job_type")?.as_deref() {
            None | Some("anomaly_detection") => {}
            Some(other) => return Err(format!("its `job_type` is `{other}`, not `anomaly_detection`")),
        }
        let written = keys.text("detector")?.ok_or("it has no `detector`")?;
        let detector = match written.as_str() {
            "vae" | "usad" => JobDetector::Machine,
            "jvm" => JobDetector::Jvm,
            "slow-node-detection" => JobDetector::SlowNode,
            "n-sigma"
            | "n-sigma-tcp-latency"
            | "n-sigma-tcp-establish"
            | "th-base"
            | "container-disruption" => JobDetector::Series,
            other => return Err(format!("there is no detector `{other}`")),
        };
        let keywords = keys.texts("keywords")?;
        let category = category(keys.text("template")?.as_deref())?;
        let mut metrics = Vec::new();
        for (number, entry) in keys.list("kpis")?.iter().enumerate() {
            let mut entry = JobKeys::of(&format!("kpis[{number}]."), entry)?;
            if let Some(metric) = metric(&mut entry, &written)? {
                metrics.push(metric);
            }
            keys.unused.extend(entry.left());
        }
        if detector == JobDetector::Machine {
            for (number, entry) in keys.list("features")?.iter().enumerate() {
                let mut entry = JobKeys::of(&format!("features[{number}]."), entry)?;
                metrics.push(JobMetric {
                    metric: entry.text("metric")?.ok_or("a feature has no `metric`")?,
                    entity_name: None,
                    description: None,
                    look_back: 0.0,
                    limits: JobLimits::None,
                });
                keys.unused.extend(entry.left());
            }
        }
        let mut seen = HashSet::new();
        // A metric may be indicator and feature; among the indicators it stands once.
        metrics.retain(|metric| seen.insert(metric.metric.clone()) || detector != JobDetector::Machine);
        if seen.len() < metrics.len() {
            return Err("a metric stands twice among its `kpis`".to_owned());
        }
        if metrics.is_empty() {
            return Err("it has no metric that is enabled".to_owned());
        }
        Ok(Some(Self {
            name,
            keywords,
            category,
            detector,
            metrics,
            unused: keys.left().collect(),
        }))
    }
}

/// The category of the events of a job with this template.
fn category(template: Option<&str>) -> Result<EventCategory, String> {
    Ok(match template {
        Some("app") => EventCategory::Application,
        Some("net") => EventCategory::Network,
        None | Some("sys") => EventCategory::System,
        Some("jvm") => EventCategory::Jvm,
        Some("simple") => EventCategory::Simple,
        Some("slow_node") => EventCategory::SlowNode,
        Some(other) => return Err(format!("there is no template `{other}`")),
    })
}

/// A metric with its limits; none if it is not enabled.
fn metric(entry: &mut JobKeys<'_>, detector: &str) -> Result<Option<JobMetric>, String> {
    let metric = entry.text("metric")?.ok_or("a metric has no name")?;
    let is_enabled = entry.flag("enable")?.unwrap_or(true);
    let (entity_name, description) = (entry.text("entity_name")?, entry.text("description")?);
    let nothing = Value::Object(Map::new());
    let params = entry.take("params").unwrap_or(&nothing);
    let mut params = JobKeys::of(&format!("{}params.", entry.path), params)?;
    let minutes = params.number("look_back")?;
    let (usual, limits) = match detector {
        "n-sigma" => (20.0, JobLimits::Outliers(outliers(&mut params, 0.5)?)),
        "n-sigma-tcp-latency" => {
            let mut limits = outliers(&mut params, 0.6)?;
            limits.least = Some(params.number("min_srtt")?.unwrap_or(2e4));
            (20.0, JobLimits::Outliers(limits))
        }
        "n-sigma-tcp-establish" => {
            let limits = JobLimits::Establish {
                observed: params.number("obs_size")?.unwrap_or(3.0) * 60.0,
                ratio: params.number("outlier_ratio_th")?.unwrap_or(0.5),
                least: params.number("min_rtt")?.unwrap_or(1e5),
            };
            (30.0, limits)
        }
        "th-base" => {
            let threshold = params.number("th")?.unwrap_or(1.0);
            (2.0, JobLimits::Sum { threshold })
        }
        "container-disruption" => {
            let options = DisruptionOptions {
                observed: params.count("obs_size")?.unwrap_or(5),
                ..DisruptionOptions::default()
            };
            let ratio = params.number("outlier_ratio_th")?.unwrap_or(0.5);
            (20.0, JobLimits::Disruption { options, ratio })
        }
        "slow-node-detection" => (20.0, JobLimits::Node(node(&mut params)?)),
        // The limits of the rules for Java processes are those the original's job has.
        "jvm" => (2.0, JobLimits::None),
        _ => (0.0, JobLimits::None),
    };
    let look_back = minutes.unwrap_or(usual) * 60.0;
    if !(0.0..=86_400.0).contains(&look_back) {
        return Err(format!("`{}look_back` is not between 0 and 1440", params.path));
    }
    entry.unused.extend(params.left());
    Ok(is_enabled.then_some(JobMetric {
        metric,
        entity_name,
        description,
        look_back,
        limits,
    }))
}

fn outliers(params: &mut JobKeys<'_>, usual_ratio: f64) -> Result<OutlierLimits, String> {
    let usual = NSigmaOptions::default();
    let side = match params.text("method")?.as_deref() {
        Some("abs") => NSigmaSide::Both,
        Some("min") => NSigmaSide::Below,
        Some("max") | None => NSigmaSide::Above,
        Some(other) => return Err(format!("`{}method` is `{other}`", params.path)),
    };
    let mut smoothed = 1;
    if let Some(smooth) = params.take("smooth_params") {
        let mut smooth = JobKeys::of(&format!("{}smooth_params.", params.path), smooth)?;
        if smooth.peek("method").and_then(Value::as_str) == Some("conv_smooth") {
            smooth.take("method");
            smoothed = smooth.count("box_pts")?.unwrap_or(smoothed);
        }
        params.unused.extend(smooth.left());
    }
    Ok(OutlierLimits {
        options: NSigmaOptions {
            observed: params.count("obs_size")?.unwrap_or(usual.observed),
            n: params.number("n")?.unwrap_or(usual.n),
            side,
            smoothed,
        },
        ratio: params.number("outlier_ratio_th")?.unwrap_or(usual_ratio),
        least: None,
    })
}

fn node(params: &mut JobKeys<'_>) -> Result<NodeLimits, String> {
    let mut time = TimeOptions {
        shortest: params.count("alarm_filter_window_size")?.unwrap_or(5),
        ..TimeOptions::default()
    };
    let is_device = params.text("metric_type")?.as_deref() == Some("device");
    let method = params.text("method")?.unwrap_or_else(|| "avg".to_owned());
    if !["avg", "max", "min", "sum"].contains(&method.as_str()) {
        return Err(format!("`{}method` is `{method}`", params.path));
    }
    if let Some(detector) = params.take("time_detector") {
        let mut detector = JobKeys::of(&format!("{}time_detector.", params.path), detector)?;
        if let Some(n_sigma) = detector.take("n_sigma_method") {
            let mut n_sigma = JobKeys::of(&format!("{}n_sigma_method.", detector.path), n_sigma)?;
            time.window = n_sigma.count("training_window_size")?.unwrap_or(time.window);
            time.k = n_sigma.number("nsigma_coefficient")?.unwrap_or(time.k);
            time.bias = n_sigma.number("bias")?.unwrap_or(time.bias);
            time.widened = n_sigma.number("abs_bias")?.unwrap_or(time.widened);
            time.side = match n_sigma.text("detect_type")?.as_deref() {
                Some("upper_bound") => NSigmaSide::Above,
                Some("lower_bound") => NSigmaSide::Below,
                _ => NSigmaSide::Both,
            };
            time.bounds = NodeBounds {
                least: n_sigma
                    .number("max_expert_lower_bound")?
                    .unwrap_or(f64::NEG_INFINITY),
                most: n_sigma.number("max_expert_upper_bound")?.unwrap_or(f64::INFINITY),
            };
            detector.unused.extend(n_sigma.left());
        }
        params.unused.extend(detector.left());
    }
    let mut space = None;
    if let Some(detector) = params
        .take("space_detector")
        .filter(|detector| !detector.is_null())
    {
        let mut detector = JobKeys::of(&format!("{}space_detector.", params.path), detector)?;
        // Sliding windows of DBSCAN are not there; the devices are then held against themselves only.
        if detector.peek("type").and_then(Value::as_str) == Some("OuterDataDetector") {
            detector.take("type");
            let usual = SpaceOptions::default();
            space = Some(SpaceOptions {
                gap: detector.number("first_gap_rate")?.unwrap_or(usual.gap),
                ratio: detector.number("discrete_rate")?.unwrap_or(usual.ratio),
                deviations: detector.number("nsigma_coefficient")?.unwrap_or(usual.deviations),
            });
        }
        params.unused.extend(detector.left());
    }
    Ok(NodeLimits {
        time,
        space,
        is_device,
        method,
    })
}

/// Keys of one object, of which those that are taken are used.
struct JobKeys<'v> {
    /// Where the object is, with a dot behind.
    path: String,
    object: Map<String, Value>,
    /// Keys that nobody takes.
    unused: Vec<String>,
    values: &'v Map<String, Value>,
}

impl<'v> JobKeys<'v> {
    fn of(path: &str, value: &'v Value) -> Result<Self, String> {
        let values = value
            .as_object()
            .ok_or_else(|| format!("`{}` is no object", path.trim_end_matches('.')))?;
        Ok(Self {
            path: path.to_owned(),
            object: values.clone(),
            unused: Vec::new(),
            values,
        })
    }

    fn peek(&self, key: &str) -> Option<&'v Value> {
        self.values.get(key)
    }

    fn take(&mut self, key: &str) -> Option<&'v Value> {
        self.object.remove(key);
        self.values.get(key)
    }

    fn typed<T>(&mut self, key: &str, read: impl Fn(&'v Value) -> Option<T>) -> Result<Option<T>, String> {
        let value = self.take(key).filter(|value| !value.is_null());
        value
            .map(|value| read(value).ok_or_else(|| format!("`{}{key}` is `{value}`", self.path)))
            .transpose()
    }

    fn text(&mut self, key: &str) -> Result<Option<String>, String> {
        self.typed(key, |value| value.as_str().map(str::to_owned))
    }

    fn flag(&mut self, key: &str) -> Result<Option<bool>, String> {
        self.typed(key, Value::as_bool)
    }

    fn number(&mut self, key: &str) -> Result<Option<f64>, String> {
        self.typed(key, Value::as_f64)
    }

    /// A number of things, at least one.
    fn count(&mut self, key: &str) -> Result<Option<usize>, String> {
        let count = |value: &Value| value.as_u64().filter(|count| (1..=100_000).contains(count));
        self.typed(key, |value| count(value).map(|count| count as usize))
    }

    fn texts(&mut self, key: &str) -> Result<Vec<String>, String> {
        let all = self.list(key)?.iter();
        Ok(all.filter_map(|text| text.as_str().map(str::to_owned)).collect())
    }

    fn list(&mut self, key: &str) -> Result<&'v [Value], String> {
        let list = self.typed(key, |value| value.as_array().map(Vec::as_slice))?;
        Ok(list.unwrap_or_default())
    }

    /// Paths of all keys that were not taken.
    fn left(self) -> impl Iterator<Item = String> {
        let Self {
            path, object, unused, ..
        } = self;
        let own: Vec<String> = object.keys().map(|key| format!("{path}{key}")).collect();
        own.into_iter().chain(unused)
    }
}
