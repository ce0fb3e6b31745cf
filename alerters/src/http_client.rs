//! How every HTTP client of ours is set up: who is trusted, no redirects, our name, statuses left to the caller.
//!
//! An address comes from the settings and is not to lead elsewhere, so redirects are not followed. Time-outs, and how much of
//! an answer is read, are the caller's: they follow from what is asked for.

use std::path::Path;

use ureq::config::{Config, ConfigBuilder};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig};
use ureq::typestate::AgentScope;

use crate::error::Error;

/// Whose certificates are trusted.
#[derive(Debug, Clone, Copy)]
pub enum Trust<'p> {
    /// Mozilla's authorities.
    Public,
    /// Those in a PEM file beside Mozilla's: for servers that may be in this house or outside.
    Beside(&'p Path),
    /// Those in a PEM file alone: for one server of one's own.
    Only(&'p Path),
}

/// The set-up of a client without time-outs.
///
/// # Errors
/// [`Error::CaFile`] and [`Error::CaFileContent`] for a file of certificates that cannot be used.
pub fn config(trust: Trust<'_>) -> Result<ConfigBuilder<AgentScope>, Error> {
    let config = Config::builder()
        .max_redirects(0)
        .http_status_as_error(false)
        .user_agent(concat!("skywatch/", env!("CARGO_PKG_VERSION")));
    Ok(match roots(trust)? {
        Some(roots) => config.tls_config(TlsConfig::builder().root_certs(roots).build()),
        None => config,
    })
}

/// Those who are trusted, for clients of other protocols.
///
/// # Errors
/// As [`config`].
pub fn root_store(trust: Trust<'_>) -> Result<rustls::RootCertStore, Error> {
    let public = || webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned();
    let own = |path| {
        Ok::<_, Error>(
            certificates(path)?
                .into_iter()
                .map(|own| own.der().to_vec().into()),
        )
    };
    let mut store = rustls::RootCertStore::empty();
    let (_, _unusable) = match trust {
        Trust::Public => store.add_parsable_certificates(public()),
        Trust::Only(path) => store.add_parsable_certificates(own(path)?),
        Trust::Beside(path) => store.add_parsable_certificates(public().chain(own(path)?)),
    };
    Ok(store)
}

/// `None` for what the client trusts by itself, which is the public ones.
fn roots(trust: Trust<'_>) -> Result<Option<RootCerts>, Error> {
    let public = webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .map(|der| Certificate::from_der(der).to_owned());
    Ok(match trust {
        Trust::Public => None,
        Trust::Only(path) => Some(certificates(path)?.into()),
        Trust::Beside(path) => Some(public.chain(certificates(path)?).collect::<Vec<_>>().into()),
    })
}

/// The certificates of a PEM file, of which at least one can be used as an authority.
///
/// # Errors
/// [`Error::CaFile`] and [`Error::CaFileContent`].
pub(crate) fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, Error> {
    let unusable = || Error::CaFileContent {
        path: path.to_owned(),
    };
    let pem = std::fs::read(path).map_err(|source| Error::CaFile {
        path: path.to_owned(),
        source,
    })?;
    let mut own = Vec::new();
    for item in ureq::tls::parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|_| unusable())? {
            own.push(certificate);
        }
    }
    // The client passes over what it cannot use without a word, so it is asked for here.
    let mut usable = rustls::RootCertStore::empty();
    let all = own.iter().map(|certificate| certificate.der().to_vec().into());
    if usable.add_parsable_certificates(all).0 == 0 {
        return Err(unusable());
    }
    Ok(own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;

    #[test]
    fn an_authority_of_ones_own_is_trusted_beside_the_public_ones_or_alone() {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let body = BASE64_STANDARD.encode(made.cert.der());
        let file = tempfile::NamedTempFile::new().unwrap();
        let pem = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
        std::fs::write(file.path(), pem).unwrap();
        let public = webpki_root_certs::TLS_SERVER_ROOT_CERTS.len();
        for (trust, count) in [
            (Trust::Beside(file.path()), public + 1),
            (Trust::Only(file.path()), 1),
        ] {
            let Some(RootCerts::Specific(all)) = roots(trust).unwrap() else {
                panic!("not a list")
            };
            assert_eq!(all.len(), count);
            assert_eq!(all.last().unwrap().der(), &made.cert.der()[..]);
        }
        std::fs::write(file.path(), "nothing").unwrap();
        assert!(matches!(
            config(Trust::Only(file.path())),
            Err(Error::CaFileContent { .. })
        ));
    }
}
