//! How often one address may ask: a token bucket each (a request takes one, and time gives them back).
//!
//! An IPv6 address counts as its /64, which one customer has all of.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::http::Peer;
use super::problem::refusal;

/// Addresses remembered: a megabyte. Beyond it those go whose bucket is full again, and then all others.
const ADDRESSES: usize = 10_000;

/// The buckets of all addresses. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Throttle {
    a_second: f64,
    burst: f64,
    buckets: Arc<Mutex<HashMap<IpAddr, TokenBucket>>>,
}

#[derive(Debug, Clone, Copy)]
struct TokenBucket {
    left: f64,
    at: Instant,
}

impl Throttle {
    /// So many a second in the long run, and so many at once.
    pub(crate) fn new(a_second: f64, burst: f64) -> Self {
        Self {
            a_second,
            burst,
            buckets: Arc::default(),
        }
    }

    /// Takes one from the bucket of `address`.
    ///
    /// # Errors
    /// It is empty, and how long it will be.
    pub(crate) fn take(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = self.bucket(&mut buckets, address, now);
        if bucket.left >= 1.0 {
            bucket.left -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - bucket.left) / self.a_second))
    }

    /// Whether there is something in the bucket of `address`, of which nothing is taken.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub(crate) fn look(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let left = self.bucket(&mut buckets, address, now).left;
        match left >= 1.0 {
            true => Ok(()),
            false => Err(Duration::from_secs_f64((1.0 - left) / self.a_second)),
        }
    }

    fn bucket<'b>(
        &self,
        buckets: &'b mut HashMap<IpAddr, TokenBucket>,
        address: IpAddr,
        now: Instant,
    ) -> &'b mut TokenBucket {
        let filled = |bucket: &TokenBucket| {
            let since = now.saturating_duration_since(bucket.at).as_secs_f64();
            (bucket.left + since * self.a_second).min(self.burst)
        };
        if buckets.len() >= ADDRESSES {
            buckets.retain(|_, bucket| filled(bucket) < self.burst);
            if buckets.len() >= ADDRESSES {
                buckets.clear();
            }
        }
        let bucket = buckets.entry(network_of(address)).or_insert(TokenBucket {
            left: self.burst,
            at: now,
        });
        (bucket.left, bucket.at) = (filled(bucket), now);
        bucket
    }
}

/// What is counted as one address.
pub(super) fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => IpAddr::V4(address),
            None => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        },
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// The address a request has come from, as far as it came over a connection.
pub(crate) fn address_of(request: &Request) -> Option<IpAddr> {
    let peer = request.extensions().get::<ConnectInfo<Peer>>();
    peer.map(|ConnectInfo(Peer(peer))| peer.ip())
}

/// The answer to who asks too often.
pub(crate) fn too_often(path: &str, wait: Duration, why: &str) -> Response {
    let seconds = wait.as_secs_f64().ceil().max(1.0) as u64;
    let headers = [(header::RETRY_AFTER, seconds.to_string())];
    (headers, refusal(path, StatusCode::TOO_MANY_REQUESTS, why)).into_response()
}

/// Lets no more requests of an address through to `router` than `throttle` has for it.
pub(crate) fn limit(throttle: Throttle, router: Router) -> Router {
    router.layer(axum::middleware::from_fn_with_state(throttle, check))
}

async fn check(State(throttle): State<Throttle>, request: Request, next: Next) -> Response {
    match address_of(&request).map_or(Ok(()), |address| throttle.take(address, Instant::now())) {
        Ok(()) => next.run(request).await,
        Err(wait) => too_often(
            request.uri().path(),
            wait,
            "this address asks too often\nhint: `web.requests_per_second`\n",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_fills_again_and_is_nobody_elses() {
        let throttle = Throttle::new(2.0, 3.0);
        let begun = Instant::now();
        let at = |seconds: f64| begun + Duration::from_secs_f64(seconds);
        let one: IpAddr = "10.0.0.1".parse().expect("an address");
        let other: IpAddr = "10.0.0.2".parse().expect("an address");
        for _ in 0..3 {
            assert_eq!(throttle.take(one, at(0.0)), Ok(()));
        }
        assert_eq!(throttle.take(one, at(0.0)), Err(Duration::from_millis(500)));
        assert_eq!(throttle.look(one, at(0.0)), Err(Duration::from_millis(500)));
        assert_eq!(throttle.take(other, at(0.0)), Ok(()));
        assert_eq!(throttle.take(one, at(0.5)), Ok(()));
        assert!(throttle.take(one, at(0.5)).is_err());
        for _ in 0..3 {
            assert_eq!(throttle.take(one, at(60.0)), Ok(()));
        }
        assert!(throttle.take(one, at(60.0)).is_err(), "no more than the burst");
    }

    #[test]
    fn a_network_is_one_address() {
        let throttle = Throttle::new(0.1, 1.0);
        let take = |text: &str| throttle.take(text.parse().expect("an address"), Instant::now());
        assert_eq!(take("2001:db8::1"), Ok(()));
        assert!(take("2001:db8::2").is_err());
        assert_eq!(take("2001:db8:0:1::2"), Ok(()));
        assert_eq!(take("10.0.0.1"), Ok(()));
        assert!(take("::ffff:10.0.0.1").is_err());
    }

    #[test]
    fn many_addresses_are_not_remembered_for_ever() {
        let throttle = Throttle::new(1.0, 2.0);
        let now = Instant::now();
        for number in 0..2 * ADDRESSES as u32 {
            let _ = throttle.take(IpAddr::V4(number.into()), now);
        }
        assert!(throttle.buckets.lock().expect("nobody panics").len() <= ADDRESSES);
    }
}
