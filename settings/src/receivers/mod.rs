//! Those who are told: `[receivers.NAME]`, a table each, of one of six types.
//!
//! A table's `type` decides which options it has, so it is read first, from the file alone; everything after that is
//! the same as for any section. What the tables say ([`ReceiverTable`]) becomes plain values ([`Receiver`]) in which
//! nothing is missing and nothing contradicts itself.

mod alertmanager;
mod email;
mod pagerduty;
mod slack;
mod syslog;
mod webhook;

use std::time::Duration;

pub use alertmanager::{AlertmanagerLogin, AlertmanagerReceiver};
pub use email::EmailReceiver;
pub use pagerduty::PagerDutyReceiver;
pub use slack::{SlackAccess, SlackReceiver};
pub use syslog::{SyslogFacility, SyslogReceiver, SyslogTarget};
pub use webhook::WebhookReceiver;

use crate::check::Check;
use crate::choice::choice;
use crate::email::Email;
use crate::field::Field;
use crate::origin::Origin;
use crate::section::Fields;
use crate::settings::SecretOption;
use crate::web_url::WebUrl;

/// How long a receiver may take for one notice unless it says otherwise.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Somebody, or something, that is told of incidents.
#[derive(Debug, Clone, PartialEq)]
pub struct Receiver {
    /// Its name, unique; routes lead to it by this.
    pub name: String,
    /// What it is and how it is reached.
    pub kind: ReceiverKind,
    /// Whether it is also told when an incident is over.
    pub resolved: bool,
    /// So many notices in any `per`, at most.
    pub max_notices: usize,
    /// The time over which notices are counted.
    pub per: Duration,
    /// How long one notice may take.
    pub timeout: Duration,
    /// A notice that could not be handed over for so long goes to the dead-letter list.
    pub give_up_after: Duration,
}

/// What a receiver is and how it is reached.
#[derive(Debug, Clone, PartialEq)]
pub enum ReceiverKind {
    /// Mail.
    Email(EmailReceiver),
    /// A channel in Slack, or in what takes Slack's messages.
    Slack(SlackReceiver),
    /// A service in PagerDuty.
    PagerDuty(PagerDutyReceiver),
    /// A Prometheus Alertmanager.
    Alertmanager(AlertmanagerReceiver),
    /// Anything that takes JSON over HTTP.
    Webhook(WebhookReceiver),
    /// The system's log, here or on another machine.
    Syslog(SyslogReceiver),
}

impl ReceiverKind {
    /// Its type, which shows as the word for it in the settings file.
    pub fn receiver_type(&self) -> ReceiverType {
        match self {
            Self::Email(_) => ReceiverType::Email,
            Self::Slack(_) => ReceiverType::Slack,
            Self::PagerDuty(_) => ReceiverType::PagerDuty,
            Self::Alertmanager(_) => ReceiverType::Alertmanager,
            Self::Webhook(_) => ReceiverType::Webhook,
            Self::Syslog(_) => ReceiverType::Syslog,
        }
    }
}

/// The `type` of a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReceiverType {
    /// Mail.
    Email,
    /// A channel in Slack.
    Slack,
    /// A service in PagerDuty.
    PagerDuty,
    /// A Prometheus Alertmanager.
    Alertmanager,
    /// Anything that takes JSON over HTTP.
    Webhook,
    /// The system's log.
    Syslog,
}
choice!(ReceiverType {
    "email" => Email,
    "slack" => Slack,
    "pagerduty" => PagerDuty,
    "alertmanager" => Alertmanager,
    "webhook" => Webhook,
    "syslog" => Syslog,
});

options! {
    /// What every receiver has.
    pub(crate) Common {
        /// Whether it is also told when an incident is over.
        resolved: bool = true,
        /// So many notices in any `per`, at most.
        max_notices: usize = 20,
        /// The time over which notices are counted.
        per: Duration = Duration::from_secs(600),
        /// A notice that could not be handed over for so long goes to the dead-letter list.
        give_up_after: Duration = Duration::from_secs(86_400),
    }
}

