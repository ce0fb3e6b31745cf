//! gala-anteater's networks as they judge an entity live: errors of its rows, a limit over them, and what each metric has to do with it.
//!
//! The VAE's rows are anomalous where their error is above the [dynamic threshold](dynamic_threshold) of the rows shown and above 99 % of
//! the training's errors. USAD's are where the error of the indicators of service rises from row to row by more than [`Spot`] allows,
//! which begins with the rises of the training each time it is asked. What is shown is the recent past, of which the newest rows count.

use serde::{Deserialize, Serialize};

use super::fit::{FitReport, Progress};
use super::row_scales::StandardScale;
use super::usad;
use super::vae::VaeDetails;
use super::{
    FittedUsad, FittedVae, LearnedError, UnfittedUsad, UnfittedVae, UsadOptions, VaeOptions, Weights,
};
use crate::entities::{EntityRows, Spot, SpotOptions, SpotOutcome, dynamic_threshold};

/// The quantile of training errors below which the VAE's limit does not go.
const LEAST_LIMIT: f64 = 0.99;
/// Epochs of the VAE, at most: those of the original's start-up log.
const VAE_EPOCHS: usize = 100;
/// Rows over which SPOT runs before it is asked: the original's five minutes of 5 s.
const SPOT_ROWS: usize = 60;

/// Which network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntityNetworkKind {
    /// The variational autoencoder of single rows.
    Vae,
    /// Two autoencoders of windows of 32 rows.
    Usad,
}

/// A network that has learnt nothing yet.
#[derive(Debug, Clone)]
pub struct UnfittedEntityNetwork {
    /// Which.
    pub kind: EntityNetworkKind,
    /// Columns whose errors decide; all if it is empty. The VAE has no use for them.
    pub indicators: Vec<usize>,
    /// What all randomness follows from.
    pub seed: u64,
}

/// A network that can judge rows.
#[derive(Debug)]
pub struct FittedEntityNetwork {
    network: KnownNetwork,
    limit: ErrorLimit,
    indicators: Vec<usize>,
    /// Each metric's mean error in training.
    usual: Vec<f64>,
}

#[derive(Debug)]
enum KnownNetwork {
    Vae(FittedVae),
    Usad(FittedUsad),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ErrorLimit {
    /// Errors below it are none.
    Least(f64),
    /// A law of the rises; none where all were alike.
    Rises(Option<Spot>),
}

/// What is kept of a network beside its weights.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EntityNetworkDetails {
    scale: NetworkScale,
    limit: ErrorLimit,
    indicators: Vec<usize>,
    usual: Vec<f64>,
}

impl EntityNetworkDetails {
    /// The least error that may be an anomaly; none of a network whose rises of the error are judged.
    #[must_use]
    pub fn least_error(&self) -> Option<f64> {
        match self.limit {
            ErrorLimit::Least(least) => Some(least),
            ErrorLimit::Rises(_) => None,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum NetworkScale {
    Vae(VaeDetails),
    Usad(StandardScale),
}

/// What a network says of one row.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkRow {
    /// Error, or rise of the error, as a multiple of its limit; 0 where there is no limit.
    pub score: f64,
    /// Whether it is above.
    pub is_anomalous: bool,
    /// Each metric's error; NaN for one that is missing.
    pub errors: Vec<f64>,
}

impl EntityNetworkKind {
    /// In one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Vae => "vae",
            Self::Usad => "usad",
        }
    }
}

