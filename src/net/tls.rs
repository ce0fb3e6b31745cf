//! TLS for listeners, and for connections of our own that are no HTTP: rustls with ring, the certificate and its key as PEM files, read once at the start.
//!
//! The handshake is made with the first read or write of a connection and not where connections are accepted: a client that
//! is slow at it keeps nobody else waiting, and the limits of an open connection hold for it.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use skywatch_alerters::http_client::{self, Trust};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

/// ALPN's name of HTTP/1.1.
pub(crate) const HTTP_1: &[u8] = b"http/1.1";
/// ALPN's name of HTTP/2, and so of gRPC.
pub(crate) const HTTP_2: &[u8] = b"h2";

/// Certificates or keys that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is not there, or holds nothing of the kind.
    #[error("cannot use `{}` for TLS: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// The two do not go together.
    #[error("cannot use `{}` for TLS: {source}", path.display())]
    Pair {
        /// The certificate's file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// Those whom we are to trust.
    #[error("{0}")]
    Authorities(Box<skywatch_alerters::Error>),
}

/// What makes connections secret, from a file with the certificate, those of its issuers behind it, and one with its key.
///
/// `protocols` are offered to clients, in the names of ALPN.
///
/// # Errors
/// [`TlsError`].
pub(crate) fn acceptor(certificate: &Path, key: &Path, protocols: &[&[u8]]) -> Result<TlsAcceptor, TlsError> {
    let (chain, key) = pair(certificate, key)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key));
    let mut config = config.map_err(|source| TlsError::Pair {
        path: certificate.to_owned(),
        source,
    })?;
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// What makes connections to others secret: whose certificates are trusted, and the files with our own certificate and its key
/// where the other side asks for one.
///
/// # Errors
/// [`TlsError`].
pub(crate) fn connector(
    trust: Trust<'_>,
    identity: Option<(&Path, &Path)>,
) -> Result<Arc<rustls::ClientConfig>, TlsError> {
    let roots = http_client::root_store(trust).map_err(|error| TlsError::Authorities(Box::new(error)))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let of_pair = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::Pair { path, source }
    };
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(of_pair(Path::new("")))?
        .with_root_certificates(roots);
    Ok(Arc::new(match identity {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let (chain, key) = pair(certificate, key)?;
            config
                .with_client_auth_cert(chain, key)
                .map_err(of_pair(certificate))?
        }
    }))
}

/// The certificate with those of its issuers behind it, and its key.
fn pair(
    certificate: &Path,
    key: &Path,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let of_file = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::File { path, source }
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(of_file(certificate))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(of_file(key))?;
    Ok((chain, key))
}

/// A connection with TLS or without.
pub(crate) enum Stream<S> {
    /// As it comes.
    Plain(S),
    /// Both sides are still agreeing on keys.
    Handshake(Box<Accept<S>>),
    /// Encrypted.
    Tls(Box<TlsStream<S>>),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream<S> {
    /// `stream`, with TLS if there is an acceptor.
    pub(crate) fn new(stream: S, acceptor: Option<&TlsAcceptor>) -> Self {
        match acceptor {
            Some(acceptor) => Self::Handshake(Box::new(acceptor.accept(stream))),
            None => Self::Plain(stream),
        }
    }

    /// Goes on with the handshake, if it is not over.
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Self::Handshake(accept) = self {
            let stream = ready!(Pin::new(accept.as_mut()).poll(context))?;
            *self = Self::Tls(Box::new(stream));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_ready(context))?;
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, buffer),
            Self::Handshake(_) => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_ready(context))?;
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(context, bytes),
            Self::Handshake(_) => Poll::Pending,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(context),
            // Nothing has been written yet.
            Self::Handshake(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
            Self::Handshake(_) => Poll::Ready(Ok(())),
        }
    }
}
