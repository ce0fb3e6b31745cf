//! One small network for a family of like metrics: what should the next value be?
//!
//! It is shown what [`features`](super::features) says of a metric at a moment. The value of that moment is hidden; the
//! network gives back all the others and says it. Autoencoders that see what they judge learn to copy it. Dense 48, 16, 48
//! with rectifiers. What it says is a forecast; how wrong it usually is about a metric, and so from where on its error is
//! an anomaly, is for the detector to learn that hears it.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};

use super::adam::AdamW;
use super::calendar::DAY;
use super::dense::{DenseInference, NARROW, WIDE};
use super::features::{FARTHEST, FEWEST_STEPS, INPUTS, MetricScale, PAST, as_judged, halves};
use super::fit::{self, FitReport, Learner, Progress, Schedule};
use super::layers::{Start, Variables};
use super::{LearnedError, Weights, features};
use crate::random::Random;
use crate::window::Window;

/// The hidden newest value, and all that is shown.
const OUTPUTS: usize = PAST + 1;
/// Samples kept in memory over all metrics, about (126 MB), and for one metric: of fewer the part held back says nothing, and
/// more moments of one metric are much alike.
const ALL_SAMPLES: usize = 400_000;
const METRIC_SAMPLES: std::ops::RangeInclusive<usize> = 24..=512;
/// Numbers kept of a metric: three in two halves, and whether it is a rate.
const ROW: usize = 7;
/// Weight of the hidden value in the loss, beside the mean of all that is given back: it alone is asked for later.
const HIDDEN_WEIGHT: f64 = 2.0;

/// One moment of one metric, as it is learnt from.
#[derive(Debug, Clone, PartialEq)]
struct TrainingSample {
    inputs: [f32; INPUTS],
    outputs: [f32; OUTPUTS],
}

/// How a family is fitted.
#[derive(Debug, Clone, PartialEq)]
pub struct FamilyOptions {
    /// Rounds over all samples, at most.
    pub epochs: usize,
    /// Samples a step.
    pub batch: usize,
    /// Step size of AdamW.
    pub rate: f64,
    /// Weight decay of AdamW.
    pub decay: f64,
    /// Share of each metric's last samples that is held back for validation, 0 to 0.5.
    pub validation: f64,
    /// Epochs without a better validation loss before it stops.
    pub patience: usize,
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
    samples_a_metric: usize,
    metrics: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    name: String,
    scale: MetricScale,
    samples: Vec<TrainingSample>,
}

/// A family that can forecast.
#[derive(Debug)]
pub struct FittedFamily {
    layers: Variables,
    dense: DenseInference,
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

impl FamilyAutoencoder {
    /// A family of about `metrics` metrics, which says how many samples of each are kept.
    #[must_use]
    pub fn of(metrics: usize, options: FamilyOptions) -> UnfittedFamily {
        let each = ALL_SAMPLES / metrics.max(1);
        UnfittedFamily {
            options,
            samples_a_metric: each.clamp(*METRIC_SAMPLES.start(), *METRIC_SAMPLES.end()),
            metrics: Vec::new(),
        }
    }
}

impl UnfittedFamily {
    /// Shows a metric's history, canonical and as long as there is; a counter's as it is stored. False if it is too short
    /// to learn from.
    pub fn add(&mut self, name: &str, history: Window<'_>) -> bool {
        as_judged(history, |history, is_rate| {
            self.add_judged(name, history, is_rate)
        })
    }

