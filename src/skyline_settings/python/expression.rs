//! Expressions: literals, names that the file has given a value before, and sums of those. Nothing else is evaluated.

use std::collections::HashMap;

use super::error::PythonError;
use super::number::NumberToken;
use super::text::TextToken;
use super::token::{Token, TokenKind};
use super::value::{Computed, PythonValue};

/// Brackets in each other; the original has four.
const MOST_DEPTH: usize = 64;
/// So much of an expression is shown.
const MOST_SHOWN: usize = 60;

/// Reads the tokens of one file, one expression after the other.
pub(super) struct ExpressionReader<'t> {
    tokens: &'t [Token],
    pub(super) at: usize,
    depth: usize,
}

impl<'t> ExpressionReader<'t> {
    pub(super) fn new(tokens: &'t [Token]) -> Self {
        Self {
            tokens,
            at: 0,
            depth: 0,
        }
    }

    pub(super) fn peek(&self) -> Option<&'t TokenKind> {
        self.tokens.get(self.at).map(|token| &token.kind)
    }

    pub(super) fn line(&self) -> usize {
        let token = self.tokens.get(self.at).or(self.tokens.last());
        token.map_or(1, |token| token.line)
    }

    pub(super) fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Some(TokenKind::Sign(other)) if *other == sign)
    }

    pub(super) fn take_sign(&mut self, sign: &str) -> bool {
        let is_it = self.is_sign(sign);
        self.at += usize::from(is_it);
        is_it
    }

    /// A whole statement's right side: one expression, or several with commas between, which are a tuple.
    pub(super) fn right_side(&mut self, names: &AssignedNames) -> Result<PythonValue, PythonError> {
        let first = self.expression(names, Colon::IsPart)?;
        if !self.is_sign(",") {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.take_sign(",") {
            if self.is_over(Colon::IsPart) {
                break;
            }
            items.push(self.expression(names, Colon::IsPart)?);
        }
        Ok(PythonValue::Items(items))
    }

    /// An expression up to the comma, bracket or end that ends it.
    fn expression(&mut self, names: &AssignedNames, colon: Colon) -> Result<PythonValue, PythonError> {
        let start = self.at;
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err(PythonError {
                line: self.line(),
                reason: format!("brackets more than {MOST_DEPTH} deep"),
            });
        }
        let value = self.sum(names)?;
        self.depth -= 1;
        match value {
            Some(value) if self.is_over(colon) => Ok(value),
            _ => {
                self.at = start;
                self.skip(colon);
                Ok(PythonValue::Computed(self.computed(start)))
            }
        }
    }

    /// Terms with `+` and `-` between them. `None` where something is not evaluated.
    fn sum(&mut self, names: &AssignedNames) -> Result<Option<PythonValue>, PythonError> {
        let mut sum = self.product(names)?;
        loop {
            let is_plus = self.is_sign("+");
            if !is_plus && !self.is_sign("-") {
                return Ok(sum);
            }
            self.at += 1;
            let term = self.product(names)?;
            sum = match (sum, term) {
                (Some(left), Some(right)) if is_plus => plus(left, right),
                (Some(left), Some(right)) => numbers(&left, &right, i64::checked_sub, |a, b| a - b),
                _ => None,
            };
        }
    }

    fn product(&mut self, names: &AssignedNames) -> Result<Option<PythonValue>, PythonError> {
        let mut product = self.factor(names)?;
        while self.take_sign("*") {
            let factor = self.factor(names)?;
            product = match (product, factor) {
                (Some(left), Some(right)) => numbers(&left, &right, i64::checked_mul, |a, b| a * b),
                _ => None,
            };
        }
        Ok(product)
    }

    fn factor(&mut self, names: &AssignedNames) -> Result<Option<PythonValue>, PythonError> {
        let mut is_negative = false;
        while self.is_sign("-") || self.is_sign("+") {
            is_negative ^= self.is_sign("-");
            self.at += 1;
        }
        let value = self.atom(names)?;
        Ok(match value {
            Some(value) if is_negative => {
                numbers(&PythonValue::Int(0), &value, i64::checked_sub, |a, b| a - b)
            }
            other => other,
        })
    }

    fn atom(&mut self, names: &AssignedNames) -> Result<Option<PythonValue>, PythonError> {
        let Some(kind) = self.peek() else { return Ok(None) };
        match kind {
            TokenKind::Number(number) => {
                self.at += 1;
                Ok(match number {
                    NumberToken::Int(number) => Some(PythonValue::Int(*number)),
                    NumberToken::Float(number) => Some(PythonValue::Float(*number)),
                    NumberToken::Odd(_) => None,
                })
            }
            TokenKind::Text(_) => Ok(self.texts()),
            TokenKind::Name(name) => {
                self.at += 1;
                Ok(match name.as_str() {
                    "None" => Some(PythonValue::None),
                    "True" => Some(PythonValue::Bool(true)),
                    "False" => Some(PythonValue::Bool(false)),
                    name => names
                        .get(name)
                        .filter(|value| value.computed().is_none())
                        .cloned(),
                })
            }
            TokenKind::Sign("(") => self.parenthesis(names).map(Some),
            TokenKind::Sign("[") => {
                self.at += 1;
                let (items, _) = self.items(names, "]")?;
                Ok(Some(PythonValue::Items(items)))
            }
            TokenKind::Sign("{") => self.braces(names),
            _ => Ok(None),
        }
    }

    /// Texts beside each other are one.
    fn texts(&mut self) -> Option<PythonValue> {
        let (mut text, mut bytes, mut kinds) = (String::new(), Vec::new(), [false; 3]);
        while let Some(TokenKind::Text(token)) = self.peek() {
            self.at += 1;
            match token {
                TextToken::Text(more) => {
                    text += more;
                    kinds[0] = true;
                }
                TextToken::Bytes(more) => {
                    bytes.extend(more);
                    kinds[1] = true;
                }
                TextToken::Computed => kinds[2] = true,
            }
        }
        match kinds {
            [true, false, false] => Some(PythonValue::Text(text)),
            [false, true, false] => Some(PythonValue::Bytes(bytes)),
            _ => None,
        }
    }

    /// `(…)`: a tuple if there is a comma or nothing, else what is in it.
    fn parenthesis(&mut self, names: &AssignedNames) -> Result<PythonValue, PythonError> {
        self.at += 1;
        let (mut items, has_comma) = self.items(names, ")")?;
        match items.pop() {
            Some(only) if items.is_empty() && !has_comma => Ok(only),
            last => {
                items.extend(last);
                Ok(PythonValue::Items(items))
            }
        }
    }

    /// Elements up to a closing bracket, and whether commas are among them.
    fn items(&mut self, names: &AssignedNames, close: &str) -> Result<(Vec<PythonValue>, bool), PythonError> {
        let mut items = Vec::new();
        let mut has_comma = false;
        while !self.take_sign(close) {
            items.push(self.expression(names, Colon::IsPart)?);
            if self.take_sign(",") {
                has_comma = true;
            } else if !self.is_sign(close) {
                return Err(self.unexpected());
            }
        }
        Ok((items, has_comma))
    }

    /// A dict or a set.
    fn braces(&mut self, names: &AssignedNames) -> Result<Option<PythonValue>, PythonError> {
        self.at += 1;
        let (mut pairs, mut items) = (Vec::new(), Vec::new());
        while !self.take_sign("}") {
            let key = self.expression(names, Colon::Ends)?;
            if self.take_sign(":") {
                pairs.push((key, self.expression(names, Colon::IsPart)?));
            } else {
                items.push(key);
            }
            if !self.take_sign(",") && !self.is_sign("}") {
                return Err(self.unexpected());
            }
        }
        Ok(match (pairs.is_empty(), items.is_empty()) {
            (_, true) => Some(PythonValue::Dict(pairs)),
            (true, false) => Some(PythonValue::Items(items)),
            // `{**other, 'a': 1}`.
            (false, false) => None,
        })
    }

    fn unexpected(&self) -> PythonError {
        PythonError {
            line: self.line(),
            reason: format!("`{}` is not expected here", self.shown_token(self.at)),
        }
    }

    /// Whether the expression ends here.
    fn is_over(&self, colon: Colon) -> bool {
        match self.peek() {
            None | Some(TokenKind::End) => true,
            Some(TokenKind::Sign(sign)) => {
                matches!(*sign, "," | ")" | "]" | "}" | ";" | "=") || (colon == Colon::Ends && *sign == ":")
            }
            Some(_) => false,
        }
    }

    /// Goes on to where an expression ends that is not evaluated, over whatever brackets are in it.
    fn skip(&mut self, colon: Colon) {
        let mut open = 0_usize;
        while open > 0 || !self.is_over(colon) {
            match self.peek() {
                None | Some(TokenKind::End) => return,
                Some(TokenKind::Sign("(" | "[" | "{")) => open += 1,
                Some(TokenKind::Sign(")" | "]" | "}")) => open = open.saturating_sub(1),
                Some(_) => {}
            }
            self.at += 1;
        }
    }

    /// The tokens from `start` to here, as an expression that is not evaluated.
    pub(super) fn computed(&self, start: usize) -> Computed {
        let mut shown = String::new();
        for at in start..self.at {
            let token = self.shown_token(at);
            let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '\'');
            if is_word(shown.chars().last()) && is_word(token.chars().next()) {
                shown.push(' ');
            }
            shown += &token;
            if shown.chars().count() > MOST_SHOWN {
                shown = shown.chars().take(MOST_SHOWN).collect();
                shown.push('…');
                break;
            }
        }
        Computed {
            shown,
            line: self.tokens.get(start).map_or(1, |token| token.line),
        }
    }

    fn shown_token(&self, at: usize) -> String {
        match self.tokens.get(at).map(|token| &token.kind) {
            Some(TokenKind::Name(name)) => name.clone(),
            Some(TokenKind::Number(NumberToken::Int(number))) => number.to_string(),
            Some(TokenKind::Number(NumberToken::Float(number))) => number.to_string(),
            Some(TokenKind::Number(NumberToken::Odd(written))) => written.clone(),
            Some(TokenKind::Text(_)) => "'…'".to_owned(),
            Some(TokenKind::Sign(sign)) => (*sign).to_owned(),
            Some(TokenKind::End | TokenKind::Indent) | None => "end of line".to_owned(),
        }
    }
}

