//! Softmax and layer norm, each one pass over its numbers forward and one back.
//!
//! Written out of small operations they are ten passes over memory, which were most of what fitting an encoder took; candle's own
//! fused forms have no way back.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};

/// Which numbers of a row take part; the others get no share.
#[derive(Debug, Clone)]
pub(super) enum SeenPlaces {
    /// All.
    All,
    /// Of the rows of squares, one square after the other: the first in the first row, one more in each.
    Before,
    /// The first so many, for so many rows each.
    First {
        /// How many.
        counts: Vec<usize>,
        /// Rows that one of them holds for.
        rows: usize,
    },
}

impl SeenPlaces {
    fn of_row(&self, row: usize, length: usize) -> usize {
        match self {
            Self::All => length,
            Self::Before => row % length + 1,
            Self::First { counts, rows } => counts.get(row / rows).map_or(length, |count| length.min(*count)),
        }
    }
}

/// Softmax over the last axis, of those that are seen.
pub(super) fn softmax(x: &Tensor, seen: SeenPlaces) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Softmax { seen })
}

/// (x − mean) / √(variance + `epsilon`) over the last axis (Ba, Kiros, Hinton 2016).
pub(super) fn normalise(x: &Tensor, epsilon: f32) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Normalise { epsilon })
}

/// The numbers of a contiguous tensor, and the length of its last axis.
fn rows<'s>(storage: &'s CpuStorage, layout: &Layout) -> Result<(&'s [f32], usize)> {
    let CpuStorage::F32(numbers) = storage else {
        bail!("numbers are not of 32 bits");
    };
    match (layout.contiguous_offsets(), layout.dims().last()) {
        (Some((from, to)), Some(&length)) if length > 0 => Ok((&numbers[from..to], length)),
        _ => bail!("there are no rows in {layout:?}"),
    }
}

/// Works out each row of what comes out, from its number and the row that goes in.
fn by_rows(
    storage: &CpuStorage,
    layout: &Layout,
    mut work: impl FnMut(usize, &[f32], &mut [f32]),
) -> Result<(CpuStorage, Shape)> {
    let (numbers, length) = rows(storage, layout)?;
    let mut out = vec![0.0; numbers.len()];
    let pairs = numbers.chunks_exact(length).zip(out.chunks_exact_mut(length));
    for (row, (numbers, out)) in pairs.enumerate() {
        work(row, numbers, out);
    }
    Ok((CpuStorage::F32(out), layout.shape().clone()))
}

/// Works out each row of what goes back, from the row that is known and the gradients by it.
fn back_by_rows(
    (storage, layout): (&CpuStorage, &Layout),
    (gradients, gradients_layout): (&CpuStorage, &Layout),
    work: impl Fn(&[f32], &[f32], &mut [f32]),
) -> Result<(CpuStorage, Shape)> {
    let (gradients, length) = rows(gradients, gradients_layout)?;
    by_rows(storage, layout, |row, known, out| {
        work(known, &gradients[row * length..][..length], out);
    })
}

/// See [`softmax`].
struct Softmax {
    seen: SeenPlaces,
}

impl CustomOp1 for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        by_rows(storage, layout, |row, x, out| {
            let seen = self.seen.of_row(row, x.len());
            let largest = x[..seen].iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let mut sum = 0.0;
            for (out, x) in out[..seen].iter_mut().zip(x) {
                *out = (x - largest).exp();
                sum += *out;
            }
            out[..seen].iter_mut().for_each(|share| *share /= sum);
        })
    }

    fn bwd(&self, _: &Tensor, shares: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let back = shares.apply_op2_no_bwd(&gradient.contiguous()?, &SoftmaxBack)?;
        Ok(Some(back))
    }
}

/// From shares y and the gradient g by them: y·(g − Σ y·g). What has no share has no gradient.
struct SoftmaxBack;

impl CustomOp2 for SoftmaxBack {
    fn name(&self) -> &'static str {
        "softmax-back"
    }

    fn cpu_fwd(
        &self,
        storage: &CpuStorage,
        layout: &Layout,
        gradients: &CpuStorage,
        gradients_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let known = (storage, layout);
        back_by_rows(known, (gradients, gradients_layout), |shares, gradients, out| {
            let mean: f32 = shares.iter().zip(gradients).map(|(y, g)| y * g).sum();
            for ((out, y), g) in out.iter_mut().zip(shares).zip(gradients) {
                *out = y * (g - mean);
            }
        })
    }
}

/// Mean, and 1 / √(variance + `epsilon`), of a row.
fn moments(x: &[f32], epsilon: f32) -> (f32, f32) {
    let count = x.len() as f32;
    let mean = x.iter().sum::<f32>() / count;
    let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / count;
    (mean, 1.0 / (variance + epsilon).sqrt())
}

/// See [`normalise`].
struct Normalise {
    epsilon: f32,
}

