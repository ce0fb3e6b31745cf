//! What all handles share: the database, its keyspaces, and the metrics in memory.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use fjall::{Database, Keyspace, KeyspaceCreateOptions};
use skywatch_algorithms::Series;

use super::days::{DayKeyspaces, day_of};
use super::metrics::KnownMetrics;
use super::recent::{EmbeddedCursor, Since};
use super::sync::Syncer;
use super::{EmbeddedOptions, Sample, StoreError, failure, key};
use crate::clock::unix_now;

/// Openings of any store by this process, so that a cursor of another store is recognised.
static OPENINGS: AtomicU32 = AtomicU32::new(0);
/// Where the next free number of a metric is kept among the names; no metric has this name.
const NEXT_ID: &[u8] = b"\0next";

/// What dropping old points took away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// DayKeyspaces of points.
    pub days: usize,
    /// Names of which no point was left.
    pub names: usize,
}

pub(super) struct Engine {
    place: String,
    /// Stopped and joined before anything below it is closed.
    syncer: Syncer,
    database: Database,
    days: DayKeyspaces,
    /// From name to number.
    names: Keyspace,
    /// The small values of `Keys`.
    pub(super) keys: Keyspace,
    /// Held while a small value is set or purged, so that none set at this moment is purged.
    pub(super) setting: Mutex<()>,
    metrics: RwLock<KnownMetrics>,
    /// Held while a name gets its number or loses it, which is written before it is used: what
    /// follows in the journal can rely on it.
    numbering: Mutex<u32>,
    /// The number of the next arrival. It begins with the clock, in nanoseconds, so that numbers go on growing when the
    /// store is opened again.
    arrival: AtomicU64,
    /// Set once the database refuses everything, as a write has failed.
    has_failed: AtomicBool,
}

impl Engine {
    pub(super) fn open(options: &EmbeddedOptions) -> Result<Self, StoreError> {
        let place = options.folder.display().to_string();
        let failed = |error| failure::of_engine(&place, error);
        let database = Database::builder(&options.folder)
            .cache_size(options.cache_bytes)
            .worker_threads(2)
            .open()
            .map_err(failed)?;
        let names = database
            .keyspace("names", KeyspaceCreateOptions::default)
            .map_err(failed)?;
        let keys = database
            .keyspace("keys", KeyspaceCreateOptions::default)
            .map_err(failed)?;
        let days = DayKeyspaces::open(database.clone()).map_err(failed)?;
        let (metrics, next) = read_names(&names).map_err(failed)?;
        let syncer = Syncer::start(database.clone(), options.sync_every)
            .map_err(|error| failed(fjall::Error::Io(error)))?;
        Ok(Self {
            place,
            syncer,
            database,
            days,
            names,
            keys,
            setting: Mutex::new(()),
            metrics: RwLock::new(metrics),
            numbering: Mutex::new(next),
            arrival: AtomicU64::new((unix_now() * 1e9) as u64),
            has_failed: AtomicBool::new(false),
        })
    }

