//! Options that take one of a few words.

/// Implements [`OptionValue`](crate::field::OptionValue) for an enum whose variants are words in the settings file.
macro_rules! choice {
    ($name:ident { $( $word:literal => $variant:ident ),+ $(,)? }) => {
        impl $name {
            pub(crate) const WORDS: &'static [&'static str] = &[ $( $word ),+ ];

            /// The word that stands for this choice in the settings file.
            pub fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $word ),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::field::OptionValue for $name {
            fn read(written: &$crate::written::Written) -> Result<Self, $crate::field::RefusedValue> {
                match written.as_text() {
                    $( Some($word) => Ok(Self::$variant), )+
                    other => Err($crate::choice::refused(other.unwrap_or_default(), Self::WORDS)),
                }
            }

            fn show(&self) -> String {
                $crate::field::quote(self.as_str())
            }
        }
    };
}
pub(crate) use choice;

use crate::field::{RefusedValue, quote};
use crate::nearest::nearest;

/// Says which words are allowed and which of them was probably meant.
pub(crate) fn refused(written: &str, words: &[&str]) -> RefusedValue {
    let listed: Vec<String> = words.iter().map(|word| format!("`{}`", quote(word))).collect();
    let listed = match listed.as_slice() {
        [only] => format!("expected {only}"),
        all => format!("expected one of {}", all.join(", ")),
    };
    match nearest(&written.to_lowercase(), words.iter().copied()) {
        Some(word) => RefusedValue::new(format!("{listed}; did you mean `{}`?", quote(word))),
        None => RefusedValue::new(listed),
    }
}
