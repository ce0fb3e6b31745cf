//! Jobs as gala-anteater writes them: a JSON file with a detector, metrics and their limits.
//!
//! Every key of a file is mapped or named as not used. What is left out has the value that the original's shipped jobs have.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use skywatch_algorithms::entities::rules::{
    DisruptionOptions, NSigmaOptions, NSigmaSide, NodeBounds, Smoothing, SpaceOptions, TimeOptions,
};

use super::keys::JobKeys;
use super::limits::{JobLimits, NodeLimits, OutlierLimits};
use crate::events::EventCategory;

/// Causes that are named at most: the original's jobs name 20.
const MOST_CAUSES: f64 = 100.0;
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
    /// The metrics that are judged; of a network the indicators of service.
    pub(crate) metrics: Vec<JobMetric>,
    /// Metrics that may be the cause. A network judges them, too.
    pub(crate) features: Vec<JobFeature>,
    /// Causes that are named.
    pub(crate) causes: usize,
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
    /// A variational autoencoder over all metrics of a machine.
    Vae,
    /// Two autoencoders over windows of all metrics of a machine.
    Usad,
}

impl JobDetector {
    /// Whether it judges all metrics of a machine together.
    pub(crate) fn is_network(self) -> bool {
        matches!(self, Self::Vae | Self::Usad)
    }
}

/// Which way a metric goes when something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum MetricTrend {
    /// Either.
    #[default]
    Any,
    Rise,
    Fall,
}

/// A metric that may be the cause.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JobFeature {
    pub(crate) metric: String,
    pub(crate) description: Option<String>,
    pub(crate) trend: MetricTrend,
    /// Among causes those with the smaller come first.
    pub(crate) priority: i64,
}

/// One metric of a job.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JobMetric {
    pub(crate) metric: String,
    /// The kind of entity it belongs to, and what it is, for events.
    pub(crate) entity_name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) trend: MetricTrend,
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

    /// All metrics over which a machine is judged, each once.
    pub(crate) fn machine_metrics(&self) -> impl Iterator<Item = &str> {
        let features = self.features.iter().map(|feature| feature.metric.as_str());
        let indicators = self.metrics.iter().map(|metric| metric.metric.as_str());
        let is_new = |feature: &&str| self.metrics.iter().all(|metric| metric.metric != *feature);
        indicators.chain(features.filter(is_new))
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
            "vae" => JobDetector::Vae,
            "usad" => JobDetector::Usad,
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
        let features = match detector {
            // Their rules name what is wrong.
            JobDetector::Jvm | JobDetector::SlowNode => Vec::new(),
            _ => features(&mut keys)?,
        };
        let causes = match features.is_empty() {
            true => None,
            false => keys.number("root_cause_num")?,
        };
        is_once(metrics.iter().map(|metric| &*metric.metric), "kpis")?;
        is_once(features.iter().map(|feature| &*feature.metric), "features")?;
        if metrics.is_empty() {
            return Err("it has no metric that is enabled".to_owned());
        }
        Ok(Some(Self {
            name,
            keywords,
            category,
            detector,
            metrics,
            features,
            causes: causes.map_or(0, |causes| causes.clamp(0.0, MOST_CAUSES) as usize),
            unused: keys.left().collect(),
        }))
    }
}

/// The metrics that may be the cause.
fn features(keys: &mut JobKeys<'_>) -> Result<Vec<JobFeature>, String> {
    let mut features = Vec::new();
    for (number, entry) in keys.list("features")?.iter().enumerate() {
        let mut entry = JobKeys::of(&format!("features[{number}]."), entry)?;
        features.push(JobFeature {
            metric: entry.text("metric")?.ok_or("a feature has no `metric`")?,
            description: entry.text("description")?,
            trend: trend(&mut entry)?,
            priority: entry.number("priority")?.unwrap_or(0.0) as i64,
        });
        keys.unused.extend(entry.left());
    }
    Ok(features)
}

fn trend(entry: &mut JobKeys<'_>) -> Result<MetricTrend, String> {
    Ok(match entry.text("atrend")?.as_deref() {
        Some("rise") => MetricTrend::Rise,
        Some("fall") => MetricTrend::Fall,
        None | Some("default") => MetricTrend::Any,
        Some(other) => return Err(format!("`{}atrend` is `{other}`", entry.path)),
    })
}

/// Refuses names of which one stands twice.
fn is_once<'n>(names: impl Iterator<Item = &'n str>, list: &str) -> Result<(), String> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(format!("the metric `{name}` stands twice among its `{list}`"));
        }
    }
    Ok(())
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
    // What is judged by limits of its own goes the way these say.
    let trend = match detector {
        "vae" | "usad" => trend(entry)?,
        _ => MetricTrend::Any,
    };
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
        trend,
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
    let smoothing = smoothing(params)?;
    Ok(OutlierLimits {
        options: NSigmaOptions {
            observed: params.count("obs_size")?.unwrap_or(usual.observed),
            n: params.number("n")?.unwrap_or(usual.n),
            side,
            smoothing,
        },
        ratio: params.number("outlier_ratio_th")?.unwrap_or(usual_ratio),
        least: None,
    })
}

fn smoothing(params: &mut JobKeys<'_>) -> Result<Smoothing, String> {
    let Some(given) = params.take("smooth_params") else {
        return Ok(Smoothing::None);
    };
    let mut keys = JobKeys::of(&format!("{}smooth_params.", params.path), given)?;
    let method = keys.peek("method").and_then(Value::as_str).map(str::to_owned);
    let smoothing = match method.as_deref() {
        Some("conv_smooth") => keys
            .count("box_pts")?
            .map_or(Smoothing::None, Smoothing::MovingMean),
        Some("savgol" | "savgol_smooth") => {
            let window = keys.count("window_length")?.or(keys.count("window")?);
            let order = keys.count("polyorder")?;
            let (Some(window), Some(order)) = (window, order) else {
                return Err(format!("`{}` needs `window_length` and `polyorder`", params.path));
            };
            if window <= order {
                return Err(format!(
                    "`{}window_length` ({window}) must be more than `polyorder` ({order})",
                    keys.path
                ));
            }
            Smoothing::SavitzkyGolay { window, order }
        }
        _ => Smoothing::None,
    };
    if smoothing != Smoothing::None {
        keys.take("method");
    }
    params.unused.extend(keys.left());
    Ok(smoothing)
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
