//! The variational autoencoder of gala-anteater: all metrics of an entity at one step, pressed through five numbers.
//!
//! Kingma and Welling (2014); sizes, dropout, start and loss are the original's: encoder 25-10-5 with rectifiers and
//! dropout of a quarter, mean and log-variance of 5 latent numbers, decoder 5-10-25, a sigmoid at the end; the loss of a
//! batch is the sum of squared errors and the mean Kullback–Leibler divergence. Two things differ: the scale is that of the
//! training rows also when it is asked (the original fits it again on what it judges), and a missing value enters as
//! its training mean and is left out of the error, where the original has zero.

use candle_core::{D, Device, Tensor};
use serde::{Deserialize, Serialize};

use super::adam::AdamW;
use super::fit::{self, FitReport, Learner, Progress, Schedule};
use super::layers::{Start, Variables, dropout, sigmoid};
use super::row_scales::UnitScale;
use super::{LearnedError, Weights, check_columns, row_sums};
use crate::entities::EntityRows;
use crate::random::Random;

/// Widths of the hidden layers from the outside in, and of the latent numbers.
const HIDDEN: [usize; 3] = [25, 10, 5];
const LATENT: usize = 5;
const DROPOUT: f64 = 0.25;
/// Share of the rows, drawn at random, that is held back for validation.
const VALIDATION: f64 = 0.3;
/// Reconstructions that are averaged when it is asked.
const SAMPLES: usize = 10;
/// Fewest rows of training.
const FEWEST_ROWS: usize = 100;
/// Rows that go through the network together when nothing is learnt.
const ASKED_TOGETHER: usize = 4_096;

/// How it is fitted; the defaults are the original's.
#[derive(Debug, Clone, PartialEq)]
pub struct VaeOptions {
    /// Rounds over all rows, at most.
    pub epochs: usize,
    /// Epochs without a better validation loss before it stops.
    pub patience: usize,
    /// Rows a step.
    pub batch: usize,
    /// Step size of Adam.
    pub rate: f64,
    /// What all randomness follows from.
    pub seed: u64,
}

impl Default for VaeOptions {
    fn default() -> Self {
        Self {
            epochs: 30,
            patience: 10,
            batch: 1_024,
            rate: 1e-3,
            seed: 42,
        }
    }
}

/// A network that has learnt nothing yet.
#[derive(Debug, Clone, Default)]
pub struct UnfittedVae {
    options: VaeOptions,
}

/// A network that can reconstruct rows.
#[derive(Debug)]
pub struct FittedVae {
    layers: Variables,
    scale: UnitScale,
    /// The same draws for every row: what is said of a row depends on that row alone.
    noise: Vec<Tensor>,
    /// What they follow from.
    seed: u64,
}

/// What is kept of a network beside its weights.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct VaeDetails {
    scale: UnitScale,
    seed: u64,
}

fn shapes(columns: usize) -> Vec<(String, Vec<usize>, Start)> {
    let [wide, middle, narrow] = HIDDEN;
    let layers = [
        ("encoder.0", columns, wide),
        ("encoder.1", wide, middle),
        ("encoder.2", middle, narrow),
        ("mean", narrow, LATENT),
        ("decoder.0", LATENT, middle),
        ("decoder.1", middle, wide),
        ("output", wide, columns),
    ];
    let pair = |(name, from, to): (&str, usize, usize)| {
        let limit = 1.0 / (from as f64).sqrt();
        [
            (format!("{name}.weight"), vec![from, to], Start::Uniform(limit)),
            (format!("{name}.bias"), vec![to], Start::Uniform(limit)),
        ]
    };
    let mut all: Vec<_> = layers.into_iter().flat_map(pair).collect();
    // Nearly no spread of the latent numbers to begin with: the original's.
    all.push((
        "spread.weight".to_owned(),
        vec![narrow, LATENT],
        Start::Uniform(0.01),
    ));
    all.push(("spread.bias".to_owned(), vec![LATENT], Start::Zeros));
    all
}

/// ln(1 + eˣ), without overflow.
fn softplus(x: &Tensor) -> candle_core::Result<Tensor> {
    x.relu()? + ((x.abs()?.neg()?.exp()? + 1.0)?.log()?)
}

