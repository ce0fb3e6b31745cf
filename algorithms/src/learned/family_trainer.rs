//! From many metrics to a network a family: who belongs together, who is shown to whom, and the fits.

use std::ops::ControlFlow;

use super::{
    Epoch, FamilyAutoencoder, FamilyOptions, FitReport, FittedFamily, LearnedError, MetricFamilies, Traits,
    UnfittedFamily,
};
use crate::window::Window;

/// Metrics sorted into families that have learnt nothing yet.
#[derive(Debug)]
pub struct FamilyTrainer {
    /// The family of each metric, in the order they came.
    of: Vec<Option<usize>>,
    families: Vec<UnfittedFamily>,
}

impl FamilyTrainer {
    /// Sorts metrics by what they are like into at most `most` families; those that cannot be described are left out. All
    /// that is fitted later follows from the order of the metrics and from the seed.
    #[must_use]
    pub fn sort(metrics: &[Option<Traits>], most: usize, options: &FamilyOptions) -> Self {
        let known: Vec<Traits> = metrics.iter().flatten().copied().collect();
        let families = MetricFamilies::find(&known, most, options.seed);
        let of: Vec<Option<usize>> = metrics
            .iter()
            .map(|traits| traits.as_ref().map(|traits| families.of(traits)))
            .collect();
        let unfitted = (0..families.count()).map(|family| {
            let members = of.iter().filter(|of| **of == Some(family)).count();
            FamilyAutoencoder::of(members, options.clone())
        });
        Self {
            families: unfitted.collect(),
            of,
        }
    }

    /// How many families there are.
    #[must_use]
    pub fn families(&self) -> usize {
        self.families.len()
    }

    /// Shows the history of the metric that came in that place, canonical and as stored.
    pub fn add(&mut self, place: usize, name: &str, history: Window<'_>) {
        if let Some(family) = self.of.get(place).copied().flatten() {
            self.families[family].add(name, history);
        }
    }

    /// Fits all. A family whose metrics are all too short or too still is left out and does not cost the others their
    /// network. `progress` hears the family's number, from 1, and each epoch.
    ///
    /// # Errors
    /// As [`UnfittedFamily::fit`], and [`LearnedError::TooFew`] if no family is left.
    pub fn fit(
        self,
        progress: &mut (dyn FnMut(usize, &Epoch) -> ControlFlow<()> + Send),
    ) -> Result<Vec<(FittedFamily, FitReport)>, LearnedError> {
        let (mut fitted, mut left_out) = (Vec::new(), None);
        for (number, family) in (1..).zip(self.families) {
            match family.fit(&mut |epoch| progress(number, epoch)) {
                Ok(family) => fitted.push(family),
                Err(error @ LearnedError::TooFew { .. }) => left_out = Some(error),
                Err(error) => return Err(error),
            }
        }
        match (fitted.is_empty(), left_out) {
            (true, Some(error)) => Err(error),
            _ => Ok(fitted),
        }
    }
}
