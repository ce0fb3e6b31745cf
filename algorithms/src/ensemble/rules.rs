//! The rules of an ensemble: whose arithmetic, what is not worth a look, and how many votes it takes.

use crate::flavour::ClassicFlavour;

/// What an ensemble goes by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Whose arithmetic, and whose way of counting votes.
    pub flavour: ClassicFlavour,
    /// Length of a whole window, seconds.
    pub full_duration: f64,
    /// A newest point older than this (seconds) makes the series stale.
    pub stale_period: f64,
    /// Fewer points than this are too short. 0 and 1 both mean: at least one point.
    pub min_length: usize,
    /// How many of the newest points are checked for boredom.
    pub boredom_window: usize,
    /// Exactly this many distinct values among them are boring: 1 is a constant.
    pub boredom_set_size: usize,
    /// How many detectors must agree.
    pub consensus: usize,
}

impl Rules {
    /// As earthgecko/skyline is shipped.
    #[must_use]
    pub fn earthgecko() -> Self {
        Self {
            flavour: ClassicFlavour::Earthgecko,
            full_duration: 86_400.0,
            stale_period: 500.0,
            min_length: 100,
            boredom_window: 100,
            boredom_set_size: 1,
            consensus: 6,
        }
    }

    /// As etsy/skyline is shipped.
    #[must_use]
    pub fn etsy() -> Self {
        Self {
            flavour: ClassicFlavour::Etsy,
            min_length: 1,
            ..Self::earthgecko()
        }
    }
}
