//! Patterns that pick metrics by name.
//!
//! Five ways to say it, told apart by their looks; a list of patterns matches where one of them does. The plain one is
//! Skyline's own, which finds `skyline.host-1.analyzer` by `skyline.analyzer`; the others are for those who mean it exactly.

use std::fmt;

use regex::Regex;

use crate::field::OptionText;

/// Picks metrics by name.
///
/// | written | picks |
/// |---|---|
/// | `=a.b` | the metric of exactly this name |
/// | `~web[.].*` | whole names the regular expression describes, anchored at both ends as in Prometheus |
/// | `/^a[.]b/` | names in which the regular expression finds something |
/// | `a.*.b`, `web-{1,2}.cpu`, `db?.[rw]*` | whole names, as Graphite would: `*` and `?` stop at dots, `**` does not |
/// | `a.b` | names that hold the text, or whose elements between dots include all of its own, in any order |
#[derive(Debug, Clone)]
pub struct Pattern {
    written: String,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Exact(String),
    Regex(Regex),
    /// `before` and `behind`: the text in front of the first wildcard and after the last, which most names do not have.
    Glob {
        before: String,
        behind: String,
        regex: Regex,
    },
    Plain {
        elements: Vec<String>,
    },
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(written: &str) -> Result<Self, String> {
        let kind = if written.is_empty() {
            return Err("it is empty and would match everything".to_owned());
        } else if let Some(name) = written.strip_prefix('=') {
            if name.is_empty() {
                return Err("no name follows the `=`".to_owned());
            }
            Kind::Exact(name.to_owned())
        } else if let Some(regex) = written.strip_prefix('~') {
            if regex.is_empty() {
                return Err("no regular expression follows the `~`".to_owned());
            }
            Kind::Regex(whole(regex)?)
        } else if let Some(regex) = written
            .strip_prefix('/')
            .and_then(|rest| rest.strip_suffix('/'))
            .filter(|regex| !regex.is_empty())
        {
            Kind::Regex(Regex::new(regex).map_err(|error| one_line(&error))?)
        } else if let Some(first) = written.find(['*', '?', '[', '{']) {
            let behind = written.rfind(['*', '?', ']', '}']).map_or(first, |last| last + 1);
            Kind::Glob {
                before: written[..first].to_owned(),
                behind: written[behind..].to_owned(),
                regex: Regex::new(&glob(written)?).map_err(|error| one_line(&error))?,
            }
        } else {
            Kind::Plain {
                elements: written.split('.').map(str::to_owned).collect(),
            }
        };
        Ok(Self {
            written: written.to_owned(),
            kind,
        })
    }

