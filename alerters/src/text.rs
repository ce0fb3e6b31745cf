//! Foreign text made safe to show.
//!
//! Metric names come from whoever can write to the ingest port: they hold markup, line breaks,
//! direction overrides, or four kilobytes of anything. Every medium shows them as one line of
//! visible text. A control character is shown as its picture (`␊`) and not dropped, so that two
//! different names never look the same.

use std::borrow::Cow;
use std::fmt::Write as _;

/// `text` on one line: control characters become their pictures, invisible and direction-changing
/// characters the replacement character.
pub fn one_line(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| visible(c) == c) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(visible).collect())
}

fn visible(c: char) -> char {
    match c {
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\x7f' => '\u{2421}',
        // C1 controls; zero-width and direction marks; line and paragraph separators; direction
        // embeddings, overrides and isolates; invisible operators; byte order mark; what XML bans.
        '\u{80}'..='\u{9f}'
        | '\u{200b}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fffe}'
        | '\u{ffff}' => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

/// `text` on one line and at most `columns` wide, with its middle replaced by `…` when it is too
/// long: both ends of a metric name tell metrics apart, the middle seldom does.
///
/// A column is the width of a Latin letter; every character outside the Latin, Greek and Cyrillic
/// blocks and common punctuation counts as two, which is never too few.
pub fn shorten(text: &str, columns: usize) -> Cow<'_, str> {
    let text = one_line(text);
    if text.chars().map(width).sum::<usize>() <= columns {
        return text;
    }
    let room = columns.saturating_sub(1);
    let tail_room = room / 2;
    let head = take(text.chars(), room - tail_room);
    let tail: String = take(text.chars().rev(), tail_room).chars().rev().collect();
    Cow::Owned(format!("{head}…{tail}"))
}

/// The longest prefix of `chars` that fits in `columns`.
fn take(chars: impl Iterator<Item = char>, columns: usize) -> String {
    let mut used = 0;
    chars
        .take_while(|c| {
            used += width(*c);
            used <= columns
        })
        .collect()
}

fn width(c: char) -> usize {
    match c {
        // Up to Cyrillic; dashes, quotes, bullets and the ellipsis.
        ..'\u{0530}' | '\u{2010}'..'\u{2028}' => 1,
        _ => 2,
    }
}

/// Appends `text` to `out` on one line, with the characters that mean something in XML or HTML
/// escaped: fit for element content and for quoted attributes.
pub(crate) fn push_escaped(out: &mut String, text: &str) {
    for c in text.chars().map(visible) {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
}

/// Percent-encodes everything but the unreserved characters of RFC 3986 (section 2.3).
pub fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn line_breaks_are_shown_and_break_nothing() {
        assert_eq!(one_line("a\r\nBcc: x@y"), "a␍␊Bcc: x@y");
        assert_eq!(one_line("a\u{202e}b\u{85}c\x7f"), "a\u{fffd}b\u{fffd}c␡");
        assert!(matches!(one_line("plain.name"), Cow::Borrowed(_)));
    }

    #[test]
    fn the_middle_goes_first() {
        assert_eq!(shorten("servers.web1.cpu", 16), "servers.web1.cpu");
        assert_eq!(shorten("servers.web1.cpu", 11), "serve…1.cpu");
        assert_eq!(shorten("🔥🔥🔥🔥", 5), "🔥…🔥");
        assert_eq!(shorten("abc", 1), "…");
    }

    proptest! {
        #[test]
        fn shortened_text_fits_and_escaped_text_has_no_markup(text in "(?s).{0,60}", columns in 1usize..80) {
            let short = shorten(&text, columns);
            prop_assert!(short.chars().map(width).sum::<usize>() <= columns);
            prop_assert!(!short.chars().any(char::is_control));
            let mut escaped = String::new();
            push_escaped(&mut escaped, &text);
            let has_markup = escaped.contains(['<', '>', '"', '\'', '\n', '\r']);
            prop_assert!(!has_markup);
        }
    }

    #[test]
    fn names_of_any_kind_become_safe_in_addresses() {
        assert_eq!(
            super::percent_encode("a.b-c_1;h=x y/é"),
            "a.b-c_1%3Bh%3Dx%20y%2F%C3%A9"
        );
    }
}
