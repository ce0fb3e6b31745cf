//! Checks of values that already have their types: limits, and options that must agree.
//!
//! A check whose option was already refused stays silent: what it would see is the default, not what was written.

use std::net::SocketAddr;
use std::ops::{Bound, RangeBounds};
use std::time::Duration;

use crate::error::Problem;
use crate::field::{Field, OptionValue};
use crate::origin::Origin;

/// Collects what is wrong with typed values.
pub(crate) struct Check<'a> {
    /// Where each option's value came from.
    origins: &'a dyn Fn(&str) -> Origin,
    /// Options already refused.
    broken: &'a [String],
    /// What the keys of the table under check begin with; empty where keys are whole.
    prefix: String,
    /// Where that table begins, for what is missing in it.
    place: Origin,
    pub(crate) problems: Vec<Problem>,
}

/// A value that limits can be set to; a value that is left open keeps them all.
pub(crate) trait Limited {
    type Of: OptionValue + PartialOrd;

    fn limited(&self) -> Option<&Self::Of>;
}

macro_rules! limited {
    ($($type:ty),+) => { $(
        impl Limited for $type {
            type Of = Self;

            fn limited(&self) -> Option<&Self> {
                Some(self)
            }
        }
    )+ };
}
limited!(u16, usize, f64, Duration);

impl<T: OptionValue + PartialOrd> Limited for Option<T> {
    type Of = T;

    fn limited(&self) -> Option<&T> {
        self.as_ref()
    }
}

impl<'a> Check<'a> {
    pub(crate) fn new(origins: &'a dyn Fn(&str) -> Origin, broken: &'a [String]) -> Self {
        Self {
            origins,
            broken,
            prefix: String::new(),
            place: Origin::Default,
            problems: Vec::new(),
        }
    }

    /// Checks a table that begins at `place`: in there, keys are those of its options.
    pub(crate) fn table(&mut self, table: &str, place: &Origin, check: impl FnOnce(&mut Self)) {
        let dot = if table.is_empty() { "" } else { "." };
        let prefix = std::mem::replace(&mut self.prefix, format!("{table}{dot}"));
        let outside = std::mem::replace(&mut self.place, place.clone());
        check(self);
        (self.prefix, self.place) = (prefix, outside);
    }

    /// The dotted key of an option of the table.
    pub(crate) fn key(&self, option: &str) -> String {
        format!("{}{option}", self.prefix)
    }

    /// Refuses `value` unless it lies within the limits.
    pub(crate) fn within<T: Limited>(&mut self, option: &str, value: &T, limits: impl RangeBounds<T::Of>) {
        let Some(value) = value.limited().filter(|value| !limits.contains(value)) else {
            return;
        };
        let bound = |bound: Bound<&T::Of>| match bound {
            Bound::Included(limit) | Bound::Excluded(limit) => Some(limit.show()),
            Bound::Unbounded => None,
        };
        let expected = match (bound(limits.start_bound()), bound(limits.end_bound())) {
            (Some(least), Some(most)) => format!("expected a value from `{least}` to `{most}`"),
            (Some(least), None) => format!("expected at least `{least}`"),
            (_, most) => format!("expected at most `{}`", most.unwrap_or_default()),
        };
        self.require(false, option, value, &expected);
    }

    /// Refuses `value` unless `right`.
    pub(crate) fn require(&mut self, right: bool, option: &str, value: &impl Field, expected: &str) {
        let key = self.key(option);
        if !right && !self.broken.contains(&key) {
            self.problems.push(Problem::WrongValue {
                value: value.masked(&value.show()),
                origin: (self.origins)(&key),
                key,
                expected: expected.to_owned(),
            });
        }
    }

    /// The one rule for every address that is listened on: this machine's own, or said twice by `insecure_listen`.
    /// `without` is what others would not need, `instead` what to do rather than saying it twice.
    pub(crate) fn listens(
        &mut self,
        option: &str,
        address: SocketAddr,
        insecure: bool,
        without: &str,
        instead: &str,
    ) {
        if !address.ip().is_loopback() && !insecure {
            let [key, insecure_key] = [option, "insecure_listen"].map(|option| self.key(option));
            self.conflict(
                &[option, "insecure_listen"],
                format!("`{key}` is `{address}`, open to other machines without {without}"),
                &format!("{instead}, or say it twice with `{insecure_key} = true`"),
            );
        }
    }

    /// Reports a certificate without its key, or the other way round: the names of both options, and which are set.
    pub(crate) fn certificate(&mut self, options: [&str; 2], are_set: [bool; 2]) {
        if are_set[0] != are_set[1] {
            let [certificate, key] = options.map(|option| self.key(option));
            self.conflict(
                &options,
                format!("of `{certificate}` and `{key}` only one is set"),
                "a certificate is of no use without its key",
            );
        }
    }

    /// Reports that options do not go together. The place named is that of the first one that is set, or else where the
    /// table begins.
    pub(crate) fn conflict(&mut self, options: &[&str], what: String, hint: &str) {
        let keys: Vec<String> = options.iter().map(|option| self.key(option)).collect();
        if keys.iter().any(|key| self.broken.contains(key)) {
            return;
        }
        let mut origins = keys.iter().map(|key| (self.origins)(key));
        let origin = origins
            .find(|origin| *origin != Origin::Default)
            .unwrap_or_else(|| self.place.clone());
        self.problems.push(Problem::Conflict {
            what,
            origin,
            hint: hint.to_owned(),
        });
    }
}
