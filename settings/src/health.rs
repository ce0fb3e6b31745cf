//! The health plane.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::check::Check;
use crate::pattern::Pattern;
use crate::secret::Secret;
use crate::section::{SECOND, Section};

options! {
    /// The health plane: what observers report about subjects, and the verdicts.
    pub Health {
        /// Whether `skywatch run` serves it.
        enabled: bool = false,
        /// Where observers and peers come; only this machine's own addresses unless there is a token or
        /// `insecure_listen` is set as well.
        listen: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 6688)),
        /// Says a second time that whoever reaches `listen` may report and ask.
        insecure_listen: bool = false,
        /// Who has it may report and ask: a bearer token in the metadata of a call. Filled from `token_file` when that is set.
        /// Several, as while one is replaced, have blanks between them.
        token: Option<Secret> = None,
        /// A file with the token.
        token_file: Option<PathBuf> = None,
        /// The certificate (PEM) with those of its issuers behind it; with it calls are taken over TLS only.
        tls_cert_file: Option<PathBuf> = None,
        /// The certificate's key (PEM).
        tls_key_file: Option<PathBuf> = None,
        /// Connections open at once.
        max_connections: usize = 1_024 => 1..,
        /// The name of this server to its peers; this host's if empty.
        id: String = String::new(),
        /// Other servers, each as `id=host:port`, or `id=https://host:port` for TLS; it may be among them itself.
        peers: Vec<String> = Vec::new(),
        /// The token that peers ask for. Filled from `peer_token_file` when that is set.
        peer_token: Option<Secret> = None,
        /// A file with that token.
        peer_token_file: Option<PathBuf> = None,
        /// Certificates (PEM) of those who may vouch for peers over TLS; those that browsers know if it is not set.
        peer_ca_file: Option<PathBuf> = None,
        /// Subjects watched from the start.
        subjects: Vec<String> = Vec::new(),
        /// Takes reports of other servers only about subjects that are watched here.
        filter: bool = false,
        /// Whether the ingest reports each host that sends as `source:ADDRESS`, and when it is late by its own habit.
        sources: bool = false,
        /// What depends on what, each as `subject=pattern` of names: while the subject fails, incidents about them that begin meanwhile are held back.
        dependents: Vec<String> = Vec::new(),
        /// A request that is pending for longer has failed.
        pending_deadline: Duration = Duration::from_secs(3) => SECOND..,
        /// Subjects watched at the same time.
        max_subjects: usize = 100_000 => 1..,
        /// Bytes of memory for all that is reported.
        max_bytes: usize = 536_870_912 => 1_048_576..,
        /// How long reports are kept.
        keep: Duration = Duration::from_secs(7 * 86_400) => SECOND..,
        /// Reports kept beside those in use.
        keep_reports: usize = 1_000_000,
    }
}

impl Health {
    /// The other servers, by id: id and address.
    pub fn peers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.peers.iter().filter_map(|peer| peer.split_once('='))
    }

    /// What depends on what: a subject, and the names of what does.
    pub fn dependents(&self) -> impl Iterator<Item = (&str, Pattern)> {
        self.dependents
            .iter()
            .filter_map(|written| dependent(written).ok())
    }
}

fn dependent(written: &str) -> Result<(&str, Pattern), String> {
    let parts = written.split_once('=').filter(|(subject, _)| !subject.is_empty());
    let (subject, pattern) = parts.ok_or("no `=` follows a subject")?;
    Ok((subject, Pattern::parse(pattern)?))
}

impl Section for Health {
    fn check(&self, check: &mut Check<'_>) {
        let is_peer = |peer: &String| {
            let parts = peer.split_once('=');
            parts.is_some_and(|(id, address)| {
                let address = match address.split_once("://") {
                    Some(("http" | "https", address)) => address,
                    Some(_) => "",
                    None => address,
                };
                !id.is_empty() && address.contains(':')
            })
        };
        check.require(
            self.peers.iter().all(is_peer),
            "peers",
            &self.peers,
            "expected servers such as `\"b=10.0.0.2:6688\"` or `\"b=https://b.example.org:6688\"`",
        );
        for written in &self.dependents {
            if let Err(why) = dependent(written) {
                check.require(
                    false,
                    "dependents",
                    &self.dependents,
                    &format!(
                        "`{written}` is none: {why}; expected such as `\"source:web1=servers.web1.**\"`"
                    ),
                );
            }
        }
        if self.enabled {
            check.listens(
                "listen",
                self.listen,
                self.insecure_listen || self.token.is_some(),
                "a login",
                "set `health.token_file`, listen on `127.0.0.1`",
            );
        }
        check.certificate(
            ["tls_cert_file", "tls_key_file"],
            [self.tls_cert_file.is_some(), self.tls_key_file.is_some()],
        );
    }
}
