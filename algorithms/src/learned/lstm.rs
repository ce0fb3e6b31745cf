//! A long short-term memory over whole sequences, as one operation with its own way back.
//!
//! Written out of candle's small operations the two networks of a sequence autoencoder are thousands of nodes a batch,
//! and most of the time goes into making them. Here a sequence is one node: the forward pass keeps the gates, the
//! backward pass goes through time once. A test holds both against candle's own operations.
//!
//! z = x·W + b + h·U; i, f, g, o = σ, σ, tanh, σ of the quarters of z; c = f·c + i·g; h = o·tanh c (Hochreiter and
//! Schmidhuber 1997, with the forget gate of Gers 2000). The part x·W + b comes in as `[batch, time, 4·units]`, U is
//! `[units, 4·units]`, and all h go out as `[batch, time, units]`.

use std::sync::Mutex;

use candle_core::{CpuStorage, CustomOp2, Device, Error, Layout, Result, Shape, Tensor};

/// The recurrence. One value serves one forward pass and its way back.
#[derive(Default)]
pub(super) struct Lstm {
    /// What the forward pass leaves for the backward pass; held for the moment of a move.
    kept: Mutex<Option<LstmTrace>>,
}

struct LstmTrace {
    /// Activated gates `[batch, time, 4·units]`.
    gates: Vec<f32>,
    /// Cells `[batch, time, units]`.
    cells: Vec<f32>,
}

fn slice<'s>(storage: &'s CpuStorage, layout: &Layout) -> Result<&'s [f32]> {
    let (from, to) = layout
        .contiguous_offsets()
        .ok_or_else(|| Error::Msg("the memory needs contiguous input".to_owned()))?;
    match storage {
        CpuStorage::F32(numbers) => Ok(&numbers[from..to]),
        _ => Err(Error::Msg("the memory needs f32".to_owned())),
    }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// `into[j] += sum over k of factors[k] · rows[k][j]`, four rows at a time.
fn add_product(into: &mut [f32], factors: &[f32], rows: &[f32]) {
    let width = into.len();
    for (four, block) in factors.chunks(4).zip(rows.chunks(4 * width)) {
        if let [a, b, c, d] = *four {
            let (first, rest) = block.split_at(width);
            let (second, rest) = rest.split_at(width);
            let (third, fourth) = rest.split_at(width);
            for ((((into, p), q), r), s) in into.iter_mut().zip(first).zip(second).zip(third).zip(fourth) {
                *into += (a * p + b * q) + (c * r + d * s);
            }
        } else {
            for (factor, row) in four.iter().zip(block.chunks(width)) {
                for (into, number) in into.iter_mut().zip(row) {
                    *into += factor * number;
                }
            }
        }
    }
}

