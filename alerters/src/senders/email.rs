//! E-mail by SMTP: plain, STARTTLS or implicit TLS.
//!
//! The dialogue is driven command by command instead of by lettre's `SmtpTransport::send`, for two
//! reasons. One recipient the server refuses must not keep the mail from the others; and the
//! configured timeout bounds the whole attempt, where a transport's bounds each read. A connection
//! is made for each mail: notices are rare, and an idle connection is one more thing that breaks.
//!
//! A notice and all that follow it are one conversation. Each mail's Message-ID comes from its notice's id, and
//! whatever is not the first names the first in `References`. Gmail also wants the subjects to be equal but for a
//! `Re:`, while people want the first to say what is wrong; so the first mail's subject is what `send` answers
//! as the conversation's reference, and the mails after it carry it again behind `Re:`. What is new stands in
//! their first line, which mail programs show beside the subject.
//!
//! The bound is checked between commands. Not under it: the system's name lookup, and a server that
//! sends a single reply a byte at a time.

mod headers;

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lettre::address::{AddressError, Envelope};
use lettre::message::header::ContentType;
use lettre::message::{Attachment, Mailbox, Message, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{Certificate, CertificateStore, SmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Quit, Rcpt};
use lettre::transport::smtp::extension::ClientId;

use skywatch_settings::{Email, EmailReceiver, EmailSecurity, MailAddress, Secret};

use self::headers::{AutoResponseSuppress, AutoSubmitted, IncidentNumbers, ListId};
use super::{Registration, Sender, SenderResources, Sent, required};
use crate::chart::png_of;
use crate::error::{Error, MailStep};
use crate::http_client;
use crate::notice::Notice;
use crate::render::{Mail, Templates};
use crate::state::Audience;
use crate::text;

const KIND: &str = "email";
/// Longest timeout believed. RFC 5321 asks for ten minutes at most for any one answer.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(3_600);

/// Width of the chart in a mail, px. It is shown up to 640 wide, and small enough here for its letters to be
/// read where it is shown at 300.
const CHART_WIDTH: u32 = 400;
/// Name of the chart among the parts of its mail.
const CHART_ID: &str = "chart";

/// Sends notices as e-mail.
pub struct EmailSender {
    host: String,
    port: u16,
    security: EmailSecurity,
    tls: Option<TlsParameters>,
    login: Option<Credentials>,
    from: Mailbox,
    to: Vec<Mailbox>,
    timeout: Duration,
    templates: Arc<Templates>,
}

impl fmt::Debug for EmailSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmailSender")
            .field("server", &self.server())
            .field("security", &self.security)
            .field("to", &self.to.len())
            .finish_non_exhaustive()
    }
}

impl EmailSender {
    /// Reads the CA file. Nothing is said to the server yet.
    ///
    /// # Errors
    /// [`Error::Options`], [`Error::Address`], [`Error::NoRecipients`], [`Error::CaFile`], [`Error::CaFileContent`],
    /// [`Error::MailTls`].
    pub fn new(email: &Email, receiver: &EmailReceiver, templates: Arc<Templates>) -> Result<Self, Error> {
        let host = required(KIND, "server", email.server.as_ref())?.clone();
        let server = format!("{host}:{}", email.port);
        if receiver.to.is_empty() {
            return Err(Error::NoRecipients { server });
        }
        let tls = match email.security {
            EmailSecurity::None => None,
            EmailSecurity::StartTls | EmailSecurity::Tls => {
                Some(tls_parameters(&host, &server, email.ca_file.as_deref())?)
            }
        };
        let login = email.username.clone().map(|username| {
            let password = email.password.as_ref().map(Secret::expose).unwrap_or_default();
            Credentials::new(username, password.to_owned())
        });
        Ok(Self {
            host,
            port: email.port,
            security: email.security,
            tls,
            login,
            from: mailbox(required(KIND, "from", receiver.from.as_ref())?)?,
            to: receiver.to.iter().map(mailbox).collect::<Result<_, _>>()?,
            timeout: receiver.timeout.unwrap_or(email.timeout).min(LONGEST_TIMEOUT),
            templates,
        })
    }

