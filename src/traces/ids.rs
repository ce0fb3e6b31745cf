//! The ids of traces and spans: as bytes, in hexadecimal digits, and in base64, which some senders write in JSON.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::refusal::SpanRefusal;

/// 16 bytes that all spans of a trace share; not all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct TraceId([u8; 16]);

/// 8 bytes that are a span's own within its trace; not all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SpanId([u8; 8]);

/// Characters of 16 and of 8 bytes in base64.
const BASE64_LENGTHS: [usize; 2] = [24, 12];

impl TraceId {
    /// From the bytes of OTLP.
    ///
    /// # Errors
    /// [`SpanRefusal::BadTraceId`] for another length, [`SpanRefusal::ZeroTraceId`].
    pub(super) fn of_bytes(bytes: &[u8]) -> Result<Self, SpanRefusal> {
        let bytes = bytes.try_into().map_err(|_| SpanRefusal::BadTraceId)?;
        Self::checked(bytes)
    }

    /// From 32 hexadecimal digits, or as Zipkin and Jaeger may write it: fewer, as those on the left are zeros.
    ///
    /// # Errors
    /// As [`of_bytes`](Self::of_bytes).
    pub(super) fn of_digits(digits: &str) -> Result<Self, SpanRefusal> {
        if digits.is_empty() || digits.len() > 32 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(SpanRefusal::BadTraceId);
        }
        let number = u128::from_str_radix(digits, 16).map_err(|_| SpanRefusal::BadTraceId)?;
        Self::checked(number.to_be_bytes())
    }

    /// From a text of OTLP in JSON: 32 hexadecimal digits, or 24 characters of base64.
    ///
    /// # Errors
    /// As [`of_bytes`](Self::of_bytes).
    pub(super) fn of_json(text: &str) -> Result<Self, SpanRefusal> {
        match text.len() {
            32 => Self::of_digits(text),
            length if length == BASE64_LENGTHS[0] => {
                Self::of_bytes(&STANDARD.decode(text).map_err(|_| SpanRefusal::BadTraceId)?)
            }
            _ => Err(SpanRefusal::BadTraceId),
        }
    }

    /// The bytes.
    #[must_use]
    pub(super) fn bytes(self) -> [u8; 16] {
        self.0
    }

    fn checked(bytes: [u8; 16]) -> Result<Self, SpanRefusal> {
        if bytes == [0; 16] {
            return Err(SpanRefusal::ZeroTraceId);
        }
        Ok(Self(bytes))
    }
}

impl SpanId {
    /// From the bytes of OTLP.
    ///
    /// # Errors
    /// [`SpanRefusal::BadSpanId`] for another length, [`SpanRefusal::ZeroSpanId`].
    pub(super) fn of_bytes(bytes: &[u8]) -> Result<Self, SpanRefusal> {
        let bytes = bytes.try_into().map_err(|_| SpanRefusal::BadSpanId)?;
        Self::checked(bytes)
    }

    /// From up to 16 hexadecimal digits.
    ///
    /// # Errors
    /// As [`of_bytes`](Self::of_bytes).
    pub(super) fn of_digits(digits: &str) -> Result<Self, SpanRefusal> {
        if digits.is_empty() || digits.len() > 16 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(SpanRefusal::BadSpanId);
        }
        let number = u64::from_str_radix(digits, 16).map_err(|_| SpanRefusal::BadSpanId)?;
        Self::checked(number.to_be_bytes())
    }

    /// From a text of OTLP in JSON: 16 hexadecimal digits, or 12 characters of base64.
    ///
    /// # Errors
    /// As [`of_bytes`](Self::of_bytes).
    pub(super) fn of_json(text: &str) -> Result<Self, SpanRefusal> {
        match text.len() {
            16 => Self::of_digits(text),
            length if length == BASE64_LENGTHS[1] => {
                Self::of_bytes(&STANDARD.decode(text).map_err(|_| SpanRefusal::BadSpanId)?)
            }
            _ => Err(SpanRefusal::BadSpanId),
        }
    }

    fn checked(bytes: [u8; 8]) -> Result<Self, SpanRefusal> {
        if bytes == [0; 8] {
            return Err(SpanRefusal::ZeroSpanId);
        }
        Ok(Self(bytes))
    }
}

/// The id of a parent, where there is one: what cannot be read is refused, zeros are none.
///
/// # Errors
/// [`SpanRefusal::BadParentId`].
pub(super) fn parent(id: Result<SpanId, SpanRefusal>) -> Result<Option<SpanId>, SpanRefusal> {
    match id {
        Ok(id) => Ok(Some(id)),
        Err(SpanRefusal::ZeroSpanId) => Ok(None),
        Err(_) => Err(SpanRefusal::BadParentId),
    }
}

fn digits(bytes: &[u8], to: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(to, "{byte:02x}"))
}

impl fmt::Display for TraceId {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        digits(&self.0, to)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        digits(&self.0, to)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, to)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_in_every_form_and_wrong_ones_named() {
        let hex = "0102030405060708090a0b0c0d0e0f10";
        let id = TraceId::of_digits(hex).unwrap();
        assert_eq!(id.to_string(), hex);
        assert_eq!(TraceId::of_json("AQIDBAUGBwgJCgsMDQ4PEA=="), Ok(id));
        assert_eq!(TraceId::of_json(&hex.to_uppercase()), Ok(id));
        assert_eq!(
            TraceId::of_digits("1f").unwrap().to_string(),
            format!("{:032x}", 0x1f)
        );
        assert_eq!(
            SpanId::of_json("AQIDBAUGBwg="),
            SpanId::of_digits("102030405060708")
        );
        for wrong in [
            "",
            "1f",
            &hex[1..],
            "0102030405060708090a0b0c0d0e0f1x",
            "+102030405060708090a0b0c0d0e0f10",
        ] {
            assert_eq!(TraceId::of_json(wrong), Err(SpanRefusal::BadTraceId), "{wrong}");
        }
        assert_eq!(TraceId::of_json(&"0".repeat(32)), Err(SpanRefusal::ZeroTraceId));
        assert_eq!(SpanId::of_bytes(&[0; 8]), Err(SpanRefusal::ZeroSpanId));
        assert_eq!(SpanId::of_bytes(&[1; 7]), Err(SpanRefusal::BadSpanId));
        assert_eq!(parent(SpanId::of_bytes(&[0; 8])), Ok(None));
        assert_eq!(parent(SpanId::of_bytes(&[1; 9])), Err(SpanRefusal::BadParentId));
    }
}
