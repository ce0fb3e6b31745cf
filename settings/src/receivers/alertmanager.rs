//! A Prometheus Alertmanager, which then does its own routing.

use std::path::PathBuf;
use std::time::Duration;

use super::{TIMEOUT, Table, check_timeout};
use crate::check::Check;
use crate::secret::Secret;
use crate::settings::SecretOption;

/// A Prometheus Alertmanager.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertmanagerReceiver {
    /// What `/api/v2/alerts` is added to.
    pub url: String,
    /// How to log in; `None` does not.
    pub login: Option<AlertmanagerLogin>,
    /// Labels added to every alert: name and value.
    pub labels: Vec<(String, String)>,
    /// An alert that is not sent again for so long is over, as far as the Alertmanager knows.
    pub valid_for: Duration,
    /// Certificates (PEM) trusted beside the public ones.
    pub ca_file: Option<PathBuf>,
}

/// How to log in to an Alertmanager, or to the proxy before it.
#[derive(Debug, Clone, PartialEq)]
pub enum AlertmanagerLogin {
    /// As a user with a password (HTTP Basic).
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
    /// With a token (HTTP Bearer).
    Token(Secret),
}

options! {
    /// `type = "alertmanager"`
    pub(crate) AlertmanagerOptions {
        /// Its address.
        url: Option<String> = None,
        /// The user to log in as.
        username: Option<String> = None,
        /// The password to log in with. Filled from `password_file` when that is set.
        password: Option<Secret> = None,
        /// A file with the password.
        password_file: Option<PathBuf> = None,
        /// A token in place of user and password. Filled from `token_file` when that is set.
        token: Option<Secret> = None,
        /// A file with the token.
        token_file: Option<PathBuf> = None,
        /// Labels added to every alert, as `name=value`.
        labels: Vec<String> = Vec::new(),
        /// An alert that is not sent again for so long is over.
        valid_for: Duration = Duration::from_secs(28_800),
        /// Certificates (PEM) trusted beside the public ones.
        ca_file: Option<PathBuf> = None,
        /// Says a second time that secrets may travel in the clear.
        insecure: bool = false,
        /// How long one notice may take.
        timeout: Duration = TIMEOUT,
    }
}

impl AlertmanagerOptions {
    pub(super) fn secrets(&mut self, table: &Table<'_>) -> Vec<SecretOption<'_>> {
        vec![
            SecretOption::new(table.key("password"), &mut self.password, &self.password_file),
            SecretOption::new(table.key("token"), &mut self.token, &self.token_file),
        ]
    }

    pub(super) fn check(&self, table: &Table<'_>, check: &mut Check<'_>) {
        check_timeout(table, &self.timeout, check);
        let least = Some(Duration::from_secs(60));
        check.within(&table.key("valid_for"), &self.valid_for, least, None);
        check.require(
            self.labels.iter().all(|text| label(text).is_some()),
            &table.key("labels"),
            &self.labels,
            "expected labels as `name=value`, such as `[\"team=web\"]`; a name has letters, digits and `_`",
        );
        let example = "http://alertmanager.example.org:9093";
        let Some(text) = &self.url else {
            let hint = format!("such as `url = \"{example}\"`");
            return table.missing(&["url"], check, &hint);
        };
        let url = table.url(["url", example], &self.url, text, true, check);
        if let Some(url) = url {
            for (option, secret) in [("password", &self.password), ("token", &self.token)] {
                if secret.is_some() {
                    table.in_the_clear(option, "url", url, self.insecure, check);
                }
            }
        }
        self.check_login(table, check);
    }

    fn check_login(&self, table: &Table<'_>, check: &mut Check<'_>) {
        let keys =
            ["token", "token_file", "username", "password", "password_file"].map(|option| table.key(option));
        let keys = keys.each_ref().map(String::as_str);
        let (username, password) = (self.username.is_some(), self.password.is_some());
        let mut conflict = |what: &str, hint: &str| {
            let what = format!("receiver `{}` has {what}", table.name);
            check.conflict_in(table.origin, &keys, what, hint);
        };
        if self.token.is_some() && (username || password) {
            conflict("both a `token` and a user", "keep one of them");
        } else if username != password {
            let what = if username {
                "a `username`, but no `password`"
            } else {
                "a `password`, but no `username`"
            };
            conflict(what, "to log in takes both; to send without logging in, neither");
        }
    }

    pub(super) fn resolve(&self) -> Option<AlertmanagerReceiver> {
        let basic = self.username.clone().zip(self.password.clone());
        let login = match (&self.token, basic) {
            (Some(token), _) => Some(AlertmanagerLogin::Token(token.clone())),
            (None, basic) => {
                basic.map(|(username, password)| AlertmanagerLogin::Basic { username, password })
            }
        };
        Some(AlertmanagerReceiver {
            url: self.url.as_deref()?.trim_end_matches('/').to_owned(),
            login,
            labels: self.labels.iter().filter_map(|text| label(text)).collect(),
            valid_for: self.valid_for,
            ca_file: self.ca_file.clone(),
        })
    }
}

/// Reads `name=value`. Prometheus' names, and no empty value, which would be no label at all.
fn label(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    let right = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let right =
        name.chars().all(right) && name.starts_with(|c: char| !c.is_ascii_digit()) && !value.is_empty();
    right.then(|| (name.to_owned(), value.to_owned()))
}
