//! One message about an anomaly, before it has the form of any medium.

use crate::anomaly::Anomaly;

/// What a [`Sender`](crate::senders::Sender) is given.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Names this notice and no other. A repeat after a crash carries the same id, and it becomes
    /// the Message-ID, so that the other side can tell a repeat from news.
    pub id: String,
    /// What was found.
    pub anomaly: Anomaly,
    /// Unix time before which no further notice about this subject follows; `None` when the sender
    /// has no cooldown.
    pub not_before: Option<f64>,
    /// Full address of the page about this anomaly, when pages have a public address.
    pub page: Option<String>,
}
