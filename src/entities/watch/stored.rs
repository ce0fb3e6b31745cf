//! Series of the own store as metrics of entities: names are taken apart by patterns, tails are read.
//!
//! At each step stands the newest point before it that is no more than five minutes old, as a Prometheus has it: a series that
//! speaks each minute, or each five, has a value at every step between.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use regex::Regex;
use skywatch_algorithms::Series;
use skywatch_settings::Entities;

use super::rules::EntityRules;
use super::source::{EntitySource, FetchedPart, FetchedValues};
use crate::observer::{ObservedMetric, Observer};
use crate::sources::LeftOut;
use crate::stop::Stop;
use crate::store::{
    AnyConnect, AnyCursor, AnyStore, Connect as _, Fetched, Names as _, Points as _, StoreError, Tail,
};

/// Seconds for which a point stands for those that did not come.
const LOOKBACK: f64 = 300.0;
/// Seconds that are looked at once more, for points that were late.
const OVERLAP: f64 = 120.0;
/// Series read at one go, so that stop is heard between two.
const TOGETHER: usize = 2_000;

/// Entities whose series lie in the own store.
pub(super) struct StoredEntities {
    connect: AnyConnect,
    /// Empty before the first look and after a failure.
    store: Option<AnyStore>,
    patterns: Vec<Regex>,
    /// Number and additions of names when they were listed.
    listed: Option<(u64, u64)>,
    series: Vec<StoredSeries>,
    rules: EntityRules,
    observed: ObservedMetric,
}

/// One series that is a metric of an entity.
struct StoredSeries {
    name: String,
    entity: String,
    metric: Arc<str>,
    /// How far it was read; none before it was.
    cursor: Option<AnyCursor>,
    /// The newest points: sorted, one a time.
    points: Series,
    /// The last step that was handed out.
    answered: i64,
}

impl StoredEntities {
    /// Over these settings; connects to nothing. None if they name no series.
    pub(super) fn new(settings: &Entities, connect: &AnyConnect, observer: &Observer) -> Option<Self> {
        // Settings refuse an expression that is none.
        let patterns: Vec<Regex> = settings
            .series
            .iter()
            .filter_map(|text| Regex::new(text).ok())
            .collect();
        (!patterns.is_empty()).then(|| Self {
            observed: observer.metric(&connect.describe(), "entities"),
            connect: connect.clone(),
            store: None,
            patterns,
            listed: None,
            series: Vec::new(),
            rules: EntityRules::of(settings),
        })
    }

    /// Lists names anew where some have come or gone since.
    fn list(&mut self, store: &mut AnyStore) -> Result<(), StoreError> {
        let now = (store.count()?, store.additions()?);
        if self.listed == Some(now) {
            return Ok(());
        }
        let mut known: HashMap<String, StoredSeries> = self
            .series
            .drain(..)
            .map(|series| (series.name.clone(), series))
            .collect();
        let mut metrics: HashMap<String, Arc<str>> = HashMap::new();
        let (patterns, all) = (&self.patterns, &mut self.series);
        let mut seen = HashSet::new();
        store.list(&mut |name| {
            let Some(found) = patterns.iter().find_map(|pattern| pattern.captures(name)) else {
                return;
            };
            if !seen.insert(name.to_owned()) {
                return;
            }
            if let Some(series) = known.remove(name) {
                all.push(series);
                return;
            }
            let part = |group: &str| found.name(group).map_or("", |part| part.as_str());
            let (entity, metric) = (part("entity"), part("metric"));
            if entity.is_empty() || metric.is_empty() {
                return;
            }
            let metric = metrics.entry(metric.to_owned()).or_insert_with(|| metric.into());
            all.push(StoredSeries {
                name: name.to_owned(),
                entity: entity.to_owned(),
                metric: Arc::clone(metric),
                cursor: None,
                points: Series::default(),
                answered: i64::MIN,
            });
        })?;
        self.series.sort_by(|a, b| a.name.cmp(&b.name));
        self.listed = Some(now);
        Ok(())
    }

    fn try_fetch(&mut self, stop: &Stop) -> Result<(), StoreError> {
        let mut store = match self.store.take() {
            Some(store) => store,
            None => self.connect.connect()?,
        };
        self.list(&mut store)?;
        let kept = self.rules.time(self.rules.history) + LOOKBACK;
        for some in self.series.chunks_mut(TOGETHER) {
            if stop.is_said() {
                break;
            }
            read_tails(&mut store, some)?;
            read_whole(&mut store, some)?;
            for series in some {
                series.points.canonicalise(kept);
            }
        }
        self.store = Some(store);
        Ok(())
    }
}

