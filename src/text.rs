//! Small transformations of text that leave us.

use std::fmt::Write as _;

/// Percent-encodes everything but the unreserved characters of RFC 3986 (section 2.3).
pub fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_of_any_kind_become_safe() {
        assert_eq!(
            super::percent_encode("a.b-c_1;h=x y/é"),
            "a.b-c_1%3Bh%3Dx%20y%2F%C3%A9"
        );
    }
}
