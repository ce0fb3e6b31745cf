//! USAD as gala-anteater trains it: two autoencoders with one encoder.
//!
//! Audibert et al. (KDD 2020) teach the second to tell the first one's reconstructions w₃ from real windows, by β·|x − w₁|² + (1 −
//! β)·|x − w₃|² for the first and β·|x − w₂|² − (1 − β)·|x − w₃|² for the second. gala-anteater steps all weights by one
//! optimiser against both at once, and so the game cancels: what is left, and what is done here, is β·(|x − w₁|² + |x −
//! w₂|²), of which Adam does not see the factor. Its sizes: windows of 32 rows flattened, encoder D → D/2 → D/4 → 64,
//! two decoders 64 → D/4 → D/2 → D with rectifiers and dropout of a tenth, 30 epochs of batches of 64 windows that do not overlap,
//! AdamW with five epochs of warming up and a polynomial decay. Values are means of 12 rows, clipped at 20 deviations,
//! standardised; a missing one is the training mean, and is left out of the score.

use candle_core::{Device, Tensor};

use super::adam::AdamW;
use super::fit::{self, FitReport, Learner, Progress, Schedule};
use super::layers::{Start, Variables, dropout};
use super::row_scales::StandardScale;
use super::{LearnedError, Weights, check_columns, row_sums};
use crate::entities::EntityRows;
use crate::random::Random;

pub(super) const WINDOW: usize = 32;
const LATENT: usize = 64;
const DROPOUT: f64 = 0.1;
const BATCH: usize = 64;
const RATE: f64 = 1e-3;
const DECAY: f64 = 0.01;
/// The last part of the windows, for validation, and epochs without a better loss on it before it stops.
const VALIDATION: f64 = 0.1;
const PATIENCE: usize = 5;
/// Epochs in which the rate rises, and the power of its fall after that.
const WARM_UP: usize = 5;
const FALL: f64 = 0.9;
/// Weight of the first reconstruction in the score; the rest is the second's of the first.
const ALPHA: f64 = 0.1;
/// Windows of the fewest training rows.
const FEWEST_WINDOWS: usize = 10;
const ASKED_TOGETHER: usize = 256;

/// How it is fitted; the defaults are the original's.
#[derive(Debug, Clone, PartialEq)]
pub struct UsadOptions {
    /// Rounds over all windows, at most.
    pub epochs: usize,
    /// What all randomness follows from.
    pub seed: u64,
}

impl Default for UsadOptions {
    fn default() -> Self {
        Self {
            epochs: 30,
            seed: 110,
        }
    }
}

/// Networks that have learnt nothing yet.
#[derive(Debug, Clone, Default)]
pub struct UnfittedUsad {
    options: UsadOptions,
}

/// Networks that can score windows.
#[derive(Debug)]
pub struct FittedUsad {
    layers: Variables,
    scale: StandardScale,
}

/// Names of the layers of the parts, from the input on.
const ENCODER: [&str; 3] = ["encoder.0", "encoder.1", "encoder.2"];
const FIRST: [&str; 3] = ["first.0", "first.1", "first.2"];
const SECOND: [&str; 3] = ["second.0", "second.1", "second.2"];

fn shapes(columns: usize) -> Vec<(String, Vec<usize>, Start)> {
    let wide = WINDOW * columns;
    let widths = [wide, wide / 2, wide / 4, LATENT];
    let inwards = widths.windows(2).map(|pair| (pair[0], pair[1]));
    let outwards = widths.windows(2).rev().map(|pair| (pair[1], pair[0]));
    let encoder = ENCODER.into_iter().zip(inwards);
    let decoders = FIRST
        .into_iter()
        .zip(outwards.clone())
        .chain(SECOND.into_iter().zip(outwards));
    let pair = |(name, (from, to)): (&str, (usize, usize))| {
        let limit = 1.0 / (from as f64).sqrt();
        [
            (format!("{name}.weight"), vec![from, to], Start::Uniform(limit)),
            (format!("{name}.bias"), vec![to], Start::Uniform(limit)),
        ]
    };
    encoder.chain(decoders).flat_map(pair).collect()
}

