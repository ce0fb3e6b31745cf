//! Lines of Python as tokens: names, numbers, texts, signs, ends of statements, and how far each statement is indented.
//!
//! Source: "Lexical analysis" in the reference of Python 3. Of Python 2, in which Etsy's Skyline was written, numbers may end
//! in `L`. Texts with expressions in them (`f'…'`) are found but not evaluated.

use super::error::PythonError;
use super::number;
use super::text::{self, TextToken};

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    /// The line it begins in, from one.
    pub(super) line: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    Name(String),
    Number(number::NumberToken),
    Text(TextToken),
    /// An operator or a bracket.
    Sign(&'static str),
    /// The end of a logical line.
    End,
    /// The first token of a logical line that is indented.
    Indent,
}

/// Longest first, so that `**=` is not read as `*`.
const SIGNS: [&str; 47] = [
    "**=", "//=", ">>=", "<<=", "...", "!=", "->", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "@=",
    ":=", "==", "<=", ">=", "<>", "**", "//", "<<", ">>", "(", ")", "[", "]", "{", "}", ",", ":", ".", ";",
    "=", "+", "-", "*", "/", "%", "@", "&", "|", "^", "~", "`",
];
/// Signs that say nothing further about where an expression ends.
const COMPARISONS: [&str; 3] = ["<", ">", "!"];

/// Takes a file apart.
///
/// # Errors
/// What no Python would read: a text or bracket that does not end, a character that begins nothing.
pub(super) fn tokens(source: &str) -> Result<Vec<Token>, PythonError> {
    let mut lexer = Lexer {
        source,
        at: 0,
        line: 1,
        open: Vec::new(),
        tokens: Vec::new(),
    };
    lexer.run()?;
    Ok(lexer.tokens)
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
    line: usize,
    /// Brackets that are open, with their lines: inside them ends of lines are blanks.
    open: Vec<(&'static str, usize)>,
    tokens: Vec<Token>,
}

impl<'s> Lexer<'s> {
    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    fn push(&mut self, kind: TokenKind) {
        self.tokens.push(Token {
            kind,
            line: self.line,
        });
    }

    fn begins_line(&self) -> bool {
        self.tokens
            .last()
            .is_none_or(|token| token.kind == TokenKind::End)
    }

    fn refused(&self, line: usize, reason: &str) -> PythonError {
        PythonError {
            line,
            reason: reason.to_owned(),
        }
    }

    fn run(&mut self) -> Result<(), PythonError> {
        // The byte order mark that some editors write.
        self.at = usize::from(self.source.starts_with('\u{feff}')) * '\u{feff}'.len_utf8();
        let mut is_indented = false;
        while let Some(c) = self.rest().chars().next() {
            match c {
                '\n' | '\r' => {
                    self.end_line();
                    is_indented = false;
                    continue;
                }
                ' ' | '\t' | '\u{c}' => {
                    is_indented |= c != '\u{c}' && self.begins_line();
                    self.at += 1;
                    continue;
                }
                '#' => {
                    let comment = self.rest().find(['\n', '\r']);
                    self.at += comment.unwrap_or(self.rest().len());
                    continue;
                }
                '\\' => {
                    self.join_line()?;
                    continue;
                }
                _ => {}
            }
            if self.begins_line() && is_indented {
                self.push(TokenKind::Indent);
            }
            is_indented = false;
            self.token(c)?;
        }
        if let Some((bracket, line)) = self.open.last() {
            return Err(self.refused(*line, &format!("`{bracket}` is not closed")));
        }
        self.end_line();
        Ok(())
    }

    /// An end of line, which inside brackets and on empty lines ends nothing.
    fn end_line(&mut self) {
        if self.open.is_empty() && !self.begins_line() {
            self.push(TokenKind::End);
        }
        let rest = self.rest();
        if !rest.is_empty() {
            self.at += if rest.starts_with("\r\n") { 2 } else { 1 };
            self.line += 1;
        }
    }

    fn join_line(&mut self) -> Result<(), PythonError> {
        let after = &self.rest()[1..];
        let length = ["\r\n", "\n", "\r"]
            .into_iter()
            .find(|end| after.starts_with(end));
        let Some(end) = length else {
            return Err(self.refused(self.line, "something follows a `\\`, which may only end a line"));
        };
        self.at += 1 + end.len();
        self.line += 1;
        Ok(())
    }

    fn token(&mut self, first: char) -> Result<(), PythonError> {
        if let Some(prefix) = text::prefix(self.rest()) {
            let (token, length) =
                text::read(self.rest(), prefix).map_err(|reason| self.refused(self.line, &reason))?;
            let lines = text::lines(&self.rest()[..length]);
            self.push(TokenKind::Text(token));
            self.at += length;
            self.line += lines;
            return Ok(());
        }
        if first == '_' || first.is_alphabetic() {
            let is_part = |c: char| c == '_' || c.is_alphanumeric();
            let length = self.rest().find(|c| !is_part(c)).unwrap_or(self.rest().len());
            let name = self.rest()[..length].to_owned();
            self.push(TokenKind::Name(name));
            self.at += length;
            return Ok(());
        }
        if number::begins(self.rest()) {
            let (token, length) = number::read(self.rest());
            self.push(TokenKind::Number(token));
            self.at += length;
            return Ok(());
        }
        self.sign(first)
    }

    fn sign(&mut self, first: char) -> Result<(), PythonError> {
        let mut known = SIGNS.into_iter().chain(COMPARISONS);
        let Some(sign) = known.find(|sign| self.rest().starts_with(sign)) else {
            return Err(self.refused(self.line, &format!("`{}` begins nothing", first.escape_default())));
        };
        match sign {
            "(" | "[" | "{" => self.open.push((sign, self.line)),
            ")" | "]" | "}" => {
                let closes = self.open.pop().map(|(open, _)| open);
                let fits = matches!(
                    (closes, sign),
                    (Some("("), ")") | (Some("["), "]") | (Some("{"), "}")
                );
                if !fits {
                    return Err(self.refused(self.line, &format!("`{sign}` closes nothing")));
                }
            }
            _ => {}
        }
        self.push(TokenKind::Sign(sign));
        self.at += sign.len();
        Ok(())
    }
}