    fn server(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The mail with its headers, and its picture beside the HTML part. `subject` is the mail's own but in a
    /// conversation that has one already.
    fn compose(
        &self,
        notice: &Notice,
        subject: &str,
        mail: Mail,
        chart: Option<Vec<u8>>,
    ) -> Result<Message, Error> {
        let domain = self.from.email.domain();
        let mut message = Message::builder()
            .from(self.from.clone())
            .message_id(Some(message_id(&notice.id, domain)))
            .subject(subject)
            .header(AutoSubmitted)
            .header(AutoResponseSuppress)
            .header(ListId::of(&notice.receiver, domain));
        if let Some(incidents) = IncidentNumbers::of(notice) {
            message = message.header(incidents);
        }
        if !notice.is_first() {
            let first = message_id(&notice.thread, domain);
            message = message.in_reply_to(first.clone()).references(first);
        }
        for recipient in &self.to {
            message = message.to(recipient.clone());
        }
        let html = SinglePart::html(mail.html);
        let body = MultiPart::alternative().singlepart(SinglePart::plain(mail.text));
        let body = match chart {
            None => body.singlepart(html),
            Some(chart) => {
                let chart = Attachment::new_inline(CHART_ID.into()).body(chart, png_type()?);
                body.multipart(MultiPart::related().singlepart(html).singlepart(chart))
            }
        };
        Ok(message.multipart(body)?)
    }
}

impl Registration for EmailReceiver {
    fn audience(&self) -> Audience {
        Audience::People
    }

    fn sender(&self, shared: &SenderResources) -> Result<Arc<dyn Sender>, Error> {
        let templates = Arc::clone(&shared.templates);
        Ok(Arc::new(EmailSender::new(&shared.email, self, templates)?))
    }
}

impl Sender for EmailSender {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn send(&self, notice: &Notice, reference: Option<&str>) -> Result<Sent, Error> {
        let chart = notice
            .news()
            .and_then(|news| news.items.first())
            .and_then(|item| png_of(&item.anomaly, CHART_WIDTH));
        let picture = chart.as_ref().map(|_| format!("cid:{CHART_ID}"));
        let mail = self
            .templates
            .email_with_picture(notice, picture.as_deref().unwrap_or_default())?;
        let subject = match reference {
            Some(first) if !notice.is_first() => text::shorten(&format!("Re: {first}"), 200).into_owned(),
            _ => mail.subject.clone(),
        };
        let answer = reference.is_none().then(|| mail.subject.clone());
        let message = self.compose(notice, &subject, mail, chart)?;
        let mut dialogue = Dialogue::open(self)?;
        let sent = dialogue.hand_over(message.envelope(), &message.formatted());
        dialogue.close(sent.is_ok());
        sent.map(|sent| Sent {
            reference: answer,
            ..sent
        })
    }

    /// As far as a mail goes before its text: a server that would not pass mail on says so to the recipients.
    fn probe(&self) -> Result<String, Error> {
        let envelope = Envelope::new(
            Some(self.from.email.clone()),
            self.to.iter().map(|to| to.email.clone()).collect(),
        )?;
        let mut dialogue = Dialogue::open(self)?;
        let refused = dialogue.address(&envelope);
        dialogue.close(refused.is_ok());
        if let Some(error) = refused?.into_iter().next() {
            return Err(error);
        }
        let login = if self.login.is_some() {
            " after a login"
        } else {
            ""
        };
        Ok(format!(
            "{} takes mail from {} to {}{login}",
            self.server(),
            self.from.email,
            self.to
                .iter()
                .map(|to| to.email.to_string())
                .collect::<Vec<_>>()
                .join(", ")
        ))
    }
}

/// One connection to the mail server, under one deadline.
struct Dialogue<'a> {
    sender: &'a EmailSender,
    connection: SmtpConnection,
    deadline: Instant,
}

