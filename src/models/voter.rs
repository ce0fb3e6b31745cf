//! The learned vote: windows in, scores and expected values out, from whatever version serves.
//!
//! One voter serves all workers. A worker hands over the windows that have a new point, many at once, as one product of
//! matrices for thousands costs little more than one for a few; a metric that no family was shown has no vote. A version
//! that comes into use between two calls is simply the one that is asked next.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use skywatch_algorithms::Window;
use skywatch_algorithms::learned::{Ask, LearnedError, MetricScale, Said};

use super::served::Serving;
use super::{Model, ModelError, Served, Turn};

/// The families that serve, and which metric belongs to which.
pub struct Voter {
    served: Served,
    /// Made anew with each version. Held for the moment of a clone or an exchange.
    places: RwLock<Arc<Places>>,
}

/// One version and where its metrics are.
#[derive(Default)]
struct Places {
    serving: Option<Arc<Serving>>,
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
            let mut of = HashMap::new();
            if let Model::Families(families) = &serving.model {
                for (number, family) in families.iter().enumerate() {
                    let known = family
                        .names()
                        .filter_map(|name| Some((name, family.scale(name)?)));
                    of.extend(known.map(|(name, scale)| (name.to_owned(), (number, scale))));
                }
            }
            let places = Places {
                serving: Some(serving),
                of,
            };
            *self.places.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(places);
        }
        Ok(turn)
    }

    /// Judges the newest point of each window, canonical and of rates where a counter is judged by its rate. `said` gets
    /// one answer a window, in order: score (1 at the limit, finite) and expected value; `None` where there is no vote.
    /// Any thread, any number of windows.
    ///
    /// # Errors
    /// [`LearnedError::Compute`]: a defect of ours; nobody has a vote then.
    pub fn vote(
        &self,
        windows: &[(&str, Window<'_>)],
        said: &mut Vec<Option<Said>>,
    ) -> Result<(), LearnedError> {
        said.clear();
        said.resize(windows.len(), None);
        let places = Arc::clone(&self.places.read().unwrap_or_else(PoisonError::into_inner));
        let Some(Model::Families(families)) = places.serving.as_ref().map(|serving| &serving.model) else {
            return Ok(());
        };
        let mut asks: Vec<(Vec<usize>, Vec<Ask<'_>>)> = Vec::new();
        asks.resize_with(families.len(), Default::default);
        for (index, (name, window)) in windows.iter().enumerate() {
            if let Some((family, scale)) = places.of.get(*name) {
                let (indices, asks) = &mut asks[*family];
                indices.push(index);
                asks.push(Ask {
                    scale: *scale,
                    window: *window,
                });
            }
        }
        let mut answers = Vec::new();
        for (family, (indices, asks)) in families.iter().zip(asks) {
            family.judge(&asks, &mut answers)?;
            for (index, answer) in indices.into_iter().zip(&answers) {
                said[index] = *answer;
            }
        }
        Ok(())
    }
}
