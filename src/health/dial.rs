//! Reaching a server of the plane: `host:port` in plain text, `https://host:port` with TLS, and a token with every call.

use std::path::{Path, PathBuf};
use std::time::Duration;

use skywatch_settings::Secret;
use tonic::metadata::MetadataValue;
use tonic::metadata::errors::InvalidMetadataValue;
use tonic::service::Interceptor;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

/// Why a server cannot be reached as it is written.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The address is none.
    #[error("`{address}` is no address: {source}")]
    Address {
        /// As written.
        address: String,
        /// Why.
        source: tonic::transport::Error,
    },
    /// The certificates of those who may vouch for it.
    #[error("`{}` cannot be used to verify servers: {source}", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The token cannot be sent.
    #[error("the token has characters that no call can carry: {0}")]
    Token(#[from] InvalidMetadataValue),
}

/// What is needed to reach servers, beside their addresses.
#[derive(Debug, Clone, Default)]
pub struct DialOptions {
    /// Certificates (PEM) of those who may vouch for a server; those that browsers know if `None`.
    authorities: Option<Vec<u8>>,
    token: BearerToken,
}

impl DialOptions {
    /// With the certificates of a file and a token, if there are such.
    ///
    /// # Errors
    /// [`DialError::Authorities`] and [`DialError::Token`].
    pub fn new(authorities: Option<&Path>, token: Option<&Secret>) -> Result<Self, DialError> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|source| DialError::Authorities {
                path: path.to_owned(),
                source,
            })
        };
        Ok(Self {
            authorities: authorities.map(read).transpose()?,
            token: token.map(BearerToken::new).transpose()?.unwrap_or_default(),
        })
    }

    /// The way to a server, which may take `deadline` to be connected to. Nothing is connected yet.
    ///
    /// # Errors
    /// [`DialError::Address`].
    pub fn endpoint(&self, address: &str, deadline: Duration) -> Result<Endpoint, DialError> {
        let wrong = |source| DialError::Address {
            address: address.to_owned(),
            source,
        };
        let url = match address.contains("://") {
            true => address.to_owned(),
            false => format!("http://{address}"),
        };
        let endpoint = Endpoint::from_shared(url).map_err(wrong)?;
        let endpoint = endpoint.connect_timeout(deadline).tcp_nodelay(true);
        if endpoint.uri().scheme_str() != Some("https") {
            return Ok(endpoint);
        }
        let tls = match &self.authorities {
            Some(known) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(known)),
            None => ClientTlsConfig::new().with_webpki_roots(),
        };
        endpoint.tls_config(tls).map_err(wrong)
    }

    /// What is shown with every call.
    #[must_use]
    pub fn token(&self) -> BearerToken {
        self.token.clone()
    }
}

/// Adds a token to calls, if there is one.
#[derive(Debug, Clone, Default)]
pub struct BearerToken(Option<MetadataValue<tonic::metadata::Ascii>>);

impl BearerToken {
    fn new(token: &Secret) -> Result<Self, DialError> {
        let mut value = MetadataValue::try_from(format!("Bearer {}", token.expose().trim()))?;
        value.set_sensitive(true);
        Ok(Self(Some(value)))
    }
}

impl Interceptor for BearerToken {
    fn call(&mut self, mut request: tonic::Request<()>) -> Result<tonic::Request<()>, tonic::Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}
