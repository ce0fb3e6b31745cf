//! What settings ask of a Prometheus: sources of entities, and jobs, with who judges them.

use skywatch_settings::Entities;

use super::detector_jobs::{DetectorJob, RunningJobs};
use super::prometheus::{PrometheusEntities, SeriesNaming};
use super::query::{EntityQuery, matchers};
use super::rules::EntityRules;
use super::source::EntitySource;
use crate::entities::EntityWatchError;
use crate::observer::Observer;

/// The label by which gala-gopher tells machines apart.
const MACHINE_ID: &str = "machine_id";

/// What settings ask of a Prometheus.
pub(super) struct PrometheusWork {
    /// Where entities come from.
    pub(super) sources: Vec<Box<dyn EntitySource>>,
    /// Jobs that judge series.
    pub(super) jobs: RunningJobs,
    /// Jobs that judge machines by a network.
    pub(super) network_jobs: Vec<DetectorJob>,
}

/// What settings ask of a Prometheus. Without `networks` the ensemble judges in their stead: there is nobody to teach them.
///
/// # Errors
/// A source or a job that cannot be used.
pub(super) fn prometheus_work(
    settings: &Entities,
    observer: &Observer,
    networks: bool,
) -> Result<PrometheusWork, EntityWatchError> {
    let mut sources: Vec<Box<dyn EntitySource>> = Vec::new();
    if let Some(prometheus) = PrometheusEntities::new(settings, observer)? {
        sources.push(Box::new(prometheus));
    }
    let (jobs, mut network_jobs) = RunningJobs::open(settings, observer)?;
    if !networks {
        for job in network_jobs.drain(..) {
            tracing::info!(
                "entities :: job `{}` is judged by the ensemble, as `training.enabled` is false",
                job.name
            );
            let source = of_job(&job, settings, EntityRules::of(settings), observer)?;
            sources.extend(source.map(|source| Box::new(source) as Box<dyn EntitySource>));
        }
    }
    Ok(PrometheusWork {
        sources,
        jobs,
        network_jobs,
    })
}

/// The metrics of a job that has a network judge all metrics of a machine: they are judged by the ensemble.
fn of_job(
    job: &DetectorJob,
    settings: &Entities,
    rules: EntityRules,
    observer: &Observer,
) -> Result<Option<PrometheusEntities>, EntityWatchError> {
    let matchers = matchers(settings);
    let query = |metric: &str| EntityQuery {
        metric: metric.into(),
        promql: format!("avg by ({MACHINE_ID}) ({metric}{matchers})"),
    };
    let queries = job.machine_metrics().map(query).collect();
    let naming = SeriesNaming::Of(vec![MACHINE_ID.to_owned()]);
    let span = (rules.step, rules.history);
    Ok(PrometheusEntities::of(settings, queries, naming, span, observer)?)
}
