//! `skywatch traces eval DIR`: fit on `normal-train`, judge `normal-test` and `abnormal-test`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use skywatch_algorithms::traces::TraceOptions;

use crate::backtest::traces::{self, NamedFigures, TraceEvaluation};
use crate::cli::context::{CommandFailure, say};

#[derive(Debug, Args)]
pub(super) struct EvalArguments {
    /// Folder with `normal-train`, `normal-test` and `abnormal-test`, each `.jsonl.gz` or `.jsonl`
    folder: PathBuf,
    /// What the split of the normal traces and all other randomness follow from
    #[arg(long, value_name = "NUMBER", default_value_t = 42)]
    seed: u64,
    /// Where a line of JSON for each judged trace goes
    #[arg(long, value_name = "FILE")]
    scores: Option<PathBuf>,
    /// The figures as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &EvalArguments) -> Result<(), CommandFailure> {
    let options = TraceOptions {
        seed: arguments.seed,
        ..TraceOptions::default()
    };
    let (evaluation, scored) = traces::evaluate(&arguments.folder, options)?;
    if let Some(path) = &arguments.scores {
        let unwritable = || format!("cannot write `{}`", path.display());
        let mut out = BufWriter::new(File::create(path).with_context(unwritable)?);
        for trace in &scored {
            let line = serde_json::to_string(trace)?;
            writeln!(out, "{line}").with_context(unwritable)?;
        }
        out.flush().with_context(unwritable)?;
    }
    if arguments.json {
        say(&serde_json::to_string_pretty(&evaluation)?)?;
    } else {
        say(table(&evaluation).trim_end())?;
    }
    Ok(())
}

fn table(evaluation: &TraceEvaluation) -> String {
    let mut text = format!(
        "{} normal traces learnt in {:.1} s; {} normal and {} abnormal judged in {:.2} s, {:.0} spans/s; alarm above {:.3}\n",
        evaluation.trained,
        evaluation.fit_seconds,
        evaluation.normal,
        evaluation.abnormal,
        evaluation.judge_seconds,
        evaluation.spans as f64 / evaluation.judge_seconds.max(1e-9),
        evaluation.threshold
    );
    if evaluation.normal == 0 || evaluation.abnormal == 0 {
        text.push_str("no figures: they need traces with label 0 and with label 1\n");
        return text;
    }
    rows(&mut text, "all", evaluation.abnormal, &evaluation.overall);
    for (fault, figures) in &evaluation.faults {
        rows(&mut text, fault, figures.traces, &figures.scores);
    }
    text
}

fn rows(text: &mut String, what: &str, traces: usize, scores: &[NamedFigures]) {
    let _ = writeln!(
        text,
        "\n{:<38} {:>7} {:>7} {:>9} {:>7} {:>7} {:>12}",
        format!("{what} ({traces})"),
        "AUC",
        "AP",
        "precision",
        "recall",
        "F1",
        "false alarms"
    );
    for score in scores {
        if let Some(figures) = score.figures {
            let _ = writeln!(
                text,
                "  {:<36} {:>7.4} {:>7.4} {:>9.4} {:>7.4} {:>7.4} {:>12.4}",
                score.name,
                figures.auc,
                figures.average_precision,
                figures.precision,
                figures.recall,
                figures.f1,
                figures.false_alarm_rate
            );
        }
    }
}
