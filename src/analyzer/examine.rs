//! One metric looked at in full, for people who ask why.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use skywatch_alerters::{Anomaly, units};
use skywatch_algorithms::{Ballot, Exception, SameTime, Series, Verdict};

use super::adaptive::{self, Known, Learned, Moment};
use super::inquiry::Inquiries;
use super::judge::{CounterClass, Judge};
use super::rule::{Rule, stale_after};
use super::worker::{WorkerOptions, class_key};
use crate::baseline::{Baseline, States};
use crate::store::{Connect, Fetched, Keys as _, Points as _, StoreError};

/// What a look at one metric shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Examination {
    /// The metric.
    pub metric: String,
    /// The store it was read from.
    pub source: String,
    /// Whose answer it is, in a few words; empty when nobody runs and it was worked out from what was saved.
    #[serde(default)]
    pub answered_by: String,
    /// When it was looked at, Unix seconds.
    pub now: f64,
    /// Points in the window.
    pub points: usize,
    /// Stored points that no window can use.
    pub unusable: u64,
    /// Length of the window, seconds.
    pub length: f64,
    /// Age of its last point, seconds; `None` without one.
    pub age: Option<f64>,
    /// Whether the rate of a counter is judged.
    pub rate: bool,
    /// `normal`, `anomalous`, or why it is not analyzed: `TooShort`, `Stale`, `Boring`, `DeletedByRoomba`, `Other`.
    pub verdict: String,
    /// Why, in a sentence.
    pub why: String,
    /// How far the adaptive profile has learnt it, 0 to 1; `None` in the classic profile.
    #[serde(default)]
    pub warmth: Option<f64>,
    /// When it will have, Unix seconds, if that is known and lies ahead.
    #[serde(default)]
    pub ready_at: Option<f64>,
    /// Time of the first point the adaptive profile has learnt from, Unix seconds; `None` in the classic profile.
    #[serde(default)]
    pub known_since: Option<f64>,
    /// The judged point and every detector's answer, as an anomaly has them; without the window.
    pub judged: Option<Anomaly>,
}

/// Where the adaptive profile's knowledge lies on disk, and what it calls anomalous.
#[derive(Clone)]
pub struct Knowledge {
    /// The folder of the long memory.
    pub memory: PathBuf,
    /// The folder of saved states.
    pub states: PathBuf,
    /// The rules, the last of which picks all metrics.
    pub rules: Vec<Rule>,
    /// Whose vote joins those of the detectors, if anybody's.
    pub learned: Option<Learned>,
}

/// Reads and judges single metrics, as a pass would.
pub struct Examiner<K: Connect> {
    connect: K,
    options: WorkerOptions,
    /// The least number of points that are analyzed.
    min_length: usize,
    boredom_window: usize,
    /// In the adaptive profile.
    knowledge: Option<Knowledge>,
}

impl<K: Connect> Examiner<K> {
    /// An examiner that judges as workers with these options do.
    pub fn new(connect: K, options: WorkerOptions, min_length: usize, boredom_window: usize) -> Self {
        Self {
            connect,
            options,
            min_length,
            boredom_window,
            knowledge: None,
        }
    }

    /// The same in the adaptive profile, as it was last saved.
    #[must_use]
    pub fn with_knowledge(self, knowledge: Option<Knowledge>) -> Self {
        Self { knowledge, ..self }
    }

