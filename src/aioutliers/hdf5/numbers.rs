//! What a dataset holds.

/// Numbers and their shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Hdf5Numbers {
    /// Lengths of the axes, outermost first; none for a single number.
    pub shape: Vec<usize>,
    /// As many as the product of `shape`.
    pub data: Vec<f32>,
}