/// What has come since series were read last.
fn read_tails(store: &mut AnyStore, all: &mut [StoredSeries]) -> Result<(), StoreError> {
    let places: Vec<usize> = (0..all.len())
        .filter(|place| all[*place].cursor.is_some())
        .collect();
    let mut tails = Vec::with_capacity(places.len());
    {
        let ask = |place: &usize| {
            all[*place]
                .cursor
                .as_ref()
                .map(|cursor| (all[*place].name.as_str(), cursor))
        };
        let asks: Vec<_> = places.iter().filter_map(ask).collect();
        let mut buffer = Series::default();
        store.fetch_tails(&asks, &mut buffer, &mut |index, series, tail| match tail {
            Tail::New { cursor, .. } => tails.push((index, Some(cursor), std::mem::take(series))),
            Tail::Unchanged => {}
            Tail::Lost | Tail::Missing | Tail::Unreadable(_) => tails.push((index, None, Series::default())),
        })?;
    }
    for (index, cursor, points) in tails {
        let series = &mut all[places[index]];
        series.cursor = cursor;
        for (time, value) in points.times.iter().zip(&points.values) {
            series.points.push(*time, *value);
        }
    }
    Ok(())
}

/// Series of which nothing is known yet, or no more.
fn read_whole(store: &mut AnyStore, all: &mut [StoredSeries]) -> Result<(), StoreError> {
    let places: Vec<usize> = (0..all.len())
        .filter(|place| all[*place].cursor.is_none())
        .collect();
    let mut found = Vec::with_capacity(places.len());
    {
        let names: Vec<&str> = places.iter().map(|place| all[*place].name.as_str()).collect();
        let mut buffer = Series::default();
        store.fetch(&names, &mut buffer, &mut |index, series, fetched| {
            if let Fetched::Found { cursor, .. } = fetched {
                found.push((index, cursor, std::mem::take(series)));
            }
        })?;
    }
    for (index, cursor, points) in found {
        let series = &mut all[places[index]];
        series.cursor = Some(cursor);
        series.points = points;
    }
    Ok(())
}

impl StoredSeries {
    /// Steps and values that are new at `newest`, with some of before.
    fn values(&mut self, newest: i64, rules: &EntityRules) -> Vec<(i64, f64)> {
        let overlap = (OVERLAP / rules.step).ceil() as i64;
        let oldest = newest - rules.history;
        let after = (self.answered.max(oldest) - overlap).max(oldest);
        self.answered = newest;
        let Series { times, values } = &self.points;
        let mut next = 0;
        let at_step = |step: i64| {
            let time = rules.time(step);
            while next < times.len() && times[next] <= time {
                next += 1;
            }
            let last = next.checked_sub(1)?;
            (time - times[last] < LOOKBACK).then(|| (step, values[last]))
        };
        let values = (after + 1..=newest).filter_map(at_step).collect();
        // What is asked for from now on needs no more.
        let needed = rules.time(newest) - OVERLAP - LOOKBACK;
        let old = self.points.times.partition_point(|time| *time < needed);
        self.points.times.drain(..old);
        self.points.values.drain(..old);
        values
    }
}

impl EntitySource for StoredEntities {
    fn describe(&self) -> String {
        self.connect.describe()
    }

    fn fetch(&mut self, newest: i64, each: &mut dyn FnMut(FetchedPart), stop: &Stop) {
        let observed = self.observed.clone();
        let place: Arc<str> = self.describe().into();
        if let Err(error) = observed.watch(|| self.try_fetch(stop)) {
            self.store = None;
            return each(FetchedPart::NoAnswer {
                metric: place,
                why: error.to_string(),
            });
        }
        let rules = self.rules;
        let mut answered = 0;
        for series in &mut self.series {
            let values = series.values(newest, &rules);
            if values.is_empty() {
                continue;
            }
            answered += 1;
            each(FetchedPart::Values(FetchedValues {
                metric: Arc::clone(&series.metric),
                entity: series.entity.clone(),
                labels: BTreeMap::new(),
                values,
            }));
        }
        each(FetchedPart::Answered {
            metric: place,
            series: answered,
            left_out: LeftOut::new(),
        });
    }
}
