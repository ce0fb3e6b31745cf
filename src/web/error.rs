//! Why the pages cannot be served.

use crate::net::listeners::ListenError;
use crate::net::tls::TlsError;

/// Why the pages cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// The address is taken or not ours.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The certificate or its key.
    #[error(
        "{0}\nhint: `web.tls_cert_file` is the certificate with those of its issuers, `web.tls_key_file` its key, both PEM"
    )]
    Tls(#[from] TlsError),
    /// The system refuses a runtime.
    #[error("cannot serve pages: {0}")]
    Start(#[source] std::io::Error),
    /// A template of ours does not compile: a defect.
    #[error("cannot prepare the pages: {0}")]
    Template(#[from] minijinja::Error),
}
