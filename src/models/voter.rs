//! The learned vote: forecasts from whatever version serves.
//!
//! One voter serves all workers. A worker takes what serves at the start of a pass and asks it about the metrics that have a
//! new point; a version that comes into use meanwhile is the one that the next pass asks.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use skywatch_algorithms::Window;
use skywatch_algorithms::learned::{FittedFamily, MetricScale};
use skywatch_algorithms::streaming::Forecasts;

use super::served::Serving;
use super::{Model, ModelError, Served, Turn};

/// The families that serve, and which metric belongs to which.
pub struct Voter {
    served: Served,
    /// Made anew with each version. Held for the moment of a clone or an exchange.
    places: RwLock<Option<Arc<Places>>>,
}

/// One version and where its metrics are.
pub struct Places {
    serving: Arc<Serving>,
    of: HashMap<String, (usize, MetricScale)>,
}

impl Voter {
    /// A voter of what serves; nothing does before the first refresh.
    #[must_use]
    pub fn new(served: Served) -> Self {
        Self {
            served,
            places: RwLock::default(),
        }
    }

    /// Looks whether another version should serve. For one thread, now and then; blocks on the shelf.
    ///
    /// # Errors
    /// [`ModelError::Place`]; what serves goes on.
    pub fn refresh(&self) -> Result<Turn, ModelError> {
        let turn = self.served.refresh()?;
        if let (Turn::Changed(_), Some(serving)) = (&turn, self.served.current()) {
            let places = Arc::new(Places::of(serving));
            *self.places.write().unwrap_or_else(PoisonError::into_inner) = Some(places);
        }
        Ok(turn)
    }

    /// What serves now, if anything does; whoever holds it goes on with the whole of that version.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Places>> {
        self.places.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Places {
    fn of(serving: Arc<Serving>) -> Self {
        let mut of = HashMap::new();
        for (number, family) in families(&serving).iter().enumerate() {
            let known = family
                .names()
                .filter_map(|name| Some((name, family.scale(name)?)));
            of.extend(known.map(|(name, scale)| (name.to_owned(), (number, scale))));
        }
        Self { serving, of }
    }

    /// How many metrics have a vote.
    #[must_use]
    pub fn metrics(&self) -> usize {
        self.of.len()
    }
}

fn families(serving: &Serving) -> &[FittedFamily] {
    match &serving.model {
        Model::Families(families) => families,
        Model::Sequence(_) => &[],
    }
}

impl Forecasts for Places {
    fn forecast(&self, metric: &str, window: Window<'_>, is_rate: bool) -> Option<f64> {
        let (family, scale) = self.of.get(metric)?;
        if scale.is_rate != is_rate {
            return None;
        }
        families(&self.serving).get(*family)?.forecast(scale, window)
    }
}
