//! Which subjects a route or a silence is about.

use std::fmt;

use serde::{Deserialize, Serialize};
use skywatch_settings::{Pattern, TagRule};

use crate::anomaly::{Anomaly, Severity};

/// What is selected, as somebody wrote it. All that is given must hold; of the entries of one list, any.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Selection {
    /// Patterns of the subject's name, in the forms of [`skywatch_settings::Pattern`].
    pub metrics: Vec<String>,
    /// Tags of the name: `dc=eu`, `dc!=eu`, `dc=~eu.*`, `dc!~eu.*`; a regular expression holds for the whole value.
    /// A tag the name does not have counts as empty. Every one of them must hold.
    pub tags: Vec<String>,
    /// At least so severe.
    pub severity: Option<Severity>,
    /// Detectors one of which called it anomalous.
    pub detectors: Vec<String>,
}

/// A selection ready to be asked.
#[derive(Debug, Clone, Default)]
pub struct Matcher {
    /// Patterns of the subject's name, one of which must pick it; none is every name.
    pub metrics: Vec<Pattern>,
    /// Rules on its tags, which must all hold.
    pub tags: Vec<TagRule>,
    /// At least so severe.
    pub severity: Option<Severity>,
    /// Detectors one of which called it anomalous; none is any.
    pub detectors: Vec<String>,
}

/// What a matcher is asked about.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The subject's whole name, tags and all.
    pub name: &'a str,
    /// How bad it is.
    pub severity: Severity,
    /// The anomaly; `None` asks about the name alone, and detectors and limits are taken to agree.
    pub anomaly: Option<&'a Anomaly>,
}

/// Why something is not selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Miss {
    /// None of the patterns picks the name.
    Name,
    /// This tag rule does not hold.
    Tag(String),
    /// It is not so severe.
    Severity(Severity),
    /// None of the detectors called it anomalous.
    Detector,
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("no pattern picks the name"),
            Self::Tag(rule) => write!(f, "the tag rule `{rule}` does not hold"),
            Self::Severity(wanted) => write!(f, "not as severe as {wanted}"),
            Self::Detector => f.write_str("none of the detectors called it anomalous"),
        }
    }
}

impl Matcher {
    /// Reads a selection.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn new(selection: &Selection) -> Result<Self, String> {
        let pattern = |text: &String| {
            Pattern::parse(text).map_err(|why| format!("the pattern `{text}` is wrong: {why}"))
        };
        let rule = |text: &String| {
            TagRule::parse(text).map_err(|why| format!("the tag rule `{text}` is wrong: {why}"))
        };
        Ok(Self {
            metrics: selection.metrics.iter().map(pattern).collect::<Result<_, _>>()?,
            tags: selection.tags.iter().map(rule).collect::<Result<_, _>>()?,
            severity: selection.severity,
            detectors: selection.detectors.clone(),
        })
    }

    /// Why it does not select this; `None` when it does.
    pub fn miss(&self, about: &About<'_>) -> Option<Miss> {
        let bare = bare_name(about.name);
        let picks = |pattern: &Pattern| {
            pattern.matches(about.name) || (bare.len() < about.name.len() && pattern.matches(bare))
        };
        if !self.metrics.is_empty() && !self.metrics.iter().any(picks) {
            return Some(Miss::Name);
        }
        if let Some(rule) = self.tags.iter().find(|rule| !rule.holds(about.name)) {
            return Some(Miss::Tag(rule.as_str().to_owned()));
        }
        if let Some(least) = self.severity.filter(|least| about.severity < *least) {
            return Some(Miss::Severity(least));
        }
        let voted = |anomaly: &Anomaly| {
            anomaly
                .voters()
                .any(|voter| self.detectors.iter().any(|wanted| wanted == voter))
        };
        if !self.detectors.is_empty() && about.anomaly.is_some_and(|anomaly| !voted(anomaly)) {
            return Some(Miss::Detector);
        }
        None
    }

    /// Whether it selects this.
    pub fn selects(&self, about: &About<'_>) -> bool {
        self.miss(about).is_none()
    }
}

/// The tags of a canonical name `name;key=value;key=value`.
pub fn tags(name: &str) -> impl Iterator<Item = (&str, &str)> {
    name.split(';').skip(1).filter_map(|tag| tag.split_once('='))
}

/// The name without its tags.
pub fn bare_name(name: &str) -> &str {
    name.split(';').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn miss(selection: Selection, name: &str) -> Option<Miss> {
        let anomaly = sample::anomaly(name);
        let about = About {
            name,
            severity: Severity::Warning,
            anomaly: Some(&anomaly),
        };
        Matcher::new(&selection).unwrap().miss(&about)
    }

    fn tagged(rules: &[&str]) -> Selection {
        Selection {
            tags: rules.iter().map(|rule| (*rule).to_owned()).collect(),
            ..Selection::default()
        }
    }

    #[test]
    fn nothing_given_selects_everything() {
        assert_eq!(miss(Selection::default(), "a"), None);
    }

    #[test]
    fn a_pattern_may_be_about_the_name_with_or_without_its_tags() {
        let glob = |text: &str| Selection {
            metrics: vec![text.to_owned()],
            ..Selection::default()
        };
        assert_eq!(miss(glob("web.*.cpu"), "web.1.cpu;dc=eu"), None);
        assert_eq!(miss(glob("web.*.cpu;dc=*"), "web.1.cpu;dc=eu"), None);
        assert_eq!(miss(glob("web.*.mem"), "web.1.cpu;dc=eu"), Some(Miss::Name));
    }

    #[test]
    fn tag_rules_hold_for_the_whole_value_and_all_of_them_must() {
        let name = "cpu;dc=eu-1;host=web1";
        for rules in [
            &["dc=eu-1"][..],
            &["dc!=us"],
            &["dc=~eu.*", "host=~web[0-9]"],
            &["dc!~eu"],
            &["rack="],
            &["rack!=r1"],
        ] {
            assert_eq!(miss(tagged(rules), name), None, "{rules:?}");
        }
        for rule in ["dc=eu", "dc=~eu", "dc!=eu-1", "dc!~eu.*", "rack=r1"] {
            assert_eq!(
                miss(tagged(&["host=web1", rule]), name),
                Some(Miss::Tag(rule.into()))
            );
        }
    }

    #[test]
    fn severity_and_detectors_must_agree() {
        let critical = Selection {
            severity: Some(Severity::Critical),
            ..Selection::default()
        };
        assert_eq!(miss(critical, "a"), Some(Miss::Severity(Severity::Critical)));
        let by = |detector: &str| Selection {
            detectors: vec![detector.to_owned()],
            ..Selection::default()
        };
        assert_eq!(miss(by("grubbs"), "a"), None);
        assert_eq!(miss(by("ks_test"), "a"), Some(Miss::Detector));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for rule in ["dc", "=eu", "dc!eu", ""] {
            assert!(
                Matcher::new(&tagged(&[rule])).unwrap_err().contains("is none of"),
                "{rule}"
            );
        }
        assert!(
            Matcher::new(&tagged(&["dc=~("]))
                .unwrap_err()
                .contains("the tag rule `dc=~(` is wrong: unclosed group")
        );
    }
}
