//! `skywatch import-aioutliers`: settings out of rb-aioutliers' configuration, and its models.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Args;

use super::context::{CommandFailure, Context, Global, say_imported};
use crate::aioutliers::{self, ImportedModel};
use crate::clock::unix_now;
use crate::log::last_words;
use crate::models::{Holdout, ModelError, ModelRegistry, Provenance, model_of_sensor, new_version};
use crate::process;

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(super) struct ImportAioutliersArguments {
    /// `config.ini`, of which settings are made
    configuration: Option<PathBuf>,
    /// A folder with models (`NAME.keras` and `NAME.ini`), which serve from now on where `models.place` says
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,
}

/// Settings go to standard output, what became of each key and model to standard error.
pub(super) fn run(global: Global, arguments: &ImportAioutliersArguments) -> Result<(), CommandFailure> {
    if let Some(path) = &arguments.configuration {
        say_imported(aioutliers::import_configuration(path)?)?;
    }
    match &arguments.models {
        Some(folder) => import_models(global, folder),
        None => Ok(()),
    }
}

/// Publishes each model that can be read; those that cannot are named, and make the command fail.
fn import_models(global: Global, folder: &Path) -> Result<(), CommandFailure> {
    let context = Context::resolve(global)?;
    let registry = process::wiring::registry(&context.loaded.settings)?;
    let models = aioutliers::read_models(folder)?;
    let (count, mut refused) = (models.len(), 0);
    for model in models {
        let outcome = model
            .map_err(anyhow::Error::from)
            .and_then(|model| Ok(publish(&registry, &model)?));
        match outcome {
            Ok(line) => last_words(&line),
            Err(error) => {
                refused += 1;
                last_words(&format!("NOT imported: {error}"));
            }
        }
    }
    match (count, refused) {
        (0, _) => Err(anyhow!("there are no models in `{}`", folder.display()).into()),
        (_, 0) => Ok(()),
        _ => Err(anyhow!("{refused} of {count} models were not imported").into()),
    }
}

/// Under the name of its file, and under that of the sensor its filter names.
fn publish(registry: &ModelRegistry, imported: &ImportedModel) -> Result<String, ModelError> {
    let sensor = imported.sensor.as_deref().map(model_of_sensor);
    let mut names = vec![imported.name.clone()];
    names.extend(sensor.filter(|name| *name != imported.name));
    let now = unix_now();
    let version = new_version(now);
    for name in &names {
        let provenance = Provenance {
            // When it was fitted, and to what, its files do not say.
            trained: (0.0, 0.0),
            made_at: now,
            fits: Vec::new(),
            holdout: Holdout {
                error: imported.mean_loss,
                previous: None,
                from: 0.0,
            },
            seed: 0,
            cpu: Vec::new(),
            made_by: "rb-aioutliers".to_owned(),
        };
        registry.publish(name, &version, provenance, &imported.model)?;
    }
    Ok(format!(
        "imported: {} :: version {version} serves",
        names.join(", ")
    ))
}
