//! The layers of the sequence autoencoder, and what goes through them.

use candle_core::{Device, Tensor};

use super::fused::{SeenPlaces, softmax};
use super::layers::{Start, Variables, dropout, sigmoid};
use super::lstm::Lstm;
use super::table::{CALENDAR, WINDOW};
use super::{LearnedError, Weights};
use crate::random::Random;

/// Numbers a sequence is pressed into, and width of all layers.
const UNITS: usize = 24;
/// Share of numbers dropped while learning; spread of the noise on the code; weight of the penalties; share of the old in the
/// running moments of the batch norm: all the original's.
const DROPOUT: f64 = 0.15;
const NOISE: f64 = 1e-3;
const PENALTY: f64 = 1e-3;
const MOMENTUM: f64 = 0.99;
/// Windows that go through the network together when nothing is learnt: a few megabytes at a time.
const ASKED_TOGETHER: usize = 128;

/// The layers; shapes follow from the number of metric columns.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) columns: Vec<String>,
    pub(super) variables: Variables,
    /// Running mean and variance of the batch norm.
    pub(super) mean: Tensor,
    pub(super) variance: Tensor,
}

impl std::fmt::Debug for Variables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

pub(super) fn shapes(metrics: usize) -> Vec<(String, Vec<usize>, Start)> {
    let width = metrics + CALENDAR;
    let mut all = Vec::new();
    let mut norm = |name: &str, width: usize| {
        all.push((format!("{name}.gain"), vec![width], Start::Ones));
        all.push((format!("{name}.shift"), vec![width], Start::Zeros));
    };
    norm("input_norm", width);
    norm("read_norm", UNITS);
    norm("code_norm", UNITS);
    let mut dense = |name: &str, from: usize, to: usize, bias: Start| {
        all.push((format!("{name}.weight"), vec![from, to], Start::Glorot));
        all.push((format!("{name}.bias"), vec![to], bias));
    };
    dense("first", width, UNITS, Start::Zeros);
    dense("second", UNITS, UNITS, Start::Zeros);
    dense("reader", UNITS, 4 * UNITS, Start::ForgetGate);
    dense("writer", UNITS, 4 * UNITS, Start::ForgetGate);
    dense("third", UNITS, UNITS, Start::Zeros);
    dense("minute", UNITS, 1, Start::Zeros);
    dense("weekday", UNITS, 7, Start::Zeros);
    dense("granularity", UNITS, 1, Start::Zeros);
    dense("metrics", UNITS + CALENDAR, metrics, Start::Zeros);
    for memory in ["reader", "writer"] {
        all.push((
            format!("{memory}.recurrent"),
            vec![UNITS, 4 * UNITS],
            Start::Orthogonal,
        ));
    }
    all
}

impl Network {
    pub(super) fn start(columns: Vec<String>, seed: u64) -> Result<Self, LearnedError> {
        let width = columns.len() + CALENDAR;
        Ok(Self {
            variables: Variables::start(&shapes(columns.len()), seed)?,
            mean: Tensor::zeros(width, candle_core::DType::F32, &Device::Cpu)?,
            variance: Tensor::ones(width, candle_core::DType::F32, &Device::Cpu)?,
            columns,
        })
    }

    pub(super) fn load(columns: Vec<String>, weights: &Weights) -> Result<Self, LearnedError> {
        let width = columns.len() + CALENDAR;
        let running = |name: &str| -> Result<Tensor, LearnedError> {
            Ok(Tensor::from_slice(
                weights.take(name, &[width])?,
                width,
                &Device::Cpu,
            )?)
        };
        Ok(Self {
            variables: Variables::load(&shapes(columns.len()), weights)?,
            mean: running("input_norm.mean")?,
            variance: running("input_norm.variance")?,
            columns,
        })
    }

    pub(super) fn save(&self) -> Result<Weights, LearnedError> {
        let mut weights = Weights::default();
        self.variables.save(&mut weights)?;
        weights.put_tensor("input_norm.mean", &self.mean)?;
        weights.put_tensor("input_norm.variance", &self.variance)?;
        Ok(weights)
    }

    /// Mean and variance of a batch, `[windows, time, width]`, and lets the running ones follow them.
    pub(super) fn take_moments(&mut self, x: &Tensor) -> candle_core::Result<(Tensor, Tensor)> {
        let mean = x.mean((0, 1))?;
        let variance = x.broadcast_sub(&mean)?.sqr()?.mean((0, 1))?;
        let blend = |old: &Tensor, new: &Tensor| (old * MOMENTUM)? + (new.detach() * (1.0 - MOMENTUM))?;
        self.mean = blend(&self.mean, &mean)?;
        self.variance = blend(&self.variance, &variance)?;
        Ok((mean, variance))
    }

