//! `skywatch entities`: multivariate detection of machines, pods and applications.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use skywatch_alerters::units;

use super::context::{CommandFailure, Context, Global, say};
use crate::clock::unix_now;
use crate::entities::{self, EntityDetectors, EntityEvaluation, EntityReader, EntitySummary, entities_path};
#[cfg(feature = "learned")]
use crate::entities::{EntityTrainer, TrainedEntity};
use crate::process;
use crate::stop::Stop;

#[derive(Debug, Args)]
pub(super) struct EntitiesArguments {
    #[command(subcommand)]
    command: EntitiesCommand,
}

#[derive(Debug, Subcommand)]
enum EntitiesCommand {
    /// List the entities that are watched, with their state, score and what drives it
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Learn entities before they are watched, and leave what is learnt in the model store
    #[cfg(feature = "learned")]
    Train(EntityTrainArguments),
    /// Learn from the training rows of entities in files and judge their test rows, one after the other
    Eval(EntityEvalArguments),
}

#[cfg(feature = "learned")]
#[derive(Debug, Args)]
struct EntityTrainArguments {
    /// A folder with `ENTITY/train.csv.gz`, rows `entities.step` apart; without it `entities.prometheus` is asked
    folder: Option<PathBuf>,
    /// Learn what came since then: a time or `-24h`, say; `entities.history` ago if not given
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with = "folder"
    )]
    from: Option<String>,
    /// … and up to then; now if not given
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with = "folder"
    )]
    until: Option<String>,
    /// The summary as JSON, an object a line
    #[arg(long)]
    json: bool,
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

pub(super) fn run(global: Global, arguments: &EntitiesArguments) -> Result<(), CommandFailure> {
    match &arguments.command {
        EntitiesCommand::List { json } => list(&Context::resolve(global)?, *json),
        #[cfg(feature = "learned")]
        EntitiesCommand::Train(arguments) => train(&Context::resolve(global)?, arguments),
        EntitiesCommand::Eval(arguments) => evaluate(arguments),
    }
}

#[cfg(feature = "learned")]
fn train(context: &Context, arguments: &EntityTrainArguments) -> Result<(), CommandFailure> {
    let settings = &context.loaded.settings;
    crate::log::start(&settings.log);
    let stop = Stop::new();
    let _signals = process::stop_on_signal(&stop, process::Hangup::Ends)?;
    let trainer = EntityTrainer {
        settings: &settings.entities,
        models: process::wiring::registry(settings)?,
        has_trainer: settings.training.enabled,
        stop: &stop,
    };
    let (mut learnt, mut said) = (0u64, Ok(()));
    let mut each = |entity: TrainedEntity| {
        learnt += u64::from(entity.failure.is_none());
        let text = match (arguments.json, &entity.failure) {
            (true, _) => serde_json::to_string(&entity).unwrap_or_default(),
            (false, Some(why)) => format!("{}: not learnt: {why}", entity.entity),
            (false, None) => format!(
                "{}: {} rows of {} metrics learnt in {:.1} s",
                entity.entity, entity.rows, entity.metrics, entity.seconds
            ),
        };
        if said.is_ok() {
            said = say(&text);
        }
    };
    match &arguments.folder {
        Some(folder) => trainer.from_files(folder, &mut each)?,
        None => {
            let history = settings.entities.history.as_secs_f64();
            let span = super::backfill::span(arguments.from.as_deref(), arguments.until.as_deref(), history)?;
            trainer.from_source(span, &mut each)?;
        }
    }
    said?;
    if learnt == 0 {
        return Err(anyhow::anyhow!("no entity was learnt").into());
    }
    Ok(())
}

/// Metrics that a line of the list names.
const NAMED: usize = 3;

fn list(context: &Context, json: bool) -> Result<(), CommandFailure> {
    let reader = EntityReader::open(&entities_path(&context.loaded.settings.state_dir))?;
    let entities = reader.list()?;
    if json {
        return Ok(say(&serde_json::to_string_pretty(&entities)?)?);
    }
    for entity in &entities {
        say(&line(entity))?;
    }
    Ok(())
}

fn line(entity: &EntitySummary) -> String {
    let mut text = format!("{:<9}  {}", entity.state, entity.name);
    if let Some(why) = &entity.why {
        text += &format!("  {why}");
    }
    if let Some(score) = entity.score {
        text += &format!("  score {}", units::number(score));
    }
    let drivers = entity.drivers.iter().take(NAMED);
    let drivers: Vec<_> = drivers
        .map(|(metric, share)| format!("{metric} {:.0} %", share * 100.0))
        .collect();
    if !drivers.is_empty() {
        text += &format!("  {}", drivers.join(", "));
    }
    match &entity.learnt {
        Some(learnt) => {
            let ago = units::length((unix_now() - learnt.at).max(0.0));
            text += &format!(
                "  learnt {ago} ago from {} rows of {} metrics",
                learnt.rows, learnt.metrics
            );
        }
        None => text += "  not learnt yet",
    }
    text
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
