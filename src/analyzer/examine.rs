//! One metric looked at in full, for people who ask why.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use skywatch_alerters::{Anomaly, units};
use skywatch_algorithms::streaming::Adaptive;
use skywatch_algorithms::{Exception, Series, Verdict, Window};

use super::adaptive::{AdaptiveOptions, ModelSource};
use super::counter_class::CounterClass;
use super::evaluator::{Evaluator, MetricKnowledge};
use super::inquiry::Inquiries;
use super::options::{WorkerOptions, clock, same_time};
use super::rule::{AlarmRules, stale_after};
use crate::baseline::{Baseline, States};
use crate::status::Examination;
use crate::store::{Connect, Fetched, Keys as _, Points as _, StoreError};

/// Where the adaptive profile's knowledge lies on disk, and what it calls anomalous.
#[derive(Clone)]
pub struct SavedKnowledge {
    /// The folder of the long memory.
    pub memory: PathBuf,
    /// The folder of saved states.
    pub states: PathBuf,
    /// The rules, the last of which picks all metrics.
    pub rules: AlarmRules,
    /// Whose vote joins those of the detectors, if anybody's.
    pub learned: Option<ModelSource>,
}

impl SavedKnowledge {
    /// What a look at one metric judges by; nothing is written. Saved states are left out unless the look is to begin `with_states`; those
    /// that cannot be read are none.
    ///
    /// # Errors
    /// The hours cannot be read.
    fn open_for(&self, metric: &str, with_states: bool) -> Result<AdaptiveOptions, String> {
        let states = match with_states {
            true => States::open(&self.states).unwrap_or_else(|error| {
                tracing::warn!("`{}` not readable :: {error}", self.states.display());
                States::empty(&self.states)
            }),
            false => States::empty(&self.states),
        };
        Ok(AdaptiveOptions {
            rules: self.rules.clone(),
            memory: Baseline::open_for(&self.memory, metric).map_err(|error| error.to_string())?,
            states: Arc::new(states),
            learned: self.learned.clone(),
            saving: None,
            learning: Duration::MAX,
        })
    }
}

/// Reads and judges single metrics, as a pass would.
pub struct Examiner<K: Connect> {
    connect: K,
    /// Those of workers, but for the adaptive profile.
    options: WorkerOptions,
    /// In the adaptive profile.
    knowledge: Option<SavedKnowledge>,
}

/// What a look begins with.
#[derive(Default)]
struct Beginning {
    class: CounterClass,
    /// The state of the running analyzer; `None` for what was saved.
    learnt: Option<(Adaptive, Vec<u8>)>,
}

impl<K: Connect> Examiner<K> {
    /// An examiner that judges as workers with these options do; `knowledge` makes it one of the adaptive profile, as it
    /// was last saved.
    pub fn new(connect: K, options: WorkerOptions, knowledge: Option<SavedKnowledge>) -> Self {
        Self {
            connect,
            options,
            knowledge,
        }
    }

