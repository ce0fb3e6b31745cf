//! Files that may be compressed.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

/// Bytes read at once.
const PIECE: usize = 65_536;
/// The first two bytes of a gzip stream (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Opens a file for reading; what is compressed with gzip, by its first bytes and not by its name, is unpacked on the way.
pub(crate) fn open(path: &Path) -> io::Result<Box<dyn BufRead + Send>> {
    reader(BufReader::with_capacity(PIECE, File::open(path)?))
}

/// The same of bytes from anywhere.
pub(crate) fn reader(mut from: impl BufRead + Send + 'static) -> io::Result<Box<dyn BufRead + Send>> {
    if from.fill_buf()?.starts_with(&GZIP) {
        Ok(Box::new(BufReader::with_capacity(
            PIECE,
            MultiGzDecoder::new(from),
        )))
    } else {
        Ok(Box::new(from))
    }
}
