//! A POST of JSON to any address: what a program needs that nobody has written a sender for.
//!
//! The body is the documented form of `form.rs`. With a signing key, `Skywatch-Signature: t=…,v1=…` carries the
//! time of sending and the hexadecimal HMAC-SHA256 over that time, a dot and the body, so that the receiver knows
//! who speaks and can refuse what is old. `Idempotency-Key` is the notice's id: a repeat after a lost answer has
//! the same one.

use std::fmt::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use ureq::http::{HeaderMap, HeaderName, HeaderValue};

use skywatch_settings::Secret;

use super::address::Address;
use super::form::Form;
use super::http::{self, Http};
use super::{Sender, Sent};
use crate::error::Error;
use crate::notice::Notice;

const KIND: &str = "webhook";
const SIGNATURE: HeaderName = HeaderName::from_static("skywatch-signature");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Headers that are ours or the protocol's, in lower case.
const RESERVED: [&str; 8] = [
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "idempotency-key",
    "skywatch-signature",
    "transfer-encoding",
];

/// Where a webhook goes and how.
#[derive(Debug, Clone)]
pub struct WebhookOptions {
    /// The whole address, `https://host/path?query`. A secret, for in many services it is the only key.
    pub url: Secret,
    /// Key of the signature; nothing is signed without one.
    pub signing_key: Option<Secret>,
    /// Sent as `Authorization: Bearer …`.
    pub token: Option<Secret>,
    /// Further headers, name and value.
    pub headers: Vec<(String, Secret)>,
    /// Whether the judged points go along, which makes a message some fifty times larger.
    pub include_window: bool,
    /// Longest time one attempt may take, at most an hour.
    pub timeout: Duration,
    /// PEM file with CA certificates to trust beside Mozilla's.
    pub ca_file: Option<PathBuf>,
}

impl Default for WebhookOptions {
    /// `url` is empty and must be set.
    fn default() -> Self {
        Self {
            url: Secret::new(""),
            signing_key: None,
            token: None,
            headers: Vec::new(),
            include_window: false,
            timeout: Duration::from_secs(20),
            ca_file: None,
        }
    }
}

/// Posts notices as JSON.
pub struct WebhookSender {
    http: Http,
    address: Address,
    headers: HeaderMap,
    signing_key: Option<Secret>,
    include_window: bool,
}

impl fmt::Debug for WebhookSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSender")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl WebhookSender {
    /// Checks the options and reads the CA file. Nothing is said to the server yet.
    ///
    /// # Errors
    /// [`Error::Options`], [`Error::CaFile`], [`Error::CaFileContent`].
    pub fn new(options: WebhookOptions) -> Result<Self, Error> {
        let refused = |reason: String| Error::Options { sender: KIND, reason };
        let address = Address::new(KIND, options.url.expose())?;
        let mut headers = HeaderMap::new();
        for (name, value) in &options.headers {
            let known: HeaderName = name
                .parse()
                .map_err(|_| refused(format!("`{name}` is no name of an HTTP header")))?;
            if RESERVED.contains(&known.as_str()) {
                return Err(refused(format!("the header `{name}` is set by Skywatch itself")));
            }
            headers.append(
                known,
                http::secret_header(KIND, &format!("the header `{name}`"), value.expose())?,
            );
        }
        if let Some(token) = &options.token {
            let (name, value) = http::bearer(KIND, token)?;
            if headers.insert(name, value).is_some() {
                return Err(refused(
                    "both a token and a header `Authorization` are set".into(),
                ));
            }
        }
        if options
            .signing_key
            .as_ref()
            .is_some_and(|key| key.expose().is_empty())
        {
            return Err(refused("the signing key is empty".into()));
        }
        let mut masked = vec![options.url.clone()];
        masked.extend((address.path().len() > 1).then(|| Secret::new(address.path())));
        masked.extend(options.signing_key.clone());
        masked.extend(options.token);
        masked.extend(options.headers.into_iter().map(|(_, value)| value));
        Ok(Self {
            http: Http::new(options.timeout, options.ca_file.as_deref(), masked)?,
            address,
            headers,
            signing_key: options.signing_key,
            include_window: options.include_window,
        })
    }
}

impl Sender for WebhookSender {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn send(&self, notice: &Notice, _reference: Option<&str>) -> Result<Sent, Error> {
        let body = http::json(KIND, &Form::of(notice, self.include_window))?;
        let mut headers = self.headers.clone();
        headers.insert(
            IDEMPOTENCY_KEY,
            http::secret_header(KIND, "the notice's id", &notice.id)?,
        );
        if let Some(key) = &self.signing_key {
            let at = http::now().floor() as i64;
            let value = format!("t={at},v1={}", signature(key.expose(), at, &body));
            // Digits, letters, `=` and `,` make a header whatever was signed.
            headers.extend(HeaderValue::try_from(value).ok().map(|value| (SIGNATURE, value)));
        }
        let attempt = self.http.begin();
        _ = attempt.post(&self.address, http::JSON, &headers, &body)?;
        Ok(Sent::default())
    }
}

/// The hexadecimal HMAC-SHA256 over `at`, a dot and `body`.
fn signature(key: &str, at: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(at.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    let mut hex = String::with_capacity(64);
    for byte in mac.finalize().into_bytes() {
        // Writing to a string cannot fail.
        _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected: `printf '1795268525.{}' | openssl dgst -sha256 -hmac key`.
    #[test]
    fn the_signature_is_that_of_an_independent_implementation() {
        assert_eq!(
            signature("key", 1_795_268_525, b"{}"),
            "f7e90fc65f6945b8f3d81d09b70cfacd6068982d4c7f06718f298f2f0621c40b"
        );
    }
}
