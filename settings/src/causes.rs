//! What is looked for when an incident opens.

use std::path::PathBuf;
use std::time::Duration;

use crate::check::Check;
use crate::choice::choice;
use crate::http_url::BaseUrl;
use crate::secret::Secret;
use crate::section::{MILLISECOND, SECOND, Section};

/// Where it is known from who depends on whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TopologySource {
    /// Nobody knows.
    None,
    /// From the calls between services in traces.
    #[default]
    Traces,
    /// From a file.
    File,
    /// From a server that answers with what such a file holds.
    Http,
    /// From gala-ops' collections in an ArangoDB.
    ArangoDb,
}
choice!(TopologySource {
    "none" => None,
    "traces" => Traces,
    "file" => File,
    "http" => Http,
    "arangodb" => ArangoDb,
});

/// How suspects in a topology are ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SuspectRanking {
    /// By how far they changed, in step and how early, and by what their change explains.
    #[default]
    Explained,
    /// By gala-anteater's walk in the graph of what foretells what.
    Walk,
}
choice!(SuspectRanking { "explained" => Explained, "walk" => Walk });

options! {
    /// What is looked for when an incident opens.
    pub Causes {
        /// Whether anything is.
        enabled: bool = true,
        /// How long a notice about an incident that has just opened waits for them; zero does not.
        notice_wait: Duration = Duration::from_secs(2) => ..=Duration::from_secs(30),
        /// Where it is known from who depends on whom.
        topology: TopologySource = TopologySource::Traces,
        /// The file, with `file`.
        file: Option<PathBuf> = None,
        /// The address, with `http`; that of the server, with `arangodb`.
        url: Option<BaseUrl> = None,
        /// The database, with `arangodb`.
        database: String = "spider".to_owned(),
        /// The user the server knows us by.
        username: Option<String> = None,
        /// The user's password. Filled from `password_file` when that is set.
        password: Option<Secret> = None,
        /// A file with the password.
        password_file: Option<PathBuf> = None,
        /// A bearer token; goes before user and password. Filled from `token_file` when that is set.
        token: Option<Secret> = None,
        /// A file with the token.
        token_file: Option<PathBuf> = None,
        /// Authorities (PEM) to trust instead of the public ones.
        ca_file: Option<PathBuf> = None,
        /// How long each request may take.
        timeout: Duration = Duration::from_secs(5) => MILLISECOND..,
        /// A topology older than this is read anew before it is used.
        refresh: Duration = Duration::from_secs(60) => SECOND..,
        /// How suspects in a topology are ranked.
        ranking: SuspectRanking = SuspectRanking::Explained,
    }
}

impl Section for Causes {
    fn check(&self, check: &mut Check<'_>) {
        let source = self.topology.as_str();
        if self.topology == TopologySource::File && self.file.is_none() {
            check.conflict(
                &["topology", "file"],
                format!("`causes.topology` is `{source}` without `causes.file`"),
                "name the file, such as `/etc/skywatch/topology.json`",
            );
        }
        let is_asked = matches!(self.topology, TopologySource::Http | TopologySource::ArangoDb);
        if is_asked && self.url.is_none() {
            check.conflict(
                &["topology", "url"],
                format!("`causes.topology` is `{source}` without `causes.url`"),
                "name the server, such as `http://127.0.0.1:8529`",
            );
        }
        check.require(
            !self.database.is_empty(),
            "database",
            &self.database,
            "expected the name of a database",
        );
    }
}