/// Mean and log-variance of the latent numbers of rows.
fn encode(
    layers: &Variables,
    rows: &Tensor,
    mut learning: Option<&mut Random>,
) -> candle_core::Result<(Tensor, Tensor)> {
    let mut hidden = rows.clone();
    for name in ["encoder.0", "encoder.1", "encoder.2"] {
        hidden = layers.dense(name, &hidden)?.relu()?;
        if let Some(random) = learning.as_deref_mut() {
            hidden = dropout(&hidden, DROPOUT, random)?;
        }
    }
    let spread = softplus(&layers.dense("spread", &hidden)?)?;
    Ok((layers.dense("mean", &hidden)?, spread))
}

fn decode(
    layers: &Variables,
    latent: &Tensor,
    mut learning: Option<&mut Random>,
) -> candle_core::Result<Tensor> {
    let mut hidden = latent.clone();
    for name in ["decoder.0", "decoder.1"] {
        hidden = layers.dense(name, &hidden)?.relu()?;
        if let Some(random) = learning.as_deref_mut() {
            hidden = dropout(&hidden, DROPOUT, random)?;
        }
    }
    sigmoid(&layers.dense("output", &hidden)?)
}

/// Standard normal numbers, `rows` × latent.
fn draw(rows: usize, random: &mut Random) -> candle_core::Result<Tensor> {
    let numbers: Vec<f32> = (0..rows * LATENT).map(|_| random.normal() as f32).collect();
    Tensor::from_vec(numbers, (rows, LATENT), &Device::Cpu)
}

/// The draws of a fitted network.
fn noise(seed: u64) -> candle_core::Result<Vec<Tensor>> {
    let mut random = Random::new(seed);
    (0..SAMPLES).map(|_| draw(1, &mut random)).collect()
}

impl UnfittedVae {
    /// With these options.
    #[must_use]
    pub fn new(options: VaeOptions) -> Self {
        Self { options }
    }

    /// Learns rows taken as normal, on one thread; the same rows and seed give the same weights to the bit.
    ///
    /// # Errors
    /// [`LearnedError::TooFew`] for fewer than 100 rows; `progress` said stop; a loss that is no number.
    pub fn fit(
        &self,
        rows: &EntityRows,
        progress: &mut Progress<'_>,
    ) -> Result<(FittedVae, FitReport), LearnedError> {
        if rows.len() < FEWEST_ROWS {
            return Err(LearnedError::TooFew {
                what: "rows of an entity",
                given: rows.len(),
                needed: FEWEST_ROWS,
            });
        }
        fit::alone(|| self.fit_alone(rows, None, progress))
    }

    /// The same, but beginning with the weights of a network of the same metrics; one of another number of them is left aside.
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn refit(
        &self,
        rows: &EntityRows,
        before: &FittedVae,
        progress: &mut Progress<'_>,
    ) -> Result<(FittedVae, FitReport), LearnedError> {
        if before.columns() != rows.columns() || rows.len() < FEWEST_ROWS {
            return self.fit(rows, progress);
        }
        fit::alone(|| self.fit_alone(rows, Some(before), progress))
    }

    fn fit_alone(
        &self,
        rows: &EntityRows,
        before: Option<&FittedVae>,
        progress: &mut Progress<'_>,
    ) -> Result<(FittedVae, FitReport), LearnedError> {
        let scale = UnitScale::of(rows);
        let shapes = shapes(rows.columns());
        let layers = match before {
            Some(before) => Variables::load(&shapes, &before.weights()?)?,
            None => Variables::start(&shapes, self.options.seed)?,
        };
        let mut random = Random::new(self.options.seed ^ 0x5eed);
        let mut order: Vec<usize> = (0..rows.len()).collect();
        random.shuffle(&mut order);
        let held = order.split_off(rows.len() - (rows.len() as f64 * VALIDATION) as usize);
        let mut learner = VaeLearner {
            optimiser: AdamW::new(&layers.all(), self.options.rate, 0.0),
            layers,
            rows: rows.iter().flat_map(|row| scale.apply(row)).collect(),
            columns: rows.columns(),
            learnt: order,
            held,
            batch: self.options.batch.max(1),
            random,
            remembered: Weights::default(),
        };
        let schedule = Schedule {
            epochs: self.options.epochs.max(1),
            patience: self.options.patience.max(1),
        };
        let report = fit::run(&mut learner, schedule, progress)?;
        let fitted = FittedVae {
            layers: learner.layers,
            scale,
            noise: noise(self.options.seed)?,
            seed: self.options.seed,
        };
        Ok((fitted, report))
    }
}

