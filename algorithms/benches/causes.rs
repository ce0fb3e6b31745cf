//! What moved with a metric, among a hundred thousand. `scripts/bench causes`.
//!
//! Planted: a cause that wanders and breaks, 20 metrics that follow it by up to four steps with gains, units and noise of their own (half
//! of what moves the cause from minute to minute), and 100,000 others of six kinds: normal noise, heavy tails, rare spikes, slow waves, random walks,
//! counters. From raw points to the list: how many of the 20 are among the first 20, and how long it takes on one thread. Then
//! incidents with nothing to find: how many of 100 name anything, over all kinds, each beside 20,000 metrics of each kind.

#![expect(clippy::print_stdout, reason = "a bench talks")]

use std::time::Instant;

use skywatch_algorithms::Series;
use skywatch_algorithms::causes::{PreparedTail, RelatedSearch, RelatedTier, TAIL_POINTS, TailGrid};
use skywatch_algorithms::random::Random;

const OTHERS: usize = 100_000;
const DEPENDENTS: usize = 20;
/// Points read of each metric: a tail and some before it.
const POINTS: usize = 132;
const STEP: f64 = 60.0;
const KINDS: [&str; 6] = [
    "normal noise",
    "heavy tails",
    "rare spikes",
    "slow waves",
    "random walks",
    "counters",
];

fn main() {
    for seed in 1..=3 {
        planted(seed);
    }
    for kind in 0..KINDS.len() {
        nothing_to_find(kind);
    }
}

fn series(values: impl Iterator<Item = f64>, offset: f64) -> Series {
    let (times, values) = values
        .take(POINTS)
        .enumerate()
        .map(|(i, value)| (offset + STEP * i as f64, value))
        .unzip();
    Series { times, values }
}

fn noise(kind: usize, random: &mut Random) -> Series {
    let offset = STEP * random.unit();
    let mut level = 0.0;
    let value = || match kind {
        0 => 1e6 + 30.0 * random.normal(),
        1 => random.normal() / random.unit().sqrt(),
        2 => f64::from(u8::from(random.below(30) == 0)),
        3 => {
            level = 0.9 * level + random.normal();
            level
        }
        4 => {
            level += random.normal();
            level
        }
        _ => {
            level += 5.0 + random.normal().abs();
            level
        }
    };
    series(std::iter::repeat_with(value), offset)
}

fn planted(seed: u64) {
    let mut random = Random::new(seed);
    let mut level = 0.0;
    let cause: Vec<f64> = (0..POINTS + 4)
        .map(|at| {
            level = 0.8 * level + random.normal();
            // It breaks a quarter of an hour before the end.
            level + if at + 15 > POINTS { 8.0 } else { 0.0 }
        })
        .collect();
    let reference = series(cause[4..].iter().copied(), 0.0);
    let mut all: Vec<Series> = (0..DEPENDENTS)
        .map(|dependent| {
            let behind = dependent % 5;
            let gain = if dependent % 3 == 0 { -250.0 } else { 40.0 };
            let follow = |at: usize| gain * (cause[at + 4 - behind] + 0.5 * random.normal());
            series((0..POINTS).map(follow), 20.0)
        })
        .collect();
    all.extend((0..OTHERS).map(|other| noise(other % KINDS.len(), &mut random)));

    let begun = Instant::now();
    let grid = TailGrid::of(&reference.times).expect("long enough");
    let own = PreparedTail::new(&grid.values(&reference.times, &reference.values)).expect("it moves");
    let mut search = RelatedSearch::new(&own);
    for (index, series) in all.iter().enumerate() {
        if let Some(tail) = PreparedTail::new(&grid.values(&series.times, &series.values)) {
            search.offer(index, &tail, RelatedTier::Other);
        }
    }
    let found = search.finish();
    let seconds = begun.elapsed().as_secs_f64();
    let hits = found
        .iter()
        .take(DEPENDENTS)
        .filter(|found| found.index < DEPENDENTS)
        .count();
    println!(
        "planted {seed}: {hits} of {DEPENDENTS} in the first {DEPENDENTS} of {}, {} named, {seconds:.2} s on one thread for tails of {TAIL_POINTS}",
        all.len(),
        found.len(),
    );
}

fn nothing_to_find(kind: usize) {
    const BESIDE: usize = 20_000;
    let mut random = Random::new(100 + kind as u64);
    let grid = TailGrid {
        end: STEP * POINTS as f64,
        step: STEP,
    };
    let tail = |kind: usize, random: &mut Random| {
        let series = noise(kind, random);
        PreparedTail::new(&grid.values(&series.times, &series.values))
    };
    let mut others: Vec<Vec<PreparedTail>> = Vec::new();
    for kind in 0..KINDS.len() {
        others.push(
            std::iter::repeat_with(|| tail(kind, &mut random))
                .flatten()
                .take(BESIDE)
                .collect(),
        );
    }
    let mut incidents = 0;
    let mut named = [0; KINDS.len()];
    while incidents < 100 {
        let Some(mut reference) = tail(kind, &mut random) else {
            continue;
        };
        if incidents % 2 == 0 {
            // Every other one has broken ten minutes ago, as incidents have.
            let mut series = noise(kind, &mut random);
            let largest = series
                .values
                .iter()
                .fold(0.0_f64, |largest, value| largest.max(value.abs()));
            for value in series.values.iter_mut().rev().take(10) {
                *value += 8.0 * largest.min(8.0);
            }
            match PreparedTail::new(&grid.values(&series.times, &series.values)) {
                Some(broken) => reference = broken,
                None => continue,
            }
        }
        incidents += 1;
        for (others, named) in others.iter().zip(&mut named) {
            let mut search = RelatedSearch::new(&reference);
            for (index, other) in others.iter().enumerate() {
                search.offer(index, other, RelatedTier::Other);
            }
            *named += usize::from(!search.finish().is_empty());
        }
    }
    let beside: Vec<String> = KINDS
        .iter()
        .zip(named)
        .map(|(kind, named)| format!("{named} beside {kind}"))
        .collect();
    println!(
        "nothing to find, incidents about {}: of 100 named {}",
        KINDS[kind],
        beside.join(", ")
    );
}
