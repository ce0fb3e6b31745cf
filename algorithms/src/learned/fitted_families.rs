//! All families of one fit, and who belongs to which.

use std::collections::HashMap;

use super::{FittedFamily, MetricScale};
use crate::streaming::Forecasts;
use crate::window::Window;

/// Fitted families that share their metrics out among them: a metric belongs to one of them at most. Asked by any thread.
#[derive(Debug, Default)]
pub struct FittedFamilies {
    families: Vec<FittedFamily>,
    of: HashMap<String, (usize, MetricScale)>,
}

impl From<Vec<FittedFamily>> for FittedFamilies {
    fn from(families: Vec<FittedFamily>) -> Self {
        let mut of = HashMap::new();
        for (number, family) in families.iter().enumerate() {
            of.extend(
                family
                    .metrics()
                    .map(|(name, scale)| (name.to_owned(), (number, scale))),
            );
        }
        Self { families, of }
    }
}

impl FittedFamilies {
    /// The families, in their order.
    #[must_use]
    pub fn families(&self) -> &[FittedFamily] {
        &self.families
    }

    /// How many metrics are known.
    #[must_use]
    pub fn metrics(&self) -> usize {
        self.of.len()
    }

    /// Whether it knows a metric.
    #[must_use]
    pub fn knows(&self, metric: &str) -> bool {
        self.of.contains_key(metric)
    }

    /// Mean error of forecasts in the metric's unit, capped at 8, over the newest points of its canonical windows: what a new
    /// fit is held against. `None` if it does not know the metric or has no forecast of any.
    pub fn mean_error<'w>(&self, metric: &str, windows: impl Iterator<Item = Window<'w>>) -> Option<f64> {
        let (family, scale) = self.of.get(metric)?;
        self.families[*family].mean_error(scale, windows)
    }
}

impl Forecasts for FittedFamilies {
    fn forecast(&self, metric: &str, window: Window<'_>, is_rate: bool) -> Option<f64> {
        let (family, scale) = self.of.get(metric)?;
        (scale.is_rate == is_rate)
            .then(|| self.families[*family].forecast(scale, window))
            .flatten()
    }
}
