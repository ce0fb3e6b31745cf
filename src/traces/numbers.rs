//! Numbers in JSON that senders write as numbers or as texts.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

/// A whole number from 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Unsigned(pub(super) u64);

/// A whole number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Signed(pub(super) i64);

/// Any number; `"NaN"` and `"Infinity"` among them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Float(pub(super) f64);

/// Reads one of them from whatever stands there.
struct Either<T>(std::marker::PhantomData<T>);

/// What a number can be read from.
trait LooseNumber: Sized {
    fn of_unsigned(number: u64) -> Option<Self>;
    fn of_signed(number: i64) -> Option<Self>;
    fn of_float(number: f64) -> Option<Self>;
    fn of_text(text: &str) -> Option<Self>;
}

impl LooseNumber for Unsigned {
    fn of_unsigned(number: u64) -> Option<Self> {
        Some(Self(number))
    }
    fn of_signed(number: i64) -> Option<Self> {
        u64::try_from(number).ok().map(Self)
    }
    fn of_float(number: f64) -> Option<Self> {
        // Times in micro- or nanoseconds that went through a language whose numbers are all floating.
        (number >= 0.0 && number <= u64::MAX as f64).then_some(Self(number as u64))
    }
    fn of_text(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }
}

impl LooseNumber for Signed {
    fn of_unsigned(number: u64) -> Option<Self> {
        i64::try_from(number).ok().map(Self)
    }
    fn of_signed(number: i64) -> Option<Self> {
        Some(Self(number))
    }
    fn of_float(number: f64) -> Option<Self> {
        (number.abs() <= i64::MAX as f64).then_some(Self(number as i64))
    }
    fn of_text(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }
}

impl LooseNumber for Float {
    fn of_unsigned(number: u64) -> Option<Self> {
        Some(Self(number as f64))
    }
    fn of_signed(number: i64) -> Option<Self> {
        Some(Self(number as f64))
    }
    fn of_float(number: f64) -> Option<Self> {
        Some(Self(number))
    }
    fn of_text(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }
}

impl<T: LooseNumber> Visitor<'_> for Either<T> {
    type Value = T;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a number, or a text that is one")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        T::of_unsigned(number).ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        T::of_signed(number).ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        T::of_float(number).ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::of_text(text).ok_or_else(|| E::custom("a text that is no number"))
    }
}

impl<'de> Deserialize<'de> for Unsigned {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Either(std::marker::PhantomData))
    }
}

impl<'de> Deserialize<'de> for Signed {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Either(std::marker::PhantomData))
    }
}

impl<'de> Deserialize<'de> for Float {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Either(std::marker::PhantomData))
    }
}