impl CustomOp2 for Lstm {
    fn name(&self) -> &'static str {
        "lstm"
    }

    fn cpu_fwd(
        &self,
        inputs: &CpuStorage,
        input_layout: &Layout,
        recurrent: &CpuStorage,
        recurrent_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (batch, time, four) = input_layout.shape().dims3()?;
        let (units, _) = recurrent_layout.shape().dims2()?;
        let mut gates = slice(inputs, input_layout)?.to_vec();
        let recurrent = slice(recurrent, recurrent_layout)?;
        let mut cells = vec![0.0; batch * time * units];
        let mut hidden = vec![0.0; batch * time * units];
        let zero = vec![0.0; units];
        for (sequence, gates) in gates.chunks_mut(time * four).enumerate() {
            let here = sequence * time * units..(sequence + 1) * time * units;
            let (cells, hidden) = (&mut cells[here.clone()], &mut hidden[here]);
            for (step, z) in gates.chunks_mut(four).enumerate() {
                let (cells_before, cells_now) = cells.split_at_mut(step * units);
                let (hidden_before, hidden_now) = hidden.split_at_mut(step * units);
                let before = hidden_before.rchunks(units).next().unwrap_or(&zero);
                add_product(z, before, recurrent);
                let (sigmoids, rest) = z.split_at_mut(2 * units);
                let (tanhs, outputs) = rest.split_at_mut(units);
                sigmoids.iter_mut().for_each(|x| *x = sigmoid(*x));
                tanhs.iter_mut().for_each(|x| *x = x.tanh());
                outputs.iter_mut().for_each(|x| *x = sigmoid(*x));
                let before = cells_before.rchunks(units).next().unwrap_or(&zero);
                for unit in 0..units {
                    let cell = sigmoids[units + unit] * before[unit] + sigmoids[unit] * tanhs[unit];
                    cells_now[unit] = cell;
                    hidden_now[unit] = outputs[unit] * cell.tanh();
                }
            }
        }
        if let Ok(mut kept) = self.kept.lock() {
            *kept = Some(LstmTrace { gates, cells });
        }
        Ok((CpuStorage::F32(hidden), Shape::from((batch, time, units))))
    }

    fn bwd(
        &self,
        inputs: &Tensor,
        recurrent: &Tensor,
        hidden: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let kept = self.kept.lock().ok().and_then(|mut kept| kept.take());
        let LstmTrace { gates, cells } =
            kept.ok_or_else(|| Error::Msg("a memory goes back once only".to_owned()))?;
        let (batch, time, four) = inputs.dims3()?;
        let units = recurrent.dim(0)?;
        let transposed = recurrent.t()?.contiguous()?.flatten_all()?.to_vec1::<f32>()?;
        let gradient = gradient.contiguous()?.flatten_all()?.to_vec1::<f32>()?;
        let mut to_gates = vec![0.0; batch * time * four];
        let (mut to_cell, mut to_hidden) = (vec![0.0; units], vec![0.0; units]);
        let zero = vec![0.0; units];
        for sequence in 0..batch {
            to_cell.fill(0.0);
            to_hidden.fill(0.0);
            for step in (0..time).rev() {
                let at = sequence * time + step;
                let gate = &gates[at * four..(at + 1) * four];
                let cell = &cells[at * units..(at + 1) * units];
                let before = if step == 0 {
                    &zero
                } else {
                    &cells[(at - 1) * units..at * units]
                };
                let out = &gradient[at * units..(at + 1) * units];
                let to = &mut to_gates[at * four..(at + 1) * four];
                for unit in 0..units {
                    let (i, f) = (gate[unit], gate[units + unit]);
                    let (g, o) = (gate[2 * units + unit], gate[3 * units + unit]);
                    let squashed = cell[unit].tanh();
                    let back = out[unit] + to_hidden[unit];
                    let carried = back * o * (1.0 - squashed * squashed) + to_cell[unit];
                    to[unit] = carried * g * i * (1.0 - i);
                    to[units + unit] = carried * before[unit] * f * (1.0 - f);
                    to[2 * units + unit] = carried * i * (1.0 - g * g);
                    to[3 * units + unit] = back * squashed * o * (1.0 - o);
                    to_cell[unit] = carried * f;
                }
                to_hidden.fill(0.0);
                add_product(&mut to_hidden, to, &transposed);
            }
        }
        let to_gates = Tensor::from_vec(to_gates, (batch, time, four), &Device::Cpu)?;
        // What each step got from the one before it: hidden states, one later.
        let first = Tensor::zeros((batch, 1, units), hidden.dtype(), &Device::Cpu)?;
        let earlier = match time {
            1 => first,
            _ => Tensor::cat(&[&first, &hidden.narrow(1, 0, time - 1)?], 1)?,
        };
        let earlier = earlier.reshape((batch * time, units))?;
        let to_recurrent = earlier.t()?.matmul(&to_gates.reshape((batch * time, four))?)?;
        Ok((Some(to_gates), Some(to_recurrent)))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Var;

    use super::*;
    use crate::random::Random;

    fn numbers(shape: &[usize], random: &mut Random) -> Var {
        let data: Vec<f32> = (0..shape.iter().product())
            .map(|_| random.normal() as f32)
            .collect();
        Var::from_tensor(&Tensor::from_vec(data, shape, &Device::Cpu).unwrap()).unwrap()
    }

    /// The same out of candle's own operations.
    fn plain(inputs: &Tensor, recurrent: &Tensor) -> Tensor {
        let (batch, time, _) = inputs.dims3().unwrap();
        let units = recurrent.dim(0).unwrap();
        let mut h = Tensor::zeros((batch, units), candle_core::DType::F32, &Device::Cpu).unwrap();
        let mut c = h.clone();
        let sigmoid = |x: Tensor| (x.neg().unwrap().exp().unwrap() + 1.0).unwrap().recip().unwrap();
        let mut all = Vec::new();
        for step in 0..time {
            let x = inputs.narrow(1, step, 1).unwrap().squeeze(1).unwrap();
            let z = (x + h.matmul(recurrent).unwrap()).unwrap();
            let part = |n: usize| z.narrow(1, n * units, units).unwrap();
            let (i, f, o) = (sigmoid(part(0)), sigmoid(part(1)), sigmoid(part(3)));
            let g = part(2).tanh().unwrap();
            c = ((f * &c).unwrap() + (i * g).unwrap()).unwrap();
            h = (o * c.tanh().unwrap()).unwrap();
            all.push(h.clone());
        }
        Tensor::stack(&all, 1).unwrap()
    }

    #[test]
    fn forward_and_back_are_those_of_small_operations() {
        let mut random = Random::new(7);
        for (batch, time, units) in [(3, 5, 6), (1, 1, 4), (2, 9, 3)] {
            let inputs = numbers(&[batch, time, 4 * units], &mut random);
            let recurrent = numbers(&[units, 4 * units], &mut random);
            let weight = numbers(&[batch, time, units], &mut random);
            let one = inputs.apply_op2(&recurrent, Lstm::default()).unwrap();
            let many = plain(&inputs, &recurrent);
            close(&one, &many);
            let loss = |out: &Tensor| (out * weight.as_tensor()).unwrap().sum_all().unwrap();
            let (ours, theirs) = (loss(&one).backward().unwrap(), loss(&many).backward().unwrap());
            for var in [&inputs, &recurrent] {
                close(ours.get(var).unwrap(), theirs.get(var).unwrap());
            }
        }
    }

    fn close(a: &Tensor, b: &Tensor) {
        let flat = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for (a, b) in flat(a).into_iter().zip(flat(b)) {
            assert!((a - b).abs() <= 1e-4 * (1.0 + b.abs()), "{a} {b}");
        }
    }
}
