//! What the adaptive profile calls anomalous.
//!
//! What holds for some metrics only is said in `overrides`, a line each with a pattern in front: tables of their own, as
//! receivers have them, would be four lines for what is nearly always one word.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::check::Check;
use crate::direction::AlertDirection;
use crate::duration;
use crate::field::{OptionText, OptionValue};
use crate::pattern::Pattern;
use crate::section::Section;
use crate::written::Written;

/// The least and the largest sensitivity: beyond them nothing, or everything, is anomalous.
const SENSITIVITIES: RangeInclusive<f64> = 0.2..=5.0;

options! {
    /// What the adaptive profile calls anomalous. Without effect in the profile `skyline`.
    pub Adaptive {
        /// What ratios to limits are multiplied by; a point is anomalous from 1 on. Larger hears more.
        sensitivity: f64 = 1.0 => SENSITIVITIES,
        /// Which way a value must have gone from what was expected.
        direction: AlertDirection = AlertDirection::Both,
        /// The least distance from what was expected, as a share of it: 0.5 is half of it.
        min_relative_change: f64 = 0.0 => 0.0..,
        /// The same in the metric's own unit.
        min_absolute_change: f64 = 0.0 => 0.0..,
        /// How long after an alert only a higher score opens another incident of the metric; 0 is no rest.
        rest: Duration = Duration::from_secs(16 * 3_600),
        /// Whether learned models vote too, on the metrics that have one.
        learned: bool = false,
        /// What holds for some metrics only; of several that match, the first counts.
        overrides: Vec<Override> = Vec::new(),
    }
}

/// What holds for the metrics a pattern picks, instead of what `[adaptive]` says.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    /// Which metrics.
    pub metrics: Pattern,
    /// See [`Adaptive::sensitivity`].
    pub sensitivity: Option<f64>,
    /// See [`Adaptive::direction`].
    pub direction: Option<AlertDirection>,
    /// See [`Adaptive::min_relative_change`].
    pub min_relative_change: Option<f64>,
    /// See [`Adaptive::min_absolute_change`].
    pub min_absolute_change: Option<f64>,
    /// See [`Adaptive::rest`].
    pub rest: Option<Duration>,
}

impl Override {
    /// What [`is_sound`](Self::is_sound) asks for, for people.
    pub const LIMITS: &str = "expected sensitivities from `0.2` to `5` and changes of at least `0`";

    /// Reads `PATTERN option=value …`.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let pattern = words.next().unwrap_or_default();
        let mut found = Self {
            metrics: Pattern::parse(pattern)
                .map_err(|why| format!("the pattern `{pattern}` is wrong: {why}"))?,
            sensitivity: None,
            direction: None,
            min_relative_change: None,
            min_absolute_change: None,
            rest: None,
        };
        let mut is_empty = true;
        for word in words {
            is_empty = false;
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            let written = Written::Text(value.to_owned());
            let number = || f64::read(&written).map(Some).map_err(|refused| refused.0);
            match key {
                "sensitivity" => found.sensitivity = number()?,
                "min_relative_change" => found.min_relative_change = number()?,
                "min_absolute_change" => found.min_absolute_change = number()?,
                "direction" => {
                    found.direction = Some(AlertDirection::read(&written).map_err(|refused| refused.0)?)
                }
                "rest" => found.rest = Some(Duration::read(&written).map_err(|refused| refused.0)?),
                _ => {
                    return Err(format!(
                        "`{key}` is none of `sensitivity`, `direction`, `min_relative_change`, `min_absolute_change`, `rest`"
                    ));
                }
            }
        }
        if is_empty {
            return Err("nothing follows the pattern".to_owned());
        }
        Ok(found)
    }

    /// Whether every number lies within its limits.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.sensitivity
            .is_none_or(|sensitivity| SENSITIVITIES.contains(&sensitivity))
            && self.min_relative_change.is_none_or(|least| least >= 0.0)
            && self.min_absolute_change.is_none_or(|least| least >= 0.0)
    }
}

impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.metrics)?;
        let number = |number: f64| format!("{number:?}");
        let options = [
            ("sensitivity", self.sensitivity.map(number)),
            ("direction", self.direction.map(|way| way.as_str().to_owned())),
            ("min_relative_change", self.min_relative_change.map(number)),
            ("min_absolute_change", self.min_absolute_change.map(number)),
            ("rest", self.rest.map(duration::show)),
        ];
        for (option, value) in options {
            if let Some(value) = value {
                write!(f, " {option}={value}")?;
            }
        }
        Ok(())
    }
}

impl OptionText for Override {
    const EXPECTED: &'static str =
        "expected a pattern and options, such as `\"*.queue direction=up rest=6h\"`";
    const EXPECTED_LIST: &'static str =
        "expected a list of texts, such as `[\"*.queue direction=up rest=6h\"]`";

    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

impl Section for Adaptive {
    fn check(&self, check: &mut Check<'_>) {
        check.require(
            self.overrides.iter().all(Override::is_sound),
            "overrides",
            &self.overrides,
            Override::LIMITS,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_is_shown_as_it_is_written() {
        let text =
            r#"["web-*.latency sensitivity=1.5 direction=up rest=6h", "~db[.].* min_relative_change=0.2"]"#;
        let read = Vec::<Override>::read(&Written::Text(text.to_owned())).expect("they are right");
        assert_eq!(OptionValue::show(&read), text);
        assert_eq!(
            (read[0].sensitivity, read[0].direction),
            (Some(1.5), Some(AlertDirection::Up))
        );
        for (wrong, why) in [
            ("a", "nothing follows the pattern"),
            ("a size=1", "`size` is none of"),
            ("a rest=6", "expected a duration"),
            ("a sensitivity=x", "expected a number"),
            ("a direction=sideways", "expected one of"),
            ("/(/ rest=6h", "the pattern `/(/` is wrong"),
        ] {
            let refused = Vec::<Override>::read(&Written::Array(vec![Written::String(wrong.to_owned())]));
            let why_not = refused.map(drop).expect_err(wrong).0;
            assert!(why_not.contains(why), "{why_not}");
        }
    }
}