impl UnfittedEntityNetwork {
    /// Learns rows taken as normal, on one thread, from the weights of `before` on if that is one of the same kind and metrics.
    ///
    /// # Errors
    /// [`LearnedError::TooFew`] for fewer rows than the network takes; `progress` said stop; a loss that is no number.
    pub fn fit(
        &self,
        rows: &EntityRows,
        before: Option<&FittedEntityNetwork>,
        progress: &mut Progress<'_>,
    ) -> Result<(FittedEntityNetwork, FitReport), LearnedError> {
        let (network, report) = match self.kind {
            EntityNetworkKind::Vae => {
                let unfitted = UnfittedVae::new(VaeOptions {
                    epochs: VAE_EPOCHS,
                    seed: self.seed,
                    ..VaeOptions::default()
                });
                let (vae, report) = match before.map(|before| &before.network) {
                    Some(KnownNetwork::Vae(before)) => unfitted.refit(rows, before, progress)?,
                    _ => unfitted.fit(rows, progress)?,
                };
                (KnownNetwork::Vae(vae), report)
            }
            EntityNetworkKind::Usad => {
                let unfitted = UnfittedUsad::new(UsadOptions {
                    seed: self.seed,
                    ..UsadOptions::default()
                });
                let (usad, report) = match before.map(|before| &before.network) {
                    Some(KnownNetwork::Usad(before)) => unfitted.refit(rows, before, progress)?,
                    _ => unfitted.fit(rows, progress)?,
                };
                (KnownNetwork::Usad(usad), report)
            }
        };
        Ok((
            FittedEntityNetwork::calibrated(network, &self.indicators, rows)?,
            report,
        ))
    }
}

impl FittedEntityNetwork {
    /// With the limit that follows from the rows it was fitted to.
    fn calibrated(
        network: KnownNetwork,
        indicators: &[usize],
        rows: &EntityRows,
    ) -> Result<Self, LearnedError> {
        let mut fitted = Self {
            network,
            limit: ErrorLimit::Rises(None),
            indicators: indicators.to_vec(),
            usual: vec![0.0; rows.columns()],
        };
        let errors = fitted.errors(rows)?;
        for (column, usual) in fitted.usual.iter_mut().enumerate() {
            let there = errors.iter().skip(column).step_by(rows.columns());
            let there = there.filter(|error| !error.is_nan());
            let (sum, count) = there.fold((0.0, 0.0), |(sum, count), error| (sum + error, count + 1.0));
            *usual = sum / f64::max(count, 1.0);
        }
        let sums = fitted.sums(&errors);
        fitted.limit = match &fitted.network {
            KnownNetwork::Vae(_) => {
                let mut sorted = sums;
                sorted.sort_unstable_by(f64::total_cmp);
                let place = (LEAST_LIMIT * sorted.len().saturating_sub(1) as f64) as usize;
                ErrorLimit::Least(sorted.get(place).copied().unwrap_or(0.0))
            }
            KnownNetwork::Usad(_) => ErrorLimit::Rises(Spot::fit(&rises(&sums), SpotOptions::default())),
        };
        Ok(fitted)
    }

    /// Which it is.
    #[must_use]
    pub fn kind(&self) -> EntityNetworkKind {
        match self.network {
            KnownNetwork::Vae(_) => EntityNetworkKind::Vae,
            KnownNetwork::Usad(_) => EntityNetworkKind::Usad,
        }
    }

