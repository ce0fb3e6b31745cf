//! The role at work: each step a look at all entities, and between looks what was learnt is taken into use.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{after, select};
use skywatch_alerters::units;
use skywatch_settings::Entities;

use super::counters::EntityCounters;
use super::detector_jobs::{JobFinding, RunningJobs};
use super::fitting::{DetectorStore, EntityFitter, FitDone};
#[cfg(feature = "learned")]
use super::networks::{NetworkJobs, NetworkPlace};
use super::population::EntityPopulation;
use super::publishing::{publish_entities, publish_findings};
use super::reporting::EntityReporter;
use super::root_causes::EntityRootCauses;
use super::rules::EntityRules;
use super::source::EntitySource;
use super::stored::StoredEntities;
use super::watched::{EntityState, WatchedEntity};
use super::work::{PrometheusWork, prometheus_work};
use crate::clock::unix_now;
use crate::entities::EntityWatchError;
use crate::entities::archive::{EntityArchive, EntityRecord, entities_path};
use crate::events::EventPublisher;
use crate::net::carbon_out::CarbonOut;
use crate::observer::Observer;
use crate::status::{EntitiesStatus, StatusFile};
use crate::stop::Stop;
use crate::store::AnyConnect;
use crate::topology::TopologyCache;

/// Scores that a detector from the model store hears: as many as it looks back upon for a level that has settled.
const RECALLED: usize = 2_880;

/// What entities are watched with.
pub struct EntityWatchOptions<'o> {
    /// As set.
    pub settings: &'o Entities,
    /// Where scores are kept.
    pub state_dir: &'o Path,
    /// The own store, whose series can be metrics of entities.
    pub store: &'o AnyConnect,
    /// Who is told how sources are.
    pub observer: &'o Observer,
    /// From which it is known who depends on whom; no causes are looked for without one.
    pub topology: Option<TopologyCache>,
    /// Where what is found goes for other programs.
    pub events: EventPublisher,
    /// Where detectors outlive the process.
    #[cfg(feature = "learned")]
    pub models: crate::models::ModelRegistry,
    /// Where networks of jobs are learnt; without it the ensemble judges in their stead.
    #[cfg(feature = "learned")]
    pub networks: Option<NetworkPlace>,
}

/// Watches entities of all sources.
pub struct EntityWatcher {
    sources: Vec<Box<dyn EntitySource>>,
    population: EntityPopulation,
    counters: EntityCounters,
    fitter: EntityFitter,
    reporter: EntityReporter,
    events: EventPublisher,
    causes: EntityRootCauses,
    rules: EntityRules,
    jobs: RunningJobs,
    /// Jobs whose detector is a network.
    #[cfg(feature = "learned")]
    networks: Option<NetworkJobs>,
    archive: EntityArchive,
    /// Whether the log says that the disk takes nothing.
    is_unwritten: bool,
    status: StatusFile,
    /// The newest step that was looked at.
    newest: i64,
    /// What has been learnt since that was last said: fits, rows and metrics of the largest, seconds.
    learnt: LearntSince,
    /// Whether the log says that a source is away.
    is_blind: bool,
}

/// Fits since they were last told.
#[derive(Debug, Default)]
struct LearntSince {
    fits: u64,
    restored: u64,
    rows: usize,
    metrics: usize,
    seconds: f64,
}

impl EntityWatcher {
    /// Over these options; connects to nothing.
    ///
    /// # Errors
    /// [`EntityWatchError`].
    pub fn new(options: EntityWatchOptions<'_>, reporter: EntityReporter) -> Result<Self, EntityWatchError> {
        let EntityWatchOptions {
            settings,
            state_dir,
            store,
            observer,
            ..
        } = options;
        let rules = EntityRules::of(settings);
        #[cfg(feature = "learned")]
        let kept: Option<Box<dyn DetectorStore>> = Some(Box::new(super::kept::KeptDetectors {
            registry: options.models,
            step: rules.step,
        }));
        #[cfg(not(feature = "learned"))]
        let kept: Option<Box<dyn DetectorStore>> = None;
        #[cfg(feature = "learned")]
        let place = options.networks;
        #[cfg(feature = "learned")]
        let has_trainer = place.is_some();
        #[cfg(not(feature = "learned"))]
        let has_trainer = false;
        let PrometheusWork {
            mut sources,
            jobs,
            network_jobs,
        } = prometheus_work(settings, observer, has_trainer)?;
        #[cfg(not(feature = "learned"))]
        drop(network_jobs);
        #[cfg(feature = "learned")]
        let networks = match place.filter(|_| !network_jobs.is_empty()) {
            Some(place) => Some(NetworkJobs::open(network_jobs, settings, observer, place)?),
            None => None,
        };
        if let Some(stored) = StoredEntities::new(settings, store, observer) {
            sources.push(Box::new(stored));
        }
        Ok(Self {
            sources,
            jobs,
            #[cfg(feature = "learned")]
            networks,
            population: EntityPopulation::new(settings),
            counters: EntityCounters::default(),
            fitter: EntityFitter::start(kept).map_err(EntityWatchError::Thread)?,
            reporter,
            events: options.events,
            causes: EntityRootCauses::new(options.topology),
            rules,
            archive: EntityArchive::open(&entities_path(state_dir), settings.keep.as_secs_f64())?,
            is_unwritten: false,
            status: StatusFile::entities(state_dir),
            newest: i64::MIN,
            learnt: LearntSince::default(),
            is_blind: false,
        })
    }