impl CustomOp1 for Normalise {
    fn name(&self) -> &'static str {
        "normalise"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        by_rows(storage, layout, |_, x, out| {
            let (mean, scale) = moments(x, self.epsilon);
            for (out, x) in out.iter_mut().zip(x) {
                *out = (x - mean) * scale;
            }
        })
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let back = NormaliseBack {
            epsilon: self.epsilon,
        };
        Ok(Some(x.apply_op2_no_bwd(&gradient.contiguous()?, &back)?))
    }
}

/// From x, normalised z, and the gradient g by z: (g − mean g − z·mean(z·g)) / √(variance + `epsilon`).
struct NormaliseBack {
    epsilon: f32,
}

impl CustomOp2 for NormaliseBack {
    fn name(&self) -> &'static str {
        "normalise-back"
    }

    fn cpu_fwd(
        &self,
        storage: &CpuStorage,
        layout: &Layout,
        gradients: &CpuStorage,
        gradients_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let known = (storage, layout);
        back_by_rows(known, (gradients, gradients_layout), |x, gradients, out| {
            let count = x.len() as f32;
            let (mean, scale) = moments(x, self.epsilon);
            let level = gradients.iter().sum::<f32>() / count;
            let slope = x.iter().zip(gradients).map(|(x, g)| (x - mean) * scale * g);
            let slope = slope.sum::<f32>() / count;
            for ((out, x), g) in out.iter_mut().zip(x).zip(gradients) {
                *out = scale * (g - level - (x - mean) * scale * slope);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{D, Device, Var};

    use super::*;
    use crate::random::Random;

    fn numbers(shape: (usize, usize, usize), seed: u64) -> Tensor {
        let mut random = Random::new(seed);
        let all: Vec<f32> = (0..shape.0 * shape.1 * shape.2)
            .map(|_| random.normal() as f32)
            .collect();
        Tensor::from_vec(all, shape, &Device::Cpu).unwrap()
    }

    /// Largest difference between two ways, of what comes out and of the gradient by what went in.
    fn differ(
        one: impl Fn(&Tensor) -> Result<Tensor>,
        other: impl Fn(&Tensor) -> Result<Tensor>,
    ) -> (f32, f32) {
        let x = Var::from_tensor(&numbers((3, 5, 5), 1)).unwrap();
        let weights = numbers((3, 5, 5), 2);
        let both = |f: &dyn Fn(&Tensor) -> Result<Tensor>| -> Result<(Tensor, Tensor)> {
            let out = f(x.as_tensor())?;
            let gradients = (&out * &weights)?.sum_all()?.backward()?;
            Ok((out, gradients.get(&x).expect("a way back").clone()))
        };
        let (one, other) = (both(&one).unwrap(), both(&other).unwrap());
        let most = |a: &Tensor, b: &Tensor| {
            let apart = (a - b)
                .unwrap()
                .abs()
                .unwrap()
                .flatten_all()
                .unwrap()
                .max(0)
                .unwrap();
            apart.to_scalar::<f32>().unwrap()
        };
        (most(&one.0, &other.0), most(&one.1, &other.1))
    }

    #[test]
    fn both_are_what_small_operations_give_and_so_are_their_gradients() {
        let small = |x: &Tensor| {
            let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
            let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
            centred.broadcast_div(&(variance + 1e-3)?.sqrt()?)
        };
        let (out, gradient) = differ(|x| normalise(x, 1e-3), small);
        assert!(out < 1e-5 && gradient < 1e-4, "{out} {gradient}");

        // What is barred is −∞ to the small operations.
        let barred = |bar: fn(usize, usize, usize) -> bool| {
            move |x: &Tensor| {
                let place = |at: usize| bar(at / 25, at / 5 % 5, at % 5);
                let bars = (0..75).map(|at| if place(at) { -1e9_f32 } else { 0.0 }).collect();
                let x = (x + Tensor::from_vec(bars, (3, 5, 5), &Device::Cpu)?)?;
                let exps = x.broadcast_sub(&x.max_keepdim(D::Minus1)?.detach())?.exp()?;
                exps.broadcast_div(&exps.sum_keepdim(D::Minus1)?)
            }
        };
        let counts = || SeenPlaces::First {
            counts: vec![5, 2, 1],
            rows: 5,
        };
        for (out, gradient) in [
            differ(|x| softmax(x, SeenPlaces::All), barred(|_, _, _| false)),
            differ(
                |x| softmax(x, SeenPlaces::Before),
                barred(|_, row, place| place > row),
            ),
            differ(
                |x| softmax(x, counts()),
                barred(|square, _, place| place >= [5, 2, 1][square]),
            ),
        ] {
            assert!(out < 1e-6 && gradient < 1e-5, "{out} {gradient}");
        }
    }

    #[test]
    fn numbers_of_another_kind_are_refused() {
        let x = Tensor::zeros((2, 2), candle_core::DType::F64, &Device::Cpu).unwrap();
        assert!(softmax(&x, SeenPlaces::All).is_err() && normalise(&x, 1e-3).is_err());
    }
}