    /// What the running analyzer makes of one metric at `now`, Unix seconds: its own state, its own window, its own verdict.
    ///
    /// # Errors
    /// The analyzer does not answer, or a window that it does not keep cannot be read.
    pub fn ask(&self, inquiries: &Inquiries, metric: &str, now: f64) -> Result<Examination, String> {
        let Some(mut insight) = inquiries.ask(metric)? else {
            let mut found = self.examine(metric, now).map_err(|error| error.to_string())?;
            "the running analyzer, which does not watch it: its name is not among those in the store"
                .clone_into(&mut found.answered_by);
            return Ok(found);
        };
        let mut found = self.nothing_found(metric, now);
        found.answered_by = match insight.pass {
            0 => "the running analyzer, which has not looked at it yet".to_owned(),
            pass => format!("the running analyzer, as of its pass {pass}"),
        };
        let mut class = insight.class.unwrap_or_default();
        let window = match insight.window.take() {
            Some(window) => window,
            None => {
                let read = self.read(metric, &mut found).map_err(|error| error.to_string())?;
                if insight.class.is_none() {
                    class = read.1;
                }
                read.0
            }
        };
        let window = match insight.verdict {
            // What came since is for the next pass.
            Some((_, last)) => until(window, last),
            None => window,
        };
        let known = || match insight.learnt.take() {
            Some(learnt) => Known {
                saved: Some(learnt),
                taught: None,
            },
            // It has not been looked at; what was saved is what the look will begin with.
            None => self.saved(metric),
        };
        self.look(known, &window, class, &mut found);
        if let Some((verdict, _)) = insight.verdict {
            let said = match verdict {
                Verdict::Excluded(exception) => exception.name(),
                Verdict::Judged { anomalous: true, .. } => "anomalous",
                Verdict::Judged { .. } => "normal",
            };
            if found.verdict != said {
                found.why = format!(
                    "as it was judged then; now it would be {}: {}",
                    found.verdict, found.why
                );
                said.clone_into(&mut found.verdict);
            }
        }
        Ok(found)
    }