    /// Works until `stop` is said. What is counted goes to Graphite, too, under a prefix.
    pub fn run(mut self, graphite: Option<(&CarbonOut, &str)>, stop: &Stop) {
        for source in &self.sources {
            tracing::info!(
                "entities :: from {} each {}, learnt from {} and anew each {}",
                source.describe(),
                units::length(self.rules.step),
                units::length(self.rules.history as f64 * self.rules.step),
                units::length(self.rules.refit as f64 * self.rules.step),
            );
        }
        while !stop.is_said() {
            let newest = self.rules.step_at(unix_now() - self.rules.delay);
            if newest > self.newest {
                self.look(newest, stop);
                if let Some((graphite, prefix)) = graphite {
                    graphite.push_counts(prefix, &self.counters.snapshot());
                }
            }
            self.until_next(stop);
        }
        self.write_status();
    }

    /// Looks at all entities at one step.
    fn look(&mut self, newest: i64, stop: &Stop) {
        let is_first = self.newest == i64::MIN;
        self.newest = newest;
        self.counters.looks += 1;
        self.counters.begin_fetch();
        let (population, counters) = (&mut self.population, &mut self.counters);
        for source in &mut self.sources {
            source.fetch(newest, &mut |part| population.take(part, counters), stop);
        }
        let jobs_looked = self.jobs.look(unix_now(), &mut self.counters, stop);
        #[cfg(feature = "learned")]
        let networks_looked = (self.networks.as_mut())
            .is_some_and(|networks| networks.look(unix_now(), &mut self.counters, stop));
        if stop.is_said() {
            // What was left out because of that says nothing.
            return;
        }
        if let Some(why) = self.counters.blind() {
            let why = why.to_owned();
            self.counters.blind_looks += 1;
            if !std::mem::replace(&mut self.is_blind, true) {
                tracing::warn!("entities :: nothing is known of them :: {why}");
            }
            self.reporter.report_blind();
        } else {
            if std::mem::take(&mut self.is_blind) {
                tracing::info!("entities :: values come again");
            }
            let gone = self.population.forget(newest);
            self.population.judge(newest, &mut self.counters);
            let explained = self.causes.look(&self.population);
            let findings = self.findings();
            self.reporter
                .report(&mut self.population, &findings, &gone, &self.causes, &self.rules);
            publish_entities(
                &self.events,
                &self.population,
                self.rules.time(newest),
                &self.rules,
            );
            for entity in explained.iter().filter(|_| self.events.is_on()) {
                let at = self.rules.time(newest);
                if let Some(event) = self.causes.event(&self.population, entity, at, &self.rules) {
                    self.events.publish(event);
                }
            }
            if jobs_looked {
                publish_findings(&self.events, self.jobs.findings());
            }
            #[cfg(feature = "learned")]
            if let Some(networks) = self.networks.as_ref().filter(|_| networks_looked) {
                publish_findings(&self.events, networks.findings());
            }
            self.write_down(&gone);
            if is_first {
                self.tell_first();
            }
        }
        self.order_fits();
        self.write_status();
    }

    /// What all jobs have found.
    fn findings(&self) -> Vec<JobFinding> {
        let found = self.jobs.findings().to_vec();
        #[cfg(feature = "learned")]
        if let Some(networks) = &self.networks {
            return [found, networks.findings().to_vec()].concat();
        }
        found
    }

    /// Writes down how entities are.
    fn write_down(&mut self, gone: &[Arc<str>]) {
        let now = unix_now();
        let entities = self.population.entities.values_mut();
        let mut records: Vec<EntityRecord> = entities.map(|entity| entity.record(now, &self.rules)).collect();
        records.extend(self.findings().iter().map(|finding| finding.record(now)));
        match self.archive.write(&records, gone, now) {
            Err(error) if !std::mem::replace(&mut self.is_unwritten, true) => {
                tracing::error!("entities :: scores are not written down :: {error}");
            }
            Ok(()) if std::mem::take(&mut self.is_unwritten) => {
                tracing::info!("entities :: scores are written down again");
            }
            _ => {}
        }
    }

    /// What the first fetch has brought.
    fn tell_first(&self) {
        let spans = self
            .population
            .entities
            .values()
            .filter_map(|entity| entity.ring.span());
        let rows = spans.map(|(first, last)| last - first + 1).max().unwrap_or(0);
        let metrics = self
            .population
            .entities
            .values()
            .map(|entity| entity.ring.len())
            .max();
        tracing::info!(
            "entities :: {} of up to {} metrics, {rows} rows of each at most",
            self.population.entities.len(),
            metrics.unwrap_or(0),
        );
        let lost = self
            .counters
            .unanswered_now
            .iter()
            .map(|(metric, why)| format!("`{metric}`: {why}"));
        lost.for_each(|lost| tracing::warn!("entities :: no answer for {lost}"));
        for metric in &self.counters.without_data_now {
            tracing::warn!("entities :: there is no data of `{metric}`");
        }
    }

