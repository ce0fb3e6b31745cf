//! Slack, through an incoming webhook or as a bot.
//!
//! A webhook takes words and tells nothing back, so every notice is a message of its own. A bot answers with the
//! message's channel and time, which are Slack's name for a conversation: later notices become replies to the
//! first message, charts go into its thread, and when everything is over, or back, the first message itself is edited
//! to say so, because a channel is read by its first messages only.
//!
//! Slack knows no idempotency key. A repeat after a lost answer is a second message; the notice's id in the
//! message's metadata tells the two apart from two notices.
//!
//! The words are what counts: a picture or an edit that fails is reported beside the success and costs nothing else.

mod refusal;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use ureq::http::{HeaderMap, HeaderValue};

use skywatch_settings::{BaseUrl, HttpUrl, Secret, SlackReceiver};

use super::http::{self, Attempt, SenderClient};
use super::{Registration, Sender, SenderResources, Sent, required};
use crate::anomaly::Anomaly;
use crate::error::Error;
use crate::notice::{NewsKind, Notice};
use crate::render::{self, Templates};
use crate::state::Audience;
use crate::{chart, text};
use refusal::{in_slacks_words, refusal};

const KIND: &str = "slack";
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");
/// Longest text Slack keeps, in characters; an edit with a longer one is refused.
const LONGEST_TEXT: usize = 40_000;

/// Width of a picture, pixels: what Slack shows without shrinking it.
const PICTURE_WIDTH: u32 = 640;

/// Draws an anomaly as PNG; `None` when it cannot be drawn.
pub type Picture = Box<dyn Fn(&Anomaly) -> Option<Vec<u8>> + Send + Sync>;

/// Posts notices to Slack.
pub struct SlackSender {
    http: SenderClient,
    access: Access,
    templates: Arc<Templates>,
    picture: Option<Picture>,
}

enum Access {
    Webhook(HttpUrl, Option<String>),
    Bot(Box<Bot>),
}

struct Bot {
    channel: String,
    headers: HeaderMap,
    api: BaseUrl,
    post: HttpUrl,
    update: HttpUrl,
    begin_upload: HttpUrl,
    end_upload: HttpUrl,
}

impl fmt::Debug for SlackSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, channel) = match &self.access {
            Access::Webhook(address, channel) => (address, channel.as_deref().unwrap_or("of the webhook")),
            Access::Bot(bot) => (bot.api.url(), bot.channel.as_str()),
        };
        f.debug_struct("SlackSender")
            .field("address", address)
            .field("channel", &channel)
            .finish_non_exhaustive()
    }
}

/// What every method answers, and of its further fields those that we read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SlackAnswer {
    ok: bool,
    error: String,
    channel: String,
    ts: String,
    upload_url: String,
    file_id: String,
}

/// A conversation: the channel's id and the time of its first message, which together name the message.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Thread {
    channel: String,
    ts: String,
}

#[derive(Serialize)]
struct SlackMessage<'a> {
    channel: &'a str,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_ts: Option<&'a str>,
    unfurl_links: bool,
    unfurl_media: bool,
    metadata: serde_json::Value,
}

impl SlackSender {
    /// Reads the CA file. Nothing is said to Slack yet.
    ///
    /// # Errors
    /// [`Error::Options`], [`Error::CaFile`], [`Error::CaFileContent`].
    pub fn new(receiver: &SlackReceiver, templates: Arc<Templates>) -> Result<Self, Error> {
        let (access, masked) = match &receiver.webhook_url {
            Some(url) => {
                let url = url.expose();
                let masked = [url.as_str(), url.path()].map(Secret::new);
                (
                    Access::Webhook(url.clone(), receiver.channel.clone()),
                    masked.to_vec(),
                )
            }
            None => {
                let token = required(KIND, "token", receiver.token.as_ref())?;
                let api = receiver.api_url.clone();
                let bot = Bot {
                    channel: required(KIND, "channel", receiver.channel.as_ref())?.clone(),
                    headers: HeaderMap::from_iter([http::bearer(KIND, token)?]),
                    post: api.join("/chat.postMessage"),
                    update: api.join("/chat.update"),
                    begin_upload: api.join("/files.getUploadURLExternal"),
                    end_upload: api.join("/files.completeUploadExternal"),
                    api,
                };
                (Access::Bot(Box::new(bot)), vec![token.clone()])
            }
        };
        Ok(Self {
            http: SenderClient::new(receiver.timeout, receiver.ca_file.as_deref(), masked)?,
            access,
            templates,
            picture: None,
        })
    }

