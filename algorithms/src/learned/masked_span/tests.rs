use std::ops::ControlFlow;

use candle_core::Tensor;

use super::encoder::{ContextSides, Encoder, TokenBatch, cross_entropy};
use super::tokens::TokenWindow;
use super::*;
use crate::learned::LearnedError;
use crate::random::Random;
use crate::traces::{NO_NODE, SpanPredictor as _, SpanSequence};

fn small() -> EncoderShape {
    EncoderShape {
        width: 8,
        heads: 2,
        layers: 2,
        inner: 12,
        window: 16,
        tree: true,
    }
}

/// A root that calls 1, then 2 which calls 3, then 4, and sometimes 5 in the end.
fn usual(with_fifth: bool) -> SpanSequence {
    let mut sequence = SpanSequence {
        templates: vec![0, 1, 2, 3, 4],
        parents: vec![NO_NODE, 0, 0, 2, 0],
        depths: vec![0, 1, 1, 2, 1],
    };
    if with_fifth {
        sequence.templates.push(5);
        sequence.parents.push(0);
        sequence.depths.push(1);
    }
    sequence
}

fn loss(encoder: &Encoder, window: &TokenWindow) -> Tensor {
    let masked = TokenBatch::new(&[(window, &[2, 4]), (window, &[5])]);
    let places = vec![masked.place(0, 2), masked.place(0, 4), masked.place(1, 5)];
    let truth = [2, 4, 5].map(|place| window.tokens[place]).to_vec();
    let said = encoder
        .say(&masked, ContextSides::Masked, places, &mut None)
        .unwrap();
    let under_masks = cross_entropy(&said, truth).unwrap();
    let plain = TokenBatch::new(&[(window, &[])]);
    let places = (0..window.len() - 1).map(|place| plain.place(0, place)).collect();
    let said = encoder
        .say(&plain, ContextSides::Prefix, places, &mut None)
        .unwrap();
    (under_masks + cross_entropy(&said, window.tokens[1..].to_vec()).unwrap()).unwrap()
}

#[test]
fn gradients_of_every_variable_are_those_of_finite_differences() {
    let encoder = Encoder::start(small(), 11, 3).unwrap();
    let window = &TokenWindow::windows(&usual(true), 6, 16)[0];
    let gradients = loss(&encoder, window).backward().unwrap();
    let mut random = Random::new(4);
    for (name, var) in &encoder.variables.0 {
        let gradient = gradients
            .get(var)
            .unwrap_or_else(|| panic!("`{name}` has no gradient"));
        let gradient = gradient.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        // A key's bias shifts all scores of a row alike and has no part in their softmax, but `attend.bias` is not only keys'.
        assert!(
            gradient.iter().any(|number| number.abs() > 1e-6),
            "`{name}` stands still"
        );
        let numbers = var.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let at = |numbers: Vec<f32>| {
            var.set(&Tensor::from_vec(numbers, var.shape(), var.device()).unwrap())
                .unwrap();
            f64::from(loss(&encoder, window).to_scalar::<f32>().unwrap())
        };
        for _ in 0..4 {
            let which = random.below(numbers.len());
            let moved = |by: f32| {
                let mut numbers = numbers.clone();
                numbers[which] += by;
                at(numbers)
            };
            let difference = (moved(4e-3) - moved(-4e-3)) / 8e-3;
            let error = (difference - f64::from(gradient[which])).abs();
            assert!(
                error < 2e-3 + 0.02 * difference.abs(),
                "{name}[{which}]: {difference} and {}",
                gradient[which]
            );
        }
        at(numbers);
    }
}

