//! A Python file as text: which names it gives which values. Nothing in it is executed.
//!
//! Literals are read as Python's `ast.literal_eval` reads them, and `+`, `-` and `*` of them, and names that the file itself has
//! given a value before. Whatever else there is (calls, conditions, comprehensions) is kept as what it is, with its names, so
//! that somebody can be told. A name that is set under a condition or changed afterwards has no value that is known.

mod error;
mod expression;
mod number;
mod text;
mod token;
mod value;

pub use error::PythonError;
use expression::{AssignedNames, ExpressionReader};
use token::TokenKind;
pub(super) use value::PythonValue;

/// A name and the value it has at the end of the file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Assignment {
    pub(super) name: String,
    pub(super) value: PythonValue,
    /// The line of its last assignment, from one.
    pub(super) line: usize,
}

/// Every name that a file assigns, in the order of their first assignment.
///
/// # Errors
/// What no Python would read, with its line.
pub(super) fn assignments(source: &str) -> Result<Vec<Assignment>, PythonError> {
    let tokens = token::tokens(source)?;
    let mut file = PythonFile {
        reader: ExpressionReader::new(&tokens),
        names: AssignedNames::new(),
        assigned: Vec::new(),
    };
    while file.reader.peek().is_some() {
        file.statement()?;
    }
    Ok(file.assigned)
}

struct PythonFile<'t> {
    reader: ExpressionReader<'t>,
    names: AssignedNames,
    assigned: Vec<Assignment>,
}

impl PythonFile<'_> {
    fn statement(&mut self) -> Result<(), PythonError> {
        let start = self.reader.at;
        let is_indented = self.reader.peek() == Some(&TokenKind::Indent);
        self.reader.at += usize::from(is_indented);
        let mut targets = self.targets();
        if targets.is_empty() {
            self.change();
        } else {
            let line = self.reader.line();
            let from = self.reader.at;
            let mut value = self.reader.right_side(&self.names)?;
            // `A = B = 1`, where B is no target by itself.
            if self.reader.is_sign("=") || is_indented {
                self.skip_to_end();
                let mut computed = self.reader.computed(if is_indented { start + 1 } else { from });
                if is_indented {
                    computed.shown = "set inside a block, such as `if`".to_owned();
                }
                value = PythonValue::Computed(computed);
            }
            for target in targets.drain(..) {
                self.assign(target, value.clone(), line);
            }
        }
        self.skip_to_end();
        // Both `;` and the end of the line end a statement.
        self.reader.at += 1;
        Ok(())
    }

    /// `NAME = `, `NAME: type = `, any number of them. Nothing if the statement is no such thing.
    fn targets(&mut self) -> Vec<String> {
        let mut targets = Vec::new();
        loop {
            let start = self.reader.at;
            let Some(TokenKind::Name(name)) = self.reader.peek() else {
                return targets;
            };
            if is_keyword(name) {
                return targets;
            }
            let name = name.clone();
            self.reader.at += 1;
            if self.reader.is_sign(":") {
                self.annotation();
            }
            if !self.reader.take_sign("=") {
                self.reader.at = start;
                return targets;
            }
            targets.push(name);
        }
    }

    /// Goes over `: type`, which may have brackets.
    fn annotation(&mut self) {
        while !matches!(
            self.reader.peek(),
            None | Some(TokenKind::End | TokenKind::Sign("=" | ";"))
        ) {
            self.reader.at += 1;
        }
    }

    /// A statement that changes names in another way: `NAME += …`, `NAME['key'] = …`, `A, B = …`, `NAME.append(…)`, `del NAME`, and
    /// `if …: NAME = …` in one line.
    fn change(&mut self) {
        let (start, line) = (self.reader.at, self.reader.line());
        let keyword = match self.reader.peek() {
            Some(TokenKind::Name(name)) if is_keyword(name) => Some(name.as_str()),
            _ => None,
        };
        let changed = self.changed_names(keyword);
        let statement = self.reader.computed(start);
        for (name, is_assigned) in changed {
            if is_assigned || self.names.contains_key(&name) {
                self.assign(name, PythonValue::Computed(statement.clone()), line);
            }
        }
    }

    /// The names that the statement may change, and whether it gives them a value in any case. Goes to its end.
    fn changed_names(&mut self, keyword: Option<&str>) -> Vec<(String, bool)> {
        let mut depth = 0_usize;
        let mut candidates: Vec<String> = Vec::new();
        let mut changed: Vec<(String, bool)> = Vec::new();
        let mut follows_dot = false;
        loop {
            match self.reader.peek() {
                None | Some(TokenKind::End) => break,
                // What a condition is about goes on to the end of the line.
                Some(TokenKind::Sign(";")) if keyword.is_none() => break,
                Some(TokenKind::Sign(";" | ":")) if depth == 0 => candidates.clear(),
                Some(TokenKind::Sign("(" | "[" | "{")) => depth += 1,
                Some(TokenKind::Sign(")" | "]" | "}")) => depth = depth.saturating_sub(1),
                Some(TokenKind::Sign(sign)) if depth == 0 && is_assignment(sign) => {
                    changed.extend(candidates.drain(..).map(|name| (name, true)));
                }
                Some(TokenKind::Name(name)) if depth == 0 && !follows_dot && !is_keyword(name) => {
                    candidates.push(name.clone());
                    if matches!(keyword, Some("del" | "for" | "with" | "global")) {
                        changed.push((name.clone(), false));
                    }
                }
                Some(_) => {}
            }
            follows_dot = self.reader.is_sign(".");
            self.reader.at += 1;
        }
        if keyword.is_none() && changed.is_empty() {
            changed.extend(candidates.into_iter().take(1).map(|name| (name, false)));
        }
        changed
    }

    fn ends(&self) -> bool {
        matches!(
            self.reader.peek(),
            None | Some(TokenKind::End | TokenKind::Sign(";"))
        )
    }

    fn skip_to_end(&mut self) {
        while !self.ends() {
            self.reader.at += 1;
        }
    }

    fn assign(&mut self, name: String, value: PythonValue, line: usize) {
        self.names.insert(name.clone(), value.clone());
        match self.assigned.iter_mut().find(|other| other.name == name) {
            Some(known) => {
                known.value = value;
                known.line = line;
            }
            None => self.assigned.push(Assignment { name, value, line }),
        }
    }
}

