//! Where fitted models lie, and how they come into use.
//!
//! A model is two files a version: the weights as safetensors and a card, JSON, that says what they are and carries
//! their checksum; a third, small file a model, `latest`, says which version serves and carries the card's checksum. The
//! pointer is written last, so a model that was written by half is one that nobody points at, and a file that was
//! changed later no longer fits the sum above it: it is refused, and what served before goes on serving
//! ([`LiveModel`]). A sum is no signature: who may write the folder or the bucket may publish a model.
//!
//! Models are data. Nothing in them is run, and every shape and number is checked before it is used.

mod blob_store;
mod card;
mod cpu;
mod folder;
pub mod kinds;
mod listing;
mod live;
mod parts;
mod probe;
mod registry;
mod s3;
mod sensor_name;

pub use blob_store::BlobStore;
pub use card::{Card, Holdout, Pointer, Provenance};
pub use cpu::cpu_features;
pub use folder::Folder;
pub use kinds::{Model, ModelKind};
pub use listing::{CardSummary, ModelListing};
pub use live::{LiveModel, LiveVersion, Refresh};
pub use probe::probes;
pub use registry::ModelRegistry;
pub(crate) use registry::new_version;
pub use s3::Bucket;
pub use sensor_name::model_of_sensor;

/// Why a model cannot be kept or used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A name that could be mistaken for a path.
    #[error("`{0}` is no name for a model\nhint: letters, digits, `-` and `_`, at most 100 of them")]
    Name(String),
    /// The place cannot be read or written.
    #[error("models in `{place}`: {reason}")]
    Place {
        /// Folder or bucket.
        place: String,
        /// Why.
        reason: String,
    },
    /// There is no such model, or no such version of it.
    #[error("there is no model `{0}`")]
    Missing(String),
    /// What lies there is not what was published.
    #[error("model `{model}` is refused: {why}")]
    Refused {
        /// Name and version.
        model: String,
        /// What is wrong.
        why: String,
    },
    /// The address of the place, or its file of authorities, cannot be used.
    #[error("{0}")]
    Options(String),
}

impl ModelError {
    fn refused(model: &str, why: impl ToString) -> Self {
        Self::Refused {
            model: model.to_owned(),
            why: why.to_string(),
        }
    }
}
