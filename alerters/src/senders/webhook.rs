//! A POST of JSON to any address: what a program needs that nobody has written a sender for.
//!
//! The body is the documented form of `form.rs`. With a signing key, `Skywatch-Signature: t=…,v1=…` carries the
//! time of sending and the hexadecimal HMAC-SHA256 over that time, a dot and the body, so that the receiver knows
//! who speaks and can refuse what is old. `Idempotency-Key` is the notice's id: a repeat after a lost answer has
//! the same one.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use ureq::http::{HeaderMap, HeaderName, HeaderValue};

use skywatch_settings::{HttpUrl, Secret, WebhookReceiver};

use super::form::WebhookNotice;
use super::http::{self, SenderClient};
use super::{Registration, Sender, SenderResources, Sent, required};
use crate::error::Error;
use crate::notice::Notice;
use crate::state::Audience;

const KIND: &str = "webhook";
const SIGNATURE: HeaderName = HeaderName::from_static("skywatch-signature");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Posts notices as JSON.
pub struct WebhookSender {
    http: SenderClient,
    address: HttpUrl,
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
    /// Reads the CA file. Nothing is said to the server yet.
    ///
    /// # Errors
    /// [`Error::Options`], [`Error::CaFile`], [`Error::CaFileContent`].
    pub fn new(receiver: &WebhookReceiver) -> Result<Self, Error> {
        let address = required(KIND, "url", receiver.url.as_ref())?.expose().clone();
        let mut headers = HeaderMap::new();
        for header in &receiver.headers {
            let name: HeaderName = header.name.parse().map_err(|_| Error::Options {
                sender: KIND,
                reason: format!("`{}` is no name of an HTTP header", header.name),
            })?;
            let what = format!("the header `{}`", header.name);
            headers.append(name, http::secret_header(KIND, &what, header.value.expose())?);
        }
        if let Some(token) = &receiver.token {
            headers.extend([http::bearer(KIND, token)?]);
        }
        let mut masked = vec![Secret::new(address.as_str())];
        masked.extend((address.path().len() > 1).then(|| Secret::new(address.path())));
        masked.extend(receiver.secret.clone());
        masked.extend(receiver.token.clone());
        masked.extend(receiver.headers.iter().map(|header| header.value.clone()));
        Ok(Self {
            http: SenderClient::new(receiver.timeout, receiver.ca_file.as_deref(), masked)?,
            address,
            headers,
            signing_key: receiver.secret.clone(),
            include_window: receiver.include_window,
        })
    }
}

impl Registration for WebhookReceiver {
    fn audience(&self) -> Audience {
        Audience::Machine { refresh: None }
    }

    fn sender(&self, _: &SenderResources) -> Result<Arc<dyn Sender>, Error> {
        Ok(Arc::new(WebhookSender::new(self)?))
    }
}

impl Sender for WebhookSender {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn send(&self, notice: &Notice, _reference: Option<&str>) -> Result<Sent, Error> {
        let body = http::json(KIND, &WebhookNotice::of(notice, self.include_window))?;
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

    fn probe(&self) -> Result<String, Error> {
        self.http.begin().knock(&self.address, &self.headers)?;
        Ok(format!("{} answers", self.address.place()))
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