/// Rectifiers and dropout between the layers; the last of a decoder is linear.
fn through(
    layers: &Variables,
    names: [&str; 3],
    x: &Tensor,
    mut learning: Option<&mut Random>,
) -> candle_core::Result<Tensor> {
    let mut x = x.clone();
    for (at, name) in names.into_iter().enumerate() {
        x = layers.dense(name, &x)?;
        if at < 2 || names == ENCODER {
            x = x.relu()?;
        }
        if at < 2
            && let Some(random) = learning.as_deref_mut()
        {
            x = dropout(&x, DROPOUT, random)?;
        }
    }
    Ok(x)
}

fn mean_square(a: &Tensor, b: &Tensor) -> candle_core::Result<Tensor> {
    (a - b)?.sqr()?.mean_all()
}

impl UnfittedUsad {
    /// With these options.
    #[must_use]
    pub fn new(options: UsadOptions) -> Self {
        Self { options }
    }

    /// Learns rows taken as normal, on one thread; the same rows and seed give the same weights to the bit.
    ///
    /// # Errors
    /// [`LearnedError::TooFew`] for fewer than 320 rows; `progress` said stop; a loss that is no number.
    pub fn fit(
        &self,
        rows: &EntityRows,
        progress: &mut Progress<'_>,
    ) -> Result<(FittedUsad, FitReport), LearnedError> {
        if rows.len() < FEWEST_WINDOWS * WINDOW {
            return Err(LearnedError::TooFew {
                what: "rows of an entity",
                given: rows.len(),
                needed: FEWEST_WINDOWS * WINDOW,
            });
        }
        fit::alone(|| self.fit_alone(rows, None, progress))
    }

    /// The same, but beginning with the weights of networks of the same metrics; those of another number of them are left aside.
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn refit(
        &self,
        rows: &EntityRows,
        before: &FittedUsad,
        progress: &mut Progress<'_>,
    ) -> Result<(FittedUsad, FitReport), LearnedError> {
        if before.columns() != rows.columns() || rows.len() < FEWEST_WINDOWS * WINDOW {
            return self.fit(rows, progress);
        }
        fit::alone(|| self.fit_alone(rows, Some(before), progress))
    }

    fn fit_alone(
        &self,
        rows: &EntityRows,
        before: Option<&FittedUsad>,
        progress: &mut Progress<'_>,
    ) -> Result<(FittedUsad, FitReport), LearnedError> {
        let scale = StandardScale::of(rows);
        let shapes = shapes(rows.columns());
        let layers = match before {
            Some(before) => Variables::load(&shapes, &before.weights()?)?,
            None => Variables::start(&shapes, self.options.seed)?,
        };
        let windows = rows.len() / WINDOW;
        let held = ((windows as f64 * VALIDATION) as usize).max(1);
        let mut learner = UsadLearner {
            optimiser: AdamW::new(&layers.all(), RATE, DECAY),
            layers,
            numbers: scale.smoothed(rows),
            width: WINDOW * rows.columns(),
            columns: rows.columns(),
            learnt: (0..windows - held).collect(),
            held: (windows - held..windows).collect(),
            random: Random::new(self.options.seed ^ 0x5eed),
            epoch: 0,
            epochs: self.options.epochs.max(1),
            remembered: Weights::default(),
        };
        let schedule = Schedule {
            epochs: self.options.epochs.max(1),
            patience: PATIENCE,
        };
        let report = fit::run(&mut learner, schedule, progress)?;
        let fitted = FittedUsad {
            layers: learner.layers,
            scale,
        };
        Ok((fitted, report))
    }
}

struct UsadLearner {
    layers: Variables,
    optimiser: AdamW,
    numbers: Vec<f32>,
    width: usize,
    columns: usize,
    learnt: Vec<usize>,
    held: Vec<usize>,
    random: Random,
    /// Those that are over.
    epoch: usize,
    epochs: usize,
    remembered: Weights,
}