/// Words that begin a statement, and `in`, `as` and the like, which are no names.
fn is_keyword(name: &str) -> bool {
    const KEYWORDS: [&str; 29] = [
        "and", "as", "assert", "async", "break", "class", "continue", "def", "del", "elif", "else", "except",
        "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "not", "or", "pass",
        "raise", "return", "try", "while", "with",
    ];
    KEYWORDS.contains(&name)
}

fn is_assignment(sign: &str) -> bool {
    sign.ends_with('=') && !matches!(sign, "==" | "!=" | "<=" | ">=")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(source: &str) -> PythonValue {
        let all = assignments(&format!("X = {source}\n")).expect(source);
        assert_eq!(all.len(), 1, "{source}");
        all[0].value.clone()
    }

    fn text(text: &str) -> PythonValue {
        PythonValue::Text(text.to_owned())
    }

    fn ints(numbers: &[i64]) -> PythonValue {
        PythonValue::Items(numbers.iter().copied().map(PythonValue::Int).collect())
    }

    #[test]
    fn literals_are_what_python_says_they_are() {
        for (source, is) in [
            ("'a' \"b\" u'c' r'\\d'", text("abc\\d")),
            ("'''a\n'b' ''' # and more", text("a\n'b' ")),
            (
                r"'\x41\101\u00e9\U0001F600\'\q\
b'",
                text("AAé😀'\\qb"),
            ),
            ("b'\\xff' B'a'", PythonValue::Bytes(vec![255, b'a'])),
            ("Rb'\\n'", PythonValue::Bytes(b"\\n".to_vec())),
            ("1_000", PythonValue::Int(1000)),
            ("0xfF", PythonValue::Int(255)),
            ("0o17", PythonValue::Int(15)),
            ("0b11", PythonValue::Int(3)),
            ("1.5e-3", PythonValue::Float(0.0015)),
            (".5", PythonValue::Float(0.5)),
            ("10L", PythonValue::Int(10)),
            ("-1", PythonValue::Int(-1)),
            ("24 * 3600 - 1", PythonValue::Int(86_399)),
            ("()", ints(&[])),
            ("(1)", PythonValue::Int(1)),
            ("(1,)", ints(&[1])),
            ("1, 2", ints(&[1, 2])),
            ("[1,\n  # why\n  2,\n]", ints(&[1, 2])),
            ("{1, 2}", ints(&[1, 2])),
            ("{}", PythonValue::Dict(vec![])),
            ("True", PythonValue::Bool(true)),
            ("None", PythonValue::None),
            ("1 + \\\n  2", PythonValue::Int(3)),
            (
                "{'a': (1, 2), 'a': None}",
                PythonValue::Dict(vec![(text("a"), ints(&[1, 2])), (text("a"), PythonValue::None)]),
            ),
        ] {
            assert_eq!(value(source), is, "{source}");
        }
        assert_eq!(value("{'a': 1, 'a': 2}").get("a"), Some(&PythonValue::Int(2)));
    }

    #[test]
    fn what_is_computed_is_named_and_not_guessed() {
        for (source, shown) in [
            ("os.environ.get('PASSWORD', 'hunter2')", "os.environ.get('…','…')"),
            ("unknown", "unknown"),
            ("f'{x}'", "'…'"),
            ("'%s' % 'hunter2'", "'…'%'…'"),
            ("[x for x in y]", "x for x in y"),
            ("1 if a else 2", "1 if a else 2"),
            ("{**a, 'b': 1}", "{**a,'…':1}"),
            ("3j", "3j"),
            ("0777", "0777"),
            ("99999999999999999999", "99999999999999999999"),
            ("'\\N{BULLET}'", "'…'"),
            ("lambda x: {1: 2}", "lambda x:{1:2}"),
        ] {
            let value = value(source);
            assert_eq!(value.computed().expect(source).shown, shown, "{source}");
        }
        let value = value("{'key': call(1)[2], 'b': 'text'}");
        assert_eq!(value.get("b"), Some(&text("text")), "what is beside it is known");
    }

    #[test]
    fn a_name_has_the_value_it_has_at_the_end_or_none() {
        let all = assignments(
            "import os\nA = 1\nB: int = A + 1\nC = D = 'x'\nif A:\n    A = 2\n    E = 3\nF = []; G = 1\nF.append(2)\n\
             H = {}\nH['a'] = 1\nI = 1\nI += 1\nJ = A\nI = 5\nK = (lambda: 0)()\n\"\"\"About K.\n\"\"\"\n\
             if A: L = 1; M = 2\nelse: L = 2\nN, O = 1, 2\n",
        )
        .expect("Python");
        let names: Vec<_> = all.iter().map(|assignment| assignment.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O"
            ]
        );
        let known = |name: &str| {
            let assignment = all.iter().find(|other| other.name == name).expect(name);
            (assignment.value.computed().is_none()).then(|| assignment.value.clone())
        };
        assert_eq!(known("A"), None, "it depends on a condition");
        assert_eq!(known("B"), Some(PythonValue::Int(2)), "what A was then");
        assert_eq!(known("D"), Some(text("x")));
        for changed in ["E", "F", "H", "J", "K", "L", "M", "N", "O"] {
            assert_eq!(known(changed), None, "{changed}");
        }
        assert_eq!(known("G"), Some(PythonValue::Int(1)));
        assert_eq!(known("I"), Some(PythonValue::Int(5)), "it is set anew");
        assert_eq!(all[8].line, 15);
    }

    #[test]
    fn what_is_no_python_is_refused_with_its_line() {
        for (source, line, why) in [
            ("A = 1\nB = 'x\n", 2, "does not end in its line"),
            ("A = '''x\n\n", 1, "does not end"),
            ("A = [1,\n2\n", 1, "`[` is not closed"),
            ("A = 1)\n", 1, "closes nothing"),
            ("A = (1 2)\n", 1, ""),
            ("A = '\\xg'\n", 1, "hexadecimal"),
            ("A = 1 \\ 2\n", 1, "may only end a line"),
            ("A = \u{1}\n", 1, "begins nothing"),
        ] {
            match (assignments(source), why) {
                (Err(PythonError { line: at, reason }), why) => {
                    assert_eq!(at, line, "{source}");
                    assert!(reason.contains(why), "{source}: {reason}");
                }
                // Two values without a comma are nothing that is evaluated.
                (Ok(all), "") => assert!(all[0].value.computed().is_some()),
                (other, _) => panic!("{source}: {other:?}"),
            }
        }
        let deep = format!("A = {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
        assert!(assignments(&deep).is_err());
    }
}