    /// What the running analyzer makes of one metric at `now`, Unix seconds: its own state, its own window, its own verdict.
    ///
    /// # Errors
    /// The analyzer does not answer, or a window that it does not keep cannot be read.
    pub fn ask(&self, inquiries: &Inquiries, metric: &str, now: f64) -> Result<Examination, String> {
        let Some(snapshot) = inquiries.ask(metric)? else {
            let mut found = self.examine(metric, now).map_err(|error| error.to_string())?;
            "the running analyzer, which does not watch it: its name is not among those in the store"
                .clone_into(&mut found.answered_by);
            return Ok(found);
        };
        let mut found = self.nothing_found(metric, now);
        found.answered_by = match snapshot.pass {
            0 => "the running analyzer, which has not looked at it yet".to_owned(),
            pass => format!("the running analyzer, as of its pass {pass}"),
        };
        let mut class = snapshot.class;
        let window = match snapshot.window {
            Some(window) => window,
            None => {
                let (window, stored) = self.read(metric, &mut found).map_err(|error| error.to_string())?;
                class = class.or(Some(stored));
                window
            }
        };
        let window = match snapshot.verdict {
            // What came since is for the next pass.
            Some((_, last)) => until(window, last),
            None => window,
        };
        let beginning = Beginning {
            class: class.unwrap_or_default(),
            learnt: snapshot.learnt,
        };
        self.look(beginning, &window, &mut found);
        if let Some((verdict, _)) = snapshot.verdict {
            let said = name_of(verdict);
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
        let beginning = Beginning { class, learnt: None };
        self.look(beginning, &window, &mut found);
        Ok(found)
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
        let mut store = self.connect.connect()?;
        let mut class = CounterClass::default();
        let is_adaptive = self.knowledge.is_some();
        let full_duration = self.options.full_duration;
        // The adaptive profile knows counters by itself.
        if self.options.counters_as_rates && !is_adaptive {
            let stored = store.get(&[&CounterClass::key(metric)])?.pop().flatten();
            class = CounterClass::read(stored.as_deref(), found.now, full_duration);
        }
        let (clock, same_time) = (clock(is_adaptive, found.now), same_time(is_adaptive));
        let mut window = Series::default();
        store.fetch(
            &[metric],
            &mut Series::default(),
            &mut |_, series, fetched| match fetched {
                Fetched::Found { report, .. } => {
                    found.unusable = report.skipped as u64 + u64::from(report.truncated_bytes > 0);
                    series.canonicalise_until(clock, full_duration, same_time);
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

    /// Judges the window as a pass would, and says what came of it.
    fn look(&self, beginning: Beginning, series: &Series, found: &mut Examination) {
        if let [first, .., last] = series.times.as_slice() {
            found.length = last - first;
        }
        found.points = series.times.len();
        found.age = series.times.last().map(|last| found.now - last);
        if !series.times.is_empty()
            && let Err(why) = self.judge(beginning, series.sorted_window(), found)
        {
            found.why = why;
        }
    }

    fn judge(&self, beginning: Beginning, window: Window<'_>, found: &mut Examination) -> Result<(), String> {
        let with_states = beginning.learnt.is_none();
        let knowledge = self.knowledge.as_ref();
        let adaptive = knowledge
            .map(|knowledge| knowledge.open_for(&found.metric, with_states))
            .transpose()?;
        let mut evaluator = Evaluator::new(&WorkerOptions {
            adaptive: adaptive.map(Arc::new),
            ..self.options.clone()
        });
        let (name, now): (Arc<str>, f64) = (Arc::from(found.metric.as_str()), found.now);
        let mut known = MetricKnowledge {
            class: Some(beginning.class),
            state: None,
        };
        // It has no metrics of a pass before.
        let _new_rules = evaluator.begin();
        if let Some(adaptive) = evaluator.adaptive() {
            let learnt = beginning.learnt;
            known.state = learnt.map(|learnt| Box::new(adaptive.read(&name, learnt)));
        }
        let evaluation = evaluator.evaluate(&name, &mut known, window, true, now)?;
        let state = known.state.as_ref().map(|state| state.adaptive());
        if let Some(state) = state {
            found.warmth = Some(state.warmth());
            found.ready_at = state.ready_at();
            found.known_since = state.since();
        }
        name_of(evaluation.verdict).clone_into(&mut found.verdict);
        found.why = match evaluation.verdict {
            Verdict::Excluded(exception) => self.why_excluded(exception, state, found),
            Verdict::Judged { .. } => String::new(),
        };
        let judged = match evaluator.describe_newest(&name, &known, window, &evaluation, now) {
            Ok(judged) => judged,
            Err(_) if !found.why.is_empty() => None,
            Err(panic) => return Err(panic),
        };
        if let Some(judged) = judged {
            found.rate = judged.window().rate;
            if found.why.is_empty() {
                found.why = why_judged(&judged);
            }
            found.judged = Some(judged.without_window());
        }
        Ok(())
    }

    fn why_excluded(&self, exception: Exception, state: Option<&Adaptive>, found: &Examination) -> String {
        let ensemble = self.options.ensemble.current();
        let rules = ensemble.rules();
        let stale_period = rules.stale_period;
        match (exception, state) {
            (Exception::TooShort, Some(_)) => format!(
                "{} points in its window, and too little is known to judge it",
                found.points
            ),
            (Exception::TooShort, None) => {
                format!("{} points, and {} are needed", found.points, rules.min_length)
            }
            (Exception::Stale, Some(state)) => why_stale(found, stale_after(state, stale_period)),
            (Exception::Stale, None) => why_stale(found, stale_period),
            (Exception::Boring, _) => format!("its last {} points hardly differ", rules.boredom_window),
            (Exception::DeletedByRoomba, _) => "the store has no points of it".to_owned(),
            (Exception::Other, _) => "it cannot be analyzed".to_owned(),
        }
    }
}

/// A verdict in one word: `normal`, `anomalous`, or the exception.
fn name_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Excluded(exception) => exception.name(),
        Verdict::Judged { anomalous: true, .. } => "anomalous",
        Verdict::Judged { .. } => "normal",
    }
}

/// Why a metric is called anomalous, or is not.
fn why_judged(judged: &Anomaly) -> String {
    match (judged.strength, judged.sentence.as_str()) {
        (None, _) => {
            let (voters, cast) = (judged.voters().count(), judged.cast());
            format!("{voters} of {cast} detectors call it anomalous")
        }
        (Some(strength), "") => format!("score {:.2}, and 1 is the limit", strength.score),
        (Some(strength), sentence) => format!("score {:.2}: {sentence}", strength.score),
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