impl UsadLearner {
    /// |x − w₁|² + |x − w₂|², each as a mean.
    fn loss(&mut self, windows: &[usize], is_learning: bool) -> candle_core::Result<Tensor> {
        let x = self.tensor(windows)?;
        let mut learning = is_learning.then_some(&mut self.random);
        let code = through(&self.layers, ENCODER, &x, learning.as_deref_mut())?;
        let first = through(&self.layers, FIRST, &code, learning.as_deref_mut())?;
        let second = through(&self.layers, SECOND, &code, learning)?;
        mean_square(&x, &first)? + mean_square(&x, &second)?
    }

    fn tensor(&self, windows: &[usize]) -> candle_core::Result<Tensor> {
        let mut numbers = Vec::with_capacity(windows.len() * self.width);
        for window in windows {
            numbers.extend_from_slice(&self.numbers[window * self.width..(window + 1) * self.width]);
        }
        Tensor::from_vec(numbers, (windows.len(), self.width), &Device::Cpu)
    }

    fn rate(&self) -> f64 {
        if self.epoch < WARM_UP {
            return RATE * (self.epoch + 1) as f64 / WARM_UP as f64;
        }
        let over = (self.epoch - WARM_UP) as f64 / (self.epochs - WARM_UP).max(1) as f64;
        RATE * (1.0 - over).max(0.0).powf(FALL)
    }
}

impl Learner for UsadLearner {
    fn epoch(&mut self) -> Result<f64, LearnedError> {
        let rate = self.rate();
        self.optimiser.set_rate(rate);
        self.epoch += 1;
        let mut order = std::mem::take(&mut self.learnt);
        self.random.shuffle(&mut order);
        // The last, smaller batch is left out, as in the original, unless it is the only one.
        let whole = (order.len() / BATCH * BATCH).max(order.len().min(BATCH));
        let (mut sum, mut count) = (0.0, 0.0);
        for windows in order[..whole].chunks(BATCH) {
            let loss = self.loss(windows, true)?;
            sum += f64::from(loss.to_scalar::<f32>()?);
            count += 1.0;
            self.optimiser.step(&self.layers.all(), &loss.backward()?)?;
        }
        self.learnt = order;
        Ok(sum / count)
    }

