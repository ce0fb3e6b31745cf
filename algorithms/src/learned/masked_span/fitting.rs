//! How the network is taught.

use std::collections::HashMap;

use super::encoder::{ContextSides, Encoder, EncoderShape, TokenBatch, cross_entropy};
use super::scoring::FittedMaskedSpan;
use super::tokens::{FIRST_TEMPLATE, TokenWindow};
use crate::learned::LearnedError;
use crate::learned::Weights;
use crate::learned::adam::AdamW;
use crate::learned::fit::{self, FitReport, Learner, Progress, Schedule};
use crate::random::Random;
use crate::traces::SpanSequence;

/// Fewest sequences to learn from.
const FEWEST: usize = 20;
/// Largest norm of a step's gradients.
const CLIP: f32 = 1.0;

/// How it is fitted.
#[derive(Debug, Clone, PartialEq)]
pub struct MaskedSpanOptions {
    /// The network.
    pub shape: EncoderShape,
    /// Rounds, at most.
    pub epochs: usize,
    /// TokenWindow that are learnt in all rounds together, at most, each read in both ways: what bounds the time.
    pub budget: usize,
    /// TokenWindow a step.
    pub batch: usize,
    /// Step size of AdamW at the beginning; it falls to a tenth in a line.
    pub rate: f64,
    /// Weight decay of AdamW.
    pub decay: f64,
    /// Share of numbers dropped while learning.
    pub dropout: f64,
    /// Share of spans that is masked.
    pub masked: f64,
    /// Whether prefixes are learnt beside masks.
    pub prefixes: bool,
    /// Share of sequences held back for validation.
    pub validation: f64,
    /// Epochs without a better validation loss before it stops.
    pub patience: usize,
    /// What all randomness follows from.
    pub seed: u64,
}

impl Default for MaskedSpanOptions {
    fn default() -> Self {
        Self {
            shape: EncoderShape::default(),
            epochs: 40,
            budget: 1_000_000,
            batch: 2_048,
            rate: 2e-3,
            decay: 0.01,
            dropout: 0.1,
            masked: 0.15,
            prefixes: true,
            validation: 0.1,
            patience: 5,
            seed: 42,
        }
    }
}

/// A network that knows nothing yet.
#[derive(Debug, Clone)]
pub struct MaskedSpanPredictor {
    templates: usize,
    options: MaskedSpanOptions,
}

impl MaskedSpanPredictor {
    /// For so many templates; sequences name them by numbers below that.
    #[must_use]
    pub fn new(templates: usize, options: MaskedSpanOptions) -> Self {
        Self { templates, options }
    }

    /// Fits it to normal traces, on the caller's thread alone.
    ///
    /// # Errors
    /// [`LearnedError::TooFew`], `Diverged`, or `Stopped` when `progress` says so.
    pub fn fit(
        self,
        sequences: &[SpanSequence],
        progress: &mut Progress<'_>,
    ) -> Result<(FittedMaskedSpan, FitReport), LearnedError> {
        if sequences.len() < FEWEST {
            return Err(LearnedError::TooFew {
                what: "traces",
                given: sequences.len(),
                needed: FEWEST,
            });
        }
        fit::alone(move || {
            let options = &self.options;
            let back = (sequences.len() as f64 * options.validation) as usize;
            let mut random = Random::new(options.seed);
            let mut order: Vec<usize> = (0..sequences.len()).collect();
            random.shuffle(&mut order);
            let counted = |some: &[usize]| self.counted(some.iter().map(|at| &sequences[*at]));
            let (held, learnt) = (counted(&order[..back]), counted(&order[back..]));
            let symbols = self.templates + FIRST_TEMPLATE as usize;
            let encoder = Encoder::start(options.shape, symbols, options.seed)?;
            let mut learner = MaskedSpanLearner {
                optimiser: AdamW::new(&encoder.variables.all(), options.rate, options.decay).clipped(CLIP),
                encoder,
                learnt: &learnt,
                held: &held,
                options,
                random,
                epoch: 0,
                kept: None,
            };
            let schedule = Schedule {
                epochs: options.epochs,
                patience: options.patience,
            };
            let report = fit::run(&mut learner, schedule, progress)?;
            Ok((FittedMaskedSpan::new(learner.encoder), report))
        })
    }

    /// Windows, each once, with how often it occurs; in a fixed order.
    fn counted<'s>(&self, sequences: impl Iterator<Item = &'s SpanSequence>) -> Vec<(TokenWindow, usize)> {
        let mut counts: HashMap<TokenWindow, usize> = HashMap::new();
        let windows = |one| TokenWindow::windows(one, self.templates, self.options.shape.window);
        for window in sequences.flat_map(windows) {
            *counts.entry(window).or_default() += 1;
        }
        let mut all: Vec<_> = counts.into_iter().collect();
        all.sort_by(|one, other| {
            one.0
                .tokens
                .cmp(&other.0.tokens)
                .then(one.0.parents.cmp(&other.0.parents))
        });
        all
    }
}

/// How often a window that occurs `count` times is learnt in an epoch: what occurs often is usual, but it teaches little more.
fn rounds(count: usize) -> usize {
    1 + count.max(1).ilog2() as usize
}

struct MaskedSpanLearner<'l> {
    encoder: Encoder,
    optimiser: AdamW,
    learnt: &'l [(TokenWindow, usize)],
    held: &'l [(TokenWindow, usize)],
    options: &'l MaskedSpanOptions,
    random: Random,
    epoch: usize,
    kept: Option<Weights>,
}

