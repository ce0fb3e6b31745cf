//! Rules on the tags of a metric: `dc=eu`, `dc!=eu`, `dc=~eu.*`, `dc!~eu.*`.

use regex::Regex;

use crate::field::OptionText;
use crate::pattern::whole;

/// What a tag of a name `name;key=value;key=value` must be. A regular expression holds for the whole value; a tag that the
/// name does not have counts as empty.
#[derive(Debug, Clone)]
pub struct TagRule {
    written: String,
    key: String,
    wanted: WantedTag,
    negated: bool,
}

#[derive(Debug, Clone)]
enum WantedTag {
    Text(String),
    Regex(Regex),
}

impl TagRule {
    /// Reads a rule.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(written: &str) -> Result<Self, String> {
        let wrong = || "it is none of `dc=eu`, `dc!=eu`, `dc=~eu.*`, `dc!~eu.*`".to_owned();
        let at = written.find(['=', '!']).filter(|at| *at > 0).ok_or_else(wrong)?;
        let (key, rest) = written.split_at(at);
        if key.contains(|c: char| c.is_whitespace() || c == ';') {
            return Err(wrong());
        }
        let (negated, wanted) = if let Some(regex) = rest.strip_prefix("!~") {
            (true, WantedTag::Regex(whole(regex)?))
        } else if let Some(text) = rest.strip_prefix("!=") {
            (true, WantedTag::Text(text.to_owned()))
        } else if let Some(regex) = rest.strip_prefix("=~") {
            (false, WantedTag::Regex(whole(regex)?))
        } else if let Some(text) = rest.strip_prefix('=') {
            (false, WantedTag::Text(text.to_owned()))
        } else {
            return Err(wrong());
        };
        Ok(Self {
            written: written.to_owned(),
            key: key.to_owned(),
            wanted,
            negated,
        })
    }

    /// Whether it holds for the metric.
    pub fn holds(&self, name: &str) -> bool {
        let mut tags = name.split(';').skip(1).filter_map(|tag| tag.split_once('='));
        let value = tags.find(|(key, _)| *key == self.key);
        let value = value.map_or("", |(_, value)| value);
        let is = match &self.wanted {
            WantedTag::Text(text) => value == text,
            WantedTag::Regex(regex) => regex.is_match(value),
        };
        is != self.negated
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.written
    }
}

impl PartialEq for TagRule {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl OptionText for TagRule {
    const EXPECTED: &'static str = "expected a rule on a tag, such as `\"dc=eu\"`";
    const EXPECTED_LIST: &'static str = "expected rules on tags, such as `[\"dc=eu\", \"host=~web.*\"]`";

    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }

    fn text(&self) -> String {
        self.written.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_a_rule_from_a_slip() {
        for right in ["dc=eu", "dc!=eu", "dc=~eu.*", "dc!~eu|us", "rack=", "a=b=c"] {
            assert_eq!(TagRule::parse(right).unwrap().as_str(), right);
        }
        for wrong in ["", "dc", "=eu", "dc!eu", "!=eu", "d c=eu", "dc =eu", "a;dc=eu"] {
            assert!(
                TagRule::parse(wrong).unwrap_err().starts_with("it is none of"),
                "{wrong}"
            );
        }
        assert_eq!(TagRule::parse("dc=~(").unwrap_err(), "unclosed group");
        assert!(
            TagRule::parse("dc=~a)|(?:b").is_err(),
            "right only between our own brackets"
        );
    }

    #[test]
    fn a_rule_holds_for_the_whole_value() {
        let name = "cpu;dc=eu-1;host=web1";
        for rule in [
            "dc=eu-1",
            "dc!=us",
            "dc=~eu.*",
            "host=~web[0-9]",
            "dc!~eu",
            "rack=",
            "rack!=r1",
        ] {
            assert!(TagRule::parse(rule).unwrap().holds(name), "{rule}");
        }
        for rule in ["dc=eu", "dc=~eu", "dc!=eu-1", "dc!~eu.*", "rack=r1"] {
            assert!(!TagRule::parse(rule).unwrap().holds(name), "{rule}");
        }
    }
}
