//! Entities of a Prometheus: one range query a metric, for all entities at once, some at the same time.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};
use skywatch_settings::Entities;

use super::query::{EntityQuery, MACHINE_ID, of_machines, queries};
use super::rules::EntityRules;
use super::source::{EntitySource, FetchedPart, FetchedValues};
use crate::backoff::Backoff;
use crate::observer::{ObservedMetric, Observer};
use crate::sources::{IamLogin, LeftOut, RangeQueries, RangeQueryOptions, SourceError, SourceLogin, Span};
use crate::stop::Stop;

/// Tries beyond the first of a question, and the pauses before them: a server that starts anew answers within seconds.
const RETRIES: usize = 2;
const PAUSES: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(2)];
/// Seconds that are asked for once more, for samples that were late: remote writers and slow scrapes are, by a minute or two.
const OVERLAP: f64 = 120.0;
/// Parts that wait to be taken, so that a slow reader slows the questions down.
const WAITING: usize = 256;

/// What a series is called as part of an entity.
pub(super) enum SeriesNaming {
    /// The values of these labels, with `/` between.
    Of(Vec<String>),
    /// All of its labels: each series is by itself.
    All,
}

impl SeriesNaming {
    /// Name and labels; none for a series without any of the labels.
    fn name(&self, labels: &[(&str, &str)]) -> Option<(String, BTreeMap<String, String>)> {
        let own = |(label, value): &(&str, &str)| ((*label).to_owned(), (*value).to_owned());
        match self {
            Self::Of(wanted) => {
                let value = |wanted: &String| {
                    let found = labels.iter().find(|(label, _)| label == wanted);
                    found.map_or("", |(_, value)| value).to_owned()
                };
                let values: Vec<String> = wanted.iter().map(value).collect();
                let is_named = values.iter().any(|value| !value.is_empty());
                is_named.then(|| (values.join("/"), wanted.iter().cloned().zip(values).collect()))
            }
            Self::All => {
                let all = labels.iter().filter(|(label, _)| *label != "__name__");
                let labels: BTreeMap<String, String> = all.map(own).collect();
                // Texts and texts: JSON has them.
                Some((serde_json::to_string(&labels).unwrap_or_default(), labels))
            }
        }
    }
}

/// A Prometheus with entities.
pub(super) struct PrometheusEntities {
    ranges: RangeQueries,
    queries: Vec<EntityQuery>,
    /// The last step for which each was answered; the smallest number before there is one.
    answered: Vec<AtomicI64>,
    /// Steps that are asked for at first, and once more for what was late.
    history: i64,
    overlap: i64,
    naming: SeriesNaming,
    concurrency: usize,
    step: f64,
    observed: ObservedMetric,
}

impl PrometheusEntities {
    /// The metrics that settings name; connects to nothing. None if they name no metric or no server.
    ///
    /// # Errors
    /// [`SourceError::Options`].
    pub(super) fn new(settings: &Entities, observer: &Observer) -> Result<Option<Self>, SourceError> {
        let rules = EntityRules::of(settings);
        let naming = SeriesNaming::Of(settings.labels.clone());
        Self::of(
            settings,
            queries(settings),
            naming,
            (rules.step, rules.history),
            observer,
        )
    }

