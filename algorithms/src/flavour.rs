//! Whose nine tests are followed to the letter.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::EnsembleError;

/// Whose nine tests are followed to the letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassicFlavour {
    /// earthgecko/skyline, the fork that is kept.
    Earthgecko,
    /// etsy/skyline, the original.
    Etsy,
}

impl fmt::Display for ClassicFlavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Earthgecko => "earthgecko",
            Self::Etsy => "etsy",
        })
    }
}

impl FromStr for ClassicFlavour {
    type Err = EnsembleError;

    fn from_str(name: &str) -> Result<Self, EnsembleError> {
        match name {
            "earthgecko" => Ok(Self::Earthgecko),
            "etsy" => Ok(Self::Etsy),
            other => Err(EnsembleError::UnknownFlavour(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flavours_are_read_as_they_are_written() {
        for flavour in [ClassicFlavour::Earthgecko, ClassicFlavour::Etsy] {
            assert_eq!(flavour.to_string().parse(), Ok(flavour));
        }
        assert_eq!(
            "Etsy".parse::<ClassicFlavour>(),
            Err(EnsembleError::UnknownFlavour("Etsy".into()))
        );
    }
}
