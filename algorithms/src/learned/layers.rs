//! The layers of our networks, with named variables that start from a seed.

use std::collections::BTreeMap;

use candle_core::{Device, Result, Tensor, Var};

use super::fused::normalise;
use super::{LearnedError, Weights};
use crate::random::Random;

/// Keras's value; the weights of the network we take over were made with it.
const NORM_EPSILON: f64 = 1e-3;

/// Variables by name.
pub(super) struct Variables(pub(super) BTreeMap<String, Var>);

/// How a variable starts.
#[derive(Clone, Copy)]
pub(super) enum Start {
    Zeros,
    Ones,
    /// Uniform within ±√(6 / (inputs + outputs)) (Glorot and Bengio 2010).
    Glorot,
    /// Uniform within ± this.
    Uniform(f64),
    /// Rows that are orthogonal to each other (Saxe 2014).
    Orthogonal,
    /// Zeros, but ones in the second quarter: a memory that forgets nothing at first.
    ForgetGate,
}

impl Start {
    fn numbers(self, shape: &[usize], random: &mut Random) -> Vec<f32> {
        let count = shape.iter().product();
        match self {
            Self::Zeros => vec![0.0; count],
            Self::Ones => vec![1.0; count],
            Self::Glorot => {
                let limit = (6.0 / shape.iter().sum::<usize>() as f64).sqrt();
                let draw = |_| ((2.0 * random.unit() - 1.0) * limit) as f32;
                (0..count).map(draw).collect()
            }
            Self::Uniform(limit) => {
                let draw = |_| ((2.0 * random.unit() - 1.0) * limit) as f32;
                (0..count).map(draw).collect()
            }
            Self::Orthogonal => orthogonal(shape[0], shape[1], random),
            Self::ForgetGate => {
                let quarter = count / 4;
                (0..count).map(|n| f32::from(n / quarter.max(1) == 1)).collect()
            }
        }
    }
}

/// `rows` orthonormal rows of length `columns`, which is at least `rows` (Gram and Schmidt on normal numbers).
fn orthogonal(rows: usize, columns: usize, random: &mut Random) -> Vec<f32> {
    let mut all: Vec<Vec<f64>> = Vec::with_capacity(rows);
    while all.len() < rows {
        let mut row: Vec<f64> = (0..columns).map(|_| random.normal()).collect();
        for earlier in &all {
            let along: f64 = row.iter().zip(earlier).map(|(a, b)| a * b).sum();
            row.iter_mut().zip(earlier).for_each(|(a, b)| *a -= along * b);
        }
        let length = row.iter().map(|a| a * a).sum::<f64>().sqrt();
        if length > 1e-6 {
            row.iter_mut().for_each(|a| *a /= length);
            all.push(row);
        }
    }
    all.into_iter().flatten().map(|number| number as f32).collect()
}

impl Variables {
    /// Variables of the given names and shapes, each drawn in that order.
    pub(super) fn start(
        shapes: &[(String, Vec<usize>, Start)],
        seed: u64,
    ) -> std::result::Result<Self, LearnedError> {
        let mut random = Random::new(seed);
        let mut all = BTreeMap::new();
        for (name, shape, start) in shapes {
            let numbers = start.numbers(shape, &mut random);
            let tensor = Tensor::from_vec(numbers, shape.as_slice(), &Device::Cpu)?;
            all.insert(name.clone(), Var::from_tensor(&tensor)?);
        }
        Ok(Self(all))
    }

    /// The same variables out of weights that were kept.
    pub(super) fn load(
        shapes: &[(String, Vec<usize>, Start)],
        weights: &Weights,
    ) -> std::result::Result<Self, LearnedError> {
        let mut all = BTreeMap::new();
        for (name, shape, _) in shapes {
            let numbers = weights.take(name, shape)?;
            let tensor = Tensor::from_slice(numbers, shape.as_slice(), &Device::Cpu)?;
            all.insert(name.clone(), Var::from_tensor(&tensor)?);
        }
        Ok(Self(all))
    }

    pub(super) fn save(&self, into: &mut Weights) -> std::result::Result<(), LearnedError> {
        for (name, var) in &self.0 {
            into.put_tensor(name, var.as_tensor())?;
        }
        Ok(())
    }

    pub(super) fn all(&self) -> Vec<&Var> {
        self.0.values().collect()
    }

    pub(super) fn get(&self, name: &str) -> Result<&Tensor> {
        let var = self.0.get(name);
        var.map(Var::as_tensor)
            .ok_or_else(|| candle_core::Error::Msg(format!("no variable `{name}`")))
    }

    /// x·W + b over the last axis. `x`: any number of axes.
    pub(super) fn dense(&self, layer: &str, x: &Tensor) -> Result<Tensor> {
        let (weight, bias) = (
            self.get(&format!("{layer}.weight"))?,
            self.get(&format!("{layer}.bias"))?,
        );
        let dims = x.dims();
        let (&last, outer) = dims
            .split_last()
            .ok_or_else(|| candle_core::Error::Msg("a scalar has no last axis".to_owned()))?;
        let rows: usize = outer.iter().product();
        let flat = x.reshape((rows, last))?.matmul(weight)?.broadcast_add(bias)?;
        let mut shape = outer.to_vec();
        shape.push(weight.dim(1)?);
        flat.reshape(shape)
    }

    /// Layer norm (Ba, Kiros, Hinton 2016) over the last axis.
    pub(super) fn layer_norm(&self, layer: &str, x: &Tensor) -> Result<Tensor> {
        self.gain_and_shift(layer, &normalise(x, NORM_EPSILON as f32)?)
    }

    /// Batch norm (Ioffe and Szegedy 2015) over all but the last axis, by the given mean and variance.
    pub(super) fn batch_norm(
        &self,
        layer: &str,
        x: &Tensor,
        mean: &Tensor,
        variance: &Tensor,
    ) -> Result<Tensor> {
        let centred = x.broadcast_sub(mean)?;
        let normed = centred.broadcast_div(&(variance + NORM_EPSILON)?.sqrt()?)?;
        self.gain_and_shift(layer, &normed)
    }

    fn gain_and_shift(&self, layer: &str, x: &Tensor) -> Result<Tensor> {
        let gained = x.broadcast_mul(self.get(&format!("{layer}.gain"))?)?;
        gained.broadcast_add(self.get(&format!("{layer}.shift"))?)
    }
}

/// 1 / (1 + e⁻ˣ).
pub(super) fn sigmoid(x: &Tensor) -> Result<Tensor> {
    (x.neg()?.exp()? + 1.0)?.recip()
}

/// Sets a share of the numbers to zero and makes up for it with the others.
pub(super) fn dropout(x: &Tensor, share: f64, random: &mut Random) -> Result<Tensor> {
    let kept = (1.0 / (1.0 - share)) as f32;
    let draw = |_| if random.unit() < share { 0.0 } else { kept };
    let mask: Vec<f32> = (0..x.elem_count()).map(draw).collect();
    x * Tensor::from_vec(mask, x.shape(), &Device::Cpu)?
}
