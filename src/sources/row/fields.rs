//! The fields of a line, and the number in one.

use memchr::memchr;

/// The fields between the commas. A field that begins with a quote reaches to the quote that ends it; a quote anywhere
/// else is a character like others.
pub(in crate::sources) struct Fields<'l> {
    rest: Option<&'l [u8]>,
}

impl<'l> Fields<'l> {
    pub(in crate::sources) fn of(line: &'l [u8]) -> Self {
        Self { rest: Some(line) }
    }
}

impl<'l> Iterator for Fields<'l> {
    type Item = &'l [u8];

    fn next(&mut self) -> Option<&'l [u8]> {
        let rest = self.rest?;
        let blanks = rest.len() - rest.trim_ascii_start().len();
        let quoted = match rest.get(blanks) {
            // Two quotes in a row are one that ends and one that begins again.
            Some(b'"') => memchr(b'"', &rest[blanks + 1..]).map_or(0, |end| {
                let mut end = blanks + 1 + end + 1;
                while rest.get(end) == Some(&b'"')
                    && let Some(next) = memchr(b'"', &rest[end + 1..])
                {
                    end += next + 2;
                }
                end
            }),
            _ => 0,
        };
        let field = match memchr(b',', &rest[quoted..]) {
            Some(comma) => {
                self.rest = Some(&rest[quoted + comma + 1..]);
                &rest[..quoted + comma]
            }
            None => {
                self.rest = None;
                rest
            }
        };
        Some(field)
    }
}

/// A field without blanks and quotes around it.
pub(in crate::sources) fn bare(field: &[u8]) -> &[u8] {
    let field = field.trim_ascii();
    let quoted = field
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""));
    quoted.map_or(field, <[u8]>::trim_ascii)
}

/// A field as a finite number.
pub(super) fn number(field: &[u8]) -> Option<f64> {
    let field = bare(field);
    let number = match plain(field) {
        Some(number) => number,
        None => str::from_utf8(field).ok()?.parse().ok()?,
    };
    number.is_finite().then_some(number)
}

/// Decimal digits with or without a sign and a point. Exact by Clinger's argument: mantissa and power of ten are both
/// floats without rounding, so that one division rounds once. `None` for whatever is not as simple.
pub(super) fn plain(field: &[u8]) -> Option<f64> {
    let (is_negative, digits) = match field {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, field),
    };
    if digits.len() > 16 {
        return None;
    }
    let (mut mantissa, mut point, mut seen) = (0_u64, None, 0_usize);
    for (position, &byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                mantissa = mantissa * 10 + u64::from(byte - b'0');
                seen += 1;
            }
            b'.' if point.is_none() => point = Some(position + 1),
            _ => return None,
        }
    }
    if seen == 0 || seen > 15 {
        return None;
    }
    let places = point.map_or(0, |point| digits.len() - point);
    let size = mantissa as f64 / POWERS[places];
    Some(if is_negative { -size } else { size })
}

/// Powers of ten up to the longest number that is read by hand; a float holds each exactly.
const POWERS: [f64; 17] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
];

/// Whether a field is one of some words, in whatever letters.
pub(super) fn is_one_of(field: &[u8], words: &[&str]) -> bool {
    words
        .iter()
        .any(|word| field.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_are_those_of_the_library(text in "-?[0-9]{0,18}([.][0-9]{0,18})?(e-?[0-9]{1,2})?") {
            let ours = number(text.as_bytes()).map(f64::to_bits);
            let theirs = text.parse::<f64>().ok().filter(|number| number.is_finite()).map(f64::to_bits);
            prop_assert_eq!(ours, theirs);
        }
    }
}
