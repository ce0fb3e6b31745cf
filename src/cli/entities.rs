//! `skywatch entities`: multivariate detection of machines, pods and applications.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::context::{CommandFailure, say};
use crate::entities::{self, EntityDetectors, EntityEvaluation};
use crate::process;
use crate::stop::Stop;

#[derive(Debug, Args)]
pub(super) struct EntitiesArguments {
    #[command(subcommand)]
    command: EntitiesCommand,
}

#[derive(Debug, Subcommand)]
enum EntitiesCommand {
    /// Learn from the training rows of entities in files and judge their test rows, one after the other
    Eval(EntityEvalArguments),
}

#[derive(Debug, Args)]
struct EntityEvalArguments {
    /// A folder with `ENTITY/train.csv.gz` and `ENTITY/test.csv.gz`: a heading with the metrics' names, a row a step
    folder: PathBuf,
    /// Where `ENTITY.csv` goes, with `score` and `alarm` of each test row
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// What judges: views that are combined, of `subspace`, `baselines` and `neighbours`, or alone the networks of
    /// gala-anteater, `vae` and `usad`, which this is measured against
    #[arg(long, value_name = "NAMES", default_value = "subspace,baselines,neighbours", value_parser = EntityDetectors::of_names)]
    detectors: EntityDetectors,
    /// The summary as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &EntitiesArguments) -> Result<(), CommandFailure> {
    match &arguments.command {
        EntitiesCommand::Eval(arguments) => evaluate(arguments),
    }
}

fn evaluate(arguments: &EntityEvalArguments) -> Result<(), CommandFailure> {
    let stop = Stop::new();
    let _signals = process::stop_on_signal(&stop, process::Hangup::Ends)?;
    let evaluations = entities::evaluate(&arguments.folder, &arguments.output, &arguments.detectors, &stop)?;
    if arguments.json {
        say(&serde_json::to_string_pretty(&evaluations)?)?;
    } else {
        for evaluation in &evaluations {
            say(&sentence(evaluation))?;
        }
    }
    Ok(())
}

fn sentence(evaluation: &EntityEvaluation) -> String {
    let EntityEvaluation {
        entity,
        metrics,
        training_rows,
        rows,
        alarms,
        ..
    } = evaluation;
    let mut text = format!(
        "{entity}: {metrics} metrics, {training_rows} rows learnt, {rows} judged, {alarms} with an alarm"
    );
    if let Some(period) = evaluation.period_rows {
        text += &format!("; a period of {period} rows");
    }
    if evaluation.missing_values > 0 {
        text += &format!(
            "; {} values missing, {} rows without any",
            evaluation.missing_values, evaluation.rows_without_values
        );
    }
    text
}
