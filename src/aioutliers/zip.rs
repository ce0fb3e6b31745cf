//! A file out of a ZIP archive, as Python's `zipfile` writes it: stored or deflated, its checksum held against it.
//!
//! After PKWARE's APPNOTE. The directory at the end is believed and local headers only for how long they are. Archives beyond
//! 4 GB (ZIP64) and encrypted files are refused.

use std::io::Read as _;

use flate2::Crc;
use flate2::read::DeflateDecoder;

/// The end of the directory and its length without a comment, which has 65,535 bytes at most.
const END: &[u8] = b"PK\x05\x06";
const END_LENGTH: usize = 22;
const LONGEST_COMMENT: usize = 65_535;
const ENTRY: &[u8] = b"PK\x01\x02";
const ENTRY_LENGTH: usize = 46;
const LOCAL: &[u8] = b"PK\x03\x04";
const LOCAL_LENGTH: usize = 30;
/// Bytes of a file that is unpacked, at most: a model has a hundred thousand.
const MOST_BYTES: usize = 256 << 20;

/// Why an archive or a file in it cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZipError {
    /// It is none, or the end is missing.
    #[error("it is no ZIP archive, or its end is missing")]
    NoDirectory,
    /// A file that should be there.
    #[error("there is no `{0}` in the archive")]
    Missing(String),
    /// A part lies outside of it, or says something that cannot be.
    #[error("the archive is broken: {0}")]
    Broken(String),
}

fn broken(what: impl Into<String>) -> ZipError {
    ZipError::Broken(what.into())
}

fn u16_at(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]) as usize
}

/// `length` bytes from `at` on that begin with a signature.
fn part<'a>(archive: &'a [u8], at: usize, length: usize, signature: &[u8]) -> Result<&'a [u8], ZipError> {
    let end = at
        .checked_add(length)
        .ok_or_else(|| broken("a part lies outside of it"))?;
    let part = archive.get(at..end).filter(|part| part.starts_with(signature));
    part.ok_or_else(|| broken(format!("byte {at} does not begin what it should")))
}

/// Whether bytes begin as an archive does.
#[must_use]
pub fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(LOCAL) || bytes.starts_with(END)
}

/// The file of that name.
///
/// # Errors
/// [`ZipError`].
pub fn unpack(archive: &[u8], name: &str) -> Result<Vec<u8>, ZipError> {
    let first = archive.len().saturating_sub(END_LENGTH + LONGEST_COMMENT);
    let end = archive[first..].windows(END.len()).rposition(|four| four == END);
    let end = end.map(|at| first + at).ok_or(ZipError::NoDirectory)?;
    let end = part(archive, end, END_LENGTH, END).map_err(|_| ZipError::NoDirectory)?;
    let (entries, mut at) = (u16_at(end, 10), u32_at(end, 16));
    for _ in 0..entries {
        let entry = part(archive, at, ENTRY_LENGTH, ENTRY)?;
        let length = u16_at(entry, 28);
        let known = archive.get(at + ENTRY_LENGTH..at + ENTRY_LENGTH + length);
        if known == Some(name.as_bytes()) {
            return unpack_entry(archive, entry, name);
        }
        at += ENTRY_LENGTH + length + u16_at(entry, 30) + u16_at(entry, 32);
    }
    Err(ZipError::Missing(name.to_owned()))
}

fn unpack_entry(archive: &[u8], entry: &[u8], name: &str) -> Result<Vec<u8>, ZipError> {
    if u16_at(entry, 8) & 1 != 0 {
        return Err(broken(format!("`{name}` is encrypted")));
    }
    let (method, sum) = (u16_at(entry, 10), u32_at(entry, 16));
    let (packed, whole, local) = (u32_at(entry, 20), u32_at(entry, 24), u32_at(entry, 42));
    if whole > MOST_BYTES {
        return Err(broken(format!("`{name}` has more than {MOST_BYTES} bytes")));
    }
    let header = part(archive, local, LOCAL_LENGTH, LOCAL)?;
    let begin = local + LOCAL_LENGTH + u16_at(header, 26) + u16_at(header, 28);
    let bytes = part(archive, begin, packed, b"")?;
    let unpacked = match method {
        0 => bytes.to_vec(),
        8 => {
            let mut unpacked = Vec::new();
            // One byte more than there should be says that there is too much.
            let mut reader = DeflateDecoder::new(bytes).take(whole as u64 + 1);
            let outcome = reader.read_to_end(&mut unpacked);
            outcome.map_err(|error| broken(format!("`{name}`: {error}")))?;
            unpacked
        }
        other => return Err(broken(format!("`{name}` is packed by the method {other}"))),
    };
    let mut crc = Crc::new();
    crc.update(&unpacked);
    if unpacked.len() != whole || crc.sum() as usize != sum {
        return Err(broken(format!("`{name}` does not fit its checksum")));
    }
    Ok(unpacked)
}
