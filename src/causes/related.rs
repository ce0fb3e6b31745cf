//! What moved with incidents about metrics: the tails of all metrics in the store beside theirs.
//!
//! All incidents of one step that open together are looked at in one reading, a metric at a time, so memory does not grow with the
//! number of metrics. Metrics whose last points do not reach back far enough, because they are finer than the incident's, are read whole.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use skywatch_alerters::Subject;
use skywatch_alerters::causes::{IncidentCauses, KEPT_RELATED, Nearness, RelatedMetric};
use skywatch_algorithms::Series;
use skywatch_algorithms::causes::{
    FoundRelation, LEAST_PRESENT, PreparedTail, RelatedSearch, RelatedTier, TAIL_POINTS, TailGrid,
};

use super::Suspects;
use super::suspects::{FoundSuspects, SuspectQuestion};
use crate::clock::unix_now;
use crate::store::{AnyConnect, AnyStore, Connect as _, Fetched, Names as _, Points as _, StoreError};

/// Points read of each metric: a tail, and some for points that came twice.
const POINTS: usize = TAIL_POINTS + 12;
/// Metrics asked for at a time.
const CHUNK: usize = 10_000;
/// Longest wait for one answer of the store.
const STORE_PATIENCE: Duration = Duration::from_secs(10);
/// Grids whose steps differ by less than this share are one: a metric's median step is 59.9 s or 60.1 s.
const SAME_STEP: f64 = 0.05;

/// A metric with an incident.
#[derive(Debug, Clone, Copy)]
pub struct IncidentMetric<'m> {
    /// What it is about.
    pub subject: &'m Subject,
    /// When it was first anomalous, Unix seconds.
    pub since: f64,
    /// When it was last anomalous, Unix seconds: what came later is left out.
    pub at: f64,
}

/// Looks for what moved with metrics, in one store.
pub struct RelatedMetrics {
    connect: AnyConnect,
    /// Kept between questions; empty before the first and after a failure.
    store: Mutex<Option<AnyStore>>,
    full_duration: f64,
    suspects: Suspects,
}

/// The search for one incident.
struct MetricSearch<'m> {
    metric: &'m str,
    namespace: &'m str,
    since: f64,
    grid: usize,
    search: RelatedSearch,
    left_out: u64,
}

/// How the search for one incident began.
enum Begun<'m> {
    Search(Box<MetricSearch<'m>>),
    /// It could not, and why.
    Refused(String),
}

impl RelatedMetrics {
    /// Over that store, whose windows are so long, seconds; nothing is connected yet.
    pub fn new(connect: &AnyConnect, full_duration: f64, suspects: Suspects) -> Self {
        Self {
            connect: connect.within(STORE_PATIENCE),
            store: Mutex::new(None),
            full_duration,
            suspects,
        }
    }

