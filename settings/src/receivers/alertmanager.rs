//! A Prometheus Alertmanager, which then does its own routing.

use std::path::PathBuf;
use std::time::Duration;

use super::transport::{TIMEOUT, conflict, in_the_clear, missing};
use crate::check::Check;
use crate::field::OptionText;
use crate::http_url::BaseUrl;
use crate::secret::Secret;
use crate::section::{MILLISECOND, Section};

options! {
    /// A Prometheus Alertmanager.
    pub AlertmanagerReceiver {
        /// What `/api/v2/alerts` is added to; must be set.
        url: Option<BaseUrl> = None,
        /// The user to log in as (HTTP Basic).
        username: Option<String> = None,
        /// The password to log in with. Filled from `password_file` when that is set.
        password: Option<Secret> = None,
        /// A file with the password.
        password_file: Option<PathBuf> = None,
        /// A token in place of user and password (HTTP Bearer). Filled from `token_file` when that is set.
        token: Option<Secret> = None,
        /// A file with the token.
        token_file: Option<PathBuf> = None,
        /// Labels added to every alert, as `name=value`.
        labels: Vec<AlertLabel> = Vec::new(),
        /// An alert that is not sent again for so long is over, as far as the Alertmanager knows.
        valid_for: Duration = Duration::from_secs(28_800) => Duration::from_secs(60)..,
        /// Certificates (PEM) trusted beside the public ones.
        ca_file: Option<PathBuf> = None,
        /// Says a second time that secrets may travel in the clear.
        insecure: bool = false,
        /// How long one notice may take.
        timeout: Duration = TIMEOUT => MILLISECOND..,
    }
}

/// A label with a name that Prometheus takes of users, and no empty value, which would be no label at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertLabel {
    /// Letters, digits and `_`, no digit first.
    pub name: String,
    /// Anything but nothing.
    pub value: String,
}

impl OptionText for AlertLabel {
    const EXPECTED: &'static str = "expected a label as `name=value`, such as `\"team=web\"`";
    const EXPECTED_LIST: &'static str = "expected labels as `name=value`, such as `[\"team=web\"]`; a name has letters, \
        digits and `_`";

    fn parse(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or_else(String::new)?;
        let right = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && name.starts_with(|c: char| !c.is_ascii_digit())
            && !name.starts_with("__")
            && !value.is_empty();
        let label = Self {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        Some(label).filter(|_| right).ok_or_else(String::new)
    }

    fn text(&self) -> String {
        format!("{}={}", self.name, self.value)
    }
}

impl Section for AlertmanagerReceiver {
    fn check(&self, check: &mut Check<'_>) {
        let Some(url) = &self.url else {
            let hint = "such as `url = \"http://alertmanager.example.org:9093\"`";
            return missing(&["url"], check, hint);
        };
        for (option, secret) in [("password", &self.password), ("token", &self.token)] {
            if secret.is_some() {
                in_the_clear(option, "url", url.url(), self.insecure, check);
            }
        }
        let both = "to log in takes both; to send without logging in, neither";
        let (has, hint) = match (&self.token, &self.username, &self.password) {
            (Some(_), None, None) | (None, Some(_), Some(_)) | (None, None, None) => return,
            (Some(_), _, _) => ("both a `token` and a user", "keep one of them"),
            (None, Some(_), None) => ("a `username`, but no `password`", both),
            (None, None, Some(_)) => ("a `password`, but no `username`", both),
        };
        let options = ["token", "token_file", "username", "password", "password_file"];
        conflict(has, &options, check, hint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_a_label_from_a_slip() {
        for right in ["team=web", "_a=b=c", "A1= "] {
            assert_eq!(AlertLabel::parse(right).unwrap().text(), right);
        }
        for wrong in ["", "a", "=x", "a-b=x", "1a=x", "__a=x", "ä=x", "a\nb=x", "a="] {
            assert!(AlertLabel::parse(wrong).is_err(), "{wrong}");
        }
    }
}