impl<'a> Dialogue<'a> {
    /// Connects, switches to TLS and logs in, as configured.
    fn open(sender: &'a EmailSender) -> Result<Self, Error> {
        let deadline = Instant::now() + sender.timeout;
        let connection = connect(sender, deadline)?;
        let mut dialogue = Self {
            sender,
            connection,
            deadline,
        };
        if let (EmailSecurity::StartTls, Some(tls)) = (sender.security, &sender.tls) {
            dialogue.step(MailStep::StartTls, |connection| {
                connection.starttls(tls, &ClientId::default())
            })?;
        }
        if let Some(login) = &sender.login {
            dialogue.step(MailStep::Login, |connection| {
                connection.auth(DEFAULT_MECHANISMS, login).map(drop)
            })?;
        }
        Ok(dialogue)
    }

    /// Gives the message to every recipient the server accepts.
    fn hand_over(&mut self, envelope: &Envelope, message: &[u8]) -> Result<Sent, Error> {
        let refused = self.address(envelope)?;
        self.step(MailStep::Data, |connection| connection.command(Data).map(drop))?;
        self.step(MailStep::Data, |connection| connection.message(message).map(drop))?;
        Ok(Sent {
            refused,
            reference: None,
        })
    }

    /// Names sender and recipients. Gives the refusals of recipients, at least one of whom was accepted.
    fn address(&mut self, envelope: &Envelope) -> Result<Vec<Error>, Error> {
        let from = envelope.from().cloned();
        self.step(MailStep::From, |connection| {
            connection.command(MailFrom::new(from, Vec::new())).map(drop)
        })?;
        let mut refused = Vec::new();
        for recipient in envelope.to() {
            let rcpt = Rcpt::new(recipient.clone(), Vec::new());
            match self.step(MailStep::To(recipient.to_string()), |connection| {
                connection.command(rcpt).map(drop)
            }) {
                Ok(()) => {}
                Err(error @ Error::MailRefused { .. }) => refused.push(error),
                Err(error) => return Err(error),
            }
        }
        if refused.len() == envelope.to().len() {
            // If one of them may be accepted later, the mail is worth another try.
            let hopeful = refused.iter().position(Error::is_transient).unwrap_or(0);
            return Err(refused.swap_remove(hopeful));
        }
        Ok(refused)
    }

    /// Says goodbye if the server still listens. The mail's fate is settled, so nothing that goes
    /// wrong here counts, and little time is spent on it.
    fn close(mut self, in_order: bool) {
        const GOODBYE: Duration = Duration::from_secs(1);
        if in_order && self.connection.set_timeout(Some(GOODBYE)).is_ok() {
            _ = self.connection.command(Quit);
        }
    }

    /// Runs one exchange within the time that is left.
    fn step<T>(
        &mut self,
        step: MailStep,
        exchange: impl FnOnce(&mut SmtpConnection) -> Result<T, lettre::transport::smtp::Error>,
    ) -> Result<T, Error> {
        let Self {
            sender,
            connection,
            deadline,
        } = self;
        let patience = patience(sender, *deadline, &step)?;
        connection
            .set_timeout(Some(patience))
            .map_err(|source| Error::MailConnection {
                server: sender.server(),
                step: step.clone(),
                reason: source.to_string(),
            })?;
        exchange(connection)
            .map_err(|source| Error::from_smtp(&source, &sender.server(), step, sender.timeout))
    }
}

/// Connects to the first address of the host that answers.
fn connect(sender: &EmailSender, deadline: Instant) -> Result<SmtpConnection, Error> {
    let unreachable = |reason: String| Error::MailConnection {
        server: sender.server(),
        step: MailStep::Connect,
        reason,
    };
    let addresses: Vec<SocketAddr> = (sender.host.as_str(), sender.port)
        .to_socket_addrs()
        .map_err(|source| unreachable(source.to_string()))?
        .collect();
    let tls = sender
        .tls
        .as_ref()
        .filter(|_| sender.security == EmailSecurity::Tls);
    let mut failure = unreachable("the name has no address".into());
    for address in addresses {
        let patience = patience(sender, deadline, &MailStep::Connect)?;
        let hello = ClientId::default();
        match SmtpConnection::connect(address, Some(patience), &hello, tls, None) {
            Ok(connection) => return Ok(connection),
            Err(source) => {
                failure = Error::from_smtp(&source, &sender.server(), MailStep::Connect, sender.timeout);
            }
        }
    }
    Err(failure)
}

