//! Lines a second on one core: the scanner alone, masked lines, and lines behind the general masks.
//!
//! `cargo bench -p skywatch-algorithms --bench templates`. Real messages of eight systems (loghub-2k in `../shared/logs`), run through a
//! miner that knows their templates; `cold` begins with a new miner each time. The lines are more than are remembered at once,
//! since each is varied in its numbers.

#![expect(clippy::print_stdout, reason = "a bench says what it has found")]

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use skywatch_algorithms::templates::{
    DrainOptions, MinerOptions, TemplateGrouping, TemplateMiner, VariableOptions, WILDCARD, scanner,
};

const SETS: [&str; 8] = [
    "HDFS",
    "BGL",
    "OpenStack",
    "Linux",
    "Android",
    "Apache",
    "Proxifier",
    "Zookeeper",
];
/// Copies of each message, with other numbers.
const COPIES: usize = 16;

/// The messages of all sets: the second column of the truth files, where it needs no quotes, with its digits turned on by one copy
/// after the other.
fn messages() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/logs");
    let mut messages = Vec::new();
    for set in SETS {
        let path = folder.join(format!("{set}/{set}_2k.truth.csv"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!("the data of loghub-2k are needed at {}: {error}", path.display())
        });
        for row in text.lines().skip(1) {
            let message = row.split(',').nth(1).unwrap_or_default();
            let message = message.trim_matches('"');
            messages.extend((0..COPIES).map(|copy| turned(message, copy as u8)));
        }
    }
    messages
}

/// Digits further by `by`, so that the same values do not come again.
fn turned(message: &str, by: u8) -> String {
    let turn = |c: char| {
        if c.is_ascii_digit() {
            char::from((c as u8 - b'0' + by) % 10 + b'0')
        } else {
            c
        }
    };
    message.chars().map(turn).collect()
}

/// What the general masks leave of a message.
fn masked(message: &str) -> String {
    let (mut text, mut copied) = (String::new(), 0);
    scanner::scan(message, |_, at| {
        text.push_str(&message[copied..at.start]);
        text.push_str(WILDCARD);
        copied = at.end;
    });
    text + &message[copied..]
}

fn best(lines: usize, mut work: impl FnMut()) -> f64 {
    let mut best = Duration::MAX;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        let start = Instant::now();
        work();
        best = best.min(start.elapsed());
    }
    lines as f64 / best.as_secs_f64()
}

fn run(name: &str, options: &MinerOptions, lines: &[String]) {
    let fresh = || TemplateMiner::new(options).expect("options that are possible");
    let mut miner = fresh();
    for line in lines {
        miner.learn(line);
    }
    let known = best(lines.len(), || {
        for line in lines {
            black_box(miner.learn(black_box(line)));
        }
    });
    let cold = best(lines.len(), || {
        let mut miner = fresh();
        for line in lines {
            black_box(miner.learn(black_box(line)));
        }
    });
    println!(
        "{name:42} {known:>11.0} lines/s known {cold:>11.0} lines/s cold {:>6} clusters",
        miner.len()
    );
}

fn main() {
    let messages = messages();
    let masked: Vec<_> = messages.iter().map(|message| masked(message)).collect();
    let bytes: usize = messages.iter().map(String::len).sum();
    println!(
        "{} lines, {} bytes a line",
        messages.len(),
        bytes / messages.len()
    );
    let scanned = best(messages.len(), || {
        for message in &messages {
            scanner::scan(black_box(message), |kind, at| {
                black_box((kind, at));
            });
        }
    });
    println!("{:42} {scanned:>11.0} lines/s", "the scanner alone");
    let drain = TemplateGrouping::Drain(DrainOptions {
        similarity: 0.5,
        ..DrainOptions::default()
    });
    let variables = TemplateGrouping::Variables(VariableOptions::default());
    for (name, grouping) in [("drain", drain), ("variables", variables)] {
        let options = |general_masks| MinerOptions {
            general_masks,
            grouping,
            ..MinerOptions::default()
        };
        run(&format!("{name}, masked lines"), &options(false), &masked);
        run(
            &format!("{name}, lines behind the general masks"),
            &options(true),
            &messages,
        );
    }
}
