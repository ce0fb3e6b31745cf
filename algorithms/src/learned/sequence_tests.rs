use std::ops::ControlFlow;

use super::super::network::shapes;
use super::*;

/// A day of two columns that move together.
fn traffic(rows: usize, step: f64, seed: u64) -> Table {
    let mut random = Random::new(seed);
    let mut table = Table {
        columns: vec!["bytes".to_owned(), "pkts".to_owned()],
        ..Table::default()
    };
    for row in 0..rows {
        let time = 1.7e9 + step * row as f64;
        let level = 1e6 * (1.5 + (std::f64::consts::TAU * time / 86_400.0).sin());
        let bytes = level * (1.0 + 0.02 * random.normal());
        table.times.push(time);
        table.values.extend([bytes, bytes / 800.0]);
    }
    table
}

fn options() -> SequenceOptions {
    SequenceOptions {
        epochs: 8,
        ..SequenceOptions::default()
    }
}

fn columns() -> Vec<String> {
    traffic(0, 60.0, 0).columns
}

fn fitted(tables: &[Table]) -> (FittedSequence, FitReport) {
    let network = SequenceAutoencoder::new(columns(), options());
    network.fit(tables, &mut |_| ControlFlow::Continue(())).unwrap()
}

#[test]
fn every_variable_gets_a_gradient() {
    let table = traffic(64, 60.0, 1).prepare(&columns()).unwrap();
    let mut network = Network::start(columns(), 1).unwrap();
    // Biases of heads start at zero, where their penalty has no slope, and still must learn.
    let windows = [table.window(0), table.window(16), table.window(32)];
    let x = batch(&windows, table.width).unwrap();
    let loss = network.loss(&x, &mut Random::new(2)).unwrap();
    let gradients = loss.backward().unwrap();
    for (name, var) in &network.variables.0 {
        let gradient = gradients
            .get(var)
            .unwrap_or_else(|| panic!("`{name}` gets no gradient"));
        let size = gradient
            .abs()
            .unwrap()
            .sum_all()
            .unwrap()
            .to_scalar::<f32>()
            .unwrap();
        assert!(size > 0.0, "`{name}` gets a gradient of zero");
    }
}

#[test]
fn the_network_has_the_originals_size() {
    let count: usize = shapes(11)
        .iter()
        .map(|(_, shape, _)| shape.iter().product::<usize>())
        .sum();
    // And 40 that run along without a gradient: 11,887, the 11.9 k of the original.
    assert_eq!(count, 11_847);
}

#[test]
fn it_learns_and_finds_what_is_planted() {
    let (network, report) = fitted(&[traffic(1440, 60.0, 1)]);
    assert!(report.epochs.last().unwrap().loss < 0.5 * report.epochs[0].loss);
    let mut table = traffic(300, 60.0, 2);
    let quiet = network.reconstruct(&table).unwrap();
    for row in [150, 299] {
        table.values[2 * row] *= 1e4;
    }
    let loud = network.reconstruct(&table).unwrap();
    assert_eq!(loud.rows.len(), 300, "the last rows are judged too");
    assert!(quiet.scores.iter().filter(|score| **score > 1.0).count() <= 3);
    for row in [150, 299] {
        assert!(loud.scores[2 * row] > 1.0, "row {row}: {}", loud.scores[2 * row]);
    }
}

#[test]
fn a_fit_repeats_to_the_bit_and_survives_being_kept() {
    let tables = [traffic(400, 60.0, 1), traffic(100, 300.0, 1)];
    let ((one, _), (two, _)) = (fitted(&tables), fitted(&tables));
    assert_eq!(one.weights().unwrap(), two.weights().unwrap());
    let other = SequenceOptions {
        seed: 43,
        ..options()
    };
    let (other, _) = SequenceAutoencoder::new(columns(), other)
        .fit(&tables, &mut |_| ControlFlow::Continue(()))
        .unwrap();
    assert_ne!(one.weights().unwrap(), other.weights().unwrap());
    let kept = one.weights().unwrap();
    let again = FittedSequence::from_weights(columns(), &kept, one.limits().clone()).unwrap();
    let table = traffic(50, 60.0, 3);
    assert_eq!(
        one.reconstruct(&table).unwrap(),
        again.reconstruct(&table).unwrap()
    );
}

#[test]
fn weights_that_were_tampered_with_are_refused() {
    let (network, _) = fitted(&[traffic(100, 60.0, 1)]);
    let (kept, limits) = (network.weights().unwrap(), network.limits().clone());
    for break_it in [
        (|all: &mut Weights| drop(all.0.remove("first.bias"))) as fn(&mut Weights),
        |all| all.0.get_mut("reader.recurrent").unwrap().shape.reverse(),
        |all| all.0.get_mut("metrics.weight").unwrap().data[3] = f32::NAN,
        |all| {
            all.0.get_mut("metrics.weight").unwrap().data.pop();
        },
    ] {
        let mut broken = kept.clone();
        break_it(&mut broken);
        assert!(FittedSequence::from_weights(columns(), &broken, limits.clone()).is_err());
    }
    assert!(
        FittedSequence::from_weights(
            columns(),
            &kept,
            Limits {
                columns: vec![1.0],
                ..limits
            }
        )
        .is_err()
    );
}

#[test]
fn it_stops_early_with_the_best_weights_and_when_told() {
    let eager = SequenceOptions {
        epochs: 60,
        rate: 0.05,
        patience: 2,
        validation: 0.3,
        ..options()
    };
    let tables = [traffic(600, 60.0, 1)];
    let (_, report) = SequenceAutoencoder::new(columns(), eager)
        .fit(&tables, &mut |_| ControlFlow::Continue(()))
        .unwrap();
    assert!(report.stopped_early && report.epochs.len() < 60);
    let least = report
        .epochs
        .iter()
        .map(|epoch| epoch.validation.unwrap())
        .fold(f64::MAX, f64::min);
    assert_eq!(report.epochs[report.best - 1].validation.unwrap(), least);
    let told = SequenceAutoencoder::new(columns(), options()).fit(&tables, &mut |_| ControlFlow::Break(()));
    assert_eq!(told.unwrap_err(), LearnedError::Stopped { epoch: 1 });
}

#[test]
fn too_little_is_refused() {
    let network = SequenceAutoencoder::new(columns(), options());
    let refused = network.fit(&[traffic(31, 60.0, 1)], &mut |_| ControlFlow::Continue(()));
    assert!(matches!(
        refused.unwrap_err(),
        LearnedError::TooFew {
            given: 31,
            needed: 32,
            ..
        }
    ));
}
