//! Models in a bucket of S3, or of whatever speaks like it.
//!
//! rusty-s3 signs, ureq speaks: no second HTTP client and no second TLS. Requests are signed in the address and good for a
//! minute; an address is never shown or logged. What can pass (no answer, 5xx, 429) is tried again. A put is one request,
//! which S3 makes whole or not at all. Small objects (pointers, which are asked for at each look) are kept with their tag, and fetched
//! again only when that has changed (`If-None-Match`, RFC 9110).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use backon::{BlockingRetryable as _, ExponentialBuilder};
use rusty_s3::actions::{ListObjectsV2, S3Action as _};
use rusty_s3::{Bucket as Address, Credentials, UrlStyle};
use skywatch_alerters::http_client::{self, Trust};
use skywatch_settings::{Models, Secret};

use super::{BlobStore, ModelError};

/// How long a signature is good: each try signs anew, so it need not outlast one, and one that leaks is soon worth nothing.
const SIGNED_FOR: Duration = Duration::from_secs(60);
/// The largest answer that is read, bytes: a model of 20,000 metrics takes a few megabytes.
const MOST_BYTES: u64 = 256 << 20;
/// Tries beyond the first, within a second and a half: the next look for a version, or the next try of a job, comes anyway.
const RETRIES: usize = 3;
/// Largest object that is kept, bytes: a pointer has some 150.
const KEPT_BYTES: usize = 4 << 10;
/// Objects that are kept at most; beyond it all are forgotten.
const KEPT: usize = 10_000;

/// A bucket.
pub struct Bucket {
    address: Address,
    credentials: Credentials,
    prefix: String,
    agent: ureq::Agent,
    place: String,
    /// Small objects as they were last seen, by name; held for the moment of a look or a note.
    kept: Mutex<HashMap<String, TaggedObject>>,
}

/// An object with its tag.
#[derive(Clone)]
struct TaggedObject {
    tag: String,
    bytes: Vec<u8>,
}

/// What an answer means.
enum S3Answer {
    Body {
        bytes: Vec<u8>,
        tag: Option<String>,
    },
    /// It is as the request has it.
    Unchanged,
    Missing,
    /// May pass.
    Later(String),
    Refused(String),
}

impl Bucket {
    /// The bucket that [`Models::place`] names; connects to nothing.
    ///
    /// # Errors
    /// [`ModelError::Options`] for a place that is no bucket, an address or a file of authorities that cannot be used.
    pub fn new(models: &Models) -> Result<Self, ModelError> {
        let wrong =
            |what: &str, why: &dyn std::fmt::Display| ModelError::Options(format!("the {what}: {why}"));
        let Some((bucket, prefix)) = models.bucket() else {
            return Err(wrong("models' bucket", &"no `s3://bucket` is set"));
        };
        let endpoint = match &models.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => format!("https://s3.{}.amazonaws.com", models.region),
        };
        let no_endpoint = "endpoint of the models' bucket";
        let endpoint = endpoint.parse().map_err(|error| wrong(no_endpoint, &error))?;
        let region = models.region.clone();
        let address = Address::new(endpoint, UrlStyle::Path, bucket.to_owned(), region)
            .map_err(|error| wrong(no_endpoint, &error))?;
        let trust = models.ca_file.as_deref().map_or(Trust::Public, Trust::Only);
        let config = http_client::config(trust)
            .map_err(|error| wrong("models' bucket", &error))?
            .timeout_global(Some(models.timeout));
        let prefix = prefix.trim_matches('/');
        let secret_key = models.secret_key.as_ref().map(Secret::expose).unwrap_or_default();
        Ok(Self {
            address,
            credentials: Credentials::new(models.access_key.clone().unwrap_or_default(), secret_key),
            place: format!("s3://{bucket}/{prefix}"),
            prefix: if prefix.is_empty() {
                String::new()
            } else {
                format!("{prefix}/")
            },
            agent: config.build().into(),
            kept: Mutex::default(),
        })
    }

    fn failure(&self, reason: String) -> ModelError {
        ModelError::Place {
            place: self.place.clone(),
            reason,
        }
    }

    /// The same for a request without a tag: the body of the answer.
    fn ask(
        &self,
        request: impl Fn() -> Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Option<Vec<u8>>, ModelError> {
        match self.ask_for_answer(request)? {
            S3Answer::Body { bytes, .. } => Ok(Some(bytes)),
            S3Answer::Missing => Ok(None),
            S3Answer::Unchanged => Err(self.failure("304 without a tag in the request".to_owned())),
            S3Answer::Later(reason) | S3Answer::Refused(reason) => Err(self.failure(reason)),
        }
    }

    /// Asks until there is an answer that will not change by asking again.
    fn ask_for_answer(
        &self,
        request: impl Fn() -> Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<S3Answer, ModelError> {
        let once = || match answer(request()) {
            S3Answer::Later(reason) => Err((true, reason)),
            S3Answer::Refused(reason) => Err((false, reason)),
            answer => Ok(answer),
        };
        let pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_max_times(RETRIES);
        let outcome = once
            .retry(pauses)
            .sleep(std::thread::sleep)
            .when(|(may_pass, _)| *may_pass)
            .call();
        outcome.map_err(|(_, reason)| self.failure(reason))
    }

    fn kept(&self, name: &str) -> Option<TaggedObject> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(name).cloned()
    }

    fn keep(&self, name: &str, tag: Option<String>, bytes: &[u8]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match tag {
            Some(tag) if bytes.len() <= KEPT_BYTES => {
                if kept.len() >= KEPT {
                    kept.clear();
                }
                let bytes = bytes.to_vec();
                kept.insert(name.to_owned(), TaggedObject { tag, bytes });
            }
            _ => drop(kept.remove(name)),
        }
    }
}

