//! What servers write that is nearly JSON, element by element: one that is wrong does not spoil what holds it.
//!
//! Python writes `NaN` and `Infinity`, Graphite `1e9999` for what is infinite, Prometheus numbers as text. A word that is no
//! JSON, or a number no float can hold, is put into quotes before the parser sees it; the parser then takes any element
//! for a [`Value`] and leaves it to the caller what to count. What is not whole, or no JSON at all, is still an error.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// What stands where a number is to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value {
    /// A finite number, plain or as text.
    Number(f64),
    /// `null`.
    Null,
    /// Not a number, or infinite.
    NotFinite,
    /// Anything else.
    Other,
}

impl Value {
    fn of(number: f64) -> Self {
        match number.is_finite() {
            true => Self::Number(number),
            false => Self::NotFinite,
        }
    }

    fn of_text(text: &str) -> Self {
        text.trim().parse().map_or(Self::Other, Self::of)
    }

    /// The number, or the reason for which there is none.
    pub(super) fn number(self) -> Result<f64, &'static str> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Null => Err("null"),
            Self::NotFinite => Err("not_finite"),
            Self::Other => Err("malformed"),
        }
    }
}

/// Two values side by side; [`Value::Other`] twice for anything else.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pair(pub(super) Value, pub(super) Value);

/// A text, or anything else.
#[derive(Debug, Default)]
pub(super) struct Text(pub(super) Option<String>);

/// A list of what can be read of its elements; anything that is no list is an empty one.
#[derive(Debug)]
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Value;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
                Ok(Value::of(number))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
                Ok(Value::Number(number as f64))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
                Ok(Value::Number(number as f64))
            }
            fn visit_str<E>(self, text: &str) -> Result<Value, E> {
                Ok(Value::of_text(text))
            }
            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }
            fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
                Ok(Value::Other)
            }
            fn visit_seq<S: SeqAccess<'de>>(self, rest: S) -> Result<Value, S::Error> {
                pass_over(rest).map(|()| Value::Other)
            }
            fn visit_map<M: MapAccess<'de>>(self, rest: M) -> Result<Value, M::Error> {
                pass_over_map(rest).map(|()| Value::Other)
            }
        }
        source.deserialize_any(Any)
    }
}

/// An object with the fields of `T`, or anything else.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) Option<T>);

impl<T> Default for Object<T> {
    fn default() -> Self {
        Self(None)
    }
}

