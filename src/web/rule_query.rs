//! A rule that is to be tried on the past, as it is asked for.

use serde::Deserialize;
use skywatch_algorithms::Series;
use skywatch_settings::{Adaptive, Override, Pattern};

/// Longest past asked for, days: more is not kept as points.
const MOST_DAYS: f64 = 366.0;

/// A rule to be tried, as a query has it; what is empty is as `[adaptive]` says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct RuleQuery {
    /// A pattern.
    pub(super) metrics: String,
    pub(super) sensitivity: String,
    pub(super) direction: String,
    pub(super) min_relative_change: String,
    pub(super) min_absolute_change: String,
    pub(super) rest: String,
    /// How many of the last days; all there are, if empty.
    pub(super) days: String,
}

impl RuleQuery {
    /// The options with what is written of them.
    fn options(&self) -> [(&'static str, &str); 5] {
        [
            ("sensitivity", self.sensitivity.trim()),
            ("direction", self.direction.trim()),
            ("min_relative_change", self.min_relative_change.trim()),
            ("min_absolute_change", self.min_absolute_change.trim()),
            ("rest", self.rest.trim()),
        ]
    }

    /// Whether no option is given.
    pub(super) fn is_plain(&self) -> bool {
        self.options().iter().all(|(_, value)| value.is_empty())
    }

    /// What is asked.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub(super) fn read(&self) -> Result<RuleQuestion, String> {
        let written = self.metrics.trim();
        let metrics =
            Pattern::parse(written).map_err(|why| format!("the pattern of metrics is wrong: {why}"))?;
        let days = match self.days.trim() {
            "" => None,
            text => Some(
                text.parse()
                    .ok()
                    .filter(|days: &f64| *days > 0.0 && *days <= MOST_DAYS)
                    .ok_or("expected days from 0 to 366, such as `2`")?,
            ),
        };
        Ok(RuleQuestion {
            line: self.line(written)?,
            metrics,
            days,
        })
    }

    fn line(&self, metrics: &str) -> Result<Option<Override>, String> {
        if self.is_plain() {
            return Ok(None);
        }
        if metrics.contains(char::is_whitespace) {
            return Err(
                "a pattern with blanks cannot be written into `adaptive.overrides`: write `?` for each"
                    .to_owned(),
            );
        }
        let mut text = metrics.to_owned();
        for (option, value) in self.options() {
            if value.contains(char::is_whitespace) {
                return Err(format!("`{option}` has a blank in it"));
            }
            if !value.is_empty() {
                text += &format!(" {option}={value}");
            }
        }
        let line = Override::parse(&text)?;
        match line.is_sound() {
            true => Ok(Some(line)),
            false => Err(Override::LIMITS.to_owned()),
        }
    }
}

/// What is asked of the past.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RuleQuestion {
    pub(super) metrics: Pattern,
    /// The rule; `None` for what is set.
    pub(super) line: Option<Override>,
    days: Option<f64>,
}

impl RuleQuestion {
    /// The settings to paste: the rule before those that are there, as the first that picks a metric counts.
    pub(super) fn settings(&self, adaptive: &Adaptive) -> Option<String> {
        let lines = self.line.iter().chain(&adaptive.overrides);
        // What JSON makes of a text TOML reads as the same.
        let lines: Vec<String> = lines
            .map(|line| format!("    {},\n", serde_json::Value::from(line.to_string())))
            .collect();
        self.line
            .is_some()
            .then(|| format!("[adaptive]\noverrides = [\n{}]\n", lines.concat()))
    }
}

impl RuleQuestion {
    /// The part of a series that is asked for.
    pub(super) fn last_days(&self, mut series: Series) -> Series {
        if let (Some(days), Some(last)) = (self.days, series.times.last()) {
            let from = last - days * 86_400.0;
            let begin = series.times.partition_point(|time| *time < from);
            series.times.drain(..begin);
            series.values.drain(..begin);
        }
        series
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(metrics: &str, sensitivity: &str) -> RuleQuery {
        RuleQuery {
            metrics: metrics.to_owned(),
            sensitivity: sensitivity.to_owned(),
            ..RuleQuery::default()
        }
    }

    #[test]
    fn what_is_tried_is_what_is_to_be_pasted() {
        let question = query("=web.\"1\"", "1.5").read().expect("it is right");
        let adaptive = Adaptive {
            overrides: vec![Override::parse("db.* rest=6h").expect("it is right")],
            ..Adaptive::default()
        };
        assert_eq!(
            question.settings(&adaptive).as_deref(),
            Some(
                "[adaptive]\noverrides = [\n    \"=web.\\\"1\\\" sensitivity=1.5\",\n    \"db.* rest=6h\",\n]\n"
            )
        );
        assert_eq!(
            query("a", "").read().expect("it is right").settings(&adaptive),
            None
        );
    }

    #[test]
    fn what_cannot_be_set_is_refused() {
        for (metrics, sensitivity, why) in [
            ("", "", "empty"),
            ("a", "x", "expected a number"),
            ("a", "9", "from `0.2` to `5`"),
            ("a", "1 direction=up", "blank"),
            ("=a b", "2", "blanks"),
        ] {
            let refused = query(metrics, sensitivity).read().map(drop);
            let refused = refused.expect_err(metrics);
            assert!(refused.contains(why), "{refused}");
        }
    }
}
