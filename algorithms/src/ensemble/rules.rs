//! The rules of an ensemble: whose arithmetic, what is not worth a look, and how many votes it takes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Whose nine tests are followed to the letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flavour {
    /// earthgecko/skyline, the fork that is kept.
    Earthgecko,
    /// etsy/skyline, the original.
    Etsy,
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Earthgecko => "earthgecko",
            Self::Etsy => "etsy",
        })
    }
}

impl FromStr for Flavour {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "earthgecko" => Ok(Self::Earthgecko),
            "etsy" => Ok(Self::Etsy),
            other => Err(Error::UnknownFlavour(other.to_owned())),
        }
    }
}

/// What an ensemble goes by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Whose arithmetic, and whose way of counting votes.
    pub flavour: Flavour,
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
            flavour: Flavour::Earthgecko,
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
            flavour: Flavour::Etsy,
            min_length: 1,
            ..Self::earthgecko()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flavours_are_read_as_they_are_written() {
        for flavour in [Flavour::Earthgecko, Flavour::Etsy] {
            assert_eq!(flavour.to_string().parse(), Ok(flavour));
        }
        assert_eq!(
            "Etsy".parse::<Flavour>(),
            Err(Error::UnknownFlavour("Etsy".into()))
        );
    }
}
