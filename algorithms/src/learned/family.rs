//! One small network for a family of like metrics: what should the newest value be?
//!
//! A metric is shown by 36 numbers of falling sharpness (its last 16 steps, 8 means of 4 steps, 8 of 32 steps, and 4
//! means of 2 steps from this time yesterday), taken from its own level and in its own unit, beside the time of day
//! and of the week. The newest value is hidden; the network gives back all the others and says it. Autoencoders that
//! see what they judge learn to copy it. Dense 48, 16, 48 with rectifiers: 2·6,700 operations an ask, and all asks of a
//! pass are three matrix products.
//!
//! The score is the error over the metric's own limit: tails differ between metrics of one family, so each has the
//! limit that [`Rule`] puts on its own errors, held up by the family's where these are few. Gaps: a step without a
//! point counts as its newer neighbour. Fewer than 32 steps back, no vote. Values that are not finite must have been
//! dropped before.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};

use super::adam::AdamW;
use super::calendar::{DAY, minute, weekday};
use super::families::typical_step;
use super::fit::{self, FitReport, Learner, Progress, Schedule};
use super::layers::{Start, Variables};
use super::threshold::quantile;
use super::{LearnedError, Rule, Weights};
use crate::random::Random;
use crate::window::Window;

/// Numbers that stand for the near past.
pub const STEPS: usize = 32;
/// Numbers that stand for the same time a day ago.
const YESTERDAY: usize = 4;
const SHOWN: usize = STEPS + YESTERDAY;
/// Beside what is shown: whether there was a yesterday, the level, two circles.
const INPUTS: usize = SHOWN + 6;
/// The hidden newest value, and all that is shown.
const OUTPUTS: usize = SHOWN + 1;
const WIDE: usize = 48;
const NARROW: usize = 16;
/// How far from its level a number is shown; beyond it is shown as this.
const FARTHEST: f32 = 8.0;
/// Steps back that there must be for a vote.
const FEWEST_STEPS: f64 = 32.0;
/// Steps that are looked back at most, yesterday apart.
const FARTHEST_STEP: usize = 304;
/// Lessons kept in memory over all metrics, about; and for one metric.
const ALL_LESSONS: usize = 400_000;
const METRIC_LESSONS: std::ops::RangeInclusive<usize> = 24..=512;
/// Weight of the hidden value in the loss, beside all that is shown.
const HIDDEN_WEIGHT: f64 = 2.0;

/// What is known of one metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricScale {
    /// Its long-run middle.
    pub centre: f64,
    /// Its own unit: how far values usually lie from the level they come from. Above 0.
    pub unit: f64,
    /// Seconds between its points.
    pub step: f64,
    /// The largest error, in units, that is no anomaly. Above 0.
    pub limit: f64,
}

/// One metric to be judged at its newest point.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// What the model knows of it.
    pub scale: MetricScale,
    /// Its canonical window.
    pub window: Window<'a>,
}

/// The answer to an [`Ask`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Said {
    /// 0 for nothing, 1 at the limit; finite.
    pub score: f32,
    /// What the newest value should have been, in the metric's own units.
    pub expected: f64,
}

/// One moment of one metric, as it is learnt from.
#[derive(Debug, Clone, PartialEq)]
pub struct Lesson {
    inputs: [f32; INPUTS],
    outputs: [f32; OUTPUTS],
}

/// How a family is fitted.
#[derive(Debug, Clone, PartialEq)]
pub struct FamilyOptions {
    /// Rounds over all lessons, at most.
    pub epochs: usize,
    /// Lessons a step.
    pub batch: usize,
    /// Step size of AdamW.
    pub rate: f64,
    /// Weight decay of AdamW.
    pub decay: f64,
    /// Share of each metric's last lessons that is held back for validation, 0 to 0.5.
    pub validation: f64,
    /// Epochs without a better validation loss before it stops.
    pub patience: usize,
    /// How limits follow from errors.
    pub rule: Rule,
    /// What all randomness follows from.
    pub seed: u64,
}

