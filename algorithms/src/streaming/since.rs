//! Since when a metric is known.

use super::Adaptive;

impl Adaptive {
    /// Time of the first point that it has learnt from, Unix seconds; `None` before it.
    #[must_use]
    pub fn since(&self) -> Option<f64> {
        (self.points > 0).then_some(self.began)
    }
}
