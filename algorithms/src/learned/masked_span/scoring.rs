//! What a fitted network makes of a trace.

use candle_core::{D, Tensor};

use super::encoder::{ContextSides, Encoder, EncoderShape, TokenBatch};
use super::tokens::{FIRST_TEMPLATE, STOP, TokenWindow};
use crate::learned::{LearnedError, Weights};
use crate::traces::{Misfit, SpanPredictor, SpanSequence};

/// In how many passes all places are masked, an eighth in each: about the share that was masked while learning.
const PASSES: usize = 8;
/// Largest −ln p; what is less probable than 10⁻¹³ is as wrong as anything.
const MOST: f32 = 30.0;
/// Templates named as expected.
const NAMED: usize = 4;
/// Places whose −ln p make the score.
const LARGEST: usize = 3;
/// The paper's k: a span is an error if it is not among so many most probable ones.
const TOP: usize = 3;
/// Spans of a trace that are looked at, at most: some seconds of work.
const MOST_SPANS: usize = 8_192;

/// A network that can judge.
#[derive(Debug)]
pub struct FittedMaskedSpan {
    encoder: Encoder,
}

/// What is made of a whole trace.
#[derive(Debug, Clone, PartialEq)]
pub struct SequenceScores {
    /// Mean of the three largest −ln p over spans under masks and next spans.
    pub largest: f64,
    /// The same of masked spans alone.
    pub largest_masked: f64,
    /// The same of next spans alone.
    pub largest_next: f64,
    /// Mean −ln p of masked spans.
    pub mean: f64,
    /// The paper's score: share of masked spans that are not among the three most probable.
    pub errors: f64,
    /// The place with the largest −ln p of both ways of reading, which is the score that verdicts use.
    pub worst: Option<Misfit>,
}

/// One place that was asked about.
struct Asked {
    span: Option<u32>,
    surprise: f32,
    is_error: bool,
    masked: bool,
    /// Row of probabilities, kept for the worst only.
    row: Vec<f32>,
}

impl FittedMaskedSpan {
    pub(super) fn new(encoder: Encoder) -> Self {
        Self { encoder }
    }

    /// A network out of what was kept of one.
    ///
    /// # Errors
    /// [`LearnedError::Weights`] for weights that are missing, of another shape or not finite, or a shape that cannot be.
    pub fn from_weights(
        shape: EncoderShape,
        templates: usize,
        weights: &Weights,
    ) -> Result<Self, LearnedError> {
        let sizes = [shape.width, shape.heads, shape.layers, shape.inner, shape.window];
        if sizes.iter().any(|size| !(1..=4_096).contains(size)) || !shape.width.is_multiple_of(shape.heads) {
            return Err(LearnedError::Weights {
                name: "shape".to_owned(),
                why: format!("{shape:?} cannot be"),
            });
        }
        let encoder = Encoder::load(shape, templates + FIRST_TEMPLATE as usize, weights)?;
        Ok(Self { encoder })
    }

    /// All that must be kept beside the shape and the number of templates.
    ///
    /// # Errors
    /// [`LearnedError::Compute`].
    pub fn weights(&self) -> Result<Weights, LearnedError> {
        let mut weights = Weights::default();
        self.encoder.variables.save(&mut weights)?;
        Ok(weights)
    }

    /// Its sizes.
    #[must_use]
    pub fn shape(&self) -> EncoderShape {
        self.encoder.shape
    }

    /// Templates it knows; those with larger numbers are unknown to it.
    #[must_use]
    pub fn templates(&self) -> usize {
        self.encoder.symbols - FIRST_TEMPLATE as usize
    }

    /// Judges a trace, its first 8,192 spans. Blocks for about 50 µs a span.
    ///
    /// # Errors
    /// [`LearnedError::Compute`], which would be a defect.
    pub fn score(&self, sequence: &SpanSequence) -> Result<SequenceScores, LearnedError> {
        let window = self.encoder.shape.window;
        let mut windows = TokenWindow::windows(sequence, self.templates(), window);
        windows.truncate((MOST_SPANS / (window / 2).max(1)).max(1));
        let many = windows.len();
        let mut asked = Vec::new();
        for (number, tokens) in windows.iter().enumerate() {
            // Of what two windows hold, each judges the half that is nearer to its middle.
            let first = if number == 0 { 0 } else { window / 4 };
            let end = if number + 1 == many {
                tokens.len()
            } else {
                window - window / 4
            };
            self.ask_masked(tokens, first..end.min(tokens.len()), &mut asked)?;
            self.ask_next(tokens, first..end.min(tokens.len()), &mut asked)?;
        }
        Ok(summarise(asked))
    }

