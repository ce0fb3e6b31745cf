//! What carries a notice away, a sender a file.
//!
//! A type of receiver comes here as its table of the settings. Its sender is a file of this folder that implements
//! [`Registration`] for that table, the file's `mod` line, and its line in [`registration`].

mod alertmanager;
mod email;
mod form;
mod http;
mod ntfy;
mod pagerduty;
mod slack;
mod syslog;
mod webhook;

use std::sync::Arc;

use skywatch_settings::{Email, ReceiverKind};

pub use alertmanager::AlertmanagerSender;
pub use email::EmailSender;
pub use ntfy::NtfySender;
pub use pagerduty::PagerDutySender;
pub use slack::{Picture, SlackSender};
pub use syslog::SyslogSender;
pub use webhook::WebhookSender;

use crate::error::Error;
use crate::notice::{Notice, NoticeItem};
use crate::render::Templates;
use crate::state::Audience;

/// Carries notices to one receiver.
///
/// The dispatcher calls, one notice at a time per receiver and in order, from a thread of its own that
/// may wait for the network: `send` blocks until the other side has taken the notice or the attempt has
/// failed, and bounds that wait itself. A sender never retries and keeps no queue; whether and when to
/// try again is decided by the caller, by [`Error::is_transient`] and [`Error::retry_after`].
pub trait Sender: Send + Sync {
    /// Its kind in one word, for counters and log lines: `email`, `slack`.
    fn kind(&self) -> &'static str;

    /// Hands the notice over. `reference` is what an earlier send for the same
    /// [thread](Notice::thread) answered, when one did.
    ///
    /// `Ok` means that at least one reader has it and a repeat would reach that one twice.
    ///
    /// # Errors
    /// Nobody has it.
    fn send(&self, notice: &Notice, reference: Option<&str>) -> Result<Sent, Error>;

    /// Tries whether a notice could be handed over, without handing one over, and says what was found. What only a real notice
    /// shows is left to a test notice. Blocks within the bounds of `send`.
    ///
    /// # Errors
    /// It could not.
    fn probe(&self) -> Result<String, Error>;
}

/// What became of a notice that went out.
#[derive(Debug, Default)]
#[must_use = "readers that refused are named here and nowhere else"]
pub struct Sent {
    /// One error for each reader that refused while others accepted, and for each part that was left behind
    /// while the words arrived: a picture, an edit.
    pub refused: Vec<Error>,
    /// How the other side names the conversation, to be handed to later sends of the same thread;
    /// `None` leaves what is known.
    pub reference: Option<String>,
}

/// What all senders are made from, beside the table of their receiver.
#[derive(Clone)]
pub struct SenderResources {
    /// The mail server.
    pub email: Email,
    /// The words of notices.
    pub templates: Arc<Templates>,
}

/// How the table of a type of receiver becomes its sender.
trait Registration {
    /// Who reads what is sent there.
    fn audience(&self) -> Audience;

    /// The sender. Nothing is connected yet.
    ///
    /// # Errors
    /// A certificate file that cannot be read, and what the settings cannot know to be wrong.
    fn sender(&self, shared: &SenderResources) -> Result<Arc<dyn Sender>, Error>;
}

/// The table of all senders.
fn registration(kind: &ReceiverKind) -> &dyn Registration {
    match kind {
        ReceiverKind::Email(receiver) => receiver,
        ReceiverKind::Slack(receiver) => receiver,
        ReceiverKind::PagerDuty(receiver) => receiver,
        ReceiverKind::Ntfy(receiver) => receiver,
        ReceiverKind::Alertmanager(receiver) => receiver,
        ReceiverKind::Webhook(receiver) => receiver,
        ReceiverKind::Syslog(receiver) => receiver,
    }
}

/// Who reads what is sent to a receiver.
pub fn audience(receiver: &ReceiverKind) -> Audience {
    registration(receiver).audience()
}

/// What carries notices to a receiver. Nothing is connected yet.
///
/// # Errors
/// A certificate file that cannot be read, and what the settings cannot know to be wrong.
pub fn sender(receiver: &ReceiverKind, shared: &SenderResources) -> Result<Arc<dyn Sender>, Error> {
    registration(receiver).sender(shared)
}

/// An option without which nothing can be sent. The settings ask for it, too.
fn required<'o, T>(sender: &'static str, option: &str, value: Option<&'o T>) -> Result<&'o T, Error> {
    value.ok_or_else(|| Error::Options {
        sender,
        reason: format!("`{option}` is not set"),
    })
}

/// Longest link that is sent; what browsers and services are sure to take.
const LONGEST_LINK: usize = 2_000;

/// Address of the page about an incident; `None` when there is none, and when the name is so long that no
/// service would take the link.
fn link(notice: &Notice, item: &NoticeItem) -> Option<String> {
    let page = notice.page_of(item);
    (!page.is_empty() && page.len() <= LONGEST_LINK).then_some(page)
}
