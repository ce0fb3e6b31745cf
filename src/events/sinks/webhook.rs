//! A webhook: an event is the body of a request.

use std::path::PathBuf;
use std::time::Duration;

use skywatch_alerters::http_client::{self, Trust};
use skywatch_settings::{HttpUrl, Secret};

use super::super::error::EventsError;
use super::super::form::EventTopic;
use super::super::outbox::EventMessage;
use super::{EventSink, SinkFailure, SinkOutcome};

/// How a webhook is reached.
#[derive(Debug, Clone, PartialEq)]
pub struct WebhookSinkOptions {
    /// Where events are posted.
    pub url: HttpUrl,
    /// A token sent along.
    pub token: Option<Secret>,
    /// Certificates (PEM) trusted beside the public ones.
    pub ca_file: Option<PathBuf>,
    /// How long one request may take.
    pub timeout: Duration,
}

/// Posts to a webhook.
#[derive(Debug)]
pub(in crate::events) struct WebhookSink {
    agent: ureq::Agent,
    options: WebhookSinkOptions,
}

impl WebhookSink {
    /// Nothing is connected yet.
    ///
    /// # Errors
    /// [`EventsError::Certificates`] for a file of certificates that cannot be used.
    pub(in crate::events) fn new(options: WebhookSinkOptions) -> Result<Self, EventsError> {
        let trust = options.ca_file.as_deref().map_or(Trust::Public, Trust::Beside);
        let config = http_client::config(trust).map_err(EventsError::Certificates)?;
        let agent = config.timeout_global(Some(options.timeout)).build().into();
        Ok(Self { agent, options })
    }

    fn post(&self, message: &EventMessage) -> Result<u16, SinkFailure> {
        let about = match message.topic {
            EventTopic::Anomaly => "anomaly",
            EventTopic::RootCause => "root-cause",
        };
        let mut request = self
            .agent
            .post(self.options.url.as_str())
            .header("content-type", "application/json; charset=utf-8")
            .header("idempotency-key", &message.message_id)
            .header("skywatch-event", about);
        if let Some(token) = &self.options.token {
            request = request.header("authorization", format!("Bearer {}", token.expose()));
        }
        let place = self.options.url.place();
        let answer = request.send(message.body.as_bytes());
        // The client's words may hold the whole address, which may be a secret.
        let answer = answer.map_err(|error| SinkFailure(format!("`{place}` :: {}", in_short(&error))))?;
        Ok(answer.status().as_u16())
    }
}

/// What went wrong, in words without an address.
fn in_short(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        ureq::Error::HostNotFound => "the name has no address".to_owned(),
        ureq::Error::ConnectionFailed => "nobody answers".to_owned(),
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::Rustls(error) => error.to_string(),
        _ => "not HTTP as we know it".to_owned(),
    }
}

/// Whether a status blames the message: another one may be taken.
fn blames_message(status: u16) -> bool {
    matches!(status, 400 | 409 | 410 | 413 | 414 | 415 | 422)
}

impl EventSink for WebhookSink {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn place(&self) -> String {
        format!("webhook:{}", self.options.url.place())
    }

    fn send(
        &mut self,
        messages: &[EventMessage],
        outcome: &mut dyn FnMut(i64, SinkOutcome),
    ) -> Result<(), SinkFailure> {
        for message in messages {
            match self.post(message)? {
                200..=299 => outcome(message.id, SinkOutcome::Taken),
                status if blames_message(status) => {
                    outcome(message.id, SinkOutcome::Refused(format!("status {status}")));
                }
                status => {
                    let place = self.options.url.place();
                    return Err(SinkFailure(format!("`{place}` :: status {status}")));
                }
            }
        }
        Ok(())
    }
}
