//! What people ask about trainings and models: answered by the process that runs, as its settings lead to the queue and
//! to the models, and not those of whoever asks.

use skywatch_alerters::units;
use skywatch_settings::Settings;

use super::{ProcessError, trainer, wiring};
use crate::clock::unix_now;
use crate::dispatch::{Answer, Study};
use crate::jobs::QueueError;
use crate::models::{Kind, Library, ModelError};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StudyError {
    /// The queue or the models cannot be reached as the settings say.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The queue.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The models.
    #[error(transparent)]
    Models(#[from] ModelError),
    /// There is no such thing.
    #[error("{0}")]
    Unknown(String),
    /// A card that cannot be written as JSON: a defect of ours.
    #[error("a card cannot be shown: {0}")]
    Card(#[from] serde_json::Error),
}

/// Answers one question.
pub(crate) fn answer(settings: &Settings, study: &Study) -> Result<Answer, StudyError> {
    match study {
        Study::Jobs { limit } => {
            let mut queue = trainer::queue(settings)?.open()?;
            let jobs = queue.list(*limit)?;
            let place = queue.describe();
            Ok(Answer::Jobs { place, jobs })
        }
        Study::RetryJob { id } => {
            let mut queue = trainer::queue(settings)?.open()?;
            if !queue.revive(id, unix_now())? {
                let why = format!("there is no job `{id}` among those that were given up");
                return Err(StudyError::Unknown(why));
            }
            Ok(lines(["it waits again".to_owned()]))
        }
        Study::Models => Ok(lines(list(&wiring::library(settings)?)?)),
        Study::Model { model, version } => {
            let library = wiring::library(settings)?;
            let card = match version {
                Some(version) => library.card(model, version, None)?,
                None => {
                    let pointer = library.pointer(model)?;
                    let unknown = || StudyError::Unknown(format!("there is no model `{model}`"));
                    let pointer = pointer.ok_or_else(unknown)?;
                    library.card(model, &pointer.version, Some(&pointer.card_sha256))?
                }
            };
            Ok(lines([serde_json::to_string_pretty(&card)?]))
        }
        Study::RollBack { model, version } => {
            let version = wiring::library(settings)?.roll_back(model, version.as_deref())?;
            Ok(lines([format!("version {version} of {model} serves")]))
        }
    }
}

fn lines(lines: impl IntoIterator<Item = String>) -> Answer {
    Answer::Lines {
        lines: lines.into_iter().collect(),
    }
}

/// A line for each version of each model.
fn list(library: &Library) -> Result<Vec<String>, ModelError> {
    let names = library.names()?;
    if names.is_empty() {
        let place = library.describe();
        return Ok(vec![format!(
            "no models in {place}\nhint: `skywatch train` fits them"
        )]);
    }
    let mut lines = Vec::new();
    for name in names {
        let serving = library.pointer(&name)?.map(|pointer| pointer.version);
        for version in library.versions(&name)? {
            let mark = if serving.as_ref() == Some(&version) {
                "serves"
            } else {
                ""
            };
            // One that cannot be read does not hide the others.
            let about = match library.card(&name, &version, None) {
                Ok(card) => {
                    let what = match &card.kind {
                        Kind::Sequence { columns, .. } => format!("{} columns", columns.len()),
                        Kind::Families { metrics, .. } => {
                            let count: usize = metrics.iter().map(Vec::len).sum();
                            format!("{count} metrics in {} families", metrics.len())
                        }
                    };
                    format!(
                        "{what}, error {:.4} held back, made {}",
                        card.holdout.error,
                        units::time(card.made_at)
                    )
                }
                Err(error) => error.to_string(),
            };
            lines.push(format!("{name}  {version}  {mark:<6}  {about}"));
        }
    }
    Ok(lines)
}
