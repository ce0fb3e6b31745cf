//! Rules on the tags of a metric: `dc=eu`, `dc!=eu`, `dc=~eu.*`, `dc!~eu.*`.
//!
//! The matcher of the alerters reads them again when it asks; here a slip is found before anything starts.

use regex::Regex;

use crate::pattern::one_line;

/// Whether the text is a rule on a tag.
///
/// # Errors
/// What is wrong with it, for people.
pub(crate) fn check(rule: &str) -> Result<(), String> {
    let wrong = || "it is none of `dc=eu`, `dc!=eu`, `dc=~eu.*`, `dc!~eu.*`".to_owned();
    let at = rule.find(['=', '!']).filter(|at| *at > 0).ok_or_else(wrong)?;
    let (key, rest) = rule.split_at(at);
    if key.contains(|c: char| c.is_whitespace() || c == ';') {
        return Err(wrong());
    }
    match rest.strip_prefix("=~").or_else(|| rest.strip_prefix("!~")) {
        Some(regex) => Regex::new(regex).map(drop).map_err(|error| one_line(&error)),
        None if rest.starts_with('=') || rest.starts_with("!=") => Ok(()),
        None => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_a_rule_from_a_slip() {
        for right in ["dc=eu", "dc!=eu", "dc=~eu.*", "dc!~eu|us", "rack=", "a=b=c"] {
            assert_eq!(check(right), Ok(()), "{right}");
        }
        for wrong in ["", "dc", "=eu", "dc!eu", "!=eu", "d c=eu", "dc =eu", "a;dc=eu"] {
            assert!(check(wrong).unwrap_err().starts_with("it is none of"), "{wrong}");
        }
        assert_eq!(check("dc=~(").unwrap_err(), "unclosed group");
        assert!(
            check("dc=~a)|(?:b").is_err(),
            "right only between our own brackets"
        );
    }
}
