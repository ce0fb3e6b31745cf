//! Whether the place of models can be had.

use skywatch_settings::Settings;

use super::{Bucket, ModelRegistry};
use crate::probe::{Probe, ProbeFailure};

/// A probe of the bucket; a folder is a part of the state folder.
pub fn probes(settings: &Settings) -> Vec<Probe> {
    let models = settings.models.clone();
    if models.place.is_none() {
        return Vec::new();
    }
    vec![Probe::new("models.place", move || {
        let found = Bucket::new(&models).and_then(|bucket| {
            let registry = ModelRegistry::new(bucket);
            Ok((registry.describe(), registry.names()?.len()))
        });
        match found {
            Ok((place, models)) => Ok(format!("`{place}` can be read, {models} models")),
            Err(error) => Err(ProbeFailure::new(
                error,
                "check `place`, `endpoint`, `region` and the key in [models]; the key must be allowed to list, read and write there",
            )),
        }
    })]
}
