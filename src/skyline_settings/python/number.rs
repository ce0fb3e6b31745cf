//! Numbers, as Python writes them.

/// What a number says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum NumberToken {
    Int(i64),
    Float(f64),
    /// One that no setting has a use for: complex, beyond 64 bits, or not written as Python 3 does.
    Odd(String),
}

pub(super) fn begins(rest: &str) -> bool {
    let bytes = rest.as_bytes();
    match bytes {
        [b'.', second, ..] => second.is_ascii_digit(),
        [first, ..] => first.is_ascii_digit(),
        [] => false,
    }
}

/// The number at the beginning of `rest`, and its length in bytes.
pub(super) fn read(rest: &str) -> (NumberToken, usize) {
    let length = length(rest.as_bytes());
    let written = &rest[..length];
    let digits = written.replace('_', "");
    let digits = digits.strip_suffix(['l', 'L']).unwrap_or(&digits);
    let value = whole(digits)
        .or_else(|| fraction(digits))
        .unwrap_or_else(|| NumberToken::Odd(written.to_owned()));
    (value, length)
}

/// Digits, letters, points, and a sign behind an exponent's `e`.
fn length(bytes: &[u8]) -> usize {
    let is_hexadecimal = matches!(bytes, [b'0', b'x' | b'X', ..]);
    let mut length = 0;
    while let Some(&byte) = bytes.get(length) {
        let follows_exponent = !is_hexadecimal
            && length > 0
            && matches!(bytes[length - 1], b'e' | b'E')
            && matches!(byte, b'+' | b'-');
        if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.' || follows_exponent {
            length += 1;
        } else {
            break;
        }
    }
    length
}

fn whole(digits: &str) -> Option<NumberToken> {
    let lower = digits.to_ascii_lowercase();
    let value = if let Some(digits) = lower.strip_prefix("0x") {
        i64::from_str_radix(digits, 16)
    } else if let Some(digits) = lower.strip_prefix("0o") {
        i64::from_str_radix(digits, 8)
    } else if let Some(digits) = lower.strip_prefix("0b") {
        i64::from_str_radix(digits, 2)
    } else if lower.len() > 1 && lower.starts_with('0') && lower.bytes().any(|byte| byte != b'0') {
        // Octal in Python 2, refused in Python 3; `00` is zero in both.
        return None;
    } else {
        lower.parse()
    };
    value.ok().map(NumberToken::Int)
}

fn fraction(digits: &str) -> Option<NumberToken> {
    let is_decimal =
        digits.contains(['.', 'e', 'E']) && !digits.starts_with("0x") && !digits.starts_with("0X");
    // Rust reads `inf` and `nan`, which are names in Python.
    let value: f64 = digits.parse().ok().filter(|_| is_decimal)?;
    Some(NumberToken::Float(value))
}
