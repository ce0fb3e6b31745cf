//! Training itself: histories in, a published model out, or word why not.
//!
//! The newest part of each history is held back. What was fitted on the rest is held against what serves, on that part,
//! and takes its place only if it is no worse there. (What serves may have been held back differently; it has at least
//! not been fitted to points that came later.) Histories are read anew for each of the three looks, up to one moment fixed
//! at the start, so that memory holds lessons and not windows.

use std::ops::ControlFlow;

use skywatch_algorithms::learned::{
    Epoch, FamilyOptions, FitReport, FittedFamilies, LearnedError, Rule, STEPS, School, SequenceAutoencoder,
    SequenceOptions, Table, Traits, WINDOW,
};
use skywatch_algorithms::{Series, Window, counter};

use super::Task;
use super::trainer::Work;
use crate::clock::unix_now;
use crate::models::{Card, Holdout, Kind, Library, Model, ModelError, cpu_features};
use crate::store::{Connect, Fetched, Names as _, Points as _, StoreError};

/// The name of the model of all families.
pub(crate) const FAMILIES: &str = "families";
/// Moments of each metric's held-back part that a fit is judged by.
const MOMENTS: usize = 8;
/// Metrics that are asked for at once.
const TOGETHER: usize = 512;

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// Histories cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The network cannot be fitted.
    #[error(transparent)]
    Learned(#[from] LearnedError),
    /// The place of models cannot be read or written.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// There is nothing to learn from.
    #[error("{0}")]
    Nothing(String),
    /// The job is no longer ours, or stop was said.
    #[error("stopped before anything was published")]
    Stopped,
}

/// Where histories come from. Calls block on the store.
pub trait Histories: Sync {
    /// All metrics, in order.
    fn names(&self) -> Result<Vec<String>, TrainingError>;

