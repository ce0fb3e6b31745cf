//! From a line to the text whose words are compared: every value replaced by `<*>`, or by the name of its mask.
//!
//! Custom masks are regular expressions, applied one after the other as Drain does, each to what the ones before it left; then
//! the [general masks](super::scanner) to what is between the values. What stood in the line is kept by its place, so that the
//! parameters of a template can be told. The general masks fold a list of values (`blk_1, blk_2 blk_3`) into one, since a list
//! has no fixed length and Drain compares only lines with as many words.

use std::ops::Range;

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::TemplateError;
use super::scanner::{ValueKind, scan};

/// What stands for a value in masked text and in templates.
pub const WILDCARD: &str = "<*>";

/// A custom mask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaskPattern {
    /// Stands as `<NAME>` for what is masked; `*` for the anonymous wildcard.
    pub name: String,
    /// A regular expression (syntax of the `regex` crate). There is no look-around: what must stand beside the value is matched
    /// too, and the value itself captured as `(?<value>…)`.
    pub pattern: String,
}

/// A mask ready for use.
#[derive(Debug, Clone)]
struct Mask {
    name: String,
    marker: String,
    expression: Regex,
}

/// All masks of a miner, in order.
#[derive(Debug, Clone)]
pub(super) struct Masking {
    masks: Vec<Mask>,
    general: bool,
}

/// Which mask a value fell to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MaskedBy {
    /// The custom mask with this place in the list.
    Custom(usize),
    /// A general one.
    General(ValueKind),
}

/// A value that was replaced: where its marker is in the text, and where it stood in the line, in bytes.
#[derive(Debug, Clone)]
pub(super) struct MaskedValue {
    pub(super) by: MaskedBy,
    pub(super) at: Range<usize>,
    pub(super) raw: Range<usize>,
}

/// A line after masking; made once and filled again for each line.
#[derive(Debug, Clone, Default)]
pub(super) struct MaskedLine {
    pub(super) text: String,
    /// From left to right.
    pub(super) values: Vec<MaskedValue>,
    /// Where a stage writes before it is exchanged for the above.
    next_text: String,
    next_values: Vec<MaskedValue>,
}

impl Masking {
    pub(super) fn new(patterns: &[MaskPattern], general: bool) -> Result<Self, TemplateError> {
        let masks = patterns.iter().map(Mask::new).collect::<Result<_, _>>()?;
        Ok(Self { masks, general })
    }

    pub(super) fn has_general(&self) -> bool {
        self.general
    }

    /// The marker of every mask: what a token must hold to hold a value.
    pub(super) fn markers(&self) -> impl Iterator<Item = &str> {
        let custom = self.masks.iter().map(|mask| mask.marker.as_str());
        std::iter::once(WILDCARD).chain(custom.filter(|&marker| marker != WILDCARD))
    }

    pub(super) fn name(&self, by: MaskedBy) -> &str {
        match by {
            MaskedBy::Custom(place) => &self.masks[place].name,
            MaskedBy::General(kind) => kind.name(),
        }
    }

    /// Fills `masked` from `line`.
    pub(super) fn apply(&self, line: &str, masked: &mut MaskedLine) {
        masked.values.clear();
        masked.text.clear();
        if self.masks.is_empty() && self.general {
            masked.general_stage(line, &[]);
            return;
        }
        masked.text.push_str(line);
        for (place, mask) in self.masks.iter().enumerate() {
            masked.custom_stage(place, mask);
        }
        if self.general {
            std::mem::swap(&mut masked.text, &mut masked.next_text);
            std::mem::swap(&mut masked.values, &mut masked.next_values);
            masked.text.clear();
            masked.values.clear();
            let (text, values) = (
                std::mem::take(&mut masked.next_text),
                std::mem::take(&mut masked.next_values),
            );
            masked.general_stage(&text, &values);
            (masked.next_text, masked.next_values) = (text, values);
        }
    }
}