    /// These metrics of all machines; as [`of`](Self::of) but for that.
    ///
    /// # Errors
    /// [`SourceError::Options`].
    pub(super) fn of_machines<'m>(
        settings: &Entities,
        metrics: impl Iterator<Item = &'m str>,
        span: (f64, i64),
        observer: &Observer,
    ) -> Result<Option<Self>, SourceError> {
        let queries = metrics.map(|metric| of_machines(settings, metric)).collect();
        let naming = SeriesNaming::Of(vec![MACHINE_ID.to_owned()]);
        Self::of(settings, queries, naming, span, observer)
    }

    /// These metrics of the server that settings name, so many seconds apart, and so many steps of each at first.
    ///
    /// # Errors
    /// [`SourceError::Options`].
    pub(super) fn of(
        settings: &Entities,
        queries: Vec<EntityQuery>,
        naming: SeriesNaming,
        (step, history): (f64, i64),
        observer: &Observer,
    ) -> Result<Option<Self>, SourceError> {
        let Some(server) = settings.prometheus.as_ref().filter(|_| !queries.is_empty()) else {
            return Ok(None);
        };
        let ranges = RangeQueries::new(RangeQueryOptions {
            url: server.as_str().to_owned(),
            login: login(settings),
            ca_file: settings.ca_file.clone(),
            timeout: settings.timeout,
            step,
        })?;
        let subject = format!("prometheus:{}", server.url().place());
        Ok(Some(Self {
            ranges,
            answered: queries.iter().map(|_| AtomicI64::new(i64::MIN)).collect(),
            queries,
            history,
            overlap: (OVERLAP / step).ceil() as i64,
            naming,
            concurrency: settings.concurrency,
            step,
            observed: observer.metric(&subject, "query_range"),
        }))
    }

    /// One metric, tried again where that may help. `down`: why the server does not answer, once somebody has found out.
    fn metric(
        &self,
        place: usize,
        newest: i64,
        parts: &Sender<FetchedPart>,
        down: &Mutex<Option<String>>,
        stop: &Stop,
    ) {
        let query = &self.queries[place];
        let span = self.span(place, newest);
        let known = || down.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut pauses = Backoff::new(PAUSES[0], PAUSES[1]);
        let mut tries = 0;
        let outcome = loop {
            if let Some(why) = known() {
                break Err(why);
            }
            let asked = self.observed.watch(|| self.ask(query, span, parts));
            match asked {
                Err(error) if error.is_retryable() && tries < RETRIES && !stop.sleep(pauses.pause()) => {
                    tries += 1
                }
                Err(error) => {
                    let why = error.to_string();
                    if !error.is_of_the_part() {
                        // The others need not find it out by waiting.
                        *down.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.clone());
                    }
                    break Err(why);
                }
                Ok(answer) => {
                    // Each place is one thread's at a time.
                    self.answered[place].store(newest, Ordering::Relaxed);
                    break Ok(answer);
                }
            }
        };
        let metric = query.metric.clone();
        // Whoever fetches takes parts until all have come.
        let _ = parts.send(match outcome {
            Ok((series, left_out)) => FetchedPart::Answered {
                metric,
                series,
                left_out,
            },
            Err(why) => FetchedPart::NoAnswer { metric, why },
        });
    }

    /// What is to be asked of a metric.
    fn span(&self, place: usize, newest: i64) -> Span {
        let oldest = newest - self.history;
        let answered = self.answered[place].load(Ordering::Relaxed).max(oldest);
        let after = (answered - self.overlap).max(oldest);
        Span {
            after: after as f64 * self.step,
            until: newest as f64 * self.step,
        }
    }

    fn ask(
        &self,
        query: &EntityQuery,
        span: Span,
        parts: &Sender<FetchedPart>,
    ) -> Result<(usize, LeftOut), SourceError> {
        let (mut series_seen, mut unlabelled) = (0, 0);
        let answer = self.ranges.ask(&query.promql, span, &mut |labels, series| {
            series_seen += 1;
            let Some((entity, labels)) = self.naming.name(labels) else {
                unlabelled += 1;
                return;
            };
            let points = series.times.iter().zip(&series.values);
            let at = |(time, value): (&f64, &f64)| ((time / self.step).round() as i64, *value);
            // As above.
            let _ = parts.send(FetchedPart::Values(FetchedValues {
                metric: query.metric.clone(),
                entity,
                labels,
                values: points.map(at).collect(),
            }));
        });
        let mut left_out = answer?;
        if unlabelled > 0 {
            left_out.insert("unlabelled_series", unlabelled);
        }
        Ok((series_seen, left_out))
    }
}

/// Who we are to the server, as settings say it.
fn login(settings: &Entities) -> Option<SourceLogin> {
    let user = settings.username.clone().zip(settings.password.clone());
    if let Some(code) = &settings.app_code {
        return Some(SourceLogin::AppCode(code.clone()));
    }
    if let Some(token) = &settings.token {
        return Some(SourceLogin::Bearer(token.clone()));
    }
    let (user, password) = user?;
    Some(match &settings.iam_url {
        None => SourceLogin::Basic { user, password },
        Some(url) => SourceLogin::Iam(IamLogin {
            url: url.as_str().to_owned(),
            domain: settings.iam_domain.clone().unwrap_or_default(),
            project: settings.iam_project.clone(),
            user,
            password,
        }),
    })
}

impl EntitySource for PrometheusEntities {
    fn describe(&self) -> String {
        self.ranges.place().to_owned()
    }

    fn fetch(&mut self, newest: i64, each: &mut dyn FnMut(FetchedPart), stop: &Stop) {
        let (send, parts) = bounded(WAITING);
        let (next, down, this) = (AtomicUsize::new(0), Mutex::new(None), &*self);
        std::thread::scope(|scope| {
            for _ in 0..self.concurrency.min(self.queries.len()) {
                let (send, next, down) = (send.clone(), &next, &down);
                scope.spawn(move || {
                    loop {
                        let place = next.fetch_add(1, Ordering::Relaxed);
                        if place >= this.queries.len() || stop.is_said() {
                            break;
                        }
                        this.metric(place, newest, &send, down, stop);
                    }
                });
            }
            drop(send);
            parts.into_iter().for_each(each);
        });
    }
}