    /// Calls `each` once for every metric whose history is found, with its place in `metrics` and its canonical window, a
    /// counter's as it is stored.
    fn read(&self, metrics: &[&str], each: &mut dyn FnMut(usize, Window<'_>)) -> Result<(), TrainingError>;
}

/// Histories as the store has them.
pub struct StoreHistories<K: Connect> {
    /// The way to the store.
    pub connect: K,
    /// Length of a window, seconds.
    pub full_duration: f64,
}

impl<K: Connect> Histories for StoreHistories<K> {
    fn names(&self) -> Result<Vec<String>, TrainingError> {
        let mut names = std::collections::BTreeSet::new();
        self.connect.connect()?.list(&mut |name| {
            names.insert(name.to_owned());
        })?;
        Ok(names.into_iter().collect())
    }

    fn read(&self, metrics: &[&str], each: &mut dyn FnMut(usize, Window<'_>)) -> Result<(), TrainingError> {
        let mut store = self.connect.connect()?;
        let mut series = Series::default();
        for (number, some) in metrics.chunks(TOGETHER).enumerate() {
            store.fetch(some, &mut series, &mut |index, series, fetched| {
                if matches!(fetched, Fetched::Found { .. }) {
                    series.canonicalise(self.full_duration);
                    each(number * TOGETHER + index, series.sorted_window());
                }
            })?;
        }
        Ok(())
    }
}

/// How networks are fitted.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingOptions {
    /// Metrics that are learnt from, at most.
    pub max_metrics: usize,
    /// Families, at most.
    pub max_families: usize,
    /// Rounds, at most.
    pub epochs: usize,
    /// Share of each history that is held back.
    pub holdout: f64,
    /// What all randomness follows from.
    pub seed: u64,
    /// For networks of several columns.
    pub column_rule: Rule,
    /// Whether networks of several columns are shown the growth of counters.
    pub counters_as_rates: bool,
}

/// What came of a training.
#[derive(Debug, Clone, PartialEq)]
pub enum Trained {
    /// A new version serves.
    Published {
        /// Its model and version.
        card: Box<Card>,
    },
    /// What served goes on, as it does better on what was held back.
    Kept {
        /// The new one's error.
        error: f64,
        /// What serves has this.
        serving: f64,
    },
}

/// Fits what a job asks for.
pub struct Training<'t> {
    /// What is learnt from.
    pub histories: &'t dyn Histories,
    /// Where models go.
    pub library: &'t Library,
    /// How.
    pub options: TrainingOptions,
}

impl Work for Training<'_> {
    fn run(&self, task: &Task, go_on: &(dyn Fn() -> bool + Sync)) -> Result<String, String> {
        let trained = match task {
            Task::Families => self.families(go_on),
            Task::Sequence { model, metrics } => self.sequence(model, metrics, go_on),
            Task::Wait { milliseconds } => {
                std::thread::sleep(std::time::Duration::from_millis(*milliseconds));
                return Ok("waited".to_owned());
            }
        };
        match trained {
            Ok(Trained::Published { card }) => Ok(format!(
                "version {} serves, error {:.4} on what was held back{}",
                card.version,
                card.holdout.error,
                card.holdout
                    .previous
                    .map_or_else(String::new, |previous| format!(", {previous:.4} before"))
            )),
            Ok(Trained::Kept { error, serving }) => Ok(format!(
                "not published: error {error:.4} on what was held back, {serving:.4} for what serves"
            )),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Where one history ends for learning, and where for judging.
#[derive(Clone, Copy)]
struct Cut {
    from: f64,
    until: f64,
}

/// The part of a window up to a moment.
fn up_to<'w>(window: Window<'w>, moment: f64) -> Window<'w> {
    let count = window.times().partition_point(|time| *time <= moment);
    Window::sorted(&window.times()[..count], &window.values()[..count])
}

impl Training<'_> {
    /// Fits all families of the metrics there are.
    ///
    /// # Errors
    /// [`TrainingError`]; nothing is published then.
    pub fn families(&self, go_on: &(dyn Fn() -> bool + Sync)) -> Result<Trained, TrainingError> {
        let all = self.histories.names()?;
        let names = thin(&all, self.options.max_metrics);
        let until = unix_now();
        // What each is like, and where its history is cut.
        let mut described: Vec<Option<(Traits, Cut)>> = vec![None; names.len()];
        let (mut first, mut last) = (f64::INFINITY, f64::NEG_INFINITY);
        self.histories.read(&names, &mut |index, window| {
            let window = up_to(window, until);
            let (Some(&from), Some(&to)) = (window.times().first(), window.times().last()) else {
                return;
            };
            let cut = Cut {
                from: to - self.options.holdout * (to - from),
                until: to,
            };
            described[index] = Traits::of(up_to(window, cut.from)).map(|traits| (traits, cut));
            (first, last) = (first.min(from), last.max(to));
        })?;
        let known = described.iter().flatten().count();
        if known == 0 {
            return Err(TrainingError::Nothing(format!(
                "none of {} metrics has enough history to learn from",
                all.len()
            )));
        }
        let traits: Vec<Option<Traits>> = described
            .iter()
            .map(|known| known.as_ref().map(|(traits, _)| *traits))
            .collect();
        let mut school = School::sort(&traits, self.options.max_families, &self.family_options());
        let count = school.families();
        tracing::info!("training :: {known} metrics in {count} families");
        self.histories.read(&names, &mut |index, window| {
            if let Some((_, cut)) = described[index] {
                school.show(index, names[index], up_to(window, cut.from));
            }
        })?;
        let fitted =
            school.fit(&mut |number, epoch| say(&format!("family {number} of {count}"), epoch, go_on));
        let (fitted, fits): (Vec<_>, Vec<_>) = match fitted {
            Err(LearnedError::Stopped { .. }) => return Err(TrainingError::Stopped),
            fitted => fitted?.into_iter().unzip(),
        };
        let serving = match self.serving(FAMILIES)? {
            Some(Model::Families(families)) => Some(families),
            _ => None,
        };
        let fitted = FittedFamilies::from(fitted);
        let judged = |families: &FittedFamilies, others: Option<&FittedFamilies>| {
            self.error_of(families, others, &names, &described)
        };
        // Both are held to the metrics that both know.
        let error = judged(&fitted, serving.as_ref())?;
        let previous = match &serving {
            Some(serving) => judged(serving, Some(&fitted))?,
            None => None,
        };
        let from = described
            .iter()
            .flatten()
            .map(|(_, cut)| cut.from)
            .fold(f64::INFINITY, f64::min);
        let kind = Kind::Families {
            metrics: fitted
                .families()
                .iter()
                .map(|family| family.names().map(str::to_owned).collect())
                .collect(),
            window: STEPS,
        };
        let holdout = Holdout {
            error: error.unwrap_or(0.0),
            previous,
            from,
        };
        self.publish(
            FAMILIES,
            kind,
            Model::Families(fitted),
            fits,
            holdout,
            (first, last),
            go_on,
        )
    }