/// How long a single answer may be waited for in this step.
///
/// Connecting, STARTTLS and the login are several exchanges within lettre, and when one of them
/// times out it waits once more, for the answer to QUIT. They get half of the time that is left, so
/// that a server which stalls there does not cost twice the timeout.
fn patience(sender: &EmailSender, deadline: Instant, step: &MailStep) -> Result<Duration, Error> {
    let left = deadline.saturating_duration_since(Instant::now());
    // Sockets know no timeout of zero.
    if left < Duration::from_millis(1) {
        return Err(Error::MailTimeout {
            server: sender.server(),
            step: step.clone(),
            after: sender.timeout,
        });
    }
    Ok(match step {
        MailStep::Connect | MailStep::StartTls | MailStep::Login => left / 2,
        MailStep::From | MailStep::To(_) | MailStep::Data => left,
    })
}

fn tls_parameters(host: &str, server: &str, ca_file: Option<&Path>) -> Result<TlsParameters, Error> {
    let mut tls = TlsParameters::builder(host.to_owned()).certificate_store(CertificateStore::WebpkiRoots);
    if let Some(path) = ca_file {
        for certificate in http_client::certificates(path)? {
            let certificate = Certificate::from_der(certificate.der().to_vec());
            tls = tls.add_root_certificate(certificate.map_err(|_| Error::CaFileContent {
                path: path.to_owned(),
            })?);
        }
    }
    tls.build_rustls().map_err(|source| match ca_file {
        Some(path) => Error::CaFileContent {
            path: path.to_owned(),
        },
        None => Error::MailTls {
            server: server.to_owned(),
            reason: source.to_string(),
        },
    })
}

/// An address of ASCII characters. Others would need a server with SMTPUTF8 all the way to the
/// mailbox; a domain can always be written in its `xn--` form.
fn mailbox(address: &MailAddress) -> Result<Mailbox, Error> {
    let address = address.as_str();
    let mailbox = address.parse().and_then(|mailbox: Mailbox| {
        let (user, domain) = (mailbox.email.user(), mailbox.email.domain());
        match (user.is_ascii(), domain.is_ascii()) {
            (true, true) => Ok(mailbox),
            (false, _) => Err(AddressError::InvalidUser),
            (true, false) => Err(AddressError::InvalidDomain),
        }
    });
    mailbox.map_err(|source| Error::Address {
        address: address.to_owned(),
        source,
    })
}

/// The Message-ID of a notice: the readable part of its id, made unique by a digest of the whole.
///
/// The same id gives the same Message-ID on every machine and in every version, which is why this
/// is FNV-1a written out and not a hasher whose result may change.
fn message_id(id: &str, domain: &str) -> String {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let digest = id
        .bytes()
        .fold(OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME));
    let readable: String = id
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .take(40)
        .collect();
    format!("<{readable}.{digest:032x}@{domain}>")
}

fn png_type() -> Result<ContentType, Error> {
    ContentType::parse("image/png").map_err(|source| Error::Picture {
        reason: source.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let email = Email {
            server: Some("localhost".to_owned()),
            username: Some("watch".to_owned()),
            password: Some(Secret::new("hunter2")),
            ..Email::default()
        };
        let receiver = EmailReceiver {
            to: vec!["ops@example.org".parse().unwrap()],
            from: Some("watch@example.org".parse().unwrap()),
            timeout: None,
        };
        assert!(!format!("{email:?}").contains("hunter2"));
        let templates = Arc::new(Templates::embedded().unwrap());
        let sender = EmailSender::new(&email, &receiver, templates).unwrap();
        assert!(!format!("{sender:?}").contains("hunter2"));
    }

    #[test]
    fn a_message_id_is_stable_and_its_own() {
        let id = message_id("web1.cpu 1795268520\r\nBcc: x@y", "example.org");
        assert_eq!(id, message_id("web1.cpu 1795268520\r\nBcc: x@y", "example.org"));
        assert_ne!(id, message_id("web1cpu1795268520Bccxy", "example.org"));
        assert!(
            id.starts_with("<web1cpu1795268520Bccxy.") && id.ends_with("@example.org>"),
            "{id}"
        );
        assert!(message_id(&"x".repeat(5_000), "example.org").len() < 120);
    }
}
