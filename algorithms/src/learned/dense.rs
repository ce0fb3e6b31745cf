//! A family's network as it is asked: one metric at a time, for the hidden value only.
//!
//! The same numbers as the layers it is made of, without a framework around them: 3,600 multiplications, and the 14 KiB of
//! weights stay in the first cache from metric to metric.

use super::LearnedError;
use super::features::INPUTS;
use super::layers::Variables;

/// Numbers of the outer layers, and of the one between them, which is narrower than what is given back so that copying is no
/// way through.
pub(super) const WIDE: usize = 48;
pub(super) const NARROW: usize = 16;

/// The three layers, and of the last one only what says the hidden value.
#[derive(Debug)]
pub(super) struct DenseInference {
    wide: Dense<INPUTS, WIDE>,
    narrow: Dense<WIDE, NARROW>,
    open: Dense<NARROW, WIDE>,
    out: [f32; WIDE],
    bias: f32,
}

#[derive(Debug)]
struct Dense<const FROM: usize, const TO: usize> {
    weights: Box<[[f32; TO]; FROM]>,
    bias: [f32; TO],
}

fn numbers(layers: &Variables, name: &str) -> Result<Vec<f32>, LearnedError> {
    Ok(layers.get(name)?.flatten_all()?.to_vec1()?)
}

fn misshapen(layer: &str) -> LearnedError {
    LearnedError::Weights {
        name: layer.to_owned(),
        why: "are not those of a family".to_owned(),
    }
}

impl<const FROM: usize, const TO: usize> Dense<FROM, TO> {
    fn of(layers: &Variables, layer: &str) -> Result<Self, LearnedError> {
        let weights = numbers(layers, &format!("{layer}.weight"))?;
        let rows: Vec<[f32; TO]> = weights.as_chunks().0.to_vec();
        let bias = numbers(layers, &format!("{layer}.bias"))?;
        Ok(Self {
            weights: rows.try_into().map_err(|_| misshapen(layer))?,
            bias: bias.try_into().map_err(|_| misshapen(layer))?,
        })
    }

    /// Rectified.
    fn apply(&self, from: &[f32; FROM]) -> [f32; TO] {
        let mut to = self.bias;
        for (from, weights) in from.iter().zip(&*self.weights) {
            for (to, weight) in to.iter_mut().zip(weights) {
                *to += from * weight;
            }
        }
        to.map(|to| to.max(0.0))
    }
}

impl DenseInference {
    pub(super) fn of(layers: &Variables) -> Result<Self, LearnedError> {
        let out = numbers(layers, "out.weight")?;
        // A row a hidden number of the layer before; the hidden value is the first of each.
        let out: Vec<f32> = out.chunks(out.len() / WIDE).map(|row| row[0]).collect();
        Ok(Self {
            wide: Dense::of(layers, "wide")?,
            narrow: Dense::of(layers, "narrow")?,
            open: Dense::of(layers, "open")?,
            out: out.try_into().map_err(|_| misshapen("out"))?,
            bias: numbers(layers, "out.bias")?[0],
        })
    }

    /// The hidden value, in units from the level.
    pub(super) fn hidden(&self, inputs: &[f32; INPUTS]) -> f32 {
        let open = self.open.apply(&self.narrow.apply(&self.wide.apply(inputs)));
        let out = open.iter().zip(&self.out).map(|(from, weight)| from * weight);
        self.bias + out.sum::<f32>()
    }
}