    /// Whether it picks the metric.
    pub fn matches(&self, name: &str) -> bool {
        match &self.kind {
            Kind::Exact(wanted) => name == wanted,
            Kind::Regex(regex) => regex.is_match(name),
            Kind::Glob {
                before,
                behind,
                regex,
            } => name.starts_with(before.as_str()) && name.ends_with(behind.as_str()) && regex.is_match(name),
            Kind::Plain { elements } => {
                name.contains(&self.written)
                    || elements
                        .iter()
                        .all(|element| name.split('.').any(|part| part == element))
            }
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.written
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl OptionText for Pattern {
    const EXPECTED: &'static str = "expected a pattern, such as `\"web-*.cpu\"`";
    const EXPECTED_LIST: &'static str =
        "expected a list of patterns, such as `[\"carbon.\", \"web-*.cpu\", \"/^test[.]/\"]`";

    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }

    fn text(&self) -> String {
        self.written.clone()
    }
}

/// The regular expression for the whole name. It is read by itself first: `a)|(?:b` would be right only between the
/// brackets put around it.
pub(crate) fn whole(regex: &str) -> Result<Regex, String> {
    Regex::new(regex)
        .and_then(|_| Regex::new(&format!("^(?:{regex})$")))
        .map_err(|error| one_line(&error))
}

/// The glob as a regular expression for the whole name.
fn glob(written: &str) -> Result<String, String> {
    let mut regex = String::from("^");
    let mut rest = written.chars().peekable();
    let mut braces = 0;
    while let Some(c) = rest.next() {
        match c {
            '*' if rest.next_if_eq(&'*').is_some() => regex.push_str(".*"),
            '*' => regex.push_str("[^.]*"),
            '?' => regex.push_str("[^.]"),
            '{' => {
                braces += 1;
                regex.push_str("(?:");
            }
            '}' if braces > 0 => {
                braces -= 1;
                regex.push(')');
            }
            ',' if braces > 0 => regex.push('|'),
            '[' => {
                let class: String = rest.by_ref().take_while(|&c| c != ']').collect();
                if class.is_empty() || class.contains(['[', '\\', '&', '~']) {
                    return Err(format!("`[{class}` is no set of characters"));
                }
                regex.push('[');
                regex.push_str(&class);
                regex.push(']');
            }
            c => regex.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    if braces > 0 {
        return Err("a `{` has no `}`".to_owned());
    }
    regex.push('$');
    Ok(regex)
}

/// The last line of the error says what is wrong; those before it draw an arrow.
fn one_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::parse(pattern).unwrap().matches(name)
    }

    #[test]
    fn plain_text_is_skylines_rule() {
        assert!(matches("skyline.analyzer.", "skyline.analyzer.run_time"));
        assert!(!matches("skyline.analyzer.", "skyline.host-1.analyzer.run_time"));
        assert!(matches("skyline.analyzer", "skyline.host-1.analyzer.run_time"));
        assert!(matches("run_time.skyline", "skyline.host-1.analyzer.run_time"));
        assert!(matches("lyzer.run", "skyline.analyzer.run_time"));
        assert!(!matches("skyline.mirage", "skyline.analyzer.run_time"));
    }

    #[test]
    fn globs_stop_at_dots_and_hold_for_the_whole_name() {
        assert!(matches("a.*.b", "a.x.b"));
        assert!(!matches("a.*.b", "a.x.y.b"));
        assert!(matches("a.**.b", "a.x.y.b"));
        assert!(!matches("a.*", "xa.b"));
        assert!(matches("web-{1,20}.cpu?", "web-20.cpu0"));
        assert!(matches("db[12].r+w*", "db1.r+wx"));
        assert!(!matches("db[12].*", "db3.x"));
        assert!(matches("ab*ba", "abba") && !matches("ab*ba", "aba"));
        assert!(matches("a[*]b", "a*b") && !matches("}*{x,y}z", "}.z") && matches("}*{x,y}z", "}yz"));
    }

    #[test]
    fn regexes_find() {
        assert!(matches("/^test[.]/", "test.a"));
        assert!(!matches("/^test[.]/", "a.test.a"));
    }

    #[test]
    fn an_exact_name_is_only_itself() {
        assert!(matches("=a.b", "a.b"));
        assert!(!matches("=a.b", "a.b.c") && !matches("=a.b", "x.a.b"));
        assert!(matches("=a[*]", "a[*]"), "nothing in it is special");
    }

    #[test]
    fn an_anchored_regex_describes_the_whole_name() {
        assert!(matches("~web[.].*", "web.cpu") && !matches("~web[.].*", "a.web.cpu"));
        assert!(!matches("~web", "web.cpu"));
        assert!(
            matches("~a|b", "a") && matches("~a|b", "b") && !matches("~a|b", "ax") && !matches("~a|b", "xb")
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (pattern, why) in [
            ("=", "no name follows the `=`"),
            ("~", "no regular expression follows the `~`"),
            ("~(", "unclosed group"),
            ("~a)|(?:b", "unopened group"),
            ("", "it is empty and would match everything"),
            ("/(/", "unclosed group"),
            ("a{b", "a `{` has no `}`"),
            ("a[", "`[` is no set of characters"),
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap_err(), why);
        }
    }
}
