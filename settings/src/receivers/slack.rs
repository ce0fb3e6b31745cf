//! A channel in Slack, or in what takes Slack's messages (Mattermost, Rocket.Chat, Discord's `/slack`).
//!
//! Two ways lead there and one must be chosen: an incoming webhook, whose address is the secret and names the channel,
//! or a bot's token, with which messages can be changed and answered.

use std::path::PathBuf;
use std::time::Duration;

use super::{TIMEOUT, Table, check_timeout};
use crate::check::Check;
use crate::secret::Secret;
use crate::settings::SecretOption;

/// A channel in Slack.
#[derive(Debug, Clone, PartialEq)]
pub struct SlackReceiver {
    /// Which way leads there.
    pub access: SlackAccess,
}

/// The way to a channel in Slack.
#[derive(Debug, Clone, PartialEq)]
pub enum SlackAccess {
    /// An incoming webhook.
    Webhook {
        /// Its whole address, which is all it takes to write there.
        url: Secret,
        /// Another channel than the webhook's own, where the server allows it.
        channel: Option<String>,
    },
    /// A bot.
    Bot {
        /// Its token.
        token: Secret,
        /// The channel, by name (`#ops`) or number (`C012AB3CD`).
        channel: String,
        /// What the names of the methods are added to, after a `/`.
        api_url: String,
    },
}

options! {
    /// `type = "slack"`
    pub(crate) SlackOptions {
        /// The address of an incoming webhook. Filled from `webhook_url_file` when that is set.
        webhook_url: Option<Secret> = None,
        /// A file with that address.
        webhook_url_file: Option<PathBuf> = None,
        /// A bot's token. Filled from `token_file` when that is set.
        token: Option<Secret> = None,
        /// A file with the token.
        token_file: Option<PathBuf> = None,
        /// The channel; a token needs it.
        channel: Option<String> = None,
        /// Where the token is good.
        api_url: String = "https://slack.com/api".to_owned(),
        /// Says a second time that secrets may travel in the clear.
        insecure: bool = false,
        /// How long one notice may take.
        timeout: Duration = TIMEOUT,
    }
}

impl SlackOptions {
    pub(super) fn secrets(&mut self, table: &Table<'_>) -> Vec<SecretOption<'_>> {
        vec![
            SecretOption::new(
                table.key("webhook_url"),
                &mut self.webhook_url,
                &self.webhook_url_file,
            ),
            SecretOption::new(table.key("token"), &mut self.token, &self.token_file),
        ]
    }

    pub(super) fn check(&self, table: &Table<'_>, check: &mut Check<'_>) {
        check_timeout(table, &self.timeout, check);
        if let Some(secret) = &self.webhook_url {
            let example = "https://hooks.slack.com/services/…";
            let url = table.url(
                ["webhook_url", example],
                &self.webhook_url,
                secret.expose(),
                false,
                check,
            );
            if let Some(url) = url {
                table.in_the_clear("webhook_url", "webhook_url", url, self.insecure, check);
            }
        }
        let example = "https://slack.com/api";
        let url = table.url(["api_url", example], &self.api_url, &self.api_url, true, check);
        if let (Some(url), Some(_)) = (url, &self.token) {
            table.in_the_clear("token", "api_url", url, self.insecure, check);
        }
        let keys = ["token", "webhook_url", "token_file", "webhook_url_file"];
        match (&self.webhook_url, &self.token) {
            (None, None) => table.missing(
                &keys[..2],
                check,
                "set one of them: the address of an incoming webhook, or a bot's token and a `channel`",
            ),
            (Some(_), Some(_)) => {
                let keys = keys.map(|option| table.key(option));
                check.conflict_in(
                    table.origin,
                    &keys.each_ref().map(String::as_str),
                    format!("receiver `{}` has both `webhook_url` and `token`", table.name),
                    "keep one of them: a webhook writes to its own channel, a token to `channel`",
                );
            }
            (None, Some(_)) if self.channel.is_none() => table.missing(
                &["channel"],
                check,
                "a token needs one, such as `channel = \"#ops\"`",
            ),
            _ => {}
        }
    }

    pub(super) fn resolve(&self) -> Option<SlackReceiver> {
        let access = match (&self.webhook_url, &self.token) {
            (Some(url), _) => SlackAccess::Webhook {
                url: url.clone(),
                channel: self.channel.clone(),
            },
            (None, token) => SlackAccess::Bot {
                token: token.clone()?,
                channel: self.channel.clone()?,
                api_url: self.api_url.trim_end_matches('/').to_owned(),
            },
        };
        Some(SlackReceiver { access })
    }
}