struct VaeLearner {
    layers: Variables,
    optimiser: AdamW,
    rows: Vec<f32>,
    columns: usize,
    learnt: Vec<usize>,
    held: Vec<usize>,
    batch: usize,
    random: Random,
    remembered: Weights,
}

impl VaeLearner {
    fn tensor(&self, places: &[usize]) -> candle_core::Result<Tensor> {
        let mut rows = Vec::with_capacity(places.len() * self.columns);
        for place in places {
            rows.extend_from_slice(&self.rows[place * self.columns..(place + 1) * self.columns]);
        }
        Tensor::from_vec(rows, (places.len(), self.columns), &Device::Cpu)
    }

    /// The loss of a batch: the sum of squared errors, and the divergence −½ Σ (1 + s − m² − eˢ) as a mean over rows.
    fn loss(&mut self, places: &[usize], is_learning: bool) -> candle_core::Result<Tensor> {
        let rows = self.tensor(places)?;
        let (mean, spread) = encode(&self.layers, &rows, is_learning.then_some(&mut self.random))?;
        let noise = draw(places.len(), &mut self.random)?;
        let latent = (&mean + (&spread * 0.5)?.exp()?.mul(&noise)?)?;
        let said = decode(&self.layers, &latent, is_learning.then_some(&mut self.random))?;
        let error = (said - rows)?.sqr()?.sum_all()?;
        let inner = ((&spread + 1.0)? - mean.sqr()? - spread.exp()?)?;
        error + (inner.sum(D::Minus1)?.mean_all()? * -0.5)?
    }
}

impl Learner for VaeLearner {
    fn epoch(&mut self) -> Result<f64, LearnedError> {
        let mut order = std::mem::take(&mut self.learnt);
        self.random.shuffle(&mut order);
        let mut sum = 0.0;
        for places in order.chunks(self.batch) {
            let loss = self.loss(places, true)?;
            sum += f64::from(loss.to_scalar::<f32>()?);
            let gradients = loss.backward()?;
            self.optimiser.step(&self.layers.all(), &gradients)?;
        }
        self.learnt = order;
        Ok(sum / self.learnt.len() as f64)
    }

    fn validate(&mut self) -> Result<Option<f64>, LearnedError> {
        let held = std::mem::take(&mut self.held);
        let mut sum = 0.0;
        for places in held.chunks(ASKED_TOGETHER) {
            sum += f64::from(self.loss(places, false)?.to_scalar::<f32>()?);
        }
        self.held = held;
        Ok((!self.held.is_empty()).then(|| sum / self.held.len() as f64))
    }

    fn remember(&mut self) -> Result<(), LearnedError> {
        self.remembered = Weights::default();
        self.layers.save(&mut self.remembered)
    }

    fn restore(&mut self) -> Result<(), LearnedError> {
        self.layers = Variables::load(&shapes(self.columns), &self.remembered)?;
        Ok(())
    }
}

impl FittedVae {
    /// Metrics it knows.
    pub(super) fn columns(&self) -> usize {
        self.scale.least.len()
    }

    pub(super) fn weights(&self) -> Result<Weights, LearnedError> {
        let mut weights = Weights::default();
        self.layers.save(&mut weights)?;
        Ok(weights)
    }

    pub(super) fn details(&self) -> VaeDetails {
        VaeDetails {
            scale: self.scale.clone(),
            seed: self.seed,
        }
    }

    /// The network that was kept.
    ///
    /// # Errors
    /// [`LearnedError::Weights`] for what does not fit together.
    pub(super) fn from_parts(details: VaeDetails, weights: &Weights) -> Result<Self, LearnedError> {
        let VaeDetails { scale, seed } = details;
        let columns = scale.least.len();
        if scale.width.len() != columns || scale.means.len() != columns {
            return Err(LearnedError::Weights {
                name: "scale".to_owned(),
                why: "is not of one number of metrics".to_owned(),
            });
        }
        Ok(Self {
            layers: Variables::load(&shapes(columns), weights)?,
            scale,
            noise: noise(seed)?,
            seed,
        })
    }

