//! The mail server, and the receiver that it alone stands for.

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::Duration;

use crate::address::{is_host, is_loopback};
use crate::check::Check;
use crate::choice::choice;
use crate::mail_address::MailAddress;
use crate::secret::Secret;
use crate::section::{MILLISECOND, Section};

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

options! {
    /// The mail server, and how to write through it. With a server and recipients, and without any `[receivers]`, it
    /// stands for a receiver named `email`. `starttls` is the default so that a forgotten line never sends mail in the clear; a relay on
    /// this machine, whose certificate nobody signed, takes one line: `security = "none"`.
    pub Email {
        /// The mail server's name or address; `None` sends no mail.
        server: Option<String> = None,
        /// The mail server's port.
        port: u16 = 25 => 1..,
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
        from: Option<MailAddress> = None,
        /// The recipients' addresses.
        to: Vec<MailAddress> = Vec::new(),
        /// How long the mail server may take for one mail.
        timeout: Duration = Duration::from_secs(20) => MILLISECOND..,
    }
}

impl Section for Email {
    fn check(&self, check: &mut Check<'_>) {
        let Some(server) = &self.server else { return };
        let host = is_host(server) || is_loopback(server) || server.parse::<Ipv6Addr>().is_ok();
        check.require(
            host,
            "server",
            &self.server,
            "expected a host without a port, such as `\"mail.example.org\"`",
        );
        if self.username.is_some() != self.password.is_some() {
            let (set, missing) = if self.username.is_some() {
                ("username", "password")
            } else {
                ("password", "username")
            };
            check.conflict(
                &["username", "password", "password_file"],
                format!("`email.{set}` is set, but `email.{missing}` is not"),
                "to log in takes both; to send without logging in, neither",
            );
        }
        if self.password.is_some() && self.security == EmailSecurity::None && !is_loopback(server) {
            check.conflict(
                &["security", "password", "server"],
                format!(
                    "`email.password` would go to `{server}` in the clear, for `email.security` is `none`"
                ),
                "use `security = \"starttls\"` or `security = \"tls\"`",
            );
        }
    }
}