    /// Metrics it knows.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.usual.len()
    }

    /// Each metric's mean error in training.
    #[must_use]
    pub fn usual(&self) -> &[f64] {
        &self.usual
    }

    /// Mean error of the rows, as a multiple of the mean error in training: near 1 while the entity is as it was.
    ///
    /// # Errors
    /// As [`judge`](Self::judge).
    pub fn strangeness(&self, rows: &EntityRows) -> Result<f64, LearnedError> {
        let errors = self.errors(rows)?;
        let (sum, count) = (errors.iter().filter(|error| !error.is_nan()))
            .fold((0.0, 0.0), |(sum, count), error| (sum + error, count + 1.0));
        let usual = self.usual.iter().sum::<f64>() / self.usual.len().max(1) as f64;
        Ok(sum / f64::max(count, 1.0) / usual.max(f64::MIN_POSITIVE))
    }

    /// Judges the last `newest` of the rows, oldest first. Those before them are the recent past; without enough of it (USAD takes 32
    /// rows) nothing is judged.
    ///
    /// # Errors
    /// [`LearnedError::Ragged`] for rows of another number of metrics, [`LearnedError::TooFew`] for too few of them.
    pub fn judge(&self, rows: &EntityRows, newest: usize) -> Result<Vec<NetworkRow>, LearnedError> {
        let errors = self.errors(rows)?;
        let sums = self.sums(&errors);
        let scores = match &self.limit {
            ErrorLimit::Least(least) => {
                let limit = dynamic_threshold(&sums).max(*least);
                sums.iter().map(|sum| (sum / limit, *sum > limit)).collect()
            }
            ErrorLimit::Rises(spot) => spotted(spot.clone(), &sums),
        };
        let columns = self.columns().max(1);
        let judged = scores.iter().zip(errors.chunks(columns));
        let judged = judged.map(|((score, is_anomalous), errors)| NetworkRow {
            score: if score.is_finite() { *score } else { 0.0 },
            is_anomalous: *is_anomalous,
            errors: errors.to_vec(),
        });
        Ok(judged.skip(scores.len().saturating_sub(newest)).collect())
    }

    fn errors(&self, rows: &EntityRows) -> Result<Vec<f64>, LearnedError> {
        match &self.network {
            KnownNetwork::Vae(vae) => vae.metric_errors(rows),
            KnownNetwork::Usad(usad) => usad.metric_errors(rows),
        }
    }

    /// Each row's error: of the indicators with USAD, of all metrics otherwise.
    fn sums(&self, errors: &[f64]) -> Vec<f64> {
        let of_all = self.indicators.is_empty() || matches!(self.network, KnownNetwork::Vae(_));
        if of_all {
            return super::row_sums(errors, self.columns());
        }
        let of_row = |row: &[f64]| {
            let those = self.indicators.iter().map(|column| row[*column]);
            those.filter(|error| !error.is_nan()).sum()
        };
        errors.chunks(self.columns().max(1)).map(of_row).collect()
    }

    /// The network as it is kept.
    ///
    /// # Errors
    /// [`LearnedError::Compute`], which would be a defect.
    pub fn save(&self) -> Result<(EntityNetworkDetails, Weights), LearnedError> {
        let (scale, weights) = match &self.network {
            KnownNetwork::Vae(vae) => (NetworkScale::Vae(vae.details()), vae.weights()?),
            KnownNetwork::Usad(usad) => (NetworkScale::Usad(usad.scale()), usad.weights()?),
        };
        let details = EntityNetworkDetails {
            scale,
            limit: self.limit.clone(),
            indicators: self.indicators.clone(),
            usual: self.usual.clone(),
        };
        Ok((details, weights))
    }

    /// The network that was kept. Nothing of what comes in is believed.
    ///
    /// # Errors
    /// [`LearnedError::Weights`] for what is missing or does not fit.
    pub fn load(details: EntityNetworkDetails, weights: &Weights) -> Result<Self, LearnedError> {
        let network = match details.scale {
            NetworkScale::Vae(kept) => KnownNetwork::Vae(FittedVae::from_parts(kept, weights)?),
            NetworkScale::Usad(scale) => KnownNetwork::Usad(FittedUsad::from_parts(scale, weights)?),
        };
        let columns = match &network {
            KnownNetwork::Vae(vae) => vae.columns(),
            KnownNetwork::Usad(usad) => usad.columns(),
        };
        let is_limited = matches!(
            (&network, &details.limit),
            (KnownNetwork::Vae(_), ErrorLimit::Least(_)) | (KnownNetwork::Usad(_), ErrorLimit::Rises(_))
        );
        let fits = details.usual.len() == columns && details.indicators.iter().all(|at| *at < columns);
        if !is_limited || !fits {
            return Err(LearnedError::Weights {
                name: "limit".to_owned(),
                why: "does not belong to this network".to_owned(),
            });
        }
        Ok(Self {
            network,
            limit: details.limit,
            indicators: details.indicators,
            usual: details.usual,
        })
    }

    /// Rows that must be shown before one can be judged.
    #[must_use]
    pub fn rows_needed(kind: EntityNetworkKind) -> usize {
        match kind {
            EntityNetworkKind::Vae => 1,
            EntityNetworkKind::Usad => usad::WINDOW,
        }
    }
}