    /// Reconstructs `x` `[windows, time, width]` with these moments; with `learning` as it is done while learning. The
    /// second answer is the penalty on what the memories say.
    pub(super) fn forward(
        &self,
        x: &Tensor,
        (mean, variance): (&Tensor, &Tensor),
        mut learning: Option<&mut Random>,
    ) -> candle_core::Result<(Tensor, Tensor)> {
        let (windows, time, _) = x.dims3()?;
        let normed = self.variables.batch_norm("input_norm", x, mean, variance)?;
        let net = &self.variables;
        let mut hidden = net.dense("first", &normed)?.gelu_erf()?;
        if let Some(random) = learning.as_deref_mut() {
            hidden = dropout(&hidden, DROPOUT, random)?;
        }
        let hidden = net.dense("second", &hidden)?.gelu_erf()?;
        let hidden = net.layer_norm("read_norm", &hidden)?;
        let read = remember(net, "reader", &hidden)?;
        let code = read.narrow(1, time - 1, 1)?.squeeze(1)?.contiguous()?;
        let mut penalty = code.sqr()?.sum_all()?;
        let mut code = net.layer_norm("code_norm", &code)?;
        if let Some(random) = learning.as_deref_mut() {
            let noise: Vec<f32> = (0..windows * UNITS)
                .map(|_| (NOISE * random.normal()) as f32)
                .collect();
            code = (code + Tensor::from_vec(noise, (windows, UNITS), &Device::Cpu)?)?;
        }
        let inputs = net.dense("writer", &code)?.unsqueeze(1)?;
        let inputs = inputs.broadcast_as((windows, time, 4 * UNITS))?.contiguous()?;
        let written = inputs.apply_op2(net.get("writer.recurrent")?, Lstm::default())?;
        penalty = (penalty + written.sqr()?.sum_all()?)?;
        let hidden = net.dense("third", &written)?.gelu_erf()?;
        let minute = sigmoid(&net.dense("minute", &hidden)?)?;
        let weekday = softmax(&net.dense("weekday", &hidden)?, SeenPlaces::All)?;
        let granularity = sigmoid(&net.dense("granularity", &hidden)?)?;
        let seen = match learning {
            Some(random) => dropout(&hidden, DROPOUT, random)?,
            None => hidden,
        };
        let seen = Tensor::cat(&[&seen, &minute, &weekday, &granularity], 2)?;
        let metrics = sigmoid(&net.dense("metrics", &seen)?)?;
        let out = Tensor::cat(&[&metrics, &granularity, &minute, &weekday], 2)?;
        Ok((out, (penalty * (PENALTY / windows as f64))?))
    }

    /// Penalty on the heads' biases.
    pub(super) fn bias_penalty(&self) -> candle_core::Result<Tensor> {
        let mut sum = Tensor::zeros((), candle_core::DType::F32, &Device::Cpu)?;
        for head in ["minute", "weekday", "granularity", "metrics"] {
            sum = (sum + self.variables.get(&format!("{head}.bias"))?.sqr()?.sum_all()?)?;
        }
        sum * PENALTY
    }

    /// The whole loss of a batch, as it is learnt.
    pub(super) fn loss(&mut self, x: &Tensor, random: &mut Random) -> candle_core::Result<Tensor> {
        let (mean, variance) = self.take_moments(x)?;
        let (out, penalty) = self.forward(x, (&mean, &variance), Some(random))?;
        let error = (out - x)?.abs()?.mean_all()?;
        (error + penalty)? + self.bias_penalty()?
    }

    /// Reconstructions of windows of `width` numbers a row, one after the other.
    pub(super) fn reconstruct(&self, windows: &[&[f32]], width: usize) -> Result<Vec<f32>, LearnedError> {
        let mut all = Vec::with_capacity(windows.len() * WINDOW * width);
        for some in windows.chunks(ASKED_TOGETHER) {
            let x = batch(some, width)?;
            let (said, _) = self.forward(&x, (&self.mean, &self.variance), None)?;
            all.extend(said.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(all)
    }
}

/// All that a memory says about `x` `[windows, time, units]`.
fn remember(net: &Variables, memory: &str, x: &Tensor) -> candle_core::Result<Tensor> {
    let inputs = net.dense(memory, x)?;
    inputs.apply_op2(net.get(&format!("{memory}.recurrent"))?, Lstm::default())
}

/// Windows of `width` numbers a row as one tensor.
pub(super) fn batch(windows: &[&[f32]], width: usize) -> candle_core::Result<Tensor> {
    Tensor::from_vec(windows.concat(), (windows.len(), WINDOW, width), &Device::Cpu)
}
