//! A topic of ntfy, whose app shows what is pushed there on telephones and desktops.

use std::path::PathBuf;
use std::time::Duration;

use super::transport::{TIMEOUT, in_the_clear, missing};
use crate::check::Check;
use crate::http_url::BaseUrl;
use crate::secret::Secret;
use crate::section::{MILLISECOND, Section};

/// The longest topic a server takes, in letters.
const LONGEST_TOPIC: usize = 64;

options! {
    /// A topic of ntfy.
    pub NtfyReceiver {
        /// The server, the public one or one's own.
        url: BaseUrl = BaseUrl::known("https://ntfy.sh"),
        /// The topic, which must be set. Without a login it is all it takes to read and write there, so it is masked. Filled
        /// from `topic_file` when that is set.
        topic: Option<Secret> = None,
        /// A file with the topic.
        topic_file: Option<PathBuf> = None,
        /// An access token sent along (HTTP Bearer). Filled from `token_file` when that is set.
        token: Option<Secret> = None,
        /// A file with the token.
        token_file: Option<PathBuf> = None,
        /// Certificates (PEM) trusted beside the public ones.
        ca_file: Option<PathBuf> = None,
        /// Says a second time that topic and token may travel in the clear.
        insecure: bool = false,
        /// How long one notice may take.
        timeout: Duration = TIMEOUT => MILLISECOND..,
    }
}

impl Section for NtfyReceiver {
    fn check(&self, check: &mut Check<'_>) {
        let Some(topic) = &self.topic else {
            return missing(&["topic"], check, "such as `topic = \"skywatch-8xQ2\"`");
        };
        let topic = topic.expose();
        let right = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        check.require(
            (1..=LONGEST_TOPIC).contains(&topic.len()) && topic.chars().all(right),
            "topic",
            &self.topic,
            "expected at most 64 letters, digits, `-` and `_`, such as `\"skywatch-8xQ2\"`",
        );
        let secret = if self.token.is_some() { "token" } else { "topic" };
        in_the_clear(secret, "url", self.url.url(), self.insecure, check);
    }
}
