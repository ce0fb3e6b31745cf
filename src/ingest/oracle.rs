//! What the libraries that readers are held against are made to read.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};

/// A list of points as an oracle reads it.
pub type OraclePoints = Vec<ExactPair<String, ExactPair<f64, f64>>>;

/// What must not be there. It is not even looked at, which would go as deep as it is nested.
struct Third;

impl<'de> Deserialize<'de> for Third {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("a third element"))
    }
}

/// A list of two things and no third. An oracle left to itself overlooks a third, and takes bytes for a list of numbers.
#[derive(Debug)]
pub struct ExactPair<A, B>(pub A, pub B);

impl<'de, A: Deserialize<'de>, B: Deserialize<'de>> Deserialize<'de> for ExactPair<A, B> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct ExactPairVisitor<A, B>(PhantomData<(A, B)>);
        impl<'de, A: Deserialize<'de>, B: Deserialize<'de>> Visitor<'de> for ExactPairVisitor<A, B> {
            type Value = ExactPair<A, B>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("two elements")
            }
            fn visit_seq<S: SeqAccess<'de>>(self, mut all: S) -> Result<Self::Value, S::Error> {
                let wrong = || S::Error::custom("not two elements");
                let first = all.next_element()?.ok_or_else(wrong)?;
                let second = all.next_element()?.ok_or_else(wrong)?;
                match all.next_element::<Third>() {
                    Ok(None) => Ok(ExactPair(first, second)),
                    _ => Err(wrong()),
                }
            }
        }
        source.deserialize_any(ExactPairVisitor(PhantomData))
    }
}
