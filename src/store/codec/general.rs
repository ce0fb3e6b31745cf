//! One point of any shape msgpack allows: every number type, nil, strings, further elements.
//!
//! Nothing recurses and nothing allocates: skipping an element only has to count how many more
//! follow it, so neither depth nor declared lengths cost anything beyond the bytes that are there.

/// Why there is no point to be had here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PointError {
    /// The bytes end inside the point.
    Truncated,
    /// This byte cannot be here, counted from the start of the point.
    Malformed(usize),
}

/// A point, or `None` where its time or value is no finite number.
pub(super) type FinitePoint = Option<(f64, f64)>;

/// Reads one point and returns it with the bytes behind it.
pub(super) fn point(bytes: &[u8]) -> Result<(FinitePoint, &[u8]), PointError> {
    let ((time, value), rest) = element(bytes)?;
    Ok((time.zip(value), rest))
}

/// Time and value, each `None` where it is no finite number.
pub(super) type Element = (Option<f64>, Option<f64>);

/// Reads one point as it is and returns it with the bytes behind it.
pub(super) fn element(bytes: &[u8]) -> Result<(Element, &[u8]), PointError> {
    let mut reader = ElementReader { bytes, at: 0 };
    let elements = match reader.byte()? {
        marker @ 0x92..=0x9f => u64::from(marker & 0x0f),
        0xdc => u64::from(u16::from_be_bytes(reader.array()?)),
        0xdd => u64::from(u32::from_be_bytes(reader.array()?)),
        _ => return Err(PointError::Malformed(0)),
    };
    if elements < 2 {
        return Err(PointError::Malformed(0));
    }
    let time = reader.number()?;
    let value = reader.number()?;
    reader.skip(elements - 2)?;
    Ok(((time, value), &bytes[reader.at..]))
}

struct ElementReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl ElementReader<'_> {
    fn byte(&mut self) -> Result<u8, PointError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PointError> {
        let found = self.bytes[self.at..].first_chunk().ok_or(PointError::Truncated)?;
        self.at += N;
        Ok(*found)
    }

    fn pass(&mut self, length: usize) -> Result<(), PointError> {
        if self.bytes.len() - self.at < length {
            return Err(PointError::Truncated);
        }
        self.at += length;
        Ok(())
    }

    /// Reads one element; `None` if it is anything but a finite number.
    fn number(&mut self) -> Result<Option<f64>, PointError> {
        let start = self.at;
        let number = match self.byte()? {
            marker @ 0x00..=0x7f => f64::from(marker),
            marker @ 0xe0..=0xff => f64::from(marker.cast_signed()),
            0xca => f64::from(f32::from_be_bytes(self.array()?)),
            0xcb => f64::from_be_bytes(self.array()?),
            0xcc => f64::from(self.byte()?),
            0xcd => f64::from(u16::from_be_bytes(self.array()?)),
            0xce => f64::from(u32::from_be_bytes(self.array()?)),
            0xcf => u64::from_be_bytes(self.array()?) as f64,
            0xd0 => f64::from(i8::from_be_bytes(self.array()?)),
            0xd1 => f64::from(i16::from_be_bytes(self.array()?)),
            0xd2 => f64::from(i32::from_be_bytes(self.array()?)),
            0xd3 => i64::from_be_bytes(self.array()?) as f64,
            _ => {
                self.at = start;
                self.skip(1)?;
                return Ok(None);
            }
        };
        Ok(number.is_finite().then_some(number))
    }

    /// Passes over `pending` elements with everything inside them.
    fn skip(&mut self, mut pending: u64) -> Result<(), PointError> {
        while pending > 0 {
            pending -= 1;
            let start = self.at;
            match self.byte()? {
                0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => {}
                marker @ 0x80..=0x8f => pending += 2 * u64::from(marker & 0x0f),
                marker @ 0x90..=0x9f => pending += u64::from(marker & 0x0f),
                marker @ 0xa0..=0xbf => self.pass(usize::from(marker & 0x1f))?,
                0xc1 => return Err(PointError::Malformed(start)),
                marker @ 0xc4..=0xc6 => self.pass_sized(marker - 0xc4, 0)?,
                marker @ 0xc7..=0xc9 => self.pass_sized(marker - 0xc7, 1)?,
                0xca | 0xce | 0xd2 => self.pass(4)?,
                0xcb | 0xcf | 0xd3 => self.pass(8)?,
                0xcc | 0xd0 => self.pass(1)?,
                0xcd | 0xd1 => self.pass(2)?,
                // Extensions of 1, 2, 4, 8 and 16 bytes, each behind a byte that names its type.
                marker @ 0xd4..=0xd8 => self.pass(1 + (1 << (marker - 0xd4)))?,
                marker @ 0xd9..=0xdb => self.pass_sized(marker - 0xd9, 0)?,
                0xdc => pending += u64::from(u16::from_be_bytes(self.array()?)),
                0xdd => pending += u64::from(u32::from_be_bytes(self.array()?)),
                0xde => pending += 2 * u64::from(u16::from_be_bytes(self.array()?)),
                0xdf => pending += 2 * u64::from(u32::from_be_bytes(self.array()?)),
            }
        }
        Ok(())
    }

    /// Passes over bytes whose length comes first, in one, two or four bytes, and `extra` more.
    fn pass_sized(&mut self, width: u8, extra: usize) -> Result<(), PointError> {
        let length = match width {
            0 => usize::from(self.byte()?),
            1 => usize::from(u16::from_be_bytes(self.array()?)),
            _ => u32::from_be_bytes(self.array()?) as usize,
        };
        self.pass(length.saturating_add(extra))
    }
}
