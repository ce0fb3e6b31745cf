//! The mail server, and the receiver that it alone stands for.

use std::path::PathBuf;
use std::time::Duration;

use crate::address::{is_host, is_loopback};
use crate::check::Check;
use crate::choice::choice;
use crate::receivers::ReceiverTable;
use crate::routing::Routing;
use crate::secret::Secret;
use crate::settings::SecretOption;

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum EmailSecurity {
    /// Not at all: for a relay on this machine.
    None,
    /// Plain first, then TLS; refused if the server does not offer it.
    #[default]
    StartTls,
    /// TLS from the first byte (port 465).
    Tls,
}
choice!(EmailSecurity { "none" => None, "starttls" => StartTls, "tls" => Tls });

/// What is expected of one address.
pub(crate) const MAIL_ADDRESS: &str =
    "expected a mail address, such as `\"skywatch@example.org\"` or `\"Skywatch <skywatch@example.org>\"`";

/// What is expected of several.
pub(crate) const MAIL_ADDRESSES: &str = "expected mail addresses, such as `[\"ops@example.org\"]`";

section! {
    /// The mail server, and how to write through it. With a server and recipients, and without any `[receivers]`, it
    /// stands for a receiver named `email`. `starttls` is the default so that a forgotten line never sends mail in the clear; a relay on
    /// this machine, whose certificate nobody signed, takes one line: `security = "none"`.
    Email in "email" {
        /// The mail server's name or address; `None` sends no mail.
        server: Option<String> = None,
        /// The mail server's port.
        port: u16 = 25,
        /// How the connection is protected.
        security: EmailSecurity = EmailSecurity::StartTls,
        /// The user to log in as; `None` does not log in.
        username: Option<String> = None,
        /// The password to log in with. Filled from `password_file` when that is set.
        password: Option<Secret> = None,
        /// A file with the password.
        password_file: Option<PathBuf> = None,
        /// Certificates (PEM) trusted beside the public ones, for a private authority.
        ca_file: Option<PathBuf> = None,
        /// The sender's address.
        from: Option<String> = None,
        /// The recipients' addresses.
        to: Vec<String> = Vec::new(),
        /// From the time before routes: the cooldown of the route that stands for having written none. Where nobody sets
        /// it, [`load`](crate::load) makes it `alerts.cooldown`.
        cooldown: Duration = Duration::from_secs(1_800),
        /// How long the mail server may take for one mail.
        timeout: Duration = Duration::from_secs(20),
    }
}

impl Email {
    pub(crate) fn secret(&mut self) -> SecretOption<'_> {
        SecretOption::new(
            "email.password".to_owned(),
            &mut self.password,
            &self.password_file,
        )
    }

    pub(crate) fn check(&self, routing: &Routing, check: &mut Check<'_>) {
        check.within("email.port", &self.port, Some(1), None);
        check.within(
            "email.timeout",
            &self.timeout,
            Some(Duration::from_millis(1)),
            None,
        );
        check.require(
            self.from.as_deref().is_none_or(is_mail_address),
            "email.from",
            &self.from,
            MAIL_ADDRESS,
        );
        check.require(
            self.to.iter().all(|to| is_mail_address(to)),
            "email.to",
            &self.to,
            MAIL_ADDRESSES,
        );
        let Some(server) = &self.server else { return };
        let host = is_host(server) || is_loopback(server) || server.parse::<std::net::Ipv6Addr>().is_ok();
        check.require(
            host,
            "email.server",
            &self.server,
            "expected a host without a port, such as `\"mail.example.org\"`",
        );
        self.check_complete(routing, check);
        self.check_login(server, check);
    }

    fn check_complete(&self, routing: &Routing, check: &mut Check<'_>) {
        let implicit = !routing.declares_receivers();
        if self.from.is_none() && (implicit || routing.receivers.iter().any(ReceiverTable::needs_email_from))
        {
            check.conflict(
                &["email.server", "email.from"],
                "`email.server` is set, but `email.from` is not".to_owned(),
                "name the sender, such as `from = \"skywatch@example.org\"`",
            );
        }
        if self.to.is_empty() && implicit {
            check.conflict(
                &["email.server", "email.to"],
                "`email.server` is set, but `email.to` is empty".to_owned(),
                "name who is told, such as `to = [\"ops@example.org\"]`",
            );
        }
    }

    fn check_login(&self, server: &str, check: &mut Check<'_>) {
        if self.username.is_some() != self.password.is_some() {
            let (set, missing) = if self.username.is_some() {
                ("username", "password")
            } else {
                ("password", "username")
            };
            check.conflict(
                &["email.username", "email.password", "email.password_file"],
                format!("`email.{set}` is set, but `email.{missing}` is not"),
                "to log in takes both; to send without logging in, neither",
            );
        }
        if self.password.is_some() && self.security == EmailSecurity::None && !is_loopback(server) {
            check.conflict(
                &["email.security", "email.password", "email.server"],
                format!(
                    "`email.password` would go to `{server}` in the clear, for `email.security` is `none`"
                ),
                "use `security = \"starttls\"` or `security = \"tls\"`",
            );
        }
    }
}

/// Whether the text can be `user@host` or `Name <user@host>`. The mail library parses it again; what counts here is
/// that a slip is found at the start, and that no line break gets into a header.
pub(crate) fn is_mail_address(text: &str) -> bool {
    let address = match text.rsplit_once('<') {
        Some((_, rest)) => rest.strip_suffix('>').unwrap_or_default(),
        None => text,
    };
    let (user, host) = address.rsplit_once('@').unwrap_or_default();
    let plain = |c: char| !c.is_whitespace() && !matches!(c, '<' | '>' | ',' | ';');
    !text.chars().any(char::is_control) && !user.is_empty() && user.chars().all(plain) && is_host(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_a_mail_address_from_a_slip() {
        for right in [
            "a@b",
            "ops@example.org",
            "Skywatch <skywatch@example.org>",
            "o'b+x@h-1.example",
        ] {
            assert!(is_mail_address(right), "{right}");
        }
        for wrong in [
            "",
            "ops",
            "@h",
            "a@",
            "a b@h",
            "a@h,b@h",
            "A <a@h",
            "a@h\r\nBcc: x@y",
            "A\n <a@h>",
        ] {
            assert!(!is_mail_address(wrong), "{wrong}");
        }
    }
}