    /// Mean error on the held-back parts of metrics that `families` know, and `others` too if given.
    fn error_of(
        &self,
        families: &FittedFamilies,
        others: Option<&FittedFamilies>,
        names: &[&str],
        described: &[Option<(Traits, Cut)>],
    ) -> Result<Option<f64>, TrainingError> {
        let (mut sum, mut count) = (0.0, 0.0);
        self.histories.read(names, &mut |index, window| {
            let (Some((_, cut)), name) = (described[index], names[index]) else {
                return;
            };
            if others.is_some_and(|others| !others.knows(name)) {
                return;
            }
            let first = window.times().partition_point(|time| *time <= cut.from);
            let end = window.times().partition_point(|time| *time <= cut.until);
            let room = end.saturating_sub(first);
            let moments = (0..room.min(MOMENTS)).map(|n| first + (n * room + room / 2) / room.min(MOMENTS));
            let windows = moments.map(|newest| up_to(window, window.times()[newest]));
            if let Some(error) = families.mean_error(name, windows) {
                sum += error;
                count += 1.0;
            }
        })?;
        Ok((count > 0.0).then(|| sum / count))
    }

    fn family_options(&self) -> FamilyOptions {
        FamilyOptions {
            epochs: self.options.epochs,
            seed: self.options.seed,
            ..FamilyOptions::default()
        }
    }

    /// Fits one network to metrics that belong together.
    ///
    /// # Errors
    /// [`TrainingError`]; nothing is published then.
    pub fn sequence(
        &self,
        model: &str,
        metrics: &[String],
        go_on: &(dyn Fn() -> bool + Sync),
    ) -> Result<Trained, TrainingError> {
        let table = self.table(metrics)?;
        let rows = table.times.len();
        let back = ((rows as f64 * self.options.holdout) as usize).max(WINDOW);
        if rows < back + WINDOW {
            return Err(TrainingError::Nothing(format!(
                "`{model}` has {rows} times at which all of its metrics have a point, at least {} are needed",
                2 * WINDOW
            )));
        }
        let width = table.columns.len();
        let part = |from: usize, to: usize| Table {
            columns: table.columns.clone(),
            times: table.times[from..to].to_vec(),
            values: table.values[from * width..to * width].to_vec(),
        };
        let (learnt, held) = (part(0, rows - back), part(rows - back, rows));
        let options = SequenceOptions {
            epochs: self.options.epochs,
            rule: self.options.column_rule,
            seed: self.options.seed,
            ..SequenceOptions::default()
        };
        let network = SequenceAutoencoder::new(table.columns.clone(), options);
        let fit = network.fit(&[learnt], &mut |epoch| say(model, epoch, go_on));
        let (network, fit) = match fit {
            Err(LearnedError::Stopped { .. }) => return Err(TrainingError::Stopped),
            fit => fit?,
        };
        let held = [held];
        let error = network.mean_error(&held)?;
        let previous = match self.serving(model)? {
            Some(Model::Sequence(serving)) if serving.columns() == network.columns() => {
                Some(serving.mean_error(&held)?)
            }
            _ => None,
        };
        let kind = Kind::Sequence {
            columns: table.columns.clone(),
            scaling: "tanh(ln(1 + x) / 32)".to_owned(),
            window: WINDOW,
            limits: network.limits().clone(),
        };
        let holdout = Holdout {
            error,
            previous,
            from: held[0].times[0],
        };
        let trained = (table.times[0], table.times[rows - back - 1]);
        self.publish(
            model,
            kind,
            Model::Sequence(network),
            vec![fit],
            holdout,
            trained,
            go_on,
        )
    }