impl Default for FamilyOptions {
    fn default() -> Self {
        Self {
            epochs: 20,
            batch: 256,
            rate: 2e-3,
            decay: 1e-4,
            validation: 0.2,
            patience: 4,
            rule: Rule::PeaksOverThreshold {
                risk: 1e-6,
                level: 0.95,
            },
            seed: 42,
        }
    }
}

/// Where a family begins.
#[derive(Debug, Clone, Copy)]
pub struct FamilyAutoencoder;

/// A family that is shown its metrics and knows nothing yet.
#[derive(Debug)]
pub struct UnfittedFamily {
    options: FamilyOptions,
    lessons_a_metric: usize,
    metrics: Vec<Pupil>,
}

#[derive(Debug)]
struct Pupil {
    name: String,
    scale: MetricScale,
    lessons: Vec<Lesson>,
}

/// A family that can judge.
#[derive(Debug)]
pub struct FittedFamily {
    layers: Variables,
    metrics: BTreeMap<String, MetricScale>,
}

fn shapes() -> Vec<(String, Vec<usize>, Start)> {
    let layers = [
        ("wide", INPUTS, WIDE),
        ("narrow", WIDE, NARROW),
        ("open", NARROW, WIDE),
        ("out", WIDE, OUTPUTS),
    ];
    let pair = |(name, from, to): (&str, usize, usize)| {
        [
            (format!("{name}.weight"), vec![from, to], Start::Glorot),
            (format!("{name}.bias"), vec![to], Start::Zeros),
        ]
    };
    layers.into_iter().flat_map(pair).collect()
}

fn forward(layers: &Variables, x: &Tensor) -> candle_core::Result<Tensor> {
    let x = layers.dense("wide", x)?.relu()?;
    let x = layers.dense("narrow", &x)?.relu()?;
    let x = layers.dense("open", &x)?.relu()?;
    layers.dense("out", &x)
}

/// Which of the shown numbers a point belongs to that is so many whole steps old. One of no step is of the newest.
const SLOTS: [u8; FARTHEST_STEP + 1] = {
    let mut slots = [0; FARTHEST_STEP + 1];
    let mut age = 1;
    while age <= FARTHEST_STEP {
        slots[age] = match age {
            1..=16 => age - 1,
            17..=48 => 16 + (age - 17) / 4,
            _ => 24 + (age - 49) / 32,
        } as u8;
        age += 1;
    }
    slots
};

