//! Who may use a listener, and whether others can read on the way: its token and certificate, as its section of the settings
//! has them.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use skywatch_settings::Secret;
use tokio_rustls::TlsAcceptor;

use super::login::Tokens;
use super::tls::{self, TlsError};

/// Token and certificate of a listener. Without them everybody may ask, in plain text.
#[derive(Clone, Default)]
pub struct ListenerAccess {
    /// Who may ask; everybody if `None`.
    pub(crate) tokens: Option<Tokens>,
    /// What encrypts; nothing if `None`.
    pub(crate) tls: Option<TlsAcceptor>,
}

impl ListenerAccess {
    /// From options of a section. `files` are the certificate and its key, which settings only let in together; `protocols`
    /// is what is spoken over TLS, in the names of ALPN.
    ///
    /// # Errors
    /// [`TlsError`].
    pub(crate) fn new(
        token: Option<&Secret>,
        files: [Option<&PathBuf>; 2],
        protocols: &[&[u8]],
    ) -> Result<Self, TlsError> {
        let [certificate, key] = files;
        let files = certificate.zip(key);
        let acceptor = files.map(|(certificate, key)| tls::acceptor(certificate, key, protocols));
        Ok(Self {
            tokens: token.map(|token| Tokens::new(token.expose())),
            tls: acceptor.transpose()?,
        })
    }

    /// The same, and who has one of these tokens may look only. With them alone nobody may change anything.
    pub(crate) fn with_readers(self, writers: Option<&Secret>, readers: Option<&Secret>) -> Self {
        let Some(readers) = readers else { return self };
        let writers = writers.map_or("", Secret::expose);
        Self {
            tokens: Some(Tokens::of(writers, readers.expose())),
            ..self
        }
    }

    /// Warns where the token of a listener crosses a network in plain text. `option` is what its options begin with.
    pub(crate) fn warn_if_readable(&self, name: &str, address: SocketAddr, option: &str) {
        if self.tokens.is_some() && self.tls.is_none() && !address.ip().is_loopback() {
            tracing::warn!(
                "{name} :: tokens cross the network unencrypted :: set `{option}tls_cert_file` and `{option}tls_key_file`"
            );
        }
    }
}

impl fmt::Debug for ListenerAccess {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ListenerAccess")
            .field("asks_for_a_token", &self.tokens.is_some())
            .field("encrypts", &self.tls.is_some())
            .finish()
    }
}
