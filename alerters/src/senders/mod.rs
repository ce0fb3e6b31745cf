//! What carries a notice away, a sender a file.

mod address;
mod alertmanager;
mod email;
mod syslog;

pub use syslog::{Facility, SyslogOptions, SyslogSender, SyslogTarget};
mod form;
mod http;
mod pagerduty;
mod slack;
mod webhook;

pub use alertmanager::{AlertmanagerLogin, AlertmanagerOptions, AlertmanagerSender};
pub use email::{EmailOptions, EmailSender, Security};
pub use pagerduty::{PagerDutyOptions, PagerDutySender};
pub use slack::{Picture, SlackAccess, SlackOptions, SlackSender};
pub use webhook::{WebhookOptions, WebhookSender};

use crate::error::Error;
use crate::notice::{Item, Notice};

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

/// Longest link that is sent; what browsers and services are sure to take.
const LONGEST_LINK: usize = 2_000;

/// Address of the page about an incident; `None` when there is none, and when the name is so long that no
/// service would take the link.
fn link(notice: &Notice, item: &Item) -> Option<String> {
    let page = notice.page_of(item);
    (!page.is_empty() && page.len() <= LONGEST_LINK).then_some(page)
}
