//! A receiver of mail. The server, the login and what is not said here come from `[email]`.

use std::time::Duration;

use crate::email::Email;
use crate::mail_address::MailAddress;
use crate::section::{MILLISECOND, Section};

options! {
    /// Who is sent mail.
    pub EmailReceiver {
        /// The recipients' addresses; none is `email.to`.
        to: Vec<MailAddress> = Vec::new(),
        /// The sender's address; `None` is `email.from`.
        from: Option<MailAddress> = None,
        /// How long the mail server may take for one mail; `None` is `email.timeout`.
        timeout: Option<Duration> = None => MILLISECOND..,
    }
}

impl Section for EmailReceiver {}

impl EmailReceiver {
    /// Takes from `[email]` what is left open.
    pub(crate) fn inherit(&mut self, email: &Email) {
        if self.to.is_empty() {
            self.to.clone_from(&email.to);
        }
        self.from = self.from.take().or_else(|| email.from.clone());
        self.timeout.get_or_insert(email.timeout);
    }
}
