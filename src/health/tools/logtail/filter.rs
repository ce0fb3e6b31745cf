//! The filter file of the original: chains of clauses on the fields of a line, and what a line that passes one says.
//!
//! Chains with the same first clause are a branch. Of the branches, in the order of their first appearance, the first whose
//! clause holds is the only one that is tried: of its chains the first that holds in full wins.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;
use skywatch_algorithms::verdicts::Status;

use crate::health::tools::terminal::ToolError;

/// A filter file, ready for use.
#[derive(Debug)]
pub(super) struct LogFilter {
    branches: Vec<Branch>,
}

#[derive(Debug)]
struct Branch {
    head: Clause,
    chains: Vec<(Vec<Clause>, Classifier)>,
}

/// What a line that passes says; `<name>` stands for what was captured.
#[derive(Debug, Clone)]
struct Classifier {
    context: String,
    subject: String,
    status: Status,
    score: f32,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    /// Empty for the line's own.
    pub(super) context: String,
    /// Empty for the line's own.
    pub(super) subject: String,
    pub(super) status: Status,
    pub(super) score: f32,
}

#[derive(Debug)]
struct Clause {
    /// As it is written, to tell branches apart.
    written: String,
    field: String,
    test: Test,
    /// Whether what is found is kept under a name.
    captures: bool,
}

#[derive(Debug)]
enum Test {
    Equal(String),
    Unequal(String),
    Among(Vec<String>),
    /// Any of these is found in it.
    Matches(Vec<Regex>),
}

/// FilterFields of a line by name.
pub(super) type FilterFields<'l> = BTreeMap<&'static str, &'l str>;

impl LogFilter {
    /// Reads a file's text.
    pub(super) fn parse(text: &str) -> Result<Self, ToolError> {
        let wrong = |what: &str| ToolError::Usage(format!("the filter has no right {what}"));
        let file: Value = serde_json::from_str(text)
            .map_err(|error| ToolError::Usage(format!("the filter is no JSON: {error}")))?;
        let chains = field(&file, "FilterTree")
            .and_then(Value::as_array)
            .ok_or_else(|| wrong("FilterTree"))?;
        let mut branches: Vec<Branch> = Vec::new();
        for chain in chains {
            let clauses = field(chain, "Chain")
                .and_then(Value::as_array)
                .ok_or_else(|| wrong("Chain"))?;
            let mut clauses = clauses
                .iter()
                .map(Clause::parse)
                .collect::<Result<Vec<_>, _>>()?
                .into_iter();
            let head = clauses.next().ok_or_else(|| wrong("Chain: one is empty"))?;
            let classifier =
                Classifier::parse(field(chain, "Classifier").ok_or_else(|| wrong("Classifier"))?)?;
            let body = (clauses.collect(), classifier);
            match branches
                .iter_mut()
                .find(|branch| branch.head.written == head.written)
            {
                Some(branch) => branch.chains.push(body),
                None => branches.push(Branch {
                    head,
                    chains: vec![body],
                }),
            }
        }
        Ok(Self { branches })
    }

    /// What a line says.
    pub(super) fn find(&self, fields: &FilterFields<'_>) -> Option<Found> {
        for branch in &self.branches {
            let mut captured = BTreeMap::new();
            if !branch.head.holds(fields, &mut captured) {
                continue;
            }
            return branch.chains.iter().find_map(|(clauses, classifier)| {
                // Of a chain that fails nothing must be left.
                let mut captured = captured.clone();
                let holds = clauses.iter().all(|clause| clause.holds(fields, &mut captured));
                holds.then(|| classifier.found(&captured)).flatten()
            });
        }
        None
    }
}

/// A field of an object, in any case, as Go reads them.
fn field<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let fields = value.as_object()?;
    fields
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    field(value, name).and_then(Value::as_str).unwrap_or_default()
}

impl Clause {
    fn parse(value: &Value) -> Result<Self, ToolError> {
        let (name, operator, pattern) = (
            text(value, "Field"),
            text(value, "Operator"),
            text(value, "Pattern"),
        );
        let regex = |pattern: &str| {
            Regex::new(pattern)
                .map_err(|error| ToolError::Usage(format!("pattern `{pattern}` of the filter: {error}")))
        };
        let test = match operator {
            "==" => Test::Equal(pattern.to_owned()),
            "!=" => Test::Unequal(pattern.to_owned()),
            "~" => Test::Matches(vec![regex(pattern)?]),
            "(-" => Test::Among(list(pattern)?),
            "(~" => Test::Matches(
                list(pattern)?
                    .iter()
                    .map(|pattern| regex(pattern))
                    .collect::<Result<_, _>>()?,
            ),
            other => return Err(ToolError::Usage(format!("`{other}` is no operator of a filter"))),
        };
        let captures = field(value, "CaptureResult")
            .and_then(Value::as_bool)
            .unwrap_or(false);
        Ok(Self {
            written: format!("{name}\0{operator}\0{pattern}\0{captures}"),
            field: name.to_owned(),
            test,
            captures,
        })
    }

    /// Whether it holds; what it captures is added.
    fn holds(&self, fields: &FilterFields<'_>, captured: &mut BTreeMap<String, String>) -> bool {
        let value = fields.get(&*self.field).copied().unwrap_or_default();
        match &self.test {
            Test::Equal(expected) => value == expected,
            Test::Unequal(expected) => value != expected,
            Test::Among(expected) => expected.iter().any(|expected| expected == value),
            Test::Matches(patterns) => {
                let Some((pattern, found)) = patterns
                    .iter()
                    .find_map(|pattern| Some((pattern, pattern.captures(value)?)))
                else {
                    return false;
                };
                if self.captures {
                    for (name, part) in pattern.capture_names().zip(found.iter()) {
                        let Some(part) = part else { continue };
                        let name = format!("{}_{}", self.field, name.unwrap_or("_all_"));
                        // Of parts without a name the first, which is the whole.
                        captured.entry(name).or_insert_with(|| part.as_str().to_owned());
                    }
                }
                true
            }
        }
    }
}

