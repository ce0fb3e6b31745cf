//! Who the original tells: mail, Slack, PagerDuty, webhooks, the system's log.

use std::collections::BTreeSet;
use std::str::FromStr as _;

use skywatch_settings::{HttpUrl, MailAddress};

use super::conversion::{SkylineConversion, is_placeholder};
use super::python::PythonValue;
use crate::imported::{quoted, quoted_list};

/// The receivers that rules can name.
#[derive(Debug, Default)]
pub(super) struct ImportedReceivers {
    pub(super) mail: Option<ReceiverChoice>,
    pub(super) slack: Option<ReceiverChoice>,
    pub(super) has_pagerduty: bool,
    pub(super) has_syslog: bool,
    /// By alerter (`http_alerter-NAME`), the receiver.
    pub(super) webhooks: Vec<(String, String)>,
    /// Names that are given, as environment variables have them.
    taken: BTreeSet<String>,
}

/// Receivers of one kind, by the rule's metric.
#[derive(Debug, Default)]
pub(super) struct ReceiverChoice {
    /// Who is told where nobody is named for the metric.
    pub(super) default: Option<String>,
    /// By the rule's metric, receivers; none at all tells nobody.
    pub(super) by_metric: Vec<(String, Vec<String>)>,
}

impl ReceiverChoice {
    /// Who is told by a rule for `metric`; empty for nobody.
    pub(super) fn of(&self, metric: &str) -> Vec<String> {
        let named = self.by_metric.iter().find(|(known, _)| known == metric);
        match named {
            Some((_, receivers)) => receivers.clone(),
            None => self.default.iter().cloned().collect(),
        }
    }
}

impl ImportedReceivers {
    /// A name for a receiver that is not given yet.
    fn name(&mut self, kind: &str, what: &str) -> String {
        let right = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let slug: String = what.chars().map(right).take(40).collect();
        let base = match slug.trim_matches('_') {
            "" => kind.to_owned(),
            slug => format!("{kind}-{slug}"),
        };
        let numbered = (2..).map(|number| format!("{base}-{number}"));
        let free = std::iter::once(base.clone())
            .chain(numbered)
            .find(|name| self.taken.insert(name.to_uppercase().replace('-', "_")));
        free.unwrap_or(base)
    }

    /// Those who are told where nothing else is said, people first.
    pub(super) fn defaults(&self) -> Vec<String> {
        let choices = [&self.mail, &self.slack].into_iter().flatten();
        let mut defaults: Vec<String> = choices.filter_map(|choice| choice.default.clone()).collect();
        defaults.extend(self.has_pagerduty.then(|| "pagerduty".to_owned()));
        if defaults.is_empty() {
            defaults.extend(self.webhooks.iter().map(|(_, receiver)| receiver.clone()));
            defaults.extend(self.has_syslog.then(|| "syslog".to_owned()));
        }
        defaults
    }
}

pub(super) fn convert(conversion: &mut SkylineConversion) -> ImportedReceivers {
    let mut receivers = ImportedReceivers::default();
    if !conversion.is_on("ENABLE_ALERTS", true) {
        for name in [
            "ENABLE_ALERTS",
            "ALERTS",
            "SMTP_OPTS",
            "SLACK_OPTS",
            "PAGERDUTY_OPTS",
            "HTTP_ALERTERS_OPTS",
        ] {
            conversion.left(name, "ENABLE_ALERTS is False: nobody is told");
        }
        return receivers;
    }
    conversion.carried("ENABLE_ALERTS", "receivers, routes");
    mail(conversion, &mut receivers);
    slack(conversion, &mut receivers);
    pagerduty(conversion, &mut receivers);
    syslog(conversion, &mut receivers);
    webhooks(conversion, &mut receivers);
    receivers
}

/// The text of a key of a dict, unless it is empty or an example.
fn option(options: &PythonValue, key: &str) -> Option<String> {
    let text = options.get(key)?.text()?;
    (!is_placeholder(text)).then(|| text.to_owned())
}