    /// Whether it takes nothing any more and must be opened again.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Acquire)
    }

    pub(super) fn failed(&self, error: fjall::Error) -> StoreError {
        if matches!(error, fjall::Error::Poisoned) {
            self.has_failed.store(true, Ordering::Release);
        }
        failure::of_engine(&self.place, error)
    }

    /// Marks the journal for the next sync.
    pub(super) fn written(&self) {
        self.syncer.written();
    }

    /// Reads from the engine, and finds out whether it still takes writes.
    pub(super) fn healthy(&self) -> Result<(), StoreError> {
        let buffered = fjall::PersistMode::Buffer;
        self.database
            .persist(buffered)
            .map_err(|error| self.failed(error))
    }

    pub(super) fn append(&self, batch: &[Sample<'_>]) -> Result<(), StoreError> {
        let is_finite = |sample: &&Sample<'_>| sample.time.is_finite() && sample.value.is_finite();
        let mut samples: Vec<Sample<'_>> = batch.iter().filter(is_finite).copied().collect();
        let mut refused = Vec::new();
        // Again only for samples whose name was removed between getting its number and the commit.
        while !samples.is_empty() {
            samples = self.append_once(&samples, &mut refused)?;
        }
        if refused.is_empty() {
            return Ok(());
        }
        Err(StoreError::Refused {
            place: self.place.clone(),
            metrics: refused,
            reason: "their times would make too many days".to_owned(),
        })
    }

    /// Stores the samples and returns those that ended up under a number that no metric has any more.
    fn append_once<'a>(
        &self,
        samples: &[Sample<'a>],
        refused: &mut Vec<String>,
    ) -> Result<Vec<Sample<'a>>, StoreError> {
        self.add_names(samples.iter().map(|sample| sample.metric))?;
        let metrics = self.read_metrics();
        let ids: Vec<Option<u32>> = samples.iter().map(|sample| metrics.id(sample.metric)).collect();
        drop(metrics);
        let mut stored = Vec::with_capacity(samples.len());
        let mut lost = Vec::new();
        let mut writes = self.database.batch();
        let mut days: BTreeMap<i64, Option<Keyspace>> = BTreeMap::new();
        for (sample, id) in samples.iter().zip(&ids) {
            let day = day_of(sample.time);
            let keyspace = match days.entry(day) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    new.insert(self.days.get_or_make(day).map_err(|error| self.failed(error))?)
                }
            };
            match (keyspace, id) {
                (Some(keyspace), Some(id)) => {
                    let arrival = self.arrival.fetch_add(1, Ordering::Relaxed);
                    let key = key::point(*id, sample.time, sample.value);
                    writes.insert(keyspace, key, arrival.to_be_bytes());
                    stored.push((sample, *id));
                }
                (Some(_), None) => lost.push(*sample),
                (None, _) => refused.push(sample.metric.to_owned()),
            }
        }
        writes.commit().map_err(|error| self.failed(error))?;
        self.written();
        // After the commit: a reader in between finds these points twice, never not at all.
        let mut metrics = self.write_metrics();
        for (sample, id) in stored {
            if !metrics.arrived(sample.metric, id, sample.time, sample.value) {
                lost.push(*sample);
            }
        }
        Ok(lost)
    }

    /// Reads all points of a metric, sorted, those of one time as they arrived last, and the cursor behind them; `None`
    /// without that name.
    pub(super) fn read(&self, metric: &str, into: &mut Series) -> Result<Option<EmbeddedCursor>, StoreError> {
        // The cursor first: what arrives while reading comes again, rather than being missed.
        let Some(cursor) = self.read_metrics().cursor(metric) else {
            return Ok(None);
        };
        let mut of_one_time = OfOneTime::default();
        for day in self.days.all() {
            for entry in day.prefix(cursor.metric.to_be_bytes()) {
                let (key, arrival) = entry.into_inner().map_err(|error| self.failed(error))?;
                let Some((time, value)) = key::time_and_value(&key) else {
                    let reason = format!("a key of {} bytes among the points", key.len());
                    return Err(StoreError::Corrupt {
                        place: self.place.clone(),
                        reason,
                    });
                };
                of_one_time.put(time, value, &arrival, into);
            }
        }
        Ok(Some(cursor))
    }

    pub(super) fn recent(&self, metric: &str, cursor: &EmbeddedCursor, into: &mut Series) -> Since {
        self.read_metrics().since(metric, cursor, into)
    }

    pub(super) fn read_metrics(&self) -> RwLockReadGuard<'_, KnownMetrics> {
        self.metrics.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_metrics(&self) -> RwLockWriteGuard<'_, KnownMetrics> {
        self.metrics.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn number(&self) -> MutexGuard<'_, u32> {
        self.numbering.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a number to every name that has none.
    pub(super) fn add_names<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<(), StoreError> {
        let metrics = self.read_metrics();
        let unknown: Vec<&str> = names.filter(|name| metrics.id(name).is_none()).collect();
        drop(metrics);
        if unknown.is_empty() {
            return Ok(());
        }
        let mut next = self.number();
        let mut after = *next;
        let mut given: BTreeMap<&str, u32> = BTreeMap::new();
        let metrics = self.read_metrics();
        for name in unknown.into_iter().filter(|name| metrics.id(name).is_none()) {
            given.entry(name).or_insert_with(|| {
                after += 1;
                after - 1
            });
        }
        drop(metrics);
        let mut writes = self.database.batch();
        for (name, id) in &given {
            writes.insert(&self.names, name.as_bytes(), id.to_be_bytes());
        }
        writes.insert(&self.names, NEXT_ID, after.to_be_bytes());
        writes.commit().map_err(|error| self.failed(error))?;
        self.written();
        *next = after;
        let mut metrics = self.write_metrics();
        for (name, id) in given {
            metrics.insert(name, id);
        }
        Ok(())
    }

    /// The number that the next new name will get.
    pub(super) fn next_number(&self) -> u64 {
        u64::from(*self.number())
    }

    /// Forgets names. Their numbers are not given out again, so their points belong to no metric.
    pub(super) fn remove_names(&self, names: &[&str]) -> Result<(), StoreError> {
        self.remove_names_if(names, |_, _| true).map(|_| ())
    }

    /// Forgets those of the names that `condemned` still says so of, given their cursor, and says
    /// how many.
    fn remove_names_if(
        &self,
        names: &[&str],
        condemned: impl Fn(&str, EmbeddedCursor) -> bool,
    ) -> Result<usize, StoreError> {
        // From memory first: points under way to such a name find it gone and are stored again,
        // under a number they cannot get before the removal is in the journal.
        let _numbering = self.number();
        let mut removed = Vec::new();
        let mut metrics = self.write_metrics();
        for name in names {
            if metrics.cursor(name).is_some_and(|cursor| condemned(name, cursor)) {
                metrics.remove(name);
                removed.push(name);
            }
        }
        drop(metrics);
        let mut writes = self.database.batch();
        for name in &removed {
            writes.remove(&self.names, name.as_bytes());
        }
        writes.commit().map_err(|error| self.failed(error))?;
        self.written();
        Ok(removed.len())
    }

    pub(super) fn drop_before(&self, time: f64) -> Result<Dropped, StoreError> {
        self.purge_keys()?;
        let days = self.days.drop_before(time).map_err(|error| self.failed(error))?;
        if days == 0 {
            return Ok(Dropped::default());
        }
        let left = self.days.all();
        let mut empty: BTreeMap<&str, EmbeddedCursor> = BTreeMap::new();
        let names = self.read_metrics().names();
        for name in &names {
            let Some(cursor) = self.read_metrics().cursor(name) else {
                continue;
            };
            if left
                .iter()
                .all(|day| day.prefix(cursor.metric.to_be_bytes()).next().is_none())
            {
                empty.insert(name, cursor);
            }
        }
        let candidates: Vec<&str> = empty.keys().copied().collect();
        // Only if nothing has arrived since it was looked at.
        let names = self.remove_names_if(&candidates, |name, now| empty.get(name) == Some(&now))?;
        Ok(Dropped { days, names })
    }
}

