//! `skywatch votes FILE`: what the nine classic detectors say of given series.
//!
//! Reads one JSON object a line with `name`, `now` and `series` (`[[time, value], …]`), judges the series exactly as it
//! stands (no sorting, no cut, no rates) under the original's shipped rules, and prints one JSON object a line.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use skywatch_algorithms::{BallotMark, ClassicFlavour, Ensemble, Exception, Rules, Scratch, Series};

use super::context::CommandFailure;

/// Lines judged at a time: enough to keep all cores busy, few enough to hold in memory.
const CHUNK: usize = 1_024;

#[derive(Debug, Args)]
pub(super) struct VotesArguments {
    /// JSON lines with `name`, `now` and `series`
    file: PathBuf,
    /// Whose variant of the nine tests
    #[arg(long, default_value = "earthgecko", value_parser = ["earthgecko", "etsy"])]
    flavour: String,
}

/// A line of the file; other fields are passed over.
#[derive(Deserialize)]
struct Question {
    name: String,
    now: f64,
    series: Vec<(f64, f64)>,
}

#[derive(Serialize)]
struct SeriesVotes<'a> {
    name: &'a str,
    results: serde_json::Map<String, serde_json::Value>,
    outcome: &'static str,
    anomalous: bool,
    datapoint: Option<f64>,
}

pub(super) fn run(arguments: &VotesArguments) -> Result<(), CommandFailure> {
    let path = arguments.file.display();
    let file = File::open(&arguments.file).with_context(|| format!("cannot read `{path}`"))?;
    let rules = match arguments.flavour.as_str() {
        "etsy" => Rules::etsy(),
        _ => Rules::earthgecko(),
    };
    let ensemble = Ensemble::classic(rules);
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut lines = BufReader::new(file).lines().enumerate();
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        for (index, line) in lines.by_ref().take(CHUNK) {
            let line = line.with_context(|| format!("cannot read `{path}` line {}", index + 1))?;
            if !line.trim().is_empty() {
                chunk.push((index + 1, line));
            }
        }
        if chunk.is_empty() {
            break;
        }
        let answers: Vec<_> = chunk
            .par_iter()
            .map_init(Scratch::default, |scratch, (number, line)| {
                answer(&ensemble, line, scratch).with_context(|| format!("`{path}` line {number}"))
            })
            .collect();
        for answer in answers {
            writeln!(out, "{}", answer?).context("cannot write the answers")?;
        }
    }
    out.flush().context("cannot write the answers")?;
    Ok(())
}

fn answer(ensemble: &Ensemble, line: &str, scratch: &mut Scratch) -> anyhow::Result<String> {
    let question: Question = serde_json::from_str(line).context("not a series")?;
    let mut series = Series::default();
    for &(time, value) in &question.series {
        series.push(time, value);
    }
    let window = series.window();
    let ballot = ensemble.ballot(window, question.now, scratch);
    let results = ensemble.names().zip(ballot.marks()).map(|(name, mark)| {
        let answer = match mark {
            BallotMark::Anomalous => true.into(),
            BallotMark::Normal => false.into(),
            BallotMark::Failed | BallotMark::NotCast => serde_json::Value::Null,
        };
        (name.to_owned(), answer)
    });
    let flavour = ensemble.rules().flavour;
    let (outcome, anomalous, datapoint) = match ensemble.exclude(window, question.now) {
        Some(Exception::TooShort) if window.is_empty() && flavour == ClassicFlavour::Earthgecko => {
            ("EmptyTimeseries", false, None)
        }
        Some(exception) => (exception.name(), false, None),
        // Etsy's analyzer catches the error outside of the ensemble and reports the point as 1.
        None if flavour == ClassicFlavour::Etsy && ballot.errors() > 0 => {
            ("AlgorithmError", false, Some(1.0))
        }
        None => (
            "ok",
            ensemble.is_consensus(&ballot),
            window.last().map(|(_, value)| value),
        ),
    };
    let answer = SeriesVotes {
        name: &question.name,
        results: results.collect(),
        outcome,
        anomalous,
        datapoint,
    };
    Ok(serde_json::to_string(&answer)?)
}
