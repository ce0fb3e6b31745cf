//! What all files of the room share: how they are replaced, and the checksum of a record.

use std::path::Path;

use crate::files;

/// Writes a file beside its place, makes sure that it is on the disk, and renames it.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    files::replace(path, bytes, files::Durability::Durable)
}

/// A checksum that is never 0, so that a hole in a file holds no record.
pub(super) fn checksum(bytes: &[u8], seed: u64) -> u32 {
    let hash = xxhash_rust::xxh3::xxh3_64_with_seed(bytes, seed);
    (hash ^ (hash >> 32)) as u32 | 1
}
