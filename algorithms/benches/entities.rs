//! Training and judging entities. `scripts/bench entities`.
//!
//! Training: gala-anteater's day, 17,281 rows of 136 metrics, a row a sample, batches of 1,024, 70 % learnt, 100 epochs, on one
//! thread; its log says 19.6 s. A tick: one row of 111 metrics of each of 100 entities through the default ensemble, fitted
//! on a day of minutes. Both on made-up metrics that follow four hidden ones.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench talks and may fail"
)]

use std::ops::ControlFlow;
use std::time::Instant;

use skywatch_algorithms::entities::{EntityDetector, EntityRows, UnfittedEntity};
use skywatch_algorithms::learned::{UnfittedVae, VaeOptions};
use skywatch_algorithms::random::Random;

fn main() {
    training();
    tick();
}

fn rows(count: usize, metrics: usize, seed: u64) -> EntityRows {
    let mut random = Random::new(seed);
    let weights: Vec<f64> = (0..metrics * 4).map(|_| random.normal()).collect();
    let mut rows = EntityRows::new(metrics);
    for at in 0..count {
        let day = |phase: f64| (at as f64 / count as f64 * std::f64::consts::TAU + phase).sin();
        let hidden = [day(0.0), day(1.0), random.normal(), random.normal()];
        let value = |metric: usize| {
            let weights = &weights[metric * 4..(metric + 1) * 4];
            weights
                .iter()
                .zip(&hidden)
                .map(|(weight, hidden)| weight * hidden)
                .sum::<f64>()
        };
        let row: Vec<f64> = (0..metrics)
            .map(|metric| value(metric) + 0.1 * random.normal())
            .collect();
        rows.push(&row).unwrap();
    }
    rows
}

fn training() {
    let day = rows(17_281, 136, 1);
    let options = VaeOptions {
        epochs: 100,
        patience: 100,
        ..VaeOptions::default()
    };
    let begun = Instant::now();
    let (_, report) = UnfittedVae::new(options)
        .fit(&day, &mut |_| ControlFlow::Continue(()))
        .unwrap();
    let (first, last) = (report.epochs[0], report.epochs[report.epochs.len() - 1]);
    println!(
        "vae: 17,281 rows of 136 metrics, {} epochs in {:.2} s; loss a row {:.3} to {:.3}",
        report.epochs.len(),
        begun.elapsed().as_secs_f64(),
        first.loss,
        last.loss
    );
    let begun = Instant::now();
    let detector = UnfittedEntity::default().fit(&day).unwrap();
    println!(
        "ensemble: the same rows in {:.2} s (period {:?})",
        begun.elapsed().as_secs_f64(),
        detector.period()
    );
}

fn tick() {
    let day = rows(1_440 + 10, 111, 2);
    let mut training = EntityRows::new(111);
    (0..1_440).for_each(|at| training.push(day.row(at)).unwrap());
    let fitted = UnfittedEntity::default().fit(&training).unwrap();
    let mut entities: Vec<EntityDetector> = vec![fitted; 100];
    let begun = Instant::now();
    let mut alarms = 0;
    for at in 1_440..1_450 {
        for entity in &mut entities {
            alarms += usize::from(entity.judge(day.row(at)).unwrap().unwrap().is_anomalous);
        }
    }
    println!(
        "tick: 111 metrics of 100 entities in {:.1} ms on one thread ({alarms} alarms in ten ticks)",
        begun.elapsed().as_secs_f64() * 100.0
    );
}
