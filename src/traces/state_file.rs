//! What is learnt, on disk: one deflated file of JSON, written beside and renamed.

use std::io::{self, Read as _, Write as _};
use std::path::Path;

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::files::{self, Durability};

/// Largest file once it is unpacked, bytes.
const LARGEST: u64 = 1 << 30;

/// What is read first: of another version nothing else may be there.
#[derive(Deserialize)]
struct FileVersion {
    version: u32,
}

#[derive(Serialize)]
struct VersionedFile<'k, T> {
    version: u32,
    #[serde(flatten)]
    kept: &'k T,
}

/// What was kept, if it is there and of this version; of a file that cannot be used is logged why, and learning begins anew.
pub(super) fn read<T: DeserializeOwned>(path: &Path, version: u32) -> Option<T> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => return refused(path, &error),
    };
    let mut text = Vec::new();
    if let Err(error) = DeflateDecoder::new(&*bytes).take(LARGEST).read_to_end(&mut text) {
        return refused(path, &error);
    }
    match serde_json::from_slice::<FileVersion>(&text) {
        Ok(found) if found.version != version => {
            return refused(
                path,
                &format!("it is of version {}, not {version}", found.version),
            );
        }
        Ok(_) => {}
        Err(error) => return refused(path, &error),
    }
    serde_json::from_slice(&text).map_or_else(|error| refused(path, &error), Some)
}

fn refused<T>(path: &Path, why: &dyn std::fmt::Display) -> Option<T> {
    tracing::error!("`{}` cannot be used, it is learnt anew :: {why}", path.display());
    None
}

/// Writes it in the place of what is there.
///
/// # Errors
/// The system's.
pub(super) fn write<T: Serialize>(path: &Path, version: u32, kept: &T) -> io::Result<()> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    serde_json::to_writer(&mut encoder, &VersionedFile { version, kept })?;
    encoder.flush()?;
    files::replace(path, &encoder.finish()?, Durability::Durable)
}
