//! The words of a masked line.

use std::ops::Range;

/// Where the words of a text are: what is between blanks and `delimiters`.
pub(super) fn words<'t>(text: &'t str, delimiters: &'t str) -> impl Iterator<Item = Range<usize>> + use<'t> {
    let ends = move |c: char| c.is_whitespace() || delimiters.contains(c);
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text[at..].find(|c| !ends(c))?;
        at = start + text[start..].find(ends).unwrap_or(text.len() - start);
        Some(start..at)
    })
}

/// A word as it stands in templates.
pub(super) fn as_token(word: &str, general: bool) -> &str {
    if general {
        filled(word).unwrap_or(word)
    } else {
        word
    }
}

/// A word that is an empty pair of brackets or quotes, with the value that is missing in it.
pub(super) fn filled(word: &str) -> Option<&'static str> {
    match word {
        "()" => Some("(<*>)"),
        "[]" => Some("[<*>]"),
        "{}" => Some("{<*>}"),
        "\"\"" => Some("\"<*>\""),
        _ => None,
    }
}
