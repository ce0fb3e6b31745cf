//! Fits the families of all metrics.
//!
//! The newest part of each history is held back. What was fitted on the rest is held against what serves, on that part,
//! and takes its place only if it is no worse there. (What serves may have been held back differently; it has at least
//! not been fitted to points that came later.) Histories are read anew for each of the three looks, up to one moment fixed
//! at the start, so that memory holds samples and not windows.

use serde::{Deserialize, Serialize};
use skywatch_algorithms::Window;
use skywatch_algorithms::learned::{FamilyOptions, FamilyTrainer, FittedFamilies, LearnedError, Traits};

use crate::clock::unix_now;
use crate::jobs::error::TrainingError;
use crate::jobs::histories::Histories;
use crate::jobs::kind::JobKind;
use crate::jobs::trainer::GoOn;
use crate::jobs::training::{Fit, Training, log_epoch};
use crate::models::Holdout;

/// The name of the model of all families.
pub(crate) const FAMILIES: &str = "families";
/// Moments of each metric's held-back part that a fit is judged by: enough for a mean over thousands of metrics, few enough
/// to cost less than the fit.
const MOMENTS: usize = 8;

/// Fits the families of all metrics.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct FamiliesJob {}

/// Where one history ends for learning, and where for judging, Unix seconds.
#[derive(Clone, Copy)]
struct Cut {
    from: f64,
    until: f64,
}

/// The part of a window up to a moment.
fn up_to<'w>(window: Window<'w>, moment: f64) -> Window<'w> {
    let count = window.times().partition_point(|time| *time <= moment);
    Window::sorted(&window.times()[..count], &window.values()[..count])
}

impl JobKind for FamiliesJob {
    const NAME: &'static str = "families";

    fn describe(&self) -> String {
        Self::NAME.to_owned()
    }

    fn run(&self, training: &Training<'_>, go_on: &GoOn<'_>) -> Result<String, TrainingError> {
        let options = training.options;
        let family_options = FamilyOptions {
            epochs: options.epochs,
            seed: options.seed as u64,
            ..FamilyOptions::default()
        };
        let all = training.histories.names()?;
        let names = thin(&all, options.max_metrics);
        let until = unix_now();
        // What each is like, and where its history is cut.
        let mut described: Vec<Option<(Traits, Cut)>> = vec![None; names.len()];
        let (mut first, mut last) = (f64::INFINITY, f64::NEG_INFINITY);
        training.histories.read(&names, &mut |index, window| {
            let window = up_to(window, until);
            let (Some(&from), Some(&to)) = (window.times().first(), window.times().last()) else {
                return;
            };
            let cut = Cut {
                from: to - options.holdout * (to - from),
                until: to,
            };
            described[index] = Traits::of(up_to(window, cut.from)).map(|traits| (traits, cut));
            (first, last) = (first.min(from), last.max(to));
        })?;
        let known = described.iter().flatten().count();
        if known == 0 {
            return Err(TrainingError::Nothing(format!(
                "none of {} metrics has enough history to learn from",
                all.len()
            )));
        }
        let traits: Vec<Option<Traits>> = described
            .iter()
            .map(|known| known.as_ref().map(|(traits, _)| *traits))
            .collect();
        let mut trainer = FamilyTrainer::sort(&traits, options.max_families, &family_options);
        let count = trainer.families();
        tracing::info!("training :: {known} metrics in {count} families");
        training.histories.read(&names, &mut |index, window| {
            if let Some((_, cut)) = described[index] {
                trainer.add(index, names[index], up_to(window, cut.from));
            }
        })?;
        let fitted =
            trainer.fit(&mut |number, epoch| log_epoch(&format!("family {number} of {count}"), epoch, go_on));
        let (fitted, fits): (Vec<_>, Vec<_>) = match fitted {
            Err(LearnedError::Stopped { .. }) => return Err(TrainingError::Stopped),
            fitted => fitted?.into_iter().unzip(),
        };
        let serving: Option<FittedFamilies> = training.serving(FAMILIES)?;
        let fitted = FittedFamilies::from(fitted);
        let judged = |families: &FittedFamilies, others: Option<&FittedFamilies>| {
            error_of(families, others, training.histories, &names, &described)
        };
        // Both are held to the metrics that both know.
        let error = judged(&fitted, serving.as_ref())?;
        let previous = match &serving {
            Some(serving) => judged(serving, Some(&fitted))?,
            None => None,
        };
        let cuts = described.iter().flatten().map(|(_, cut)| cut.from);
        let fit = Fit {
            model: fitted,
            reports: fits,
            holdout: Holdout {
                error: error.unwrap_or(0.0),
                previous,
                from: cuts.fold(f64::INFINITY, f64::min),
            },
            trained: (first, last),
        };
        training.publish(FAMILIES, fit, go_on)
    }
}

/// Mean error on the held-back parts of metrics that `families` know, and `others` too if given.
fn error_of(
    families: &FittedFamilies,
    others: Option<&FittedFamilies>,
    histories: &dyn Histories,
    names: &[&str],
    described: &[Option<(Traits, Cut)>],
) -> Result<Option<f64>, TrainingError> {
    let (mut sum, mut count) = (0.0, 0.0);
    histories.read(names, &mut |index, window| {
        let (Some((_, cut)), name) = (described[index], names[index]) else {
            return;
        };
        if others.is_some_and(|others| !others.knows(name)) {
            return;
        }
        let first = window.times().partition_point(|time| *time <= cut.from);
        let end = window.times().partition_point(|time| *time <= cut.until);
        let room = end.saturating_sub(first);
        let moments = (0..room.min(MOMENTS)).map(|n| first + (n * room + room / 2) / room.min(MOMENTS));
        let windows = moments.map(|newest| up_to(window, window.times()[newest]));
        if let Some(error) = families.mean_error(name, windows) {
            sum += error;
            count += 1.0;
        }
    })?;
    Ok((count > 0.0).then(|| sum / count))
}

/// At most `most` of the names, evenly out of their order.
fn thin(names: &[String], most: usize) -> Vec<&str> {
    if names.len() > most {
        tracing::warn!(
            "training :: {most} of {} metrics are learnt from :: `training.max_metrics`",
            names.len()
        );
    }
    let count = names.len().min(most);
    (0..count)
        .map(|n| names[n * names.len() / count].as_str())
        .collect()
}
