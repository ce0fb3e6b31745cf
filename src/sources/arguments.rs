//! What a kind of source brings along, and what each of them may be told.

use std::path::PathBuf;

use clap::Args;
use skywatch_settings::Secret;

use super::{Source, SourceError, Span};
use crate::store::redis::RedisConnect;

/// What a kind of source is told on the command line.
pub trait SourceArguments: Args {
    /// The argument that chooses it.
    const FLAG: &'static str;
    /// Which of [`CommonArguments`] mean something to it, by their ids.
    const COMMON: &'static [&'static str];
    /// Whether it is read to its end, whatever span is asked for.
    const READS_ALL: bool = false;

    /// The source; connects to nothing.
    ///
    /// # Errors
    /// [`SourceError::Options`] for arguments that describe none.
    fn open(self, common: CommonArguments) -> Result<Box<dyn Source>, SourceError>;
}

/// What any source may be told.
#[derive(Debug, Clone)]
pub struct CommonArguments {
    /// What is fetched.
    pub span: Span,
    /// The name of what has none.
    pub metric: Option<String>,
    /// Goes along as `Authorization: Bearer …`.
    pub bearer_token: Option<Secret>,
    /// Authorities to trust, PEM, instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// The store to be filled and its namespace, if it is a Redis, so that it is not taken for a source.
    pub store: Option<(RedisConnect, String)>,
}
