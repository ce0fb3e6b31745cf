//! Anything that takes JSON over HTTP.

use std::path::PathBuf;
use std::time::Duration;

use super::transport::{TIMEOUT, conflict, in_the_clear, missing};
use crate::check::Check;
use crate::field::OptionText;
use crate::http_url::SecretUrl;
use crate::secret::Secret;
use crate::section::{MILLISECOND, Section};

options! {
    /// Anything that takes JSON over HTTP.
    pub WebhookReceiver {
        /// Where notices are posted, which must be set. The address is often all it takes to write there, so it is masked.
        /// Filled from `url_file` when that is set.
        url: Option<SecretUrl> = None,
        /// A file with that address.
        url_file: Option<PathBuf> = None,
        /// What the body is signed with; `None` does not sign. Filled from `secret_file` when that is set.
        secret: Option<Secret> = None,
        /// A file with it.
        secret_file: Option<PathBuf> = None,
        /// A token sent along (HTTP Bearer). Filled from `token_file` when that is set.
        token: Option<Secret> = None,
        /// A file with the token.
        token_file: Option<PathBuf> = None,
        /// Headers sent along, as `Name: value`.
        headers: Vec<Header> = Vec::new(),
        /// Whether the window that was judged is sent along, which makes a message some fifty times larger.
        include_window: bool = false,
        /// Certificates (PEM) trusted beside the public ones.
        ca_file: Option<PathBuf> = None,
        /// Says a second time that secrets may travel in the clear.
        insecure: bool = false,
        /// How long one notice may take.
        timeout: Duration = TIMEOUT => MILLISECOND..,
    }
}

/// One header. Its value may be a key, so it is never shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Secret,
}

/// Headers that the request has anyway.
const OURS: [&str; 8] = [
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "idempotency-key",
    "skywatch-signature",
    "transfer-encoding",
];

impl OptionText for Header {
    const EXPECTED: &'static str = "expected a header as `Name: value`, such as `\"X-Team: web\"`";
    const EXPECTED_LIST: &'static str = "expected headers as `Name: value`, such as `[\"X-Team: web\"]`; \
        `connection`, `content-length`, `content-type`, `expect`, `host`, `idempotency-key`, `skywatch-signature`, \
        `transfer-encoding` are set already";

    fn parse(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once(':').ok_or_else(String::new)?;
        let value = value.trim();
        let right = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let right = !name.is_empty()
            && name.chars().all(right)
            && value.chars().all(|c| c.is_ascii_graphic() || c == ' ');
        let header = Self {
            name: name.to_owned(),
            value: Secret::new(value),
        };
        Some(header)
            .filter(|_| right && !OURS.contains(&name.to_lowercase().as_str()))
            .ok_or_else(String::new)
    }

    fn text(&self) -> String {
        format!("{}: {}", self.name, self.value)
    }

    fn mask(_: &str) -> String {
        "***".to_owned()
    }
}

impl Section for WebhookReceiver {
    fn check(&self, check: &mut Check<'_>) {
        let Some(url) = &self.url else {
            let hint = "such as `url = \"https://example.org/hooks/skywatch\"`";
            return missing(&["url"], check, hint);
        };
        // What only signs does not travel.
        if self.token.is_some() {
            in_the_clear("token", "url", url.expose(), self.insecure, check);
        }
        if !self.headers.is_empty() {
            in_the_clear("headers", "url", url.expose(), self.insecure, check);
        }
        let authorization = |header: &Header| header.name.eq_ignore_ascii_case("authorization");
        if self.token.is_some() && self.headers.iter().any(authorization) {
            conflict(
                "both a `token` and a header `Authorization`",
                &["headers", "token", "token_file"],
                check,
                "keep one of them: a token is sent as that header",
            );
        }
    }
}
