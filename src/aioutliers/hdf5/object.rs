//! Object headers of version 1 and the messages in them that say what an object is.

use super::bytes::Bytes;
use super::error::Hdf5Error;
use super::numbers::Hdf5Numbers;

/// Messages of one object, and blocks they lie in, at most: a layer's group has some ten.
const MOST_MESSAGES: usize = 10_000;
const MOST_BLOCKS: usize = 100;
/// The most axes HDF5 knows.
const MOST_AXES: u8 = 32;
/// Numbers of a dataset that are read, at most: a model of 11 columns has 12,000 in all.
const MOST_NUMBERS: u64 = 16 << 20;

/// The messages that are looked at, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum MessageKind {
    Dataspace = 0x0001,
    LinkInfo = 0x0002,
    Datatype = 0x0003,
    Layout = 0x0008,
    Filters = 0x000b,
    Attribute = 0x000c,
    Continuation = 0x0010,
    SymbolTable = 0x0011,
}

/// All messages of an object.
#[derive(Debug)]
pub(super) struct ObjectHeader<'f> {
    messages: Vec<(u16, Bytes<'f>)>,
}

impl<'f> ObjectHeader<'f> {
    pub(super) fn read(file: Bytes<'f>, address: u64) -> Result<Self, Hdf5Error> {
        let what = "an object";
        if file.slice(address, 4, what)? == b"OHDR" {
            return Err(Hdf5Error::Unsupported("object headers of version 2".to_owned()));
        }
        let version = file.u8(address, what)?;
        if version != 1 {
            return Err(Hdf5Error::Broken(format!("there is no object at byte {address}")));
        }
        let length = u64::from(file.u32(address + 8, what)?);
        // The header itself has 12 bytes and is filled up to 16.
        let mut blocks = vec![(address + 16, length)];
        let mut messages = Vec::new();
        let mut next = 0;
        while let Some(&(begin, length)) = blocks.get(next) {
            next += 1;
            let block = Bytes::new(file.slice(begin, length, what)?);
            let mut at = 0;
            while at + 8 <= length {
                let kind = block.u16(at, what)?;
                let size = u64::from(block.u16(at + 2, what)?);
                let flags = block.u8(at + 4, what)?;
                let body = Bytes::new(block.slice(at + 8, size, what)?);
                at += 8 + size;
                if kind == MessageKind::Continuation as u16 {
                    blocks.push((body.u64(0, what)?, body.u64(8, what)?));
                } else if flags & 2 != 0 {
                    return Err(Hdf5Error::Unsupported("a shared message".to_owned()));
                } else {
                    messages.push((kind, body));
                }
            }
            if messages.len() > MOST_MESSAGES || blocks.len() > MOST_BLOCKS {
                return Err(Hdf5Error::Broken("an object has no end".to_owned()));
            }
        }
        Ok(Self { messages })
    }

    /// The first message of a kind.
    pub(super) fn message(&self, kind: MessageKind) -> Option<Bytes<'f>> {
        let found = self.messages.iter().find(|(known, _)| *known == kind as u16);
        found.map(|(_, body)| *body)
    }

    /// The numbers of a dataset.
    pub(super) fn numbers(&self, file: Bytes<'f>) -> Result<Hdf5Numbers, Hdf5Error> {
        let missing = |what: &str| Hdf5Error::Broken(format!("a dataset has no {what}"));
        if self.message(MessageKind::Filters).is_some() {
            return Err(Hdf5Error::Unsupported("compressed numbers".to_owned()));
        }
        let space = self
            .message(MessageKind::Dataspace)
            .ok_or_else(|| missing("shape"))?;
        let shape = shape(space)?;
        let kind = self
            .message(MessageKind::Datatype)
            .ok_or_else(|| missing("type"))?;
        let width = float_width(kind)?;
        let count = shape
            .iter()
            .try_fold(1u64, |count, axis| count.checked_mul(*axis));
        let count = count.filter(|count| *count <= MOST_NUMBERS).ok_or_else(|| {
            Hdf5Error::Unsupported(format!("more than {MOST_NUMBERS} numbers in one place"))
        })?;
        let layout = self
            .message(MessageKind::Layout)
            .ok_or_else(|| missing("place"))?;
        let bytes = place(file, layout, count * width)?;
        let data = match width {
            4 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|four| f32::from_le_bytes(*four))
                .collect(),
            _ => bytes
                .as_chunks()
                .0
                .iter()
                .map(|eight| f64::from_le_bytes(*eight) as f32)
                .collect(),
        };
        let shape = shape.into_iter().map(|axis| axis as usize).collect();
        Ok(Hdf5Numbers { shape, data })
    }

    /// The text of an attribute.
    pub(super) fn text(&self, file: Bytes<'f>, name: &str) -> Result<Option<&'f str>, Hdf5Error> {
        let what = "an attribute";
        let attributes = self
            .messages
            .iter()
            .filter(|(kind, _)| *kind == MessageKind::Attribute as u16);
        for (_, body) in attributes {
            let version = body.u8(0, what)?;
            let sizes = [body.u16(2, what)?, body.u16(4, what)?, body.u16(6, what)?].map(u64::from);
            // Version 1 fills its parts up to multiples of eight, version 3 says how the name is written.
            let (begin, filled) = match version {
                1 => (8, sizes.map(|size| size.next_multiple_of(8))),
                2 => (8, sizes),
                3 => (9, sizes),
                _ => return Err(Hdf5Error::Broken(format!("an attribute of version {version}"))),
            };
            if body.text(begin, what)? != name {
                continue;
            }
            let kind = Bytes::new(body.slice(begin + filled[0], sizes[1], what)?);
            let data = begin + filled.iter().sum::<u64>();
            let bytes = match kind.u8(0, what)? & 0x0f {
                // A text of fixed length.
                3 => body.slice(data, u64::from(kind.u32(4, what)?), what)?,
                // One of any length, which lies in a heap of the file: its length, where the heap is, its number there.
                9 => {
                    let length = u64::from(body.u32(data, what)?);
                    heaped(
                        file,
                        body.u64(data + 4, what)?,
                        body.u32(data + 12, what)?,
                        length,
                    )?
                }
                _ => {
                    return Err(Hdf5Error::Unsupported(format!(
                        "an attribute `{name}` that is no text"
                    )));
                }
            };
            let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
            let text = str::from_utf8(&bytes[..end]);
            return text
                .map(Some)
                .map_err(|_| Hdf5Error::Broken(format!("the attribute `{name}` is no text")));
        }
        Ok(None)
    }
}

