//! Detectors with a network are fitted by the trainer, which takes minutes: traces go to the place of models and a job into its
//! queue, and what is published comes back from there.

use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;
use skywatch_algorithms::learned::masked_span::FittedTraces;

use super::watch::{ChosenTraces, TaughtDetector, TeacherEnd};
use crate::clock::unix_now;
use crate::jobs::{OpenQueue, Task, TracesJob};
use crate::models::{LiveModel, ModelRegistry, Refresh};
use crate::trace_files;

/// The model's name.
pub const TRACES_MODEL: &str = "traces";
/// Time between two looks at which version serves.
const LOOK_EACH: Duration = Duration::from_secs(15);

/// Where traces and jobs go, and models come from.
pub struct TeachingPlace {
    /// The queue that trainers work off.
    pub queue: Box<dyn OpenQueue>,
    /// The place of models.
    pub registry: ModelRegistry,
}

/// One thread's work: ends when the other end of `end` is gone. Whatever fails is logged and tried again with the next traces.
pub(super) fn run(place: &TeachingPlace, end: &TeacherEnd) {
    let live: LiveModel<FittedTraces> = LiveModel::new(place.registry.clone(), TRACES_MODEL.to_owned());
    let mut trouble = String::new();
    loop {
        let found = look(&live, end);
        let what = found.err().unwrap_or_default();
        if !what.is_empty() && what != trouble {
            tracing::warn!("traces :: what serves goes on :: {what}");
        }
        trouble = what;
        match end.chosen.recv_timeout(LOOK_EACH) {
            Ok(chosen) => match enqueue(place, &chosen) {
                Ok(()) => tracing::info!("traces :: {} of them go to the trainer", chosen.traces.len()),
                Err(error) => tracing::error!("traces :: not handed to the trainer :: {error}"),
            },
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn look(live: &LiveModel<FittedTraces>, end: &TeacherEnd) -> Result<(), String> {
    match live.refresh() {
        Ok(Refresh::Unchanged) => Ok(()),
        Ok(Refresh::Refused(error)) | Err(error) => Err(error.to_string()),
        Ok(Refresh::Changed(version)) => {
            if let Some(current) = live.current() {
                let model = &current.model;
                let taught = TaughtDetector {
                    detector: model.detector().clone(),
                    predictor: model.predictor(),
                    version,
                    at: model.chosen().unwrap_or(current.card.provenance.made_at),
                };
                // Whoever waits takes one out each quarter of a second, or has ended.
                let _ = end.taught.send(taught);
            }
            Ok(())
        }
    }
}

fn enqueue(place: &TeachingPlace, chosen: &ChosenTraces) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let packed = trace_files::pack(&chosen.traces).map_err(|error| text(&error))?;
    let kept = place.registry.keep_examples(TRACES_MODEL, &packed);
    kept.map_err(|error| text(&error))?;
    let job = TracesJob {
        model: TRACES_MODEL.to_owned(),
        files: Vec::new(),
        chosen: Some(chosen.at),
    };
    let mut queue = place.queue.open().map_err(|error| text(&error))?;
    let added = queue.enqueue(&Task::of(&job), None, unix_now());
    added.map(drop).map_err(|error| text(&error))
}