/// The options of one type.
#[derive(Debug, Clone, PartialEq)]
enum Options {
    Email(email::EmailOptions),
    Slack(slack::SlackOptions),
    PagerDuty(pagerduty::PagerDutyOptions),
    Alertmanager(alertmanager::AlertmanagerOptions),
    Webhook(webhook::WebhookOptions),
    Syslog(syslog::SyslogOptions),
}

/// One `[receivers.NAME]` as written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ReceiverTable {
    pub(crate) name: String,
    /// Where the table begins.
    pub(crate) origin: Origin,
    kind: ReceiverType,
    options: Options,
    common: Common,
}

/// The table a check is about: how its options are called, and where it begins.
struct Table<'t> {
    name: &'t str,
    origin: &'t Origin,
}

impl Table<'_> {
    /// The dotted key of an option.
    fn key(&self, option: &str) -> String {
        format!("receivers.{}.{option}", self.name)
    }

    /// Reports that a receiver lacks an option without which it cannot work.
    fn missing(&self, options: &[&str], check: &mut Check<'_>, hint: &str) {
        let keys: Vec<String> = options.iter().map(|option| self.key(option)).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let listed: Vec<String> = options.iter().map(|option| format!("`{option}`")).collect();
        let what = format!("receiver `{}` has no {}", self.name, listed.join(" and no "));
        check.conflict_in(self.origin, &keys, what, hint);
    }

    /// Refuses an option that is no address of the web. `base` is for those to which a path is added: they take no `?`.
    fn url<'u>(
        &self,
        [option, example]: [&str; 2],
        value: &impl Field,
        url: &'u str,
        base: bool,
        check: &mut Check<'_>,
    ) -> Option<WebUrl<'u>> {
        let parsed = WebUrl::parse(url).filter(|parsed| !(base && parsed.has_query));
        let without = if base {
            "a user, `?` and `#`"
        } else {
            "a user and `#`"
        };
        check.require(
            parsed.is_some(),
            &self.key(option),
            value,
            &format!("expected an address with `http://` or `https://` and without {without}, such as `\"{example}\"`"),
        );
        parsed
    }

    /// Refuses to send secrets where others can read them, unless that is said twice.
    fn in_the_clear(
        &self,
        secret: &str,
        url_option: &str,
        url: WebUrl<'_>,
        insecure: bool,
        check: &mut Check<'_>,
    ) {
        if !url.is_open() || insecure {
            return;
        }
        let [secret, url_key, insecure] = [secret, url_option, "insecure"].map(|option| self.key(option));
        let what = if secret == url_key {
            format!("`{secret}` is a secret that would travel in the clear, for it begins with `http://`")
        } else {
            format!(
                "`{secret}` would go to `{}` in the clear, for `{url_key}` begins with `http://`",
                url.host
            )
        };
        let hint = format!("use `https://`, or say it twice with `{insecure} = true`");
        check.conflict_in(self.origin, &[&url_key, &secret, &insecure], what, &hint);
    }
}

impl ReceiverTable {
    /// A table of that type that sets nothing else.
    pub(crate) fn new(name: &str, kind: ReceiverType, origin: Origin) -> Self {
        let options = match kind {
            ReceiverType::Email => Options::Email(email::EmailOptions::default()),
            ReceiverType::Slack => Options::Slack(slack::SlackOptions::default()),
            ReceiverType::PagerDuty => Options::PagerDuty(pagerduty::PagerDutyOptions::default()),
            ReceiverType::Alertmanager => Options::Alertmanager(alertmanager::AlertmanagerOptions::default()),
            ReceiverType::Webhook => Options::Webhook(webhook::WebhookOptions::default()),
            ReceiverType::Syslog => Options::Syslog(syslog::SyslogOptions::default()),
        };
        Self {
            name: name.to_owned(),
            origin,
            kind,
            options,
            common: Common::default(),
        }
    }