/// What names stand for.
pub(super) type AssignedNames = HashMap<String, PythonValue>;

/// Whether a `:` ends an expression, as behind the key of a dict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Colon {
    Ends,
    IsPart,
}

/// Numbers, texts and lists can be added.
fn plus(left: PythonValue, right: PythonValue) -> Option<PythonValue> {
    match (left, right) {
        (PythonValue::Text(left), PythonValue::Text(right)) => Some(PythonValue::Text(left + &right)),
        (PythonValue::Items(mut left), PythonValue::Items(right)) => {
            left.extend(right);
            Some(PythonValue::Items(left))
        }
        (left, right) => numbers(&left, &right, i64::checked_add, |a, b| a + b),
    }
}

fn numbers(
    left: &PythonValue,
    right: &PythonValue,
    whole: impl Fn(i64, i64) -> Option<i64>,
    fraction: impl Fn(f64, f64) -> f64,
) -> Option<PythonValue> {
    let as_fraction = |value: &PythonValue| match value {
        PythonValue::Int(number) => Some(*number as f64),
        PythonValue::Float(number) => Some(*number),
        _ => None,
    };
    if let (PythonValue::Int(left), PythonValue::Int(right)) = (left, right) {
        return whole(*left, *right).map(PythonValue::Int);
    }
    Some(PythonValue::Float(fraction(
        as_fraction(left)?,
        as_fraction(right)?,
    )))
}
