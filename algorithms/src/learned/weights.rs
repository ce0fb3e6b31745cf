//! Weights without a framework: names, shapes and numbers.

use std::collections::BTreeMap;

use candle_core::Tensor;

use super::LearnedError;

/// Numbers and their shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor32 {
    /// Lengths of the axes, outermost first.
    pub shape: Vec<usize>,
    /// As many numbers as the product of `shape`.
    pub data: Vec<f32>,
}

/// All numbers a fitted model is made of, by name; in order, so that what is written of them is always the same.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Weights(pub BTreeMap<String, Tensor32>);

impl Weights {
    /// The numbers under `name`, which must have `shape` and be finite.
    pub(super) fn take(&self, name: &str, shape: &[usize]) -> Result<&[f32], LearnedError> {
        let wrong = |why: String| LearnedError::Weights {
            name: name.to_owned(),
            why,
        };
        let tensor = self.0.get(name).ok_or_else(|| wrong("are missing".to_owned()))?;
        if tensor.shape != shape || tensor.data.len() != shape.iter().product::<usize>() {
            return Err(wrong(format!("have shape {:?}, not {shape:?}", tensor.shape)));
        }
        if tensor.data.iter().any(|number| !number.is_finite()) {
            return Err(wrong("are not all finite".to_owned()));
        }
        Ok(&tensor.data)
    }

    pub(super) fn put(&mut self, name: &str, shape: &[usize], data: Vec<f32>) {
        let shape = shape.to_vec();
        self.0.insert(name.to_owned(), Tensor32 { shape, data });
    }

    pub(super) fn put_tensor(&mut self, name: &str, tensor: &Tensor) -> Result<(), LearnedError> {
        let data = tensor.flatten_all()?.to_vec1::<f32>()?;
        self.put(name, tensor.dims(), data);
        Ok(())
    }
}
