//! Which tokens have been sent from which address, so that somebody's guesses there do not keep out who has one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::throttle::network_of;

/// Addresses remembered: a megabyte. Beyond it those go that were not seen for long, and then all others.
const ADDRESSES: usize = 10_000;
/// For how long a token counts as in use at an address: whoever reads pages or scrapes figures there sends it more often.
const IN_USE_FOR: Duration = Duration::from_secs(86_400);

/// Tokens in use, by address; an IPv6 address counts as its /64. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProvenTokens(Arc<Mutex<HashMap<IpAddr, Vec<ProvenToken>>>>);

/// A token by its place in the list of those known, and when it was last sent.
#[derive(Debug, Clone, Copy)]
struct ProvenToken {
    place: usize,
    at: Instant,
}

impl ProvenTokens {
    /// Notes that the token of that place was sent from `address`.
    pub(crate) fn add(&self, address: IpAddr, place: usize, now: Instant) {
        let mut addresses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let address = network_of(address);
        if addresses.len() >= ADDRESSES && !addresses.contains_key(&address) {
            addresses.retain(|_, tokens| tokens.iter().any(|token| token.is_in_use(now)));
            if addresses.len() >= ADDRESSES {
                addresses.clear();
            }
        }
        let tokens = addresses.entry(address).or_default();
        match tokens.iter_mut().find(|token| token.place == place) {
            Some(token) => token.at = now,
            None => tokens.push(ProvenToken { place, at: now }),
        }
    }

    /// Places of the tokens in use at `address`.
    pub(crate) fn at(&self, address: IpAddr, now: Instant) -> Vec<usize> {
        let addresses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tokens = addresses.get(&network_of(address)).into_iter().flatten();
        let in_use = tokens.filter(|token| token.is_in_use(now));
        in_use.map(|token| token.place).collect()
    }
}

impl ProvenToken {
    fn is_in_use(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) < IN_USE_FOR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_in_use_at_its_address_for_a_day() {
        let tokens = ProvenTokens::default();
        let begun = Instant::now();
        let [one, other] = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse().expect("an address"));
        tokens.add(one, 3, begun);
        tokens.add(one, 3, begun);
        assert_eq!(tokens.at(one, begun), [3]);
        assert_eq!(tokens.at(other, begun), [] as [usize; 0]);
        assert_eq!(tokens.at(one, begun + IN_USE_FOR), [] as [usize; 0]);
        for number in 0..2 * ADDRESSES as u32 {
            tokens.add(IpAddr::V4(number.into()), 0, begun);
        }
        assert!(tokens.0.lock().expect("nobody panics").len() <= ADDRESSES);
    }
}