/// What is common to visitors that want one form and pass over all others.
macro_rules! otherwise {
    ($value:ty, $other:expr) => {
        type Value = $value;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("anything")
        }
        fn visit_f64<E>(self, _: f64) -> Result<$value, E> {
            Ok($other)
        }
        fn visit_u64<E>(self, _: u64) -> Result<$value, E> {
            Ok($other)
        }
        fn visit_i64<E>(self, _: i64) -> Result<$value, E> {
            Ok($other)
        }
        fn visit_unit<E>(self) -> Result<$value, E> {
            Ok($other)
        }
        fn visit_bool<E>(self, _: bool) -> Result<$value, E> {
            Ok($other)
        }
    };
}

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Two;
        impl<'de> Visitor<'de> for Two {
            otherwise!(Pair, Pair(Value::Other, Value::Other));
            fn visit_map<M: MapAccess<'de>>(self, rest: M) -> Result<Pair, M::Error> {
                pass_over_map(rest).map(|()| Pair(Value::Other, Value::Other))
            }
            fn visit_str<E>(self, _: &str) -> Result<Pair, E> {
                Ok(Pair(Value::Other, Value::Other))
            }
            fn visit_seq<S: SeqAccess<'de>>(self, mut all: S) -> Result<Pair, S::Error> {
                let first = all.next_element()?;
                let second = all.next_element()?;
                let third = all.next_element::<IgnoredAny>()?.is_some();
                pass_over(all)?;
                Ok(match (first, second) {
                    (Some(first), Some(second)) if !third => Pair(first, second),
                    _ => Pair(Value::Other, Value::Other),
                })
            }
        }
        source.deserialize_any(Two)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            otherwise!(Text, Text(None));
            fn visit_map<M: MapAccess<'de>>(self, rest: M) -> Result<Text, M::Error> {
                pass_over_map(rest).map(|()| Text(None))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                Ok(Text(Some(text.to_owned())))
            }
            fn visit_seq<S: SeqAccess<'de>>(self, rest: S) -> Result<Text, S::Error> {
                pass_over(rest).map(|()| Text(None))
            }
        }
        source.deserialize_any(Any)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Many<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Many<T> {
            otherwise!(List<T>, List::default());
            fn visit_map<M: MapAccess<'de>>(self, rest: M) -> Result<List<T>, M::Error> {
                pass_over_map(rest).map(|()| List::default())
            }
            fn visit_str<E>(self, _: &str) -> Result<List<T>, E> {
                Ok(List::default())
            }
            fn visit_seq<S: SeqAccess<'de>>(self, mut all: S) -> Result<List<T>, S::Error> {
                let mut list = Vec::new();
                while let Some(one) = all.next_element()? {
                    list.push(one);
                }
                Ok(List(list))
            }
        }
        source.deserialize_any(Many(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Any<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Any<T> {
            otherwise!(Object<T>, Object(None));
            fn visit_str<E>(self, _: &str) -> Result<Object<T>, E> {
                Ok(Object(None))
            }
            fn visit_seq<S: SeqAccess<'de>>(self, rest: S) -> Result<Object<T>, S::Error> {
                pass_over(rest).map(|()| Object(None))
            }
            fn visit_map<M: MapAccess<'de>>(self, fields: M) -> Result<Object<T>, M::Error> {
                T::deserialize(MapAccessDeserializer::new(fields)).map(|all| Object(Some(all)))
            }
        }
        source.deserialize_any(Any(PhantomData))
    }
}

fn pass_over<'de, S: SeqAccess<'de>>(mut rest: S) -> Result<(), S::Error> {
    while rest.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

fn pass_over_map<'de, M: MapAccess<'de>>(mut rest: M) -> Result<(), M::Error> {
    while rest.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

/// Puts into quotes, outside of texts, every word that is neither JSON nor a number a float can hold.
pub(super) fn quoted(body: &[u8]) -> Cow<'_, [u8]> {
    let mut changed: Option<Vec<u8>> = None;
    // What of `body` is in `changed` already, once there is one.
    let mut copied = 0;
    let mut at = 0;
    while let Some(&byte) = body.get(at) {
        if byte == b'"' {
            at = behind_text(body, at + 1);
            continue;
        }
        if b"[]{},: \t\r\n".contains(&byte) {
            at += 1;
            continue;
        }
        let rest = &body[at..];
        let length = rest
            .iter()
            .position(|byte| b"[]{},: \t\r\n\"".contains(byte))
            .unwrap_or(rest.len());
        let word = &rest[..length];
        // The last word of an answer that was cut off may be half of one.
        if !is_json(word) && length < rest.len() && word.iter().all(|byte| is_plain(*byte)) {
            let out = changed.get_or_insert_with(|| Vec::with_capacity(body.len() + 64));
            out.extend_from_slice(&body[copied..at]);
            out.push(b'"');
            out.extend_from_slice(word);
            out.push(b'"');
            copied = at + length;
        }
        at += length;
    }
    match changed {
        Some(mut out) => {
            out.extend_from_slice(&body[copied..]);
            Cow::Owned(out)
        }
        None => Cow::Borrowed(body),
    }
}

/// What a number or a word for one is made of; a page of HTML stays what it is.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+-._#".contains(&byte)
}

fn behind_text(body: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &body[at..]) {
        at += found + 1;
        if body[at - 1] == b'"' {
            return at;
        }
        at += 1;
        if at > body.len() {
            break;
        }
    }
    body.len()
}

