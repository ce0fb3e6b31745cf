//! What can fail between an anomaly and a message.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use lettre::transport::smtp;

/// Why a message could not be written or sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A template is wrong or names something that does not exist.
    #[error("template `{template}` cannot be rendered: {source}")]
    Template {
        /// The template's file name.
        template: String,
        /// Where and why.
        source: minijinja::Error,
    },
    /// A template in a folder cannot be taken.
    #[error("template `{}` cannot be taken: {reason}", path.display())]
    TemplateFile {
        /// The file, or the folder itself.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A chart could not be made a picture.
    #[error("no picture of a chart: {reason}")]
    Picture {
        /// Why.
        reason: String,
    },
    /// A sender or recipient is not an address.
    #[error("`{address}` is not an e-mail address: {source}")]
    Address {
        /// As it was configured.
        address: String,
        /// What is wrong with it.
        source: lettre::address::AddressError,
    },
    /// There is nobody to send to.
    #[error("e-mail by `{server}` has no recipients")]
    NoRecipients {
        /// Host and port.
        server: String,
    },
    /// The file with extra CA certificates cannot be read.
    #[error("CA file `{}` cannot be read: {source}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file with extra CA certificates holds none that can be used.
    #[error("CA file `{}` holds no usable PEM certificate", path.display())]
    CaFileContent {
        /// The file.
        path: PathBuf,
    },
    /// The message cannot be put into the form of an e-mail.
    #[error("e-mail cannot be composed: {0}")]
    Compose(#[from] lettre::error::Error),
    /// No connection to the mail server, or it was lost on the way.
    #[error("no connection to mail server `{server}` ({step}): {reason}")]
    MailConnection {
        /// Host and port.
        server: String,
        /// What we were doing.
        step: MailStep,
        /// What the system said.
        reason: String,
    },
    /// The mail server did not answer in time.
    #[error("mail server `{server}` did not answer within {after:?} ({step})")]
    MailTimeout {
        /// Host and port.
        server: String,
        /// What we were waiting for.
        step: MailStep,
        /// The configured timeout.
        after: Duration,
    },
    /// The TLS handshake failed: a certificate we do not trust, or no TLS at the other end.
    #[error("TLS with mail server `{server}` failed: {reason}")]
    MailTls {
        /// Host and port.
        server: String,
        /// What rustls said.
        reason: String,
    },
    /// The mail server lacks something we were told to use: STARTTLS, or a way to log in.
    #[error("mail server `{server}` cannot do what is configured ({step}): {reason}")]
    MailUnsupported {
        /// Host and port.
        server: String,
        /// What we wanted.
        step: MailStep,
        /// What is missing.
        reason: String,
    },
    /// Nobody takes syslog there, or the connection was lost.
    #[error("syslog at `{target}` takes nothing: {reason}")]
    Syslog {
        /// The socket, or protocol, host and port.
        target: String,
        /// What the system said.
        reason: String,
    },
    /// The mail server answered with an error code.
    #[error("mail server `{server}` refused ({step}): {code} {reply}")]
    MailRefused {
        /// Host and port.
        server: String,
        /// What it refused.
        step: MailStep,
        /// The SMTP reply code, 400 to 599.
        code: u16,
        /// The reply's text, on one line.
        reply: String,
    },
    /// A setting of a sender cannot be used. Shows no secret.
    #[error("{sender}: {reason}")]
    Options {
        /// The sender's kind.
        sender: &'static str,
        /// What is wrong, in words.
        reason: String,
    },
    /// No connection to a web server, or it was lost on the way.
    #[error("no connection to `{place}`: {reason}")]
    HttpConnection {
        /// Host and port.
        place: String,
        /// What the system said.
        reason: String,
    },
    /// The web server did not answer in time.
    #[error("`{place}` did not answer within {after:?}")]
    HttpTimeout {
        /// Host and port.
        place: String,
        /// The configured timeout.
        after: Duration,
    },
    /// The TLS handshake failed: a certificate we do not trust, or no TLS at the other end.
    #[error("TLS with `{place}` failed: {reason}")]
    HttpTls {
        /// Host and port.
        place: String,
        /// What rustls said.
        reason: String,
    },
    /// The answer is none that this service gives.
    #[error("`{place}` gave an answer we do not understand: {reason}")]
    HttpAnswer {
        /// Host and port.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The web server answered with a status that is not success.
    #[error("`{place}` refused: {status} {reply}")]
    HttpRefused {
        /// Host and port.
        place: String,
        /// The HTTP status, 300 to 599.
        status: u16,
        /// What the answer says of itself, on one line and without secrets.
        reply: String,
        /// How long it asks us to wait, at most an hour.
        retry_after: Option<Duration>,
    },
    /// A service took the request and said no in words of its own.
    #[error("{service} refused ({call}): {code}")]
    Service {
        /// The service's name.
        service: &'static str,
        /// What it was asked to do.
        call: &'static str,
        /// Its word for what is wrong.
        code: String,
        /// Whether that passes by itself.
        transient: bool,
        /// What the reader can do about it.
        hint: Option<&'static str>,
    },
}

/// The steps of handing over an e-mail, for saying where it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MailStep {
    /// Finding the address of the host, connecting, greeting.
    Connect,
    /// Switching to TLS.
    StartTls,
    /// Logging in.
    Login,
    /// Naming the sender.
    From,
    /// Naming the recipient.
    To(String),
    /// Handing over the message.
    Data,
}

impl std::fmt::Display for MailStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Connect => f.write_str("connecting"),
            Self::StartTls => f.write_str("STARTTLS"),
            Self::Login => f.write_str("login"),
            Self::From => f.write_str("sender"),
            Self::To(recipient) => write!(f, "recipient `{recipient}`"),
            Self::Data => f.write_str("message"),
        }
    }
}

