//! The encoder: embeddings, self-attention, and what it says of each place.
//!
//! Vaswani et al. 2017 with the norm before each part (Xiong et al. 2020), which trains without a warm-up. A token's vector is the
//! sum of what it is, where it stands, how deep it is and what called it. The same weights read in two ways (Dong et al. 2019):
//! both sides of a place, to say what stands under a mask; and its left side alone, to say what comes next, so that all
//! prefixes of a trace are judged in one pass. Each way has its head, one linear layer over the templates.

use candle_core::{Device, Tensor};

use super::tokens::{DEPTHS, MASK, NO_PARENT, PAD, TokenWindow};
use crate::learned::fused::{SeenPlaces, softmax};
use crate::learned::layers::{Start, Variables, dropout};
use crate::learned::{LearnedError, Weights};
use crate::random::Random;

/// Sizes of the network and what it is shown.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct EncoderShape {
    /// Numbers a token; a multiple of `heads`.
    pub width: usize,
    /// Attention heads a layer.
    pub heads: usize,
    /// Layers.
    pub layers: usize,
    /// Numbers between the two halves of a layer's second part.
    pub inner: usize,
    /// TokenWindow a window.
    pub window: usize,
    /// Whether depth and caller of a span are embedded.
    pub tree: bool,
}

impl Default for EncoderShape {
    fn default() -> Self {
        Self {
            width: 64,
            heads: 4,
            layers: 2,
            inner: 128,
            window: 256,
            tree: true,
        }
    }
}

/// How a batch is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContextSides {
    /// Both sides of each place.
    Masked,
    /// Its left side and itself.
    Prefix,
}

/// Windows as they are shown: some tokens masked, all padded to one length.
pub(super) struct TokenBatch {
    tokens: Vec<u32>,
    callers: Vec<u32>,
    depths: Vec<u32>,
    rows: usize,
    length: usize,
    lengths: Vec<usize>,
}

impl TokenBatch {
    /// Windows with the places that are masked in each.
    pub(super) fn new(windows: &[(&TokenWindow, &[usize])]) -> Self {
        let length = windows.iter().map(|(window, _)| window.len()).max().unwrap_or(0);
        let mut batch = Self {
            tokens: vec![PAD; windows.len() * length],
            callers: vec![PAD; windows.len() * length],
            depths: vec![0; windows.len() * length],
            rows: windows.len(),
            length,
            lengths: windows.iter().map(|(window, _)| window.len()).collect(),
        };
        for (row, (window, masked)) in windows.iter().enumerate() {
            let here = row * length..row * length + window.len();
            let tokens = &mut batch.tokens[here.clone()];
            tokens.copy_from_slice(&window.tokens);
            masked.iter().for_each(|place| tokens[*place] = MASK);
            // A masked span is not betrayed by those that name it as their caller.
            for (caller, parent) in batch.callers[here.clone()].iter_mut().zip(&window.parents) {
                if *parent != NO_PARENT {
                    *caller = tokens[*parent as usize];
                }
            }
            batch.depths[here].copy_from_slice(&window.depths);
        }
        batch
    }

    /// The number of a place among all of the batch.
    pub(super) fn place(&self, row: usize, place: usize) -> u32 {
        (row * self.length + place) as u32
    }
}

/// The network.
#[derive(Debug)]
pub(super) struct Encoder {
    pub(super) variables: Variables,
    pub(super) shape: EncoderShape,
    /// TokenWindow, the special ones too.
    pub(super) symbols: usize,
}

fn shapes(shape: EncoderShape, symbols: usize) -> Vec<(String, Vec<usize>, Start)> {
    let mut all = Vec::new();
    let mut table = |name: &str, rows: usize| {
        all.push((format!("{name}.weight"), vec![rows, shape.width], Start::Glorot));
    };
    table("token", symbols);
    table("position", shape.window);
    table("reading", 2);
    if shape.tree {
        table("depth", DEPTHS);
        table("caller", symbols);
    }
    let mut dense = |name: &str, from: usize, to: usize| {
        all.push((format!("{name}.weight"), vec![from, to], Start::Glorot));
        all.push((format!("{name}.bias"), vec![to], Start::Zeros));
    };
    for layer in 0..shape.layers {
        dense(&format!("{layer}.attend"), shape.width, 3 * shape.width);
        dense(&format!("{layer}.join"), shape.width, shape.width);
        dense(&format!("{layer}.widen"), shape.width, shape.inner);
        dense(&format!("{layer}.narrow"), shape.inner, shape.width);
    }
    dense("masked", shape.width, symbols);
    dense("next", shape.width, symbols);
    let mut norm = |name: &str| {
        all.push((format!("{name}.gain"), vec![shape.width], Start::Ones));
        all.push((format!("{name}.shift"), vec![shape.width], Start::Zeros));
    };
    for layer in 0..shape.layers {
        norm(&format!("{layer}.attend_norm"));
        norm(&format!("{layer}.widen_norm"));
    }
    norm("last_norm");
    all
}

impl Encoder {
    pub(super) fn start(shape: EncoderShape, symbols: usize, seed: u64) -> Result<Self, LearnedError> {
        let variables = Variables::start(&shapes(shape, symbols), seed)?;
        Ok(Self {
            variables,
            shape,
            symbols,
        })
    }