/// Texts of one text, or of a list of them.
fn texts(value: &PythonValue) -> Vec<String> {
    match value {
        PythonValue::Text(text) => vec![text.clone()],
        PythonValue::Items(items) => items
            .iter()
            .filter_map(|item| item.text().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    }
}

/// What the original said only once is said only once: it never tells that something is over.
fn as_before(conversion: &mut SkylineConversion, receiver: &str) {
    conversion
        .draft
        .set(&format!("receivers.{receiver}.resolved"), "false".to_owned());
}

fn mail(conversion: &mut SkylineConversion, receivers: &mut ImportedReceivers) {
    const OPTIONS: &str = "SMTP_OPTS";
    let Some(options) = conversion.value(OPTIONS).cloned() else {
        return;
    };
    let sender = option(&options, "sender").filter(|sender| MailAddress::from_str(sender).is_ok());
    let Some(sender) = sender else {
        conversion.left(OPTIONS, "it names no sender, so no mail is sent");
        return;
    };
    conversion.draft.set("email.from", quoted(&sender));
    conversion.carried("SMTP_OPTS['sender']", "email.from");
    server(conversion, &options);
    let addresses = |value: Option<&PythonValue>| -> Vec<String> {
        let all = value.map(texts).unwrap_or_default().into_iter();
        all.filter(|address| !is_placeholder(address) && MailAddress::from_str(address).is_ok())
            .collect()
    };
    let mut choice = ReceiverChoice::default();
    let everybody = addresses(options.get("default_recipient"));
    if !everybody.is_empty() {
        choice.default = Some(mail_receiver(conversion, receivers, "", &everybody));
        conversion.carried("SMTP_OPTS['default_recipient']", "receivers.smtp.to");
    }
    if let Some(PythonValue::Dict(pairs)) = options.get("recipients") {
        for (metric, named) in pairs {
            let Some(metric) = metric.text() else { continue };
            let key = format!("SMTP_OPTS['recipients']['{metric}']");
            let named = addresses(Some(named));
            if named.is_empty() {
                conversion.left(&key, "it names no mail address");
                choice.by_metric.push((metric.to_owned(), Vec::new()));
                continue;
            }
            let receiver = mail_receiver(conversion, receivers, metric, &named);
            conversion.carried(&key, &format!("receivers.{receiver}.to"));
            choice.by_metric.push((metric.to_owned(), vec![receiver]));
        }
    }
    rest(
        conversion,
        OPTIONS,
        &options,
        &["sender", "default_recipient", "recipients", "smtp_server"],
    );
    receivers.mail = Some(choice);
}

fn mail_receiver(
    conversion: &mut SkylineConversion,
    receivers: &mut ImportedReceivers,
    metric: &str,
    to: &[String],
) -> String {
    let name = receivers.name("smtp", metric);
    conversion
        .draft
        .set(&format!("receivers.{name}.type"), quoted("email"));
    conversion
        .draft
        .set(&format!("receivers.{name}.to"), quoted_list(to));
    as_before(conversion, &name);
    name
}

/// `SMTP_OPTS['smtp_server']`: host, port, ssl, user, password.
fn server(conversion: &mut SkylineConversion, options: &PythonValue) {
    let empty = PythonValue::Dict(Vec::new());
    let server = options.get("smtp_server").unwrap_or(&empty);
    let host = option(server, "host").unwrap_or_else(|| "127.0.0.1".to_owned());
    let outcome = conversion.set_text("email.server", &host);
    conversion.said("SMTP_OPTS['smtp_server']", "email.server", outcome);
    if let Some(PythonValue::Int(port)) = server.get("port") {
        let outcome = conversion.set_plain("email.port", &port.to_string());
        conversion.said("SMTP_OPTS['smtp_server']['port']", "email.port", outcome);
    }
    let login = option(server, "user").zip(option(server, "password"));
    let is_here = host == "localhost"
        || host
            .parse()
            .is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    let security = if server.get("ssl").is_some_and(PythonValue::is_true) {
        "tls"
    } else if login.is_some() && !is_here {
        conversion.left_to_do(
            "SMTP_OPTS['smtp_server']",
            "its password went in the clear; `email.security` is \"starttls\" now, which the server must offer",
        );
        "starttls"
    } else {
        "none"
    };
    conversion.draft.set("email.security", quoted(security));
    if let Some((user, password)) = login {
        conversion.draft.set("email.username", quoted(&user));
        let file = conversion.secret("SMTP_OPTS['smtp_server']['password']", "smtp-password", &password);
        conversion.draft.set("email.password_file", file);
    }
}

fn slack(conversion: &mut SkylineConversion, receivers: &mut ImportedReceivers) {
    const OPTIONS: &str = "SLACK_OPTS";
    let Some(options) = conversion.value(OPTIONS).cloned() else {
        return;
    };
    if !conversion.is_on("SLACK_ENABLED", false) {
        conversion.left(OPTIONS, "SLACK_ENABLED is False");
        return;
    }
    let Some(token) = option(&options, "bot_user_oauth_access_token") else {
        conversion.left(OPTIONS, "it has no bot_user_oauth_access_token");
        return;
    };
    let file = conversion.secret("SLACK_OPTS['bot_user_oauth_access_token']", "slack-token", &token);
    conversion.carried("SLACK_ENABLED", "receivers.slack");
    let mut choice = ReceiverChoice::default();
    let everybody = option(&options, "default_channel_id").or_else(|| option(&options, "default_channel"));
    if let Some(channel) = everybody {
        let name = slack_receiver(conversion, receivers, "", &channel, &file);
        conversion.carried(
            "SLACK_OPTS['default_channel']",
            &format!("receivers.{name}.channel"),
        );
        choice.default = Some(name);
    }
    if let Some(PythonValue::Dict(pairs)) = options.get("channels") {
        for (metric, channels) in pairs {
            let Some(metric) = metric.text() else { continue };
            let names: Vec<String> = texts(channels)
                .iter()
                .filter(|channel| !is_placeholder(channel))
                .map(|channel| {
                    slack_receiver(
                        conversion,
                        receivers,
                        &format!("{metric}_{channel}"),
                        channel,
                        &file,
                    )
                })
                .collect();
            let key = format!("SLACK_OPTS['channels']['{metric}']");
            conversion.carried(&key, &format!("receivers.{}", names.join(", receivers.")));
            choice.by_metric.push((metric.to_owned(), names));
        }
    }
    const READ: [&str; 4] = [
        "bot_user_oauth_access_token",
        "default_channel",
        "default_channel_id",
        "channels",
    ];
    rest(conversion, OPTIONS, &options, &READ);
    receivers.slack = Some(choice);
}

fn slack_receiver(
    conversion: &mut SkylineConversion,
    receivers: &mut ImportedReceivers,
    what: &str,
    channel: &str,
    token_file: &str,
) -> String {
    let name = receivers.name("slack", what);
    // Names of channels are written with or without their `#`; numbers begin with a capital C or G.
    let is_number = channel.starts_with(['C', 'G'])
        && channel
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    let channel = if is_number || channel.starts_with('#') {
        channel.to_owned()
    } else {
        format!("#{channel}")
    };
    let table = format!("receivers.{name}");
    conversion.draft.set(&format!("{table}.type"), quoted("slack"));
    conversion
        .draft
        .set(&format!("{table}.token_file"), token_file.to_owned());
    conversion
        .draft
        .set(&format!("{table}.channel"), quoted(&channel));
    as_before(conversion, &name);
    name
}

fn pagerduty(conversion: &mut SkylineConversion, receivers: &mut ImportedReceivers) {
    const OPTIONS: &str = "PAGERDUTY_OPTS";
    let Some(options) = conversion.value(OPTIONS).cloned() else {
        return;
    };
    if !conversion.is_on("PAGERDUTY_ENABLED", false) {
        conversion.left(OPTIONS, "PAGERDUTY_ENABLED is False");
        return;
    }
    let Some(key) = option(&options, "key") else {
        conversion.left(OPTIONS, "it has no key");
        return;
    };
    let file = conversion.secret("PAGERDUTY_OPTS['key']", "pagerduty-key", &key);
    conversion
        .draft
        .set("receivers.pagerduty.type", quoted("pagerduty"));
    conversion.draft.set("receivers.pagerduty.routing_key_file", file);
    as_before(conversion, "pagerduty");
    conversion.left_to_do(
        "PAGERDUTY_OPTS['key']",
        "it must be an integration key for Events API V2",
    );
    conversion.carried("PAGERDUTY_ENABLED", "receivers.pagerduty");
    rest(conversion, OPTIONS, &options, &["key"]);
    receivers.has_pagerduty = true;
}

fn syslog(conversion: &mut SkylineConversion, receivers: &mut ImportedReceivers) {
    if !conversion.is_on("SYSLOG_ENABLED", false) {
        return;
    }
    conversion.draft.set("receivers.syslog.type", quoted("syslog"));
    conversion.carried("SYSLOG_ENABLED", "receivers.syslog");
    let ident = conversion
        .value("SYSLOG_OPTS")
        .and_then(|options| option(options, "ident"));
    if let Some(ident) = ident.filter(|ident| ident.bytes().all(|byte| byte.is_ascii_graphic())) {
        conversion.draft.set("receivers.syslog.app", quoted(&ident));
        conversion.carried("SYSLOG_OPTS['ident']", "receivers.syslog.app");
    }
    receivers.has_syslog = true;
}

fn webhooks(conversion: &mut SkylineConversion, receivers: &mut ImportedReceivers) {
    const OPTIONS: &str = "HTTP_ALERTERS_OPTS";
    let Some(PythonValue::Dict(pairs)) = conversion.value(OPTIONS).cloned() else {
        return;
    };
    let is_on = conversion.is_on("HTTP_ALERTERS_ENABLED", false);
    for (alerter, options) in pairs {
        let Some(alerter) = alerter.text() else { continue };
        let key = format!("HTTP_ALERTERS_OPTS['{alerter}']");
        let url = option(&options, "endpoint").and_then(|url| HttpUrl::read(&url).map(|read| (url, read)));
        let is_enabled = is_on && options.get("enabled").is_none_or(PythonValue::is_true);
        let Some((url, read)) = url.filter(|_| is_enabled) else {
            conversion.left(&key, "it is not enabled, or has no endpoint");
            continue;
        };
        let name = receivers.name("http", alerter.trim_start_matches("http_alerter-"));
        let table = format!("receivers.{name}");
        conversion.draft.set(&format!("{table}.type"), quoted("webhook"));
        conversion.draft.set(&format!("{table}.url"), quoted(&url));
        conversion.carried(&key, &table);
        if let Some(token) = option(&options, "token") {
            let file = conversion.secret(&format!("{key}['token']"), &format!("{name}-token"), &token);
            conversion.draft.set(&format!("{table}.token_file"), file);
            if read.is_open() {
                conversion
                    .draft
                    .set(&format!("{table}.insecure"), "true".to_owned());
                conversion.left_to_do(
                    &key,
                    "as before, its token goes over the network in the clear; better use https://",
                );
            }
        }
        conversion.left_to_do(
            &key,
            "the JSON is not the original's: docs/alerting.md says what is sent",
        );
        conversion.carried("HTTP_ALERTERS_ENABLED", &table);
        receivers.webhooks.push((alerter.to_owned(), name));
    }
}

/// Says of the keys of a dict that were not read that nothing becomes of them.
fn rest(conversion: &mut SkylineConversion, name: &str, options: &PythonValue, read: &[&str]) {
    let PythonValue::Dict(pairs) = options else { return };
    for (key, value) in pairs {
        let Some(key) = key.text().filter(|key| !read.contains(key)) else {
            continue;
        };
        let why = match value.computed() {
            Some(computed) => format!("in line {} it is computed: `{}`", computed.line, computed.shown),
            None => "there is nothing here that it could set".to_owned(),
        };
        conversion.left(&format!("{name}['{key}']"), &why);
    }
}
