//! How one option is read from text and shown again.

use std::any::Any;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::written::Written;

/// Why a value was not taken: what was expected, with an example. Becomes the `hint:` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RefusedValue(pub(crate) String);

impl RefusedValue {
    pub(crate) fn new(expected: impl Into<String>) -> Self {
        Self(expected.into())
    }
}

/// The type of an option. Called while loading only; nothing here blocks.
pub(crate) trait OptionValue: Any {
    /// Reads the value as it is written in a file, a variable or a flag.
    fn read(written: &Written) -> Result<Self, RefusedValue>
    where
        Self: Sized;

    /// The value as the settings file would have it, secrets masked.
    fn show(&self) -> String;

    /// What an error may print of a text that was written for this option.
    fn mask(text: &str) -> String
    where
        Self: Sized,
    {
        text.to_owned()
    }

    /// Whether the option is left open: the empty text or the empty list.
    fn is_open(&self) -> bool {
        false
    }

    /// Replaces a leading `~` of a path.
    fn expand_home(&mut self, _home: Option<&str>) -> Result<(), RefusedValue> {
        Ok(())
    }
}

/// An option of any type, as the loader holds it.
pub(crate) trait Field: OptionValue {
    fn set(&mut self, written: &Written) -> Result<(), RefusedValue>;

    /// See [`OptionValue::mask`].
    fn masked(&self, text: &str) -> String;
}

impl<T: OptionValue> Field for T {
    fn set(&mut self, written: &Written) -> Result<(), RefusedValue> {
        *self = T::read(written)?;
        Ok(())
    }

    fn masked(&self, text: &str) -> String {
        T::mask(text)
    }
}

/// A type whose values are written as one text; lists of it follow.
pub(crate) trait OptionText: Sized + 'static {
    /// What is expected, with an example.
    const EXPECTED: &'static str;
    /// The same for a list.
    const EXPECTED_LIST: &'static str = "expected a list of texts, such as `[\"one\", \"two\"]`";

    /// Reads the value. The error says what is wrong; it is empty where there is no more to say than what is expected.
    fn parse(text: &str) -> Result<Self, String>;

    /// The value as it can be read again, secrets masked.
    fn text(&self) -> String;

    /// See [`OptionValue::mask`].
    fn mask(text: &str) -> String {
        text.to_owned()
    }
}

impl<T: OptionText> OptionValue for T {
    fn read(written: &Written) -> Result<Self, RefusedValue> {
        let Some(text) = written.as_text() else {
            return Err(RefusedValue::new(T::EXPECTED));
        };
        Self::parse(text.trim()).map_err(|why| match why.as_str() {
            "" => RefusedValue::new(T::EXPECTED),
            why => RefusedValue(format!("{why}; {}", T::EXPECTED)),
        })
    }

    fn show(&self) -> String {
        quote(&self.text())
    }

    fn mask(text: &str) -> String {
        <T as OptionText>::mask(text)
    }
}

impl<T: OptionText> OptionValue for Vec<T> {
    fn read(written: &Written) -> Result<Self, RefusedValue> {
        let texts = written
            .as_list()
            .ok_or_else(|| RefusedValue::new(T::EXPECTED_LIST))?;
        let mut wrong = Vec::new();
        let mut items = Vec::new();
        for text in texts {
            match T::parse(&text) {
                Ok(item) => items.push(item),
                Err(why) if why.is_empty() => return Err(RefusedValue::new(T::EXPECTED_LIST)),
                Err(why) => wrong.push(format!("`{text}` is wrong: {why}")),
            }
        }
        if wrong.is_empty() {
            Ok(items)
        } else {
            Err(RefusedValue(wrong.join("; ")))
        }
    }

    fn show(&self) -> String {
        let items: Vec<String> = self.iter().map(|item| quote(&item.text())).collect();
        format!("[{}]", items.join(", "))
    }

    fn mask(text: &str) -> String {
        <T as OptionText>::mask(text)
    }

    fn is_open(&self) -> bool {
        self.is_empty()
    }
}

/// A text as a TOML string.
pub(crate) fn quote(text: &str) -> String {
    toml::Value::from(text).to_string()
}