    /// Orders fits of those that are due, as many as there are places.
    fn order_fits(&mut self) {
        let rules = &self.rules;
        for entity in self.population.entities.values_mut() {
            if !self.fitter.has_place() {
                break;
            }
            if !entity.is_fit_due(self.newest, rules) {
                continue;
            }
            let training = entity.training(self.newest, rules);
            if training.is_none() && !entity.asks_store() {
                entity.fit_failed(self.newest);
                continue;
            }
            entity.begin_fit();
            let is_first = entity.fitted_on().is_none();
            self.fitter.order(Arc::clone(&entity.name), training, is_first);
        }
    }

    /// Takes into use what was learnt, until the next look is due or stop is said.
    fn until_next(&mut self, stop: &Stop) {
        let left = self.rules.time(self.newest + 1) + self.rules.delay - unix_now();
        let wait = after(Duration::from_secs_f64(left.clamp(0.0, self.rules.step)));
        let done = self.fitter.done();
        loop {
            select! {
                recv(done) -> fit => match fit {
                    Ok(fit) => self.install(fit),
                    // The thread has ended, which only a panic does; the panic hook has logged it.
                    Err(_) => {
                        stop.sleep(Duration::from_secs_f64(self.rules.step));
                        return;
                    }
                },
                recv(wait) -> _ => return,
                recv(stop.channel()) -> _ => return,
            }
        }
    }

    /// Takes one fit into use, and orders the next.
    fn install(&mut self, done: FitDone) {
        self.fitter.took();
        let room = done.outcome.as_ref().map_or(0, |fitted| fitted.detector.bytes());
        let has_room = self.population.has_room(room);
        let Some(entity) = self.population.entities.get_mut(&done.entity) else {
            return self.order_fits();
        };
        match done.outcome {
            Ok(_) if !has_room => {
                self.counters.without_room += 1;
                entity.fit_failed(self.newest);
            }
            Ok(mut fitted) => {
                if fitted.is_restored {
                    // Without them a level that was accepted is one that has just begun.
                    let scores = self
                        .archive
                        .newest_scores(&done.entity, RECALLED)
                        .unwrap_or_default();
                    WatchedEntity::recall(&mut fitted, scores);
                    self.counters.restored += 1;
                    self.learnt.restored += 1;
                } else {
                    self.counters.fits += 1;
                    self.learnt.fits += 1;
                }
                self.learnt.rows = self.learnt.rows.max(fitted.on.rows);
                self.learnt.metrics = self.learnt.metrics.max(fitted.on.metrics.len());
                self.learnt.seconds += done.seconds;
                entity.install(fitted, self.newest, &self.rules);
                let (judged, unjudged) = entity.judge(self.newest, &self.rules);
                self.counters.rows_judged += judged;
                self.counters.rows_unjudged += unjudged;
            }
            Err(why) => {
                self.counters.failed_fits += 1;
                tracing::debug!("entity `{}` is not learnt :: {why}", done.entity);
                entity.fit_failed(self.newest);
            }
        }
        self.order_fits();
        if self.fitter.is_idle() {
            self.tell_learnt();
            self.write_down(&[]);
            self.write_status();
        }
    }

    fn tell_learnt(&mut self) {
        let LearntSince {
            fits,
            restored,
            rows,
            metrics,
            seconds,
        } = std::mem::take(&mut self.learnt);
        if fits + restored > 0 {
            tracing::info!(
                "entities :: {fits} learnt from up to {rows} rows of {metrics} metrics, {restored} found in the model store, in \
                 {seconds:.1} s"
            );
        }
    }

    fn write_status(&self) {
        let count = |wanted: &str| {
            let states = self.population.entities.values().map(|entity| &entity.state);
            states
                .filter(|state: &&EntityState| state.word() == wanted)
                .count() as u64
        };
        let mut counters = self.counters.snapshot();
        counters.extend(STATES.map(|state| (format!("states.{state}"), count(state))));
        let unanswered = self.counters.unanswered_now.iter();
        self.status.write(&EntitiesStatus {
            at: unix_now(),
            counters,
            sources: self.sources.iter().map(|source| source.describe()).collect(),
            blind: self.counters.blind().map(str::to_owned),
            unanswered: unanswered
                .map(|(metric, why)| (metric.to_string(), why.clone()))
                .collect(),
            without_data: self
                .counters
                .without_data_now
                .iter()
                .map(ToString::to_string)
                .collect(),
        });
    }
}

/// All states, in words.
const STATES: [&str; 4] = ["learning", "normal", "anomalous", "unknown"];

#[cfg(test)]
pub(super) fn every_counter() -> Vec<String> {
    let counters = EntityCounters::default()
        .snapshot()
        .into_iter()
        .map(|(name, _)| name);
    counters
        .chain(STATES.map(|state| format!("states.{state}")))
        .collect()
}
