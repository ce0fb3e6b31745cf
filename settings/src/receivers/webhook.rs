//! Anything that takes JSON over HTTP.

use std::path::PathBuf;
use std::time::Duration;

use super::{TIMEOUT, Table, check_timeout};
use crate::check::Check;
use crate::field::{Refused, Value, quote};
use crate::raw::Written;
use crate::secret::Secret;
use crate::settings::SecretOption;

/// Anything that takes JSON over HTTP.
#[derive(Debug, Clone, PartialEq)]
pub struct WebhookReceiver {
    /// Where notices are posted. The address is often all it takes to write there, so it is masked.
    pub url: Secret,
    /// What the body is signed with; `None` does not sign.
    pub secret: Option<Secret>,
    /// A token sent along (HTTP Bearer).
    pub token: Option<Secret>,
    /// Headers sent along: name and value. Values are masked, for keys are often sent this way.
    pub headers: Vec<(String, Secret)>,
    /// Whether the window that was judged is sent along.
    pub include_window: bool,
    /// Certificates (PEM) trusted beside the public ones.
    pub ca_file: Option<PathBuf>,
}

options! {
    /// `type = "webhook"`
    pub(crate) WebhookOptions {
        /// Where notices are posted. Filled from `url_file` when that is set.
        url: Option<Secret> = None,
        /// A file with that address.
        url_file: Option<PathBuf> = None,
        /// What the body is signed with. Filled from `secret_file` when that is set.
        secret: Option<Secret> = None,
        /// A file with it.
        secret_file: Option<PathBuf> = None,
        /// A token sent along. Filled from `token_file` when that is set.
        token: Option<Secret> = None,
        /// A file with the token.
        token_file: Option<PathBuf> = None,
        /// Headers sent along, as `Name: value`.
        headers: Vec<Header> = Vec::new(),
        /// Whether the window that was judged is sent along.
        include_window: bool = false,
        /// Certificates (PEM) trusted beside the public ones.
        ca_file: Option<PathBuf> = None,
        /// Says a second time that secrets may travel in the clear.
        insecure: bool = false,
        /// How long one notice may take.
        timeout: Duration = TIMEOUT,
    }
}

/// One header. Its value may be a key, so it is never shown.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Header {
    name: String,
    value: Secret,
}

/// Headers that the request has anyway.
const OURS: [&str; 5] = [
    "connection",
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
];

impl Header {
    fn parse(text: &str) -> Option<Self> {
        let (name, value) = text.split_once(':')?;
        let value = value.trim();
        let right = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let right = !name.is_empty()
            && name.chars().all(right)
            && value.chars().all(|c| c.is_ascii_graphic() || c == ' ');
        (right && !OURS.contains(&name.to_lowercase().as_str())).then(|| Self {
            name: name.to_owned(),
            value: Secret::new(value),
        })
    }
}

impl Value for Vec<Header> {
    fn read(written: &Written) -> Result<Self, Refused> {
        let texts = written.as_list();
        let headers = texts.and_then(|texts| texts.iter().map(|text| Header::parse(text)).collect());
        headers.ok_or_else(|| {
            let ours: Vec<String> = OURS.iter().map(|name| format!("`{name}`")).collect();
            Refused::new(format!(
                "expected headers as `Name: value`, such as `[\"X-Team: web\"]`; {} are set already",
                ours.join(", ")
            ))
        })
    }

    fn show(&self) -> String {
        let items: Vec<String> = self
            .iter()
            .map(|header| quote(&format!("{}: {}", header.name, header.value)))
            .collect();
        format!("[{}]", items.join(", "))
    }

    fn mask(_: &str) -> String {
        "***".to_owned()
    }
}

impl WebhookOptions {
    pub(super) fn secrets(&mut self, table: &Table<'_>) -> Vec<SecretOption<'_>> {
        vec![
            SecretOption::new(table.key("url"), &mut self.url, &self.url_file),
            SecretOption::new(table.key("secret"), &mut self.secret, &self.secret_file),
            SecretOption::new(table.key("token"), &mut self.token, &self.token_file),
        ]
    }

    pub(super) fn check(&self, table: &Table<'_>, check: &mut Check<'_>) {
        check_timeout(table, &self.timeout, check);
        let example = "https://example.org/hooks/skywatch";
        let Some(text) = &self.url else {
            let hint = format!("such as `url = \"{example}\"`");
            return table.missing(&["url"], check, &hint);
        };
        let Some(url) = table.url(["url", example], &self.url, text.expose(), false, check) else {
            return;
        };
        // What only signs does not travel.
        if self.token.is_some() {
            table.in_the_clear("token", "url", url, self.insecure, check);
        }
        if !self.headers.is_empty() {
            table.in_the_clear("headers", "url", url, self.insecure, check);
        }
        let authorization = |header: &Header| header.name.eq_ignore_ascii_case("authorization");
        if self.token.is_some() && self.headers.iter().any(authorization) {
            let keys = ["headers", "token", "token_file"].map(|option| table.key(option));
            check.conflict_in(
                table.origin,
                &keys.each_ref().map(String::as_str),
                format!(
                    "receiver `{}` has both a `token` and a header `Authorization`",
                    table.name
                ),
                "keep one of them: a token is sent as that header",
            );
        }
    }

    pub(super) fn resolve(&self) -> Option<WebhookReceiver> {
        let headers = self.headers.iter();
        Some(WebhookReceiver {
            url: self.url.clone()?,
            secret: self.secret.clone(),
            token: self.token.clone(),
            headers: headers
                .map(|header| (header.name.clone(), header.value.clone()))
                .collect(),
            include_window: self.include_window,
            ca_file: self.ca_file.clone(),
        })
    }
}
