//! A value as it stands in a file, a variable or a flag, before it has its type.

use toml::de::DeValue;

/// A value as somebody wrote it.
#[derive(Clone)]
pub(crate) enum Written {
    /// From a variable or a flag, where everything is text.
    Text(String),
    /// A TOML string.
    String(String),
    /// A TOML integer.
    Integer(i64),
    /// A TOML float.
    Float(f64),
    /// A TOML boolean.
    Boolean(bool),
    /// A TOML array.
    Array(Vec<Written>),
    /// Anything no option takes: dates, tables, integers beyond 64 bits.
    Other,
}

impl Written {
    /// The value if it can stand for a text.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value if it can stand for a list of texts: a TOML array, or in a variable also `one, two`.
    pub(crate) fn as_list(&self) -> Option<Vec<String>> {
        match self {
            Self::Array(items) => items
                .iter()
                .map(|item| item.as_text().map(str::to_owned))
                .collect(),
            Self::Text(text) if text.trim_start().starts_with('[') => match DeValue::parse(text.trim()) {
                Ok(value) => match Self::from_toml(value.get_ref()) {
                    Self::Array(items) => Self::Array(items).as_list(),
                    _ => None,
                },
                Err(_) => None,
            },
            Self::Text(text) => Some(
                text.split(',')
                    .map(str::trim)
                    .filter(|item| !item.is_empty())
                    .map(str::to_owned)
                    .collect(),
            ),
            _ => None,
        }
    }

    pub(crate) fn from_toml(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Self::String(text.to_string()),
            DeValue::Integer(number) => {
                i64::from_str_radix(number.as_str(), number.radix()).map_or(Self::Other, Self::Integer)
            }
            DeValue::Boolean(value) => Self::Boolean(*value),
            DeValue::Array(items) => {
                Self::Array(items.iter().map(|item| Self::from_toml(item.get_ref())).collect())
            }
            DeValue::Float(number) => number.as_str().parse().map_or(Self::Other, Self::Float),
            DeValue::Datetime(_) | DeValue::Table(_) => Self::Other,
        }
    }
}