    fn validate(&mut self) -> Result<Option<f64>, LearnedError> {
        let held = std::mem::take(&mut self.held);
        let loss = self.loss(&held, false)?.to_scalar::<f32>()?;
        self.held = held;
        Ok(Some(f64::from(loss)))
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

impl FittedUsad {
    /// Metrics they know.
    pub(super) fn columns(&self) -> usize {
        self.scale.means.len()
    }

    pub(super) fn weights(&self) -> Result<Weights, LearnedError> {
        let mut weights = Weights::default();
        self.layers.save(&mut weights)?;
        Ok(weights)
    }

    pub(super) fn scale(&self) -> StandardScale {
        self.scale.clone()
    }

    /// The networks that were kept.
    ///
    /// # Errors
    /// [`LearnedError::Weights`] for what does not fit together.
    pub(super) fn from_parts(scale: StandardScale, weights: &Weights) -> Result<Self, LearnedError> {
        let columns = scale.means.len();
        if scale.deviations.len() != columns {
            return Err(LearnedError::Weights {
                name: "scale".to_owned(),
                why: "is not of one number of metrics".to_owned(),
            });
        }
        Ok(Self {
            layers: Variables::load(&shapes(columns), weights)?,
            scale,
        })
    }

    /// Per row the sum over metrics of α·(x − w₁)² + (1 − α)·(x − w₃)², α = .1, at the last row of the window that ends
    /// with it: nothing later has a part, except that the first 31 rows, which have no window, get the error of the 32nd.
    ///
    /// # Errors
    /// [`LearnedError::Ragged`] for rows of another number of metrics, [`LearnedError::TooFew`] for fewer than 32 rows.
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
        if rows.len() < WINDOW {
            return Err(LearnedError::TooFew {
                what: "rows of an entity",
                given: rows.len(),
                needed: WINDOW,
            });
        }
        let numbers = self.scale.smoothed(rows);
        let ends: Vec<usize> = (WINDOW..=rows.len()).collect();
        let mut errors = Vec::with_capacity(rows.len() * columns);
        for ends in ends.chunks(ASKED_TOGETHER) {
            let windows = ends
                .iter()
                .flat_map(|end| &numbers[(end - WINDOW) * columns..end * columns]);
            let x = Tensor::from_vec(
                windows.copied().collect(),
                (ends.len(), WINDOW * columns),
                &Device::Cpu,
            )?;
            let first = through(
                &self.layers,
                FIRST,
                &through(&self.layers, ENCODER, &x, None)?,
                None,
            )?;
            let again = through(
                &self.layers,
                SECOND,
                &through(&self.layers, ENCODER, &first, None)?,
                None,
            )?;
            let last = |of: &Tensor| {
                (of - &x)?
                    .sqr()?
                    .narrow(1, (WINDOW - 1) * columns, columns)?
                    .contiguous()
            };
            let error = ((last(&first)? * ALPHA)? + (last(&again)? * (1.0 - ALPHA))?)?;
            for (end, error) in ends.iter().zip(error.to_vec2::<f32>()?) {
                let there = error.iter().zip(rows.row(end - 1));
                errors.extend(there.map(|(error, value)| {
                    if value.is_nan() {
                        f64::NAN
                    } else {
                        f64::from(*error)
                    }
                }));
            }
        }
        let first = errors[..columns].repeat(WINDOW - 1);
        Ok([first, errors].concat())
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;

    /// Six metrics that follow a wave; from row `parted` on the second goes against it.
    fn rows(count: usize, parted: usize) -> EntityRows {
        let mut random = Random::new(3);
        let mut rows = EntityRows::new(6);
        for at in 0..count {
            let wave = (at as f64 / 20.0).sin();
            let mut row =
                [1.0, 3.0, -1.0, 40.0, -0.5, 2.0].map(|weight| weight * (wave + 0.05 * random.normal()));
            if at >= parted {
                row[1] = -row[1];
            }
            rows.push(&row).unwrap();
        }
        rows
    }

    #[test]
    fn a_metric_that_parts_has_the_larger_error_from_then_on() {
        let training = rows(12_800, usize::MAX);
        let fit = || {
            UnfittedUsad::default()
                .fit(&training, &mut |_| ControlFlow::Continue(()))
                .unwrap()
        };
        let (usad, report) = fit();
        let losses: Vec<f64> = report
            .epochs
            .iter()
            .filter_map(|epoch| epoch.validation)
            .collect();
        assert!(losses[report.best - 1] < 0.7 * losses[0], "{losses:?}");
        let test = rows(400, 300);
        let errors = usad.errors(&test).unwrap();
        let mean =
            |range: std::ops::Range<usize>| errors[range.clone()].iter().sum::<f64>() / range.len() as f64;
        assert_eq!(errors.len(), 400);
        assert!(
            mean(320..400) > 2.0 * mean(40..290),
            "{} {}",
            mean(320..400),
            mean(40..290)
        );
        // Nothing later has a part in a row's error.
        let mut cut = EntityRows::new(6);
        (0..350).for_each(|at| cut.push(test.row(at)).unwrap());
        let cut = usad.errors(&cut).unwrap();
        assert!(
            cut.iter()
                .zip(&errors)
                .all(|(a, b)| (a - b).abs() <= 1e-4 * b.abs().max(1.0))
        );
        assert_eq!(fit().0.errors(&test).unwrap(), errors);
        assert!(usad.errors(&rows(31, 0)).is_err() && usad.errors(&EntityRows::new(5)).is_err());
    }
}
