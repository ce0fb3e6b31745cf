//! A receiver of mail. The server, the login and what is not said here come from `[email]`.

use std::time::Duration;

use super::{Table, check_timeout};
use crate::check::Check;
use crate::email::{Email, MAIL_ADDRESS, MAIL_ADDRESSES, is_mail_address};

/// Who is sent mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailReceiver {
    /// The recipients' addresses, at least one.
    pub to: Vec<String>,
    /// The sender's address.
    pub from: String,
}

options! {
    /// `type = "email"`
    pub(crate) EmailOptions {
        /// The recipients' addresses; none is `email.to`.
        to: Vec<String> = Vec::new(),
        /// The sender's address; `None` is `email.from`.
        from: Option<String> = None,
        /// How long the mail server may take for one mail; `None` is `email.timeout`.
        timeout: Option<Duration> = None,
    }
}

impl EmailOptions {
    pub(super) fn check(&self, table: &Table<'_>, email: &Email, check: &mut Check<'_>) {
        let right = self.to.iter().all(|to| is_mail_address(to));
        check.require(right, &table.key("to"), &self.to, MAIL_ADDRESSES);
        let right = self.from.as_deref().is_none_or(is_mail_address);
        check.require(right, &table.key("from"), &self.from, MAIL_ADDRESS);
        if let Some(timeout) = &self.timeout {
            check_timeout(table, timeout, check);
        }
        if email.server.is_none() {
            check.conflict_in(
                table.origin,
                &["email.server"],
                format!(
                    "receiver `{}` is sent mail, but `email.server` is not set",
                    table.name
                ),
                "name the mail server in `[email]`, such as `server = \"mail.example.org\"`",
            );
        }
        if self.to.is_empty() && email.to.is_empty() {
            table.missing(
                &["to"],
                check,
                "name who is told, such as `to = [\"ops@example.org\"]`",
            );
        }
    }

    pub(super) fn resolve(&self, email: &Email) -> Option<EmailReceiver> {
        let to = if self.to.is_empty() { &email.to } else { &self.to };
        Some(EmailReceiver {
            to: to.clone(),
            from: self.from.clone().or_else(|| email.from.clone())?,
        })
    }
}
