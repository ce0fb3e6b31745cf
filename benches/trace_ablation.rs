//! What each part of the network over traces is worth: it is left out, and the detectors are fitted anew.
//!
//! `cargo bench --bench trace_ablation -- FOLDER [VARIANT…]`, FOLDER as `skywatch traces eval` reads it; seed by `SEED` (1). Prints a line
//! a variant: seconds of fitting, AUC and F1 of the verdict, AUC of the network alone over all, and for each fault.

use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::PathBuf;

use skywatch::backtest::traces::{NamedFigures, evaluate_by};
use skywatch_algorithms::learned::masked_span::{EncoderShape, MaskedSpanOptions, UnfittedTraces};
use skywatch_algorithms::traces::{SiblingOrder, TraceDetector, TraceOptions};

/// A way to fit that differs in one part.
type Variant = (&'static str, fn(&mut UnfittedTraces));

const VARIANTS: [Variant; 7] = [
    ("as shipped", |_| {}),
    ("masks only", |all| all.network.prefixes = false),
    ("without depth and caller", |all| all.network.shape.tree = false),
    ("siblings by start", |all| all.options.order = SiblingOrder::Start),
    ("one layer", |all| all.network.shape.layers = 1),
    ("half the budget", |all| all.network.budget /= 2),
    ("without a network", |_| {}),
];

fn main() {
    let asked: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let Some((folder, names)) = asked.split_first() else {
        panic!("which folder of labelled traces?");
    };
    let seed = std::env::var("SEED").map_or(1, |seed| seed.parse().expect("SEED is a number"));
    for (name, change) in VARIANTS {
        if !names.is_empty() && !names.iter().any(|wanted| wanted == name) {
            continue;
        }
        let mut unfitted = UnfittedTraces {
            options: TraceOptions {
                seed,
                ..TraceOptions::default()
            },
            network: MaskedSpanOptions {
                shape: EncoderShape::default(),
                seed,
                ..MaskedSpanOptions::default()
            },
        };
        change(&mut unfitted);
        let fitted = evaluate_by(&PathBuf::from(folder), |training| {
            if name == "without a network" {
                return TraceDetector::fit(training, unfitted.options, None)
                    .map_err(|error| error.to_string());
            }
            let (fitted, _) = unfitted
                .fit(training, &mut |_| ControlFlow::Continue(()))
                .map_err(|error| error.to_string())?;
            Ok(fitted.into_detector())
        });
        let (evaluation, _) = fitted.expect("traces");
        let mut out = std::io::stdout().lock();
        let verdict = figures(&evaluation.overall, "combined");
        let network = figures(&evaluation.overall, "masked_span");
        writeln!(
            out,
            "{name}: {:.0} s, verdict {verdict}, network {network}",
            evaluation.fit_seconds
        )
        .expect("standard output");
        for (fault, of_fault) in &evaluation.faults {
            let network = figures(&of_fault.scores, "masked_span");
            let verdict = figures(&of_fault.scores, "combined");
            writeln!(out, "    {fault}: network {network}, verdict {verdict}").expect("standard output");
        }
    }
}

fn figures(all: &[NamedFigures], name: &str) -> String {
    let found = all.iter().find(|figures| figures.name == name);
    found.and_then(|figures| figures.figures.as_ref()).map_or_else(
        || "–".to_owned(),
        |figures| format!("AUC {:.4} F1 {:.3}", figures.auc, figures.f1),
    )
}
