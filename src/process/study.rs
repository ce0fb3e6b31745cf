//! What people ask about trainings and models: answered by the process that runs, as its settings lead to the queue and
//! to the models, and not those of whoever asks.

use skywatch_alerters::units;
use skywatch_settings::Settings;

use super::{ProcessError, trainer, wiring};
use crate::clock::unix_now;
use crate::dispatch::{Answer, Study};
use crate::jobs::{FAMILIES, FamiliesJob, QueueError, SequenceJob, Task};
use crate::models::{ModelError, ModelKind, ModelRegistry};

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
        Study::Train { model, metrics } => {
            let task = task_of(settings, model.clone(), metrics.clone())?;
            let id = trainer::queue(settings)?
                .open()?
                .enqueue(&task, None, unix_now())?;
            let id = id.ok_or_else(|| StudyError::Unknown("the job was not enqueued".to_owned()))?;
            Ok(lines([id]))
        }
        Study::Models => Ok(lines(list(&wiring::registry(settings)?)?)),
        Study::Listings { only, limit } => {
            let registry = wiring::registry(settings)?;
            let mut names = match only {
                Some(name) => vec![name.clone()],
                None => registry.names()?,
            };
            let more = names.len().saturating_sub(*limit);
            names.truncate(*limit);
            let models: Result<_, _> = names.iter().map(|name| registry.listing(name)).collect();
            Ok(Answer::Models {
                place: registry.describe(),
                models: models?,
                more,
            })
        }
        Study::Model { model, version } => {
            let registry = wiring::registry(settings)?;
            let card = match version {
                Some(version) => registry.card(model, version, None)?,
                None => {
                    let pointer = registry.pointer(model)?;
                    let unknown = || StudyError::Unknown(format!("there is no model `{model}`"));
                    let pointer = pointer.ok_or_else(unknown)?;
                    registry.card(model, &pointer.version, Some(&pointer.card_sha256))?
                }
            };
            Ok(lines([serde_json::to_string_pretty(&card)?]))
        }
        Study::RollBack { model, version } => {
            let version = wiring::registry(settings)?.roll_back(model, version.as_deref())?;
            Ok(lines([format!("version {version} of {model} serves")]))
        }
    }
}

/// The training of one model of some metrics, or of all families.
///
/// # Errors
/// A name that cannot be: refused now, and not by a job that failed.
pub(crate) fn task_of(
    settings: &Settings,
    model: Option<String>,
    metrics: Vec<String>,
) -> Result<Task, StudyError> {
    match model {
        Some(model) if model == FAMILIES => Err(StudyError::Unknown(format!(
            "`{model}` is the model of all families\nhint: take another name"
        ))),
        Some(model) => {
            wiring::registry(settings)?.pointer(&model)?;
            Ok(Task::of(&SequenceJob { model, metrics }))
        }
        None => Ok(Task::of(&FamiliesJob {})),
    }
}

fn lines(lines: impl IntoIterator<Item = String>) -> Answer {
    Answer::Lines {
        lines: lines.into_iter().collect(),
    }
}

/// A line for each version of each model.
fn list(registry: &ModelRegistry) -> Result<Vec<String>, ModelError> {
    let mut lines = Vec::new();
    for name in registry.names()? {
        let serving = registry.pointer(&name)?.map(|pointer| pointer.version);
        for version in registry.versions(&name)? {
            let mark = if serving.as_ref() == Some(&version) {
                "serves"
            } else {
                ""
            };
            // One that cannot be read does not hide the others.
            let about = match registry.card(&name, &version, None) {
                Ok(card) => {
                    let made = units::time(card.provenance.made_at);
                    let error = card.provenance.holdout.error;
                    let what = ModelKind::of_card(&card).and_then(|kind| kind.describe(&card));
                    let what = what.unwrap_or_else(|error| error.to_string());
                    format!("{what}, error {error:.4} held back, made {made}")
                }
                Err(error) => error.to_string(),
            };
            lines.push(format!("{name}  {version}  {mark:<6}  {about}"));
        }
    }
    // A name may have examples to be fitted to, and no version yet.
    if lines.is_empty() {
        let place = registry.describe();
        lines.push(format!("no models in {place}\nhint: `skywatch train` fits them"));
    }
    Ok(lines)
}
