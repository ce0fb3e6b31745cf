//! Values that are told by what stands in them, each by the part of the grammar in its docstring.

use super::{Scanner, is_label, is_word};

impl Scanner<'_> {
    pub(super) fn uuid(&self, at: usize) -> Option<usize> {
        let text = self.bytes.get(at..at + 36)?;
        let fits = text.iter().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
        (fits && self.is_boundary(at + 36)).then_some(at + 36)
    }

    /// `(DAY,? )?(MONTH +\d{1,2}|\d{1,2} MONTH)( \d{4})? \d\d:\d\d:\d\d([.,]\d+)?( [A-Z]{3,4}\b)?( \d{4}\b)?`.
    pub(super) fn time(&self, at: usize) -> Option<usize> {
        // Nearly every word is refused by its first letter.
        if !matches!(
            self.bytes[at],
            b'0'..=b'9' | b'A' | b'D' | b'F' | b'J' | b'M' | b'N' | b'O' | b'S' | b'T' | b'W'
        ) {
            return None;
        }
        let mut day = at;
        if self.names(at, &DAYS) {
            let comma = usize::from(self.bytes.get(at + 3) == Some(&b','));
            day = self.blank(at + 3 + comma)?;
        }
        let end = if self.names(day, &MONTHS) {
            let number = self.skip(self.blank(day + 3)?, |byte| byte == b' ');
            self.few_digits(number, 1, 2)?
        } else {
            let month = self.blank(self.few_digits(day, 1, 2)?)?;
            self.names(month, &MONTHS).then_some(month + 3)?
        };
        let year = self.blank(end).and_then(|year| self.few_digits(year, 4, 4));
        let mut end = self.clock(year.unwrap_or(end)).or_else(|| self.clock(end))?;
        if matches!(self.bytes.get(end), Some(b'.' | b',')) {
            let fraction = self.digits(end + 1);
            end = if fraction > end + 1 { fraction } else { end };
        }
        if let Some(zone) = self.blank(end) {
            let after = self.skip(zone, |byte| byte.is_ascii_uppercase());
            if (3..=4).contains(&(after - zone)) && self.is_boundary(after) {
                end = after;
            }
        }
        let year = self.blank(end).and_then(|year| self.few_digits(year, 4, 4));
        Some(year.filter(|&year| self.is_boundary(year)).unwrap_or(end))
    }

    /// ` \d\d:\d\d:\d\d`.
    fn clock(&self, at: usize) -> Option<usize> {
        let text = self.bytes.get(self.blank(at)?..at + 9)?;
        let fits = text.iter().enumerate().all(|(place, byte)| match place {
            2 | 5 => *byte == b':',
            _ => byte.is_ascii_digit(),
        });
        fits.then_some(at + 9)
    }

    /// `([0-9A-Fa-f]{1,4}:){5,7}[0-9A-Fa-f]{1,4}\b`.
    pub(super) fn address(&self, at: usize) -> Option<usize> {
        let (mut start, mut last) = (at, None);
        for group in 0..8 {
            let end = self.skip(start, |byte| byte.is_ascii_hexdigit());
            if !(1..=4).contains(&(end - start)) {
                break;
            }
            if group >= 5 && self.is_boundary(end) {
                last = Some(end);
            }
            if self.bytes.get(end) != Some(&b':') {
                break;
            }
            start = end + 1;
        }
        last
    }

    /// `="[^"]*"`.
    pub(super) fn quoted(&self, at: usize) -> Option<usize> {
        (self.bytes.get(at + 1) == Some(&b'"')).then_some(())?;
        let end = self.skip(at + 2, |byte| byte != b'"');
        (end < self.bytes.len()).then_some(end + 1)
    }

    /// `\d+(\.\d+)? ?UNIT\b( \(\d+(\.\d+)? ?[KMGTP]i?B\))?` with UNIT `[KMGTP]i?B|[kKMGT]?[Bb]ytes?`.
    pub(super) fn size(&self, at: usize) -> Option<usize> {
        let (unit, end) = self.unit(at)?;
        (is_binary_unit(unit) || is_bytes(unit)).then_some(())?;
        let again = || {
            let open = self.blank(end)?;
            (self.bytes.get(open) == Some(&b'(')).then_some(())?;
            let (unit, close) = self.unit(open + 1)?;
            (is_binary_unit(unit) && self.bytes.get(close) == Some(&b')')).then_some(close + 1)
        };
        Some(again().unwrap_or(end))
    }

    /// `<?\d+(\.\d+)? ?UNIT\b`, the `<` left to the caller.
    pub(super) fn duration(&self, at: usize) -> Option<usize> {
        let (unit, end) = self.unit(at)?;
        let unit = std::str::from_utf8(unit).ok()?;
        TIME_UNITS.contains(&unit).then_some(end)
    }

    /// The word behind the number at `at`, with or without a blank between, and its end: `[A-Za-z0-9_]+\b`.
    fn unit(&self, at: usize) -> Option<(&[u8], usize)> {
        let mut number = self.digits(at);
        (number > at).then_some(())?;
        if self.bytes.get(number) == Some(&b'.') {
            let fraction = self.digits(number + 1);
            number = if fraction > number + 1 { fraction } else { number };
        }
        let start = number + usize::from(self.bytes.get(number) == Some(&b' '));
        let first = self.bytes.get(start)?;
        first.is_ascii_alphabetic().then_some(())?;
        // No unit is longer than `seconds`; a longer word need not be read to its end.
        let most = self.bytes.len().min(start + 8);
        let end = (start..most)
            .find(|&end| !is_word(self.bytes[end]))
            .unwrap_or(most);
        self.is_boundary(end).then(|| (&self.bytes[start..end], end))
    }

    /// `[-+]?\d[A-Za-z0-9]*([_-][A-Za-z0-9]+|[.:,/]\d[A-Za-z0-9]*)*`.
    pub(super) fn number(&self, at: usize) -> Option<usize> {
        let digit = at + usize::from(matches!(self.bytes.get(at), Some(b'-' | b'+')));
        self.bytes.get(digit).filter(|byte| byte.is_ascii_digit())?;
        let mut end = self.skip(digit, |byte| byte.is_ascii_alphanumeric());
        loop {
            let next = self.bytes.get(end + 1).copied().unwrap_or(b' ');
            let goes_on = match self.bytes.get(end) {
                Some(b'_' | b'-') => next.is_ascii_alphanumeric(),
                Some(b'.' | b':' | b',' | b'/') => next.is_ascii_digit(),
                _ => false,
            };
            if !goes_on {
                return Some(end);
            }
            end = self.skip(end + 1, |byte| byte.is_ascii_alphanumeric());
        }
    }

    /// Six or more hexadecimal digits with a decimal one among them, and `\b`.
    pub(super) fn hex(&self, at: usize) -> Option<usize> {
        let end = self.skip(at, |byte| byte.is_ascii_hexdigit());
        let digits = &self.bytes[at..end];
        let fits = digits.len() >= 6 && digits.iter().any(u8::is_ascii_digit) && self.is_boundary(end);
        fits.then_some(end)
    }

    /// `(for|by|as|of|from|to) user NAME`: start and end of the name, `[A-Za-z0-9_.@$-]+`.
    pub(super) fn user(&self, at: usize) -> Option<(usize, usize)> {
        // The first letters of the words in `BEFORE_USER`.
        matches!(self.bytes[at], b'a' | b'b' | b'f' | b'o' | b't').then_some(())?;
        let rest = &self.bytes[at..];
        let before = BEFORE_USER.iter().find(|words| rest.starts_with(words))?;
        let start = at + before.len();
        let end = self.skip(start, |byte| is_label(byte) || matches!(byte, b'.' | b'@' | b'$'));
        (end > start).then_some((start, end))
    }

    /// The end of `least` to `most` digits, as many as there are.
    fn few_digits(&self, at: usize, least: usize, most: usize) -> Option<usize> {
        let there = self.bytes.get(at..)?.iter().take(most);
        let count = there.take_while(|byte| byte.is_ascii_digit()).count();
        (count >= least).then_some(at + count)
    }

    /// One past the blank at `at`.
    fn blank(&self, at: usize) -> Option<usize> {
        (self.bytes.get(at) == Some(&b' ')).then_some(at + 1)
    }

    fn names(&self, at: usize, names: &[&[u8; 3]]) -> bool {
        self.bytes
            .get(at..at + 3)
            .is_some_and(|text| names.iter().any(|name| *name == text))
    }
}

/// `[KMGTP]i?B`.
fn is_binary_unit(unit: &[u8]) -> bool {
    matches!(
        unit,
        [b'K' | b'M' | b'G' | b'T' | b'P', b'B'] | [b'K' | b'M' | b'G' | b'T' | b'P', b'i', b'B']
    )
}

/// `[kKMGT]?[Bb]ytes?`.
fn is_bytes(unit: &[u8]) -> bool {
    let unit = match unit {
        [b'k' | b'K' | b'M' | b'G' | b'T', rest @ ..] => rest,
        _ => unit,
    };
    matches!(unit, b"byte" | b"bytes" | b"Byte" | b"Bytes")
}

const TIME_UNITS: [&str; 16] = [
    "ns", "us", "ms", "s", "sec", "secs", "second", "seconds", "min", "mins", "minute", "minutes", "hour",
    "hours", "day", "days",
];
const BEFORE_USER: [&[u8]; 6] = [
    b"for user ",
    b"by user ",
    b"as user ",
    b"of user ",
    b"from user ",
    b"to user ",
];
const DAYS: [&[u8; 3]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];
