//! Fields of RFC 4180.

use std::borrow::Cow;

/// A field as it is written: in quotes where it has to be.
pub(super) fn field(text: &str) -> Cow<'_, str> {
    if text.contains(['"', ',', '\r', '\n']) {
        Cow::Owned(format!("\"{}\"", text.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(text)
    }
}