impl Mask {
    fn new(pattern: &MaskPattern) -> Result<Self, TemplateError> {
        let is_name = |name: &str| {
            name == "*" || (!name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
        };
        if !is_name(&pattern.name) {
            return Err(TemplateError::MaskName(pattern.name.clone()));
        }
        let expression = Regex::new(&pattern.pattern).map_err(|error| TemplateError::MaskPattern {
            name: pattern.name.clone(),
            reason: error.to_string(),
        })?;
        Ok(Self {
            name: pattern.name.clone(),
            marker: format!("<{}>", pattern.name),
            expression,
        })
    }

    /// The next value at or behind `from`; never an empty one.
    fn find(&self, text: &str, mut from: usize) -> Option<Range<usize>> {
        while from <= text.len() {
            let captures = self.expression.captures_at(text, from)?;
            let found = captures.name("value").or_else(|| captures.get(0))?;
            if !found.is_empty() {
                return Some(found.range());
            }
            // An empty match is passed over by one character.
            from = found.end() + text[found.end()..].chars().next().map_or(1, char::len_utf8);
        }
        None
    }
}

impl MaskedLine {
    /// Replaces what `mask` matches in the text. A match may run over values of earlier masks and takes them in.
    fn custom_stage(&mut self, place: usize, mask: &Mask) {
        let Some(mut found) = mask.find(&self.text, 0) else {
            return;
        };
        self.next_text.clear();
        self.next_values.clear();
        let (mut copied, mut taken) = (0, 0);
        loop {
            self.keep(copied, found.start, &mut taken);
            let raw = raw_place(&self.values, found.start, false)..raw_place(&self.values, found.end, true);
            taken += self.values[taken..]
                .iter()
                .take_while(|value| value.at.start < found.end)
                .count();
            let at = self.next_text.len()..self.next_text.len() + mask.marker.len();
            self.next_text.push_str(&mask.marker);
            self.next_values.push(MaskedValue {
                by: MaskedBy::Custom(place),
                at,
                raw,
            });
            copied = found.end;
            match mask.find(&self.text, copied) {
                Some(next) => found = next,
                None => break,
            }
        }
        self.keep(copied, self.text.len(), &mut taken);
        std::mem::swap(&mut self.text, &mut self.next_text);
        std::mem::swap(&mut self.values, &mut self.next_values);
    }

    /// Takes the text in `from..to` over as it is, with the values in it that were not `taken` yet.
    fn keep(&mut self, from: usize, to: usize, taken: &mut usize) {
        while let Some(value) = self.values.get(*taken).filter(|value| value.at.start < to) {
            *taken += 1;
            // A value whose beginning was swallowed by the match before is no value of its own any more.
            if value.at.start >= from && value.at.end <= to {
                let start = value.at.start - from + self.next_text.len();
                let at = start..start + value.at.len();
                self.next_values.push(MaskedValue { at, ..value.clone() });
            }
        }
        self.next_text.push_str(&self.text[from..to]);
    }

    /// Appends `text` with the general masks applied between its `values`.
    fn general_stage(&mut self, text: &str, values: &[MaskedValue]) {
        let mut done = 0;
        for value in values {
            self.general_piece(text, done..value.at.start, values);
            let at = self.text.len()..self.text.len() + value.at.len();
            self.text.push_str(&text[value.at.clone()]);
            self.values.push(MaskedValue { at, ..value.clone() });
            done = value.at.end;
        }
        self.general_piece(text, done..text.len(), values);
    }

    /// Appends a piece that holds none of `values`, which are used only to tell where in the line it was.
    fn general_piece(&mut self, text: &str, piece: Range<usize>, values: &[MaskedValue]) {
        let shift = raw_place(values, piece.start, true);
        let text = &text[piece];
        let mut copied = 0;
        scan(text, |kind, found| {
            let between = &text[copied..found.start];
            let raw = shift + found.start..shift + found.end;
            copied = found.end;
            if let Some(before) = self.values.last_mut()
                && matches!(before.by, MaskedBy::General(_))
                && self.text[before.at.end..]
                    .bytes()
                    .chain(between.bytes())
                    .all(is_list_separator)
            {
                self.text.truncate(before.at.end);
                before.raw.end = raw.end;
                return;
            }
            self.text.push_str(between);
            let at = self.text.len()..self.text.len() + WILDCARD.len();
            self.text.push_str(WILDCARD);
            self.values.push(MaskedValue {
                by: MaskedBy::General(kind),
                at,
                raw,
            });
        });
        self.text.push_str(&text[copied..]);
    }
}

/// Where in the line the place `at` of a text with these `values` is; within a value its `end`, or its beginning.
fn raw_place(values: &[MaskedValue], at: usize, end: bool) -> usize {
    let before = values.partition_point(|value| value.at.end <= at);
    let (text, raw) = before
        .checked_sub(1)
        .map_or((0, 0), |last| (values[last].at.end, values[last].raw.end));
    match values.get(before) {
        Some(value) if value.at.start < at && end => value.raw.end,
        Some(value) if value.at.start < at => value.raw.start,
        _ => raw + (at - text),
    }
}

fn is_list_separator(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == b',' || byte == b';'
}

impl MaskedLine {
    /// Where in the line the part `at` of the text stood.
    pub(super) fn raw(&self, at: Range<usize>) -> Range<usize> {
        raw_place(&self.values, at.start, false)..raw_place(&self.values, at.end, true)
    }
}