    /// The same with charts: a bot puts one for the first firing incident that carries its window into the thread.
    /// A webhook cannot.
    #[must_use]
    pub fn with_picture(mut self, picture: Picture) -> Self {
        self.picture = Some(picture);
        self
    }
}

impl Registration for SlackReceiver {
    fn audience(&self) -> Audience {
        Audience::People
    }

    fn sender(&self, shared: &SenderResources) -> Result<Arc<dyn Sender>, Error> {
        let picture = Box::new(|anomaly: &_| chart::png_of(anomaly, PICTURE_WIDTH));
        let sender = SlackSender::new(self, Arc::clone(&shared.templates))?;
        Ok(Arc::new(sender.with_picture(picture)))
    }
}

impl Sender for SlackSender {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn send(&self, notice: &Notice, reference: Option<&str>) -> Result<Sent, Error> {
        let words = self.templates.slack(notice)?;
        let words: String = words.chars().take(LONGEST_TEXT).collect();
        let attempt = self.http.begin();
        match &self.access {
            Access::Webhook(address, channel) => {
                let mut body = json!({"text": words, "unfurl_links": false, "unfurl_media": false});
                if let Some(channel) = channel {
                    body["channel"] = json!(channel);
                }
                let body = http::json(KIND, &body)?;
                let posted = attempt.post(address, http::JSON, &HeaderMap::new(), &body);
                posted.map(|_| Sent::default()).map_err(in_slacks_words)
            }
            Access::Bot(bot) => {
                let told = reference.and_then(Thread::parse);
                let (thread, reply) = bot.tell(&attempt, notice, &words, told)?;
                let Some(thread) = thread else {
                    // The words are there, and it is not said where: nothing can be put beside them.
                    return Ok(Sent::default());
                };
                let mut refused = Vec::new();
                if reply && changes_the_first(notice) {
                    refused.extend(bot.edit(&attempt, &thread, notice, &words).err());
                }
                if let Some((anomaly, png)) = self.draw(notice) {
                    refused.extend(bot.upload(&attempt, &thread, notice, anomaly, &png).err());
                }
                Ok(Sent {
                    refused,
                    reference: (!reply).then(|| thread.to_string()),
                })
            }
        }
    }

    /// Asks whose token it is. Whether the webhook, or the channel, is there shows a test notice only.
    fn probe(&self) -> Result<String, Error> {
        let attempt = self.http.begin();
        match &self.access {
            Access::Webhook(address, _) => {
                attempt.knock(address, &HeaderMap::new())?;
                Ok(format!("{} answers", address.place()))
            }
            Access::Bot(bot) => {
                bot.call(
                    &attempt,
                    "auth.test",
                    &bot.api.join("/auth.test"),
                    http::JSON,
                    b"{}",
                )?;
                Ok(format!("{} knows the token", bot.api.url().place()))
            }
        }
    }
}

impl SlackSender {
    /// The picture that goes with a notice.
    fn draw<'a>(&self, notice: &'a Notice) -> Option<(&'a Anomaly, Vec<u8>)> {
        let picture = self.picture.as_ref()?;
        let item = notice
            .news()?
            .items
            .iter()
            .find(|item| item.what.is_firing() && !item.anomaly.window().times.is_empty())?;
        Some((&item.anomaly, picture(&item.anomaly)?))
    }
}

impl Bot {
    /// Posts the words, as a reply when the thread is there; says where they are and whether they are a reply.
    fn tell(
        &self,
        attempt: &Attempt<'_>,
        notice: &Notice,
        words: &str,
        told: Option<Thread>,
    ) -> Result<(Option<Thread>, bool), Error> {
        if let Some(thread) = told {
            match self.post(attempt, notice, words, &thread.channel, Some(&thread.ts)) {
                Ok(_) => return Ok((Some(thread), true)),
                // Somebody has deleted the first message: the thread begins anew.
                Err(Error::Service { code, .. })
                    if matches!(code.as_str(), "thread_not_found" | "message_not_found") => {}
                Err(error) => return Err(error),
            }
        }
        let answer = self.post(attempt, notice, words, &self.channel, None)?;
        Ok((Thread::new(&answer.channel, &answer.ts), false))
    }