/// `length` bytes of an object of a global heap.
fn heaped<'f>(file: Bytes<'f>, heap: u64, number: u32, length: u64) -> Result<&'f [u8], Hdf5Error> {
    let what = "a text in a heap";
    file.expect(heap, b"GCOL", "a global heap")?;
    let size = file.u64(heap + 8, what)?;
    let objects = Bytes::new(file.slice(heap, size, what)?);
    let mut at = 16;
    // Number 0 is the room that is left, the last in the heap.
    loop {
        let found = u32::from(objects.u16(at, what)?);
        let own = objects.u64(at + 8, what)?;
        if found == number && found != 0 {
            return match length <= own {
                true => objects.slice(at + 16, length, what),
                false => Err(Hdf5Error::Broken(
                    "a text is longer than its place in a heap".to_owned(),
                )),
            };
        }
        let next = own
            .checked_next_multiple_of(8)
            .and_then(|own| at.checked_add(16 + own));
        match next.filter(|_| found != 0) {
            Some(next) => at = next,
            None => return Err(Hdf5Error::Broken(format!("a heap has no object {number}"))),
        }
    }
}

fn shape(space: Bytes<'_>) -> Result<Vec<u64>, Hdf5Error> {
    let what = "a shape";
    let version = space.u8(0, what)?;
    let axes = space.u8(1, what)?;
    let begin = match version {
        1 => 8,
        2 => 4,
        _ => return Err(Hdf5Error::Broken(format!("a shape of version {version}"))),
    };
    if axes > MOST_AXES {
        return Err(Hdf5Error::Broken(format!("a shape of {axes} axes")));
    }
    (0..u64::from(axes))
        .map(|axis| space.u64(begin + 8 * axis, what))
        .collect()
}

/// Bytes of a number, which must be an IEEE float as little-endian machines have it.
fn float_width(kind: Bytes<'_>) -> Result<u64, Hdf5Error> {
    let what = "a type";
    let (class, order) = (kind.u8(0, what)? & 0x0f, kind.u8(1, what)? & 0x41);
    let width = kind.u32(4, what)?;
    match (class, order, width) {
        (1, 0, 4 | 8) => Ok(u64::from(width)),
        (1, ..) => Err(Hdf5Error::Unsupported(format!(
            "floats of {width} bytes, or in another order"
        ))),
        _ => Err(Hdf5Error::Unsupported("numbers that are no floats".to_owned())),
    }
}

/// The bytes of a dataset.
fn place<'f>(file: Bytes<'f>, layout: Bytes<'f>, length: u64) -> Result<&'f [u8], Hdf5Error> {
    let what = "numbers";
    let version = layout.u8(0, what)?;
    if version != 3 && version != 4 {
        return Err(Hdf5Error::Unsupported(format!("a layout of version {version}")));
    }
    let (at, there) = match layout.u8(1, what)? {
        0 => {
            let size = u64::from(layout.u16(2, what)?);
            (None, size)
        }
        1 => (Some(layout.u64(2, what)?), layout.u64(10, what)?),
        _ => return Err(Hdf5Error::Unsupported("numbers in chunks".to_owned())),
    };
    if there != length {
        return Err(Hdf5Error::Broken(format!(
            "numbers take {there} bytes and not {length}"
        )));
    }
    match at {
        None => layout.slice(4, length, what),
        Some(at) => file.slice(at, length, what),
    }
}