/// By how much each error is above the one before.
fn rises(errors: &[f64]) -> Vec<f64> {
    errors.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// What SPOT says of the newest rises, and nothing of those before.
fn spotted(spot: Option<Spot>, sums: &[f64]) -> Vec<(f64, bool)> {
    let mut said = vec![(0.0, false); sums.len()];
    let Some(mut spot) = spot else { return said };
    let rises = rises(sums);
    let from = rises.len().saturating_sub(SPOT_ROWS);
    for (at, rise) in rises.iter().enumerate().skip(from) {
        let limit = spot.limit();
        let is_anomalous = spot.judge(*rise) == SpotOutcome::Anomalous;
        said[at + 1] = ((rise / limit).max(0.0), is_anomalous);
    }
    said
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::random::Random;

    /// Four metrics that follow a wave; from row `parted` on the second leaves it.
    fn rows(count: usize, parted: usize) -> EntityRows {
        let mut random = Random::new(3);
        let mut rows = EntityRows::new(4);
        for at in 0..count {
            let wave = (at as f64 / 20.0).sin();
            let mut row = [1.0, 3.0, -1.0, 40.0].map(|weight| weight * (wave + 0.05 * random.normal()));
            if at >= parted {
                row[1] += 12.0;
            }
            rows.push(&row).expect("four values");
        }
        rows
    }

    fn judged(kind: EntityNetworkKind, indicators: &[usize]) -> (FittedEntityNetwork, Vec<NetworkRow>) {
        let unfitted = UnfittedEntityNetwork {
            kind,
            indicators: indicators.to_vec(),
            seed: 42,
        };
        let (fitted, report) = unfitted
            .fit(&rows(2_000, usize::MAX), None, &mut |_| ControlFlow::Continue(()))
            .expect("a network");
        assert!(report.epochs.iter().all(|epoch| epoch.validation.is_some()));
        let judged = fitted.judge(&rows(240, 230), 12).expect("rows");
        assert_eq!(judged.len(), 12);
        (fitted, judged)
    }

    #[test]
    fn each_network_flags_what_parts_and_says_which_metric_it_was_also_when_it_was_kept() {
        for (kind, indicators) in [
            (EntityNetworkKind::Vae, &[][..]),
            (EntityNetworkKind::Usad, &[1][..]),
        ] {
            let (fitted, judged) = judged(kind, indicators);
            // The tenth row from the end is the first that parts; USAD's trailing mean sees it a few rows later.
            let flagged =
                |range: std::ops::Range<usize>| judged[range].iter().filter(|row| row.is_anomalous).count();
            assert!(flagged(0..2) == 0 && flagged(2..12) >= 4, "{kind:?} {judged:?}");
            let last = &judged[11].errors;
            let excess: Vec<f64> = last
                .iter()
                .zip(fitted.usual())
                .map(|(error, usual)| error / usual)
                .collect();
            assert!((0..4).all(|at| excess[at] <= excess[1]), "{kind:?} {excess:?}");
            assert!(fitted.strangeness(&rows(240, 120)).expect("rows") > 1.5);

            let (details, weights) = fitted.save().expect("numbers");
            let text = serde_json::to_string(&details).expect("JSON");
            let details: EntityNetworkDetails = serde_json::from_str(&text).expect("read");
            let restored = FittedEntityNetwork::load(details.clone(), &weights).expect("the same");
            assert_eq!(restored.judge(&rows(240, 230), 12).expect("rows"), judged);
            assert!(FittedEntityNetwork::load(details, &Weights::default()).is_err());
        }
    }

    #[test]
    fn a_refit_begins_where_the_last_one_ended() {
        let unfitted = UnfittedEntityNetwork {
            kind: EntityNetworkKind::Vae,
            indicators: Vec::new(),
            seed: 42,
        };
        let training = rows(2_000, usize::MAX);
        let mut go_on = |_: &super::super::Epoch| ControlFlow::Continue(());
        let (first, report) = unfitted.fit(&training, None, &mut go_on).expect("a network");
        let (_, again) = unfitted
            .fit(&training, Some(&first), &mut go_on)
            .expect("a network");
        assert!(again.epochs[0].loss < 0.8 * report.epochs[0].loss, "{again:?}");
    }
}
