//! Numbers at places of a file, each checked to lie in it.

use super::error::Hdf5Error;

/// A file, or a part of one. Little-endian throughout, as HDF5 is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bytes<'f>(&'f [u8]);

impl<'f> Bytes<'f> {
    pub(super) fn new(bytes: &'f [u8]) -> Self {
        Self(bytes)
    }

    /// `length` bytes from `at` on; `what` they are, for people.
    pub(super) fn slice(self, at: u64, length: u64, what: &'static str) -> Result<&'f [u8], Hdf5Error> {
        let end = at.checked_add(length);
        let range = end.and_then(|end| Some(usize::try_from(at).ok()?..usize::try_from(end).ok()?));
        range
            .and_then(|range| self.0.get(range))
            .ok_or(Hdf5Error::Outside { what, at })
    }

    fn array<const N: usize>(self, at: u64, what: &'static str) -> Result<[u8; N], Hdf5Error> {
        let slice = self.slice(at, N as u64, what)?;
        slice.try_into().map_err(|_| Hdf5Error::Outside { what, at })
    }

    pub(super) fn u8(self, at: u64, what: &'static str) -> Result<u8, Hdf5Error> {
        self.array::<1>(at, what).map(|[byte]| byte)
    }

    pub(super) fn u16(self, at: u64, what: &'static str) -> Result<u16, Hdf5Error> {
        self.array(at, what).map(u16::from_le_bytes)
    }

    pub(super) fn u32(self, at: u64, what: &'static str) -> Result<u32, Hdf5Error> {
        self.array(at, what).map(u32::from_le_bytes)
    }

    pub(super) fn u64(self, at: u64, what: &'static str) -> Result<u64, Hdf5Error> {
        self.array(at, what).map(u64::from_le_bytes)
    }

    /// Refuses a structure that does not begin with its signature.
    pub(super) fn expect(self, at: u64, signature: &[u8], what: &'static str) -> Result<(), Hdf5Error> {
        match self.slice(at, signature.len() as u64, what)? == signature {
            true => Ok(()),
            false => Err(Hdf5Error::Broken(format!("there is no {what} at byte {at}"))),
        }
    }

    /// A text that ends with a zero.
    pub(super) fn text(self, at: u64, what: &'static str) -> Result<&'f str, Hdf5Error> {
        let outside = || Hdf5Error::Outside { what, at };
        let rest = usize::try_from(at)
            .ok()
            .and_then(|at| self.0.get(at..))
            .ok_or_else(outside)?;
        let end = rest.iter().position(|byte| *byte == 0).ok_or_else(outside)?;
        str::from_utf8(&rest[..end]).map_err(|_| Hdf5Error::Broken(format!("{what} at byte {at} is no text")))
    }
}