/// Whether a word is one of JSON's, or a JSON number that is finite.
fn is_json(word: &[u8]) -> bool {
    if matches!(word, b"null" | b"true" | b"false") {
        return true;
    }
    let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut rest = word.strip_prefix(b"-").unwrap_or(word);
    let whole = digits(rest);
    if whole == 0 || whole > 1 && rest[0] == b'0' {
        return false;
    }
    rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let places = digits(fraction);
        if places == 0 {
            return false;
        }
        rest = &fraction[places..];
    }
    if rest.is_empty() && whole <= 300 {
        return true;
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = match exponent {
            [b'+' | b'-', exponent @ ..] => exponent,
            _ => exponent,
        };
        let places = digits(exponent);
        if places == 0 || places < exponent.len() {
            return false;
        }
    } else if !rest.is_empty() {
        return false;
    }
    let number = str::from_utf8(word)
        .ok()
        .and_then(|word| word.parse::<f64>().ok());
    number.is_some_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Read = Result<f64, &'static str>;

    fn pairs(text: &str) -> Vec<(Read, Read)> {
        let body = quoted(text.as_bytes());
        let list: List<Pair> = serde_json::from_slice(&body).expect("nearly JSON");
        list.0
            .into_iter()
            .map(|Pair(a, b)| (a.number(), b.number()))
            .collect()
    }

    #[test]
    fn one_element_does_not_spoil_its_neighbours() {
        for (bad, why) in [
            ("1e9999", "not_finite"),
            ("-1E+9999", "not_finite"),
            ("NaN", "not_finite"),
            ("Infinity", "not_finite"),
            ("-Infinity", "not_finite"),
            ("nan", "not_finite"),
            ("\"+Inf\"", "not_finite"),
            ("null", "null"),
            ("true", "malformed"),
            ("undefined", "malformed"),
            ("\"x\"", "malformed"),
            ("[1, [2]]", "malformed"),
            ("{\"a\": {\"b\": NaN}}", "malformed"),
        ] {
            let read = pairs(&format!("[[1, 60], [{bad}, 120], [2.5e1, 180]]"));
            let good = [(Ok(1.0), Ok(60.0)), (Err(why), Ok(120.0)), (Ok(25.0), Ok(180.0))];
            assert_eq!(read, good, "{bad}");
        }
        for (bad, value) in [
            ("+5", 5.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("007", 7.0),
            ("\" 7 \"", 7.0),
            ("1e-9999", 0.0),
        ] {
            assert_eq!(pairs(&format!("[[{bad},60]]")), [(Ok(value), Ok(60.0))], "{bad}");
        }
        let both = (Err("malformed"), Err("malformed"));
        assert_eq!(
            pairs("[null, [1], [], [1, 2, 3], 7, \"x\", {}, true, [4, 240]]"),
            [vec![both; 8], vec![(Ok(4.0), Ok(240.0))]].concat()
        );
    }

    #[test]
    fn texts_and_what_is_no_json_stay_as_they_are() {
        for text in [
            r#"{"target": "a \"NaN, Infinity\" 1e9999", "b": [null,true,false,-0.5e-3,12]}"#,
            "[[1, 170",
            "[[1, Na",
            "\"open \\",
        ] {
            assert!(matches!(quoted(text.as_bytes()), Cow::Borrowed(_)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_json_stays_as_it_is(numbers in prop::collection::vec((any::<f64>(), any::<i64>(), ".{0,9}"), 0..9)) {
            let text = serde_json::to_vec(&numbers).expect("JSON");
            prop_assert_eq!(&*quoted(&text), &*text);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(prop::sample::select(b"[]{},:\"\\ne+-.01aN ".to_vec()), 0..40)) {
            let body = quoted(&bytes);
            let _ = serde_json::from_slice::<List<Pair>>(&body);
            if serde_json::from_slice::<IgnoredAny>(&bytes).is_ok() && serde_json::from_slice::<serde_json::Value>(&bytes).is_ok() {
                prop_assert_eq!(&*body, &*bytes);
            }
        }
    }
}
