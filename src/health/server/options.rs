//! What a server is told about itself and others.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::health::dial::DialOptions;
use crate::health::journal::Retention;
use crate::health::plane::Options;

/// What a server is told about itself and others.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Its id, under which peers know it.
    pub id: String,
    /// Its address, for peers.
    pub address: String,
    /// All servers by id, it may be among them.
    pub peers: BTreeMap<String, String>,
    /// How they are reached.
    pub dial: DialOptions,
    /// Subjects watched from the start.
    pub subjects: Vec<String>,
    /// Where what is known is kept; `None` to forget all at the end.
    pub file: Option<PathBuf>,
    /// How long superseded reports stay in the file.
    pub retention: Retention,
    /// Whether old observations are dropped from views, as the original's collector does.
    pub collection: Option<Collection>,
    /// How the plane works.
    pub plane: Options,
}

/// How old observations may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collection {
    /// How often they are looked for.
    pub period: Duration,
    /// How old they may be.
    pub age: Duration,
    /// Whether age is counted from the newest of a view, and not from now.
    pub relative: bool,
}
