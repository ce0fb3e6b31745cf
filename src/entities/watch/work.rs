//! What settings ask of a Prometheus: sources of entities, and jobs, with who judges them.

use skywatch_settings::Entities;

use super::detector_jobs::{DetectorJob, RunningJobs};
use super::prometheus::PrometheusEntities;
use super::rules::EntityRules;
use super::source::EntitySource;
use crate::entities::EntityWatchError;
use crate::observer::Observer;

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
            let rules = EntityRules::of(settings);
            let (metrics, span) = (job.machine_metrics(), (rules.step, rules.history));
            let source = PrometheusEntities::of_machines(settings, metrics, span, observer)?;
            sources.extend(source.map(|source| Box::new(source) as Box<dyn EntitySource>));
        }
    }
    Ok(PrometheusWork {
        sources,
        jobs,
        network_jobs,
    })
}
