//! Jobs whose detector is a network: learnt by the trainer from the last day of each machine, and asked at each look.
//!
//! A machine is judged once a version of its network serves, at once after a restart. It is learnt anew when twice as much is known of it,
//! each `entities.refit_each`, when its metrics are others, and when its rows have been strange to the network for an hour without an alarm.

mod job;
mod learning;
mod machine;

use skywatch_settings::Entities;

use self::job::NetworkJob;
use self::learning::NetworkLearning;
pub use self::learning::NetworkPlace;
use super::counters::EntityCounters;
use super::detector_jobs::{DetectorJob, JobFinding, SpectralRanking};
use crate::entities::EntityWatchError;
use crate::observer::Observer;
use crate::stop::Stop;

/// All jobs of networks.
pub(super) struct NetworkJobs {
    jobs: Vec<NetworkJob>,
    learning: NetworkLearning,
    ranking: SpectralRanking,
    /// Seconds between two looks and between two values, and after its step at which a row is judged.
    each: f64,
    step: f64,
    delay: f64,
    /// When they were looked at last, Unix seconds, and what was found then.
    looked: f64,
    findings: Vec<JobFinding>,
}

impl NetworkJobs {
    /// These jobs, learnt by whoever works off the queue of `place`.
    ///
    /// # Errors
    /// No source for a job, or no thread.
    pub(super) fn open(
        jobs: Vec<DetectorJob>,
        settings: &Entities,
        observer: &Observer,
        place: NetworkPlace,
    ) -> Result<Self, EntityWatchError> {
        let each = settings.jobs_each.as_secs_f64();
        let mut open = Vec::new();
        for job in jobs {
            let name = job.name.clone();
            open.extend(NetworkJob::open(job, settings, observer)?);
            tracing::info!(
                "entities :: job `{name}` :: looked at each {each} s, learnt by the trainer from the last {} s",
                settings.history.as_secs()
            );
        }
        Ok(Self {
            jobs: open,
            learning: NetworkLearning::start(place).map_err(EntityWatchError::Thread)?,
            ranking: SpectralRanking::new(settings, observer),
            each,
            step: settings.jobs_step.as_secs_f64(),
            delay: settings.delay.as_secs_f64(),
            looked: f64::NEG_INFINITY,
            findings: Vec::new(),
        })
    }

    /// Looks at all jobs, if that is due at `now`, Unix seconds; whether it was.
    pub(super) fn look(&mut self, now: f64, counters: &mut EntityCounters, stop: &Stop) -> bool {
        for came in self.learning.came() {
            self.jobs.iter_mut().for_each(|job| job.install(&came, counters));
        }
        if now - self.looked < self.each {
            return false;
        }
        self.looked = now;
        let newest = ((now - self.delay) / self.step).floor() as i64;
        self.findings.clear();
        for job in &mut self.jobs {
            if !job.fetch(newest, counters, stop) || stop.is_said() {
                continue;
            }
            let first = self.findings.len();
            self.findings.extend(job.judge(newest));
            let (candidates, most) = job.candidates();
            self.ranking.begin(job.name(), candidates, most);
            self.ranking.rank(&mut self.findings[first..], newest, stop);
            job.learn(newest, &mut self.learning);
        }
        true
    }

    /// What was found at the last look. Of a machine that is not among them nothing is known.
    pub(super) fn findings(&self) -> &[JobFinding] {
        &self.findings
    }
}
