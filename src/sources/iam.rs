//! Tokens of Huawei Cloud's IAM, which its AOM asks for: fetched by user and password, renewed before they expire.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use skywatch_settings::Secret;

use super::SourceError;
use crate::clock::unix_now;

/// Seconds before its end at which a token is renewed: as the original does, and longer than any question takes.
const BEFORE_END: f64 = 3_600.0;
/// Seconds a token is taken for good where its answer does not say: IAM's own are good for a day.
const USUAL: f64 = 86_400.0;
/// The header in which a token goes along, and that in which it comes.
pub(super) const TOKEN_HEADER: &str = "X-Auth-Token";
const ANSWER_HEADER: &str = "X-Subject-Token";
/// Largest answer, bytes: without the catalogue it has some kilobytes.
const MOST_BYTES: u64 = 1 << 20;

/// Who we are to IAM.
#[derive(Debug, Clone)]
pub struct IamLogin {
    /// `https://iam.REGION.myhuaweicloud.com`.
    pub url: String,
    /// The account the user belongs to.
    pub domain: String,
    /// The id of the project the token is for; the whole account if there is none.
    pub project: Option<String>,
    /// The user's name.
    pub user: String,
    /// The user's password.
    pub password: Secret,
}

/// A login, and the token it has brought.
#[derive(Debug)]
pub(super) struct IamSession {
    login: IamLogin,
    /// The token, and when it is renewed, Unix seconds. Held while one is fetched: the others wait for that.
    token: Mutex<Option<(Secret, f64)>>,
}

/// The part of the answer that is read.
#[derive(Deserialize)]
struct IamAnswer {
    token: IamToken,
}

#[derive(Deserialize)]
struct IamToken {
    expires_at: String,
}

impl IamSession {
    pub(super) fn new(login: IamLogin) -> Self {
        Self {
            login,
            token: Mutex::new(None),
        }
    }

    /// A token that is good for some time.
    ///
    /// # Errors
    /// [`SourceError::Denied`] if IAM does not know us, [`SourceError::Unavailable`] if it does not answer.
    pub(super) fn token(&self, agent: &ureq::Agent) -> Result<Secret, SourceError> {
        let mut held = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((token, until)) = &*held
            && unix_now() < *until
        {
            return Ok(token.clone());
        }
        let (token, ends) = self.fetch(agent)?;
        *held = Some((token.clone(), ends - BEFORE_END));
        Ok(token)
    }

    /// Forgets the token: the server does not take it.
    pub(super) fn forget(&self) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn fetch(&self, agent: &ureq::Agent) -> Result<(Secret, f64), SourceError> {
        let IamLogin {
            url,
            domain,
            project,
            user,
            password,
        } = &self.login;
        let scope = match project {
            Some(id) => json!({"project": {"id": id}}),
            None => json!({"domain": {"name": domain}}),
        };
        let body = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "name": user, "password": password.expose(), "domain": {"name": domain},
            }}},
            "scope": scope,
        }});
        let address = format!("{}/v3/auth/tokens?nocatalog=true", url.trim_end_matches('/'));
        let request = agent.post(address).header("Content-Type", "application/json");
        let unavailable = |reason: String| SourceError::Unavailable {
            place: url.clone(),
            reason,
        };
        let answer = request.send(body.to_string());
        let mut answer = answer.map_err(|error| unavailable(error.to_string()))?;
        let (status, token) = (answer.status(), answer.headers().get(ANSWER_HEADER));
        let token = token.and_then(|token| token.to_str().ok());
        let token = match token.filter(|_| status.is_success()) {
            Some(token) => Secret::new(token.to_owned()),
            None if status.is_client_error() => {
                // Not to be tried again at once: accounts are locked after some wrong passwords.
                return Err(SourceError::Denied {
                    place: url.clone(),
                    reason: format!("no token for the user: {status}"),
                });
            }
            None => return Err(unavailable(format!("it gives no token: {status}"))),
        };
        let read = answer.body_mut().with_config().limit(MOST_BYTES).read_to_vec();
        let ends = read
            .ok()
            .and_then(|body| serde_json::from_slice::<IamAnswer>(&body).ok());
        let ends = ends.and_then(|answer| answer.token.expires_at.parse::<Timestamp>().ok());
        let ends = ends.map(|ends| ends.as_second() as f64);
        Ok((token, ends.unwrap_or_else(|| unix_now() + USUAL)))
    }
}