#[test]
fn padding_masks_and_what_comes_later_are_not_seen() {
    let encoder = Encoder::start(small(), 11, 3).unwrap();
    let (short, long) = (usual(false), usual(true));
    let (short, long) = (
        &TokenWindow::windows(&short, 6, 16)[0],
        &TokenWindow::windows(&long, 6, 16)[0],
    );
    let say = |batch: &TokenBatch, reading, row, places: &[usize]| {
        let places = places.iter().map(|place| batch.place(row, *place)).collect();
        let said = encoder.say(batch, reading, places, &mut None).unwrap();
        said.flatten_all().unwrap().to_vec1::<f32>().unwrap()
    };
    let close = |one: &[f32], other: &[f32]| one.iter().zip(other).all(|(a, b)| (a - b).abs() < 1e-5);
    let alone = say(&TokenBatch::new(&[(short, &[3])]), ContextSides::Masked, 0, &[3]);
    let padded = say(
        &TokenBatch::new(&[(long, &[1]), (short, &[3])]),
        ContextSides::Masked,
        1,
        &[3],
    );
    assert!(close(&alone, &padded));
    // The masked span's own template makes no difference, though a child names it as its caller.
    let mut other = short.clone();
    other.tokens[3] = 9;
    let changed = say(&TokenBatch::new(&[(&other, &[3])]), ContextSides::Masked, 0, &[3]);
    assert!(close(&alone, &changed));
    let next = |window: &TokenWindow| {
        say(
            &TokenBatch::new(&[(window, &[])]),
            ContextSides::Prefix,
            0,
            &[0, 1, 2],
        )
    };
    other.tokens[4] = 10;
    assert!(close(&next(short), &next(&other)));
    other.tokens[2] = 10;
    assert!(!close(&next(short), &next(&other)));
}

fn fitted(seed: u64) -> (FittedMaskedSpan, usize) {
    let options = MaskedSpanOptions {
        shape: small(),
        epochs: 150,
        patience: 150,
        budget: 30_000,
        batch: 256,
        rate: 0.01,
        dropout: 0.0,
        seed,
        ..MaskedSpanOptions::default()
    };
    let sequences: Vec<_> = (0..64).map(|number| usual(number % 2 == 0)).collect();
    let unfitted = MaskedSpanPredictor::new(6, options);
    let (fitted, report) = unfitted
        .fit(&sequences, &mut |_| ControlFlow::Continue(()))
        .unwrap();
    (fitted, report.epochs.len())
}

#[test]
fn it_learns_what_is_usual_and_names_what_is_missing_foreign_or_cut_off() {
    let (fitted, _) = fitted(1);
    for usual in [usual(false), usual(true)] {
        assert!(fitted.worst(&usual).unwrap().surprise < 1.5);
    }
    let without = |from: usize, count: usize| {
        let mut sequence = usual(true);
        sequence.templates.drain(from..from + count);
        sequence.parents.drain(from..from + count);
        sequence.depths.drain(from..from + count);
        sequence
    };
    // 2 and its child 3 are missing: at the place of 4 stands what should be 2.
    let missing = fitted.worst(&without(2, 2)).unwrap();
    assert!(missing.surprise > 2.5 && missing.span == Some(2), "{missing:?}");
    assert_eq!(missing.expected[0].0, Some(2));
    let cut = fitted.worst(&without(3, 3)).unwrap();
    assert!(
        cut.surprise > 2.5 && cut.span.is_none() && cut.expected[0].0 == Some(3),
        "{cut:?}"
    );
    let mut foreign = usual(true);
    foreign.templates[3] = u32::MAX;
    let foreign = fitted.worst(&foreign).unwrap();
    assert!(foreign.surprise >= 10.0 && foreign.span == Some(3), "{foreign:?}");
    let scores = fitted.score(&SpanSequence::default()).unwrap();
    assert!(scores.worst.is_some() && scores.errors == 0.0);
}

#[test]
fn the_same_seed_gives_the_same_network_which_comes_back_as_it_was_kept() {
    let ((one, _), (other, _)) = (fitted(2), fitted(2));
    let weights = one.weights().unwrap();
    assert_eq!(weights, other.weights().unwrap());
    let back = FittedMaskedSpan::from_weights(one.shape(), one.templates(), &weights).unwrap();
    assert_eq!(
        back.score(&usual(true)).unwrap(),
        one.score(&usual(true)).unwrap()
    );
    for (shape, templates) in [
        (
            EncoderShape {
                heads: 3,
                ..one.shape()
            },
            6,
        ),
        (
            EncoderShape {
                width: 0,
                ..one.shape()
            },
            6,
        ),
        (one.shape(), 7),
    ] {
        let refused = FittedMaskedSpan::from_weights(shape, templates, &weights);
        assert!(matches!(refused, Err(LearnedError::Weights { .. })));
    }
}

#[test]
fn a_fit_ends_where_it_is_told_to() {
    let options = MaskedSpanOptions {
        shape: small(),
        budget: 1_000,
        ..MaskedSpanOptions::default()
    };
    let unfitted = MaskedSpanPredictor::new(6, options);
    let sequences = vec![usual(true); 40];
    let stopped = unfitted.fit(&sequences, &mut |_| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(LearnedError::Stopped { epoch: 1 })));
}