/// Points of one time, which the keys have in the order of their values, put in the order of their arrival.
#[derive(Default)]
struct OfOneTime {
    /// Numbers of arrival of the last points, which have the same time.
    arrivals: Vec<u64>,
}

impl OfOneTime {
    /// Appends the next point of the keys. `arrival`: its number as stored; what an earlier version stored has none.
    fn put(&mut self, time: f64, value: f64, arrival: &[u8], into: &mut Series) {
        let arrival = <[u8; 8]>::try_from(arrival).map_or(0, u64::from_be_bytes);
        if into.times.last() != Some(&time) {
            self.arrivals.clear();
        }
        let later = self
            .arrivals
            .iter()
            .rev()
            .take_while(|&&other| other > arrival)
            .count();
        self.arrivals.insert(self.arrivals.len() - later, arrival);
        into.times.push(time);
        into.values.insert(into.values.len() - later, value);
    }
}

fn read_names(names: &Keyspace) -> fjall::Result<(KnownMetrics, u32)> {
    let mut metrics = KnownMetrics::new(OPENINGS.fetch_add(1, Ordering::Relaxed));
    let mut next = 0;
    for entry in names.iter() {
        let (name, id) = entry.into_inner()?;
        let Ok(id) = <[u8; 4]>::try_from(&*id).map(u32::from_be_bytes) else {
            continue;
        };
        if *name == *NEXT_ID {
            next = next.max(id);
        } else if let Ok(name) = str::from_utf8(&name) {
            metrics.insert(name, id);
            next = next.max(id + 1);
        }
    }
    Ok((metrics, next))
}
