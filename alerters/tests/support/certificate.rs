//! A certificate for `localhost` that signs itself, and a server that shows it.

use std::io::Write as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// The certificate as a PEM file, for a client to trust.
pub(crate) fn certificate() -> (tempfile::NamedTempFile, Arc<ServerConfig>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.key_pair.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let body = BASE64_STANDARD.encode(made.cert.der());
    writeln!(
        file,
        "-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----"
    )
    .unwrap();
    (file, Arc::new(config))
}
