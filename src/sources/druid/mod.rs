//! A Druid broker, asked for timeseries.
//!
//! Queries are its native JSON ([`DruidQuery`]); answers are rows of one time and its results ([`Timeseries`]). What was not
//! answered is asked again at once, a few times; after several queries in a row without an answer the broker is left alone
//! for a while ([`breaker`]), so that one that is down costs its clients milliseconds and not its time limit each. A query that
//! took too long is not repeated: it would take as long again, and whoever asked has gone.

mod breaker;
mod granularity;
mod probe;
mod query;
mod timeseries;

use std::time::Duration;

use skywatch_settings as settings;

use super::SourceError;
use super::http::{Answered, HttpOptions, SourceHttp, SourceLogin};
use crate::backoff::Backoff;
use breaker::CircuitBreaker;

pub use granularity::{Granularity, GranularityError};
pub use probe::probes;
pub use query::{DruidQuery, QueryAggregation, QueryRefusal, QuerySpan};
pub use timeseries::{Timeseries, TimeseriesError};

/// Pauses before the second and the last try: a broker that restarts behind a balancer is replaced within a second.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// A broker. Any number of threads may ask it at once; a call blocks for no longer than the time limits, times the tries.
pub struct Druid {
    http: SourceHttp,
    retries: usize,
    breaker: CircuitBreaker,
}

impl Druid {
    /// The broker that settings name, if any; connects to nothing.
    ///
    /// # Errors
    /// [`SourceError::Options`] if the address or the file of authorities cannot be used.
    pub fn new(druid: &settings::Druid) -> Result<Option<Self>, SourceError> {
        let Some(url) = &druid.url else { return Ok(None) };
        let login = druid.username.clone().zip(druid.password.clone());
        let http = HttpOptions {
            url: url.as_str().to_owned(),
            login: login.map(|(user, password)| SourceLogin::Basic { user, password }),
            connect_timeout: druid.connect_timeout,
            response_timeout: druid.timeout,
            ca_file: druid.ca_file.clone(),
        };
        Ok(Some(Self {
            http: SourceHttp::new("Druid", http)?,
            retries: druid.retries,
            breaker: CircuitBreaker::new(druid.failures, druid.pause),
        }))
    }

    /// The address.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.http.place
    }

    /// Asks a query; at most `most` numbers are taken of the answer.
    ///
    /// # Errors
    /// [`SourceError::Unavailable`], [`SourceError::TimedOut`], [`SourceError::LeftAlone`] where it does not answer,
    /// [`SourceError::Refused`] where it finds something wrong with the query, [`SourceError::Malformed`] for an answer that is
    /// no timeseries.
    pub fn ask(&self, query: &DruidQuery, most: usize) -> Result<Timeseries, SourceError> {
        self.breaker.admit(&self.http.place)?;
        let body = query.to_json();
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE).with_jitter();
        for left in (0..=self.retries).rev() {
            match self.once(query.data_source(), &body, most) {
                Err(error @ (SourceError::Unavailable { .. } | SourceError::TimedOut { .. })) => {
                    if left == 0 || matches!(error, SourceError::TimedOut { .. }) {
                        self.breaker.failed();
                        return Err(error);
                    }
                    tracing::debug!("{error} :: asked again");
                    std::thread::sleep(backoff.pause());
                }
                outcome => {
                    self.breaker.answered();
                    return outcome;
                }
            }
        }
        unreachable!("the last try returns")
    }

    fn once(&self, part: &str, body: &[u8], most: usize) -> Result<Timeseries, SourceError> {
        let body = match self.http.post("", part, body)? {
            Answered::Good(body) => body,
            Answered::NoSuchThing(reason) => return Err(self.http.refused(part, reason)),
        };
        Timeseries::read(&body, most).map_err(|error| match error {
            TimeseriesError::Cut(why) => self.http.unavailable(format!("the answer ends too early: {why}")),
            error => self.http.malformed(part, error.to_string()),
        })
    }
}