/// What is shown of a window, without its newest point: numbers into `inputs`, and the level they are taken from.
/// `None` if it does not reach far enough back.
fn show(window: Window<'_>, scale: &MetricScale, inputs: &mut [f32]) -> Option<f64> {
    let (times, values) = (window.times(), window.values());
    let (now, past) = (*times.last()?, times.len() - 1);
    if past == 0 || now - times[0] < FEWEST_STEPS * scale.step {
        return None;
    }
    let (mut sums, mut counts) = ([0.0f64; SHOWN], [0.0f64; SHOWN]);
    let steps_a_second = 1.0 / scale.step;
    for (time, value) in times[..past].iter().zip(&values[..past]).rev() {
        // A point that comes a little late is still of its step. Rounded by hand, as `round` is a call.
        let Some(&slot) = SLOTS.get(((now - time) * steps_a_second + 0.5) as u32 as usize) else {
            break;
        };
        sums[usize::from(slot)] += value;
        counts[usize::from(slot)] += 1.0;
    }
    let yesterday = now - DAY;
    let from = times.partition_point(|time| *time < yesterday - 0.5 * scale.step);
    for (time, value) in times[from..past].iter().zip(&values[from..past]) {
        let steps = ((time - yesterday) / scale.step).round().max(0.0) as usize;
        if steps >= 2 * YESTERDAY {
            break;
        }
        sums[STEPS + steps / 2] += value;
        counts[STEPS + steps / 2] += 1.0;
    }
    let near: f64 = counts[..STEPS].iter().filter(|count| **count > 0.0).count() as f64;
    if near < FEWEST_STEPS / 4.0 {
        return None;
    }
    let means = sums.iter().zip(counts).take(STEPS);
    let level = means
        .filter(|(_, count)| *count > 0.0)
        .map(|(sum, count)| sum / count);
    let level = level.sum::<f64>() / near;
    let shown = |value: f64| (((value - level) / scale.unit) as f32).clamp(-FARTHEST, FARTHEST);
    let mut newer = 0.0;
    for ((input, sum), count) in inputs.iter_mut().zip(sums).zip(counts).take(STEPS) {
        if count > 0.0 {
            newer = shown(sum / count);
        }
        *input = newer;
    }
    let had_yesterday = counts[STEPS..].iter().any(|count| *count > 0.0);
    for slot in STEPS..SHOWN {
        inputs[slot] = if counts[slot] > 0.0 {
            shown(sums[slot] / counts[slot])
        } else {
            0.0
        };
    }
    let day = std::f64::consts::TAU * minute(now) / 1440.0;
    let week = std::f64::consts::TAU * (weekday(now) as f64 + minute(now) / 1440.0) / 7.0;
    inputs[SHOWN] = f32::from(had_yesterday);
    inputs[SHOWN + 1] = (((level - scale.centre) / scale.unit) as f32).clamp(-FARTHEST, FARTHEST);
    for (input, circle) in inputs[SHOWN + 2..]
        .iter_mut()
        .zip([day.sin(), day.cos(), week.sin(), week.cos()])
    {
        *input = circle as f32;
    }
    Some(level)
}

impl FamilyAutoencoder {
    /// A family of about `metrics` metrics, which says how many lessons of each are kept.
    #[must_use]
    pub fn of(metrics: usize, options: FamilyOptions) -> UnfittedFamily {
        let each = ALL_LESSONS / metrics.max(1);
        UnfittedFamily {
            options,
            lessons_a_metric: each.clamp(*METRIC_LESSONS.start(), *METRIC_LESSONS.end()),
            metrics: Vec::new(),
        }
    }
}

impl UnfittedFamily {
    /// Shows a metric's history, canonical and as long as there is. False if it is too short to learn from.
    pub fn show(&mut self, name: &str, history: Window<'_>) -> bool {
        let (times, values) = (history.times(), history.values());
        let Some(mut scale) = scale(times, values) else {
            return false;
        };
        // The part of the history where there is enough before a point.
        let first = times.partition_point(|time| *time < times[0] + (FEWEST_STEPS + 1.0) * scale.step);
        let room = times.len() - first;
        let count = room.min(self.lessons_a_metric);
        if count < *METRIC_LESSONS.start() {
            return false;
        }
        let mut lessons = Vec::with_capacity(count);
        for number in 0..count {
            let newest = first + (number * room + room / 2) / count;
            let from = times.partition_point(|time| *time < times[newest] - DAY - scale.step);
            let window = Window::new(&times[from..=newest], &values[from..=newest]);
            let mut inputs = [0.0; INPUTS];
            let Some(level) = show(window, &scale, &mut inputs) else {
                continue;
            };
            let mut outputs = [0.0; OUTPUTS];
            outputs[0] = ((values[newest] - level) / scale.unit) as f32;
            outputs[1..].copy_from_slice(&inputs[..SHOWN]);
            lessons.push(Lesson { inputs, outputs });
        }
        scale.limit = 1.0;
        let name = name.to_owned();
        self.metrics.push(Pupil { name, scale, lessons });
        true
    }

    /// Learns; the same metrics in the same order and the same seed give the same weights to the bit.
    ///
    /// # Errors
    /// [`LearnedError::TooFew`] without a metric that could be shown; `progress` said stop; a loss that is no number.
    pub fn fit(self, progress: &mut Progress<'_>) -> Result<(FittedFamily, FitReport), LearnedError> {
        fit::alone(|| self.fit_alone(progress))
    }

