//! Addresses of mail.
//!
//! The mail library parses them again, for its own types; what counts here is that a slip is found at the start with its
//! place in the file, and that no line break gets into a header.

use crate::address::is_host;
use crate::field::OptionText;

/// `user@host` or `Name <user@host>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailAddress(String);

impl MailAddress {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl OptionText for MailAddress {
    const EXPECTED: &'static str = "expected a mail address, such as `\"skywatch@example.org\"` or \
                                    `\"Skywatch <skywatch@example.org>\"`";
    const EXPECTED_LIST: &'static str = "expected mail addresses, such as `[\"ops@example.org\"]`";

    fn parse(text: &str) -> Result<Self, String> {
        let address = match text.rsplit_once('<') {
            Some((_, rest)) => rest.strip_suffix('>').unwrap_or_default(),
            None => text,
        };
        let (user, host) = address.rsplit_once('@').unwrap_or_default();
        let plain = |c: char| !c.is_whitespace() && !matches!(c, '<' | '>' | ',' | ';');
        let right = !text.chars().any(char::is_control)
            && !user.is_empty()
            && user.chars().all(plain)
            && is_host(host);
        right.then(|| Self(text.to_owned())).ok_or_else(String::new)
    }

    fn text(&self) -> String {
        self.0.clone()
    }
}

impl std::str::FromStr for MailAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        OptionText::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_a_mail_address_from_a_slip() {
        for right in [
            "a@b",
            "ops@example.org",
            "Skywatch <skywatch@example.org>",
            "o'b+x@h-1.example",
        ] {
            assert!(<MailAddress as OptionText>::parse(right).is_ok(), "{right}");
        }
        for wrong in [
            "",
            "ops",
            "@h",
            "a@",
            "a b@h",
            "a@h,b@h",
            "A <a@h",
            "a@h\r\nBcc: x@y",
            "A\n <a@h>",
        ] {
            assert!(<MailAddress as OptionText>::parse(wrong).is_err(), "{wrong}");
        }
    }
}
