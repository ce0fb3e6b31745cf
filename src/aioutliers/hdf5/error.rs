//! Why a file cannot be read.

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Hdf5Error {
    /// Other bytes.
    #[error("it is no HDF5 file")]
    NotHdf5,
    /// It ends where there should be more, or leads out of itself.
    #[error("it is broken: {what} at byte {at} lies outside of it")]
    Outside {
        /// What was looked for.
        what: &'static str,
        /// Where.
        at: u64,
    },
    /// It contradicts itself.
    #[error("it is broken: {0}")]
    Broken(String),
    /// It is written in a way that Keras does not write.
    #[error("it has {0}, which Keras does not write")]
    Unsupported(String),
}