    fn fit_alone(self, progress: &mut Progress<'_>) -> Result<(FittedFamily, FitReport), LearnedError> {
        let (mut learnt, mut held) = (Vec::new(), Vec::new());
        for pupil in &self.metrics {
            let share = self.options.validation.clamp(0.0, 0.5);
            let kept = pupil.lessons.len() - (pupil.lessons.len() as f64 * share) as usize;
            let (early, late) = pupil.lessons.split_at(kept);
            learnt.extend(early);
            held.extend(late);
        }
        if learnt.is_empty() {
            return Err(LearnedError::TooFew {
                what: "metrics with enough history",
                given: 0,
                needed: 1,
            });
        }
        let layers = Variables::start(&shapes(), self.options.seed)?;
        let mut learner = Learning {
            optimiser: AdamW::new(&layers.all(), self.options.rate, self.options.decay),
            layers,
            random: Random::new(self.options.seed ^ 0x5eed),
            learnt,
            held,
            batch: self.options.batch.max(1),
            remembered: Weights::default(),
        };
        let schedule = Schedule {
            epochs: self.options.epochs.max(1),
            patience: self.options.patience.max(1),
        };
        let report = fit::run(&mut learner, schedule, progress)?;
        let mut fitted = FittedFamily {
            layers: learner.layers,
            metrics: BTreeMap::new(),
        };
        fitted.set_limits(&self.metrics, self.options.rule)?;
        Ok((fitted, report))
    }
}

/// Middle, unit and step of a history; `None` if it is too short or stands still.
fn scale(times: &[f64], values: &[f64]) -> Option<MetricScale> {
    let step = typical_step(times)?;
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let centre = quantile(&sorted, 0.5);
    let (low, high) = (quantile(&sorted, 0.05), quantile(&sorted, 0.95));
    let mut moves: Vec<f64> = values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
    moves.sort_unstable_by(f64::total_cmp);
    // Between how far it moves in a step and how far it reaches in all; a metric that mostly stands still has the latter.
    let usual = quantile(&moves, 0.5).max(quantile(&moves, 0.9) / 4.0);
    let unit = usual
        .max((high - low) / 20.0)
        .max((sorted[sorted.len() - 1] - sorted[0]) / 1e3);
    let limit = 1.0;
    (unit > 0.0 && unit.is_finite()).then_some(MetricScale {
        centre,
        unit,
        step,
        limit,
    })
}

struct Learning<'l> {
    layers: Variables,
    optimiser: AdamW,
    random: Random,
    learnt: Vec<&'l Lesson>,
    held: Vec<&'l Lesson>,
    batch: usize,
    remembered: Weights,
}

/// Loss of some lessons: Huber's, so that what is wild in the data does not rule the fit.
fn loss(layers: &Variables, lessons: &[&Lesson]) -> candle_core::Result<Tensor> {
    let inputs: Vec<f32> = lessons.iter().flat_map(|lesson| lesson.inputs).collect();
    let outputs: Vec<f32> = lessons.iter().flat_map(|lesson| lesson.outputs).collect();
    let inputs = Tensor::from_vec(inputs, (lessons.len(), INPUTS), &Device::Cpu)?;
    let outputs = Tensor::from_vec(outputs, (lessons.len(), OUTPUTS), &Device::Cpu)?;
    let error = (forward(layers, &inputs)? - outputs)?.abs()?;
    let near = error.clamp(0f32, 1f32)?;
    // near² / 2 + (error − near)
    let huber = ((near.sqr()? * 0.5)? + (&error - &near)?)?;
    let hidden = huber.narrow(1, 0, 1)?.mean_all()?;
    huber.narrow(1, 1, SHOWN)?.mean_all()? + (hidden * HIDDEN_WEIGHT)?
}

