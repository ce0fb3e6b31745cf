//! The pages and the REST interface.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::check::Check;
use crate::secret::Secret;
use crate::section::Section;

options! {
    /// The pages and the REST interface.
    pub Web {
        /// Whether `skywatch run` starts the web child.
        enabled: bool = true,
        /// Where pages are served; only this machine's own addresses unless `insecure_listen` is set as well.
        listen: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 1500)),
        /// Says a second time that pages may be served, without a login, to whoever reaches `listen`.
        insecure_listen: bool = false,
        /// Who has it may read the pages and change what can be changed there: as a bearer token, or as the password of a
        /// browser. Filled from `token_file` when that is set. Several, as while one is replaced, have blanks between them. One
        /// that begins with `$argon2` is the hash of a token.
        token: Option<Secret> = None,
        /// A file with the token.
        token_file: Option<PathBuf> = None,
        /// Who has it may read the pages, and change nothing. Filled from `read_token_file` when that is set.
        read_token: Option<Secret> = None,
        /// A file with the token for reading.
        read_token_file: Option<PathBuf> = None,
        /// Requests of one address a second, in the long run; twice as many at once. 0 is no limit.
        requests_per_second: usize = 500,
        /// The certificate (PEM) with those of its issuers behind it; with it pages are served over TLS only.
        tls_cert_file: Option<PathBuf> = None,
        /// The certificate's key (PEM).
        tls_key_file: Option<PathBuf> = None,
        /// Connections open at once.
        max_connections: usize = 256 => 1..,
        /// Names under which pages may be asked for, beside those that are known; `*` is any.
        hosts: Vec<String> = Vec::new(),
    }
}

impl Section for Web {
    fn check(&self, check: &mut Check<'_>) {
        if self.enabled {
            check.listens(
                "listen",
                self.listen,
                self.insecure_listen || self.token.is_some() || self.read_token.is_some(),
                "a login",
                "set `web.token_file`, listen on `127.0.0.1` behind a proxy that asks for a login",
            );
        }
        check.certificate(
            ["tls_cert_file", "tls_key_file"],
            [self.tls_cert_file.is_some(), self.tls_key_file.is_some()],
        );
    }
}