    /// Every option under its dotted key.
    pub(crate) fn fields(&mut self) -> Fields<'_> {
        let table = format!("receivers.{}", self.name);
        let mut fields: Fields<'_> = vec![(format!("{table}.type"), &mut self.kind)];
        fields.extend(match &mut self.options {
            Options::Email(options) => options.fields_under(&table),
            Options::Slack(options) => options.fields_under(&table),
            Options::PagerDuty(options) => options.fields_under(&table),
            Options::Alertmanager(options) => options.fields_under(&table),
            Options::Webhook(options) => options.fields_under(&table),
            Options::Syslog(options) => options.fields_under(&table),
        });
        fields.extend(self.common.fields_under(&table));
        fields
    }

    /// Every secret beside the file that may hold it.
    pub(crate) fn secrets(&mut self) -> Vec<SecretOption<'_>> {
        let table = Table {
            name: &self.name,
            origin: &self.origin,
        };
        match &mut self.options {
            Options::Email(_) | Options::Syslog(_) => Vec::new(),
            Options::Slack(options) => options.secrets(&table),
            Options::PagerDuty(options) => options.secrets(&table),
            Options::Alertmanager(options) => options.secrets(&table),
            Options::Webhook(options) => options.secrets(&table),
        }
    }

    /// Whether it is sent mail.
    pub(crate) fn is_email(&self) -> bool {
        self.kind == ReceiverType::Email
    }

    /// Whether it is sent mail in the name of `email.from`.
    pub(crate) fn needs_email_from(&self) -> bool {
        matches!(&self.options, Options::Email(options) if options.from.is_none())
    }

    /// Limits, and options that must agree.
    pub(crate) fn check(&self, email: &Email, check: &mut Check<'_>) {
        let table = Table {
            name: &self.name,
            origin: &self.origin,
        };
        match &self.options {
            Options::Email(options) => options.check(&table, email, check),
            Options::Slack(options) => options.check(&table, check),
            Options::PagerDuty(options) => options.check(&table, check),
            Options::Alertmanager(options) => options.check(&table, check),
            Options::Webhook(options) => options.check(&table, check),
            Options::Syslog(options) => options.check(&table, check),
        }
        let Common {
            max_notices,
            per,
            give_up_after,
            ..
        } = &self.common;
        let second = Some(Duration::from_secs(1));
        check.within(&table.key("max_notices"), max_notices, Some(1), None);
        check.within(&table.key("per"), per, second, None);
        check.within(&table.key("give_up_after"), give_up_after, second, None);
    }

    /// The receiver, or `None` if it lacks what `check` asks for.
    pub(crate) fn resolve(&self, email: &Email) -> Option<Receiver> {
        let (kind, timeout) = match &self.options {
            Options::Email(options) => (
                ReceiverKind::Email(options.resolve(email)?),
                options.timeout.unwrap_or(email.timeout),
            ),
            Options::Slack(options) => (ReceiverKind::Slack(options.resolve()?), options.timeout),
            Options::PagerDuty(options) => (ReceiverKind::PagerDuty(options.resolve()?), options.timeout),
            Options::Alertmanager(options) => {
                (ReceiverKind::Alertmanager(options.resolve()?), options.timeout)
            }
            Options::Webhook(options) => (ReceiverKind::Webhook(options.resolve()?), options.timeout),
            Options::Syslog(options) => (ReceiverKind::Syslog(options.resolve()), options.timeout),
        };
        Some(receiver(&self.name, kind, timeout, &self.common))
    }
}

/// The receiver that `[email]` alone stands for: named `email`, told as `[email]` says.
pub(crate) fn implicit(email: &Email) -> Option<Receiver> {
    if email.server.is_none() || email.to.is_empty() {
        return None;
    }
    let kind = email::EmailOptions::default().resolve(email)?;
    Some(receiver(
        "email",
        ReceiverKind::Email(kind),
        email.timeout,
        &Common::default(),
    ))
}

fn receiver(name: &str, kind: ReceiverKind, timeout: Duration, common: &Common) -> Receiver {
    Receiver {
        name: name.to_owned(),
        kind,
        resolved: common.resolved,
        max_notices: common.max_notices,
        per: common.per,
        timeout,
        give_up_after: common.give_up_after,
    }
}

/// Refuses a time-out of nothing.
fn check_timeout(table: &Table<'_>, timeout: &Duration, check: &mut Check<'_>) {
    check.within(
        &table.key("timeout"),
        timeout,
        Some(Duration::from_millis(1)),
        None,
    );
}