fn answer(outcome: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> S3Answer {
    let mut response = match outcome {
        Ok(response) => response,
        Err(error) => return S3Answer::Later(error.to_string()),
    };
    let status = response.status();
    let tag = response.headers().get("etag").and_then(|tag| tag.to_str().ok());
    let tag = tag.map(str::to_owned);
    let body = response.body_mut().with_config().limit(MOST_BYTES).read_to_vec();
    match (status.as_u16(), body) {
        (200..=299, Ok(bytes)) => S3Answer::Body { bytes, tag },
        (304, _) => S3Answer::Unchanged,
        (200..=299, Err(error)) => S3Answer::Later(error.to_string()),
        (404, body) if !is_no_bucket(&body) => S3Answer::Missing,
        (429 | 500..=599, _) => S3Answer::Later(status.to_string()),
        (_, body) => {
            let body = body.unwrap_or_default();
            let text = String::from_utf8_lossy(&body);
            let code = text
                .split_once("<Code>")
                .and_then(|(_, rest)| rest.split_once("</Code>"));
            let code: String = code.map_or("", |(code, _)| code).chars().take(60).collect();
            S3Answer::Refused(
                format!("{status} {}", code.replace(char::is_control, " "))
                    .trim_end()
                    .to_owned(),
            )
        }
    }
}

/// A bucket that is not there is a mistake in the settings, not a model that is not there yet.
fn is_no_bucket(body: &Result<Vec<u8>, ureq::Error>) -> bool {
    body.as_ref()
        .is_ok_and(|body| String::from_utf8_lossy(body).contains("NoSuchBucket"))
}

impl BlobStore for Bucket {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, ModelError> {
        let name = format!("{}{name}", self.prefix);
        let kept = self.kept(&name);
        let answer = self.ask_for_answer(|| {
            let url = self
                .address
                .get_object(Some(&self.credentials), &name)
                .sign(SIGNED_FOR);
            let request = self.agent.get(url.as_str());
            match &kept {
                Some(kept) => request.header("If-None-Match", &kept.tag).call(),
                None => request.call(),
            }
        })?;
        match (answer, kept) {
            (S3Answer::Body { bytes, tag }, _) => {
                self.keep(&name, tag, &bytes);
                Ok(Some(bytes))
            }
            (S3Answer::Unchanged, Some(kept)) => Ok(Some(kept.bytes)),
            (S3Answer::Missing, _) => {
                self.keep(&name, None, &[]);
                Ok(None)
            }
            (S3Answer::Unchanged, None) => Err(self.failure("304 without a tag in the request".to_owned())),
            (S3Answer::Later(reason) | S3Answer::Refused(reason), _) => Err(self.failure(reason)),
        }
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), ModelError> {
        let name = format!("{}{name}", self.prefix);
        let put = self.ask(|| {
            let url = self
                .address
                .put_object(Some(&self.credentials), &name)
                .sign(SIGNED_FOR);
            self.agent.put(url.as_str()).send(bytes)
        })?;
        put.map(drop)
            .ok_or_else(|| self.failure("404 Not Found".to_owned()))
    }

    fn remove(&self, name: &str) -> Result<(), ModelError> {
        let name = format!("{}{name}", self.prefix);
        self.ask(|| {
            let url = self
                .address
                .delete_object(Some(&self.credentials), &name)
                .sign(SIGNED_FOR);
            self.agent.delete(url.as_str()).call()
        })
        .map(drop)
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, ModelError> {
        let start = match folder {
            "" => self.prefix.clone(),
            folder => format!("{}{folder}/", self.prefix),
        };
        let mut names = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let body = self.ask(|| {
                let mut list = self.address.list_objects_v2(Some(&self.credentials));
                list.with_prefix(start.clone());
                list.with_delimiter("/");
                if let Some(next) = &next {
                    list.with_continuation_token(next.clone());
                }
                self.agent.get(list.sign(SIGNED_FOR).as_str()).call()
            })?;
            let body = body.ok_or_else(|| self.failure("404 Not Found".to_owned()))?;
            let body = String::from_utf8(body).map_err(|error| self.failure(error.to_string()))?;
            let page = ListObjectsV2::parse_response(&body)
                .map_err(|error| self.failure(format!("a list that cannot be read: {error}")))?;
            let below = page.common_prefixes.iter().map(|prefix| prefix.prefix.as_str());
            let here = page.contents.iter().map(|object| object.key.as_str());
            let parts = below.chain(here).filter_map(|name| name.strip_prefix(&start));
            names.extend(
                parts
                    .map(|part| part.trim_end_matches('/').to_owned())
                    .filter(|part| !part.is_empty()),
            );
            next = page.next_continuation_token;
            if next.is_none() {
                break;
            }
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    fn describe(&self) -> String {
        self.place.clone()
    }
}
