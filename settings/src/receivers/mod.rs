//! Receivers of notices: `[receivers.NAME]`, a table each. Its `type` decides which options it has, so that is read first,
//! from the file alone; everything after that is the same as for any section.
//!
//! A type is a file here, its `mod` line and its line in the list below. Its options are what the sender is made from.

mod alertmanager;
mod email;
mod ntfy;
mod pagerduty;
mod slack;
mod syslog;
mod transport;
mod webhook;

use std::time::Duration;

pub use alertmanager::{AlertLabel, AlertmanagerReceiver};
pub use email::EmailReceiver;
pub use ntfy::NtfyReceiver;
pub use pagerduty::PagerDutyReceiver;
pub use slack::SlackReceiver;
pub use syslog::{SyslogFacility, SyslogReceiver, SyslogTarget};
pub use webhook::{Header, WebhookReceiver};

use crate::check::Check;
use crate::choice::choice;
use crate::origin::Origin;
use crate::section::{OptionFields, OptionTable as _, SECOND, Section};

macro_rules! receivers {
    ($( $(#[$doc:meta])* $word:literal => $kind:ident($options:ident), )+) => {
        /// The `type` of a receiver.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ReceiverType {
            $( $(#[$doc])* $kind, )+
        }
        choice!(ReceiverType { $( $word => $kind, )+ });

        /// What a receiver is and how it is reached.
        #[derive(Debug, Clone, PartialEq)]
        pub enum ReceiverKind {
            $( $(#[$doc])* $kind($options), )+
        }

        impl ReceiverKind {
            /// One of that type that says nothing else.
            fn new(kind: ReceiverType) -> Self {
                match kind {
                    $( ReceiverType::$kind => Self::$kind($options::default()), )+
                }
            }

            fn options(&self) -> &dyn Section {
                match self {
                    $( Self::$kind(options) => options, )+
                }
            }

            fn options_mut(&mut self) -> &mut dyn Section {
                match self {
                    $( Self::$kind(options) => options, )+
                }
            }
        }
    };
}

receivers! {
    /// Mail.
    "email" => Email(EmailReceiver),
    /// A channel in Slack, or in what takes Slack's messages.
    "slack" => Slack(SlackReceiver),
    /// A service in PagerDuty.
    "pagerduty" => PagerDuty(PagerDutyReceiver),
    /// A topic of ntfy.
    "ntfy" => Ntfy(NtfyReceiver),
    /// A Prometheus Alertmanager.
    "alertmanager" => Alertmanager(AlertmanagerReceiver),
    /// Anything that takes JSON over HTTP.
    "webhook" => Webhook(WebhookReceiver),
    /// The system's log.
    "syslog" => Syslog(SyslogReceiver),
}

options! {
    /// What every receiver has, whatever its type.
    pub ReceiverLimits {
        /// Whether it is also told when an incident is over.
        resolved: bool = true,
        /// So many notices in any `per`, at most.
        max_notices: usize = 20 => 1..,
        /// The time over which notices are counted.
        per: Duration = Duration::from_secs(600) => SECOND..,
        /// Who is told instead while this one cannot be reached; nobody if empty.
        fallback: Option<String> = None,
        /// A notice that could not be handed over for so long goes to the dead-letter list.
        give_up_after: Duration = Duration::from_secs(86_400) => SECOND..,
    }
}

/// Somebody, or something, that is told of incidents: one `[receivers.NAME]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceiverTable {
    /// Its name, unique; routes lead to it by this.
    pub name: String,
    /// Its type, as the file has it.
    pub receiver_type: ReceiverType,
    /// The options of its type.
    pub kind: ReceiverKind,
    /// How much it is told, and how long that is tried.
    pub limits: ReceiverLimits,
    /// Where the table begins.
    pub(crate) origin: Origin,
}

impl ReceiverTable {
    /// A table of that type that sets nothing else.
    pub(crate) fn new(name: &str, receiver_type: ReceiverType, origin: Origin) -> Self {
        Self {
            name: name.to_owned(),
            receiver_type,
            kind: ReceiverKind::new(receiver_type),
            limits: ReceiverLimits::default(),
            origin,
        }
    }

    fn table(&self) -> String {
        format!("receivers.{}", self.name)
    }

    /// Every option under its dotted key.
    pub(crate) fn fields(&mut self) -> OptionFields<'_> {
        let table = self.table();
        let mut fields: OptionFields<'_> = vec![(format!("{table}.type"), &mut self.receiver_type)];
        fields.extend(self.kind.options_mut().fields_under(&table));
        fields.extend(self.limits.fields_under(&table));
        fields
    }

    /// Limits, and options that must agree.
    pub(crate) fn check(&self, check: &mut Check<'_>) {
        check.table(&self.table(), &self.origin, |check| {
            let options = self.kind.options();
            options.check_limits(check);
            options.check(check);
            self.limits.check_limits(check);
        });
    }
}
