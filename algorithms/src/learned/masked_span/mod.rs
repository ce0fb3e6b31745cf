//! Masked span prediction (Bogatinovski, Nedelkoski, Cardoso, Kao, UCC 2020): which span should stand here?
//!
//! An [`Encoder`](encoder::Encoder) is taught on normal traces to say what stands under a mask from both sides, and what comes next
//! from the left side. Asked about a trace it says how probable each of its spans is in its place. One network for all kinds of
//! requests; a trace longer than a window is read in windows that overlap by half.
//!
//! Different from the paper: the second way of reading, since a trace that ends early has no span that could be masked; embedding
//! of depth and caller; traces with the same calls are learnt 1 + log₂ n times an epoch, not n times; and the score is the
//! largest −ln p, since a share of errors drowns one wrong span in a long trace. The paper's score is there too.

mod encoder;
mod fitting;
mod scoring;
mod tokens;
mod trace_model;

pub use encoder::EncoderShape;
pub use fitting::{MaskedSpanOptions, MaskedSpanPredictor};
pub use scoring::{FittedMaskedSpan, SequenceScores};
pub use trace_model::{FittedTraces, UnfittedTraces};

#[cfg(test)]
mod tests;