    /// Per row the sum over metrics of the absolute difference from the mean of ten reconstructions, on the scale of the
    /// training ranges. A row's error depends on that row alone; metrics that are missing are left out.
    ///
    /// # Errors
    /// [`LearnedError::Ragged`] for rows of another number of metrics.
    pub fn errors(&self, rows: &EntityRows) -> Result<Vec<f64>, LearnedError> {
        Ok(row_sums(&self.metric_errors(rows)?, rows.columns()))
    }

    /// The same for each metric, row by row; NaN for one that is missing.
    ///
    /// # Errors
    /// As [`errors`](Self::errors).
    pub fn metric_errors(&self, rows: &EntityRows) -> Result<Vec<f64>, LearnedError> {
        let columns = self.columns();
        check_columns(rows, columns)?;
        let places: Vec<usize> = (0..rows.len()).collect();
        let mut errors = Vec::with_capacity(rows.len() * columns);
        for places in places.chunks(ASKED_TOGETHER) {
            let on_scale: Vec<f32> = places
                .iter()
                .flat_map(|at| self.scale.apply(rows.row(*at)))
                .collect();
            let said = self.reconstruct(&on_scale, places.len())?;
            let values = places.iter().flat_map(|at| rows.row(*at));
            let pairs = said.iter().zip(&on_scale).zip(values);
            errors.extend(pairs.map(|((said, asked), value)| {
                if value.is_nan() {
                    f64::NAN
                } else {
                    f64::from((said - asked).abs())
                }
            }));
        }
        Ok(errors)
    }

    fn reconstruct(&self, on_scale: &[f32], count: usize) -> candle_core::Result<Vec<f32>> {
        let rows = Tensor::from_slice(on_scale, (count, self.scale.least.len()), &Device::Cpu)?;
        let (mean, spread) = encode(&self.layers, &rows, None)?;
        let deviation = (spread * 0.5)?.exp()?;
        let mut sum = rows.zeros_like()?;
        for noise in &self.noise {
            let latent = (&mean + deviation.broadcast_mul(noise)?)?;
            sum = (sum + decode(&self.layers, &latent, None)?)?;
        }
        (sum / SAMPLES as f64)?.flatten_all()?.to_vec1()
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;

    #[test]
    fn what_moves_together_is_learnt_and_what_parts_has_the_larger_error() {
        let mut random = Random::new(1);
        let mut rows = EntityRows::new(6);
        for _ in 0..3_000 {
            let hidden = random.unit();
            let row =
                [1.0, -1.0, 2.0, 30.0, -0.5, 1.0].map(|weight| weight * hidden + 0.01 * random.normal());
            rows.push(&row).unwrap();
        }
        let options = VaeOptions {
            batch: 64,
            rate: 5e-3,
            ..VaeOptions::default()
        };
        let (vae, report) = UnfittedVae::new(options.clone())
            .fit(&rows, &mut |_| ControlFlow::Continue(()))
            .unwrap();
        let losses: Vec<f64> = report.epochs.iter().map(|epoch| epoch.loss).collect();
        assert!(losses[report.best - 1] < 0.7 * losses[0], "{losses:?}");
        let mut asked = EntityRows::new(6);
        asked.push(&[0.9, -0.9, 1.8, 27.0, -0.45, 0.9]).unwrap();
        asked.push(&[0.9, -0.9, 0.0, 27.0, -0.45, 0.1]).unwrap();
        asked.push(&[0.9, -0.9, f64::NAN, 27.0, -0.45, 0.9]).unwrap();
        let errors = vae.errors(&asked).unwrap();
        assert!(errors[1] > errors[0] + 0.5 && errors[2] < errors[1], "{errors:?}");
        // One row alone has the error it has among others.
        let mut alone = EntityRows::new(6);
        alone.push(asked.row(1)).unwrap();
        assert!((vae.errors(&alone).unwrap()[0] - errors[1]).abs() < 1e-4);
        assert!(vae.errors(&EntityRows::new(5)).is_err());
        let again = UnfittedVae::new(options)
            .fit(&rows, &mut |_| ControlFlow::Continue(()))
            .unwrap();
        assert_eq!(again.0.errors(&asked).unwrap(), errors);
    }
}
