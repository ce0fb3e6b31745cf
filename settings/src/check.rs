//! Checks of values that already have their types: limits, and options that must agree.
//!
//! A check whose option was already refused stays silent: what it would see is the default, not what was written.

use std::net::SocketAddr;

use crate::error::Problem;
use crate::field::{Field, Value};
use crate::origin::Origin;

/// Collects what the sections' `check` functions find.
pub(crate) struct Check<'a> {
    /// Where each option's value came from.
    origins: &'a dyn Fn(&str) -> Origin,
    /// Options already refused.
    broken: &'a [String],
    pub(crate) problems: Vec<Problem>,
}

impl<'a> Check<'a> {
    pub(crate) fn new(origins: &'a dyn Fn(&str) -> Origin, broken: &'a [String]) -> Self {
        Self {
            origins,
            broken,
            problems: Vec::new(),
        }
    }

    /// Refuses `value` unless it lies within the limits, either of which may be missing.
    pub(crate) fn within<T: Value + PartialOrd>(
        &mut self,
        key: &str,
        value: &T,
        least: Option<T>,
        most: Option<T>,
    ) {
        let low = least.as_ref().is_some_and(|least| value < least);
        let high = most.as_ref().is_some_and(|most| value > most);
        if low || high {
            let expected = match (least, most) {
                (Some(least), Some(most)) => format!(
                    "expected a value from `{}` to `{}`",
                    Field::show(&least),
                    Field::show(&most)
                ),
                (Some(least), None) => format!("expected at least `{}`", Field::show(&least)),
                (_, most) => format!(
                    "expected at most `{}`",
                    most.as_ref().map(Field::show).unwrap_or_default()
                ),
            };
            self.wrong(key, value, &expected);
        }
    }

    /// Refuses `value` unless `right`.
    pub(crate) fn require(&mut self, right: bool, key: &str, value: &impl Field, expected: &str) {
        if !right {
            self.wrong(key, value, expected);
        }
    }

    /// The one rule for every address that is listened on: this machine's own, or said twice. `without` is what others
    /// would not need, `instead` what to do rather than saying it twice.
    pub(crate) fn listens(
        &mut self,
        [key, insecure_key]: [&str; 2],
        address: SocketAddr,
        insecure: bool,
        without: &str,
        instead: &str,
    ) {
        if !address.ip().is_loopback() && !insecure {
            self.conflict(
                &[key, insecure_key],
                format!("`{key}` is `{address}`, open to other machines without {without}"),
                &format!("{instead}, or say it twice with `{insecure_key} = true`"),
            );
        }
    }

    fn is_broken(&self, key: &str) -> bool {
        self.broken.iter().any(|broken| broken == key)
    }

    fn wrong(&mut self, key: &str, value: &impl Field, expected: &str) {
        if !self.is_broken(key) {
            let origin = (self.origins)(key);
            self.problems.push(Problem::WrongValue {
                key: key.to_owned(),
                value: value.mask(&Field::show(value)),
                origin,
                expected: expected.to_owned(),
            });
        }
    }

    /// Reports that the options `keys` do not go together. The place named is that of the first one somebody set.
    pub(crate) fn conflict(&mut self, keys: &[&str], what: String, hint: &str) {
        self.conflict_in(&Origin::Default, keys, what, hint);
    }

    /// The same for options of a table that begins at `place`, which is named when nobody set any of them.
    pub(crate) fn conflict_in(&mut self, place: &Origin, keys: &[&str], what: String, hint: &str) {
        if keys.iter().any(|key| self.is_broken(key)) {
            return;
        }
        let mut origins = keys.iter().map(|key| (self.origins)(key));
        let origin = origins
            .find(|origin| *origin != Origin::Default)
            .unwrap_or_else(|| place.clone());
        self.problems.push(Problem::Conflict {
            what,
            origin,
            hint: hint.to_owned(),
        });
    }
}