impl Learner for Learning<'_> {
    fn epoch(&mut self) -> Result<f64, LearnedError> {
        let mut order = self.learnt.clone();
        self.random.shuffle(&mut order);
        let mut sum = 0.0;
        for lessons in order.chunks(self.batch) {
            let loss = loss(&self.layers, lessons)?;
            sum += f64::from(loss.to_scalar::<f32>()?) * lessons.len() as f64;
            let gradients = loss.backward()?;
            self.optimiser.step(&self.layers.all(), &gradients)?;
        }
        Ok(sum / order.len() as f64)
    }

    fn validate(&mut self) -> Result<Option<f64>, LearnedError> {
        if self.held.is_empty() {
            return Ok(None);
        }
        let mut sum = 0.0;
        for lessons in self.held.chunks(4096) {
            sum += f64::from(loss(&self.layers, lessons)?.to_scalar::<f32>()?) * lessons.len() as f64;
        }
        Ok(Some(sum / self.held.len() as f64))
    }

    fn remember(&mut self) -> Result<(), LearnedError> {
        self.remembered = Weights::default();
        self.layers.save(&mut self.remembered)
    }

    fn restore(&mut self) -> Result<(), LearnedError> {
        self.layers = Variables::load(&shapes(), &self.remembered)?;
        Ok(())
    }
}

/// Asks that go through the network together: enough for a good matrix product, little enough for the cache.
const TOGETHER: usize = 4096;

impl FittedFamily {
    fn set_limits(&mut self, pupils: &[Pupil], rule: Rule) -> Result<(), LearnedError> {
        let mut errors: Vec<Vec<f64>> = Vec::with_capacity(pupils.len());
        for pupil in pupils {
            let mut own = Vec::with_capacity(pupil.lessons.len());
            for lessons in pupil.lessons.chunks(TOGETHER) {
                let inputs = lessons.iter().flat_map(|lesson| lesson.inputs).collect();
                let said = self.hidden(inputs)?;
                let pairs = lessons.iter().zip(said);
                own.extend(pairs.map(|(lesson, said)| f64::from((lesson.outputs[0] - said).abs())));
            }
            errors.push(own);
        }
        let own: Vec<Option<f64>> = errors.iter_mut().map(|errors| rule.limit(errors).ok()).collect();
        let mut known: Vec<f64> = own.iter().flatten().copied().collect();
        known.sort_unstable_by(f64::total_cmp);
        if known.is_empty() {
            return Err(LearnedError::TooFew {
                what: "errors for a limit",
                given: 0,
                needed: 1,
            });
        }
        // Few errors may look tamer than they are; half the family's middle is the least a limit is believed to be.
        let middle = quantile(&known, 0.5);
        for (pupil, own) in pupils.iter().zip(own) {
            let limit = own.unwrap_or(middle).max(0.5 * middle).max(1e-3);
            self.metrics
                .insert(pupil.name.clone(), MetricScale { limit, ..pupil.scale });
        }
        Ok(())
    }

    /// The hidden value of each row of inputs.
    fn hidden(&self, inputs: Vec<f32>) -> Result<Vec<f32>, LearnedError> {
        let rows = inputs.len() / INPUTS;
        let x = Tensor::from_vec(inputs, (rows, INPUTS), &Device::Cpu)?;
        let said = forward(&self.layers, &x)?;
        Ok(said.narrow(1, 0, 1)?.flatten_all()?.to_vec1()?)
    }

    /// What is known of a metric; `None` if the family was not shown it, and then it is not to vote.
    #[must_use]
    pub fn scale(&self, metric: &str) -> Option<MetricScale> {
        self.metrics.get(metric).copied()
    }