/// `['a', 'b']`.
fn list(text: &str) -> Result<Vec<String>, ToolError> {
    let wrong = || ToolError::Usage(format!("`{text}` is no list of a filter, such as `['a', 'b']`"));
    let inner = text
        .trim()
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .ok_or_else(wrong)?
        .trim();
    if inner.is_empty() {
        return Ok(Vec::new());
    }
    let inner = inner
        .strip_prefix('\'')
        .and_then(|rest| rest.strip_suffix('\''))
        .ok_or_else(wrong)?;
    let mut parts = Vec::new();
    let mut rest = inner;
    while let Some(end) = rest.find("',") {
        parts.push(rest[..end].to_owned());
        rest = rest[end + 2..]
            .trim_start()
            .strip_prefix('\'')
            .ok_or_else(wrong)?;
    }
    parts.push(rest.to_owned());
    Ok(parts)
}

impl Classifier {
    fn parse(value: &Value) -> Result<Self, ToolError> {
        let name = text(value, "Status");
        let status = Status::from_name(name)
            .ok_or_else(|| ToolError::Usage(format!("`{name}` is no status of a filter")))?;
        // The original has it as text.
        let score = match field(value, "Score") {
            Some(Value::String(score)) => score.parse().ok(),
            Some(Value::Number(score)) => score.as_f64().map(|score| score as f32),
            _ => None,
        };
        let score = score.filter(|score: &f32| score.is_finite());
        Ok(Self {
            context: text(value, "Context").to_owned(),
            subject: text(value, "Subject").to_owned(),
            status,
            score: score.ok_or_else(|| ToolError::Usage("a score of the filter is no number".to_owned()))?,
        })
    }

    fn found(&self, captured: &BTreeMap<String, String>) -> Option<Found> {
        let resolve = |text: &str| match text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) {
            Some(name) => captured.get(name).cloned(),
            None => Some(text.to_owned()),
        };
        Some(Found {
            context: resolve(&self.context)?,
            subject: resolve(&self.subject)?,
            status: self.status,
            score: self.score,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILTER: &str = r#"{"FilterTree": [
        {"Chain": [
            {"Field": "class", "Operator": "==", "Pattern": "Worker", "CaptureResult": false},
            {"Field": "content", "Operator": "~", "Pattern": "^open channel to (?P<rid>\\d+)", "CaptureResult": true}],
         "Classifier": {"Context": "", "Subject": "<content_rid>", "Status": "MAYBE_unhealthy", "Score": "40"}},
        {"Chain": [
            {"Field": "class", "Operator": "==", "Pattern": "Worker", "CaptureResult": false},
            {"Field": "level", "Operator": "(-", "Pattern": "['WARN', 'ERROR']"},
            {"Field": "content", "Operator": "(~", "Pattern": "['slow .*', 'busy']", "CaptureResult": true}],
         "Classifier": {"Context": "Work", "Subject": "w", "Status": "unhealthy", "Score": "20"}},
        {"Chain": [{"Field": "level", "Operator": "!=", "Pattern": "INFO"}],
         "Classifier": {"Context": "<none>", "Subject": "", "Status": "dead", "Score": "0"}},
        {"Chain": [{"Field": "content", "Operator": "~", "Pattern": "bye"}],
         "Classifier": {"Status": "dying", "Score": 1}}]}"#;

    #[test]
    fn the_first_branch_that_holds_is_the_only_one() {
        let filter = LogFilter::parse(FILTER).expect("a filter");
        let find = |class, level, content| {
            filter.find(&[("class", class), ("level", level), ("content", content)].into())
        };
        let found = |context: &str, subject: &str, status, score| {
            Some(Found {
                context: context.to_owned(),
                subject: subject.to_owned(),
                status,
                score,
            })
        };
        assert_eq!(
            find("Worker", "INFO", "open channel to 17"),
            found("", "17", Status::MaybeUnhealthy, 40.0)
        );
        assert_eq!(
            find("Worker", "WARN", "slow disk"),
            found("Work", "w", Status::Unhealthy, 20.0)
        );
        // The branch is decided by its first clause: others are not tried.
        assert_eq!(find("Worker", "INFO", "bye"), None);
        assert_eq!(
            find("Other", "INFO", "good bye"),
            found("", "", Status::Dying, 1.0)
        );
        // What was not captured cannot be said.
        assert_eq!(find("Other", "WARN", "bye"), None);
    }

    #[test]
    fn a_wrong_filter_is_refused() {
        assert_eq!(list("['a', 'b,c','d']").expect("a list"), ["a", "b,c", "d"]);
        let one = |clause: &str, status: &str| {
            format!(
                r#"{{"FilterTree": [{{"Chain": [{clause}], "Classifier": {{"Status": "{status}", "Score": "1"}}}}]}}"#
            )
        };
        let clause = |operator: &str, pattern: &str| {
            format!(r#"{{"Field": "a", "Operator": "{operator}", "Pattern": "{pattern}"}}"#)
        };
        assert!(LogFilter::parse(&one(&clause("==", "x"), "dead")).is_ok());
        for refused in [
            "{}".to_owned(),
            "[".to_owned(),
            one("", "dead"),
            one(&clause("==", "x"), "well"),
            one(&clause("=", "x"), "dead"),
            one(&clause("~", "("), "dead"),
            one(&clause("(-", "a, b"), "dead"),
        ] {
            assert!(LogFilter::parse(&refused).is_err(), "{refused}");
        }
    }
}
