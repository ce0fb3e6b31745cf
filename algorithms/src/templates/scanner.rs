//! The general masks: what in a line is a value whatever program wrote it, found in one pass over its bytes.
//!
//! The grammar is that of one regular expression whose alternatives are tried in the order of [`ValueKind`] wherever the
//! last match ended, the first that fits wins; it is written out in the tests (`oracle`), and a property test holds the
//! scanner to it. What an alternative would look at again and again within one run of characters (a path, a host name, a
//! scheme) is worked out once for the run, so a line costs time linear in its length, whatever is in it.
//!
//! Only ASCII has a meaning. A digit begins a value where a word could begin (`core.4937`, `blk_-38`), not within a word
//! (`jk2_init`, `tty2`): whether such a word is a value is learnt from how it varies.

#[cfg(test)]
mod oracle;
mod values;

use std::ops::Range;

/// What a general mask takes a value for, in the order in which the masks are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ValueKind {
    /// `scheme://…`.
    Url,
    /// 8-4-4-4-12 hexadecimal digits.
    Uuid,
    /// A date in words with a time of day, as asctime, syslog and RFC 2822 write it.
    Time,
    /// Six to eight groups of hexadecimal digits with colons: a MAC or an IPv6 address without `::`.
    Address,
    /// Three or more names or numbers with dots, such as an IPv4 address; with a port two are enough.
    Host,
    /// An absolute path, of Windows behind the letter of a drive, or a relative one with two slashes.
    Path,
    /// What stands in quotes behind `=`.
    Quoted,
    /// A number of bytes with its unit, and in brackets the same again in another one.
    Size,
    /// A number with a unit of time.
    Duration,
    /// What begins with a digit, with its sign: number, date, time of day, version, id.
    Number,
    /// Six or more hexadecimal digits that begin with a letter and hold a digit.
    Hex,
    /// The name in `for user NAME`.
    User,
}

impl ValueKind {
    /// The mask's name, upper case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Url => "URL",
            Self::Uuid => "UUID",
            Self::Time => "TIME",
            Self::Address => "ADDRESS",
            Self::Host => "HOST",
            Self::Path => "PATH",
            Self::Quoted => "QUOTED",
            Self::Size => "SIZE",
            Self::Duration => "DURATION",
            Self::Number => "NUMBER",
            Self::Hex => "HEX",
            Self::User => "USER",
        }
    }
}

/// Hands out every value in `line`, from left to right: its kind, and where it is in bytes. O(length).
pub fn scan(line: &str, mut found: impl FnMut(ValueKind, Range<usize>)) {
    let mut scanner = Scanner {
        bytes: line.as_bytes(),
        label: Run::default(),
        path: Run::default(),
        scheme: Run::default(),
    };
    let mut at = 0;
    while let Some(&byte) = scanner.bytes.get(at) {
        if STARTS[usize::from(byte)] == 0 {
            at += 1;
            continue;
        }
        match scanner.value(at, byte) {
            Some((kind, start, end)) => {
                found(kind, start..end);
                at = end;
            }
            None if byte.is_ascii_alphabetic() => at = scanner.word(at),
            None => at += 1,
        }
    }
}

/// A run of characters of one class, and where what begins anywhere in it ends, if it is a value.
#[derive(Default)]
struct Run {
    /// One past the run's last byte.
    end: usize,
    /// One past the value's last byte.
    value: Option<usize>,
}

struct Scanner<'l> {
    bytes: &'l [u8],
    /// `[A-Za-z0-9_-]`: the first part of a host name.
    label: Run,
    /// `[A-Za-z0-9_.~-]`: the first part of a relative path.
    path: Run,
    /// `[A-Za-z0-9+.-]`: the scheme of a URL.
    scheme: Run,
}