    /// The times at which all metrics have a point, and these points.
    fn table(&self, metrics: &[String]) -> Result<Table, TrainingError> {
        let names: Vec<&str> = metrics.iter().map(String::as_str).collect();
        let mut found: Vec<Option<std::collections::BTreeMap<u64, f64>>> = vec![None; names.len()];
        let mut rates = Series::default();
        self.histories.read(&names, &mut |index, window| {
            let by_rate = self.options.counters_as_rates && counter::never_decreasing(window);
            let window = if by_rate {
                counter::rates(window, &mut rates);
                rates.window()
            } else {
                window
            };
            let points = window.times().iter().zip(window.values());
            let usable = points.filter(|(time, value)| **time >= 0.0 && value.is_finite());
            found[index] = Some(usable.map(|(time, value)| (time.to_bits(), *value)).collect());
        })?;
        let missing = |at: usize| TrainingError::Nothing(format!("there is no metric `{}`", names[at]));
        let columns = found.into_iter().enumerate();
        let columns = columns.map(|(at, column)| column.ok_or_else(|| missing(at)));
        let columns: Vec<_> = columns.collect::<Result<_, _>>()?;
        let mut table = Table {
            columns: metrics.to_vec(),
            ..Table::default()
        };
        // Bits of numbers that are not below zero are in the order of the numbers.
        for time in columns.first().into_iter().flat_map(|first| first.keys()) {
            let row: Option<Vec<f64>> = columns.iter().map(|column| column.get(time).copied()).collect();
            if let Some(row) = row {
                table.times.push(f64::from_bits(*time));
                table.values.extend(row);
            }
        }
        Ok(table)
    }

    /// What serves under a name; one that cannot be used is as good as none, as long as a new one can take its place.
    fn serving(&self, model: &str) -> Result<Option<Model>, TrainingError> {
        let Some(pointer) = self.library.pointer(model)? else {
            return Ok(None);
        };
        match self.library.load(model, &pointer) {
            Ok((_, serving)) => Ok(Some(serving)),
            Err(error @ ModelError::Place { .. }) => Err(error.into()),
            Err(error) => {
                tracing::warn!("training :: {error}");
                Ok(None)
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "all that a card says, once")]
    fn publish(
        &self,
        name: &str,
        kind: Kind,
        model: Model,
        fits: Vec<FitReport>,
        holdout: Holdout,
        trained: (f64, f64),
        go_on: &(dyn Fn() -> bool + Sync),
    ) -> Result<Trained, TrainingError> {
        if let Some(serving) = holdout.previous
            && holdout.error > serving
        {
            return Ok(Trained::Kept {
                error: holdout.error,
                serving,
            });
        }
        let made_at = unix_now();
        let mut card = Card {
            format: 0,
            model: name.to_owned(),
            version: version(made_at),
            kind,
            trained,
            made_at,
            fits,
            holdout,
            seed: self.options.seed,
            cpu: cpu_features(),
            made_by: concat!("skywatch ", env!("CARGO_PKG_VERSION")).to_owned(),
            bytes: 0,
            sha256: String::new(),
        };
        if !go_on() {
            return Err(TrainingError::Stopped);
        }
        self.library.publish(&mut card, &model)?;
        Ok(Trained::Published { card: Box::new(card) })
    }
}

/// A version that sorts by time and that no other process makes.
fn version(now: f64) -> String {
    let whole = jiff::Timestamp::from_second(now as i64).unwrap_or_default();
    let micros = (now.fract() * 1e6) as u32;
    format!(
        "{}-{micros:06}-{:x}",
        whole.strftime("%Y%m%dT%H%M%SZ"),
        std::process::id()
    )
}

/// At most `most` of the names, evenly out of their order.
fn thin(names: &[String], most: usize) -> Vec<&str> {
    if names.len() > most {
        tracing::warn!(
            "training :: {most} of {} metrics are learnt from :: `training.max_metrics`",
            names.len()
        );
    }
    let count = names.len().min(most);
    (0..count)
        .map(|n| names[n * names.len() / count].as_str())
        .collect()
}

/// An epoch in the log, which is on the terminal too where there is one.
fn say(what: &str, epoch: &Epoch, go_on: &(dyn Fn() -> bool + Sync)) -> ControlFlow<()> {
    let validation = epoch
        .validation
        .map_or_else(String::new, |loss| format!(", validation {loss:.5}"));
    tracing::info!(
        "training :: {what} :: epoch {} :: loss {:.5}{validation}",
        epoch.number,
        epoch.loss
    );
    if go_on() {
        ControlFlow::Continue(())
    } else {
        ControlFlow::Break(())
    }
}