impl OptionValue for bool {
    fn read(written: &Written) -> Result<Self, RefusedValue> {
        match written {
            Written::Boolean(value) => Ok(*value),
            Written::Text(text) if text.trim() == "true" => Ok(true),
            Written::Text(text) if text.trim() == "false" => Ok(false),
            _ => Err(RefusedValue::new("expected `true` or `false`")),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

macro_rules! whole_number {
    ($($type:ty: $expected:literal),+) => { $(
        impl OptionValue for $type {
            fn read(written: &Written) -> Result<Self, RefusedValue> {
                let number = match written {
                    Written::Integer(number) => Self::try_from(*number).ok(),
                    Written::Text(text) => text.trim().replace('_', "").parse().ok(),
                    _ => None,
                };
                number.ok_or_else(|| RefusedValue::new($expected))
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )+ };
}
whole_number!(
    u16: "expected a whole number from 0 to 65535, such as `25`",
    usize: "expected a whole number, such as `100`"
);

/// A number with or without a fraction. TOML's `inf` and `nan` are refused: no limit compares with them.
impl OptionValue for f64 {
    fn read(written: &Written) -> Result<Self, RefusedValue> {
        let number = match written {
            Written::Float(number) => Some(*number),
            // The digits beyond a float's own are lost, as in any TOML reader that asks for a float.
            Written::Integer(number) => Some(*number as Self),
            Written::Text(text) => text.trim().replace('_', "").parse().ok(),
            _ => None,
        };
        number
            .filter(|number| number.is_finite())
            .ok_or_else(|| RefusedValue::new("expected a number, such as `0.5` or `100`"))
    }

    fn show(&self) -> String {
        format!("{self:?}")
    }
}

/// Taken as it is, spaces around it included.
impl OptionValue for String {
    fn read(written: &Written) -> Result<Self, RefusedValue> {
        written
            .as_text()
            .map(str::to_owned)
            .ok_or_else(|| RefusedValue::new("expected text in quotes, such as `\"text\"`"))
    }

    fn show(&self) -> String {
        quote(self)
    }

    fn mask(text: &str) -> String {
        without_credentials(text)
    }
}

impl OptionValue for Vec<String> {
    fn read(written: &Written) -> Result<Self, RefusedValue> {
        written
            .as_list()
            .ok_or_else(|| RefusedValue::new("expected a list of texts, such as `[\"one\", \"two\"]`"))
    }

    fn show(&self) -> String {
        let items: Vec<String> = self.iter().map(|item| quote(item)).collect();
        format!("[{}]", items.join(", "))
    }

    fn is_open(&self) -> bool {
        self.is_empty()
    }
}

/// A text that was refused, without what may be a secret in it: an address may hold a user and a password, and what
/// follows its `?` is often a key.
pub(crate) fn without_credentials(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let (address, query) = match rest.split_once('?') {
        // A text that is shown in quotes keeps both.
        Some((address, query)) if query.ends_with('"') => (address, "?***\""),
        Some((address, _)) => (address, "?***"),
        None => (rest, ""),
    };
    // A password may hold a slash that was not escaped, so all up to the last `@` is taken for it.
    match address.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://***@{host}{query}"),
        None => format!("{scheme}://{address}{query}"),
    }
}

impl OptionValue for PathBuf {
    fn read(written: &Written) -> Result<Self, RefusedValue> {
        match written.as_text() {
            Some(text) if !text.is_empty() => Ok(Self::from(text)),
            _ => Err(RefusedValue::new(
                "expected a path in quotes, such as `\"/var/lib/skywatch\"`",
            )),
        }
    }

    fn show(&self) -> String {
        quote(&self.to_string_lossy())
    }

    fn expand_home(&mut self, home: Option<&str>) -> Result<(), RefusedValue> {
        let Ok(rest) = self.strip_prefix("~") else {
            return Ok(());
        };
        match home {
            Some(home) if !home.is_empty() => {
                *self = Path::new(home).join(rest);
                Ok(())
            }
            _ => Err(RefusedValue::new(
                "`~` stands for `HOME`, which is not set; write the whole path",
            )),
        }
    }
}

impl OptionText for SocketAddr {
    const EXPECTED: &'static str =
        "expected an IP address and a port, such as `\"127.0.0.1:2023\"` or `\"[::1]:2023\"`";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| String::new())
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

/// The empty text means "none".
impl<T: OptionValue> OptionValue for Option<T> {
    fn read(written: &Written) -> Result<Self, RefusedValue> {
        match written.as_text() {
            Some("") => Ok(None),
            _ => T::read(written).map(Some),
        }
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| quote(""), OptionValue::show)
    }

    fn mask(text: &str) -> String {
        T::mask(text)
    }

    fn is_open(&self) -> bool {
        self.is_none()
    }

    fn expand_home(&mut self, home: Option<&str>) -> Result<(), RefusedValue> {
        self.as_mut().map_or(Ok(()), |value| value.expand_home(home))
    }
}
