//! Models of rb-aioutliers: a Keras file, and an `.ini` beside it.

use std::path::{Path, PathBuf};

use serde_json::Value;
use skywatch_algorithms::learned::{FittedSequence, Limits, Rule, WINDOW};

use super::AioutliersError;
use super::ini::{self, Ini};
use super::network;

/// The largest file of a model that is read, bytes: one has a hundred thousand.
const MOST_BYTES: u64 = 64 << 20;
/// How many spreads beyond the mean a limit is: the original's, which is not in its files.
const SPREADS: f64 = 5.0;
/// What a row has beside its metrics, in the order in which the network has it.
const CALENDAR: &str = "minute weekday_0 weekday_1 weekday_2 weekday_3 weekday_4 weekday_5 weekday_6";
/// The last of the metrics, which is none: the minutes since the row before.
const GRANULARITY: &str = "granularity";

/// A model that was read.
#[derive(Debug)]
pub struct ImportedModel {
    /// Its name: that of the file.
    pub name: String,
    /// The sensor that its filter names, if there is a `NAME_filter.json` that does.
    pub sensor: Option<String>,
    /// The model.
    pub model: FittedSequence,
    /// Mean loss on what it was fitted to, in the network's scale.
    pub mean_loss: f64,
}

/// All models of a folder, each by itself: one that is broken does not keep the others.
///
/// # Errors
/// [`AioutliersError::Unreadable`] for the folder.
pub fn read_models(folder: &Path) -> Result<Vec<Result<ImportedModel, AioutliersError>>, AioutliersError> {
    let failure = |source| AioutliersError::Unreadable {
        path: folder.to_owned(),
        source,
    };
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failure)? {
        let path = entry.map_err(failure)?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if matches!(extension, Some("keras" | "h5" | "hdf5")) {
            paths.push(path);
        }
    }
    paths.sort_unstable();
    Ok(paths.iter().map(|path| read_model(path)).collect())
}

/// One model.
///
/// # Errors
/// [`AioutliersError`], which names the file.
pub fn read_model(path: &Path) -> Result<ImportedModel, AioutliersError> {
    let unreadable = |source| AioutliersError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let refused = |why: String| AioutliersError::Model {
        path: path.to_owned(),
        why,
    };
    if std::fs::metadata(path).map_err(unreadable)?.len() > MOST_BYTES {
        return Err(refused(format!("it has more than {MOST_BYTES} bytes")));
    }
    let file = std::fs::read(path).map_err(unreadable)?;
    let weights = network::read(&file).map_err(refused)?;
    let beside = path.with_extension("ini");
    let (columns, mean_loss, limit) =
        described(&Ini::read(&beside)?).map_err(|why| AioutliersError::Model {
            path: beside.clone(),
            why,
        })?;
    let limits = Limits {
        rule: Rule::KSigma {
            k: SPREADS,
            robust: false,
        },
        columns: vec![limit; columns.len()],
        all: limit,
    };
    let model = FittedSequence::from_weights(columns, &weights, limits);
    let model = model.map_err(|error| refused(error.to_string()))?;
    let name = path
        .file_stem()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    Ok(ImportedModel {
        name: name.to_owned(),
        sensor: sensor(&path.with_file_name(format!("{name}_filter.json"))),
        model,
        mean_loss,
    })
}

/// The metrics of a model, its mean loss, and the largest error that is no anomaly.
fn described(ini: &Ini) -> Result<(Vec<String>, f64, f64), String> {
    let list = |key: &str| -> Result<Vec<String>, String> {
        let text = ini
            .get("Columns", key)
            .ok_or_else(|| format!("`[Columns] {key}` is missing"))?;
        let names = text
            .split([',', '\n', ' '])
            .map(str::trim)
            .filter(|name| !name.is_empty());
        Ok(names.map(str::to_owned).collect())
    };
    let number = |key: &str| -> Result<f64, String> {
        let text = ini
            .get("General", key)
            .ok_or_else(|| format!("`[General] {key}` is missing"))?;
        let number = text.parse().ok().filter(|number: &f64| number.is_finite());
        number.ok_or_else(|| format!("`[General] {key}` is no number"))
    };
    let mut metrics = list("metrics")?;
    if metrics.pop().as_deref() != Some(GRANULARITY) || list("timestamp")?.join(" ") != CALENDAR {
        return Err(format!(
            "its columns are not metrics, `{GRANULARITY}` as their last, and `{CALENDAR}`"
        ));
    }
    if number("window_size")? * number("num_windows")? != WINDOW as f64 {
        return Err(format!("its windows are not of {WINDOW} rows"));
    }
    let mean_loss = number("avg_loss")?;
    Ok((metrics, mean_loss, mean_loss + SPREADS * number("std_loss")?))
}

/// The sensor of a filter that picks one; a filter that does anything else says nothing here.
fn sensor(path: &Path) -> Option<String> {
    let filter: Value = serde_json::from_str(&ini::text(path).ok()?).ok()?;
    let is_selector = filter["type"] == "selector" && filter["dimension"] == "sensor_name";
    filter["value"]
        .as_str()
        .filter(|_| is_selector)
        .map(str::to_owned)
}