/// Windows of like length in batches of at most so many tokens, padding included.
fn batches(mut windows: Vec<&TokenWindow>, most: usize) -> Vec<Vec<&TokenWindow>> {
    windows.sort_by_key(|window| window.len());
    let mut all: Vec<Vec<&TokenWindow>> = Vec::new();
    for window in windows {
        match all.last_mut() {
            // The window is the longest so far, so the batch has its length.
            Some(batch) if (batch.len() + 1) * window.len() <= most => batch.push(window),
            _ => all.push(vec![window]),
        }
    }
    all
}

/// A random choice of spans of a window, at least one if it has any.
fn masks(window: &TokenWindow, share: f64, random: &mut Random) -> Vec<usize> {
    let spans: Vec<usize> = (0..window.len()).filter(|place| window.is_span(*place)).collect();
    let mut chosen: Vec<usize> = spans.iter().copied().filter(|_| random.unit() < share).collect();
    if chosen.is_empty() && !spans.is_empty() {
        chosen.push(spans[random.below(spans.len())]);
    }
    chosen
}

impl<'l> MaskedSpanLearner<'l> {
    /// The windows of an epoch: all of them in a random order, as often as its share of the budget allows.
    fn round(&mut self) -> Vec<&'l TokenWindow> {
        let mut all: Vec<&TokenWindow> = Vec::new();
        for (window, count) in self.learnt {
            all.extend(std::iter::repeat_n(window, rounds(*count)));
        }
        let most = self.options.budget / self.options.epochs.max(1);
        let (mut chosen, mut tokens) = (Vec::new(), 0);
        while tokens < most {
            self.random.shuffle(&mut all);
            for window in &all {
                tokens += window.len();
                chosen.push(*window);
                if tokens >= most {
                    break;
                }
            }
        }
        chosen
    }

    /// The loss of a batch, by what is learnt.
    fn loss(
        &self,
        windows: &[&TokenWindow],
        random: &mut Random,
        learning: bool,
    ) -> Result<Option<candle_core::Tensor>, LearnedError> {
        let share = self.options.dropout;
        let masked: Vec<_> = windows
            .iter()
            .map(|window| masks(window, self.options.masked, random))
            .collect();
        let mut sum = None;
        let mut add = |batch: &TokenBatch,
                       reading,
                       places: Vec<u32>,
                       truth,
                       random: &mut Random|
         -> Result<(), LearnedError> {
            if places.is_empty() {
                return Ok(());
            }
            let mut chance = learning.then_some((share, random));
            let said = self.encoder.say(batch, reading, places, &mut chance)?;
            let loss = cross_entropy(&said, truth)?;
            sum = Some(match sum.take() {
                Some(sum) => (sum + loss)?,
                None => loss,
            });
            Ok(())
        };
        let shown: Vec<_> = windows
            .iter()
            .zip(&masked)
            .map(|(window, masks)| (*window, masks.as_slice()))
            .collect();
        let batch = TokenBatch::new(&shown);
        let (mut places, mut truth) = (Vec::new(), Vec::new());
        for (row, (window, masks)) in shown.iter().enumerate() {
            places.extend(masks.iter().map(|place| batch.place(row, *place)));
            truth.extend(masks.iter().map(|place| window.tokens[*place]));
        }
        add(&batch, ContextSides::Masked, places, truth, random)?;
        if self.options.prefixes {
            let shown: Vec<_> = windows.iter().map(|window| (*window, [].as_slice())).collect();
            let batch = TokenBatch::new(&shown);
            let (mut places, mut truth) = (Vec::new(), Vec::new());
            for (row, (window, _)) in shown.iter().enumerate() {
                places.extend((0..window.len() - 1).map(|place| batch.place(row, place)));
                truth.extend(window.tokens[1..].iter().copied());
            }
            add(&batch, ContextSides::Prefix, places, truth, random)?;
        }
        Ok(sum)
    }
}

impl Learner for MaskedSpanLearner<'_> {
    fn epoch(&mut self) -> Result<f64, LearnedError> {
        let windows = self.round();
        let mut batches = batches(windows, self.options.batch);
        self.random.shuffle(&mut batches);
        let (mut sum, mut count) = (0.0, 0.0);
        let mut random = self.random.clone();
        for (number, batch) in batches.iter().enumerate() {
            let done =
                (self.epoch as f64 + number as f64 / batches.len() as f64) / self.options.epochs as f64;
            self.optimiser.set_rate(self.options.rate * (1.0 - 0.9 * done));
            if let Some(loss) = self.loss(batch, &mut random, true)? {
                sum += f64::from(loss.to_scalar::<f32>()?);
                count += 1.0;
                let gradients = loss.backward()?;
                self.optimiser.step(&self.encoder.variables.all(), &gradients)?;
            }
        }
        self.random = random;
        self.epoch += 1;
        Ok(sum / f64::max(count, 1.0))
    }

    fn validate(&mut self) -> Result<Option<f64>, LearnedError> {
        // The same masks each time.
        let mut random = Random::new(self.options.seed ^ 1);
        let windows = self.held.iter().map(|(window, _)| window).collect();
        let (mut sum, mut count) = (0.0, 0.0);
        for batch in batches(windows, self.options.batch) {
            if let Some(loss) = self.loss(&batch, &mut random, false)? {
                sum += f64::from(loss.to_scalar::<f32>()?) * batch.len() as f64;
                count += batch.len() as f64;
            }
        }
        Ok((count > 0.0).then(|| sum / count))
    }

    fn remember(&mut self) -> Result<(), LearnedError> {
        let mut weights = Weights::default();
        self.encoder.variables.save(&mut weights)?;
        self.kept = Some(weights);
        Ok(())
    }

    fn restore(&mut self) -> Result<(), LearnedError> {
        if let Some(weights) = &self.kept {
            self.encoder = Encoder::load(self.encoder.shape, self.encoder.symbols, weights)?;
        }
        Ok(())
    }
}
