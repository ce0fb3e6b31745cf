//! A channel in Slack, or in what takes Slack's messages (Mattermost, Rocket.Chat, Discord's `/slack`).
//!
//! Two ways lead there and one must be chosen: an incoming webhook, whose address is the secret and names the channel,
//! or a bot's token, with which messages can be changed and answered.

use std::path::PathBuf;
use std::time::Duration;

use super::transport::{TIMEOUT, conflict, in_the_clear, missing};
use crate::check::Check;
use crate::http_url::{BaseUrl, SecretUrl};
use crate::secret::Secret;
use crate::section::{MILLISECOND, Section};

options! {
    /// A channel in Slack. Exactly one of `webhook_url` and `token` must be set.
    pub SlackReceiver {
        /// The address of an incoming webhook. Filled from `webhook_url_file` when that is set.
        webhook_url: Option<SecretUrl> = None,
        /// A file with that address.
        webhook_url_file: Option<PathBuf> = None,
        /// A bot's token. Filled from `token_file` when that is set.
        token: Option<Secret> = None,
        /// A file with the token.
        token_file: Option<PathBuf> = None,
        /// The channel, by name (`#ops`) or number (`C012AB3CD`). A token needs it; beside a webhook it is another channel
        /// than the webhook's own, where the server allows it.
        channel: Option<String> = None,
        /// Where the token is good: what the names of methods are added to.
        api_url: BaseUrl = BaseUrl::known("https://slack.com/api"),
        /// Certificates (PEM) trusted beside the public ones.
        ca_file: Option<PathBuf> = None,
        /// Says a second time that secrets may travel in the clear.
        insecure: bool = false,
        /// How long one notice may take, picture and edit included.
        timeout: Duration = TIMEOUT => MILLISECOND..,
    }
}

impl Section for SlackReceiver {
    fn check(&self, check: &mut Check<'_>) {
        if let Some(url) = &self.webhook_url {
            in_the_clear("webhook_url", "webhook_url", url.expose(), self.insecure, check);
        }
        if self.token.is_some() {
            in_the_clear("token", "api_url", self.api_url.url(), self.insecure, check);
        }
        match (&self.webhook_url, &self.token) {
            (None, None) => missing(
                &["token", "webhook_url"],
                check,
                "set one of them: the address of an incoming webhook, or a bot's token and a `channel`",
            ),
            (Some(_), Some(_)) => conflict(
                "both `webhook_url` and `token`",
                &["token", "webhook_url", "token_file", "webhook_url_file"],
                check,
                "keep one of them: a webhook writes to its own channel, a token to `channel`",
            ),
            (None, Some(_)) if self.channel.is_none() => missing(
                &["channel"],
                check,
                "a token needs one, such as `channel = \"#ops\"`",
            ),
            _ => {}
        }
    }
}