impl Scanner<'_> {
    /// The value that begins at `at`, where `byte` is: kind, start and end of what is masked.
    fn value(&mut self, at: usize, byte: u8) -> Option<(ValueKind, usize, usize)> {
        let whole = |kind| move |end| (kind, at, end);
        match byte {
            b'=' => self.quoted(at).map(|end| (ValueKind::Quoted, at + 1, end)),
            b'<' => self.duration(at + 1).map(whole(ValueKind::Duration)),
            b'+' => self.number(at).map(whole(ValueKind::Number)),
            b'/' => self.absolute_path(at).map(whole(ValueKind::Path)),
            b'~' | b'.' => self.any_path(at).map(whole(ValueKind::Path)),
            b'-' | b'_' => self
                .host(at)
                .map(whole(ValueKind::Host))
                .or_else(|| self.any_path(at).map(whole(ValueKind::Path)))
                .or_else(|| self.number(at).map(whole(ValueKind::Number))),
            b'0'..=b'9' => self.behind_digit(at),
            _ => self.behind_letter(at),
        }
    }

    fn behind_letter(&mut self, at: usize) -> Option<(ValueKind, usize, usize)> {
        let whole = |kind| move |end| (kind, at, end);
        let label = self.label_end(at);
        let next = self.bytes.get(label).copied().unwrap_or(b' ');
        if matches!(next, b'.' | b':' | b'+') || label - at >= 36 {
            let found = self.url(at).map(whole(ValueKind::Url));
            let found = found.or_else(|| self.uuid(at).map(whole(ValueKind::Uuid)));
            if found.is_some() {
                return found;
            }
        }
        if let Some(end) = self.time(at) {
            return Some((ValueKind::Time, at, end));
        }
        if let Some(found) = self.joined(at, next) {
            return Some(found);
        }
        if label - at >= 6
            && let Some(end) = self.hex(at)
        {
            return Some((ValueKind::Hex, at, end));
        }
        self.user(at).map(|(start, end)| (ValueKind::User, start, end))
    }

    fn behind_digit(&mut self, at: usize) -> Option<(ValueKind, usize, usize)> {
        let label = self.label_end(at);
        let next = self.bytes.get(label).copied().unwrap_or(b' ');
        if label - at >= 36
            && let Some(end) = self.uuid(at)
        {
            return Some((ValueKind::Uuid, at, end));
        }
        if let Some(end) = self.time(at) {
            return Some((ValueKind::Time, at, end));
        }
        if let Some(found) = self.joined(at, next) {
            return Some(found);
        }
        let whole = |kind| move |end| (kind, at, end);
        self.size(at)
            .map(whole(ValueKind::Size))
            .or_else(|| self.duration(at).map(whole(ValueKind::Duration)))
            .or_else(|| self.number(at).map(whole(ValueKind::Number)))
    }

    /// What is put together with the character `next` that ends the label at `at`.
    fn joined(&mut self, at: usize, next: u8) -> Option<(ValueKind, usize, usize)> {
        match next {
            b':' => self
                .address(at)
                .map(|end| (ValueKind::Address, at, end))
                .or_else(|| self.drive_path(at).map(|end| (ValueKind::Path, at, end))),
            b'.' => self
                .host(at)
                .map(|end| (ValueKind::Host, at, end))
                .or_else(|| self.any_path(at).map(|end| (ValueKind::Path, at, end))),
            b'/' | b'~' => self.any_path(at).map(|end| (ValueKind::Path, at, end)),
            _ => None,
        }
    }

    /// The end of a word that is no value: `[A-Za-z0-9]+(/[A-Za-z]+)*`, so that the slash of `I/O` begins no path.
    fn word(&self, at: usize) -> usize {
        let mut end = self.skip(at, |byte| byte.is_ascii_alphanumeric());
        while self.bytes.get(end) == Some(&b'/') {
            let next = self.skip(end + 1, |byte| byte.is_ascii_alphabetic());
            if next == end + 1 {
                break;
            }
            end = next;
        }
        end
    }

    fn label_end(&mut self, at: usize) -> usize {
        if at >= self.label.end {
            let end = self.skip(at, is_label);
            self.label = Run { end, value: None };
            if self.bytes.get(end) == Some(&b'.') {
                self.label.value = self.host_behind(end);
            }
        }
        self.label.end
    }

    /// `[A-Za-z0-9_-]+((\.[A-Za-z0-9_-]+){2,}(:\d+\b)?|\.[a-z]{2,6}:\d+\b)`.
    fn host(&mut self, at: usize) -> Option<usize> {
        self.label_end(at);
        self.label.value
    }

    /// The end of a host name whose first label ends at `first`, where a dot is.
    fn host_behind(&self, first: usize) -> Option<usize> {
        let (mut end, mut labels) = (first, 1);
        while self.bytes.get(end) == Some(&b'.') {
            let next = self.skip(end + 1, is_label);
            if next == end + 1 {
                break;
            }
            (end, labels) = (next, labels + 1);
        }
        let port = || {
            let port = (self.bytes.get(end) == Some(&b':')).then(|| self.digits(end + 1))?;
            (port > end + 1 && self.is_boundary(port)).then_some(port)
        };
        match labels {
            1 => None,
            2 => {
                let last = self.bytes.get(first + 1..end)?;
                let is_domain = (2..=6).contains(&last.len()) && last.iter().all(u8::is_ascii_lowercase);
                if is_domain { port() } else { None }
            }
            _ => port().or(Some(end)),
        }
    }

    /// `[A-Za-z0-9_.~-]+(/SEGMENT){2,}/?`, or else [`Self::absolute_path`].
    fn any_path(&mut self, at: usize) -> Option<usize> {
        if at >= self.path.end {
            let end = self.skip(at, |byte| is_label(byte) || matches!(byte, b'.' | b'~'));
            let value = self.segments(end, b'/').filter(|&(_, count)| count >= 2);
            self.path = Run {
                end,
                value: value.map(|(end, _)| end),
            };
        }
        self.path.value.or_else(|| self.absolute_path(at))
    }

    /// `[A-Za-z]:(\\SEGMENT)+\\?`.
    fn drive_path(&self, at: usize) -> Option<usize> {
        let is_drive = self.bytes[at].is_ascii_alphabetic() && self.bytes.get(at + 1) == Some(&b':');
        let (end, _) = is_drive.then(|| self.segments(at + 2, b'\\'))??;
        Some(end)
    }

    /// `~?(/SEGMENT)+/?`.
    fn absolute_path(&self, at: usize) -> Option<usize> {
        let root = at + usize::from(self.bytes.get(at) == Some(&b'~'));
        self.segments(root, b'/').map(|(end, _)| end)
    }

    /// `(/[A-Za-z0-9_.@%+~$-]+)+/?` with this `slash`: its end, and how many there are.
    fn segments(&self, at: usize, slash: u8) -> Option<(usize, usize)> {
        let (mut end, mut count) = (at, 0);
        while self.bytes.get(end) == Some(&slash) {
            let next = self.skip(end + 1, |byte| {
                is_label(byte) || matches!(byte, b'.' | b'@' | b'%' | b'+' | b'~' | b'$')
            });
            if next == end + 1 {
                break;
            }
            (end, count) = (next, count + 1);
        }
        let last = usize::from(self.bytes.get(end) == Some(&slash));
        (count > 0).then_some((end + last, count))
    }

    /// `[A-Za-z][A-Za-z0-9+.-]*://` and all that is no blank, quote, bracket, comma or semicolon, at least one.
    fn url(&mut self, at: usize) -> Option<usize> {
        if at >= self.scheme.end {
            let end = self.skip(at, |byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'.' | b'-')
            });
            self.scheme = Run { end, value: None };
            if self.bytes.get(end..end + 3) == Some(b"://") {
                let value = self.skip(end + 3, |byte| {
                    byte > b' '
                        && !matches!(
                            byte,
                            b'"' | b'\''
                                | b'<'
                                | b'>'
                                | b'('
                                | b')'
                                | b'['
                                | b']'
                                | b'{'
                                | b'}'
                                | b','
                                | b';'
                        )
                });
                self.scheme.value = (value > end + 3).then_some(value);
            }
        }
        self.scheme.value
    }

    fn skip(&self, at: usize, is: impl Fn(u8) -> bool) -> usize {
        let rest = self.bytes.get(at..).unwrap_or_default();
        at + rest.iter().position(|&byte| !is(byte)).unwrap_or(rest.len())
    }

    fn digits(&self, at: usize) -> usize {
        self.skip(at, |byte| byte.is_ascii_digit())
    }

    /// Whether no character of a word is at `at`; what is before is one.
    fn is_boundary(&self, at: usize) -> bool {
        !self.bytes.get(at).is_some_and(|&byte| is_word(byte))
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_label(byte: u8) -> bool {
    is_word(byte) || byte == b'-'
}

/// 1 for the bytes with which a value or a word can begin.
const STARTS: [u8; 256] = {
    let mut starts = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        let is_start = (byte as u8).is_ascii_alphanumeric()
            || matches!(byte as u8, b'=' | b'<' | b'+' | b'/' | b'~' | b'.' | b'-' | b'_');
        starts[byte] = is_start as u8;
        byte += 1;
    }
    starts
};
