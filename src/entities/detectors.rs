//! Which detector judges an entity's rows: ours, views of it, or one of the networks it is measured against.

use skywatch_algorithms::entities::{EntityError, EntityJudgement, EntityRows, EntityView, UnfittedEntity};
#[cfg(feature = "learned")]
use skywatch_algorithms::entities::{Spot, SpotOptions, SpotOutcome, dynamic_threshold};
#[cfg(feature = "learned")]
use skywatch_algorithms::learned::{LearnedError, UnfittedUsad, UnfittedVae};

/// Training rows before the test that the networks' windows and thresholds still see.
#[cfg(feature = "learned")]
const BEFORE: usize = 240;
/// The quantile of training errors below which the autoencoder's threshold does not go.
#[cfg(feature = "learned")]
const LEAST_THRESHOLD: f64 = 0.99;

/// What judges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntityDetectors {
    /// The calibrated ensemble of these views.
    Views(Vec<EntityView>),
    /// gala-anteater's variational autoencoder with its dynamic threshold.
    #[cfg(feature = "learned")]
    Vae,
    /// gala-anteater's USAD with SPOT over it.
    #[cfg(feature = "learned")]
    Usad,
}

/// What is said of test rows: a judgement each, none for a row without values; and the period, if there is one.
pub(super) type EntityAnswer = (Vec<Option<EntityJudgement>>, Option<usize>);

/// Why a detector could not be fitted or asked.
#[derive(Debug, thiserror::Error)]
pub enum EntityDetectorError {
    /// Rows that are too few or not alike.
    #[error(transparent)]
    Rows(#[from] EntityError),
    /// A network that could not be fitted.
    #[cfg(feature = "learned")]
    #[error(transparent)]
    Network(#[from] LearnedError),
}

impl EntityDetectors {
    /// The detectors of a list of names: views, which are combined, or one network.
    ///
    /// # Errors
    /// What is wrong with the list.
    pub fn of_names(names: &str) -> Result<Self, String> {
        #[cfg(feature = "learned")]
        match names {
            "vae" => return Ok(Self::Vae),
            "usad" => return Ok(Self::Usad),
            _ => {}
        }
        let view = |name: &str| {
            EntityView::of_name(name.trim()).ok_or_else(|| {
                format!(
                    "`{name}` is none of `subspace`, `baselines` and `neighbours`, nor `vae` or `usad` alone"
                )
            })
        };
        names
            .split(',')
            .map(view)
            .collect::<Result<_, _>>()
            .map(Self::Views)
    }

    /// Learns from `training` and judges `test`, which follows it, row by row.
    pub(super) fn judge(
        &self,
        training: &EntityRows,
        test: &EntityRows,
    ) -> Result<EntityAnswer, EntityDetectorError> {
        match self {
            Self::Views(views) => {
                let mut detector = UnfittedEntity::of(views).fit(training)?;
                let judged: Result<_, EntityError> = test.iter().map(|row| detector.judge(row)).collect();
                Ok((judged?, detector.period()))
            }
            #[cfg(feature = "learned")]
            Self::Vae => Ok((judged_by_vae(training, test)?, None)),
            #[cfg(feature = "learned")]
            Self::Usad => Ok((judged_by_usad(training, test)?, None)),
        }
    }
}

/// An alarm needs an error above the dynamic threshold of the newest 240 and above 99 % of the training's.
#[cfg(feature = "learned")]
fn judged_by_vae(
    training: &EntityRows,
    test: &EntityRows,
) -> Result<Vec<Option<EntityJudgement>>, EntityDetectorError> {
    let (vae, _) = UnfittedVae::default().fit(training, &mut |_| std::ops::ControlFlow::Continue(()))?;
    let mut errors = vae.errors(training)?;
    let mut sorted = errors.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let least = sorted[(LEAST_THRESHOLD * (sorted.len() - 1) as f64) as usize];
    let first = errors.len();
    errors.extend(vae.errors(test)?);
    let judged = (first..errors.len()).zip(test.iter()).map(|(at, row)| {
        let newest = &errors[at.saturating_sub(BEFORE)..=at];
        with_values(row, errors[at], || {
            errors[at] > dynamic_threshold(newest).max(least)
        })
    });
    Ok(judged.collect())
}

/// The score is the rise of the error from row to row, as the original has it; an alarm is what SPOT says of it.
#[cfg(feature = "learned")]
fn judged_by_usad(
    training: &EntityRows,
    test: &EntityRows,
) -> Result<Vec<Option<EntityJudgement>>, EntityDetectorError> {
    let (usad, _) = UnfittedUsad::default().fit(training, &mut |_| std::ops::ControlFlow::Continue(()))?;
    let rises = |errors: &[f64]| errors.windows(2).map(|two| two[1] - two[0]).collect::<Vec<f64>>();
    let mut spot = Spot::fit(&rises(&usad.errors(training)?), SpotOptions::default());
    let mut joined = EntityRows::new(training.columns());
    let before = training.len().saturating_sub(BEFORE)..training.len();
    let count = before.len();
    for row in before.map(|at| training.row(at)).chain(test.iter()) {
        joined.push(row)?;
    }
    let rises = rises(&usad.errors(&joined)?);
    let judged = rises[count - 1..].iter().zip(test.iter()).map(|(rise, row)| {
        let outcome = |spot: &mut Spot| spot.judge(*rise) == SpotOutcome::Anomalous;
        with_values(row, rise.max(0.0), || spot.as_mut().is_some_and(outcome))
    });
    Ok(judged.collect())
}

/// A judgement, unless the row has no value.
#[cfg(feature = "learned")]
fn with_values(row: &[f64], score: f64, is_anomalous: impl FnOnce() -> bool) -> Option<EntityJudgement> {
    let has_values = row.iter().any(|value| !value.is_nan());
    has_values.then(|| EntityJudgement {
        score,
        is_anomalous: is_anomalous(),
    })
}