    pub(super) fn load(shape: EncoderShape, symbols: usize, weights: &Weights) -> Result<Self, LearnedError> {
        let variables = Variables::load(&shapes(shape, symbols), weights)?;
        Ok(Self {
            variables,
            shape,
            symbols,
        })
    }

    /// Vectors of all tokens of a batch, `[rows · length, width]`; with `learning` (a share and where chance comes from) parts of
    /// them are dropped.
    fn encode(
        &self,
        batch: &TokenBatch,
        reading: ContextSides,
        learning: &mut Option<(f64, &mut Random)>,
    ) -> candle_core::Result<Tensor> {
        let net = &self.variables;
        let (rows, length, width) = (batch.rows, batch.length, self.shape.width);
        let look = |table: &str, places: Vec<u32>| {
            let places = Tensor::from_vec(places, rows * length, &Device::Cpu)?;
            net.get(&format!("{table}.weight"))?.index_select(&places, 0)
        };
        let positions = (0..rows).flat_map(|_| 0..length as u32).collect();
        let mut x = (look("token", batch.tokens.clone())? + look("position", positions)?)?;
        x = (x + look(
            "reading",
            vec![u32::from(reading == ContextSides::Prefix); rows * length],
        )?)?;
        if self.shape.tree {
            x = (x + look("depth", batch.depths.clone())?)?;
            x = (x + look("caller", batch.callers.clone())?)?;
        }
        let seen = seen(batch, reading, self.shape.heads);
        for layer in 0..self.shape.layers {
            let normed = net.layer_norm(&format!("{layer}.attend_norm"), &x)?;
            let heard = self.attend(layer, &normed, (rows, length), &seen)?;
            x = (x + drop(heard, learning)?)?;
            let normed = net.layer_norm(&format!("{layer}.widen_norm"), &x)?;
            let wide = net.dense(&format!("{layer}.widen"), &normed)?.relu()?;
            let narrow = net.dense(&format!("{layer}.narrow"), &wide)?;
            x = (x + drop(narrow, learning)?)?;
        }
        net.layer_norm("last_norm", &x)?.reshape((rows * length, width))
    }

    /// Multi-head self-attention of one layer.
    fn attend(
        &self,
        layer: usize,
        x: &Tensor,
        (rows, length): (usize, usize),
        seen: &SeenPlaces,
    ) -> candle_core::Result<Tensor> {
        let (width, heads) = (self.shape.width, self.shape.heads);
        let each = width / heads;
        let net = &self.variables;
        let all = net.dense(&format!("{layer}.attend"), x)?;
        // [rows · length, 3 · width] → three of [rows · heads, length, each].
        let all = all
            .reshape((rows, length, 3, heads, each))?
            .permute((2, 0, 3, 1, 4))?;
        let all = all.contiguous()?.reshape((3, rows * heads, length, each))?;
        let part = |number: usize| all.narrow(0, number, 1)?.squeeze(0);
        let (query, key, value) = (part(0)?, part(1)?, part(2)?);
        let query = (query * (1.0 / (each as f64).sqrt()))?;
        let scores = query.matmul(&key.transpose(1, 2)?)?;
        let shares = softmax(&scores, seen.clone())?;
        let heard = shares.matmul(&value)?.reshape((rows, heads, length, each))?;
        let heard = heard
            .permute((0, 2, 1, 3))?
            .contiguous()?
            .reshape((rows * length, width))?;
        net.dense(&format!("{layer}.join"), &heard)
    }

    /// What is said of some places of a batch: for each a number for every symbol, `[places, symbols]`; their softmax is
    /// the probabilities.
    pub(super) fn say(
        &self,
        batch: &TokenBatch,
        reading: ContextSides,
        places: Vec<u32>,
        learning: &mut Option<(f64, &mut Random)>,
    ) -> candle_core::Result<Tensor> {
        let x = self.encode(batch, reading, learning)?;
        let count = places.len();
        let x = x.index_select(&Tensor::from_vec(places, count, &Device::Cpu)?, 0)?;
        let head = match reading {
            ContextSides::Masked => "masked",
            ContextSides::Prefix => "next",
        };
        self.variables.dense(head, &x)
    }
}

fn drop(x: Tensor, learning: &mut Option<(f64, &mut Random)>) -> candle_core::Result<Tensor> {
    match learning {
        Some((share, random)) => dropout(&x, *share, random),
        None => Ok(x),
    }
}

/// What one place sees of the others, for attention scores `[rows · heads, length, length]`.
fn seen(batch: &TokenBatch, reading: ContextSides, heads: usize) -> SeenPlaces {
    match reading {
        // What follows is not seen, so padding, which follows all, is not either.
        ContextSides::Prefix => SeenPlaces::Before,
        ContextSides::Masked => SeenPlaces::First {
            counts: batch.lengths.clone(),
            rows: heads * batch.length,
        },
    }
}

/// Mean over places of −ln of the probability of what stands there. `said` is `[places, symbols]`.
pub(super) fn cross_entropy(said: &Tensor, truth: Vec<u32>) -> candle_core::Result<Tensor> {
    let count = truth.len();
    let truth = Tensor::from_vec(truth, (count, 1), &Device::Cpu)?;
    let centred = said.broadcast_sub(&said.max_keepdim(1)?.detach())?;
    let total = centred.exp()?.sum_keepdim(1)?.log()?;
    (total - centred.gather(&truth, 1)?)?.mean_all()
}
