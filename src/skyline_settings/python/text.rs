//! Texts between quotation marks: short and long, raw, of bytes, with all escapes.

use std::iter::Peekable;
use std::str::Chars;

/// What a text says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TextToken {
    Text(String),
    Bytes(Vec<u8>),
    /// One that is not evaluated: `f'…'`, `t'…'`, or a character by its name, `'\N{…}'`.
    Computed,
}

/// What stands before the quotation marks.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TextPrefix {
    length: usize,
    is_raw: bool,
    is_bytes: bool,
    is_formatted: bool,
}

/// The prefix of a text, if one begins here.
pub(super) fn prefix(rest: &str) -> Option<TextPrefix> {
    let mut prefix = TextPrefix::default();
    for byte in rest.bytes().take(3) {
        match byte {
            b'\'' | b'"' => return Some(prefix),
            b'r' | b'R' if !prefix.is_raw => prefix.is_raw = true,
            b'b' | b'B' if !prefix.is_bytes => prefix.is_bytes = true,
            b'f' | b'F' | b't' | b'T' if !prefix.is_formatted => prefix.is_formatted = true,
            b'u' | b'U' if prefix.length == 0 => {}
            _ => return None,
        }
        prefix.length += 1;
    }
    None
}

/// How many lines end within a token.
pub(super) fn lines(token: &str) -> usize {
    let lone = token.matches('\r').count() - token.matches("\r\n").count();
    token.matches('\n').count() + lone
}

/// Reads the text at the beginning of `rest`. Gives its length in bytes, too.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(rest: &str, prefix: TextPrefix) -> Result<(TextToken, usize), String> {
    let quoted = &rest[prefix.length..];
    let quote = &quoted[..1];
    let long = quote.repeat(3);
    let marks = if quoted.starts_with(&long) {
        long.as_str()
    } else {
        quote
    };
    let body = &quoted[marks.len()..];
    let length = body_length(body, marks)?;
    let token = if prefix.is_formatted {
        TextToken::Computed
    } else {
        content(&body[..length], prefix)?
    };
    Ok((token, prefix.length + length + 2 * marks.len()))
}

/// Up to the closing marks; a `\` takes the next character along, also in raw texts.
fn body_length(body: &str, marks: &str) -> Result<usize, String> {
    let mut at = 0;
    while !body[at..].starts_with(marks) {
        let mut next = body[at..].chars();
        match next.next() {
            Some('\\') => at += 1 + next.next().map_or(0, char::len_utf8),
            Some('\n' | '\r') if marks.len() == 1 => return Err("a text does not end in its line".to_owned()),
            Some(c) => at += c.len_utf8(),
            None => return Err("a text does not end".to_owned()),
        }
    }
    Ok(at)
}

fn content(body: &str, prefix: TextPrefix) -> Result<TextToken, String> {
    // Python reads every end of line as `\n`.
    let body = body.replace("\r\n", "\n").replace('\r', "\n");
    if prefix.is_bytes && !body.is_ascii() {
        return Err("bytes hold a character that is not ASCII".to_owned());
    }
    let text = if prefix.is_raw {
        Some(body)
    } else {
        unescaped(&body, prefix.is_bytes)?
    };
    Ok(match text {
        None => TextToken::Computed,
        // Each is below 256: ASCII, or from an escape of two hexadecimal or three octal digits.
        Some(text) if prefix.is_bytes => {
            TextToken::Bytes(text.chars().map(|c| (u32::from(c) & 0xff) as u8).collect())
        }
        Some(text) => TextToken::Text(text),
    })
}

/// `None` where a character is called by its name.
fn unescaped(body: &str, is_bytes: bool) -> Result<Option<String>, String> {
    let mut text = String::with_capacity(body.len());
    let mut rest = body.chars().peekable();
    while let Some(c) = rest.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        let Some(escape) = rest.next() else { break };
        let c = match escape {
            '\n' => continue,
            '\\' | '\'' | '"' => escape,
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '0'..='7' => octal(escape, &mut rest),
            'x' => hexadecimal(2, &mut rest)?,
            'u' if !is_bytes => hexadecimal(4, &mut rest)?,
            'U' if !is_bytes => hexadecimal(8, &mut rest)?,
            'N' if !is_bytes && rest.peek() == Some(&'{') => return Ok(None),
            // What is no escape stands for itself, `\` and all.
            other => {
                text.push('\\');
                other
            }
        };
        text.push(c);
    }
    Ok(Some(text))
}

/// Up to three digits; `\777` is one character in a text.
fn octal(first: char, rest: &mut Peekable<Chars<'_>>) -> char {
    let mut value = first.to_digit(8).unwrap_or_default();
    for _ in 0..2 {
        match rest.peek().and_then(|c| c.to_digit(8)) {
            Some(digit) => value = value * 8 + digit,
            None => break,
        }
        rest.next();
    }
    char::from_u32(value).unwrap_or('\u{fffd}')
}

fn hexadecimal(digits: usize, rest: &mut Peekable<Chars<'_>>) -> Result<char, String> {
    let mut value = 0;
    for _ in 0..digits {
        let digit = rest.next().and_then(|c| c.to_digit(16));
        value = value * 16 + digit.ok_or_else(|| format!("an escape needs {digits} hexadecimal digits"))?;
    }
    char::from_u32(value).ok_or_else(|| "an escape is no character".to_owned())
}