    /// Looks at one metric at `now`, Unix seconds, by what is stored and what was saved.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn examine(&self, metric: &str, now: f64) -> Result<Examination, StoreError> {
        let mut found = self.nothing_found(metric, now);
        let (window, class) = self.read(metric, &mut found)?;
        self.look(|| self.saved(metric), &window, class, &mut found);
        Ok(found)
    }

    /// What was saved of a metric.
    fn saved(&self, metric: &str) -> Known {
        let Some(knowledge) = &self.knowledge else {
            return Known::default();
        };
        let known = States::open(&knowledge.states).map(|states| Known {
            saved: states.take(metric),
            taught: states.taught(metric),
        });
        known.unwrap_or_else(|error| {
            tracing::warn!("`{}` not readable :: {error}", knowledge.states.display());
            Known::default()
        })
    }

    /// Judges the window, in the adaptive profile by what is `known` of the metric.
    fn look(
        &self,
        known: impl FnOnce() -> Known,
        window: &Series,
        class: CounterClass,
        found: &mut Examination,
    ) {
        if let [first, .., last] = window.times.as_slice() {
            found.length = last - first;
        }
        found.points = window.times.len();
        found.age = window.times.last().map(|last| found.now - last);
        match &self.knowledge {
            _ if window.times.is_empty() => {}
            Some(knowledge) => self.look_with(knowledge, known(), window, found),
            None => self.judge(window, class, found),
        }
    }

    fn nothing_found(&self, metric: &str, now: f64) -> Examination {
        Examination {
            metric: metric.to_owned(),
            source: self.connect.describe(),
            answered_by: String::new(),
            now,
            points: 0,
            unusable: 0,
            length: 0.0,
            age: None,
            rate: false,
            verdict: Exception::DeletedByRoomba.name().to_owned(),
            why: "the store has no points of it".to_owned(),
            warmth: None,
            ready_at: None,
            known_since: None,
            judged: None,
        }
    }

    /// The canonical window as it is stored, and the metric's class.
    fn read(&self, metric: &str, found: &mut Examination) -> Result<(Series, CounterClass), StoreError> {
        let now = found.now;
        let mut store = self.connect.connect()?;
        let mut class = CounterClass::default();
        // The adaptive profile knows counters by itself.
        if self.options.counters_as_rates && self.knowledge.is_none() {
            let key = class_key(metric);
            let stored = store.get(&[&key])?.pop().flatten();
            let seen = stored.and_then(|text| std::str::from_utf8(&text).ok()?.parse::<f64>().ok());
            if let Some(seen) = seen {
                class = CounterClass::stored(seen.min(now), self.options.full_duration);
            }
        }
        let (clock, same_time) = match self.knowledge {
            Some(_) => (now, SameTime::Last),
            None => (f64::INFINITY, SameTime::Smallest),
        };
        let mut window = Series::default();
        store.fetch(
            &[metric],
            &mut Series::default(),
            &mut |_, series, fetched| match fetched {
                Fetched::Found { report, .. } => {
                    found.unusable = report.skipped as u64 + u64::from(report.truncated_bytes > 0);
                    series.canonicalise_until(clock, self.options.full_duration, same_time);
                    window = std::mem::take(series);
                    Exception::Other.name().clone_into(&mut found.verdict);
                }
                Fetched::Missing => {}
                Fetched::Unreadable(why) => {
                    Exception::Other.name().clone_into(&mut found.verdict);
                    found.why = why.to_string();
                }
            },
        )?;
        Ok((window, class))
    }

    /// Looks with the adaptive profile.
    fn look_with(&self, knowledge: &Knowledge, known: Known, window: &Series, found: &mut Examination) {
        let moment = Moment {
            now: found.now,
            stale_period: self.options.stale_period,
        };
        let examined = Baseline::open_read_only(&knowledge.memory)
            .map_err(|error| error.to_string())
            .and_then(|memory| {
                let name = Arc::from(found.metric.as_str());
                let model = knowledge.learned.as_ref().and_then(|learned| learned());
                adaptive::examine(
                    &name,
                    &knowledge.rules,
                    known,
                    &memory,
                    model.as_deref(),
                    window.sorted_window(),
                    moment,
                )
            });
        let examined = match examined {
            Ok(examined) => examined,
            Err(why) => {
                found.why = why;
                return;
            }
        };
        found.warmth = Some(examined.adaptive.warmth());
        found.ready_at = examined.adaptive.ready_at();
        found.known_since = examined.adaptive.since();
        if let Some(exception) = examined.exception {
            exception.name().clone_into(&mut found.verdict);
            found.why = match exception {
                Exception::TooShort => format!(
                    "{} points in its window, and too little is known to judge it",
                    found.points
                ),
                Exception::Stale => why_stale(found, stale_after(&examined.adaptive, moment.stale_period)),
                _ => String::new(),
            };
            return;
        }
        found.verdict = if examined.is_anomalous {
            "anomalous"
        } else {
            "normal"
        }
        .to_owned();
        let score = examined.judged.strength.map_or(0.0, |strength| strength.score);
        found.why = match examined.judged.sentence.as_str() {
            "" => format!("score {score:.2}, and 1 is the limit"),
            sentence => format!("score {score:.2}: {sentence}"),
        };
        found.rate = examined.judged.window().rate;
        found.judged = Some(examined.judged);
    }

    fn judge(&self, window: &Series, mut class: CounterClass, found: &mut Examination) {
        let now = found.now;
        let mut judge = Judge::new(
            self.options.ensemble.clone(),
            self.options.full_duration,
            self.options.counters_as_rates,
        );
        let judgement = judge.judge(window.window(), &mut class, now);
        let ballot = match judgement.verdict {
            Err(panic) => {
                found.why = panic;
                return;
            }
            Ok(Verdict::Excluded(exception)) => {
                exception.name().clone_into(&mut found.verdict);
                found.why = self.why_excluded(exception, found);
                Ballot::default()
            }
            Ok(Verdict::Judged { anomalous, ballot }) => {
                found.verdict = if anomalous { "anomalous" } else { "normal" }.to_owned();
                found.why = String::new();
                ballot
            }
        };
        match judge.describe(&found.metric, window.window(), ballot, now, true) {
            Ok(anomaly) => {
                found.rate = anomaly.window().rate;
                if found.why.is_empty() {
                    let (voters, cast) = (anomaly.voters().count(), anomaly.cast());
                    found.why = format!("{voters} of {cast} detectors call it anomalous");
                }
                found.judged = Some(anomaly.without_window());
            }
            Err(panic) if found.why.is_empty() => found.why = panic,
            Err(_) => {}
        }
    }

    fn why_excluded(&self, exception: Exception, found: &Examination) -> String {
        match exception {
            Exception::TooShort => format!("{} points, and {} are needed", found.points, self.min_length),
            Exception::Stale => why_stale(found, self.options.stale_period),
            Exception::Boring => format!("its last {} points hardly differ", self.boredom_window),
            Exception::DeletedByRoomba => "the store has no points of it".to_owned(),
            Exception::Other => "it cannot be analyzed".to_owned(),
        }
    }
}

/// The part of a canonical window that ends with the point of that time.
fn until(mut window: Series, last: f64) -> Series {
    let points = window.times.partition_point(|&time| time <= last);
    window.times.truncate(points);
    window.values.truncate(points);
    window
}

fn why_stale(found: &Examination, stale_after: f64) -> String {
    format!(
        "its last point is {} old, more than {}",
        units::length(found.age.unwrap_or_default()),
        units::length(stale_after)
    )
}