    fn add_judged(&mut self, name: &str, history: Window<'_>, is_rate: bool) -> bool {
        let (times, values) = (history.times(), history.values());
        let Some(scale) = MetricScale::of(history, is_rate) else {
            return false;
        };
        // The part of the history where there is enough before a point.
        let first = times.partition_point(|time| *time < times[0] + (FEWEST_STEPS + 1.0) * scale.step);
        let room = times.len() - first;
        let count = room.min(self.samples_a_metric);
        if count < *METRIC_SAMPLES.start() {
            return false;
        }
        let mut samples = Vec::with_capacity(count);
        for number in 0..count {
            let newest = first + (number * room + room / 2) / count;
            let from = times.partition_point(|time| *time < times[newest] - DAY - scale.step);
            let window = Window::sorted(&times[from..=newest], &values[from..=newest]);
            let mut inputs = [0.0; INPUTS];
            let Some(level) = features::fill_judged(window, &scale, &mut inputs) else {
                continue;
            };
            let mut outputs = [0.0; OUTPUTS];
            outputs[0] = ((values[newest] - level) / scale.unit) as f32;
            outputs[1..].copy_from_slice(&inputs[..PAST]);
            samples.push(TrainingSample { inputs, outputs });
        }
        let name = name.to_owned();
        self.metrics.push(Member { name, scale, samples });
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
        for member in &self.metrics {
            let share = self.options.validation.clamp(0.0, 0.5);
            let kept = member.samples.len() - (member.samples.len() as f64 * share) as usize;
            let (early, late) = member.samples.split_at(kept);
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
        let mut learner = FamilyLearner {
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
        let known = self
            .metrics
            .iter()
            .map(|member| (member.name.clone(), member.scale));
        let fitted = FittedFamily {
            metrics: known.collect(),
            dense: DenseInference::of(&learner.layers)?,
            layers: learner.layers,
        };
        Ok((fitted, report))
    }
}

struct FamilyLearner<'l> {
    layers: Variables,
    optimiser: AdamW,
    random: Random,
    learnt: Vec<&'l TrainingSample>,
    held: Vec<&'l TrainingSample>,
    batch: usize,
    remembered: Weights,
}

/// Loss of some samples: Huber's, so that what is wild in the data does not rule the fit.
fn loss(layers: &Variables, samples: &[&TrainingSample]) -> candle_core::Result<Tensor> {
    let inputs: Vec<f32> = samples.iter().flat_map(|sample| sample.inputs).collect();
    let outputs: Vec<f32> = samples.iter().flat_map(|sample| sample.outputs).collect();
    let inputs = Tensor::from_vec(inputs, (samples.len(), INPUTS), &Device::Cpu)?;
    let outputs = Tensor::from_vec(outputs, (samples.len(), OUTPUTS), &Device::Cpu)?;
    let error = (forward(layers, &inputs)? - outputs)?.abs()?;
    let near = error.clamp(0f32, 1f32)?;
    // near² / 2 + (error − near)
    let huber = ((near.sqr()? * 0.5)? + (&error - &near)?)?;
    let hidden = huber.narrow(1, 0, 1)?.mean_all()?;
    huber.narrow(1, 1, PAST)?.mean_all()? + (hidden * HIDDEN_WEIGHT)?
}

impl Learner for FamilyLearner<'_> {
    fn epoch(&mut self) -> Result<f64, LearnedError> {
        let mut order = self.learnt.clone();
        self.random.shuffle(&mut order);
        let mut sum = 0.0;
        for samples in order.chunks(self.batch) {
            let loss = loss(&self.layers, samples)?;
            sum += f64::from(loss.to_scalar::<f32>()?) * samples.len() as f64;
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
        for samples in self.held.chunks(4096) {
            sum += f64::from(loss(&self.layers, samples)?.to_scalar::<f32>()?) * samples.len() as f64;
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

impl FittedFamily {
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

    /// What the newest value of a canonical window should be, as the window up to it and the metric's `scale` say, in its
    /// own units: growth a second if `scale.is_rate`, though the window is as stored. `None` if the window does not reach
    /// 32 steps back. The newest value itself is not looked at. One window at a time: no more than a matrix in the cache
    /// that each is multiplied with, and nothing to gather and to wait for (`scripts/bench learned`).
    #[must_use]
    pub fn forecast(&self, scale: &MetricScale, window: Window<'_>) -> Option<f64> {
        let mut inputs = [0.0; INPUTS];
        let level = features::fill(window, scale, &mut inputs)?;
        let forecast = level + f64::from(self.dense.hidden(&inputs)) * scale.unit;
        forecast.is_finite().then_some(forecast)
    }

    /// Mean error of forecasts in the metric's unit, capped at 8, over the newest points of its canonical windows. `None` if
    /// there is no forecast of any.
    pub(super) fn mean_error<'w>(
        &self,
        scale: &MetricScale,
        windows: impl Iterator<Item = Window<'w>>,
    ) -> Option<f64> {
        let (mut sum, mut count) = (0.0, 0.0);
        for window in windows {
            let observed = features::newest(window, scale);
            if let (Some(forecast), Some(observed)) = (self.forecast(scale, window), observed) {
                sum += ((observed - forecast).abs() / scale.unit).min(f64::from(FARTHEST));
                count += 1.0;
            }
        }
        (count > 0.0).then(|| sum / count)
    }

    /// All that must be kept: layers, and a row a metric under `metrics`, in the order of [`names`](Self::names).
    ///
    /// # Errors
    /// [`LearnedError::Compute`].
    pub fn weights(&self) -> Result<Weights, LearnedError> {
        let mut weights = Weights::default();
        self.layers.save(&mut weights)?;
        // Numbers of any size must come back as they were: an f64 is kept as the two halves of its bits.
        let rows = self.metrics.values().flat_map(|scale| {
            let numbers = [scale.centre, scale.unit, scale.step]
                .into_iter()
                .flat_map(halves);
            numbers.chain([f32::from(u8::from(scale.is_rate))])
        });
        weights.put("metrics", &[self.metrics.len(), ROW], rows.collect());
        Ok(weights)
    }

    /// The metrics it knows and what is known of each, in order of their names.
    pub(super) fn metrics(&self) -> impl Iterator<Item = (&str, MetricScale)> {
        self.metrics.iter().map(|(name, scale)| (name.as_str(), *scale))
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
        let dense = DenseInference::of(&layers)?;
        let rows = weights.take("metrics", &[names.len(), ROW])?;
        let mut metrics = BTreeMap::new();
        for (name, row) in names.iter().zip(rows.chunks(ROW)) {
            let number = |at: usize| f64::from(row[2 * at]) + f64::from(row[2 * at + 1]);
            let scale = MetricScale {
                centre: number(0),
                unit: number(1),
                step: number(2),
                is_rate: row[6] > 0.0,
            };
            if !(scale.unit > 0.0 && scale.step > 0.0) {
                return Err(LearnedError::Weights {
                    name: "metrics".to_owned(),
                    why: format!("say nothing of `{name}` that could be divided by"),
                });
            }
            metrics.insert(name.clone(), scale);
        }
        Ok(Self {
            layers,
            dense,
            metrics,
        })
    }
}

#[cfg(test)]
#[path = "family_tests.rs"]
mod tests;
