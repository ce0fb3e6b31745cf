//! What is learnt of traces, on disk: one deflated file of JSON, written beside and renamed.

use std::io::{self, Read as _, Write as _};
use std::path::Path;

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};
use skywatch_algorithms::traces::TraceDetector;

use crate::files::{self, Durability};

/// The version of the form; of another one nothing is read.
pub(super) const KEPT_VERSION: u32 = 2;
/// Largest file once it is unpacked, bytes.
const LARGEST: u64 = 1 << 30;

/// What is kept.
#[derive(Deserialize)]
pub(super) struct KeptModel {
    version: u32,
    /// The detectors.
    pub(super) detector: TraceDetector,
    /// Whole traces learnt.
    pub(super) learnt: u64,
    /// When they were fitted, Unix seconds, and on how many.
    pub(super) fitted: f64,
    pub(super) fitted_on: usize,
    /// The version of the trainer's model that the detectors come from.
    #[serde(default)]
    pub(super) taught: Option<String>,
}

/// The same on its way to the disk.
#[derive(Serialize)]
pub(super) struct ModelToKeep<'m> {
    pub(super) version: u32,
    pub(super) detector: &'m TraceDetector,
    pub(super) learnt: u64,
    pub(super) fitted: f64,
    pub(super) fitted_on: usize,
    pub(super) taught: Option<&'m str>,
}

impl KeptModel {
    /// What was kept, if anything can be read; a file that cannot is logged, and learning begins anew.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::error!(
                    "`{}` cannot be read, traces are learnt anew :: {error}",
                    path.display()
                );
                return None;
            }
        };
        let mut text = Vec::new();
        let unpacked = DeflateDecoder::new(&*bytes).take(LARGEST).read_to_end(&mut text);
        let read = unpacked
            .map_err(serde_json::Error::io)
            .and_then(|_| serde_json::from_slice::<Self>(&text));
        match read {
            Ok(kept) if kept.version == KEPT_VERSION => Some(kept),
            Ok(kept) => {
                tracing::warn!(
                    "`{}` is of version {}, traces are learnt anew",
                    path.display(),
                    kept.version
                );
                None
            }
            Err(error) => {
                tracing::error!(
                    "`{}` cannot be read, traces are learnt anew :: {error}",
                    path.display()
                );
                None
            }
        }
    }
}

impl ModelToKeep<'_> {
    /// Writes it in the place of what is there.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        serde_json::to_writer(&mut encoder, self)?;
        encoder.flush()?;
        files::replace(path, &encoder.finish()?, Durability::Durable)
    }
}