impl Error {
    /// Whether the same message may succeed later without anybody changing anything.
    ///
    /// True for lost connections, timeouts, 4xx replies of mail servers, and the HTTP statuses 408, 425, 429 and
    /// 5xx. A server that is not up yet is transient, and so is one that does not answer in HTTP, for that may be
    /// what stands in front of it; one with a certificate we do not trust is not.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::MailConnection { .. } | Self::MailTimeout { .. } | Self::Syslog { .. } => true,
            Self::MailRefused { code, .. } => (400..500).contains(code),
            Self::HttpConnection { .. } | Self::HttpTimeout { .. } | Self::HttpAnswer { .. } => true,
            Self::HttpRefused { status, .. } => matches!(status, 408 | 425 | 429 | 500..),
            Self::Service { transient, .. } => *transient,
            _ => false,
        }
    }

    /// What the reader of this error can do about it, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::MailTls { .. } => {
                Some("for a private CA set the CA file; for a server that begins in plain text use STARTTLS")
            }
            Self::MailUnsupported {
                step: MailStep::StartTls,
                ..
            } => Some("use implicit TLS (port 465) or, on a network you trust, plain SMTP"),
            Self::MailRefused {
                step: MailStep::Login,
                ..
            } => Some("check the user name and the password"),
            Self::HttpTls { .. } => {
                Some("for a private CA set the CA file; for a server without TLS use `http://`")
            }
            Self::HttpAnswer { .. } => {
                Some("check that the address is the service's own and not that of something in front of it")
            }
            Self::HttpRefused { status, .. } => match status {
                300..=399 => Some("redirects are not followed: set the address it leads to"),
                401 | 403 | 407 => Some("check the token, the key or the password"),
                404 | 405 | 410 => Some("check the address"),
                413 => Some("the message is larger than the other side takes"),
                _ => None,
            },
            Self::Service { hint, .. } => *hint,
            _ => None,
        }
    }

    /// How long the other side asks us to wait before the next attempt, at most an hour; `None` when it did not say.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::HttpRefused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Files an error of the SMTP client under what it means for us.
    pub(crate) fn from_smtp(source: &smtp::Error, server: &str, step: MailStep, after: Duration) -> Self {
        let server = server.to_owned();
        let io_kind = io_error(source).map(io::Error::kind);
        if let Some(code) = source.status() {
            let reply = std::error::Error::source(source).map(ToString::to_string);
            let reply = crate::text::shorten(&reply.unwrap_or_default(), 300).into_owned();
            return Self::MailRefused {
                server,
                step,
                code: code.into(),
                reply,
            };
        }
        match io_kind {
            // A socket's own timeout is reported as `WouldBlock` on Unix.
            Some(io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) => {
                Self::MailTimeout { server, step, after }
            }
            // rustls reports every failed check as invalid data.
            Some(io::ErrorKind::InvalidData) => Self::MailTls {
                server,
                reason: root_cause(source),
            },
            None if source.is_client() => Self::MailUnsupported {
                server,
                step,
                reason: root_cause(source),
            },
            _ => Self::MailConnection {
                server,
                step,
                reason: root_cause(source),
            },
        }
    }
}

fn io_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a io::Error> {
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(cause) = cause.downcast_ref() {
            return Some(cause);
        }
        next = cause.source();
    }
    None
}

/// The innermost cause, on one line: the layers above only repeat that something failed.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    crate::text::shorten(&cause.to_string(), 300).into_owned()
}
