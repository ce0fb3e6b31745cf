//! What the health plane costs: who is observed, a report, a verdict, the way to peers, memory, a start, and what one server takes in for as
//! long as it is asked to.
//!
//! `scripts/bench health`, or `cargo bench --bench health -- PART…` for some of `observe`, `submit`, `judge`, `propagate`, `memory`,
//! `sustained`. Servers are the real binary, each a process with its file on the disk of `FOLDER`; reports have three metrics. Sized by
//! environment variables: `REPORTS` (20,000) of `submit`, `SUBJECTS` (12,500, of 80 observations each) of `memory`,
//! `SECONDS` (10) and `CONNECTIONS` (4) of `sustained`. Prints a line of JSON a part, with the machine's load before it.

mod judge;
mod load;
mod memory;
mod observe;
mod propagate;
mod world;

use std::io::Write as _;

use serde_json::{Value, json};

/// Measures something, and gives the figures.
type Measure = fn() -> Value;

/// The parts, in the order in which they run.
const PARTS: [(&str, Measure); 6] = [
    ("observe", observe::observe),
    ("submit", load::submit),
    ("judge", judge::judge),
    ("propagate", propagate::propagate),
    ("sustained", load::sustained),
    ("memory", memory::memory),
];

fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        // Cargo's own.
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    if let Some(unknown) = wanted
        .iter()
        .find(|name| PARTS.iter().all(|(part, _)| part != name))
    {
        let known = PARTS.map(|(part, _)| part).join(", ");
        panic!("unknown part `{unknown}`; known are {known}");
    }
    for (part, measure) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|name| name == part) {
            let load = world::load_average();
            let line = json!({"part": part, "load_before": load, "measured": measure()});
            writeln!(std::io::stdout().lock(), "{line}").expect("standard output");
        }
    }
}
