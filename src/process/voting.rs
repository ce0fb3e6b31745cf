//! The learned vote in the processes that judge: which model serves.

use std::sync::Arc;
use std::time::Duration;

use skywatch_algorithms::learned::FittedFamilies;
use skywatch_algorithms::streaming::Forecasts;
use skywatch_settings::Settings;

use super::{ProcessError, wiring};
use crate::analyzer::adaptive::ModelSource;
use crate::jobs::FAMILIES;
use crate::models::{LiveModel, Refresh};
use crate::stop::Stop;

/// How often it is looked whether another version serves: one small file or request, and a person who goes back waits for it.
const LOOK_EACH: Duration = Duration::from_secs(15);

/// The vote for passes, if settings want it: a thread looks after the version that serves until `stop` is said.
///
/// # Errors
/// An address of models that cannot be understood, or no thread.
pub(crate) fn for_passes(settings: &Settings, stop: &Stop) -> Result<Option<ModelSource>, ProcessError> {
    let Some(live) = live(settings)? else {
        return Ok(None);
    };
    // The first pass is to know already what serves.
    let mut is_out_of_reach = look(&live, false);
    let (looked_after, stop) = (Arc::clone(&live), stop.clone());
    std::thread::Builder::new()
        .name("learned vote".to_owned())
        .spawn(move || {
            while !stop.sleep(LOOK_EACH) {
                is_out_of_reach = look(&looked_after, is_out_of_reach);
            }
        })
        .map_err(|source| ProcessError::Start {
            what: "the thread of the learned vote",
            source,
        })?;
    Ok(Some(asked(move || live.current())))
}

/// The vote for people who ask now and then, if settings want it: each question looks for the version that serves.
///
/// # Errors
/// As [`for_passes`].
pub(crate) fn for_questions(settings: &Settings) -> Result<Option<ModelSource>, ProcessError> {
    let live = live(settings)?;
    Ok(live.map(|live| {
        asked(move || {
            look(&live, false);
            live.current()
        })
    }))
}

fn live(settings: &Settings) -> Result<Option<Arc<LiveModel<FittedFamilies>>>, ProcessError> {
    if !settings.adaptive.learned {
        return Ok(None);
    }
    let registry = wiring::registry(settings)?;
    Ok(Some(Arc::new(LiveModel::new(registry, FAMILIES.to_owned()))))
}

fn asked<F: Forecasts + 'static>(
    current: impl Fn() -> Option<Arc<F>> + Send + Sync + 'static,
) -> ModelSource {
    Arc::new(move || current().map(|version| version as Arc<dyn Forecasts>))
}

/// Looks for another version and says so, trouble with the place only once; whether there was such trouble.
fn look(live: &LiveModel<FittedFamilies>, was_out_of_reach: bool) -> bool {
    match live.refresh() {
        Ok(Refresh::Unchanged) => {}
        Ok(Refresh::Changed(version)) => tracing::info!(
            "learned vote :: version {version} serves and knows {} metrics",
            live.current().map_or(0, |version| version.model.metrics())
        ),
        Ok(Refresh::Refused(error)) => tracing::warn!("learned vote :: what served goes on :: {error}"),
        Err(error) => {
            if !was_out_of_reach {
                tracing::warn!("learned vote :: what served goes on :: {error}");
            }
            return true;
        }
    }
    false
}