    /// How many metrics it knows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.metrics.len()
    }

    /// Whether it knows no metric.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.metrics.is_empty()
    }

    /// Judges the newest point of each ask; `said` gets one answer an ask, in their order, `None` for a window that does
    /// not reach far enough back. Any number of asks; nothing is remembered between calls.
    ///
    /// # Errors
    /// [`LearnedError::Compute`]: a defect of ours.
    pub fn judge(&self, asks: &[Ask<'_>], said: &mut Vec<Option<Said>>) -> Result<(), LearnedError> {
        said.clear();
        said.reserve(asks.len());
        let mut levels = Vec::with_capacity(asks.len().min(TOGETHER));
        for asks in asks.chunks(TOGETHER) {
            levels.clear();
            let mut inputs = vec![0.0; asks.len() * INPUTS];
            for (ask, inputs) in asks.iter().zip(inputs.chunks_mut(INPUTS)) {
                levels.push(show(ask.window, &ask.scale, inputs));
            }
            let hidden = self.hidden(inputs)?;
            for ((ask, level), hidden) in asks.iter().zip(&levels).zip(hidden) {
                let answer = level.zip(ask.window.last()).map(|(level, (_, value))| {
                    let expected = level + f64::from(hidden) * ask.scale.unit;
                    let error = (value - expected).abs() / ask.scale.unit;
                    let score = (error / ask.scale.limit).min(f64::from(f32::MAX)) as f32;
                    Said { score, expected }
                });
                said.push(answer.filter(|said| said.score.is_finite()));
            }
        }
        Ok(())
    }

    /// Mean error of the hidden value in units, capped at 8, over windows of metrics it knows: what a new fit is held
    /// against. `None` if it knows none of them.
    ///
    /// # Errors
    /// As [`judge`](Self::judge).
    pub fn mean_error<'w>(
        &self,
        windows: impl Iterator<Item = (&'w str, Window<'w>)>,
    ) -> Result<Option<f64>, LearnedError> {
        let mut said = Vec::new();
        let (mut sum, mut count) = (0.0, 0.0);
        for (name, window) in windows {
            let Some(scale) = self.scale(name) else { continue };
            self.judge(&[Ask { scale, window }], &mut said)?;
            if let (Some(Some(said)), Some((_, value))) = (said.first(), window.last()) {
                sum += ((value - said.expected).abs() / scale.unit).min(f64::from(FARTHEST));
                count += 1.0;
            }
        }
        Ok((count > 0.0).then(|| sum / count))
    }

    /// All that must be kept: layers, and a row a metric under `metrics`, in the order of [`names`](Self::names).
    ///
    /// # Errors
    /// [`LearnedError::Compute`].
    pub fn weights(&self) -> Result<Weights, LearnedError> {
        let mut weights = Weights::default();
        self.layers.save(&mut weights)?;
        // Numbers of any size must come back as they were: an f64 is kept as the two halves of its bits.
        let numbers = self
            .metrics
            .values()
            .flat_map(|scale| [scale.centre, scale.unit, scale.step, scale.limit]);
        let halves = numbers.flat_map(|number| {
            let high = number as f32;
            [high, (number - f64::from(high)) as f32]
        });
        weights.put("metrics", &[self.metrics.len(), 8], halves.collect());
        Ok(weights)
    }

    /// The metrics it knows, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.metrics.keys().map(String::as_str)
    }

    /// A family out of what was kept of one.
    ///
    /// # Errors
    /// [`LearnedError::Weights`] for any that is missing, of another shape or not finite, or a metric without a unit.
    pub fn from_weights(names: &[String], weights: &Weights) -> Result<Self, LearnedError> {
        let layers = Variables::load(&shapes(), weights)?;
        let rows = weights.take("metrics", &[names.len(), 8])?;
        let mut metrics = BTreeMap::new();
        for (name, row) in names.iter().zip(rows.chunks(8)) {
            let number = |at: usize| f64::from(row[2 * at]) + f64::from(row[2 * at + 1]);
            let scale = MetricScale {
                centre: number(0),
                unit: number(1),
                step: number(2),
                limit: number(3),
            };
            if !(scale.unit > 0.0 && scale.step > 0.0 && scale.limit > 0.0) {
                return Err(LearnedError::Weights {
                    name: "metrics".to_owned(),
                    why: format!("say nothing of `{name}` that could be divided by"),
                });
            }
            metrics.insert(name.clone(), scale);
        }
        Ok(Self { layers, metrics })
    }
}

#[cfg(test)]
#[path = "family_tests.rs"]
mod tests;
