//! Words as numbers: comparing a line with a template compares integers.
//!
//! Only words of templates are kept. A word of a line that no template has is [`UNKNOWN`], equal to none, so lines that are looked
//! up cost no memory, whatever is in them.

use std::collections::HashMap;
use std::sync::Arc;

use super::masking::{Masking, WILDCARD};

/// The word `<*>`: a masked value; in Drain also a place that varies.
pub(super) const VALUE: u32 = 0;
/// A place whose words have proven to vary: equal to any word. No text has this number.
pub(super) const VARIABLE: u32 = 1;
/// A word that no template has.
pub(super) const UNKNOWN: u32 = u32::MAX;

/// What decides whether a word is like a value.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TokenTraits {
    /// The word is a masked value and nothing else.
    pub(super) is_value: bool,
    /// A masked value is in it.
    pub(super) is_masked: bool,
    /// A digit is in it.
    pub(super) has_digit: bool,
    /// Length in bytes of the key it begins with, `=` or `:` included; 0 without one.
    pub(super) key: usize,
    /// A masked value stands right behind the key.
    pub(super) is_key_masked: bool,
}

/// The words of all templates.
#[derive(Debug, Clone)]
pub(super) struct TokenTable {
    ids: HashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
    traits: Vec<TokenTraits>,
    markers: Vec<String>,
}

impl TokenTable {
    pub(super) fn new(masking: &Masking) -> Self {
        let mut table = Self {
            ids: HashMap::new(),
            texts: Vec::new(),
            traits: Vec::new(),
            markers: masking.markers().map(str::to_owned).collect(),
        };
        table.intern(WILDCARD);
        // Shown like a value, found under no text.
        table.texts.push(WILDCARD.into());
        table.traits.push(TokenTraits {
            is_value: true,
            is_masked: true,
            ..TokenTraits::default()
        });
        table
    }

    /// The number of `text`, if a template has it.
    pub(super) fn id(&self, text: &str) -> u32 {
        self.ids.get(text).copied().unwrap_or(UNKNOWN)
    }

    /// The number of `text`, from now on.
    pub(super) fn intern(&mut self, text: &str) -> u32 {
        if let Some(&id) = self.ids.get(text) {
            return id;
        }
        let id = u32::try_from(self.texts.len()).ok().filter(|&id| id != UNKNOWN);
        let id = id.expect("fewer words than the table is cleared at");
        let text: Arc<str> = text.into();
        self.traits.push(self.traits_of(&text));
        self.texts.push(Arc::clone(&text));
        self.ids.insert(text, id);
        id
    }

    pub(super) fn text(&self, id: u32) -> &str {
        &self.texts[id as usize]
    }

    pub(super) fn traits(&self, id: u32) -> TokenTraits {
        self.traits[id as usize]
    }

    /// The key a word begins with, empty without one.
    pub(super) fn key(&self, id: u32) -> &str {
        &self.text(id)[..self.traits(id).key]
    }

    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    fn traits_of(&self, text: &str) -> TokenTraits {
        let is_marker = |part: &str| {
            self.markers
                .iter()
                .any(|marker| part.starts_with(marker.as_str()))
        };
        let key = text.find(['=', ':']).map_or(0, |at| at + 1);
        TokenTraits {
            is_value: self.markers.iter().any(|marker| marker == text),
            is_masked: self.markers.iter().any(|marker| text.contains(marker.as_str())),
            has_digit: text.bytes().any(|byte| byte.is_ascii_digit()),
            key,
            is_key_masked: key > 0 && is_marker(&text[key..]),
        }
    }
}