    /// What moved with each of these, in their order.
    pub fn find(&self, incidents: &[IncidentMetric<'_>], anomalous: &[String]) -> Vec<IncidentCauses> {
        match self.try_find(incidents, anomalous) {
            Ok(found) => found,
            Err(error) => {
                let nothing = IncidentCauses::skipped(unix_now(), format!("the store was not read: {error}"));
                vec![nothing; incidents.len()]
            }
        }
    }

    fn try_find(
        &self,
        incidents: &[IncidentMetric<'_>],
        anomalous: &[String],
    ) -> Result<Vec<IncidentCauses>, StoreError> {
        let mut guard = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let mut store = match guard.take() {
            Some(store) => store,
            None => self.connect.connect()?,
        };
        let mut grids = Vec::new();
        let mut begun = self.begin(&mut store, incidents, &mut grids)?;
        let mut searches: Vec<&mut MetricSearch<'_>> = begun
            .iter_mut()
            .filter_map(|begun| match begun {
                Begun::Search(search) => Some(&mut **search),
                Begun::Refused(_) => None,
            })
            .collect();
        let mut names = BTreeSet::new();
        if !searches.is_empty() {
            store.list(&mut |name| {
                names.insert(Box::<str>::from(name));
            })?;
        }
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        let anomalous: HashSet<&str> = anomalous.iter().map(String::as_str).collect();
        self.compare(&mut store, &names, &anomalous, &grids, &mut searches)?;
        let found = self.suspects(&mut store, &names, &grids, &searches)?;
        *guard = Some(store);
        drop(guard);
        let at = unix_now();
        let mut suspects = found.into_iter();
        Ok(begun
            .into_iter()
            .map(|begun| match begun {
                Begun::Search(search) => {
                    search.finish(&names, &grids, at, suspects.next().unwrap_or_default())
                }
                Begun::Refused(why) => IncidentCauses::nothing(at, why),
            })
            .collect())
    }

    /// Reads the windows of the incidents' own metrics and lays the grids.
    fn begin<'m>(
        &self,
        store: &mut AnyStore,
        incidents: &[IncidentMetric<'m>],
        grids: &mut Vec<TailGrid>,
    ) -> Result<Vec<Begun<'m>>, StoreError> {
        let mut own: Vec<Series> = Vec::new();
        own.resize_with(incidents.len(), Series::default);
        let names: Vec<&str> = incidents.iter().map(|incident| incident.subject.name()).collect();
        store.fetch(&names, &mut Series::default(), &mut |index, series, fetched| {
            if matches!(fetched, Fetched::Found { .. }) {
                series.canonicalise(self.full_duration);
                let is_later = |time: &f64| *time > incidents[index].at;
                let end = series.times.iter().position(is_later).unwrap_or(series.len());
                own[index].times.extend_from_slice(&series.times[..end]);
                own[index].values.extend_from_slice(&series.values[..end]);
            }
        })?;
        let begin = |(incident, series): (&IncidentMetric<'m>, &Series)| {
            let Subject::Metric(metric) = incident.subject else {
                return Begun::Refused("only metrics are compared with metrics".to_owned());
            };
            let Some(grid) = TailGrid::of(&series.times) else {
                return Begun::Refused(format!(
                    "it has fewer than {LEAST_PRESENT} points that are kept, too few to compare"
                ));
            };
            let place = lay(grids, grid);
            let values = grids[place].values(&series.times, &series.values);
            let Some(tail) = PreparedTail::new(&values) else {
                return Begun::Refused("it stood still in the time that is compared".to_owned());
            };
            Begun::Search(Box::new(MetricSearch {
                metric,
                namespace: namespace(metric),
                since: incident.since,
                grid: place,
                search: RelatedSearch::new(&tail),
                left_out: 0,
            }))
        };
        Ok(incidents.iter().zip(&own).map(begin).collect())
    }

    /// What of each broke first, by the topology; in the order of the searches.
    fn suspects(
        &self,
        store: &mut AnyStore,
        names: &[&str],
        grids: &[TailGrid],
        searches: &[&mut MetricSearch<'_>],
    ) -> Result<Vec<FoundSuspects>, StoreError> {
        if searches.is_empty() {
            return Ok(Vec::new());
        }
        let Some(topology) = self.suspects.topology(names) else {
            return Ok(Vec::new());
        };
        let mut read = |metrics: &[&str], each: &mut dyn FnMut(usize, &Series)| {
            store.fetch(metrics, &mut Series::default(), &mut |place, series, fetched| {
                if matches!(fetched, Fetched::Found { .. }) {
                    series.canonicalise(self.full_duration);
                    each(place, series);
                }
            })
        };
        let find = |search: &&mut MetricSearch<'_>| {
            let question = SuspectQuestion {
                metric: search.metric,
                since: search.since,
                grid: grids[search.grid],
                names,
            };
            self.suspects.find(&topology, &question, &mut read)
        };
        searches.iter().map(find).collect()
    }

    fn compare(
        &self,
        store: &mut AnyStore,
        names: &[&str],
        anomalous: &HashSet<&str>,
        grids: &[TailGrid],
        searches: &mut [&mut MetricSearch<'_>],
    ) -> Result<(), StoreError> {
        if searches.is_empty() {
            return Ok(());
        }
        let earliest = grids.iter().map(TailGrid::start).fold(f64::INFINITY, f64::min);
        let mut buffer = Series::default();
        for (chunk, of) in names.chunks(CHUNK).enumerate() {
            let index_of = |place: usize| chunk * CHUNK + place;
            let mut short = Vec::new();
            store.fetch_last(of, POINTS, &mut buffer, &mut |place, series, fetched| {
                if !matches!(fetched, Fetched::Found { .. }) {
                    return;
                }
                series.canonicalise(self.full_duration);
                let is_cut = series.len() >= TAIL_POINTS
                    && series.times.first().is_some_and(|first| *first > earliest);
                if is_cut {
                    return short.push(place);
                }
                offer(searches, grids, anomalous, index_of(place), of[place], series);
            })?;
            let again: Vec<&str> = short.iter().map(|place| of[*place]).collect();
            store.fetch(&again, &mut buffer, &mut |which, series, fetched| {
                if matches!(fetched, Fetched::Found { .. }) {
                    series.canonicalise(self.full_duration);
                    let place = short[which];
                    offer(searches, grids, anomalous, index_of(place), of[place], series);
                }
            })?;
        }
        Ok(())
    }
}

/// The place of a grid among those there are; one of nearly the same step is moved to the later end.
fn lay(grids: &mut Vec<TailGrid>, grid: TailGrid) -> usize {
    let is_same = |known: &TailGrid| {
        let near = (known.step - grid.step).abs() <= SAME_STEP * grid.step;
        near && (known.end - grid.end).abs() <= grid.step
    };
    grids.iter().position(is_same).unwrap_or_else(|| {
        grids.push(grid);
        grids.len() - 1
    })
}

/// Shows one metric to all searches.
fn offer(
    searches: &mut [&mut MetricSearch<'_>],
    grids: &[TailGrid],
    anomalous: &HashSet<&str>,
    index: usize,
    name: &str,
    series: &Series,
) {
    for (place, grid) in grids.iter().enumerate() {
        let tail = PreparedTail::new(&grid.values(&series.times, &series.values));
        for search in searches.iter_mut().filter(|search| search.grid == place) {
            if search.metric == name {
                continue;
            }
            let Some(tail) = &tail else {
                search.left_out += 1;
                continue;
            };
            let tier = if anomalous.contains(name) {
                RelatedTier::Anomalous
            } else if !search.namespace.is_empty() && name.starts_with(search.namespace) {
                RelatedTier::Namespace
            } else {
                RelatedTier::Other
            };
            search.search.offer(index, tail, tier);
        }
    }
}

/// What a metric's name begins with up to and with its first dot; empty without one.
fn namespace(metric: &str) -> &str {
    metric.find('.').map_or("", |dot| &metric[..=dot])
}

impl MetricSearch<'_> {
    fn finish(self, names: &[&str], grids: &[TailGrid], at: f64, suspects: FoundSuspects) -> IncidentCauses {
        let grid = grids[self.grid];
        let compared = self.search.tried() as u64;
        let found = self.search.finish();
        let related = |found: &FoundRelation| RelatedMetric {
            metric: names[found.index].to_owned(),
            nearness: match found.tier {
                RelatedTier::Anomalous => Nearness::Anomalous,
                RelatedTier::Namespace => Nearness::Namespace,
                RelatedTier::Other => Nearness::Other,
            },
            coefficient: found.movement.coefficient,
            lead: f64::from(found.movement.lead) * grid.step,
            by_chance: found.by_chance,
        };
        IncidentCauses {
            at,
            until: grid.end,
            length: grid.step * TAIL_POINTS as f64,
            compared,
            left_out: self.left_out,
            related: found.iter().take(KEPT_RELATED).map(related).collect(),
            more: found.len().saturating_sub(KEPT_RELATED) as u64,
            suspects: suspects.nodes,
            topology: suspects.topology,
            shared: None,
            note: String::new(),
            skipped: false,
        }
    }
}
