//! What opcodes of a pickle are followed by: numbers, lengths and texts, in the forms of all protocols.

/// The bytes of a pickle, read from front to back.
#[derive(Debug)]
pub(super) struct Operands<'f> {
    frame: &'f [u8],
    at: usize,
}

impl<'f> Operands<'f> {
    pub(super) fn of(frame: &'f [u8]) -> Self {
        Self { frame, at: 0 }
    }

    /// All bytes.
    pub(super) fn frame(&self) -> &'f [u8] {
        self.frame
    }

    /// How many of them were read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.frame.len()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let byte = *self.frame.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    pub(super) fn bytes(&mut self, length: usize) -> Option<&'f [u8]> {
        let Some(bytes) = self.frame.get(self.at..self.at.checked_add(length)?) else {
            self.at = self.frame.len();
            return None;
        };
        self.at += length;
        Some(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    /// The operand of a text opcode: all to the end of the line.
    pub(super) fn line(&mut self) -> Option<&'f [u8]> {
        let rest = &self.frame[self.at..];
        let Some(length) = memchr::memchr(b'\n', rest) else {
            self.at = self.frame.len();
            return None;
        };
        self.at += length + 1;
        Some(&rest[..length])
    }
}

/// INT, LONG and FLOAT as text; `None` for what is no number.
pub(super) fn decimal(text: &str, is_whole: bool) -> Option<f64> {
    let text = if is_whole {
        text.strip_suffix('L').unwrap_or(text)
    } else {
        text
    };
    match text.bytes().position(|byte| byte == b'_') {
        // Python takes underscores between the digits of whole numbers.
        Some(at) if is_whole && at > 0 => text.replace('_', "").parse().ok(),
        _ => text.parse().ok(),
    }
}

/// A long in two's complement, little end first; `None` for one beyond 128 bits.
pub(super) fn long(bytes: &[u8]) -> Option<f64> {
    let sign = match bytes.last() {
        Some(byte) if byte & 0x80 != 0 => 0xff,
        _ => 0,
    };
    let (low, high) = bytes.split_at(bytes.len().min(16));
    let mut whole = [sign; 16];
    whole[..low.len()].copy_from_slice(low);
    // No measurement and no time needs more than these.
    let is_held = high.iter().all(|byte| *byte == sign) && (high.is_empty() || (whole[15] ^ sign) < 0x80);
    is_held.then(|| i128::from_le_bytes(whole) as f64)
}

/// STRING: a Python literal in quotes.
pub(super) fn unquote(line: &[u8], texts: &mut Vec<u8>) -> Option<()> {
    let text = match line {
        [b'\'', text @ .., b'\''] | [b'"', text @ .., b'"'] => text,
        _ => return None,
    };
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            texts.push(*first);
            continue;
        }
        let [escape, after @ ..] = rest else { return None };
        rest = after;
        let decoded = match escape {
            b'\\' | b'\'' | b'"' => *escape,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'x' => {
                let (digits, after) = rest.split_at_checked(2)?;
                rest = after;
                u8::try_from(hexadecimal(digits)?).ok()?
            }
            _ => return None,
        };
        texts.push(decoded);
    }
    Some(())
}

/// UNICODE: Latin-1 with `\uXXXX` and `\UXXXXXXXX`.
pub(super) fn unescape(mut rest: &[u8], texts: &mut Vec<u8>) -> Option<()> {
    while let [first, after @ ..] = rest {
        let digits = match rest {
            [b'\\', b'u', ..] => 4,
            [b'\\', b'U', ..] => 8,
            _ => 0,
        };
        let c = if digits == 0 {
            rest = after;
            char::from(*first)
        } else {
            let code = hexadecimal(rest.get(2..2 + digits)?)?;
            rest = &rest[2 + digits..];
            char::from_u32(code)?
        };
        texts.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Some(())
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0u32, |number, digit| {
        Some(number.checked_mul(16)? + char::from(*digit).to_digit(16)?)
    })
}
