//! Asking a server for a topology: limits, no redirects, no secret in what is said of it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use skywatch_alerters::http_client::{self, Trust};
use skywatch_settings::{BaseUrl, Causes, Secret};

use super::TopologyError;

/// The largest answer that is read, bytes.
const MOST_BYTES: u64 = 64 << 20;

/// A server that knows a topology.
pub(super) struct TopologyClient {
    agent: ureq::Agent,
    url: BaseUrl,
    authorization: Option<Secret>,
}

impl TopologyClient {
    /// Connects to nothing.
    ///
    /// # Errors
    /// A file of authorities that cannot be used.
    pub(super) fn new(settings: &Causes, url: &BaseUrl) -> Result<Self, TopologyError> {
        let trust = settings.ca_file.as_deref().map_or(Trust::Public, Trust::Only);
        let config = http_client::config(trust).map_err(|error| TopologyError::Unreadable {
            place: url.url().place().to_owned(),
            why: error.to_string(),
        })?;
        let basic = |user: &String| {
            let password = settings.password.as_ref().map_or("", Secret::expose);
            format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
        };
        let bearer = settings
            .token
            .as_ref()
            .map(|token| format!("Bearer {}", token.expose().trim()));
        Ok(Self {
            agent: config.timeout_global(Some(settings.timeout)).build().into(),
            url: url.clone(),
            authorization: bearer.or(settings.username.as_ref().map(basic)).map(Secret::new),
        })
    }

    /// Where the server is, for people.
    pub(super) fn place(&self) -> String {
        self.url.url().place().to_owned()
    }

    /// What lies at the address itself.
    ///
    /// # Errors
    /// No answer, a status other than 200, or what is no JSON.
    pub(super) fn get(&self) -> Result<Value, TopologyError> {
        let mut request = self.agent.get(self.url.as_str());
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization.expose());
        }
        self.answer(request.call())
    }

    /// What is answered to this body at a path below the address.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, TopologyError> {
        let mut request = self
            .agent
            .post(self.url.join(path).as_str())
            .header("Content-Type", "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization.expose());
        }
        self.answer(request.send(body.to_string()))
    }

    fn answer(
        &self,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Value, TopologyError> {
        let unreadable = |why: String| TopologyError::Unreadable {
            place: self.place(),
            why,
        };
        let mut answer = answer.map_err(|error| unreadable(error.to_string()))?;
        let status = answer.status();
        let body = answer.body_mut().with_config().limit(MOST_BYTES).read_to_vec();
        let body = body.map_err(|error| unreadable(error.to_string()))?;
        if !status.is_success() {
            return Err(unreadable(format!("it answers with status {status}")));
        }
        serde_json::from_slice(&body).map_err(|error| TopologyError::Malformed {
            place: self.place(),
            why: error.to_string(),
        })
    }
}