    fn ask_masked(
        &self,
        tokens: &TokenWindow,
        places: std::ops::Range<usize>,
        asked: &mut Vec<Asked>,
    ) -> Result<(), LearnedError> {
        let spans = places.filter(|place| tokens.is_span(*place));
        let mut passes = vec![Vec::new(); PASSES];
        spans.for_each(|place| passes[place % PASSES].push(place));
        passes.retain(|pass| !pass.is_empty());
        if passes.is_empty() {
            return Ok(());
        }
        let shown: Vec<_> = passes.iter().map(|pass| (tokens, pass.as_slice())).collect();
        let batch = TokenBatch::new(&shown);
        let mut wanted = Vec::new();
        for (row, pass) in passes.iter().enumerate() {
            wanted.extend(pass.iter().map(|place| batch.place(row, *place)));
        }
        let said = self
            .encoder
            .say(&batch, ContextSides::Masked, wanted, &mut None)?;
        let truth: Vec<usize> = passes.into_iter().flatten().collect();
        collect(&said, tokens, truth, true, asked)
    }

    fn ask_next(
        &self,
        tokens: &TokenWindow,
        places: std::ops::Range<usize>,
        asked: &mut Vec<Asked>,
    ) -> Result<(), LearnedError> {
        let truth: Vec<usize> = places.filter(|place| *place > 0).collect();
        if truth.is_empty() {
            return Ok(());
        }
        let batch = TokenBatch::new(&[(tokens, &[])]);
        let wanted = truth.iter().map(|place| batch.place(0, place - 1)).collect();
        let said = self
            .encoder
            .say(&batch, ContextSides::Prefix, wanted, &mut None)?;
        collect(&said, tokens, truth, false, asked)
    }
}

impl SpanPredictor for FittedMaskedSpan {
    fn worst(&self, sequence: &SpanSequence) -> Option<Misfit> {
        // Shapes were checked when the weights were taken, so nothing can fail but memory.
        self.score(sequence).ok()?.worst
    }
}

/// What was said, `[places, symbols]`, held against what stands there.
fn collect(
    said: &Tensor,
    tokens: &TokenWindow,
    places: Vec<usize>,
    masked: bool,
    asked: &mut Vec<Asked>,
) -> Result<(), LearnedError> {
    let width = said.dim(D::Minus1)?;
    let said = said.flatten_all()?.to_vec1::<f32>()?;
    for (place, row) in places.into_iter().zip(said.chunks(width)) {
        let token = tokens.tokens[place] as usize;
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let total: f32 = row.iter().map(|number| (number - largest).exp()).sum();
        let surprise = (largest + total.ln() - row[token]).min(MOST);
        // UNKNOWN is never taught, and what is not taught is an error whatever the network says of it.
        let unknown = token < FIRST_TEMPLATE as usize && token != STOP as usize;
        let better = row.iter().filter(|number| **number > row[token]).count();
        asked.push(Asked {
            span: tokens.is_span(place).then(|| tokens.spans[place]),
            surprise: if unknown {
                MOST.min(surprise.max(10.0))
            } else {
                surprise
            },
            is_error: unknown || better >= TOP,
            masked,
            row: row
                .iter()
                .map(|number| (number - largest).exp() / total)
                .collect(),
        });
    }
    Ok(())
}

fn summarise(mut asked: Vec<Asked>) -> SequenceScores {
    asked.sort_by(|one, other| other.surprise.total_cmp(&one.surprise));
    let largest = |takes: &dyn Fn(&Asked) -> bool| {
        let some = asked.iter().filter(|asked| takes(asked)).take(LARGEST);
        some.map(|asked| f64::from(asked.surprise)).sum::<f64>() / LARGEST as f64
    };
    let masked: Vec<_> = asked.iter().filter(|asked| asked.masked).collect();
    let count = masked.len().max(1) as f64;
    let worst = asked.first().map(|worst| {
        let mut symbols: Vec<usize> = (0..worst.row.len())
            .filter(|symbol| *symbol >= FIRST_TEMPLATE as usize || *symbol == STOP as usize)
            .collect();
        symbols.sort_by(|one, other| worst.row[*other].total_cmp(&worst.row[*one]));
        let name = |symbol: &usize| {
            let template = (*symbol as u32).checked_sub(FIRST_TEMPLATE);
            (template, f64::from(worst.row[*symbol]))
        };
        Misfit {
            span: worst.span,
            surprise: f64::from(worst.surprise),
            expected: symbols.iter().take(NAMED).map(name).collect(),
        }
    });
    SequenceScores {
        largest: largest(&|_| true),
        largest_masked: largest(&|asked| asked.masked),
        largest_next: largest(&|asked| !asked.masked),
        mean: masked.iter().map(|asked| f64::from(asked.surprise)).sum::<f64>() / count,
        errors: masked.iter().filter(|asked| asked.is_error).count() as f64 / count,
        worst,
    }
}
