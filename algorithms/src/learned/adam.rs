//! AdamW (Loshchilov and Hutter 2019), over variables in a fixed order.
//!
//! Its own, because it works on plain numbers in place where candle's makes ten tensors a variable and step, and
//! because its epsilon is that of the network we take over.

use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor, Var};

use super::LearnedError;

/// Shares of the old in the running means of gradients and of their squares: the paper's.
const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;
/// Keeps a step finite where gradients vanish: Keras's value, with which the network we take over was fitted.
const EPSILON: f32 = 1e-7;

pub(super) struct AdamW {
    rate: f32,
    decay: f32,
    /// Largest norm of all gradients together; larger ones are shortened to it.
    clip: f32,
    step: i32,
    /// Means of gradients and of their squares, a variable each.
    moments: Vec<(Vec<f32>, Vec<f32>)>,
}

impl AdamW {
    pub(super) fn new(variables: &[&Var], rate: f64, decay: f64) -> Self {
        let zeros = |var: &&Var| (vec![0.0; var.elem_count()], vec![0.0; var.elem_count()]);
        Self {
            rate: rate as f32,
            decay: decay as f32,
            clip: f32::INFINITY,
            step: 0,
            moments: variables.iter().map(zeros).collect(),
        }
    }

    /// The same with gradients that are shortened to a norm (Pascanu, Mikolov, Bengio 2013).
    pub(super) fn clipped(self, clip: f32) -> Self {
        Self { clip, ..self }
    }

    /// Goes on with another step size.
    pub(super) fn set_rate(&mut self, rate: f64) {
        self.rate = rate as f32;
    }

    /// What gradients are multiplied by to be short enough.
    fn shortening(&self, variables: &[&Var], gradients: &GradStore) -> Result<f32, LearnedError> {
        if self.clip.is_infinite() {
            return Ok(1.0);
        }
        let mut squares = 0.0;
        for gradient in variables.iter().filter_map(|var| gradients.get(var)) {
            squares += gradient.sqr()?.sum_all()?.to_scalar::<f32>()?;
        }
        Ok((self.clip / squares.sqrt().max(f32::MIN_POSITIVE)).min(1.0))
    }

    /// One step against the gradients. A variable without one stays as it is.
    pub(super) fn step(&mut self, variables: &[&Var], gradients: &GradStore) -> Result<(), LearnedError> {
        self.step += 1;
        let shortened = self.shortening(variables, gradients)?;
        let first = 1.0 - BETA_1.powi(self.step);
        let second = 1.0 - BETA_2.powi(self.step);
        for (var, (means, squares)) in variables.iter().zip(&mut self.moments) {
            let Some(gradient) = gradients.get(var) else {
                continue;
            };
            let gradient = gradient.flatten_all()?.to_vec1::<f32>()?;
            let mut numbers = var.flatten_all()?.to_vec1::<f32>()?;
            for (((number, gradient), mean), square) in
                numbers.iter_mut().zip(gradient).zip(means).zip(squares)
            {
                let gradient = gradient * shortened;
                *mean = BETA_1 * *mean + (1.0 - BETA_1) * gradient;
                *square = BETA_2 * *square + (1.0 - BETA_2) * gradient * gradient;
                let towards = (*mean / first) / ((*square / second).sqrt() + EPSILON);
                *number -= self.rate * (towards + self.decay * *number);
            }
            var.set(&Tensor::from_vec(numbers, var.shape(), &Device::Cpu)?)?;
        }
        Ok(())
    }
}