    fn post(
        &self,
        attempt: &Attempt<'_>,
        notice: &Notice,
        text: &str,
        channel: &str,
        thread_ts: Option<&str>,
    ) -> Result<SlackAnswer, Error> {
        let message = SlackMessage {
            channel,
            text,
            thread_ts,
            unfurl_links: false,
            unfurl_media: false,
            metadata: metadata(notice),
        };
        let body = http::json(KIND, &message)?;
        self.call(attempt, "chat.postMessage", &self.post, http::JSON, &body)
    }

    /// Makes the first message say how things are.
    fn edit(
        &self,
        attempt: &Attempt<'_>,
        thread: &Thread,
        notice: &Notice,
        words: &str,
    ) -> Result<(), Error> {
        let edit = json!({
            "channel": thread.channel,
            "ts": thread.ts,
            "text": words,
            "metadata": metadata(notice),
        });
        let body = http::json(KIND, &edit)?;
        self.call(attempt, "chat.update", &self.update, http::JSON, &body)?;
        Ok(())
    }

    /// Puts a picture into the thread, in the three steps Slack asks for: a place for the bytes, the bytes, and
    /// what to do with them.
    fn upload(
        &self,
        attempt: &Attempt<'_>,
        thread: &Thread,
        notice: &Notice,
        anomaly: &Anomaly,
        png: &[u8],
    ) -> Result<(), Error> {
        let place = format!(
            "filename={}.png&length={}&alt_txt={}",
            text::percent_encode(&notice.id),
            png.len(),
            text::percent_encode(&text::shorten(&render::log_line(anomaly), 500))
        );
        let place = self.call(
            attempt,
            "files.getUploadURLExternal",
            &self.begin_upload,
            FORM,
            place.as_bytes(),
        )?;
        let home = self.api.url();
        let to = HttpUrl::read(&place.upload_url)
            .filter(|to| to.belongs_to(home))
            .ok_or_else(|| Error::HttpAnswer {
                place: home.place().to_owned(),
                reason: "the picture is to go to a place that is not Slack's".into(),
            })?;
        // The address is all the permission the bytes need: the token stays here.
        _ = attempt.post(&to, BYTES, &HeaderMap::new(), png)?;
        let share = json!({
            "files": [{"id": place.file_id, "title": text::shorten(anomaly.name(), 100)}],
            "channel_id": thread.channel,
            "thread_ts": thread.ts,
        });
        let body = http::json(KIND, &share)?;
        self.call(
            attempt,
            "files.completeUploadExternal",
            &self.end_upload,
            http::JSON,
            &body,
        )?;
        Ok(())
    }

    /// Calls a method. Slack says no with status 200, too.
    fn call(
        &self,
        attempt: &Attempt<'_>,
        method: &'static str,
        to: &HttpUrl,
        content_type: HeaderValue,
        body: &[u8],
    ) -> Result<SlackAnswer, Error> {
        let answer: SlackAnswer = attempt.post(to, content_type, &self.headers, body)?.json()?;
        if answer.ok {
            return Ok(answer);
        }
        Err(refusal(method, &answer.error))
    }
}

/// Whether the first message of the thread must say something else from now on: it is over, or it is back.
fn changes_the_first(notice: &Notice) -> bool {
    let items = notice.news().map_or(&[][..], |news| &news.items);
    notice.is_all_over() || items.iter().any(|item| item.what == NewsKind::Returned)
}

fn metadata(notice: &Notice) -> serde_json::Value {
    json!({
        "event_type": "skywatch_notice",
        "event_payload": {"id": notice.id, "thread": notice.thread},
    })
}

impl Thread {
    /// Reads back what [`Display`](fmt::Display) wrote; `None` for anything else.
    fn parse(reference: &str) -> Option<Self> {
        let (channel, ts) = reference.split_once('/')?;
        Self::new(channel, ts)
    }

    /// `None` for what cannot be a channel's id and a message's time.
    fn new(channel: &str, ts: &str) -> Option<Self> {
        let is_channel = !channel.is_empty() && channel.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let is_ts = !ts.is_empty() && ts.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        (is_channel && is_ts).then(|| Self {
            channel: channel.into(),
            ts: ts.into(),
        })
    }
}

impl fmt::Display for Thread {
    /// `C012AB3CD/1795268525.000200`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.channel, self.ts)
    }
}
