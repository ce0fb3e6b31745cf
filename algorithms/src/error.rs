//! What can be refused by this crate. A series that cannot be judged is no error but an exception or a failed vote.

/// A name or a setting this crate does not understand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnsembleError {
    /// A flavour other than `earthgecko` or `etsy`.
    #[error("unknown flavour `{0}`\nhint: use `earthgecko` or `etsy`")]
    UnknownFlavour(String),
    /// More detectors than a ballot has room for.
    #[error("{given} detectors in one ensemble, at most {most} fit in a ballot")]
    TooManyDetectors {
        /// How many were given.
        given: usize,
        /// How many fit.
        most: usize,
    },
}
